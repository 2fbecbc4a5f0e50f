//! A Redis of a test's own, and what can happen to it.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::local;

/// A Redis on a port of its own. It is ended with the test.
pub struct Redis {
    port: u16,
    child: Child,
    folder: TempDir,
}

impl Redis {
    /// `None`, which is told: there is none on this machine.
    pub async fn start() -> Option<Self> {
        if Command::new("redis-server").arg("--version").stdout(Stdio::null()).status().is_err() {
            println!("skipped: there is no redis-server here");
            return None;
        }
        let port = local().await.local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let redis = Self { port, child: run(port, &folder), folder };
        redis.answers().await;
        Some(redis)
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, empty.
    pub async fn start_again(&mut self) {
        self.child = run(self.port, &self.folder);
        self.answers().await;
    }

    /// It stands still, with all its connections.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn go_on(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        assert!(Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// The answer to a command.
    pub async fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_to_ask(words).await.unwrap()
    }

    async fn try_to_ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query_async(&mut connection).await
    }

    /// Everything that it holds, as bytes.
    pub async fn all(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for key in self.ask::<Vec<String>>(&["KEYS", "*"]).await {
            all.extend_from_slice(key.as_bytes());
            all.extend(self.ask::<Vec<u8>>(&["DUMP", &key]).await);
        }
        all
    }

    async fn answers(&self) {
        while self.try_to_ask::<String>(&["PING"]).await.is_err() {
            tokio::task::yield_now().await;
        }
    }
}

fn run(port: u16, folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    // Values as they are, so that a test sees what is in them.
    command.args(["--rdbcompression", "no"]).arg("--dir").arg(folder.path());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A wire to a Redis that can be cut.
pub struct Wire {
    port: u16,
    is_cut: Arc<AtomicBool>,
    cut: Arc<Notify>,
}

impl Wire {
    pub async fn to(redis: &Redis) -> Self {
        let listener = local().await;
        let wire = Self { port: listener.local_addr().unwrap().port(), is_cut: Arc::default(), cut: Arc::default() };
        tokio::spawn(relay(listener, redis.port, wire.is_cut.clone(), wire.cut.clone()));
        wire
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.cut.notify_waiters();
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

async fn relay(listener: TcpListener, to: u16, is_cut: Arc<AtomicBool>, cut: Arc<Notify>) {
    while let Ok((mut near, _)) = listener.accept().await {
        if is_cut.load(Ordering::SeqCst) {
            continue;
        }
        let cut = cut.clone();
        tokio::spawn(async move {
            let ends = cut.notified();
            let Ok(mut far) = TcpStream::connect(("127.0.0.1", to)).await else { return };
            tokio::select! {
                _ = copy_bidirectional(&mut near, &mut far) => {}
                () = ends => {}
            }
        });
    }
}
