//! Moments before and after dates: an event tells a date, a timer is set, and when it is due the truth is read.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::Automations;
use super::action::later;
use super::facts::Facts;
use super::names::{Needs, named};
use super::rules::{Automation, Rules};
use super::run::Verdict;
use super::store::{self, Timer};
use super::trigger::{Moment, Trigger};
use crate::changes::{ChangeKind, ChangedResource};
use crate::events::Event;
use crate::upstream::Id;

/// As long as this nobody waits for a timer: who puts the clock forward is not told of.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Most timers that are taken at one time.
const BATCH: usize = 100;

/// What a timer that is due says to the journal: an event of the gateway's own.
fn kind(of: ChangedResource) -> &'static str {
    match of {
        ChangedResource::Task => "TaskDue",
        _ => "AppointmentDue",
    }
}

impl Moment {
    /// When it is due for a date.
    fn at(&self, date: Timestamp) -> Timestamp {
        match self.before {
            true => date.saturating_sub(later(Timestamp::UNIX_EPOCH, self.by) - Timestamp::UNIX_EPOCH).unwrap_or(date),
            false => later(date, self.by),
        }
    }

    /// Whether it is worth anything yet.
    fn is_over(&self, date: Timestamp, now: Timestamp) -> bool {
        self.before && now >= date
    }
}

/// Whether an automation is to be run at this event.
pub fn is_meant(rule: &Automation, event: &Event) -> bool {
    match &rule.when {
        Trigger::Events(kinds) => kinds.contains(&&*event.kind),
        Trigger::Moment(moment) => {
            *event.kind == *kind(moment.of) && event.body["automation"].as_str() == Some(&*rule.name)
        }
    }
}

/// The timers that an event sets, by the date that it tells.
pub fn timers(rules: &Rules, event: &Event, now: Timestamp) -> Vec<Timer> {
    let Some((about, ChangeKind::Created | ChangeKind::Updated)) = event.about() else { return Vec::new() };
    if event.is_due() || &*event.kind == "TaskComplete" {
        return Vec::new();
    }
    let record = event.record();
    let text = |name: &str| record.get(name).and_then(Value::as_str);
    let set = |rule: &Automation| {
        let Trigger::Moment(moment) = &rule.when else { return None };
        let date: Timestamp = text(moment.date).filter(|_| moment.of == about)?.parse().ok()?;
        let (contact, record) = (Id::of_contact(text("contactId")?).ok()?, Id::new(text("id")?).ok()?);
        (!moment.is_over(date, now)).then(|| Timer {
            kind: kind(moment.of).into(),
            automation: rule.name.clone(),
            location: event.location.as_deref().unwrap_or_default().into(),
            contact: contact.as_str().into(),
            record: record.as_str().into(),
            date,
            due: moment.at(date),
        })
    };
    rules.0.iter().filter_map(set).collect()
}

/// What has to be read to know whether a date is still the same.
pub fn needs(rule: &Automation, into: &mut Needs) {
    if let Trigger::Moment(moment) = &rule.when {
        into.record.extend([moment.date, "status"]);
    }
}

impl Automations {
    /// Whether the date that a timer was set for is still there.
    pub(super) async fn still(
        &self,
        rule: &Automation,
        moment: &Moment,
        event: &Event,
        facts: &Facts,
    ) -> Result<Verdict, String> {
        let (name, _) = named(moment.of);
        let record = &facts.values[name];
        if !facts.is_there {
            return Ok(Verdict::Never(format!("the {name} is not there any more")));
        }
        let over = ["COMPLETED", "CANCELLED", "INVALID"];
        if let Some(status) = record["status"].as_str().filter(|status| over.contains(status)) {
            return Ok(Verdict::Never(format!("the {name} is {}", status.to_lowercase())));
        }
        let Some(date) = record[moment.date].as_str().and_then(|text| text.parse::<Timestamp>().ok()) else {
            return Ok(Verdict::Never(format!("the {name} has no {} any more", moment.date)));
        };
        if moment.is_over(date, self.now()) {
            return Ok(Verdict::Never(format!("the {name}'s {} is over", moment.date)));
        }
        if moment.at(date) <= self.now() {
            return Ok(Verdict::Runs);
        }
        let (Some(contact), Some(id)) = (&facts.contact, &facts.record) else {
            return Ok(Verdict::Never("the event does not tell whose it is".to_owned()));
        };
        let timer = Timer {
            kind: kind(moment.of).into(),
            automation: rule.name.clone(),
            location: event.location.as_deref().unwrap_or_default().into(),
            contact: contact.as_str().into(),
            record: id.as_str().into(),
            date,
            due: moment.at(date),
        };
        store::set_timers(&self.journal, vec![timer]).await.map_err(|trouble| trouble.to_string())?;
        self.timers.notify_one();
        Ok(Verdict::Moved(format!("the {name}'s {} was moved to {date}", moment.date)))
    }

    /// Hands the timers that are due to the journal, forever. `wake`: it has something new.
    pub async fn watch_timers(&self, wake: impl Fn()) {
        loop {
            let wait = match self.take_due().await {
                Ok((0, next)) => next,
                Ok(_) => {
                    wake();
                    Duration::ZERO
                }
                Err(why) => {
                    tracing::error!(why, "the timers of automations could not be read");
                    LONGEST_WAIT
                }
            };
            // Until then, or until one is set.
            let _ = timeout(wait, self.timers.notified()).await;
        }
    }

    /// Hands those that are due to the journal. How many, and how long until the next one.
    async fn take_due(&self) -> Result<(usize, Duration), String> {
        let now = self.now();
        let (timers, next) = store::due(&self.journal, now, BATCH).map_err(|trouble| trouble.to_string())?;
        for timer in &timers {
            let body = event(timer).to_string().into_bytes();
            let event = Event::read(&body).ok();
            // A crash after this hands it over again, and the journal has seen it.
            self.journal.take(event.as_ref(), body, now).await.map_err(|trouble| trouble.to_string())?;
        }
        let count = timers.len();
        if count > 0 {
            store::end_timers(&self.journal, timers).await.map_err(|trouble| trouble.to_string())?;
        }
        let wait = next.map_or(LONGEST_WAIT, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
        Ok((count, wait.min(LONGEST_WAIT)))
    }
}

/// The event of a timer. The same date of the same record is one event, whoever tells of it and how often.
fn event(timer: &Timer) -> Value {
    let Timer { kind, automation, location, contact, record, date, due } = timer;
    let digest = Sha256::digest(format!("{location}\n{record}\n{automation}\n{date}\n{due}"));
    let id: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    json!({ "type": kind, "webhookId": format!("due-{id}"), "locationId": location, "contactId": contact, "id": record,
        "automation": automation, "date": date.to_string(), "timestamp": due.to_string() })
}
