//! What belongs to a contact: tasks done, open and overdue, notes that say something, appointments past and coming.

use super::{
    DAY, For, HOUR, MINUTE, id_of, iso, now,
    people::Made,
    random::Random,
    stream,
    words::{
        APPOINTMENTS, CALENDARS, COLOURS, DAYS, NOTE_DETAILS, NOTE_ENDS, NOTE_OPENERS, NOTE_TITLES, PLACES, SERVICES,
        STAFF, TASK_BODIES, TASKS,
    },
    working_day,
};
use serde_json::{Value, json};

/// One contact's tasks, notes and appointments, from streams of their own.
pub(super) struct Story<'a> {
    seed: u64,
    location: usize,
    contact: usize,
    about: &'a Made,
}

impl<'a> Story<'a> {
    pub fn new(seed: u64, location: usize, contact: usize, about: &'a Made) -> Self {
        Self { seed, location, contact, about }
    }

    fn random(&self, kind: For) -> Random {
        stream(self.seed, kind, &[self.location, self.contact])
    }

    fn id(&self, kind: For, place: i64) -> String {
        id_of(self.seed, kind, self.contact, place as usize)
    }

    /// A sentence with its gaps filled.
    fn say(&self, random: &mut Random, sentence: &str) -> String {
        let sum = (random.between(3, 60) * 50).to_string();
        let (_, staff) = STAFF[random.index(STAFF.len())];
        let gaps = [
            ("{first}", self.about.first.as_str()),
            ("{company}", &self.about.company),
            ("{service}", random.pick(&SERVICES)),
            ("{day}", random.pick(&DAYS)),
            ("{staff}", staff),
            ("{sum}", &sum),
        ];
        let filled = gaps.iter().fold(sentence.to_owned(), |text, (gap, word)| text.replace(gap, word));
        capital(filled)
    }

    /// How long ago something may have happened: not before the contact was there.
    fn days_back(&self, most: i64) -> i64 {
        ((now() - self.about.added) / DAY).min(most)
    }

    pub fn tasks(&self) -> Vec<Value> {
        let mut random = self.random(For::Tasks);
        (0..random.between(0, 5)).map(|place| self.task(&mut random, place)).collect()
    }

    fn task(&self, random: &mut Random, place: i64) -> Value {
        let due = working_day(now() + random.between(-self.days_back(50), 30) * DAY) + random.between(13, 21) * HOUR;
        let done = random.percent(if due < now() { 70 } else { 12 });
        let title = random.pick(&TASKS);
        let body = if random.percent(60) { random.pick(&TASK_BODIES) } else { "" };
        json!({
            "id": self.id(For::Tasks, place),
            "title": self.say(random, title),
            "body": self.say(random, body),
            "assignedTo": self.about.assigned_to,
            "dueDate": iso(due),
            "completed": done,
            "contactId": self.about.id,
        })
    }

    pub fn notes(&self) -> Vec<Value> {
        let mut random = self.random(For::Notes);
        (0..random.between(0, 4).min(1 + self.days_back(30) / 5)).map(|place| self.note(&mut random, place)).collect()
    }

    fn note(&self, random: &mut Random, place: i64) -> Value {
        let parts = [&NOTE_OPENERS[..], &NOTE_DETAILS[..], &NOTE_ENDS[..]];
        let body = parts.map(|sentences| {
            let sentence = random.pick(sentences);
            self.say(random, sentence)
        });
        let since = self.about.added;
        let at = since + (random.share() * (now() - since) as f64) as i64;
        let mut note = json!({
            "id": self.id(For::Notes, place),
            "body": body.join(" "),
            "userId": STAFF[random.index(STAFF.len())].0,
            "dateAdded": iso(at),
            "contactId": self.about.id,
            "pinned": random.percent(8),
        });
        if random.percent(60) {
            note["title"] = json!(random.pick(&NOTE_TITLES));
            note["color"] = json!(random.pick(&COLOURS));
        }
        note
    }

    pub fn appointments(&self, location_id: &str) -> Vec<Value> {
        let mut random = self.random(For::Appointments);
        let count = random.between(0, 3);
        (0..count).map(|place| self.appointment(&mut random, place, location_id)).collect()
    }

    fn appointment(&self, random: &mut Random, place: i64, location_id: &str) -> Value {
        let day = working_day(now() + random.between(-self.days_back(60), 40) * DAY);
        let start = day + random.between(14, 21) * HOUR + random.between(0, 3) * 15 * MINUTE;
        let end = start + random.pick(&[&15, &30, &30, &60]) * MINUTE;
        let title = random.pick(&APPOINTMENTS);
        let booked = (start - random.between(2, 14) * DAY).max(self.about.added.min(start - HOUR)).min(now() - HOUR);
        let host = STAFF[random.index(STAFF.len())].0;
        let mut event = json!({
            "id": self.id(For::Appointments, place),
            "calendarId": random.pick(&CALENDARS),
            "status": "booked",
            "appointmentStatus": status(random, start < now()),
            "title": format!("{title} with {}", self.about.first),
            "assignedUserId": host,
            "users": [host],
            "startTime": iso(start),
            "endTime": iso(end),
            "address": random.pick(&PLACES),
            "locationId": location_id,
            "contactId": self.about.id,
            "dateAdded": iso(booked),
            "dateUpdated": iso(booked),
        });
        if random.percent(40) {
            let sentence = random.pick(&NOTE_DETAILS);
            event["notes"] = json!(self.say(random, sentence));
        }
        event
    }
}

fn status(random: &mut Random, past: bool) -> &'static str {
    if past {
        random.pick(&["showed", "showed", "showed", "completed", "noshow", "cancelled", "invalid"])
    } else {
        random.pick(&["confirmed", "confirmed", "confirmed", "new", "new", "cancelled"])
    }
}

/// A gap may stand at the start of a sentence.
fn capital(text: String) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => text,
    }
}
