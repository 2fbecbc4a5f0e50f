//! A dry run: what automations would do because of an event, with everything that would be sent, and nothing of it done.

use std::sync::Arc;

use jiff::Timestamp;

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

/// What each automation would do, line by line. `from`: where facts are read, if some have to be.
pub async fn rehearse(rules: &Rules, event: &Event, from: Option<(&Schema, &Arc<Account>)>, now: Timestamp) -> String {
    let mut lines = Vec::new();
    for rule in &rules.0 {
        let timer = schedule::timers(rules, event, now).into_iter().find(|timer| timer.automation == rule.name);
        match timer {
            Some(timer) => {
                lines
                    .push(format!("{}: would look at {}, and run if the date is still the same", rule.name, timer.due));
            }
            None => one(rule, event, from, now, &mut lines).await,
        }
    }
    if lines.is_empty() {
        lines.push("There are no automations.".to_owned());
    }
    lines.join("\n") + "\n"
}

async fn one(
    rule: &Automation,
    event: &Event,
    from: Option<(&Schema, &Arc<Account>)>,
    now: Timestamp,
    lines: &mut Vec<String>,
) {
    let name = &rule.name;
    if !schedule::is_meant(rule, event) {
        let when = match &rule.when {
            Trigger::Events(kinds) => kinds.join(", "),
            Trigger::Moment(moment) => format!("dates of {}", super::names::named(moment.of).0),
        };
        return lines.push(format!("{name}: would not run: it is for {when}"));
    }
    let Some(mut facts) = Facts::of(event) else {
        return lines.push(format!("{name}: would not run: the event is not one that is known"));
    };
    if let Err(why) = read(&mut facts, from, &rule.asks).await {
        return lines.push(format!("{name}: would be tried again: what `if` asks could not be read: {why}"));
    }
    match rule.condition.as_ref().map_or(Ok(true), |condition| condition.holds(&facts.values)) {
        Ok(true) => {}
        Ok(false) => return lines.push(format!("{name}: would not run: `if` does not hold")),
        Err(why) => return lines.push(format!("{name}: would not run: `if` cannot be said to hold: {why}")),
    }
    if let Err(why) = read(&mut facts, from, &rule.tells).await {
        return lines.push(format!("{name}: would be tried again: what its templates need could not be read: {why}"));
    }
    lines.push(format!("{name}: would run"));
    let record = facts.record.as_ref().map(|id| id.as_str());
    for action in &rule.then {
        lines.push(match action.plan(&facts.values, record, now) {
            Ok(planned) => format!("  {}", serde_json::to_string(&planned).unwrap_or_default()),
            Err(why) => format!("  would not be done: {why}"),
        });
    }
}

async fn read(facts: &mut Facts, from: Option<(&Schema, &Arc<Account>)>, needs: &Needs) -> Result<(), String> {
    match from {
        Some((schema, account)) => facts.read(schema, account, needs).await.map_err(|unmade| unmade.why()),
        None => Ok(()),
    }
}
