//! The upstream's limits as its answers tell them: how many calls may still be sent in this window, and when the next one
//! begins. Only counts; who may send them is decided elsewhere.
//!
//! The upstream tells what is left, never when its window began. So a window is taken to begin with the first call that is
//! answered in it, at the latest moment that this can have been: then it may seem to end a little late, and never early.

use std::time::{Duration, Instant};

use super::limits::Limits;

/// The window when the upstream has never told its own (CONTRACT: 10 s observed).
pub const USUAL_WINDOW: Duration = Duration::from_secs(10);

/// So many calls may be sent before the first answer has told what the limits are.
const BEFORE_TOLD: u32 = 25;

/// The part of a window, and of a day, that is left to those who wait for their answer.
const SPARED: u32 = 10;
const SPARED_OF_DAY: u32 = 50;

/// For so long it holds what an answer told of what others used, where nobody tells of it but answers.
const FRESH: Duration = Duration::from_millis(100);

/// Whether a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It may.
    Now,
    /// Not before the next window.
    At(Instant),
    /// Not before the answer to one that was sent tells more.
    AfterAnswer,
    /// The day's calls are used up; a new day begins then.
    Tomorrow(Instant),
}

/// A call that was sent: in which window, and how many of that window's calls had been answered before. The upstream has
/// counted at least those before it counts this one.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    window: u64,
    after: u32,
}

/// What is left.
#[derive(Debug, Default)]
pub struct Quota {
    limits: Limits,
    /// Whether any answer came, with limits in it or without.
    is_told: bool,
    /// Which window this is.
    window: u64,
    /// When it ends; `None`: no call of it was answered yet.
    ends: Option<Instant>,
    /// Calls that were sent in it.
    sent: u32,
    /// Of those, the ones that were answered.
    answered: u32,
    /// Calls in it that are not ours: others have the same credential.
    others: u32,
    /// Calls that are not answered yet, of whatever window.
    aloft: u32,
    /// A call was refused for the limit in this window: no more of them.
    is_shut: bool,
    /// A call was refused, and none was answered since: the next window begins with a single one.
    is_careful: bool,
    /// The fewest that were told to be left today.
    day_left: Option<u32>,
    day_ends: Option<Instant>,
    /// How many replicas have the limit, where they cannot keep it together. More than one: then a single call goes first, whose
    /// answer tells what the others used, and no more are on their way at once than this replica's part of what is left.
    among: u32,
    /// When an answer last told what is left.
    told_at: Option<Instant>,
}

impl Quota {
    /// What was told.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// How many calls may be sent in this window, as far as that is known.
    pub fn left(&self, now: Instant) -> Option<u32> {
        let max = self.limits.max?;
        Some(match self.ends {
            Some(ends) if ends <= now => max,
            _ if self.is_shut => 0,
            _ => max.saturating_sub(self.sent + self.others),
        })
    }

    /// Whether answers came, and none told of a limit.
    pub fn is_free(&self) -> bool {
        self.is_told && self.limits.max.is_none() && self.day_left.is_none()
    }

    /// Calls that are not answered yet.
    pub fn aloft(&self) -> u32 {
        self.aloft
    }

    /// How many calls of this window are known of, whoever sent them, and how long it goes on.
    pub fn used(&self, now: Instant) -> (u32, Duration) {
        let left = self.ends.map_or(Duration::ZERO, |ends| ends.saturating_duration_since(now));
        (self.sent + self.others, left)
    }

    /// Takes over what replicas know together: whether there is a new window, how many of its calls are used and when it ends.
    pub fn follow(&mut self, (is_new, used, ends): (bool, u32, Option<Instant>), limits: &Limits, is_told: bool) {
        if is_new {
            self.begin(self.aloft, None);
        }
        self.ends = ends;
        self.others = used.saturating_sub(self.sent);
        self.limits.learn(limits);
        self.is_told |= is_told;
    }

    /// From now on the limit is among so many who do not know of each other's calls.
    pub fn divide(&mut self, among: u32) {
        self.among = among;
    }

    /// How long a window is.
    pub fn window(&self) -> Duration {
        self.limits.window.unwrap_or(USUAL_WINDOW)
    }

