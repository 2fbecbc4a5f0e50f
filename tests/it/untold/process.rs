//! The gateway as a process of its own: all that it says, and what others see of it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

/// Each level with each form of a line.
pub const LOGS: [(&str, &str); 10] = [
    ("error", "text"),
    ("warn", "text"),
    ("info", "text"),
    ("debug", "text"),
    ("trace", "text"),
    ("error", "json"),
    ("warn", "json"),
    ("info", "json"),
    ("debug", "json"),
    ("trace", "json"),
];

/// A running `serve`. Dropping it kills it.
pub struct Process {
    child: Child,
    pub url: String,
    /// Its two streams, until they are read to their ends.
    said: Vec<JoinHandle<String>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Settings are without their prefix, but for those that are OpenTelemetry's.
fn command(arguments: &[&str], settings: &[(&str, String)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GATEWAY_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let settings = settings.iter().map(|(name, value)| match name.starts_with("OTEL_") {
        true => ((*name).to_owned(), value),
        false => (format!("GATEWAY_{name}"), value),
    });
    command.args(arguments).envs(settings).env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A command that ends by itself: its code, and all that it says.
pub async fn run(arguments: &[&str], settings: &[(&str, String)]) -> (i32, String) {
    let mut command = command(arguments, settings);
    let output = spawn_blocking(move || command.output()).await.expect("an end").expect("a command that runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.code().expect("a code"), said)
}

impl Process {
    /// `arguments` come after `serve`. Whatever the level, the line that tells the address is logged.
    pub async fn start(arguments: &[&str], settings: &[(&str, String)], (level, format): (&str, &str)) -> Self {
        let mut command = command(&[&["serve"], arguments].concat(), settings);
        let filter = match level {
            "error" | "warn" => format!("{level},contacts_gateway::command::serve=info"),
            _ => level.to_owned(),
        };
        command.env("GATEWAY_LISTEN", "127.0.0.1:0").env("GATEWAY_LOG", filter).env("GATEWAY_LOG_FORMAT", format);
        let mut child = command.spawn().expect("a process");
        let mut output = child.stdout.take().expect("its output");
        let output = thread::spawn(move || {
            let mut said = String::new();
            let _ = output.read_to_string(&mut said);
            said
        });
        let log = child.stderr.take().expect("its log");
        let (tell, told) = oneshot::channel();
        let log = thread::spawn(move || read(BufReader::new(log), tell));
        let address = told.await;
        let address = address.unwrap_or_else(|_| panic!("it does not listen: {settings:?}"));
        Self { child, url: format!("http://{address}"), said: vec![output, log] }
    }

    /// What a list of processes shows of it; `None` where the system keeps none as files.
    pub fn in_the_process_list(&self) -> Option<Vec<u8>> {
        std::fs::read(format!("/proc/{}/cmdline", self.child.id())).ok()
    }

    /// Ends it; all that it said on both streams.
    pub async fn end(mut self) -> String {
        // Not SIGKILL: what it says while it ends is looked at too.
        let asked = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(asked.is_ok_and(|status| status.success()));
        let said = std::mem::take(&mut self.said);
        let said = spawn_blocking(|| said.into_iter().map(|stream| stream.join().expect("its end")).collect());
        said.await.expect("an end")
    }
}

/// Keeps what is logged, and tells the address once it is there.
fn read(from: impl BufRead, tell: oneshot::Sender<String>) -> String {
    let (mut tell, mut said) = (Some(tell), String::new());
    for line in from.lines().map_while(Result::ok) {
        if line.contains("listening")
            && let Some(address) = address(&line)
            && let Some(tell) = tell.take()
        {
            let _ = tell.send(address);
        }
        said += &line;
        said.push('\n');
    }
    said
}

/// In either form of a line.
fn address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("address")?;
    let at = rest.find("127.0.0.1:")?;
    Some(rest[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect())
}
