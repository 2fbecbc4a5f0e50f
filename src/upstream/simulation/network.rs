//! The network between gateways and a Redis in memory: how long messages take, and what becomes of them on the way. Every chance is
//! drawn from one seeded source, and all time is the runtime's, which stands still while anybody is busy.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::redis::Reply;
use super::scripts::Redis;
use crate::replicas::Link;

/// What becomes of messages.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// How long one way takes, in milliseconds: at least and at most.
    pub takes: [u64; 2],
    /// The part of commands at which the connection falls silent: half of them before they were run, half after it.
    pub silent: f64,
    /// The part of what is said on channels that does not arrive, though the connection lives.
    pub lost: f64,
    /// The part of what is said on channels with which the connection of who was to hear it breaks.
    pub broken: f64,
    /// The part that arrives twice.
    pub doubled: f64,
    /// The part that is overtaken by others.
    pub late: f64,
}

/// One that is calm.
pub const CALM: Weather = Weather { takes: [0, 2], silent: 0.0, lost: 0.0, broken: 0.0, doubled: 0.0, late: 0.0 };

/// As much as waits for one connection. With more, Redis closes it.
const MOST_WAITING: usize = 4096;

type Words = Vec<Vec<u8>>;

/// Something to be written, and when.
type Leaving = (Instant, Vec<u8>);

struct Connection {
    number: u64,
    replica: usize,
    /// It is open, and nothing goes through.
    is_silent: bool,
    hears: Vec<Vec<u8>>,
    out: Sender<Leaving>,
    tasks: Vec<AbortHandle>,
}

#[derive(Clone, Copy)]
struct Place {
    is_cut: bool,
    stands_until: Instant,
}

struct Parts {
    redis: Redis,
    began: Instant,
    /// How far its clock was put forward, or back.
    ahead_ms: i64,
    weather: Weather,
    dice: Rng,
    connections: Vec<Connection>,
    places: Vec<Place>,
    last: u64,
    asked: u64,
}

/// The network. Clones are the same one.
#[derive(Clone)]
pub struct Network(Arc<Mutex<Parts>>);

