//! The names that conditions and templates may use, as the schema has them, and what has to be read for their values.

use std::collections::BTreeSet;

use crate::changes::ChangedResource;
use crate::resources;

/// The name of what an event is about, and its type in the schema.
pub fn named(resource: ChangedResource) -> (&'static str, &'static str) {
    match resource {
        ChangedResource::Contact => ("contact", "Contact"),
        ChangedResource::Task => ("task", "Task"),
        ChangedResource::Note => ("note", "Note"),
        ChangedResource::Appointment => ("appointment", "Appointment"),
    }
}

/// What the fields with fields of their own are, and whether they are lists.
const PARTS: &[(&str, &str, &str, bool)] = &[
    ("Contact", "address", "Address", false),
    ("Contact", "customFields", "CustomFieldValue", true),
    ("Contact", "tasks", "Task", true),
    ("Contact", "notes", "Note", true),
    ("Contact", "appointments", "Appointment", true),
];

/// Lists of texts.
const LISTS: &[(&str, &str)] = &[("Contact", "tags"), ("Appointment", "users")];

/// The lists that cost a call each, so that who names the contact as a whole does not mean them.
const NESTED: &[&str] = &["tasks", "notes", "appointments"];

/// The fields of a type. What a record's contact is, has the name `contact`.
fn fields(of: &str) -> impl Iterator<Item = &'static str> {
    let all = resources::FIELDS.into_iter().flatten().filter(move |fields| fields.on == of);
    let names = all.flat_map(|fields| fields.costs.iter().map(|(name, _)| *name).chain(fields.at_hand.iter().copied()));
    names.filter(|name| *name != "contact")
}

fn part(of: &str, field: &str) -> Option<(&'static str, bool)> {
    PARTS.iter().find(|part| part.0 == of && part.1 == field).map(|part| (part.2, part.3))
}

/// What has to be read of a contact, and of the record that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Fields of the contact.
    pub contact: BTreeSet<&'static str>,
    /// Fields of the record, where that is not the contact.
    pub record: BTreeSet<&'static str>,
}

impl Needs {
    /// Notes a name. An error: there is no such one where events are about this.
    pub fn add(&mut self, way: &[String], about: Option<ChangedResource>) -> Result<(), String> {
        let first = way.first().map(String::as_str).unwrap_or_default();
        let (of, into) = match about.map(named).filter(|(name, _)| *name == first && first != "contact") {
            Some((_, of)) => (of, &mut self.record),
            None if first == "contact" => ("Contact", &mut self.contact),
            None if first == "event" => return Ok(()),
            None => {
                let record = about.map(|about| named(about).0).filter(|name| *name != "contact");
                let others = record.map(|name| format!(", {name}")).unwrap_or_default();
                return Err(format!("names `{first}`, which is not there; there are event, contact{others}"));
            }
        };
        let Some(name) = way.get(1) else {
            into.extend(fields(of).filter(|name| !NESTED.contains(name)));
            return Ok(());
        };
        let field = fields(of).find(|field| field == name).ok_or_else(|| unknown(first, name, of))?;
        into.insert(field);
        let Some(next) = way.get(2) else { return Ok(()) };
        match part(of, field) {
            Some((of, false)) if way.len() == 3 && fields(of).any(|field| field == next) => Ok(()),
            Some((of, false)) if way.len() == 3 => Err(unknown(&format!("{first}.{name}"), next, of)),
            Some((_, true)) => Err(format!("names `{}`, and {first}.{name} is a list", way.join("."))),
            _ if LISTS.contains(&(of, field)) => {
                Err(format!("names `{}`, and {first}.{name} is a list", way.join(".")))
            }
            _ => Err(format!("names `{}`, and {first}.{name} has no fields", way.join("."))),
        }
    }

    /// Everything that both need.
    pub fn join(&mut self, other: &Self) {
        self.contact.extend(&other.contact);
        self.record.extend(&other.record);
    }

    /// Whether something of it is not known from the event: which contact and which record it is about, it tells.
    pub fn reads(&self) -> bool {
        self.reads_contact() || self.reads_record()
    }

    /// The same of the contact.
    pub fn reads_contact(&self) -> bool {
        self.contact.iter().any(|field| !["id", "locationId"].contains(field))
    }

