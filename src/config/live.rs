//! The settings about sockets, subscriptions and polling.

use std::time::Duration;

use super::reader::Reader;

/// What those may do who are told of changes.
#[derive(Clone, Debug)]
pub struct Live {
    /// Most WebSockets and event streams at one time.
    pub sockets: usize,
    /// Most operations at one time on one WebSocket.
    pub subscriptions: usize,
    /// How often a watched contact is looked at where there are no webhooks; zero: never.
    pub poll_interval: Duration,
}

pub fn read(from: &mut Reader) -> Option<Live> {
    let sockets = from.number("GATEWAY_MAX_SOCKETS", 0..=1_000_000);
    let subscriptions = from.number("GATEWAY_MAX_SUBSCRIPTIONS", 1..=10_000);
    let poll_interval = from.time("GATEWAY_POLL_INTERVAL");
    Some(Live { sockets: sockets? as usize, subscriptions: subscriptions? as usize, poll_interval: poll_interval? })
}
