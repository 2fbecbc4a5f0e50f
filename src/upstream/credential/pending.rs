//! Installations that were begun and not finished: what makes a callback the answer to a question of ours.
//!
//! A `state` is random, belongs to one location and to the browser that asked (its cookie), ends after ten minutes,
//! works once, and there are a thousand at most: who begins more pushes out the oldest, not the memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::clock::Clock;

/// How long a person may take to grant access.
pub const LASTS: Duration = Duration::from_secs(600);

/// Most that are kept.
const MOST: usize = 1000;

/// An installation that was begun.
pub struct Begun {
    /// What comes back with the code.
    pub state: String,
    /// What the browser keeps meanwhile.
    pub cookie: String,
}

struct Waiting {
    /// Of state and cookie: looking for it tells nothing of either.
    digest: [u8; 32],
    location: Box<str>,
    at: Instant,
}

/// All that were begun.
pub struct Pending {
    clock: Clock,
    waiting: Mutex<VecDeque<Waiting>>,
}

impl Pending {
    /// None so far.
    pub fn new(clock: Clock) -> Self {
        Self { clock, waiting: Mutex::default() }
    }

    /// Begins one; `None` where the system has no random numbers.
    pub fn begin(&self, location: &str) -> Option<Begun> {
        let begun = Begun { state: random()?, cookie: random()? };
        let now = self.clock.now();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|one| now.saturating_duration_since(one.at) < LASTS);
        while waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Waiting { digest: digest(&begun.state, &begun.cookie), location: location.into(), at: now });
        Some(begun)
    }

    /// The location that it was begun for, once. A wrong guess changes nothing.
    pub fn finish(&self, state: &str, cookie: &str) -> Option<Box<str>> {
        let now = self.clock.now();
        let digest = digest(state, cookie);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let place = waiting.iter().position(|one| one.digest == digest)?;
        let found = waiting.remove(place)?;
        (now.saturating_duration_since(found.at) < LASTS).then_some(found.location)
    }
}

fn random() -> Option<String> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).ok()?;
    Some(URL_SAFE_NO_PAD.encode(bytes))
}

fn digest(state: &str, cookie: &str) -> [u8; 32] {
    let mut sum = Sha256::new();
    sum.update((state.len() as u64).to_be_bytes());
    sum.update(state);
    sum.update(cookie);
    sum.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_works_once_in_its_browser_and_in_its_time() {
        let clock = Clock::default();
        let pending = Pending::new(clock.clone());
        let (a, b) = (pending.begin("A").expect("random"), pending.begin("B").expect("random"));
        assert!(a.state != b.state && a.cookie != b.cookie && a.state.len() == 43);
        for (state, cookie) in [(&a.state, &b.cookie), (&b.state, &a.cookie), (&a.state, &a.state)] {
            assert_eq!(pending.finish(state, cookie), None);
        }
        assert_eq!(pending.finish(&a.state, &a.cookie).as_deref(), Some("A"));
        assert_eq!(pending.finish(&a.state, &a.cookie), None, "it works once");
        clock.advance(LASTS);
        assert_eq!(pending.finish(&b.state, &b.cookie), None, "it was late");
    }

    #[test]
    fn those_that_are_never_finished_fill_nothing() {
        let pending = Pending::new(Clock::default());
        let first = pending.begin("A").expect("random");
        let second = pending.begin("A").expect("random");
        for _ in 0..MOST - 1 {
            pending.begin("A").expect("random");
        }
        assert_eq!(pending.waiting.lock().expect("a lock").len(), MOST);
        assert_eq!(pending.finish(&first.state, &first.cookie), None);
        assert!(pending.finish(&second.state, &second.cookie).is_some());
    }
}
