//! Keeps calls from an upstream that answers none: opens when most of the last calls failed, then lets single ones try,
//! and closes with the first that is answered.

use std::time::{Duration, Instant};

use super::recent::Recent;

/// So many calls have to have come to an end before it is judged how many of them failed.
const FEWEST: u32 = 20;

/// After so long without calls, one may try.
pub const PAUSE: Duration = Duration::from_secs(1);

/// Whether calls go through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// They do.
    #[default]
    Closed,
    /// They do not, until then.
    Open { until: Instant },
    /// One is trying.
    Trying,
}

/// What is to be done with a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes.
    Go,
    /// It goes, and decides for all.
    Try,
    /// It does not.
    Stop,
}

/// How a call ended, for the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The upstream answered as a server that is well, whatever it said.
    Good,
    /// There was no answer in time, or a 5xx.
    Bad,
    /// Nobody waited for it any more.
    Untold,
}

/// The breaker.
#[derive(Debug, Default)]
pub struct Breaker {
    state: State,
    /// How often it closed again. What was sent in another era says nothing of this one.
    era: u32,
}

impl Breaker {
    /// What is to be done with a call now.
    pub fn ask(&self, now: Instant) -> Verdict {
        match self.state {
            State::Closed => Verdict::Go,
            State::Open { until } if until <= now => Verdict::Try,
            State::Open { .. } | State::Trying => Verdict::Stop,
        }
    }

    /// A call is sent to try.
    pub fn begin_try(&mut self) {
        self.state = State::Trying;
    }

    /// How often it closed again.
    pub fn era(&self) -> u32 {
        self.era
    }

    /// Whether calls are kept back.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Notes how a call ended. `tried`: it was sent to try.
    pub fn note(&mut self, end: End, tried: bool, recent: &mut Recent, now: Instant) {
        match end {
            End::Good => recent.now(now).good += 1,
            End::Bad => recent.now(now).bad += 1,
            End::Untold => {}
        }
        match (self.state, tried) {
            (State::Closed, _) if end == End::Bad => {
                let sums = recent.sums(now);
                // Half of them: retries no longer mend that, and cost the upstream more than it has.
                if sums.bad >= FEWEST.max(sums.good) {
                    self.state = State::Open { until: now + PAUSE };
                }
            }
            (State::Closed, _) => {}
            (_, true) => {
                self.state = match end {
                    End::Good => State::Closed,
                    End::Bad => State::Open { until: now + PAUSE },
                    End::Untold => State::Open { until: now },
                };
                self.era += u32::from(end == End::Good);
                // What was before says nothing of an upstream that has come back.
                recent.forget_outcomes();
            }
            // Of before it opened.
            (_, false) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stage {
        breaker: Breaker,
        recent: Recent,
        now: Instant,
    }

    impl Stage {
        fn new() -> Self {
            let now = Instant::now();
            Self { breaker: Breaker::default(), recent: Recent::new(now), now }
        }

        fn note(&mut self, end: End, times: u32) -> Verdict {
            for _ in 0..times {
                self.breaker.note(end, false, &mut self.recent, self.now);
            }
            self.breaker.ask(self.now)
        }

        fn attempt(&mut self, end: End) -> Verdict {
            assert_eq!(self.breaker.ask(self.now), Verdict::Try);
            self.breaker.begin_try();
            assert_eq!(self.breaker.ask(self.now + PAUSE), Verdict::Stop);
            self.breaker.note(end, true, &mut self.recent, self.now);
            self.breaker.ask(self.now)
        }
    }

    #[test]
    fn it_opens_when_half_of_enough_calls_failed() {
        let mut stage = Stage::new();
        assert_eq!(stage.note(End::Bad, FEWEST - 1), Verdict::Go);
        assert_eq!(stage.note(End::Untold, 50), Verdict::Go);
        assert_eq!(stage.note(End::Bad, 1), Verdict::Stop);
        let mut stage = Stage::new();
        stage.note(End::Good, 30);
        assert_eq!(stage.note(End::Bad, 29), Verdict::Go);
        assert_eq!(stage.note(End::Bad, 1), Verdict::Stop);
    }

    #[test]
    fn what_failed_long_ago_does_not_open_it() {
        let mut stage = Stage::new();
        stage.note(End::Bad, FEWEST - 1);
        stage.now += Duration::from_secs(10);
        assert_eq!(stage.note(End::Bad, FEWEST - 1), Verdict::Go);
    }

    #[test]
    fn one_tries_after_a_pause_and_decides() {
        let mut stage = Stage::new();
        assert_eq!(stage.note(End::Bad, FEWEST), Verdict::Stop);
        stage.now += PAUSE;
        assert_eq!(stage.attempt(End::Bad), Verdict::Stop);
        stage.now += PAUSE;
        assert_eq!(stage.attempt(End::Untold), Verdict::Try);
        assert_eq!(stage.attempt(End::Good), Verdict::Go);
        assert_eq!(stage.note(End::Bad, FEWEST - 1), Verdict::Go);
    }

    #[test]
    fn calls_of_before_it_opened_do_not_close_it() {
        let mut stage = Stage::new();
        stage.note(End::Bad, FEWEST);
        assert_eq!(stage.note(End::Good, 100), Verdict::Stop);
    }
}
