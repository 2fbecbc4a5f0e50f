//! A wire between a client and a server that keeps what goes over it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::local;

type Said = Arc<Mutex<Vec<u8>>>;

/// Dropping it cuts it.
pub struct Recorder {
    pub url: String,
    requests: Said,
    answers: Said,
    wire: JoinHandle<()>,
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.wire.abort();
    }
}

impl Recorder {
    /// In front of what is served at this address.
    pub async fn before(url: &str) -> Self {
        let server = url.strip_prefix("http://").expect("plain HTTP").to_owned();
        let listener = local().await;
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let (requests, answers) = (Said::default(), Said::default());
        let (asked, told) = (requests.clone(), answers.clone());
        let wire = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let (from_client, to_client) = client.into_split();
                let (from_server, to_server) = server.into_split();
                tokio::spawn(pass(from_client, to_server, asked.clone()));
                tokio::spawn(pass(from_server, to_client, told.clone()));
            }
        });
        Self { url, requests, answers, wire }
    }

    /// All that clients sent so far.
    pub fn requests(&self) -> Vec<u8> {
        self.requests.lock().unwrap().clone()
    }

    /// All that the server sent so far.
    pub fn answers(&self) -> Vec<u8> {
        self.answers.lock().unwrap().clone()
    }

    /// What was answered that begins like this and goes on with forty hexadecimal digits, in the order in which it came.
    pub fn answered(&self, prefix: &str) -> Vec<String> {
        let said = self.answers();
        let starts = said.windows(prefix.len()).enumerate().filter(|(_, piece)| *piece == prefix.as_bytes());
        let tokens = starts.filter_map(|(at, _)| {
            let token = said.get(at..at + prefix.len() + 40)?;
            let is_one = token[prefix.len()..].iter().all(u8::is_ascii_hexdigit);
            is_one.then(|| String::from_utf8_lossy(token).into_owned())
        });
        let mut found: Vec<String> = Vec::new();
        tokens.for_each(|token| {
            if !found.contains(&token) {
                found.push(token);
            }
        });
        found
    }
}

/// Kept first and passed on then: what has arrived is known.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, said: Said) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        said.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}
