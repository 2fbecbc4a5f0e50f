//! What came of the calls of the last seconds, counted by second.

use std::time::Instant;

/// So many seconds are looked back.
const SECONDS: usize = 10;

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that were sent.
    pub sent: u32,
    /// Of those, or about to be, the tries after a first one.
    pub again: u32,
    /// Calls that the upstream answered as a server that is well.
    pub good: u32,
    /// Calls without an answer in time, or with a 5xx.
    pub bad: u32,
}

/// The counts of the last ten seconds.
#[derive(Debug)]
pub struct Recent {
    slots: [Counts; SECONDS],
    /// The second of the newest slot, since the beginning.
    second: u64,
    began: Instant,
}

impl Recent {
    /// Nothing was counted yet.
    pub fn new(now: Instant) -> Self {
        Self { slots: [Counts::default(); SECONDS], second: 0, began: now }
    }

    /// Where what happens now is counted.
    pub fn now(&mut self, now: Instant) -> &mut Counts {
        let second = now.saturating_duration_since(self.began).as_secs();
        let passed = second.saturating_sub(self.second).min(SECONDS as u64);
        for older in 1..=passed {
            self.slots[((self.second + older) % SECONDS as u64) as usize] = Counts::default();
        }
        self.second = self.second.max(second);
        // The slots between are empty by now, whatever their number.
        &mut self.slots[(self.second % SECONDS as u64) as usize]
    }

    /// The sums.
    pub fn sums(&mut self, now: Instant) -> Counts {
        self.now(now);
        self.slots.iter().fold(Counts::default(), |sum, slot| Counts {
            sent: sum.sent + slot.sent,
            again: sum.again + slot.again,
            good: sum.good + slot.good,
            bad: sum.bad + slot.bad,
        })
    }

    /// Forgets what came of calls, not how many there were.
    pub fn forget_outcomes(&mut self) {
        for slot in &mut self.slots {
            (slot.good, slot.bad) = (0, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_older_than_ten_seconds_does_not_count() {
        let began = Instant::now();
        let mut recent = Recent::new(began);
        let at = |ms| began + Duration::from_millis(ms);
        recent.now(at(0)).bad += 1;
        recent.now(at(4_500)).good += 2;
        assert_eq!((recent.sums(at(9_900)).bad, recent.sums(at(9_900)).good), (1, 2));
        assert_eq!((recent.sums(at(10_000)).bad, recent.sums(at(10_000)).good), (0, 2));
        recent.now(at(13_000)).sent += 5;
        assert_eq!(recent.sums(at(13_999)), Counts { sent: 5, good: 2, ..Counts::default() });
        assert_eq!(recent.sums(at(14_000)), Counts { sent: 5, ..Counts::default() });
        assert_eq!(recent.sums(at(1_000_000)), Counts::default());
    }
}
