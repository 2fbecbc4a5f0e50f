//! Contacts that a team writes for itself, in a file with the names of the GraphQL schema; what is left out is filled in.

mod given;

use super::super::{store::Record, switches::Switches};
use super::{
    For, iso, stream,
    words::{CALENDARS, FIRST, LAST, STAFF},
};
use given::{Appointment, Contact, Id, Left, Moment, Note, Task, TaskStatus};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// What a seed file has.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    records: Vec<Record>,
    /// By the contact's id.
    pub(in super::super) switches: HashMap<String, Switches>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `contacts`")]
struct File {
    contacts: Vec<Contact>,
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Seed {
    /// Reads a file. `now` is what times as `+2d` are counted from.
    ///
    /// # Errors
    /// The first mistake, with its place and what is expected there.
    pub fn read(text: &str, now: Timestamp) -> Result<Self, String> {
        let file: File = serde_json::from_str(text).map_err(|why| why.to_string())?;
        let mut writer = Writer { now, taken: HashSet::new() };
        let mut seed = Self::default();
        for (index, mut contact) in file.contacts.into_iter().enumerate() {
            let switches = Switches::new(std::mem::take(&mut contact.fail), std::mem::take(&mut contact.slow));
            let record = writer.contact(contact, index)?;
            let id = record.contact["id"].as_str().unwrap_or_default().to_owned();
            seed.switches.insert(id, switches);
            seed.records.push(record);
        }
        Ok(seed)
    }

    /// The id of the first contact.
    pub(in super::super) fn first(&self) -> Option<&str> {
        self.records.first()?.contact["id"].as_str()
    }

    pub(super) fn records(&self, location_id: &str) -> Vec<Record> {
        let mut records = self.records.clone();
        for record in &mut records {
            record.contact["locationId"] = json!(location_id);
            record.appointments.iter_mut().for_each(|event| event["locationId"] = json!(location_id));
        }
        records
    }
}

/// Makes records of what was given.
struct Writer {
    now: Timestamp,
    taken: HashSet<(u8, String)>,
}

impl Writer {
    /// The id that was given, or the same in each run.
    fn id(&mut self, kind: For, given: Option<Id>, place: &str, at: &[usize]) -> Result<String, String> {
        let id = given.map_or_else(|| stream(0, kind, at).id(), |Id(id)| id);
        match self.taken.insert((kind as u8, id.clone())) {
            true => Ok(id),
            false => Err(format!("{place}.id: `{id}` is the id of another one; leave it out, or give each its own")),
        }
    }

    fn at(&self, moment: Moment, place: &str, field: &str) -> Result<String, String> {
        let at = match moment {
            Moment::At(at) => Ok(at),
            Moment::FromNow(length) => self.now.checked_add(length),
        };
        let at = at.map_err(|_| format!("{place}.{field}: it is further from now than a calendar goes"))?;
        Ok(iso(at.as_millisecond()))
    }

    /// The same for one that may be left out.
    fn may(&self, moment: Option<Moment>, place: &str, field: &str) -> Result<Option<String>, String> {
        moment.map(|moment| self.at(moment, place, field)).transpose()
    }

