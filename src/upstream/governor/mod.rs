//! Lets calls go upstream, for one credential at one location: as many as the upstream's limits allow and not more, no more at
//! once than was set, none while the upstream is down. Where calls have to wait, changes go before readings, and before changes
//! that nobody waits for; inside a lane all who pay take turns.

mod asking;
mod breaker;
mod lease;
mod limits;
mod line;
mod permit;
mod quota;
mod recent;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use super::errand::{Errand, Lane};
use super::error::{Error, Fault};
use crate::clock::Clock;
use crate::replicas::Link;
use crate::spawn;
use asking::Common;
pub use breaker::End;
use breaker::{Breaker, PAUSE, Verdict};
use lease::{Lease, Leave, leaves_a_part};
pub use limits::Limits;
use line::Line;
pub use permit::Permit;
use quota::{Quota, Room, Sent};
use recent::Recent;

/// So many tries after the first may be made in ten seconds whatever the share: in quiet times a share of the calls is none.
const RETRIES_IN_QUIET: u32 = 20;

/// As often as this it is looked who of those that wait has gone.
const SELDOM: Duration = Duration::from_millis(100);

/// What is set for the calls of each location.
#[derive(Clone, Debug)]
pub struct Allowance {
    /// How many may be in flight at once.
    pub concurrency: usize,
    /// How many tries after the first there may be for each first one.
    pub retry_budget: f64,
    /// The time that they go by.
    pub clock: Clock,
    /// The way to what replicas share, where there are several.
    pub link: Option<Link>,
}

impl Default for Allowance {
    fn default() -> Self {
        Self { concurrency: 200, retry_budget: 0.3, clock: Clock::default(), link: None }
    }
}

/// Why a call may not go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// The limit is used up for so long, which is longer than the errand has time.
    Limit(Duration),
    /// The upstream is down.
    Down,
    /// There was no place in time.
    Late,
}

impl Held {
    /// It as the failure of a call, which may have failed in another way before.
    pub fn to_error(self, route: &'static str, last: Option<Error>) -> Error {
        let (fault, retry_after) = match self {
            Self::Limit(wait) => (Fault::RateLimited(wait), None),
            Self::Down | Self::Late if last.is_some() => {
                return last.unwrap_or_else(|| Error::new(route, Fault::Timeout));
            }
            Self::Down => (Fault::Unavailable, Some(PAUSE)),
            Self::Late => (Fault::Timeout, None),
        };
        Error { reached: false, retry_after, ..Error::new(route, fault) }
    }
}

#[derive(Debug)]
struct State {
    quota: Quota,
    /// Where replicas keep the limit together.
    lease: Option<Lease>,
    breaker: Breaker,
    recent: Recent,
    lines: [Line; Lane::COUNT],
    waiting: usize,
    /// When so many wait, it is looked who of them has gone.
    sweep_at: usize,
    swept: Option<Instant>,
    in_flight: usize,
    /// When it is looked again whether somebody can go.
    wakes: Option<Instant>,
}

/// What is known of a location's calls, for those who look after the gateway.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// How many calls may be sent in this window, as far as that was told.
    pub left: Option<u32>,
    /// Calls that wait, by lane: changes, readings, changes that nobody waits for.
    pub waiting: [usize; 3],
    /// Whether calls are kept back because the upstream is down.
    pub is_down: bool,
}

/// Lets calls go.
#[derive(Debug)]
pub struct Governor {
    state: Mutex<State>,
    allowance: Allowance,
    /// What replicas keep together.
    common: Option<Common>,
    /// Places that other credentials of the location share.
    shared: Option<Arc<Semaphore>>,
}

impl Governor {
    /// `whose`: tells the limit of this credential at this location from others, on all replicas. `shared`: places that other
    /// credentials of the location share.
    pub fn new(allowance: Allowance, whose: &str, shared: Option<Arc<Semaphore>>) -> Arc<Self> {
        let common = allowance.link.clone().map(|link| Common::new(link, whose));
        let state = State {
            quota: Quota::default(),
            lease: common.is_some().then(Lease::default),
            breaker: Breaker::default(),
            recent: Recent::new(allowance.clock.now()),
            lines: Default::default(),
            waiting: 0,
            sweep_at: 0,
            swept: None,
            in_flight: 0,
            wakes: None,
        };
        Arc::new(Self { state: Mutex::new(state), allowance, common, shared })
    }

