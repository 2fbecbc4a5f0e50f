//! The way to the journal for a person on the same machine: through the gateway that has it open, or straight to the file.
//!
//! One process at a time has the file. A gateway that runs listens at a socket beside it, in a directory that only its owner can
//! enter; a line of JSON is asked there, and a line answered.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use super::automation::{Followed, followed};
use super::journal::{Entry, FILE, FOLDER, Trouble};
use super::{Events, Journal};

const SOCKET: &str = "admin.sock";

/// Most time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The wait after nobody could be let in.
const PAUSE: Duration = Duration::from_secs(1);

/// No question is longer.
const LONGEST: u64 = 1024;

/// What is asked of a journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    /// The last events, the newest first.
    Last { most: usize },
    /// The last that failed as often as they are tried.
    Dead { most: usize },
    /// One event, with what automations made of it.
    Show { id: u64 },
    /// To handle an event again.
    Replay { id: u64 },
}

/// An event as it is told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    pub entry: Entry,
    /// What automations made of it, where that was asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub automations: Vec<Followed>,
}

impl From<Entry> for Told {
    fn from(entry: Entry) -> Self {
        Self { entry, automations: Vec::new() }
    }
}

/// What was answered, and by whom.
#[derive(Debug)]
pub struct Answer {
    /// Those that were asked for.
    pub entries: Vec<Told>,
    /// Whether a gateway runs, and does at once what is to be done.
    pub is_running: bool,
}

/// Asks the journal of a state directory. `None`: there is none.
pub async fn ask(state_dir: &Path, ask: Ask) -> anyhow::Result<Option<Answer>> {
    let folder = state_dir.join(FOLDER);
    if !fs::exists(folder.join(FILE))? {
        return Ok(None);
    }
    if let Ok(stream) = UnixStream::connect(folder.join(SOCKET)).await {
        let entries = timeout(PATIENCE, through(stream, ask)).await??.map_err(anyhow::Error::msg)?;
        return Ok(Some(Answer { entries, is_running: true }));
    }
    let journal = Journal::open(state_dir)?;
    let entries = match ask {
        Ask::Replay { id } => journal.replay(id).await?.into_iter().map(Told::from).collect(),
        ask => read(&journal, ask)?,
    };
    Ok(Some(Answer { entries, is_running: false }))
}

/// What a question that changes nothing is answered with.
fn read(journal: &Journal, ask: Ask) -> Result<Vec<Told>, Trouble> {
    let entries = match ask {
        Ask::Last { most } => journal.last(most)?,
        Ask::Dead { most } => journal.dead(most)?,
        Ask::Show { id } | Ask::Replay { id } => {
            let told = |entry: Entry| Ok(Told { automations: followed(journal, &entry.event)?, entry });
            return journal.entry(id)?.into_iter().map(told).collect();
        }
    };
    Ok(entries.into_iter().map(Told::from).collect())
}

/// Asks the gateway at the other end.
async fn through(mut stream: UnixStream, ask: Ask) -> io::Result<Result<Vec<Told>, String>> {
    let mut line = serde_json::to_vec(&ask)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    Ok(serde_json::from_slice(&answer)?)
}

impl Events {
    /// Answers who asks on this machine, for as long as it is waited for.
    pub(super) async fn answer(&self) {
        let listener = match listen(&self.folder.join(SOCKET)) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(%error, "`events` cannot look at the journal while this gateway runs");
                return std::future::pending().await;
            }
        };
        loop {
            let Ok((mut stream, _)) = listener.accept().await else {
                // There is no room for another connection, and there will not be at once.
                sleep(PAUSE).await;
                continue;
            };
            // One after the other: there is one person.
            if let Ok(Err(error)) = timeout(PATIENCE, self.answer_one(&mut stream)).await {
                tracing::debug!(%error, "a question about the journal broke off");
            }
        }
    }

    async fn answer_one(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut line = String::new();
        BufReader::new((&mut *stream).take(LONGEST)).read_line(&mut line).await?;
        let journal = self.journal.clone();
        let done = match serde_json::from_str(&line)? {
            Ask::Replay { id } => self.replay(id).await.map(|entry| entry.into_iter().map(Told::from).collect()),
            ask => spawn_blocking(move || read(&journal, ask)).await?,
        };
        let done = done.map_err(|trouble| trouble.to_string());
        stream.write_all(&serde_json::to_vec(&done)?).await
    }
}

/// Listens there. What a process that died left there is in the way; nobody else can be there: the file is ours.
fn listen(socket: &PathBuf) -> io::Result<UnixListener> {
    match fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    UnixListener::bind(socket)
}
