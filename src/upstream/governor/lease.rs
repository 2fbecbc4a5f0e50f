//! Leave to send calls, where several replicas keep a limit together: what they share gives it, some at a time, and is told what
//! came of each call. Only counts; `asking` does the asking. While what they share cannot be reached, `quota` decides alone.

use std::mem;
use std::time::{Duration, Instant};

use super::limits::Limits;
use super::quota::{Quota, Room};
use crate::upstream::errand::Lane;

/// After this it is tried again whether what is shared can be reached.
const AWAY_FOR: Duration = Duration::from_millis(500);

/// In which shared window a call was let go, and how many of that window's calls were known to be answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Leave {
    window: i64,
    after: u32,
}

/// What the others are to be told.
#[derive(Clone, Debug, Default)]
pub struct News {
    /// Whether there is any.
    is_any: bool,
    /// Calls that were sent without asking: tries, and those sent while nobody could be asked.
    taken: u32,
    limits: Limits,
    shut: Option<Option<Duration>>,
    is_told: bool,
    /// What follows is of the calls of the window that is known.
    answered: u32,
    returned: u32,
    used: Option<u32>,
    anew: Option<u32>,
    is_good: bool,
}

/// A question to what is shared.
#[derive(Debug)]
pub struct Question {
    news: News,
    want: u32,
    is_spare: bool,
    aloft: u32,
    window: i64,
    born: i64,
    used: u32,
    left: Duration,
    known: Limits,
    among: u32,
}

/// What it answers: see `lease.lua`.
pub type Told = (u32, u8, u64, i64, i64, u32, i64, u32, u8, u32, u64, u32);

/// What is had of a limit that is shared.
#[derive(Debug, Default)]
pub struct Lease {
    /// Calls that may go.
    free: u32,
    /// What keeps readings back, and what keeps back those calls that leave a part of each window to others.
    waits: [Option<Room>; 2],
    /// What is shared could not be reached; it is tried again then.
    away: Option<Instant>,
    /// Whether somebody is asking.
    pub is_asking: bool,
    news: News,
    window: i64,
    born: i64,
    answered: u32,
    /// How many have the limit together.
    replicas: u32,
}

impl Lease {
    /// Whether it decides who goes.
    pub fn leads(&self, quota: &Quota) -> bool {
        self.away.is_none() && !quota.is_free()
    }

    /// Whether a call of this lane may be sent; `AfterAnswer`: it has to be asked for.
    pub fn room(&self, lane: Lane, now: Instant) -> Room {
        match self.waits[usize::from(leaves_a_part(lane))] {
            _ if self.free > 0 => Room::Now,
            Some(wait @ (Room::At(at) | Room::Tomorrow(at))) if at > now => wait,
            _ => Room::AfterAnswer,
        }
    }

    /// Counts a call that is sent.
    pub fn send(&mut self) -> Leave {
        match self.free.checked_sub(1) {
            Some(free) => self.free = free,
            None => {
                self.news.taken += 1;
                self.news.is_any = true;
            }
        }
        Leave { window: self.window, after: self.answered }
    }

    /// Takes over what the answer to a call tells.
    pub fn answer(&mut self, sent: Leave, told: &Limits, shut: Option<Option<Duration>>) {
        let news = &mut self.news;
        (news.is_any, news.is_told) = (true, true);
        let day_left = news.limits.daily_remaining;
        news.limits.learn(told);
        // Answers come in any order: the fewest counts.
        news.limits.daily_remaining =
            told.daily_remaining.map_or(day_left, |left| Some(left.min(day_left.unwrap_or(left))));
        news.shut = shut.or(news.shut);
        if sent.window != self.window {
            return;
        }
        news.answered += 1;
        news.is_good |= shut.is_none();
        match told.max.zip(told.remaining).map(|(max, left)| max.saturating_sub(left)) {
            Some(used) if used < sent.after && shut.is_none() => news.anew = news.anew.max(Some(used)),
            used => news.used = news.used.max(used),
        }
    }

    /// A call ended without an answer. `reached`: it may have been counted.
    pub fn lose(&mut self, sent: Leave, reached: bool) {
        self.news.is_any = true;
        if !reached && sent.window == self.window {
            self.news.returned += 1;
        }
    }

    /// Whether it is time to ask, for so many.
    pub fn is_due(&self, want: u32, is_spare: bool, now: Instant) -> bool {
        match self.away {
            Some(until) => until <= now,
            None => self.news.is_any || (want > 0 && !self.is_waiting(is_spare, now)),
        }
    }

