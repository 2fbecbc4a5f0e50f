//! A redis-server of the test's own, others that take its place, and a wire to it that can be cut.

use std::collections::HashMap;
use std::net::TcpListener as Bound;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Connection, FromRedisValue, cmd};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::support::local;

/// A server that ends with the test.
pub struct Redis {
    port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    /// `None`: there is none on this machine, which is said.
    pub fn start() -> Option<Self> {
        let there = Command::new("redis-server").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if there.is_err() {
            println!("not checked: there is no redis-server on this machine");
            return None;
        }
        Some(Self::server(&[]))
    }

    /// One that follows this one, and has what it has.
    fn replica(&self) -> Self {
        let replica = Self::server(&["--replicaof", "127.0.0.1", &self.port.to_string()]);
        while !self.told::<String>(&["INFO", "replication"]).contains("state=online") {
            std::thread::yield_now();
        }
        replica
    }

    /// One that watches this one, calls it `main`, and knows who follows it.
    fn sentinel(&self) -> Self {
        let sentinel = Self::with(|port, folder| {
            let file = folder.join("sentinel.conf");
            let settings = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor main 127.0.0.1 {} 1\n\
                 sentinel down-after-milliseconds main 60000\nsentinel failover-timeout main 3000\n",
                folder.display(),
                self.port
            );
            std::fs::write(&file, settings).expect("a file that can be written");
            vec![file.display().to_string(), "--sentinel".into()]
        });
        // It is not to take a machine that is busy for one whose clock jumps, nor to have what it is told of put right.
        let often = ["info-period", "100", "ping-period", "100", "publish-period", "60000", "tilt-trigger", "60000"];
        sentinel.ask(&[&["SENTINEL", "DEBUG"][..], &often].concat());
        let is_good = |replica: &HashMap<String, String>| {
            replica.get("flags").is_some_and(|flags| flags == "slave")
                && replica.get("master-link-status").is_some_and(|status| status == "ok")
        };
        while !sentinel.told::<Vec<HashMap<_, _>>>(&["SENTINEL", "REPLICAS", "main"]).iter().any(is_good) {
            std::thread::yield_now();
        }
        sentinel
    }

    fn server(more: &[&str]) -> Self {
        Self::with(|port, _| {
            let port = port.to_string();
            let some = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
            let soon = ["--repl-diskless-sync-delay", "0"];
            some.into_iter().chain(soon).chain(more.iter().copied()).map(str::to_owned).collect()
        })
    }

    fn with(arguments: impl FnOnce(u16, &Path) -> Vec<String>) -> Self {
        let port = Bound::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        let folder = tempfile::tempdir().expect("a folder");
        let arguments = arguments(port, folder.path());
        let mut redis = Self { port, folder, arguments, child: None };
        redis.begin();
        redis
    }

    /// Starts it, with what it saved if it did.
    pub fn begin(&mut self) {
        let mut server = Command::new("redis-server");
        let child = server.args(&self.arguments).current_dir(self.folder.path()).stdout(Stdio::null()).spawn();
        self.child = Some(child.expect("a server"));
        while self.connected().is_none() {
            std::thread::yield_now();
        }
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("its end");
            child.wait().expect("its end");
        }
    }

    /// Has it stand still, or go on.
    pub fn signal(&self, name: &str) {
        let id = self.child.as_ref().expect("a server").id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().expect("kill").success());
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn connected(&self) -> Option<Connection> {
        let mut connection = Client::open(self.url()).expect("an address").get_connection().ok()?;
        cmd("PING").exec(&mut connection).ok()?;
        Some(connection)
    }

    pub fn ask(&self, words: &[&str]) {
        let mut connection = self.connected().expect("a connection");
        cmd(words[0]).arg(&words[1..]).exec(&mut connection).expect("an answer");
    }

    pub fn told<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut connection = self.connected().expect("a connection");
        cmd(words[0]).arg(&words[1..]).query(&mut connection).expect("an answer")
    }

    /// How many hear what gateways tell each other.
    pub fn hearers(&self) -> usize {
        let channels: Vec<String> = self.told(&["PUBSUB", "CHANNELS", "contacts-gateway:*:news"]);
        channels.iter().map(|channel| self.told::<(String, usize)>(&["PUBSUB", "NUMSUB", channel]).1).sum()
    }

    /// How many said that they are to be waited for.
    pub fn members(&self) -> usize {
        let keys: Vec<String> = self.told(&["KEYS", "contacts-gateway:*:members"]);
        keys.iter().map(|key| self.told::<usize>(&["ZCARD", key])).sum()
    }

    fn keys(&self, sort: &str) -> Vec<String> {
        let mut connection = self.connected().expect("a connection");
        cmd("KEYS").arg(format!("*:{sort}:*")).query(&mut connection).expect("keys")
    }

    /// What is stored of a sort.
    pub fn values(&self, sort: &str) -> Vec<Vec<u8>> {
        let mut connection = self.connected().expect("a connection");
        let get = |key| cmd("GET").arg(key).query::<Option<Vec<u8>>>(&mut connection).expect("an answer");
        self.keys(sort).into_iter().filter_map(get).collect()
    }

    /// The fields and values of all hashes of a sort, as bytes.
    pub fn hashes(&self, sort: &str) -> Vec<u8> {
        let mut connection = self.connected().expect("a connection");
        let fields = |key| cmd("HGETALL").arg(key).query::<Vec<Vec<u8>>>(&mut connection).expect("an answer").concat();
        self.keys(sort).into_iter().flat_map(fields).collect()
    }

    /// Takes away what is stored of a sort.
    pub fn clear(&self, sort: &str) {
        self.keys(sort).iter().for_each(|key| self.ask(&["DEL", key]));
    }

    /// Lets what is stored of a sort be good for so long only, once there is something; gives how many there are.
    pub async fn shorten(&self, sort: &str, left: Duration) -> usize {
        while self.keys(sort).is_empty() {
            tokio::task::yield_now().await;
        }
        let keys = self.keys(sort);
        keys.iter().for_each(|key| self.ask(&["PEXPIRE", key, &left.as_millis().to_string()]));
        keys.len()
    }
}