    /// Waits until a call may go; as long as its errand has time.
    pub async fn admit(self: &Arc<Self>, errand: &Errand) -> Result<Permit, Held> {
        let place = match self.enter(errand)? {
            Entered::Now(permit) => Ok(permit),
            Entered::Waits(place) => {
                let late = |_| self.why_late(errand.lane);
                errand.in_time(place).await.map_err(late)?.map_err(|_| self.why_sent_away(errand.lane))
            }
        };
        let mut permit = place?;
        if let Some(shared) = &self.shared {
            let place = errand.in_time(shared.clone().acquire_owned()).await;
            match place.ok().and_then(Result::ok) {
                Some(place) => permit.share(place),
                None => {
                    permit.end(End::Untold, false);
                    return Err(Held::Late);
                }
            }
        }
        Ok(permit)
    }

    fn enter(self: &Arc<Self>, errand: &Errand) -> Result<Entered, Held> {
        let now = self.now();
        let mut state = self.state();
        match state.breaker.ask(now) {
            Verdict::Go => {}
            Verdict::Stop => return Err(Held::Down),
            // Whether the upstream is there does not matter while it may not be asked. A try asks nobody.
            Verdict::Try if !state.may_try(now) => return Err(Held::Down),
            Verdict::Try => {
                state.breaker.begin_try();
                return Ok(Entered::Now(self.permit(&mut state, errand, true)));
            }
        }
        let has_place = state.waiting == 0 && state.in_flight < self.allowance.concurrency;
        let room = state.room(errand.lane, now);
        if errand.lane == Lane::Renewals && !(has_place && (room == Room::Now || state.asks(room))) {
            // Nobody waits for it, so it waits for nothing: the next who asks begins another one.
            return Err(Held::Late);
        }
        if has_place && room == Room::Now {
            return Ok(Entered::Now(self.permit(&mut state, errand, false)));
        }
        let too_long = |state: &State| state.wait(errand, room, now).filter(|wait| !errand.has_time_for(*wait));
        if too_long(&state).is_some() {
            // Some of those who wait may have gone.
            state.sweep_seldom(now);
        }
        if let Some(wait) = too_long(&state) {
            return Err(Held::Limit(wait));
        }
        let (to, place) = oneshot::channel();
        if state.waiting >= state.sweep_at {
            state.sweep();
        }
        state.lines[errand.lane as usize].push((errand.clone(), to));
        state.waiting += 1;
        // All before may have gone without a word.
        self.let_go(&mut state);
        Ok(Entered::Waits(place))
    }

    /// Why someone who waited until now did not get a place.
    fn why_late(&self, lane: Lane) -> Held {
        let now = self.now();
        match self.state().room(lane, now) {
            Room::At(next) | Room::Tomorrow(next) => Held::Limit(next - now),
            Room::Now | Room::AfterAnswer => Held::Late,
        }
    }

    /// Why someone who waited was sent away: the upstream was found to be down, or there is no time for what is in the way.
    fn why_sent_away(&self, lane: Lane) -> Held {
        if self.state().breaker.is_open() { Held::Down } else { self.why_late(lane) }
    }

    fn permit(self: &Arc<Self>, state: &mut State, errand: &Errand, tries: bool) -> Permit {
        state.in_flight += 1;
        state.recent.now(self.now()).sent += 1;
        Permit::new(self.clone(), state.send(), (tries, state.breaker.era()), errand.deadline)
    }

    /// Lets those go who can.
    fn let_go(self: &Arc<Self>, state: &mut State) {
        let now = self.now();
        while state.waiting > 0 && state.in_flight < self.allowance.concurrency {
            let Some(next) = Lane::ALL.into_iter().find(|lane| state.lines[*lane as usize].len() > 0) else { break };
            let room = state.room(next, now);
            if room != Room::Now {
                self.wake_at(state, room);
                break;
            }
            let Some((errand, to)) = state.lines[next as usize].pop() else { break };
            state.waiting -= 1;
            // Who has gone in the meantime, or is about to, needs no place.
            if !to.is_closed()
                && errand.has_time()
                && let Err(unused) = to.send(self.permit(state, &errand, false))
            {
                unused.undo(state);
            }
        }
        self.ask(state);
    }

    fn wake_at(self: &Arc<Self>, state: &mut State, room: Room) {
        let (Room::At(at) | Room::Tomorrow(at)) = room else { return };
        if state.wakes.is_none_or(|wakes| at < wakes) {
            state.wakes = Some(at);
            let this = self.clone();
            spawn::boxed(async move {
                sleep(at.saturating_duration_since(this.now())).await;
                let mut state = this.state();
                state.wakes = state.wakes.filter(|wakes| *wakes != at);
                this.let_go(&mut state);
            });
        }
    }

