//! What connections to Redis are made with.

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, RedisError};

/// The way to a server.
#[derive(Clone)]
pub enum Way {
    Server(Box<Client>),
    /// A stand-in for a server.
    #[cfg(test)]
    Model(Dial),
}

/// Gives a stream to a stand-in for a server. `None`: it cannot be reached.
#[cfg(test)]
pub type Dial = std::sync::Arc<dyn Fn() -> Option<tokio::io::DuplexStream> + Send + Sync>;

impl Way {
    /// A connection for commands.
    pub async fn commands(&self) -> Result<MultiplexedConnection, RedisError> {
        // The bound is one for both, and for every command the link's own.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        match self {
            Self::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await,
            #[cfg(test)]
            Self::Model(dial) => {
                let stream = dial().ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
                let info = Default::default();
                let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config).await?;
                tokio::spawn(driver);
                Ok(connection)
            }
        }
    }

    /// A connection that hears what is said.
    pub async fn messages(&self) -> Result<PubSub, RedisError> {
        match self {
            Self::Server(client) => client.get_async_pubsub().await,
            #[cfg(test)]
            Self::Model(dial) => {
                let stream = dial().ok_or(std::io::Error::from(std::io::ErrorKind::ConnectionRefused))?;
                PubSub::new(&Default::default(), stream).await
            }
        }
    }
}