impl Network {
    pub fn new(replicas: usize, seed: u64, weather: Weather) -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Parts {
            redis: Redis::new(),
            began: now,
            ahead_ms: 0,
            weather,
            dice: Rng::with_seed(seed),
            connections: Vec::new(),
            places: vec![Place { is_cut: false, stands_until: now }; replicas],
            last: 0,
            asked: 0,
        })))
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.0.lock().expect("the network")
    }

    /// A gateway's way to Redis.
    pub fn link(&self, replica: usize) -> Link {
        let this = self.clone();
        Link::to_model(Arc::new(move || this.dial(replica)))
    }

    /// From now on.
    pub fn becomes(&self, weather: Weather) {
        self.parts().weather = weather;
    }

    /// Cuts a gateway off: nothing more goes through its connections, which stay so, and no others can be made. Or ends that.
    pub fn cut(&self, replica: usize, is_cut: bool) {
        let mut parts = self.parts();
        parts.places[replica].is_cut = is_cut;
        for connection in parts.connections.iter_mut().filter(|connection| connection.replica == replica) {
            connection.is_silent = true;
        }
    }

    /// Closes the connections of a gateway.
    pub fn close(&self, replica: usize) {
        self.parts().connections.retain(|connection| {
            let stays = connection.replica != replica;
            if !stays {
                connection.tasks.iter().for_each(AbortHandle::abort);
            }
            stays
        });
    }

    /// Has a gateway stand still for so long: what is sent to it waits.
    pub fn pause(&self, replica: usize, time: Duration) {
        self.parts().places[replica].stands_until = Instant::now() + time;
    }

    /// Waits while a gateway stands still, and until then in any case.
    pub async fn awake(&self, replica: usize, at: Instant) {
        let mut until = at;
        while until > Instant::now() {
            sleep_until(until).await;
            until = self.parts().places[replica].stands_until;
        }
        let until = self.parts().places[replica].stands_until;
        sleep_until(until).await;
    }

    /// Redis loses everything.
    pub fn flush(&self) {
        self.parts().redis.store().flush();
    }

    /// Puts Redis' clock forward, or back.
    pub fn put_clock(&self, by_ms: i64) {
        self.parts().ahead_ms += by_ms;
    }

    /// How many scripts Redis was told to run.
    pub fn asked(&self) -> u64 {
        self.parts().asked
    }

    /// A number that chance gives.
    pub fn among(&self, [least, most]: [u64; 2]) -> u64 {
        self.parts().dice.u64(least..=most)
    }

    /// Whether something happens that has this chance.
    pub fn is_so(&self, chance: f64) -> bool {
        chance > 0.0 && self.parts().dice.f64() < chance
    }

    fn takes(&self) -> Duration {
        let takes = self.parts().weather.takes;
        Duration::from_millis(self.among(takes))
    }

    fn dial(&self, replica: usize) -> Option<DuplexStream> {
        if self.parts().places[replica].is_cut {
            return None;
        }
        let (here, there) = duplex(1 << 20);
        let (read, write) = split(there);
        let (arrive, arrived) = channel(MOST_WAITING);
        let (out, leaving) = channel(MOST_WAITING);
        let mut parts = self.parts();
        parts.last += 1;
        let number = parts.last;
        parts.connections.push(Connection {
            number,
            replica,
            is_silent: false,
            hears: Vec::new(),
            out,
            tasks: Vec::new(),
        });
        let tasks = vec![
            tokio::spawn(read_all(self.clone(), read, arrive)).abort_handle(),
            tokio::spawn(run_all(self.clone(), (number, replica), arrived)).abort_handle(),
            tokio::spawn(write_all(self.clone(), (number, replica), write, leaving)).abort_handle(),
        ];
        if let Some(connection) = parts.connections.last_mut() {
            connection.tasks = tasks;
        }
        Some(here)
    }

    fn goes_through(&self, number: u64) -> bool {
        self.parts().connections.iter().any(|connection| connection.number == number && !connection.is_silent)
    }

    /// Runs one command of a connection, and has carried what came of it.
    fn run(&self, number: u64, words: &Words) {
        let silent = self.parts().weather.silent;
        let falls_silent = self.is_so(silent);
        let was_before = falls_silent && self.is_so(0.5);
        let back = Instant::now() + self.takes();
        let mut parts = self.parts();
        let parts = &mut *parts;
        let Some(at) = parts.connections.iter().position(|connection| connection.number == number) else { return };
        parts.connections[at].is_silent |= was_before;
        if parts.connections[at].is_silent {
            return;
        }
        let mut answer = Vec::new();
        match words.first().map(Vec::as_slice) {
            Some(b"SUBSCRIBE") => {
                for (count, channel) in words[1..].iter().enumerate() {
                    parts.connections[at].hears.push(channel.clone());
                    let told = [Reply::Text(b"subscribe".to_vec()), Reply::Text(channel.clone())];
                    let told = told.into_iter().chain([Reply::Number(count as i64 + 1)]).collect();
                    spell(&Reply::Many(told), &mut answer);
                }
            }
            Some(b"INFO") => spell(&Reply::Text(b"run_id:one\r\nrole:master\r\n".to_vec()), &mut answer),
            Some(b"CLIENT") => spell(&Reply::Ok, &mut answer),
            _ => {
                let passed = parts.began.elapsed().as_millis() as i64;
                parts.redis.store().now = 1_800_000_000_000 + passed + parts.ahead_ms;
                parts.asked += u64::from(words[0] == b"EVALSHA");
                spell(&parts.redis.run(words), &mut answer);
            }
        }
        parts.connections[at].is_silent |= falls_silent;
        // With nothing to wait for, since Redis does not wait either.
        let _ = parts.connections[at].out.try_send((back, answer));
        let said = std::mem::take(&mut parts.redis.store().said);
        for (channel, text) in said {
            parts.carry(&channel, text);
        }
    }

    fn is_over(&self, number: u64) {
        self.parts().connections.retain(|connection| connection.number != number);
    }
}

