//! What connections to Redis are made with.

use std::future::pending;
use std::sync::Arc;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, RedisError};
use tokio::sync::watch;

use super::sentinels::{Primary, Sentinels};
use crate::config::Redis;

/// The way to a server.
#[derive(Clone)]
pub enum Way {
    Server(Box<Client>),
    /// To the one that they name.
    Sentinels(Arc<Sentinels>),
    /// A stand-in for a server.
    #[cfg(test)]
    Model(Dial),
}

/// Gives a stream to a stand-in for a server. `None`: it cannot be reached.
#[cfg(test)]
pub type Dial = Arc<dyn Fn() -> Option<tokio::io::DuplexStream> + Send + Sync>;

/// The bound is one for both, and for every command the link's own.
pub fn unbounded() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

impl Way {
    pub fn to(redis: &Redis) -> Result<Self, RedisError> {
        Ok(match &redis.sentinels {
            Some(sentinels) => Self::Sentinels(Arc::new(Sentinels::new(&redis.server, sentinels)?)),
            None => Self::Server(Client::open(redis.server.clone())?.into()),
        })
    }

    /// A connection for commands.
    pub async fn commands(&self) -> Result<MultiplexedConnection, RedisError> {
        match self {
            Self::Server(client) => client.get_multiplexed_async_connection_with_config(&unbounded()).await,
            Self::Sentinels(sentinels) => sentinels.commands().await,
            #[cfg(test)]
            Self::Model(dial) => {
                let stream = dial().ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
                let info = Default::default();
                let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, unbounded()).await?;
                tokio::spawn(driver);
                Ok(connection)
            }
        }
    }

    /// A connection that hears what is said, and what tells when commands go elsewhere.
    pub async fn messages(&self) -> Result<(PubSub, Moves), RedisError> {
        match self {
            Self::Server(client) => Ok((client.get_async_pubsub().await?, Moves(None))),
            Self::Sentinels(sentinels) => sentinels.messages().await,
            #[cfg(test)]
            Self::Model(dial) => {
                let stream = dial().ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
                Ok((PubSub::new(&Default::default(), stream).await?, Moves(None)))
            }
        }
    }

    /// Whether commands should go to another server by now.
    pub async fn has_moved(&self) -> bool {
        match self {
            Self::Sentinels(sentinels) => sentinels.has_moved().await,
            _ => false,
        }
    }
}

/// Tells when commands go to another server than the one whose messages are heard, which may go on and say nothing.
pub struct Moves(Option<watch::Receiver<Option<Primary>>>);

impl Moves {
    pub fn of(primary: watch::Receiver<Option<Primary>>) -> Self {
        Self(Some(primary))
    }

    /// Waits for that.
    pub async fn next(&mut self) {
        match &mut self.0 {
            Some(primary) => {
                let _ = primary.changed().await;
            }
            None => pending().await,
        }
    }
}
