//! What follows from one event: it is decided what is to be done, that is written down, and then it is done, each thing once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::action::{Action, Headers, Planned};
use super::facts::Facts;
use super::names::Needs;
use super::own;
use super::rules::Automation;
use super::schema::Unmade;
use super::store::{self, Decided, Decision};
use super::trigger::Trigger;
use super::{Automations, schedule};
use crate::events::journal::{Begun, EffectId, Trouble};
use crate::events::{Event, Later};
use crate::upstream::Account;

/// For so long after a call whose answer was lost, or that a crash cut off, the upstream may still be at it: as long as it has to answer,
/// by default. Before that, what is not there may still come.
const DOUBT: SignedDuration = SignedDuration::from_secs(10);

/// Whether an automation is to be run.
pub(super) enum Verdict {
    Runs,
    DoesNotHold,
    /// It is not, and why.
    Never(String),
    /// The same, as long as the date is another one than its timer was set for.
    Moved(String),
    /// It cannot be said now, and why.
    NotYet(String),
}

impl Automations {
    /// Everything that automations want because of an event. `name`: the journal's name of it. An error: some of it is to be done at
    /// another time.
    pub(super) async fn handle(&self, name: &str, event: &Event) -> Result<(), Later> {
        let location = event.location.as_deref().unwrap_or_default();
        let Some(account) = self.accounts.iter().find(|account| *account.location == *location) else { return Ok(()) };
        let timers = schedule::timers(&self.rules, event, self.now());
        if !timers.is_empty() {
            store::set_timers(&self.journal, timers).await.map_err(told)?;
            self.timers.notify_one();
        }
        let mut later = None;
        let decided = match store::decided(&self.journal, name).map_err(told)? {
            Some(decided) if decided.undecided.is_empty() => Some(decided),
            known => self.decide(name, event, account, known, &mut later).await?,
        };
        let decisions = decided.iter().flat_map(|decided| &decided.decisions);
        for decision in decisions.filter(|decision| decision.skipped.is_none()) {
            let contact = decided.as_ref().and_then(|decided| decided.contact.as_deref());
            for (step, planned) in decision.steps.iter().enumerate() {
                let id = EffectId { event: name.into(), automation: decision.automation.clone(), step: step as u32 };
                let done = match planned {
                    Ok(planned) => self.effect(&id, planned, account, contact).await,
                    Err(why) => self.note(&id, &format!("not done: {why}")).await.map_err(|why| told(why).into()),
                };
                if let Err(Later { why, from }) = done {
                    let why = format!("{} of `{}`: {why}", step_name(planned), decision.automation);
                    put_off(&mut later, Later { why, from });
                }
            }
        }
        later.map_or(Ok(()), Err)
    }

