//! Runs the very scripts that Redis runs, in the Lua that Redis has, against what is kept in memory.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use mlua::{Error, Function, Lua, MultiValue, Result, Table, Value};

use super::redis::{Reply, Store};

/// A Redis: what it keeps, and the scripts that it was told.
pub struct Redis {
    lua: Lua,
    store: Arc<Mutex<Store>>,
    scripts: HashMap<Vec<u8>, Function>,
}

impl Redis {
    pub fn new() -> Self {
        let (lua, store) = (Lua::new(), Arc::<Mutex<Store>>::default());
        let here = lua.create_table().expect("a table");
        for (name, throws) in [("call", true), ("pcall", false)] {
            let store = store.clone();
            let call = lua.create_function(move |lua, words: MultiValue| {
                let words = words.into_iter().map(word).collect::<Result<Vec<_>>>()?;
                match store.lock().expect("the store").run(&words) {
                    Reply::Error(why) if throws => Err(Error::runtime(why)),
                    reply => told(lua, reply),
                }
            });
            here.set(name, call.expect("a function")).expect("a name");
        }
        let refuse = lua.create_function(|lua, why: String| told(lua, Reply::Error(why))).expect("a function");
        here.set("error_reply", refuse).expect("a name");
        lua.globals().set("redis", here).expect("a name");
        Self { lua, store, scripts: HashMap::new() }
    }

    pub fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("the store")
    }

    /// Runs a command that a client sent.
    pub fn run(&mut self, words: &[Vec<u8>]) -> Reply {
        let name = words.first().map(|word| String::from_utf8_lossy(word).to_ascii_uppercase()).unwrap_or_default();
        match (name.as_str(), words) {
            ("EVALSHA", [_, sha, count, rest @ ..]) => match self.scripts.get(sha) {
                Some(script) => self.eval(&script.clone(), count, rest),
                None => Reply::Error("NOSCRIPT No matching script. Please use EVAL.".to_owned()),
            },
            ("SCRIPT", [_, _, text]) => {
                let sha = sha1(text);
                // The first line, where it is for Redis and not for Lua.
                let text: &[u8] = match text.strip_prefix(b"#!") {
                    Some(_) => &text[text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len())..],
                    None => text,
                };
                match self.lua.load(text).into_function() {
                    Ok(script) => {
                        self.scripts.insert(sha.clone(), script);
                        Reply::Text(sha)
                    }
                    Err(why) => Reply::Error(format!("ERR {why}")),
                }
            }
            _ => self.store().run(words),
        }
    }

    fn eval(&self, script: &Function, count: &[u8], rest: &[Vec<u8>]) -> Reply {
        let ran = || -> Result<Reply> {
            let count: usize = str::from_utf8(count).ok().and_then(|count| count.parse().ok()).unwrap_or(0);
            let (keys, given) = rest.split_at(count.min(rest.len()));
            for (name, words) in [("KEYS", keys), ("ARGV", given)] {
                let words = words.iter().map(|word| self.lua.create_string(word)).collect::<Result<Vec<_>>>()?;
                self.lua.globals().set(name, words)?;
            }
            Ok(answer(script.call(())?))
        };
        ran().unwrap_or_else(|why| Reply::Error(format!("ERR {why}").replace(['\r', '\n'], " ")))
    }
}

/// A word of a command, as Redis takes it from Lua.
fn word(value: Value) -> Result<Vec<u8>> {
    match value {
        Value::String(text) => Ok(text.as_bytes().to_vec()),
        Value::Integer(number) => Ok(number.to_string().into_bytes()),
        // As `%.17g` writes whole numbers.
        Value::Number(number) => Ok(number.to_string().into_bytes()),
        _ => Err(Error::runtime("Lua redis lib command arguments must be strings or integers")),
    }
}

/// A reply, as Redis gives it to Lua.
fn told(lua: &Lua, reply: Reply) -> Result<Value> {
    let named = |name: &str, text: &str| -> Result<Value> {
        let table = lua.create_table()?;
        table.set(name, text)?;
        Ok(Value::Table(table))
    };
    match reply {
        Reply::Nil => Ok(Value::Boolean(false)),
        Reply::Ok => named("ok", "OK"),
        Reply::Error(why) => named("err", &why),
        Reply::Number(number) => Ok(Value::Number(number as f64)),
        Reply::Text(text) => Ok(Value::String(lua.create_string(text)?)),
        Reply::Many(replies) => {
            let told = replies.into_iter().map(|reply| told(lua, reply)).collect::<Result<Vec<_>>>()?;
            Ok(Value::Table(lua.create_sequence_from(told)?))
        }
    }
}

/// What a script gives, as Redis answers with it.
fn answer(value: Value) -> Reply {
    match value {
        Value::Boolean(true) => Reply::Number(1),
        Value::Integer(number) => Reply::Number(number),
        Value::Number(number) => Reply::Number(number as i64),
        Value::String(text) => Reply::Text(text.as_bytes().to_vec()),
        Value::Table(table) => of_table(&table),
        _ => Reply::Nil,
    }
}

fn of_table(table: &Table) -> Reply {
    if let Ok(Some(why)) = table.get::<Option<String>>("err") {
        return Reply::Error(why);
    }
    if let Ok(Some(_)) = table.get::<Option<String>>("ok") {
        return Reply::Ok;
    }
    Reply::Many(table.sequence_values::<Value>().map_while(|value| value.ok().map(answer)).collect())
}

/// What a script is called.
fn sha1(text: &[u8]) -> Vec<u8> {
    let digest = digest(&SHA1_FOR_LEGACY_USE_ONLY, text);
    let name = digest.as_ref().iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    });
    name.into_bytes()
}
