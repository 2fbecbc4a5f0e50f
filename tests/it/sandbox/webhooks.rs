//! Events about changes: which there are, what is in them, who can tell that they are the sandbox's, and how they come.

use super::writes::path;
use super::{Stage, read};
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch};

/// The keys that every event has.
const COMMON: &str = "type locationId appId versionId timestamp webhookId";

const CONTACT: &str = "id address1 city state companyName country source dateAdded dateOfBirth dnd email name firstName lastName phone \
    postalCode tags website attachments assignedTo customFields";
const TASK: &str = "id assignedTo body contactId title dateAdded dueDate";

/// The keys that each event may have beside those, as the API's event pages have them.
fn documented(kind: &str) -> BTreeSet<String> {
    let keys = match kind {
        "ContactCreate" | "ContactUpdate" | "ContactDelete" | "ContactTagUpdate" => CONTACT.to_owned(),
        "ContactDndUpdate" => format!("{CONTACT} dndSettings"),
        "NoteCreate" | "NoteUpdate" | "NoteDelete" => "id body contactId dateAdded".to_owned(),
        "TaskCreate" | "TaskComplete" | "TaskDelete" => TASK.to_owned(),
        "AppointmentCreate" | "AppointmentUpdate" | "AppointmentDelete" => "appointment".to_owned(),
        other => panic!("there is no event {other}"),
    };
    keys.split_whitespace().chain(COMMON.split(' ')).map(String::from).collect()
}

const APPOINTMENT: &str = "id address title calendarId contactId groupId appointmentStatus assignedUserId users notes source startTime \
    endTime dateAdded dateUpdated";

