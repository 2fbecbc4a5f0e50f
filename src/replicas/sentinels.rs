//! Sentinels: servers that know which server is the primary, and give its place to another one when it fails.
//!
//! They may say different things for a while. What is newest counts: Sentinel numbers the failovers (`config-epoch`), so one that is cut
//! off with an old primary does not lead anybody there whom another one can tell better.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{Client, ConnectionAddr, ConnectionInfo, ErrorKind, RedisError, ServerErrorKind};
use tokio::sync::watch;
use tokio::time::timeout;

use super::lock;
use super::way::{Moves, unbounded};
use crate::config;

/// Most time for asking them, so that one that hangs leaves time for connecting to the primary.
const ASKING: Duration = Duration::from_millis(500);

/// Where the primary is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Primary {
    /// After which failover.
    epoch: u64,
    at: (String, u16),
}

struct Sentinel {
    client: Client,
    /// It is asked each second.
    kept: Mutex<Option<MultiplexedConnection>>,
}

/// Those who know where the primary is.
pub struct Sentinels {
    name: String,
    each: Vec<Sentinel>,
    /// How the primary is spoken to, wherever it is.
    server: ConnectionInfo,
    /// Where commands go; `None`: nowhere yet.
    primary: watch::Sender<Option<Primary>>,
}

impl Sentinels {
    pub fn new(server: &ConnectionInfo, sentinels: &config::Sentinels) -> Result<Self, RedisError> {
        let client = |at: &ConnectionInfo| Client::open(at.clone());
        let each = sentinels.at.iter().map(|at| Ok(Sentinel { client: client(at)?, kept: Mutex::default() }));
        let each = each.collect::<Result<_, RedisError>>()?;
        let name = sentinels.name.clone();
        Ok(Self { name, each, server: server.clone(), primary: watch::Sender::default() })
    }

    /// A connection to the primary of the moment, for commands.
    pub async fn commands(&self) -> Result<MultiplexedConnection, RedisError> {
        let told = self.told().await?;
        let connection = self.client(&told)?.get_multiplexed_async_connection_with_config(&unbounded()).await?;
        self.primary.send_if_modified(|primary| {
            let is_elsewhere = primary.as_ref().is_none_or(|primary| primary.at != told.at);
            *primary = Some(told);
            is_elsewhere
        });
        Ok(connection)
    }

    /// A connection that hears what is said where commands go.
    pub async fn messages(&self) -> Result<(PubSub, Moves), RedisError> {
        let mut moves = self.primary.subscribe();
        let primary = moves.wait_for(Option::is_some).await.ok().and_then(|primary| primary.clone());
        let heard = self.client(&primary.ok_or_else(unknown)?)?.get_async_pubsub().await?;
        Ok((heard, Moves::of(moves)))
    }

    /// Whether commands go to a server that is not the primary any more. It may not know that itself.
    pub async fn has_moved(&self) -> bool {
        let primary = self.primary.borrow().clone();
        match (primary, self.told().await) {
            (Some(primary), Ok(told)) => told.epoch > primary.epoch && told.at != primary.at,
            _ => false,
        }
    }

    fn client(&self, primary: &Primary) -> Result<Client, RedisError> {
        let (host, port) = primary.at.clone();
        let at = match *self.server.addr() {
            ConnectionAddr::TcpTls { insecure, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure, tls_params: None }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(self.server.clone().set_addr(at))
    }

    /// The newest of what they say, as soon as most of them have said it.
    async fn told(&self) -> Result<Primary, RedisError> {
        let (mut newest, mut trouble, mut answers) = (None, None, 0);
        let mut asked: FuturesUnordered<_> = self.each.iter().map(|sentinel| sentinel.ask(&self.name)).collect();
        let most = async {
            while let Some(answer) = asked.next().await {
                match answer {
                    Ok(told) => (newest, answers) = (newest.take().max(Some(told)), answers + 1),
                    Err(error) => {
                        tracing::debug!(why = ?error.kind(), "a sentinel does not tell where the Redis is");
                        trouble = Some(error);
                    }
                }
                if answers > self.each.len() / 2 {
                    return;
                }
            }
        };
        // Otherwise it is as much as is known.
        let _ = timeout(ASKING, most).await;
        // A refusal that is no more than that: it does not know the name, or is no sentinel.
        let trouble = trouble.filter(|error| error.kind() != ErrorKind::Server(ServerErrorKind::ResponseError));
        newest.ok_or_else(|| trouble.unwrap_or_else(unknown))
    }
}

impl Sentinel {
    async fn ask(&self, name: &str) -> Result<Primary, RedisError> {
        let kept = lock(&self.kept).clone();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.client.get_multiplexed_async_connection_with_config(&unbounded()).await?,
        };
        let told = told_by(&mut connection, name).await;
        *lock(&self.kept) = told.is_ok().then_some(connection);
        told
    }
}

/// The number before the place: if a failover comes between the two, the place is not taken for an old one's.
async fn told_by(connection: &mut MultiplexedConnection, name: &str) -> Result<Primary, RedisError> {
    let mut both = redis::pipe();
    both.cmd("SENTINEL").arg("MASTER").arg(name).cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name);
    let (state, at): (HashMap<String, String>, Option<(String, u16)>) = both.query_async(connection).await?;
    let epoch = state.get("config-epoch").and_then(|epoch| epoch.parse().ok());
    Ok(Primary { epoch: epoch.ok_or_else(unknown)?, at: at.ok_or_else(unknown)? })
}

fn unknown() -> RedisError {
    (ErrorKind::MasterNameNotFoundBySentinel, "no sentinel tells where the primary is").into()
}