impl Parts {
    /// Has what was said on a channel carried to all who hear it.
    fn carry(&mut self, channel: &[u8], text: Vec<u8>) {
        let words = [b"message".to_vec(), channel.to_vec(), text];
        let mut message = Vec::new();
        spell(&Reply::Many(words.map(Reply::Text).into()), &mut message);
        let (weather, dice) = (self.weather, &mut self.dice);
        let mut so = |chance: f64| chance > 0.0 && dice.f64() < chance;
        let mut broken = Vec::new();
        for connection in &self.connections {
            if connection.is_silent || !connection.hears.iter().any(|name| name == channel) || so(weather.lost) {
                continue;
            }
            if so(weather.broken) {
                broken.push(connection.number);
                continue;
            }
            let (twice, late) = (so(weather.doubled), so(weather.late));
            let at = Instant::now() + Duration::from_millis(weather.takes[1]);
            for _ in 0..1 + usize::from(twice) {
                match late {
                    true => {
                        let (out, message, wait) = (connection.out.clone(), message.clone(), weather.takes[1]);
                        tokio::spawn(async move {
                            sleep(Duration::from_millis(20 * wait + 20)).await;
                            let _ = out.send((Instant::now(), message)).await;
                        });
                    }
                    false if connection.out.try_send((at, message.clone())).is_err() => {
                        broken.push(connection.number);
                    }
                    false => {}
                }
            }
        }
        self.connections.retain(|connection| {
            let stays = !broken.contains(&connection.number);
            if !stays {
                connection.tasks.iter().for_each(AbortHandle::abort);
            }
            stays
        });
    }
}

async fn read_all(network: Network, mut read: ReadHalf<DuplexStream>, arrive: Sender<(Instant, Words)>) {
    let mut bytes = Vec::new();
    while read.read_buf(&mut bytes).await.is_ok_and(|count| count > 0) {
        let at = Instant::now() + network.takes();
        let mut start = 0;
        while let Some((words, length)) = parse(&bytes[start..]) {
            start += length;
            if arrive.send((at, words)).await.is_err() {
                return;
            }
        }
        bytes.drain(..start);
    }
}

async fn run_all(network: Network, (number, replica): (u64, usize), mut arrived: Receiver<(Instant, Words)>) {
    while let Some((at, words)) = arrived.recv().await {
        network.awake(replica, at).await;
        network.run(number, &words);
    }
    network.is_over(number);
}

async fn write_all(
    network: Network,
    (number, replica): (u64, usize),
    mut write: WriteHalf<DuplexStream>,
    mut leaving: Receiver<Leaving>,
) {
    while let Some((at, bytes)) = leaving.recv().await {
        network.awake(replica, at).await;
        if network.goes_through(number) && write.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// The first command in the bytes that a client sent, and how long it is there.
fn parse(bytes: &[u8]) -> Option<(Words, usize)> {
    let mut at = 0;
    let count = |sign: u8, at: &mut usize| -> Option<usize> {
        let line = &bytes[*at..];
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        assert_eq!(line[0], sign, "a command of texts");
        *at += end + 2;
        str::from_utf8(&line[1..end]).ok()?.parse().ok()
    };
    let words = count(b'*', &mut at)?;
    let mut found = Vec::with_capacity(words);
    for _ in 0..words {
        let length = count(b'$', &mut at)?;
        found.push(bytes.get(at..at + length)?.to_vec());
        bytes.get(at + length..at + length + 2)?;
        at += length + 2;
    }
    Some((found, at))
}

fn spell(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::Nil => out.extend(b"$-1\r\n"),
        Reply::Ok => out.extend(b"+OK\r\n"),
        Reply::Number(number) => out.extend(format!(":{number}\r\n").bytes()),
        Reply::Error(why) => out.extend(format!("-{why}\r\n").bytes()),
        Reply::Text(text) => {
            out.extend(format!("${}\r\n", text.len()).bytes());
            out.extend(text);
            out.extend(b"\r\n");
        }
        Reply::Many(replies) => {
            out.extend(format!("*{}\r\n", replies.len()).bytes());
            replies.iter().for_each(|reply| spell(reply, out));
        }
    }
}
