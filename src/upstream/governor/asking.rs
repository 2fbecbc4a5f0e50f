//! How a governor asks for leave, where replicas keep a limit together: one question at a time, for all who wait, with all that is
//! to be told.

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use redis::Script;
use tokio::time::sleep;

use super::lease::{Question, Told};
use super::line::Line;
use super::quota::Room;
use super::{Governor, State};
use crate::replicas::{Link, Trouble, in_time};
use crate::spawn;
use crate::upstream::errand::Lane;

static LEASE: LazyLock<Script> = LazyLock::new(|| in_time(include_str!("lease.lua")));

/// It is asked again after so long, where nobody can tell when there is more.
const SOON: Duration = Duration::from_millis(20);

/// What replicas share of a location's limit.
#[derive(Clone, Debug)]
pub struct Common {
    link: Link,
    key: String,
    /// The name of this replica in it.
    replica: String,
}

impl Common {
    /// `whose`: tells the limit from others.
    pub fn new(link: Link, whose: &str) -> Self {
        let key = link.name(&format!("quota:{whose}"));
        Self { link, key, replica: format!("{:016x}", fastrand::u64(..)) }
    }

    async fn ask(&self, question: &Question) -> Result<Told, Trouble> {
        let with = |ask: &mut redis::ScriptInvocation<'_>, _: &str| {
            ask.key(&self.key).arg(&self.replica);
            for word in question.words() {
                ask.arg(word);
            }
        };
        self.link.script(&LEASE, with).await
    }
}

impl Governor {
    /// Asks for those who wait, and tells what there is to tell, unless somebody is at it.
    pub(super) fn ask(self: &Arc<Self>, state: &mut State) {
        let now = self.now();
        let (want, is_spare) = state.wanted(self.allowance.concurrency);
        let Some(lease) = state.lease.as_mut().filter(|lease| !lease.is_asking) else { return };
        if lease.is_due(want, is_spare, now) {
            lease.is_asking = true;
            spawn::boxed(self.clone().keep_asking());
        }
    }

    async fn keep_asking(self: Arc<Self>) {
        let Some(common) = &self.common else { return };
        while let Some(question) = self.question() {
            let told = common.ask(&question).await;
            if self.heard(&question, told) {
                sleep(SOON).await;
            }
        }
    }

    fn question(&self) -> Option<Question> {
        let now = self.now();
        let mut state = self.state();
        let (want, is_spare) = state.wanted(self.allowance.concurrency);
        let State { lease, quota, .. } = &mut *state;
        let lease = lease.as_mut()?;
        lease.is_asking = lease.is_due(want, is_spare, now);
        lease.is_asking.then(|| lease.ask(want, is_spare, quota, now))
    }

    fn heard(self: &Arc<Self>, question: &Question, told: Result<Told, Trouble>) -> bool {
        let now = self.now();
        let mut state = self.state();
        let State { lease: Some(lease), quota, .. } = &mut *state else { return false };
        let is_soon = match told {
            Ok(told) => lease.hear(question, told, quota, now),
            Err(why) => {
                if lease.lose_sight(question, quota, now) {
                    tracing::warn!(%why, "the limit cannot be kept together; this gateway keeps to its part of it");
                }
                false
            }
        };
        self.let_go(&mut state);
        // Who is not waited for waits for one answer and no longer.
        state.lines[Lane::Renewals as usize] = Line::default();
        state.count_waiting();
        state.send_away_who_is_late(now);
        if let Some(lease) = &mut state.lease {
            lease.give_back();
        }
        is_soon
    }
}

impl State {
    /// For how many calls leave is wanted, and whether those are calls that leave a part of each window to others.
    fn wanted(&self, concurrency: usize) -> (u32, bool) {
        let count = |lanes: &[Lane]| lanes.iter().map(|lane| self.lines[*lane as usize].len()).sum::<usize>();
        let (first, others) = (count(&[Lane::Writes, Lane::Reads]), count(&[Lane::Background, Lane::Renewals]));
        let waiting = if first > 0 { first } else { others };
        let places = concurrency.saturating_sub(self.in_flight);
        (waiting.min(places).try_into().unwrap_or(u32::MAX), first == 0)
    }

    /// Sends those away who have no time for what was told to be in the way.
    fn send_away_who_is_late(&mut self, now: Instant) {
        for lane in [Lane::Writes, Lane::Reads, Lane::Background] {
            if let Room::At(at) | Room::Tomorrow(at) = self.room(lane, now) {
                let wait = at.saturating_duration_since(now);
                self.lines[lane as usize].keep(|(errand, _)| errand.has_time_for(wait));
            }
        }
        self.count_waiting();
    }
}