    fn contact(&mut self, given: Contact, index: usize) -> Result<Record, String> {
        let place = format!("contacts[{index}]");
        let id = self.id(For::ContactId, given.id, &place, &[index])?;
        let mut random = stream(0, For::Contact, &[0, index]);
        let named = given.first_name.is_some() || given.last_name.is_some();
        let (first, last) = match given.name {
            Left::Given(_) if named => {
                return Err(format!("{place}.name: it is `firstName` and `lastName` together; give it, or give those"));
            }
            Left::Given(name) => match name.split_once(' ') {
                Some((first, last)) => (Some(first.to_owned()), Some(last.to_owned())),
                None => (Some(name), None),
            },
            Left::Out if !named => (Some(random.pick(&FIRST).to_owned()), Some(random.pick(&LAST).to_owned())),
            Left::Out | Left::Empty => (given.first_name, given.last_name),
        };
        let words = [&first, &last].into_iter().flatten().map(|name| name.to_lowercase().replace([' ', '\''], ""));
        let mailbox = words.collect::<Vec<_>>().join(".");
        let mailbox = if mailbox.is_empty() { format!("contact{index}") } else { mailbox };
        let created = self.at(given.date_created.unwrap_or(Moment::FromNow(DAY * -30)), &place, "dateCreated")?;
        let updated = self.may(given.date_updated, &place, "dateUpdated")?.unwrap_or_else(|| created.clone());
        let address = given.address.unwrap_or_default();
        let fields = given.custom_fields.into_iter().map(|field| json!({ "id": field.id.0, "value": field.value }));
        let contact = known(json!({
            "id": id,
            "firstName": first,
            "lastName": last,
            "email": given.email.or_fill(|| format!("{mailbox}@example.com")),
            "phone": given.phone.or_fill(|| format!("+1555010{:04}", index % 10_000)),
            "companyName": given.company,
            "businessId": given.business_id.map(|id| id.0),
            "website": given.website,
            "type": given.r#type.or_text("lead"),
            "source": given.source.or_text("referral"),
            "timezone": given.timezone.or_text("America/New_York"),
            "address1": address.line1,
            "city": address.city,
            "state": address.state,
            "postalCode": address.postal_code,
            "country": address.country,
            "dateOfBirth": given.date_of_birth,
            "assignedTo": given.assigned_to.or_text(STAFF[0].0),
            "dnd": given.dnd,
            "tags": given.tags,
            "customFields": fields.collect::<Vec<_>>(),
            "dateAdded": created,
            "dateUpdated": updated,
        }));
        let tasks = given.tasks.into_iter().enumerate();
        let notes = given.notes.into_iter().enumerate();
        let events = given.appointments.into_iter().enumerate();
        Ok(Record {
            tasks: tasks.map(|(at, task)| self.task(task, &id, [index, at])).collect::<Result<_, _>>()?,
            notes: notes.map(|(at, note)| self.note(note, &id, [index, at])).collect::<Result<_, _>>()?,
            appointments: events.map(|(at, event)| self.event(event, &id, [index, at])).collect::<Result<_, _>>()?,
            contact,
        })
    }

    fn task(&mut self, given: Task, contact: &str, at: [usize; 2]) -> Result<Value, String> {
        let place = format!("contacts[{}].tasks[{}]", at[0], at[1]);
        let due = given.due_date.or_fill(|| Moment::FromNow(DAY));
        Ok(known(json!({
            "id": self.id(For::Tasks, given.id, &place, &at)?,
            "title": given.title.or_fill(|| format!("Task {}", at[1] + 1)),
            "body": given.body.unwrap_or_default(),
            "assignedTo": given.assigned_to.or_text(STAFF[0].0),
            "dueDate": self.may(due, &place, "dueDate")?,
            "completed": given.status == Some(TaskStatus::Completed),
            "contactId": contact,
        })))
    }

    fn note(&mut self, given: Note, contact: &str, at: [usize; 2]) -> Result<Value, String> {
        let place = format!("contacts[{}].notes[{}]", at[0], at[1]);
        // The newest first, as they are listed.
        let created = given.date_created.unwrap_or(Moment::FromNow(HOUR * -(at[1] as i32 + 1)));
        Ok(known(json!({
            "id": self.id(For::Notes, given.id, &place, &at)?,
            "body": given.note.or_fill(|| format!("Note {}", at[1] + 1)),
            "title": given.title,
            "userId": given.user_id.or_text(STAFF[0].0),
            "color": given.color,
            "pinned": given.pinned,
            "dateAdded": self.at(created, &place, "dateCreated")?,
            "contactId": contact,
        })))
    }

