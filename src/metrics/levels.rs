//! What is looked up when it is asked for, instead of being counted as it happens.

use std::time::Duration;

/// What the journal of events holds.
pub struct Events {
    /// How many, by how far they are.
    pub states: [(&'static str, u64); 3],
    /// Their bytes.
    pub bytes: u64,
    /// For how long the one waits that waits for the longest.
    pub lag: Duration,
}

/// How a location's calls stand. Only the locations of the settings are told of: there is a bound on how many they are.
pub struct Calls {
    /// The location's id.
    pub location: String,
    /// How many may be sent in this window, as far as that was told.
    pub left: Option<u32>,
    /// How many wait, by lane.
    pub waiting: [(&'static str, usize); 3],
    /// Whether they are kept back because the upstream is down.
    pub is_down: bool,
}

/// What is looked up when it is asked for, instead of being counted as it happens.
pub struct Levels {
    /// The calls of each location.
    pub calls: Vec<Calls>,
    /// Upstream values that could not be read so far, and were answered as null.
    pub unreadable: u64,
    /// GraphQL requests that wait for a place.
    pub queued: usize,
    /// Bytes that each cache holds, as it weighs them.
    pub held: [(&'static str, u64); 3],
    /// The journal of events, where there is one.
    pub events: Option<Events>,
}
