//! As much of Redis as the scripts use: its values in memory, by a clock that is told to it.

use std::collections::BTreeMap;

/// What a command is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    Nil,
    Ok,
    Number(i64),
    Text(Vec<u8>),
    Many(Vec<Reply>),
    Error(String),
}

enum Value {
    Text(Vec<u8>),
    Hash(BTreeMap<Vec<u8>, Vec<u8>>),
    /// Members by name, with their scores.
    Sorted(BTreeMap<Vec<u8>, f64>),
}

struct Kept {
    value: Value,
    /// In milliseconds of its clock; `None`: it stays.
    ends: Option<i64>,
}

/// What is kept, and what was said on channels and is yet to be carried to those who hear.
#[derive(Default)]
pub struct Store {
    keys: BTreeMap<Vec<u8>, Kept>,
    /// Its clock, in milliseconds.
    pub now: i64,
    pub said: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Store {
    /// Runs one command.
    pub fn run(&mut self, words: &[Vec<u8>]) -> Reply {
        let name = words.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase()).unwrap_or_default();
        let key = words.get(1).cloned().unwrap_or_default();
        if self.keys.get(&key).and_then(|kept| kept.ends).is_some_and(|ends| ends <= self.now) {
            self.keys.remove(&key);
        }
        let done = match name.as_str() {
            "TIME" => {
                let text = |number: i64| Reply::Text(number.to_string().into_bytes());
                Some(Reply::Many(vec![text(self.now / 1000), text(self.now % 1000 * 1000)]))
            }
            "PUBLISH" => words.get(2).map(|said| {
                self.said.push((key, said.clone()));
                Reply::Number(0)
            }),
            "DEL" => Some(Reply::Number(self.keys.remove(&key).is_some().into())),
            "PEXPIRE" => number(words, 2).map(|time| {
                let ends = Some(self.now + time as i64);
                let kept = self.keys.get_mut(&key);
                Reply::Number(kept.map(|kept| kept.ends = ends).is_some().into())
            }),
            "PTTL" => Some(Reply::Number(match self.keys.get(&key) {
                None => -2,
                Some(kept) => kept.ends.map_or(-1, |ends| ends - self.now),
            })),
            "GET" | "SET" | "GETRANGE" | "SETRANGE" => self.texts(&name, key, words),
            "HGET" | "HGETALL" | "HSET" | "HDEL" => self.hashes(&name, key, words),
            "ZADD" | "ZREM" | "ZREMRANGEBYSCORE" | "ZRANGEBYSCORE" => self.sorted(&name, key, words),
            _ => None,
        };
        done.unwrap_or_else(|| Reply::Error(format!("ERR {name} is not known here in this form")))
    }

    fn texts(&mut self, name: &str, key: Vec<u8>, words: &[Vec<u8>]) -> Option<Reply> {
        let kept = self.keys.get(&key);
        let text = match kept.map(|kept| &kept.value) {
            Some(Value::Text(text)) => Some(text),
            _ if name == "SET" => None,
            None => None,
            Some(_) => return wrong_type(),
        };
        Some(match name {
            "GET" => text.map_or(Reply::Nil, |text| Reply::Text(text.clone())),
            "GETRANGE" => {
                let [from, to] = [number(words, 2)? as usize, number(words, 3)? as usize];
                let text = text.map(Vec::as_slice).unwrap_or_default();
                Reply::Text(text.get(from..text.len().min(to + 1)).unwrap_or_default().to_vec())
            }
            "SETRANGE" => {
                let (at, new) = (number(words, 2)? as usize, words.get(3)?);
                let mut text = text.cloned().unwrap_or_default();
                text.resize(text.len().max(at + new.len()), 0);
                text[at..at + new.len()].copy_from_slice(new);
                let (length, ends) = (text.len() as i64, kept.and_then(|kept| kept.ends));
                self.keys.insert(key, Kept { value: Value::Text(text), ends });
                Reply::Number(length)
            }
            _ => {
                let mut ends = None;
                let mut options = words.get(3..)?.iter();
                while let Some(option) = options.next() {
                    match option.as_slice() {
                        b"NX" if kept.is_some() => return Some(Reply::Nil),
                        b"NX" => {}
                        b"PX" => ends = Some(self.now + parsed(options.next()?)? as i64),
                        b"KEEPTTL" => ends = kept.and_then(|kept| kept.ends),
                        _ => return None,
                    }
                }
                self.keys.insert(key, Kept { value: Value::Text(words.get(2)?.clone()), ends });
                Reply::Ok
            }
        })
    }