    fn is_waiting(&self, is_spare: bool, now: Instant) -> bool {
        matches!(self.waits[usize::from(is_spare)], Some(Room::At(at) | Room::Tomorrow(at)) if at > now)
    }

    /// The question for so many calls more, with all the news.
    pub fn ask(&mut self, want: u32, is_spare: bool, quota: &Quota, now: Instant) -> Question {
        let want = if self.is_waiting(is_spare, now) { 0 } else { want };
        let (used, left) = quota.used(now);
        let mut news = mem::take(&mut self.news);
        // Of what was sent while nobody could be asked, the window that is over is nobody's concern.
        news.taken = news.taken.min(quota.aloft().max(used));
        let aloft = quota.aloft() + self.free;
        Question {
            news,
            want,
            is_spare,
            aloft,
            window: self.window,
            born: self.born,
            used,
            left,
            known: quota.limits(),
            among: self.replicas,
        }
    }

    /// Nobody could be asked. `true`: that is new.
    pub fn lose_sight(&mut self, unsaid: &Question, quota: &mut Quota, now: Instant) -> bool {
        quota.divide(self.replicas);
        // What was said may have been heard or not. What was sent is told again: then it may be counted twice, which wastes a
        // little of the window. What was answered is not: counted twice, it would look as if there was a new one.
        self.news.taken += unsaid.news.taken;
        self.news.is_any = true;
        self.free = 0;
        self.waits = [None, None];
        self.away.replace(now + AWAY_FOR).is_none()
    }

    /// Takes over what was answered. `true`: it is to be asked again soon, for something that nobody can tell the time of.
    pub fn hear(&mut self, question: &Question, told: Told, quota: &mut Quota, now: Instant) -> bool {
        let (granted, why, wait, window, born, used, ends, answered, is_told, max, length, replicas) = told;
        if self.window != window {
            // Of what was noted meanwhile, this was of the window that is over.
            let News { is_any, taken, limits, shut, is_told, .. } = mem::take(&mut self.news);
            self.news = News { is_any, taken, limits, shut, is_told, ..News::default() };
        }
        let is_new = self.window != window;
        (self.away, self.window, self.born, self.answered) = (None, window, born, answered);
        self.free += granted;
        let at = now + Duration::from_millis(wait);
        let room = match why {
            1 => Some(Room::At(at)),
            3 => Some(Room::Tomorrow(at)),
            _ => None,
        };
        if question.want > 0 {
            self.waits[1] = room;
            if !question.is_spare {
                self.waits[0] = room;
            }
        }
        let ends = u64::try_from(ends).ok().map(|ends| now + Duration::from_millis(ends));
        let some = |number: u32| Some(number).filter(|number| *number > 0);
        let limits = Limits {
            max: some(max),
            window: Some(Duration::from_millis(length)).filter(|length| !length.is_zero()),
            ..Limits::default()
        };
        quota.follow((is_new, used.saturating_sub(granted), ends), &limits, is_told > 0);
        quota.divide(1);
        self.replicas = replicas;
        why == 2
    }

    /// Gives back what nobody came for.
    pub fn give_back(&mut self) {
        self.news.returned += self.free;
        self.news.is_any |= self.free > 0;
        self.free = 0;
    }
}

impl Question {
    /// As `lease.lua` takes it.
    pub fn words(&self) -> Vec<i64> {
        let News { taken, limits, shut, is_told, answered, returned, used, anew, is_good, .. } = &self.news;
        let number = |number: Option<u32>| number.map_or(-1, i64::from);
        let time = |time: Option<Duration>| time.map_or(-1, |time| i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        vec![
            self.want.into(),
            self.is_spare.into(),
            self.aloft.into(),
            self.window,
            self.born,
            self.used.into(),
            time(Some(self.left)),
            (*answered).into(),
            (*returned).into(),
            (*taken).into(),
            number(*used),
            number(*anew),
            shut.map_or(-1, |after| time(Some(after.unwrap_or_default()))),
            (*is_good).into(),
            (*is_told).into(),
            number(limits.max),
            time(limits.window),
            number(limits.daily_max),
            number(limits.daily_remaining),
            time(limits.daily_reset),
            number(self.known.max),
            time(self.known.window),
            self.among.into(),
        ]
    }
}

/// Whether calls of this lane leave a part of each window to those that somebody waits for.
pub fn leaves_a_part(lane: Lane) -> bool {
    matches!(lane, Lane::Background | Lane::Renewals)
}
