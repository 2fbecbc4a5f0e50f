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
use tokio::time::timeout;

use super::journal::{Entry, FILE, FOLDER, State, Trouble};
use super::{Events, Journal};

const SOCKET: &str = "admin.sock";

/// Most time for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// No question is longer.
const LONGEST: u64 = 1024;

/// What is asked of a journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Ask {
    /// The last events, the newest first.
    List { state: Option<State>, most: usize },
    /// To handle an event again.
    Replay { id: u64 },
}

/// What was answered, and by whom.
#[derive(Debug)]
pub struct Answer {
    /// Those that were asked for.
    pub entries: Vec<Entry>,
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
        Ask::List { state, most } => journal.list(state, most)?,
        Ask::Replay { id } => Vec::from_iter(journal.replay(id).await?),
    };
    Ok(Some(Answer { entries, is_running: false }))
}

/// Asks the gateway at the other end.
async fn through(mut stream: UnixStream, ask: Ask) -> io::Result<Result<Vec<Entry>, String>> {
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
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            // One after the other: there is one person.
            if let Ok(Err(error)) = timeout(PATIENCE, self.answer_one(&mut stream)).await {
                tracing::debug!(%error, "a question about the journal broke off");
            }
        }
    }

    async fn answer_one(&self, stream: &mut UnixStream) -> io::Result<()> {
        let mut line = String::new();
        BufReader::new((&mut *stream).take(LONGEST)).read_line(&mut line).await?;
        let done = match serde_json::from_str(&line)? {
            Ask::List { state, most } => self.journal().list(state, most),
            Ask::Replay { id } => self.replay(id).await.map(Vec::from_iter),
        };
        let done = done.map_err(|trouble: Trouble| trouble.to_string());
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