    /// Whether a call may be tried again.
    pub fn may_retry(&self) -> bool {
        let now = self.now();
        let mut state = self.state();
        let sums = state.recent.sums(now);
        let first = sums.sent.saturating_sub(sums.again);
        let most = f64::from(first) * self.allowance.retry_budget;
        let may = sums.again < (most as u32).saturating_add(RETRIES_IN_QUIET);
        if may {
            state.recent.now(now).again += 1;
        }
        may
    }

    /// What the upstream last said of its limits.
    pub fn limits(&self) -> Limits {
        self.state().quota.limits()
    }

    /// Whether calls may be sent that nobody asked for: nobody waits, and most of the limits is left.
    pub fn has_plenty(&self) -> bool {
        let now = self.now();
        let mut state = self.state();
        state.waiting == 0 && !state.breaker.is_open() && state.quota.has_plenty(now)
    }

    /// What is known of the location's calls.
    pub fn standing(&self) -> Standing {
        let state = self.state();
        let waiting = [Lane::Writes, Lane::Reads, Lane::Background].map(|lane| state.lines[lane as usize].len());
        Standing { left: state.quota.left(self.now()), waiting, is_down: state.breaker.is_open() }
    }

    pub(super) fn now(&self) -> Instant {
        self.allowance.clock.now()
    }

    /// A panic elsewhere leaves counts that are off by one call at most.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Entered {
    Now(Permit),
    Waits(oneshot::Receiver<Permit>),
}

impl State {
    /// Whether a call of this lane may be sent. Of each window a part is left to calls that somebody waits for.
    fn room(&mut self, lane: Lane, now: Instant) -> Room {
        match &self.lease {
            Some(lease) if lease.leads(&self.quota) => lease.room(lane, now),
            _ if leaves_a_part(lane) => self.quota.spare(now),
            _ => self.quota.room(now),
        }
    }

    /// Whether a call has to be asked for: then it may go or not, and nobody knows yet.
    fn asks(&self, room: Room) -> bool {
        room == Room::AfterAnswer && self.lease.as_ref().is_some_and(|lease| lease.leads(&self.quota))
    }

    /// Whether a call may be sent that finds out whether the upstream is there again.
    fn may_try(&mut self, now: Instant) -> bool {
        let room = self.room(Lane::Writes, now);
        room == Room::Now || self.asks(room)
    }

    /// Counts a call that is sent.
    fn send(&mut self) -> (Sent, Leave) {
        (self.quota.send(), self.lease.as_mut().map(Lease::send).unwrap_or_default())
    }

    /// Takes over what the answer to a call tells.
    fn answer(&mut self, (sent, leave): (Sent, Leave), told: &Limits, shut: Option<Option<Duration>>, now: Instant) {
        self.quota.answer(sent, told, shut, now);
        if let Some(lease) = &mut self.lease {
            lease.answer(leave, told, shut);
        }
    }

    /// A call ended without an answer. `reached`: it may have been counted.
    fn lose(&mut self, (sent, leave): (Sent, Leave), reached: bool, now: Instant) {
        self.quota.lose(sent, reached, now);
        if let Some(lease) = &mut self.lease {
            lease.lose(leave, reached);
        }
    }

    fn count_waiting(&mut self) {
        self.waiting = self.lines.iter().map(Line::len).sum();
    }

    /// Lets those out of the lines who have gone, when there are many in them.
    fn sweep(&mut self) {
        self.lines.iter_mut().for_each(Line::sweep);
        self.count_waiting();
        self.sweep_at = (2 * self.waiting).max(1024);
    }

    /// The same, not again for a while: with many who wait it takes time.
    fn sweep_seldom(&mut self, now: Instant) {
        if self.waiting > 0 && self.swept.is_none_or(|swept| now - swept >= SELDOM) {
            self.swept = Some(now);
            self.sweep();
        }
    }

    /// How long a call has to wait for its window, at least. `None`: it waits for no window.
    fn wait(&self, errand: &Errand, room: Room, now: Instant) -> Option<Duration> {
        let windows = || {
            let before: usize = self.lines[..errand.lane as usize].iter().map(Line::len).sum();
            let ahead = before + self.lines[errand.lane as usize].ahead(errand.payer);
            ahead as u32 / self.quota.limits().max.unwrap_or(u32::MAX).max(1)
        };
        match room {
            // A window that is full ends after its first answer.
            Room::AfterAnswer if self.quota.left(now) == Some(0) => Some(self.quota.window() * (1 + windows())),
            Room::Now | Room::AfterAnswer => None,
            Room::Tomorrow(at) => Some(at - now),
            Room::At(at) => Some(at - now + self.quota.window() * windows()),
        }
    }
}

#[cfg(test)]
mod tests;
