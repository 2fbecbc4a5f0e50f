//! The vendor's own bodies, and the ways in which real ones were seen to differ from them.
//!
//! `vendor/examples.json` holds the example of each of the eight reading routes, put together from the examples of
//! the fields in the vendor's OpenAPI description of contacts (CC0).

use std::collections::BTreeMap;

use contacts_gateway::sandbox::Fault;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::*;

const TASK: &str = "GET /contacts/{contactId}/tasks/{taskId}";
const NOTE: &str = "GET /contacts/{contactId}/notes/{id}";

/// Field of the schema, key on the wire.
const CONTACT_KEYS: &[(&str, &str)] = &[
    ("id", "id"),
    ("locationId", "locationId"),
    ("name", "name"),
    ("firstName", "firstName"),
    ("lastName", "lastName"),
    ("email", "email"),
    ("phone", "phone"),
    ("company", "companyName"),
    ("website", "website"),
    ("type", "type"),
    ("source", "source"),
    ("timezone", "timezone"),
    ("tags", "tags"),
    ("dnd", "dnd"),
    ("dateOfBirth", "dateOfBirth"),
    ("assignedTo", "assignedTo"),
    ("businessId", "businessId"),
    ("customFields", "customFields"),
    ("dateCreated", "dateAdded"),
    ("dateUpdated", "dateUpdated"),
];
const ADDRESS_KEYS: &[(&str, &str)] = &[
    ("line1", "address1"),
    ("city", "city"),
    ("state", "state"),
    ("postalCode", "postalCode"),
    ("country", "country"),
];
const TASK_KEYS: &[(&str, &str)] = &[
    ("id", "id"),
    ("title", "title"),
    ("body", "body"),
    ("completed", "completed"),
    ("dueDate", "dueDate"),
    ("assignedTo", "assignedTo"),
    ("contactId", "contactId"),
];
const NOTE_KEYS: &[(&str, &str)] = &[
    ("id", "id"),
    ("note", "body"),
    ("title", "title"),
    ("pinned", "pinned"),
    ("color", "color"),
    ("userId", "userId"),
    ("dateCreated", "dateAdded"),
    ("contactId", "contactId"),
];
const APPOINTMENT_KEYS: &[(&str, &str)] = &[
    ("id", "id"),
    ("title", "title"),
    ("startTime", "startTime"),
    ("endTime", "endTime"),
    ("address", "address"),
    ("notes", "notes"),
    ("calendarId", "calendarId"),
    ("groupId", "groupId"),
    ("assignedUserId", "assignedUserId"),
    ("users", "users"),
    ("dateCreated", "dateAdded"),
    ("dateUpdated", "dateUpdated"),
    ("contactId", "contactId"),
];

fn examples() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("vendor/examples.json")).expect("JSON")
}

fn fields(keys: &[(&str, &str)]) -> String {
    let nested = |field| if field == "customFields" { "customFields { id value }" } else { field };
    keys.iter().map(|(field, _)| nested(*field)).collect::<Vec<_>>().join(" ")
}

/// Times are compared as moments: those without a zone are in the gateway's own, UTC here.
fn assert_kept(told: &Value, wire: &Value, keys: &[(&str, &str)]) {
    for (field, key) in keys {
        let (told, wire) = (&told[field], &wire[key]);
        let is_time =
            field.starts_with("date") && *field != "dateOfBirth" || field.ends_with("Time") || *field == "dueDate";
        match wire.as_str().filter(|_| is_time) {
            None => assert_eq!(told, wire, "{field}"),
            Some(text) => {
                let text = if text.contains('T') { text.to_owned() } else { format!("{}Z", text.replace(' ', "T")) };
                let moment = |text: &str| text.parse::<Timestamp>().expect("a moment");
                assert_eq!(moment(told.as_str().expect("a moment")), moment(&text), "{field}");
            }
        }
    }
}

async fn stage_of_examples() -> Stage {
    // The location of the examples: a record of another one would not be shown.
    let stage = Stage::set(&[("LOCATION_ID", "ve9EPM428h8vShlRW1KT")]).await;
    for (route, body) in examples() {
        stage.sandbox.fault(Fault::on(&route).status(200).body(body));
    }
    stage
}