    fn hashes(&mut self, name: &str, key: Vec<u8>, words: &[Vec<u8>]) -> Option<Reply> {
        if name == "HSET" {
            let kept = self.keys.entry(key).or_insert(Kept { value: Value::Hash(BTreeMap::new()), ends: None });
            let Value::Hash(hash) = &mut kept.value else { return wrong_type() };
            let pairs = words.get(2..)?.chunks_exact(2);
            let new = pairs.filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none());
            return Some(Reply::Number(new.count() as i64));
        }
        let hash = match self.keys.get_mut(&key).map(|kept| &mut kept.value) {
            None => &mut BTreeMap::new(),
            Some(Value::Hash(hash)) => hash,
            Some(_) => return wrong_type(),
        };
        Some(match name {
            "HGET" => hash.get(words.get(2)?).map_or(Reply::Nil, |text| Reply::Text(text.clone())),
            "HGETALL" => {
                let pairs = hash.iter().flat_map(|(name, text)| [name, text]);
                Reply::Many(pairs.map(|text| Reply::Text(text.clone())).collect())
            }
            _ => {
                let gone = words.get(2..)?.iter().filter(|name| hash.remove(*name).is_some()).count() as i64;
                if hash.is_empty() {
                    self.keys.remove(&key);
                }
                Reply::Number(gone)
            }
        })
    }

    fn sorted(&mut self, name: &str, key: Vec<u8>, words: &[Vec<u8>]) -> Option<Reply> {
        if name == "ZADD" {
            let kept = self.keys.entry(key).or_insert(Kept { value: Value::Sorted(BTreeMap::new()), ends: None });
            let Value::Sorted(members) = &mut kept.value else { return wrong_type() };
            let new = members.insert(words.get(3)?.clone(), number(words, 2)?).is_none();
            return Some(Reply::Number(new.into()));
        }
        let members = match self.keys.get_mut(&key).map(|kept| &mut kept.value) {
            None => &mut BTreeMap::new(),
            Some(Value::Sorted(members)) => members,
            Some(_) => return wrong_type(),
        };
        let before = members.len();
        if name == "ZREM" {
            members.remove(words.get(2)?);
            return Some(self.without(&key, before));
        }
        let (from, to) = (number(words, 2)?, number(words, 3)?);
        let is_among = |score: f64| from <= score && score <= to;
        Some(match name {
            "ZREMRANGEBYSCORE" => {
                members.retain(|_, score| !is_among(*score));
                self.without(&key, before)
            }
            _ => {
                let mut found: Vec<_> = members.iter().filter(|(_, score)| is_among(**score)).collect();
                found.sort_by(|one, other| one.1.total_cmp(other.1));
                Reply::Many(found.into_iter().map(|(member, _)| Reply::Text(member.clone())).collect())
            }
        })
    }

    /// How many members have gone of those that were there before. Without any, the key goes as well.
    fn without(&mut self, key: &[u8], before: usize) -> Reply {
        let left = match self.keys.get(key).map(|kept| &kept.value) {
            Some(Value::Sorted(members)) => members.len(),
            _ => before,
        };
        if left == 0 {
            self.keys.remove(key);
        }
        Reply::Number((before - left) as i64)
    }

    /// Loses everything.
    pub fn flush(&mut self) {
        self.keys.clear();
    }
}

fn wrong_type() -> Option<Reply> {
    Some(Reply::Error("WRONGTYPE Operation against a key holding the wrong kind of value".to_owned()))
}

fn number(words: &[Vec<u8>], at: usize) -> Option<f64> {
    parsed(words.get(at)?)
}

fn parsed(word: &[u8]) -> Option<f64> {
    match word {
        b"-inf" => Some(f64::NEG_INFINITY),
        b"+inf" => Some(f64::INFINITY),
        _ => str::from_utf8(word).ok()?.parse().ok(),
    }
}