/// Looks whether an event has what all have, nothing that its page has not, and values of the right sorts.
fn holds(event: &Value, location: &str) {
    let kind = event["type"].as_str().unwrap();
    let keys: BTreeSet<String> = event.as_object().unwrap().keys().cloned().collect();
    let more: Vec<_> = keys.difference(&documented(kind)).cloned().collect();
    assert!(more.is_empty(), "{kind} has {more:?}");
    for key in COMMON.split(' ').filter(|key| *key != "type") {
        assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{kind} has no {key}: {event}");
    }
    assert_eq!((&event["locationId"], &event["appId"]), (&json!(location), &json!("app")));
    let at = event["timestamp"].as_str().unwrap();
    assert!(at.parse::<jiff::Timestamp>().is_ok() && at.len() == 24 && at.ends_with('Z'), "{at}");
    let id: Vec<&str> = event["webhookId"].as_str().unwrap().split('-').collect();
    assert_eq!(id.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(id[2].starts_with('4') && id[3].starts_with(['8', '9', 'a', 'b']), "{id:?}");
    for (key, value) in event.as_object().unwrap() {
        let fits = match &**key {
            "dnd" => value.is_boolean(),
            "tags" | "attachments" | "customFields" => value.is_array(),
            "dndSettings" | "appointment" => value.is_object(),
            _ => value.is_string(),
        };
        assert!(fits, "{kind}: {key} is {value}");
    }
    for (key, value) in event["appointment"].as_object().into_iter().flatten() {
        assert!(APPOINTMENT.split_whitespace().any(|known| known == key), "an appointment has {key}");
        assert!(if key == "users" { value.is_array() } else { value.is_string() }, "{key} is {value}");
    }
}

/// An event as it came.
#[derive(Clone)]
struct Came {
    headers: HeaderMap,
    body: Bytes,
}

impl Came {
    fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn signature(&self) -> Vec<u8> {
        STANDARD.decode(&self.headers["x-ghl-signature"]).unwrap()
    }
}

/// Where events are sent.
struct Receiver {
    url: String,
    came: watch::Receiver<Vec<Came>>,
    status: Arc<Mutex<StatusCode>>,
}

type Shared = (Arc<watch::Sender<Vec<Came>>>, Arc<Mutex<StatusCode>>);

impl Receiver {
    async fn start() -> Self {
        async fn take(State((came, status)): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
            came.send_modify(|all| all.push(Came { headers, body }));
            *status.lock().unwrap()
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (sender, came) = watch::channel(Vec::new());
        let status = Arc::new(Mutex::new(StatusCode::OK));
        let app = Router::new().route("/hook", post(take)).with_state((Arc::new(sender), status.clone()));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, came, status }
    }

    fn answers(&self, status: u16) {
        *self.status.lock().unwrap() = StatusCode::from_u16(status).unwrap();
    }

    /// The first so many.
    async fn first(&self, events: usize) -> Vec<Came> {
        self.came.clone().wait_for(|came| came.len() >= events).await.unwrap().clone()
    }

    fn kinds(&self) -> Vec<String> {
        kinds(&self.came.borrow().iter().map(Came::event).collect::<Vec<_>>())
    }
}

fn kinds(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

async fn both(quirks: &str) -> (Stage, Receiver) {
    let receiver = Receiver::start().await;
    let (webhooks, quirks) = (Some(receiver.url.parse().unwrap()), quirks.parse().unwrap());
    (Stage::new(Options { contacts: 5, webhooks, quirks, ..Options::default() }).await, receiver)
}

impl Stage {
    /// The events of one call.
    async fn events_of(&self, method: &str, path: &str, body: Value) -> Vec<Value> {
        let held = self.sandbox.hold_events();
        let (status, answer) = self.send(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        let events = held.arrived(0).await;
        held.lose();
        events
    }

    async fn note(&self, text: &str) {
        self.send("POST", &path("/notes"), json!({ "body": text })).await;
    }

    async fn order(&self, what: Value) -> (u16, Value) {
        let url = self.sandbox.url() + "/__sandbox/webhooks";
        read(self.client.post(url).json(&what).send().await.unwrap()).await
    }
}

#[tokio::test]
async fn every_write_is_told_as_its_event_and_as_documented() {
    let (stage, _receiver) = both("").await;
    let (location, one) = (&stage.location, |more: &str| path(more));
    let task = json!({ "title": "t", "dueDate": "2027-01-01T00:00:00Z", "completed": false });
    let (_, made) = stage.send("POST", &one("/tasks"), task.clone()).await;
    let task_id = made["task"]["id"].as_str().unwrap().to_owned();
    let (_, made) = stage.send("POST", &one("/notes"), json!({ "body": "n" })).await;
    let note_id = made["note"]["id"].as_str().unwrap().to_owned();
    let other = stage.sandbox.contact_ids(location).into_iter().find(|id| id != DEMO_CONTACT).unwrap();
    let (tasks, notes) = (one(&format!("/tasks/{task_id}")), one(&format!("/notes/{note_id}")));
    let many = json!({ "contacts": [DEMO_CONTACT, other], "tags": ["many"], "locationId": location });
    let business = json!({ "locationId": location, "ids": [other], "businessId": "b" });
    let dnd = json!({ "dndSettings": { "SMS": { "status": "active", "message": "", "code": "" } } });
    let new = json!({ "locationId": location, "name": "Bo Ek", "email": "bo@new.example" });
    let writes: [(&str, String, Value, &[&str]); 26] = [
        ("POST", "/contacts/".into(), new.clone(), &["ContactCreate"]),
        (
            "POST",
            "/contacts/upsert".into(),
            json!({ "locationId": location, "email": "x@new.example" }),
            &["ContactCreate"],
        ),
        (
            "POST",
            "/contacts/upsert".into(),
            json!({ "locationId": location, "email": "bo@new.example", "city": "Oslo" }),
            &["ContactUpdate"],
        ),
        ("PUT", one(""), json!({ "lastName": "New" }), &["ContactUpdate"]),
        ("PUT", one(""), json!({ "customFields": [{ "id": "f", "field_value": 1 }] }), &["ContactUpdate"]),
        ("PUT", one(""), json!({ "tags": ["only"], "lastName": "Newer" }), &["ContactUpdate", "ContactTagUpdate"]),
        ("PUT", one(""), json!({ "dnd": true }), &["ContactDndUpdate"]),
        ("PUT", one(""), dnd, &["ContactDndUpdate"]),
        // What no event shows.
        ("PUT", one(""), json!({ "timezone": "Europe/Oslo" }), &[]),
        ("PUT", one(""), json!({ "lastName": "Newer" }), &[]),
        ("POST", one("/tags"), json!({ "tags": ["a"] }), &["ContactTagUpdate"]),
        ("DELETE", one("/tags"), json!({ "tags": ["a"] }), &["ContactTagUpdate"]),
        ("POST", one("/tasks"), task, &["TaskCreate"]),
        ("PUT", tasks.clone(), json!({ "title": "changed" }), &[]),
        ("PUT", format!("{tasks}/completed"), json!({ "completed": true }), &["TaskComplete"]),
        ("PUT", format!("{tasks}/completed"), json!({ "completed": false }), &[]),
        ("PUT", tasks.clone(), json!({ "completed": true }), &["TaskComplete"]),
        ("DELETE", tasks, Value::Null, &["TaskDelete"]),
        ("POST", one("/notes"), json!({ "body": "n" }), &["NoteCreate"]),
        ("PUT", notes.clone(), json!({ "body": "m" }), &["NoteUpdate"]),
        ("DELETE", notes, Value::Null, &["NoteDelete"]),
        ("POST", one("/followers"), json!({ "followers": ["u"] }), &[]),
        ("POST", "/contacts/bulk/tags/update/add".into(), many, &["ContactTagUpdate", "ContactTagUpdate"]),
        ("POST", "/contacts/bulk/business".into(), business, &[]),
        ("POST", one("/workflow/w"), json!({}), &[]),
        // What belonged to it goes without a word.
        ("DELETE", one(""), Value::Null, &["ContactDelete"]),
    ];
    for (method, path, body, want) in writes {
        let events = stage.events_of(method, &path, body.clone()).await;
        assert_eq!(kinds(&events), want, "{method} {path} {body}");
        events.iter().for_each(|event| holds(event, location));
    }
    let held = stage.sandbox.hold_events();
    assert_eq!(stage.send("POST", "/contacts/", new).await.0, 400);
    assert_eq!(held.arrived(0).await, Vec::<Value>::new(), "a refusal changes nothing");
}

#[tokio::test]
async fn an_event_tells_what_the_record_has() {
    let (stage, _receiver) = both("").await;
    let new = json!({ "locationId": stage.location, "name": "Bo Ek", "email": "bo@new.example", "tags": ["a"], "companyName": "C" });
    let created = stage.events_of("POST", "/contacts/", new).await.remove(0);
    assert_eq!(
        (&created["name"], &created["firstName"], &created["email"]),
        (&json!("Bo Ek"), &json!("Bo"), &json!("bo@new.example"))
    );
    assert_eq!(
        (&created["tags"], &created["companyName"], &created["dnd"]),
        (&json!(["a"]), &json!("C"), &json!(false))
    );
    let one = format!("/contacts/{}", created["id"].as_str().unwrap());
    let due = json!({ "title": "t", "body": "b", "dueDate": "2027-01-01T00:00:00Z", "completed": false });
    let task = stage.events_of("POST", &format!("{one}/tasks"), due).await.remove(0);
    assert_eq!((&task["contactId"], &task["title"], &task["body"]), (&created["id"], &json!("t"), &json!("b")));
    assert_eq!(task["dueDate"], "2027-01-01T00:00:00.000Z");
    let note =
        stage.events_of("POST", &format!("{one}/notes"), json!({ "body": "call back", "title": "T" })).await.remove(0);
    assert_eq!((&note["contactId"], &note["body"], note.get("title")), (&created["id"], &json!("call back"), None));
    let gone = stage.events_of("DELETE", &one, Value::Null).await.remove(0);
    assert_eq!((&gone["id"], &gone["email"]), (&created["id"], &created["email"]));
}

#[tokio::test]
async fn what_is_changed_by_hand_is_told_too_appointments_with_an_offset() {
    let receiver = Receiver::start().await;
    let timezone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    let stage = Stage::new(Options { contacts: 5, timezone, ..Options::default() }).await;
    stage.sandbox.update_contact(&stage.location, DEMO_CONTACT, |contact| contact["city"] = json!("Bergen"));
    stage.sandbox.send_events_to(&receiver.url);
    let held = stage.sandbox.hold_events();
    let change = |change: &dyn Fn(&mut Value)| {
        stage.sandbox.update(&stage.location, DEMO_CONTACT, |record| change(&mut record.appointments[0]));
    };
    change(&|event| event["title"] = json!("Moved"));
    change(&|event| event["startTime"] = json!("2026-07-01T15:00:00.000Z"));
    stage.sandbox.update(&stage.location, DEMO_CONTACT, |record| drop(record.appointments.remove(0)));
    stage.sandbox.update(&stage.location, DEMO_CONTACT, |record| {
        record
            .appointments
            .push(json!({ "id": "e", "contactId": DEMO_CONTACT, "startTime": "2026-12-01T15:00:00.000Z" }));
    });
    let events = held.arrived(4).await;
    assert_eq!(kinds(&events), ["AppointmentUpdate", "AppointmentUpdate", "AppointmentDelete", "AppointmentCreate"]);
    events.iter().for_each(|event| holds(event, &stage.location));
    assert_eq!(
        (&events[0]["appointment"]["title"], &events[0]["appointment"]["contactId"]),
        (&json!("Moved"), &json!(DEMO_CONTACT))
    );
    let starts = [1, 3].map(|at: usize| events[at]["appointment"]["startTime"].clone());
    assert_eq!(starts, ["2026-07-01T11:00:00-04:00", "2026-12-01T10:00:00-05:00"]);
}

/// The public key of 32 bytes that a PEM file ends with.
fn key(sandbox: &Sandbox) -> Vec<u8> {
    let pem = &sandbox.info().webhook_public_key;
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    assert_eq!((der.len(), &der[..12]), (44, &[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..]));
    der[12..].to_vec()
}

#[tokio::test]
async fn an_event_is_signed_over_its_bytes_by_the_key_that_the_sandbox_tells() {
    let (stage, receiver) = both("").await;
    stage.note("n").await;
    let came = receiver.first(1).await.remove(0);
    assert_eq!(came.headers["content-type"], "application/json");
    let key = UnparsedPublicKey::new(&ED25519, key(&stage.sandbox));
    let (body, signature) = (came.body.to_vec(), came.signature());
    assert_eq!(signature.len(), 64);
    assert!(key.verify(&body, &signature).is_ok());
    for bit in 0..(body.len() + signature.len()) * 8 {
        let mut bytes = [&body[..], &signature].concat();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (body, signature) = bytes.split_at(body.len());
        assert!(key.verify(body, signature).is_err(), "bit {bit} may be another");
    }
    assert_eq!(stage.control("info").await["webhookPublicKey"], json!(stage.sandbox.info().webhook_public_key));
}

#[tokio::test]
async fn a_seed_has_its_key_and_each_event_an_id_of_its_own() {
    let start = async |seed| {
        let options =
            Options { contacts: 1, seed, webhooks: Some("http://127.0.0.1:9/".parse().unwrap()), ..Options::default() };
        Stage::new(options).await
    };
    let (a, again, b) = (start(1).await, start(1).await, start(2).await);
    assert_eq!(key(&a.sandbox), key(&again.sandbox));
    assert_ne!(key(&a.sandbox), key(&b.sandbox));
    let mut ids = BTreeSet::new();
    for stage in [&a, &a, &again] {
        let event = stage.events_of("POST", &path("/notes"), json!({ "body": "n" })).await.remove(0);
        ids.insert(event["webhookId"].to_string());
    }
    assert_eq!(ids.len(), 3, "who was told by one sandbox is told by the next one, too");
}

#[tokio::test]
async fn quirks_change_what_is_told() {
    let due = json!({ "title": "t", "body": "b", "dueDate": "2027-01-01T00:00:00Z", "completed": false });
    let (stage, _receiver) = both("bare-task-events").await;
    let bare = stage.events_of("POST", &path("/tasks"), due.clone()).await.remove(0);
    assert_eq!((bare.get("contactId"), bare.get("body"), &bare["title"]), (None, None, &json!("t")));
    let (stage, _receiver) = both("wrapped-events").await;
    let wrapped = stage.events_of("POST", &path("/tasks"), due).await.remove(0);
    assert_eq!((wrapped.get("title"), &wrapped["data"]["title"]), (None, &json!("t")));
    assert_eq!((&wrapped["type"], &wrapped["locationId"]), (&json!("TaskCreate"), &json!(stage.location)));
    let (stage, _receiver) = both("appointment-create-events").await;
    let held = stage.sandbox.hold_events();
    stage.sandbox.update(&stage.location, DEMO_CONTACT, |record| record.appointments.clear());
    let events = held.arrived(1).await;
    assert!(kinds(&events).iter().all(|kind| kind == "AppointmentCreate"), "{events:?}");
    let (stage, receiver) = both("doubled-events").await;
    stage.note("n").await;
    let came = receiver.first(2).await;
    assert_eq!((&came[0].body, came[0].signature()), (&came[1].body, came[1].signature()));
}

#[tokio::test]
async fn events_come_late_twice_out_of_order_or_never_as_it_is_arranged() {
    let (stage, receiver) = both("").await;
    let held = stage.sandbox.hold_events();
    for text in ["0", "1", "2", "3"] {
        stage.note(text).await;
    }
    held.arrived(4).await;
    held.send(&[2, 0, 2]);
    let texts = |came: &[Came]| -> Vec<String> {
        came.iter().map(|came| came.event()["body"].as_str().unwrap().to_owned()).collect()
    };
    let came = receiver.first(3).await;
    assert_eq!((texts(&came), &came[0].body), (["2", "0", "2"].map(String::from).to_vec(), &came[2].body));
    // "1" and "3" wait on, and what comes waits with them.
    stage.note("4").await;
    held.arrived(3).await;
    held.release();
    stage.note("5").await;
    assert_eq!(texts(&receiver.first(7).await)[3..], ["1", "3", "4", "5"]);
    let held = stage.sandbox.hold_events();
    stage.note("6").await;
    held.lose();
    stage.note("7").await;
    let posted = stage.sandbox.posted(|posted| posted.delivered == 8).await;
    assert_eq!((posted.lost, posted.held), (1, 0));
    assert_eq!(texts(&receiver.first(8).await)[7..], ["7"]);
}

#[tokio::test]
async fn the_same_can_be_arranged_over_http() {
    let (stage, receiver) = both("").await;
    assert_eq!(stage.order(json!("hold")).await, (200, json!({ "held": [] })));
    stage.note("0").await;
    stage.note("1").await;
    let (_, answer) = stage.order(json!({ "send": [1] })).await;
    assert_eq!(answer["held"][0]["body"], "0");
    stage.order(json!("release")).await;
    let came = receiver.first(2).await;
    assert_eq!([&came[0].event()["body"], &came[1].event()["body"]], ["1", "0"]);
    stage.sandbox.posted(|posted| posted.delivered == 2).await;
    assert_eq!(stage.control("calls").await["webhooks"], json!({ "delivered": 2, "lost": 0, "putOff": 0, "held": 0 }));
    stage.order(json!("hold")).await;
    stage.note("2").await;
    stage.order(json!("lose")).await;
    assert_eq!(stage.control("calls").await["webhooks"]["lost"], 1);
    assert_eq!(stage.order(json!({ "send": "all" })).await.0, 400);
    let url = stage.sandbox.url() + "/__sandbox/reset";
    stage.client.post(url).send().await.unwrap();
    assert_eq!(stage.control("calls").await["webhooks"]["lost"], 0);
}

/// A little more than the sandbox waits at most before it sends an event again.
const LATER: Duration = Duration::from_secs(701);

#[tokio::test]
async fn only_an_event_that_was_put_off_is_sent_again_the_same_and_six_times_at_most() {
    let (stage, receiver) = both("").await;
    receiver.answers(429);
    stage.note("n").await;
    stage.sandbox.posted(|posted| posted.put_off == 1).await;
    for again in 2..=7 {
        stage.sandbox.advance(LATER);
        stage.sandbox.posted(|posted| posted.put_off == again).await;
    }
    let posted = stage.sandbox.posted(|posted| posted.lost == 1).await;
    assert_eq!((posted.put_off, posted.delivered), (7, 0));
    stage.sandbox.advance(LATER);
    // Others are final.
    for status in [500, 503, 400, 401, 301] {
        receiver.answers(status);
        stage.note("n").await;
    }
    stage.sandbox.posted(|posted| posted.lost == 6).await;
    stage.sandbox.advance(LATER);
    receiver.answers(200);
    stage.note("last").await;
    let posted = stage.sandbox.posted(|posted| posted.delivered == 1).await;
    assert_eq!(posted.lost, 6);
    let mut times = BTreeMap::<Bytes, usize>::new();
    receiver.came.borrow().iter().for_each(|came| *times.entry(came.body.clone()).or_default() += 1);
    let mut times: Vec<usize> = times.into_values().collect();
    times.sort_unstable();
    assert_eq!(times, [1, 1, 1, 1, 1, 1, 7]);
    assert!(receiver.kinds().iter().all(|kind| kind == "NoteCreate"));
}

#[tokio::test]
async fn an_event_that_was_put_off_waits_while_others_go_and_is_taken_then() {
    let (stage, receiver) = both("").await;
    receiver.answers(429);
    stage.note("late").await;
    stage.sandbox.posted(|posted| posted.put_off == 1).await;
    receiver.answers(200);
    stage.note("soon").await;
    stage.sandbox.posted(|posted| posted.delivered == 1).await;
    stage.sandbox.advance(LATER);
    stage.sandbox.posted(|posted| posted.delivered == 2).await;
    let texts: Vec<Value> = receiver.first(3).await.iter().map(|came| came.event()["body"].clone()).collect();
    assert_eq!(texts, ["late", "soon", "late"]);
}

#[tokio::test]
async fn a_receiver_that_is_away_or_does_not_answer_holds_up_no_write() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (stage, _receiver) = both("").await;
    stage.sandbox.send_events_to(&format!("http://{}/", silent.local_addr().unwrap()));
    for text in ["0", "1", "2"] {
        assert_eq!(stage.send("POST", &path("/notes"), json!({ "body": text })).await.0, 201);
    }
    assert_eq!(stage.sandbox.posted(|_| true).await.delivered, 0);
    // Nobody listens any more, and the connection that was not answered ends.
    stage.sandbox.send_events_to("http://127.0.0.1:9/");
    drop(silent);
    let posted = stage.sandbox.posted(|posted| posted.lost == 3).await;
    assert_eq!(posted.delivered, 0);
}

#[tokio::test]
async fn nothing_is_sent_or_told_without_an_address() {
    let stage = Stage::with("").await;
    stage.note("n").await;
    assert_eq!(stage.sandbox.posted(|_| true).await, Default::default());
    assert_eq!(stage.control("calls").await.get("webhooks"), None);
    assert!(stage.sandbox.info().webhook_public_key.starts_with("-----BEGIN PUBLIC KEY-----\n"));
}
