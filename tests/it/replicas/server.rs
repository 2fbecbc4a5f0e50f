//! A redis-server of the test's own, and a wire to it that can be cut.

use std::net::TcpListener as Bound;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Connection, cmd};
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
        let port = Bound::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
        let mut redis = Self { port, folder: tempfile::tempdir().expect("a folder"), child: None };
        redis.begin();
        Some(redis)
    }

    /// Starts it, with what it saved if it did.
    pub fn begin(&mut self) {
        let port = self.port.to_string();
        let arguments = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let mut server = Command::new("redis-server");
        let child = server.args(arguments).current_dir(self.folder.path()).stdout(Stdio::null()).spawn();
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

/// A way to a server.
pub struct Wire {
    port: u16,
    is_open: Arc<watch::Sender<bool>>,
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
        let (port, to) = (listener.local_addr().expect("an address").port(), redis.port);
        let is_open = Arc::new(watch::Sender::new(true));
        let relay = tokio::spawn(relay(listener, to, is_open.clone()));
        Self { port, is_open, relay }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.is_open.send_replace(false);
    }

    pub fn mend(&self) {
        self.is_open.send_replace(true);
    }
}

async fn relay(listener: TcpListener, to: u16, is_open: Arc<watch::Sender<bool>>) {
    loop {
        let (mut near, _) = listener.accept().await.expect("a connection");
        let mut open = is_open.subscribe();
        if !*open.borrow() {
            continue;
        }
        tokio::spawn(async move {
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}