    /// The same of the record.
    pub fn reads_record(&self) -> bool {
        self.record.iter().any(|field| !["id", "contactId"].contains(field))
    }

    /// The query that reads it, of the contact `$contact` and its record `$record`.
    pub fn query(&self, about: ChangedResource) -> String {
        let mut contact = match self.reads_contact() {
            true => self.contact.iter().map(|field| selection("Contact", field)).collect(),
            false => Vec::new(),
        };
        let (name, of) = named(about);
        let mut query = "query Facts($contact: ID!".to_owned();
        let mut record = String::new();
        if self.reads_record() {
            let fields = fields_of(of);
            match about {
                // There is no query for one appointment, so it is found among the contact's.
                ChangedResource::Appointment if self.contact.contains("appointments") => {}
                ChangedResource::Appointment => contact.push(selection("Contact", "appointments")),
                _ => {
                    query += ", $record: ID!";
                    record = format!(" {name}(contactId: $contact, id: $record) {{ {fields} }}");
                }
            }
        }
        query += ") {";
        if !contact.is_empty() {
            query += &format!(" contact(id: $contact) {{ {} }}", contact.join(" "));
        }
        query + &record + " }"
    }
}

fn fields_of(of: &str) -> String {
    fields(of).map(|field| selection(of, field)).collect::<Vec<_>>().join(" ")
}

/// A field with all of its own.
fn selection(of: &str, field: &str) -> String {
    match part(of, field) {
        Some((of, _)) => format!("{field} {{ {} }}", fields_of(of)),
        None => field.to_owned(),
    }
}

fn unknown(of: &str, name: &str, kind: &str) -> String {
    let there: Vec<&str> = fields(kind).collect();
    format!("names `{of}.{name}`, which is not there; {of} has {}", there.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(ways: &[&str], about: Option<ChangedResource>) -> Result<Needs, String> {
        let mut needs = Needs::default();
        for way in ways {
            needs.add(&way.split('.').map(str::to_owned).collect::<Vec<_>>(), about)?;
        }
        Ok(needs)
    }

    #[test]
    fn only_what_is_named_is_read() {
        let query = |ways: &[&str], about| needs(ways, Some(about)).expect("names").query(about);
        assert_eq!(
            query(&["contact.name", "contact.address.city", "event.x"], ChangedResource::Contact),
            "query Facts($contact: ID!) { contact(id: $contact) { address { line1 city state postalCode country } name } }"
        );
        assert_eq!(
            query(&["note.note", "contact.id"], ChangedResource::Note),
            "query Facts($contact: ID!, $record: ID!) { note(contactId: $contact, id: $record) \
             { id note title pinned color userId dateCreated contactId } }"
        );
        let appointment = query(&["appointment.startTime", "contact.name"], ChangedResource::Appointment);
        assert!(appointment.contains("{ name appointments { id title status startTime"), "{appointment}");
        let whole = query(&["contact"], ChangedResource::Task);
        assert!(whole.contains("email") && !whole.contains("tasks") && !whole.contains("notes"), "{whole}");
    }

    #[test]
    fn what_the_event_tells_is_not_read() {
        for (ways, reads) in [
            (&["event.timestamp", "contact.id", "note.id", "note.contactId"][..], false),
            (&["contact.id", "contact.tags"], true),
            (&["note.note"], true),
        ] {
            assert_eq!(needs(ways, Some(ChangedResource::Note)).expect("names").reads(), reads, "{ways:?}");
        }
    }

    #[test]
    fn a_name_that_is_not_there_is_told_with_those_that_are() {
        for (way, about, why) in [
            ("contact.nam", Some(ChangedResource::Contact), "contact has"),
            ("contact.address.town", None, "contact.address has line1"),
            ("contact.name.first", None, "has no fields"),
            ("contact.tags.first", None, "is a list"),
            ("contact.tasks.title", None, "is a list"),
            ("note.note", Some(ChangedResource::Task), "there are event, contact, task"),
            ("note.note", None, "there are event, contact"),
            ("note.body", Some(ChangedResource::Note), "note has id, note"),
        ] {
            let told = needs(&[way], about).expect_err(way);
            assert!(told.contains(why), "{way}: {told}");
        }
    }
}
