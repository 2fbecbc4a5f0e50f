//! What follows from one event: it is decided what is to be done, that is written down, and then it is done, each thing once.

use std::sync::Arc;

use jiff::Timestamp;

use super::action::{Action, Headers, Planned};
use super::facts::Facts;
use super::names::Needs;
use super::own;
use super::rules::Automation;
use super::schema::Unmade;
use super::store::{self, Decided, Decision};
use super::trigger::Trigger;
use super::{Automations, schedule};
use crate::events::Event;
use crate::events::journal::{Begun, EffectId, Trouble};
use crate::upstream::Account;

impl Automations {
    /// Everything that automations want because of an event. `name`: the journal's name of it. An error: some of it is to be done at
    /// another time.
    pub(super) async fn handle(&self, name: &str, event: &Event) -> Result<(), String> {
        let location = event.location.as_deref().unwrap_or_default();
        let Some(account) = self.accounts.iter().find(|account| *account.location == *location) else { return Ok(()) };
        let timers = schedule::timers(&self.rules, event, self.now());
        if !timers.is_empty() {
            store::set_timers(&self.journal, timers).await.map_err(told)?;
            self.timers.notify_one();
        }
        let decided = match store::decided(&self.journal, name).map_err(told)? {
            Some(decided) => decided,
            None => match self.decide(name, event, account).await? {
                Some(decided) => decided,
                None => return Ok(()),
            },
        };
        let mut later = None;
        for decision in decided.decisions.iter().filter(|decision| decision.skipped.is_none()) {
            for (step, planned) in decision.steps.iter().enumerate() {
                let id = EffectId { event: name.into(), automation: decision.automation.clone(), step: step as u32 };
                let done = match planned {
                    Ok(planned) => self.effect(&id, planned, account, decided.contact.as_deref()).await,
                    Err(why) => self.note(&id, &format!("not done: {why}")).await.map_err(told),
                };
                if let Err(why) = done {
                    later.get_or_insert_with(|| format!("{} of `{}`: {why}", step_name(planned), decision.automation));
                }
            }
        }
        later.map_or(Ok(()), Err)
    }

    /// Decides what is to be done. `None`: nothing.
    async fn decide(&self, name: &str, event: &Event, account: &Arc<Account>) -> Result<Option<Decided>, String> {
        let matched: Vec<&Automation> = self.rules.0.iter().filter(|rule| schedule::is_meant(rule, event)).collect();
        let Some(mut facts) = Facts::of(event).filter(|_| !matched.is_empty()) else { return Ok(None) };
        let contact = facts.contact.as_ref().map(|id| id.as_str().into());
        let decided = |decisions| Decided { at: self.now(), location: account.location.clone(), contact, decisions };
        let skip = |rule: &Automation, why: &str| Decision {
            automation: rule.name.clone(),
            skipped: Some(why.to_owned()),
            steps: Vec::new(),
        };
        if own::is_own_of_any(&self.journal, &self.among, &account.location, event).await.map_err(told)? {
            let all = matched.iter().map(|rule| skip(rule, "an automation did what the event tells of")).collect();
            return store::decide(&self.journal, name, decided(all), Vec::new()).await.map(Some).map_err(told);
        }
        let verdicts = self.judge(&matched, event, account, &mut facts).await?;
        if verdicts.iter().all(|verdict| matches!(verdict, Ok(false))) {
            return Ok(None);
        }
        let now = self.now();
        let record = facts.record.as_ref().map(|id| id.as_str());
        let decision = |(rule, verdict): (&&Automation, Result<bool, String>)| match verdict {
            Ok(true) => {
                let steps = rule.then.iter().map(|action| action.plan(&facts.values, record, now)).collect();
                Decision { automation: rule.name.clone(), skipped: None, steps }
            }
            Ok(false) => skip(rule, "`if` does not hold"),
            Err(why) => skip(rule, &why),
        };
        let decisions = matched.iter().zip(verdicts).map(decision).collect();
        let per_hour = matched.iter().map(|rule| rule.per_hour).collect();
        store::decide(&self.journal, name, decided(decisions), per_hour).await.map(Some).map_err(told)
    }