/// A server, one that follows it, and a sentinel that watches both.
pub struct Watched {
    pub primary: Redis,
    _replica: Redis,
    sentinel: Redis,
    /// What should be another sentinel, and takes connections and says nothing.
    silent: Bound,
}

impl Watched {
    pub fn start() -> Option<Self> {
        let primary = Redis::start()?;
        let replica = primary.replica();
        let sentinel = primary.sentinel();
        let silent = Bound::bind("127.0.0.1:0").expect("a free port");
        Some(Self { primary, _replica: replica, sentinel, silent })
    }

    pub fn url(&self) -> String {
        let silent = self.silent.local_addr().expect("an address").port();
        format!("redis://127.0.0.1:{silent}/0?master_name=main&addr=127.0.0.1:{}", self.sentinel.port)
    }

    /// Kills the primary, which until then is not taken for dead however busy the machine is.
    pub fn fail(&mut self) {
        self.sentinel.ask(&["SENTINEL", "SET", "main", "down-after-milliseconds", "300"]);
        self.primary.kill();
    }

    /// Has the sentinel believe another one, that a server has taken the place of the primary, which goes on and is not told.
    pub fn replace(&self, by: &Redis) {
        let news = format!("127.0.0.1,1,{:040x},9,main,127.0.0.1,{},9", 1, by.port);
        let port = by.port.to_string();
        while self.sentinel.told::<(String, String)>(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"]).1 != port {
            self.primary.ask(&["PUBLISH", "__sentinel__:hello", &news]);
        }
    }
}

/// A way to a server, or to none.
pub struct Wire {
    port: u16,
    /// The port of the server, and whether it is not cut.
    to: Arc<watch::Sender<(u16, bool)>>,
    relay: JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

impl Wire {
    pub async fn to(redis: &Redis) -> Self {
        let listener = local().await;
        let port = listener.local_addr().expect("an address").port();
        let to = Arc::new(watch::Sender::new((redis.port, true)));
        let relay = tokio::spawn(relay(listener, to.clone()));
        Self { port, to, relay }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.to.send_modify(|(_, is_open)| *is_open = false);
    }

    pub fn mend(&self) {
        self.to.send_modify(|(_, is_open)| *is_open = true);
    }

    /// Has it lead to another server.
    pub fn lead(&self, redis: &Redis) {
        self.to.send_replace((redis.port, true));
    }
}

async fn relay(listener: TcpListener, to: Arc<watch::Sender<(u16, bool)>>) {
    loop {
        let (mut near, _) = listener.accept().await.expect("a connection");
        let mut now = to.subscribe();
        let (port, is_open) = *now.borrow_and_update();
        if !is_open {
            continue;
        }
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = now.changed() => {}
            }
        });
    }
}