    fn event(&mut self, given: Appointment, contact: &str, at: [usize; 2]) -> Result<Value, String> {
        let place = format!("contacts[{}].appointments[{}]", at[0], at[1]);
        let start = given.start_time.or_fill(|| Moment::FromNow(DAY * (at[1] as i32 + 1)));
        let start = self.may(start, &place, "startTime")?;
        let half = |start: &str| Some(Moment::At(start.parse::<Timestamp>().ok()?.checked_add(HOUR / 2).ok()?));
        let end = match given.end_time {
            Left::Out => start.as_deref().and_then(half),
            end => end.or_fill(|| Moment::FromNow(DAY)),
        };
        let host = given.assigned_user_id.or_text(STAFF[0].0);
        Ok(known(json!({
            "id": self.id(For::Appointments, given.id, &place, &at)?,
            "calendarId": given.calendar_id.or_text(CALENDARS[0]),
            "groupId": given.group_id,
            "status": "booked",
            "appointmentStatus": given.status.word(),
            "title": given.title.or_fill(|| format!("Appointment {}", at[1] + 1)),
            "users": given.users.unwrap_or_else(|| host.iter().cloned().collect()),
            "assignedUserId": host,
            "notes": given.notes,
            "startTime": start,
            "endTime": self.may(end, &place, "endTime")?,
            "address": given.address,
            "contactId": contact,
            "dateAdded": iso(self.now.as_millisecond()),
            "dateUpdated": iso(self.now.as_millisecond()),
        })))
    }
}

/// Without what there is not: the API leaves it out.
fn known(mut record: Value) -> Value {
    if let Some(fields) = record.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = super::super::NOW;

    fn wrong(text: &str) -> String {
        Seed::read(text, NOW).expect_err(text)
    }

    #[test]
    fn a_mistake_is_told_with_its_place_and_what_is_expected() {
        let rows = [
            ("{\"contacts\": [{\"naem\": \"x\"}]}", &["`naem`", "`name`", "line 1 column 21"][..]),
            ("{\"contacts\": [{\"tasks\": [{\"status\": \"open\"}]}]}", &["`open`", "`OPEN`", "line 1"]),
            ("{\"contacts\": [{\"tasks\": [{\"dueDate\": \"soon\"}]}]}", &["`soon`", "+2d", "line 1"]),
            ("{\"contacts\": [{\"id\": \"a/b\"}]}", &["`a/b`", "letters"]),
            ("{\"contacts\": [{\"id\": \"a\"}, {\"id\": \"a\"}]}", &["contacts[1].id", "`a`"]),
            ("{\"contacts\": [{\"name\": \"a\", \"lastName\": \"b\"}]}", &["contacts[0].name", "`firstName`"]),
            ("{\"contacts\": [{\"fail\": {\"task\": 500}}]}", &["`task`", "`tasks`"]),
            ("{\"contacts\": [{\"fail\": {\"tasks\": 200}}]}", &["200", "400 to 599"]),
            ("{\"contacts\": [{\"fail\": {\"tasks\": \"odd\"}}]}", &["`odd`", "wrong-shape"]),
            ("{\"contacts\": [{\"fail\": {\"contact\": \"empty\"}}]}", &["empty", "tasks, notes and appointments"]),
            ("{\"contacts\": [{\"slow\": {\"tasks\": \"2\"}}]}", &["`2`", "2s"]),
            ("{\"contacts\": [{\"dateCreated\": \"+99999y\"}]}", &["contacts[0].dateCreated"]),
            ("[]", &["contacts"]),
        ];
        for (text, parts) in rows {
            let told = wrong(text);
            parts.iter().for_each(|part| assert!(told.contains(part), "{part} in {told}"));
        }
    }

    #[test]
    fn what_is_left_out_is_filled_in_and_null_is_nothing() {
        let seed = Seed::read("{\"contacts\": [{}, {\"name\": null, \"email\": null, \"tasks\": [{}]}]}", NOW).unwrap();
        let [filled, empty] = &seed.records[..] else { panic!("two contacts") };
        assert!(filled.contact["firstName"].is_string() && filled.contact["email"].is_string());
        assert!(filled.tasks.is_empty() && filled.contact["id"] != empty.contact["id"]);
        assert!(empty.contact["firstName"].is_null() && empty.contact["email"].is_null());
        assert_eq!((&empty.tasks[0]["title"], &empty.tasks[0]["completed"]), (&json!("Task 1"), &json!(false)));
        assert_eq!(empty.tasks[0]["dueDate"], "2026-06-16T15:00:00.000Z");
        assert_eq!(Seed::read("{\"contacts\": [{}]}", NOW).unwrap().first(), seed.first(), "the same in each run");
    }
}
