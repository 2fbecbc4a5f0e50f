//! The gateway as a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use contacts_gateway::sandbox::Sandbox;
use serde_json::{Value, json};
use tokio::sync::oneshot;

/// A running `serve`. Dropping it kills it, as a crash would.
pub struct Served {
    child: Child,
    pub url: String,
    log: Arc<Mutex<String>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str], upstream: &Sandbox, settings: &[(&'static str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_")) {
        command.env_remove(name);
    }
    let settings = settings.iter().map(|(name, value)| (format!("GATEWAY_{name}"), value));
    command.args(arguments).env("GATEWAY_UPSTREAM_URL", upstream.url()).envs(settings).stdin(Stdio::null());
    command
}

/// A command that ends by itself.
pub async fn run(arguments: &[&str], upstream: &Sandbox, settings: &[(&'static str, String)]) -> (i32, String) {
    let mut command = command(arguments, upstream, settings);
    let work = move || command.output().expect("a command that runs");
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(work).await.expect("an end");
    let told = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().expect("a code"), told)
}

impl Served {
    pub async fn start(upstream: &Sandbox, settings: &[(&'static str, String)]) -> Self {
        let mut command = command(&["serve"], upstream, settings);
        command.env("GATEWAY_LISTEN", "127.0.0.1:0").env("GATEWAY_LOG_FORMAT", "json").stderr(Stdio::piped());
        let mut child = command.stdout(Stdio::null()).spawn().expect("a process");
        let stderr = child.stderr.take().expect("what it logs");
        let log = Arc::<Mutex<String>>::default();
        let (tell, told) = oneshot::channel();
        let written = log.clone();
        thread::spawn(move || read(BufReader::new(stderr), &written, tell));
        let url = match told.await {
            Ok(address) => format!("http://{address}"),
            Err(_) => panic!("it does not listen: {}", log.lock().unwrap()),
        };
        Self { child, url, log }
    }

    pub async fn ask(&self, query: &str, variables: Value) -> Value {
        let request = reqwest::Client::new().post(format!("{}/graphql", self.url));
        let answer = request.json(&json!({ "query": query, "variables": variables })).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    /// Asks and does not wait.
    pub fn ask_and_go(&self, query: &str, variables: &Value) {
        let request = reqwest::Client::new().post(format!("{}/graphql", self.url));
        let request = request.json(&json!({ "query": query, "variables": variables }));
        tokio::spawn(async move { request.send().await.is_ok() });
    }

    pub async fn get(&self, path: &str) -> String {
        let answer = reqwest::Client::new().get(format!("{}{path}", self.url)).send().await.expect("an answer");
        answer.text().await.expect("text")
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> String {
        self.child.kill().expect("a kill");
        self.child.wait().expect("an end");
        self.log()
    }

    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Keeps what is logged, and tells the address once it is there.
fn read(from: impl BufRead, log: &Mutex<String>, tell: oneshot::Sender<String>) {
    let mut tell = Some(tell);
    for line in from.lines().map_while(Result::ok) {
        if let Ok(event) = serde_json::from_str::<Value>(&line)
            && event["message"] == "listening"
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(event["address"].as_str().unwrap_or_default().to_owned());
        }
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
    }
}
