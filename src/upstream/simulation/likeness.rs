//! The Redis in memory is like a real one: commands and scripts are sent to both, where there is a real one.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use redis::{Client, Connection, Value, cmd};

use super::redis::Reply;
use super::scripts::Redis;

/// A server that ends with the test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// `None`: there is none on this machine, which is said.
fn start() -> Option<(Server, Connection)> {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
    let arguments = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    let Ok(child) = Command::new("redis-server").args(arguments).stdout(Stdio::null()).spawn() else {
        println!("not checked: there is no redis-server on this machine");
        return None;
    };
    let server = Server(child);
    let client = Client::open(format!("redis://127.0.0.1:{port}")).expect("an address");
    loop {
        if let Ok(connection) = client.get_connection() {
            return Some((server, connection));
        }
        std::thread::yield_now();
    }
}

struct Both {
    real: Connection,
    model: Redis,
}

#[expect(clippy::disallowed_methods, reason = "the server that is compared has no other clock")]
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis() as i64
}

impl Both {
    /// Sends a command to both, and compares what they answer.
    fn send(&mut self, words: &[&str]) {
        let mut command = cmd(words[0]);
        words[1..].iter().for_each(|word| {
            command.arg(word);
        });
        let real = command.query::<Value>(&mut self.real);
        let words_: Vec<Vec<u8>> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        self.model.store().now = now();
        let model = self.model.run(&words_);
        let alike = match (&real, &model) {
            (Err(_), Reply::Error(_)) => true,
            (Ok(real), model) => are_alike(real, model),
            (Err(_), _) => false,
        };
        assert!(alike, "{words:?}: {real:?} and {model:?}");
    }

    fn load(&mut self, script: &str) -> String {
        self.send(&["SCRIPT", "LOAD", script]);
        cmd("SCRIPT").arg("LOAD").arg(script).query(&mut self.real).expect("a name")
    }
}

/// Times are of two moments, a little apart.
fn are_alike(real: &Value, model: &Reply) -> bool {
    match (real, model) {
        (Value::Nil, Reply::Nil) | (Value::Okay, Reply::Ok) => true,
        (Value::Int(real), Reply::Number(model)) => real == model || (*real > 1000 && (real - model).abs() < 1000),
        (Value::BulkString(real), Reply::Text(model)) => real == model,
        // Members that were heard of at one moment come in either order, and the fields of a hash in any.
        (Value::Array(real), Reply::Many(model)) => {
            real.len() == model.len()
                && real.iter().all(|one| model.iter().any(|other| are_alike(one, other)))
                && model.iter().all(|other| real.iter().any(|one| are_alike(one, other)))
        }
        _ => false,
    }
}

#[test]
fn commands_and_scripts_give_the_same_as_in_a_real_one() {
    let Some((_server, real)) = start() else { return };
    let mut both = Both { real, model: Redis::new() };
    let mut dice = Rng::with_seed(1);
    for _ in 0..2_000 {
        let key = ["a", "b", "h", "z"][dice.usize(..4)];
        let (word, number) = (["", "x", "long enough"][dice.usize(..3)], dice.u32(..40).to_string());
        let at = dice.u32(40_000_000..40_000_010).to_string();
        match dice.usize(..17) {
            0 => both.send(&["SET", key, word]),
            1 => both.send(&["SET", key, word, "NX", "PX", &at]),
            2 => both.send(&["SET", key, word, "KEEPTTL"]),
            3 => both.send(&["GET", key]),
            4 => both.send(&["GETRANGE", key, "3", &number]),
            5 => both.send(&["SETRANGE", key, &number, "yy"]),
            6 => both.send(&["DEL", key]),
            7 => both.send(&["PEXPIRE", key, &at]),
            8 => both.send(&["PTTL", key]),
            9 => both.send(&["HSET", key, word, &number, "f", word]),
            10 => both.send(&["HGET", key, "f"]),
            11 => both.send(&["HGETALL", key]),
            12 => both.send(&["HDEL", key, word, "g"]),
            13 => both.send(&["ZADD", key, &number, word]),
            14 => both.send(&["ZREM", key, word]),
            15 => both.send(&["ZREMRANGEBYSCORE", key, "-inf", &number]),
            _ => both.send(&["ZRANGEBYSCORE", key, &number, "+inf"]),
        }
    }
    let look = both.load(include_str!("../../replicas/lua/look.lua"));
    let end = both.load(include_str!("../../replicas/lua/end.lua"));
    let tell = both.load(include_str!("../../replicas/lua/tell.lua"));
    let beat = both.load(include_str!("../../replicas/lua/beat.lua"));
    let lease = both.load(include_str!("../governor/lease.lua"));
    let claim = both.load(include_str!("../../events/claim.lua"));
    let names = ["one", "two", "three"];
    for turn in 0..500 {
        let (who, value) = (names[dice.usize(..3)], ["v1", "v2"][dice.usize(..2)]);
        let lock = format!("lock {value}");
        let place = format!("{:05}", dice.u32(..3));
        match dice.usize(..6) {
            0 => {
                both.send(&[
                    "EVALSHA",
                    &look,
                    "3",
                    "table",
                    value,
                    &lock,
                    "0123456789abcdef",
                    "99999999",
                    who,
                    "99999",
                ]);
            }
            1 => {
                let text = format!("0123456789abcdef{turn:012}0001{place}what was read");
                both.send(&["EVALSHA", &end, "3", "table", value, &lock, who, "over", &text, "99999"]);
            }
            2 => both.send(&[
                "EVALSHA",
                &tell,
                "2",
                "table",
                "members",
                "0123456789abcdef",
                "99999999",
                &place,
                "news",
                "said",
                "99999",
            ]),
            3 => {
                both.send(&[
                    "EVALSHA",
                    &beat,
                    "1",
                    "members",
                    who,
                    "own",
                    "beat",
                    "99999",
                    ["0", "1"][dice.usize(..2)],
                ]);
            }
            4 => {
                both.send(&[
                    "EVALSHA",
                    &claim,
                    "1",
                    "event",
                    ["claim", "taken", "give"][dice.usize(..3)],
                    who,
                    "99999",
                ]);
            }
            _ => {
                let number = |dice: &mut Rng, most: u32| dice.u32(..most).to_string();
                let (want, aloft) = (number(&mut dice, 9), number(&mut dice, 5));
                let numbers =
                    [&*want, "0", &aloft, "0", "0", "0", "0", "1", "0", "1", "-1", "-1", "-1", "1", "1", "100"];
                let rest = ["10000", "200000", "100000", "5000000", "100", "10000", "3"];
                let head = ["EVALSHA", &lease, "1", "limit", who];
                both.send(&head.into_iter().chain(numbers).chain(rest).collect::<Vec<_>>());
            }
        }
    }
}