    /// Decides what is to be done, as far as that was not decided before. What cannot be decided now is put off, and keeps no other
    /// automation waiting.
    async fn decide(
        &self,
        name: &str,
        event: &Event,
        account: &Arc<Account>,
        known: Option<Decided>,
        later: &mut Option<Later>,
    ) -> Result<Option<Decided>, String> {
        let is_open = |rule: &Automation| known.as_ref().is_none_or(|known| known.undecided.contains(&rule.name));
        let meant = |rule: &&Automation| schedule::is_meant(rule, event) && is_open(rule);
        let matched: Vec<&Automation> = self.rules.0.iter().filter(meant).collect();
        let Some(mut facts) = Facts::of(event).filter(|_| !matched.is_empty()) else { return Ok(known) };
        let contact = facts.contact.as_ref().map(|id| id.as_str().into());
        let is_first = known.is_none();
        let mut decided = known.unwrap_or_else(|| Decided {
            at: self.now(),
            location: account.location.clone(),
            contact,
            decisions: Vec::new(),
            undecided: Vec::new(),
        });
        let skip = |rule: &Automation, why: &str| Decision {
            automation: rule.name.clone(),
            skipped: Some(why.to_owned()),
            steps: Vec::new(),
        };
        if is_first && own::is_own_of_any(&self.journal, &self.among, &account.location, event).await.map_err(told)? {
            decided.decisions =
                matched.iter().map(|rule| skip(rule, "an automation did what the event tells of")).collect();
            return store::decide(&self.journal, name, decided, Vec::new()).await.map(Some).map_err(told);
        }
        let verdicts = self.judge(&matched, event, account, &mut facts).await?;
        for (rule, verdict) in matched.iter().zip(&verdicts) {
            if let Verdict::NotYet(why) = verdict {
                put_off(later, format!("`{}`: {why}", rule.name).into());
            }
        }
        if is_first && verdicts.iter().all(|verdict| matches!(verdict, Verdict::DoesNotHold | Verdict::NotYet(_))) {
            return Ok(None);
        }
        let now = self.now();
        let record = facts.record.as_ref().map(|id| id.as_str());
        decided.decisions.retain(|decision| matched.iter().all(|rule| rule.name != decision.automation));
        decided.undecided.clear();
        let mut fresh = Vec::new();
        for (rule, verdict) in matched.into_iter().zip(verdicts) {
            let decision = match verdict {
                Verdict::Runs => {
                    let steps = rule.then.iter().map(|action| action.plan(&facts.values, record, now)).collect();
                    Decision { automation: rule.name.clone(), skipped: None, steps }
                }
                Verdict::DoesNotHold => skip(rule, "`if` does not hold"),
                Verdict::Never(why) => skip(rule, &why),
                Verdict::Moved(why) => {
                    // Should it be moved back, the same timer is another event.
                    self.journal.unsee(name).await.map_err(told)?;
                    decided.undecided.push(rule.name.clone());
                    skip(rule, &why)
                }
                Verdict::NotYet(_) => {
                    decided.undecided.push(rule.name.clone());
                    continue;
                }
            };
            fresh.push((decision, rule.per_hour));
        }
        store::decide(&self.journal, name, decided, fresh).await.map(Some).map_err(told)
    }

    /// Whether each automation is to be run; and reads what those need that are.
    async fn judge(
        &self,
        rules: &[&Automation],
        event: &Event,
        account: &Arc<Account>,
        facts: &mut Facts,
    ) -> Result<Vec<Verdict>, String> {
        let asks = rules.iter().map(|rule| {
            let mut asks = rule.asks.clone();
            schedule::needs(rule, &mut asks);
            asks
        });
        let unread = self.read(facts, account, asks.collect()).await;
        let mut verdicts = Vec::with_capacity(rules.len());
        for (rule, unread) in rules.iter().zip(unread) {
            verdicts.push(match (unread, &rule.when) {
                (Err(unmade), _) => lacks("what `if` asks", unmade),
                (Ok(()), Trigger::Moment(moment)) => match self.still(rule, moment, event, facts).await? {
                    Verdict::Runs => holds(rule, facts),
                    other => other,
                },
                _ => holds(rule, facts),
            });
        }
        let runs = |verdict: &Verdict| matches!(verdict, Verdict::Runs);
        let none = Needs::default;
        let tells =
            rules.iter().zip(&verdicts).map(|(rule, verdict)| if runs(verdict) { rule.tells.clone() } else { none() });
        let unread = self.read(facts, account, tells.collect()).await;
        for ((rule, verdict), unread) in rules.iter().zip(&mut verdicts).zip(unread) {
            if let Err(unmade) = unread {
                *verdict = lacks("what its templates need", unmade);
                if let Verdict::Never(why) = verdict {
                    tracing::warn!(automation = &*rule.name, why, "an automation lacks what its templates need");
                }
            }
        }
        Ok(verdicts)
    }

    /// Reads what each of several automations needs: together, and where that fails, each for itself.
    async fn read(&self, facts: &mut Facts, account: &Arc<Account>, needs: Vec<Needs>) -> Vec<Result<(), Unmade>> {
        let mut all = Needs::default();
        needs.iter().for_each(|needs| all.join(needs));
        let read = facts.read(&self.schema, account, &all).await;
        if read.is_ok() || needs.iter().filter(|needs| needs.reads()).count() < 2 {
            return needs.iter().map(|needs| if needs.reads() { read.clone() } else { Ok(()) }).collect();
        }
        let mut read = Vec::with_capacity(needs.len());
        for needs in &needs {
            read.push(facts.read(&self.schema, account, needs).await);
        }
        read
    }

