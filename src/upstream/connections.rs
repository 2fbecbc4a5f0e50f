//! Connections to the upstream: a few that stay, and more that come for a burst and go after it. An idle connection of
//! HTTP/1 holds some 30 kB, and a list of contacts can open two hundred.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{ClientBuilder, Url, redirect};

/// Calls in flight that connections which stay are used for.
const STAYING: usize = 16;

/// How long a connection of a burst stays without a call; up to twice that, since the client looks as often.
const AFTER_A_BURST: Duration = Duration::from_secs(5);

/// The connections to one upstream.
pub struct Connections {
    staying: reqwest::Client,
    burst: reqwest::Client,
    /// Calls in flight over those that stay.
    busy: AtomicUsize,
}

/// A connection for one call, until its answer is read.
pub struct Connection<'a> {
    client: &'a reqwest::Client,
    busy: Option<&'a AtomicUsize>,
}

impl Connections {
    /// `timeout`: for one call, from connecting to the last byte. `most`: how many are kept open after a burst.
    pub fn new(base: &Url, timeout: Duration, most: usize) -> reqwest::Result<Self> {
        let staying = builder(base, timeout).pool_max_idle_per_host(STAYING).build()?;
        let burst = builder(base, timeout).pool_max_idle_per_host(most).pool_idle_timeout(AFTER_A_BURST).build()?;
        Ok(Self { staying, burst, busy: AtomicUsize::new(0) })
    }

    /// One that stays, or one of a burst when all of those are busy.
    pub fn take(&self) -> Connection<'_> {
        if self.busy.fetch_add(1, Ordering::Relaxed) < STAYING {
            return Connection { client: &self.staying, busy: Some(&self.busy) };
        }
        self.busy.fetch_sub(1, Ordering::Relaxed);
        Connection { client: &self.burst, busy: None }
    }

    /// The client of those that stay.
    pub fn staying(&self) -> reqwest::Client {
        self.staying.clone()
    }
}

impl Connection<'_> {
    /// The client to send the call with.
    pub fn client(&self) -> &reqwest::Client {
        self.client
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        if let Some(busy) = self.busy {
            busy.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Most time for making a connection. A refresh token is sent by then, or not at all: no longer than it takes before another
/// replica may send it.
const CONNECTING: Duration = Duration::from_secs(3);

fn builder(base: &Url, timeout: Duration) -> ClientBuilder {
    let is_loopback = base
        .host_str()
        .is_some_and(|host| host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()));
    let builder = reqwest::Client::builder()
        .timeout(timeout)
        .connect_timeout(CONNECTING)
        // A redirect would carry the credential to wherever it points.
        .redirect(redirect::Policy::none())
        // Each try is let go and counted by the governor.
        .retry(reqwest::retry::never())
        .tcp_nodelay(true)
        .user_agent(concat!("contacts-gateway/", env!("CARGO_PKG_VERSION")));
    match is_loopback {
        // A proxy of the environment has another loopback than this machine.
        true => builder.no_proxy(),
        false => builder,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// Time is paused: it goes on to the next timer when nothing else is left to do.
    #[tokio::test(start_paused = true)]
    async fn a_connection_that_does_not_come_about_takes_three_seconds_of_the_time_of_a_call() {
        // Nobody takes part in the handshake.
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = Url::parse(&format!("https://{}", silent.local_addr().expect("an address"))).expect("a URL");
        let connections = Connections::new(&base, 10 * CONNECTING, 4).expect("clients");
        for client in [connections.staying, connections.burst] {
            let began = Instant::now();
            let why = client.get(base.clone()).send().await.expect_err("no connection");
            assert!(why.is_connect() && why.is_timeout(), "{why:?}");
            assert_eq!(began.elapsed().as_secs(), 3);
        }
    }

    #[test]
    fn a_burst_does_not_take_from_those_that_stay() {
        let base = Url::parse("http://up.test").expect("a URL");
        let connections = Connections::new(&base, Duration::from_secs(1), 4).expect("clients");
        let stays = |connection: &Connection<'_>| connection.busy.is_some();
        let mut taken: Vec<_> = (0..STAYING + 3).map(|_| connections.take()).collect();
        assert_eq!(taken.iter().filter(|connection| stays(connection)).count(), STAYING);
        taken.truncate(STAYING - 1);
        assert!(stays(&connections.take()) && stays(&connections.take()));
        taken.clear();
        assert_eq!(connections.busy.load(Ordering::Relaxed), 0);
    }
}
