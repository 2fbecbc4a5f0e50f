//! A dry run: what automations would do because of an event, with everything that would be sent, and nothing of it done.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::action::{Action, Planned};
use super::facts::Facts;
use super::names::Needs;
use super::rules::{Automation, Rules};
use super::schedule;
use super::schema::Schema;
use super::trigger::Trigger;
use crate::events::Event;
use crate::upstream::Account;

/// Whether something has to be read upstream to tell.
pub fn reads(rules: &Rules, event: &Event) -> bool {
    rules.0.iter().any(|rule| schedule::is_meant(rule, event) && (rule.asks.reads() || rule.tells.reads()))
}

/// What an automation would do.
#[derive(Debug, PartialEq, Serialize)]
pub struct Rehearsed {
    automation: String,
    would: Would,
    /// Why it would not run, or not now.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// When it would look at the date again.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    /// What would be sent.
    actions: Vec<Act>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Would {
    Run,
    Skip,
    Retry,
    Wait,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Act {
    Done(Planned),
    Refused { refused: String },
}

impl fmt::Display for Rehearsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { automation: name, at, actions, .. } = self;
        let why = self.why.as_deref().unwrap_or_default();
        match self.would {
            Would::Run => write!(f, "{name}: would run")?,
            Would::Skip => write!(f, "{name}: would not run: {why}")?,
            Would::Retry => write!(f, "{name}: would be tried again: {why}")?,
            Would::Wait => {
                let at = at.unwrap_or_default();
                write!(f, "{name}: would look at {at}, and run if the date is still the same")?;
            }
        }
        actions.iter().try_for_each(|act| match act {
            Act::Done(planned) => write!(f, "\n  {}", serde_json::to_string(planned).unwrap_or_default()),
            Act::Refused { refused } => write!(f, "\n  would not be done: {refused}"),
        })
    }
}

/// What each automation would do. `from`: where facts are read, if some have to be.
pub async fn rehearse(
    rules: &Rules,
    event: &Event,
    from: Option<(&Schema, &Arc<Account>)>,
    now: Timestamp,
) -> Vec<Rehearsed> {
    let mut told = Vec::new();
    for rule in &rules.0 {
        let one =
            |would, why| Rehearsed { automation: rule.name.to_string(), would, why, at: None, actions: Vec::new() };
        let timer = schedule::timers(rules, event, now).into_iter().find(|timer| timer.automation == rule.name);
        told.push(match timer {
            Some(timer) => Rehearsed { at: Some(timer.due), ..one(Would::Wait, None) },
            None => match actions(rule, event, from, now).await {
                Ok(actions) => Rehearsed { actions, ..one(Would::Run, None) },
                Err((would, why)) => one(would, Some(why)),
            },
        });
    }
    told
}

/// What it would send, or why nothing.
async fn actions(
    rule: &Automation,
    event: &Event,
    from: Option<(&Schema, &Arc<Account>)>,
    now: Timestamp,
) -> Result<Vec<Act>, (Would, String)> {
    let skip = |why| (Would::Skip, why);
    if !schedule::is_meant(rule, event) {
        let when = match &rule.when {
            Trigger::Events(kinds) => kinds.join(", "),
            Trigger::Moment(moment) => format!("dates of {}", super::names::named(moment.of).0),
        };
        return Err(skip(format!("it is for {when}")));
    }
    let mut facts = Facts::of(event).ok_or_else(|| skip("the event is not one that is known".to_owned()))?;
    let retry = |what: &'static str| move |why: String| (Would::Retry, format!("{what} could not be read: {why}"));
    read(&mut facts, from, &rule.asks).await.map_err(retry("what `if` asks"))?;
    match rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&facts.values)) {
        Ok(true) => {}
        Ok(false) => return Err(skip("`if` does not hold".to_owned())),
        Err(why) => return Err(skip(format!("`if` cannot be said to hold: {why}"))),
    }
    read(&mut facts, from, &rule.tells).await.map_err(retry("what its templates need"))?;
    let record = facts.record.as_ref().map(|id| id.as_str());
    let act = |action: &Action| match action.plan(&facts.values, record, now) {
        Ok(planned) => Act::Done(planned),
        Err(why) => Act::Refused { refused: why },
    };
    Ok(rule.then.iter().map(act).collect())
}

async fn read(facts: &mut Facts, from: Option<(&Schema, &Arc<Account>)>, needs: &Needs) -> Result<(), String> {
    match from {
        Some((schema, account)) => facts.read(schema, account, needs).await.map_err(|unmade| unmade.why()),
        None => Ok(()),
    }
}