#[tokio::test]
async fn the_examples_of_a_contact_its_tasks_notes_and_appointments_lose_no_field() {
    let (stage, wire) = (stage_of_examples().await, examples());
    let query = format!(
        r#"{{ contact(id: "seD4PfOuKoVMLkEZqohJ") {{ {} address {{ {} }} tasks {{ {task} status }} notes {{ {note} }} appointments {{ {} status }} }}
            task(contactId: "seD4PfOuKoVMLkEZqohJ", id: "other") {{ {task} status }} note(contactId: "seD4PfOuKoVMLkEZqohJ", id: "other") {{ {note} }} }}"#,
        fields(CONTACT_KEYS),
        fields(ADDRESS_KEYS),
        fields(APPOINTMENT_KEYS),
        task = fields(TASK_KEYS),
        note = fields(NOTE_KEYS),
    );
    let data = stage.data(&query, json!({})).await;
    let contact = &data["contact"];
    assert_kept(contact, &wire[CONTACT]["contact"], CONTACT_KEYS);
    assert_kept(&contact["address"], &wire[CONTACT]["contact"], ADDRESS_KEYS);
    assert_kept(&contact["tasks"][0], &wire[TASKS]["tasks"][0], TASK_KEYS);
    assert_kept(&contact["notes"][0], &wire[NOTES]["notes"][0], NOTE_KEYS);
    assert_kept(&contact["appointments"][0], &wire[APPOINTMENTS]["events"][0], APPOINTMENT_KEYS);
    assert_kept(&data["task"], &wire[TASK]["task"], TASK_KEYS);
    assert_kept(&data["note"], &wire[NOTE]["note"], NOTE_KEYS);
    assert_eq!(contact["tasks"][0]["status"], "COMPLETED");
    assert_eq!(data["task"]["status"], "COMPLETED");
    assert_eq!(contact["appointments"][0]["status"], "BOOKED");
}

#[tokio::test]
async fn the_examples_of_rows_lose_no_field_and_cost_no_further_call() {
    let (stage, wire) = (stage_of_examples().await, examples());
    let row = &wire[LIST]["contacts"][0];
    let keys: Vec<_> = CONTACT_KEYS.iter().copied().filter(|(_, key)| row.get(key).is_some()).collect();
    assert_eq!(keys.len(), 9);
    let fields = fields(&keys);
    let query = format!(
        r#"{{ contacts(first: 3) {{ nodes {{ {fields} address {{ country }} }} }}
            contactsByBusiness(businessId: "641c094001436dbc2081e642", first: 3) {{ nodes {{ {fields} address {{ country }} }} }} }}"#
    );
    let data = stage.data(&query, json!({})).await;
    for list in ["contacts", "contactsByBusiness"] {
        let node = &data[list]["nodes"][0];
        assert_kept(node, row, &keys);
        assert_eq!(node["address"]["country"], "DE");
    }
    assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1), (BUSINESS, 1)]));
}

#[tokio::test]
async fn what_cannot_be_read_is_null_and_everything_else_is_answered() {
    let stage = Stage::new().await;
    let contact = json!({ "contact": { "id": "c1", "firstName": "Zoë", "lastName": "O'Neil", "email": null, "tags": null,
        "dateAdded": "not a date", "lastActivity": 1_767_225_600_000_u64, "dnd": "maybe", "phone": 15_550_100,
        "customFields": [{ "id": "f1", "value": 7 }, { "id": "f2", "value": ["a"] }, { "id": "f3", "value": { "k": 1 } }],
        "brandNew": { "deep": [1] } }, "extra": 1 });
    let tasks = json!({ "tasks": [{ "_id": "t1", "title": "Call", "completed": false, "status": "open", "new": 1 }] });
    let events = json!({ "events": [{ "id": "e1", "status": "something-new", "startTime": "2026-03-04T11:00:00-06:00" },
        { "id": "e2", "appointmentStatus": "noshow", "status": "booked", "startTime": "2026-03-04 11:00:00" }] });
    for (route, body) in [(CONTACT, contact), (TASKS, tasks), (NOTES, json!({ "notes": null })), (APPOINTMENTS, events)]
    {
        stage.sandbox.fault(Fault::on(route).status(200).body(body));
    }
    let query = r#"{ contact(id: "c1") { name email phone tags dnd dateCreated customFields { id value }
        tasks { id title status dueDate priority contactId } notes { id } appointments { id status startTime } } }"#;
    insta::assert_json_snapshot!(stage.data(query, json!({})).await);
}

#[tokio::test]
async fn a_time_without_a_zone_is_in_the_zone_of_the_location() {
    let stage = Stage::set(&[("TIMEZONE", "America/Chicago")]).await;
    let events =
        json!({ "events": [{ "id": "e1", "startTime": "2026-01-15 09:00:00", "endTime": "2026-07-15 09:00:00" }] });
    stage.sandbox.fault(Fault::on(APPOINTMENTS).status(200).body(events));
    let query = "query Z($id: ID!) { contact(id: $id) { appointments { startTime endTime } } }";
    let data = stage.data(query, json!({ "id": stage.ids()[0] })).await;
    let want = json!([{ "startTime": "2026-01-15T15:00:00Z", "endTime": "2026-07-15T14:00:00Z" }]);
    assert_eq!(data["contact"]["appointments"], want);
}

#[tokio::test]
async fn both_spellings_of_what_the_sandbox_can_play_give_the_same_profile() {
    let plain = Stage::new().await;
    let id = plain.ids()[0].clone();
    let want = plain.data(PROFILE, json!({ "id": id })).await;
    for quirks in ["rfc3339-times", "underscore-ids", "no-name", "plain-rows", "no-rate-headers"] {
        let stage = Stage::quirky(quirks).await;
        assert_eq!(stage.data(PROFILE, json!({ "id": id })).await, want, "{quirks}");
    }
}
