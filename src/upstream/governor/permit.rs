//! The leave to send one call, which tells the governor what came of it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::breaker::{End, PAUSE};
use super::lease::Leave;
use super::limits::Limits;
use super::quota::Sent;
use super::{Governor, State};
use crate::upstream::error::{Error, Fault};

/// The leave to send one call. Its place is given back when this is dropped.
#[derive(Debug)]
pub struct Permit {
    /// `None`: it was not used, and gives nothing back.
    governor: Option<Arc<Governor>>,
    /// How often its call was sent before.
    pub resent: u32,
    /// The status that it was answered with last.
    pub status: Option<u16>,
    /// `None`: it was answered.
    sent: Option<(Sent, Leave)>,
    tries: bool,
    era: u32,
    deadline: Option<Instant>,
    /// Since when it is on its way; `None`: nothing was sent yet.
    since: Option<Instant>,
    end: Option<End>,
    shared: Option<OwnedSemaphorePermit>,
}

impl Permit {
    /// `tries`: the call tries if the upstream is there again, in this era of the breaker. `deadline`: until when its answer is
    /// of use.
    pub(super) fn new(
        governor: Arc<Governor>,
        sent: (Sent, Leave),
        (tries, era): (bool, u32),
        deadline: Option<Instant>,
    ) -> Self {
        Self {
            governor: Some(governor),
            resent: 0,
            status: None,
            sent: Some(sent),
            tries,
            era,
            deadline,
            since: None,
            end: None,
            shared: None,
        }
    }

    /// The call is on its way from now on.
    pub fn goes(&mut self) {
        self.since = Some(Instant::now());
    }

    /// Takes a place among those that other credentials of the location share.
    pub(super) fn share(&mut self, place: OwnedSemaphorePermit) {
        self.shared = Some(place);
    }

    /// Whether the call tries if the upstream is there again.
    pub fn tries(&self) -> bool {
        self.tries
    }

    /// Takes over what the head of the answer tells. `shut`: the call was refused for the limit, for so long if it says so.
    pub fn answered(&mut self, told: &Limits, shut: Option<Option<Duration>>) {
        if let (Some(sent), Some(governor)) = (self.sent.take(), &self.governor) {
            let mut state = governor.state();
            state.answer(sent, told, shut, governor.now());
            governor.let_go(&mut state);
        }
    }

    /// The call is sent once more, in the same place.
    pub fn send_again(&mut self) {
        self.resent += 1;
        self.status = None;
        if let Some(governor) = &self.governor {
            self.sent = Some(governor.state().send());
        }
    }

    /// Notes how the call ended: with a body, or as it failed.
    pub fn end_as<T>(&mut self, sent: &Result<T, Error>) {
        match sent {
            // What stays here says nothing of the upstream.
            _ if self.since.is_none() => self.end(End::Untold, false),
            Ok(_) => self.end(End::Good, true),
            Err(error) if error.is_of_one_that_is_well() => self.end(End::Good, true),
            Err(Error { fault: Fault::Timeout | Fault::Unavailable, reached, .. }) => self.end(End::Bad, *reached),
            Err(error) => self.end(End::Untold, error.reached),
        }
    }

    /// Notes how the call ended. `reached`: it may have been counted upstream.
    pub fn end(&mut self, end: End, reached: bool) {
        self.end = Some(end);
        if let (false, Some(sent), Some(governor)) = (reached, self.sent, &self.governor) {
            self.sent = None;
            governor.state().lose(sent, false, governor.now());
        }
    }

    /// It is not used.
    pub(super) fn undo(mut self, state: &mut State) {
        state.in_flight -= 1;
        if let (Some(sent), Some(governor)) = (self.sent.take(), self.governor.take()) {
            state.lose(sent, false, governor.now());
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(governor) = self.governor.take() else { return };
        let mut state = governor.state();
        let state = &mut *state;
        let now = governor.now();
        if let Some(sent) = self.sent.take() {
            state.lose(sent, self.since.is_some(), now);
        }
        state.in_flight -= 1;
        // Who gave up because the time was over has waited in vain, if it was for long enough.
        let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now())
            && self.since.is_some_and(|since| since.elapsed() >= PAUSE);
        let end = self.end.unwrap_or(if late { End::Bad } else { End::Untold });
        let end = if self.era == state.breaker.era() { end } else { End::Untold };
        state.breaker.note(end, self.tries, &mut state.recent, now);
        if state.breaker.is_open() {
            // Those who wait would wait for nothing.
            state.lines = Default::default();
            state.waiting = 0;
        }
        governor.let_go(state);
    }
}