    /// Does something once, if it was not done before.
    async fn effect(
        &self,
        id: &EffectId,
        planned: &Planned,
        account: &Arc<Account>,
        contact: Option<&str>,
    ) -> Result<(), Later> {
        let began = match self.journal.begin(id, self.now()).await.map_err(told)? {
            Begun::Done => return Ok(()),
            Begun::New if !self.among.begin(id).await => {
                // A copy of the event was taken by another one, while nobody could tell.
                self.journal.finish(id, "done by another gateway").await.map_err(told)?;
                return Ok(());
            }
            Begun::New => None,
            Begun::Interrupted { began } => Some(began),
        };
        // The process before this one may have ended a moment ago, with the call on its way.
        let from = self.started.saturating_add(DOUBT).unwrap_or(self.started);
        if planned.is_looked_for() && began.is_some_and(|began| began <= self.started) && self.now() < from {
            return Err(Later { why: "it was begun before, and may still be on its way".to_owned(), from: Some(from) });
        }
        let headers = self.headers(id);
        let (outcome, own) = match self.perform(id, planned, account, contact, began, &headers).await {
            Ok((outcome, own)) => (outcome, own),
            Err(Unmade::Never(why)) => (format!("not done: {why}"), None),
            Err(Unmade::NotYet(why)) => {
                // Where it was interrupted before, it may have been done then.
                if began.is_none() {
                    self.among.release(id).await;
                    self.journal.release(id).await.map_err(told)?;
                }
                return Err(why.into());
            }
            Err(Unmade::Unclear(why)) => {
                let from = planned.is_looked_for().then(|| self.now().saturating_add(DOUBT).unwrap_or(Timestamp::MAX));
                return Err(Later { why, from });
            }
        };
        if let Some(own) = &own {
            self.among.note(own).await;
        }
        let now = self.now();
        let along = move |transaction: &redb::WriteTransaction| match &own {
            Some(own) => store::note_own(transaction, own, now),
            None => Ok(()),
        };
        tracing::info!(automation = &*id.automation, step = id.step, outcome, "an automation acted");
        self.journal.finish_with(id, &outcome, along).await.map_err(|why| told(why).into())
    }

    /// Writes down what will not be done.
    async fn note(&self, id: &EffectId, outcome: &str) -> Result<(), Trouble> {
        match self.journal.begin(id, self.now()).await? {
            Begun::Done => Ok(()),
            _ => self.journal.finish(id, outcome).await,
        }
    }

    /// The headers of a delivery: they may be secrets, so they are taken from the rules and written down nowhere.
    fn headers(&self, id: &EffectId) -> Headers {
        let rule = self.rules.0.iter().find(|rule| rule.name == id.automation);
        match rule.and_then(|rule| rule.then.get(id.step as usize)) {
            Some(Action::Post { headers, .. }) => headers.clone(),
            _ => Headers::new(),
        }
    }
}

fn holds(rule: &Automation, facts: &Facts) -> Verdict {
    match rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&facts.values)) {
        Ok(true) => Verdict::Runs,
        Ok(false) => Verdict::DoesNotHold,
        Err(why) => Verdict::Never(format!("`if` cannot be said to hold: {why}")),
    }
}

fn lacks(what: &str, unmade: Unmade) -> Verdict {
    let told = |why| format!("{what} could not be read: {why}");
    match unmade {
        Unmade::Never(why) => Verdict::Never(told(why)),
        Unmade::NotYet(why) | Unmade::Unclear(why) => Verdict::NotYet(told(why)),
    }
}

/// What is put off first tells why; none of it is tried before the last of its times.
fn put_off(later: &mut Option<Later>, another: Later) {
    match later {
        Some(first) => first.from = first.from.max(another.from),
        None => *later = Some(another),
    }
}

fn step_name(planned: &Result<Planned, String>) -> &'static str {
    planned.as_ref().map_or("an action", |planned| planned.name())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what errors are given to")]
fn told(trouble: Trouble) -> String {
    trouble.to_string()
}