    /// Whether another call may be sent.
    pub fn room(&mut self, now: Instant) -> Room {
        if self.day_ends.is_some_and(|ends| ends <= now) {
            (self.day_left, self.day_ends) = (None, None);
        }
        if let (Some(left), Some(ends)) = (self.day_left, self.day_ends)
            && left <= self.aloft
        {
            return if self.aloft == 0 { Room::Tomorrow(ends) } else { Room::AfterAnswer };
        }
        if self.ends.is_some_and(|ends| ends <= now) {
            // What is still aloft may be counted in either window.
            self.begin(self.aloft, None);
        }
        let left = self.limits.max.map(|max| max.max(1).saturating_sub(self.sent + self.others));
        let is_full = left.is_some_and(|left| left == 0 || (self.aloft == 0 && left < self.among));
        self.is_careful |= self.among > 1 && self.aloft == 0 && self.told_at.is_none_or(|at| now - at > FRESH);
        match self.aloft {
            _ if self.is_shut || is_full => self.wait(now),
            0 => Room::Now,
            _ if self.is_careful => Room::AfterAnswer,
            aloft if self.among > 1 && left.is_some_and(|left| aloft >= (left + aloft) / self.among) => {
                Room::AfterAnswer
            }
            aloft if !self.is_told && aloft >= BEFORE_TOLD => Room::AfterAnswer,
            _ => Room::Now,
        }
    }

    fn wait(&mut self, now: Instant) -> Room {
        match self.ends {
            Some(ends) => Room::At(ends),
            None if self.aloft > 0 => Room::AfterAnswer,
            // None was answered: it may have begun with the last that got lost.
            None => Room::At(*self.ends.insert(now + self.window())),
        }
    }

    /// Whether a call that leaves a part to others may be sent as well.
    pub fn spare(&mut self, now: Instant) -> Room {
        let room = self.room(now);
        let day = self.day_left.zip(self.limits.daily_max).filter(|(left, max)| *left <= max / SPARED_OF_DAY);
        match (room, day.and(self.day_ends)) {
            (Room::Now, Some(ends)) => Room::Tomorrow(ends),
            (Room::Now, None)
                if self.left(now).zip(self.limits.max).is_some_and(|(left, max)| left <= max / SPARED) =>
            {
                self.wait(now)
            }
            _ => room,
        }
    }

    /// Whether so much is left that a call may be sent that nobody asked for: more than half, of the window and of the day.
    pub fn has_plenty(&mut self, now: Instant) -> bool {
        let day = self.day_left.zip(self.limits.daily_max);
        self.room(now) == Room::Now
            && day.is_none_or(|(left, max)| left > max / 2)
            && self.left(now).zip(self.limits.max).is_none_or(|(left, max)| left > max / 2)
    }

    /// Counts a call that is sent.
    pub fn send(&mut self) -> Sent {
        self.sent += 1;
        self.aloft += 1;
        Sent { window: self.window, after: self.answered }
    }

    /// Takes over what the answer to a call tells. `shut`: it was refused for the limit, for so long if it says so.
    pub fn answer(&mut self, sent: Sent, told: &Limits, shut: Option<Option<Duration>>, now: Instant) {
        self.aloft = self.aloft.saturating_sub(1);
        (self.is_told, self.told_at) = (true, Some(now));
        self.limits.learn(told);
        self.learn_day(told, now);
        match shut {
            Some(_) => self.is_careful = true,
            None => self.is_careful &= sent.window != self.window,
        }
        if sent.window != self.window {
            return;
        }
        self.answered += 1;
        let window = self.window();
        let used = told.max.zip(told.remaining).map(|(max, left)| max.saturating_sub(left));
        match used {
            // Fewer than must have been counted: the upstream's window is a new one.
            Some(used) if used < sent.after && shut.is_none() => self.begin(self.aloft + used, Some(now + window)),
            Some(used) => self.others = self.others.max(used.saturating_sub(self.sent)),
            None => {}
        }
        if let Some(after) = shut {
            self.is_shut = true;
            self.ends = after.map(|after| now + after).or(self.ends);
        }
        self.ends.get_or_insert(now + window);
    }

    /// A call ended without an answer. `reached`: it may have been counted.
    pub fn lose(&mut self, sent: Sent, reached: bool, now: Instant) {
        self.aloft = self.aloft.saturating_sub(1);
        if sent.window != self.window {
            return;
        }
        if !reached {
            self.sent = self.sent.saturating_sub(1);
        } else if self.aloft == 0 {
            self.ends.get_or_insert(now + self.limits.window.unwrap_or(USUAL_WINDOW));
        }
    }

    fn begin(&mut self, sent: u32, ends: Option<Instant>) {
        self.window += 1;
        (self.sent, self.answered, self.others, self.is_shut) = (sent, 0, 0, false);
        self.ends = ends;
    }

    fn learn_day(&mut self, told: &Limits, now: Instant) {
        let Some((left, ends)) = told.daily_remaining.zip(told.daily_reset.map(|reset| now + reset)) else {
            return;
        };
        // Answers come in any order, so the fewest counts; until the end has moved on, which only a new day can make it.
        let is_new = self.day_ends.is_none_or(|known| ends > known + Duration::from_secs(60));
        self.day_left = Some(self.day_left.filter(|_| !is_new).map_or(left, |fewest| fewest.min(left)));
        self.day_ends = Some(ends);
    }
}

#[cfg(test)]
mod tests;