    /// Whether each automation is to be run, or why that cannot be said; and reads what those need that are.
    pub(super) async fn judge(
        &self,
        rules: &[&Automation],
        event: &Event,
        account: &Arc<Account>,
        facts: &mut Facts,
    ) -> Result<Vec<Result<bool, String>>, String> {
        let mut asks = Needs::default();
        rules.iter().for_each(|rule| asks.join(&rule.asks));
        schedule::needs(rules, &mut asks);
        let unread = self.read(facts, account, &asks).await?;
        let mut verdicts = Vec::with_capacity(rules.len());
        for rule in rules {
            verdicts.push(match (&unread, &rule.when) {
                (Some(why), _) if rule.asks.reads() || matches!(rule.when, Trigger::Moment(_)) => {
                    Err(format!("what `if` asks could not be read: {why}"))
                }
                (_, Trigger::Moment(moment)) => match self.still(rule, moment, event, facts).await? {
                    Ok(()) => holds(rule, facts),
                    Err(why) => Err(why),
                },
                _ => holds(rule, facts),
            });
        }
        let mut tells = Needs::default();
        let running = || rules.iter().zip(&verdicts).filter(|(_, verdict)| matches!(verdict, Ok(true)));
        running().for_each(|(rule, _)| tells.join(&rule.tells));
        if let Some(why) = self.read(facts, account, &tells).await? {
            let lacking = format!("what its templates need could not be read: {why}");
            for (rule, verdict) in rules.iter().zip(&mut verdicts).filter(|(rule, _)| rule.tells.reads()) {
                tracing::warn!(automation = &*rule.name, why, "an automation lacks what its templates need");
                *verdict = Err(lacking.clone());
            }
        }
        Ok(verdicts)
    }

    /// Reads what is needed. `Some`: why it will never be had.
    async fn read(&self, facts: &mut Facts, account: &Arc<Account>, needs: &Needs) -> Result<Option<String>, String> {
        match facts.read(&self.schema, account, needs).await {
            Ok(()) => Ok(None),
            Err(Unmade::Never(why)) => Ok(Some(why)),
            Err(unmade) => Err(unmade.why()),
        }
    }

    /// Does something once, if it was not done before.
    async fn effect(
        &self,
        id: &EffectId,
        planned: &Planned,
        account: &Arc<Account>,
        contact: Option<&str>,
    ) -> Result<(), String> {
        let began = match self.journal.begin(id, self.now()).await.map_err(told)? {
            Begun::Done => return Ok(()),
            Begun::New if !self.among.begin(id).await => {
                // A copy of the event was taken by another one, while nobody could tell.
                return self.journal.finish(id, "done by another gateway").await.map_err(told);
            }
            Begun::New => None,
            Begun::Interrupted { began } => Some(began),
        };
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
                return Err(why);
            }
            Err(Unmade::Unclear(why)) => return Err(why),
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
        self.journal.finish_with(id, &outcome, along).await.map_err(told)
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

    pub(super) fn now(&self) -> Timestamp {
        self.clock.wall().try_into().unwrap_or(Timestamp::MAX)
    }
}

fn holds(rule: &Automation, facts: &Facts) -> Result<bool, String> {
    let holds = rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&facts.values));
    holds.map_err(|why| format!("`if` cannot be said to hold: {why}"))
}

fn step_name(planned: &Result<Planned, String>) -> &'static str {
    planned.as_ref().map_or("an action", |planned| planned.name())
}

#[expect(clippy::needless_pass_by_value, reason = "it is what errors are given to")]
fn told(trouble: Trouble) -> String {
    trouble.to_string()
}
