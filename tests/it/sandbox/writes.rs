//! The writes: what they answer, what they refuse, and what holds, faults and lagging lists do to them.

use super::{Stage, ids, read};
use contacts_gateway::sandbox::{Cut, DEMO_CONTACT, Fault, Options};
use serde_json::{Value, json};
use std::time::Duration;

impl Stage {
    pub(super) async fn send(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = method.parse().unwrap();
        let call = self.client.request(method, self.sandbox.url() + path).bearer_auth(&self.token);
        let call = call.header("version", "2021-07-28");
        let call = if body.is_null() { call } else { call.json(&body) };
        read(call.send().await.unwrap()).await
    }

    async fn create(&self, mut body: Value) -> (u16, Value) {
        body["locationId"] = json!(self.location);
        self.send("POST", "/contacts/", body).await
    }
}

pub(super) fn path(more: &str) -> String {
    format!("/contacts/{DEMO_CONTACT}{more}")
}

#[tokio::test]
async fn a_contact_is_created_changed_and_deleted() {
    let stage = Stage::with("").await;
    let (status, body) = stage
        .create(json!({"name": "Bo Van Dam", "email": "bo@new.example", "tags": ["a", "a"], "customFields": [{"id": "f", "field_value": 7}]}))
        .await;
    let contact = &body["contact"];
    assert_eq!((status, &contact["firstName"], &contact["lastName"]), (201, &json!("Bo"), &json!("Van Dam")));
    assert_eq!((&contact["tags"], &contact["customFields"]), (&json!(["a"]), &json!([{"id": "f", "value": 7}])));
    let id = contact["id"].as_str().unwrap();
    assert_eq!(ids(&stage.list("&limit=1").await), [id]);
    let one = format!("/contacts/{id}");
    let change =
        json!({"email": null, "lastName": "Ek", "tags": ["b"], "customFields": [{"id": "g", "field_value": ["x"]}]});
    let (status, body) = stage.send("PUT", &one, change).await;
    assert_eq!((status, &body["succeded"], &body["contact"]["name"]), (200, &json!(true), &json!("Bo Ek")));
    assert_eq!(
        (body["contact"].get("email"), &body["contact"]["tags"]),
        (None, &json!(["b"])),
        "all tags are replaced"
    );
    let fields = json!([{"id": "f", "value": 7}, {"id": "g", "value": ["x"]}]);
    assert_eq!(body["contact"]["customFields"], fields, "only the named fields change");
    assert_eq!(stage.send("DELETE", &one, Value::Null).await, (200, json!({"succeded": true})));
    let (status, body) = stage.send("DELETE", &one, Value::Null).await;
    assert_eq!((status, &body["error"]), (400, &json!(format!("Contact with id {id} not found"))));
}

#[tokio::test]
async fn a_duplicate_is_400_with_the_other_and_an_upsert_changes_it() {
    let stage = Stage::with("").await;
    let (status, body) = stage.create(json!({"name": "X", "email": "AMARA.lindqvist@example.com"})).await;
    assert_eq!((status, &body["message"]), (400, &json!("This location does not allow duplicated contacts.")));
    assert_eq!(
        body["meta"],
        json!({"contactId": DEMO_CONTACT, "contactName": "Amara Lindqvist", "matchingField": "email"})
    );
    let phone = stage.sandbox.record(&stage.location, DEMO_CONTACT).contact["phone"].clone();
    assert_eq!(stage.create(json!({"name": "X", "phone": phone})).await.1["meta"]["matchingField"], "phone");
    let upsert = |body: Value| stage.send("POST", "/contacts/upsert", body);
    let (status, body) = upsert(json!({"locationId": stage.location, "phone": phone, "firstName": "Amy"})).await;
    assert_eq!((status, &body["new"], &body["contact"]["firstName"]), (200, &json!(false), &json!("Amy")));
    let (_, body) =
        upsert(json!({"locationId": stage.location, "phone": "+15550000", "createNewIfDuplicateAllowed": true})).await;
    assert_eq!(body["new"], true);
    let search = format!("/contacts/search/duplicate?locationId={}", stage.location);
    let found = stage.get(&format!("{search}&number=%2B15550000")).await;
    assert_eq!((found.0, &found.1["contact"]["id"]), (200, &body["contact"]["id"]));
    let stranger = stage.get(&format!("{search}&email=no@no.example")).await;
    assert_eq!(stranger, (200, json!({"contact": null})));
}

#[tokio::test]
async fn each_form_refuses_what_it_does_not_know_and_what_is_of_another_type() {
    let stage = Stage::with("").await;
    let record = stage.sandbox.record(&stage.location, DEMO_CONTACT);
    let task = path(&format!("/tasks/{}", record.tasks[0]["id"].as_str().unwrap()));
    let note = path(&format!("/notes/{}", record.notes[0]["id"].as_str().unwrap()));
    let rows = [
        (
            "PUT",
            path(""),
            json!({"companyName": "X", "locationId": "L", "gender": "x"}),
            vec![
                "property companyName should not exist",
                "property gender should not exist",
                "property locationId should not exist",
            ],
        ),
        (
            "PUT",
            path(""),
            json!({"email": "no", "dnd": null, "tags": [1], "country": null}),
            vec![
                "country must be a string",
                "dnd must be a boolean value",
                "email must be an email",
                "tags must be an array of strings",
            ],
        ),
        (
            "POST",
            path("/tasks"),
            json!({"title": "x", "status": "open"}),
            vec!["property status should not exist", "dueDate should not be empty", "completed should not be empty"],
        ),
        (
            "PUT",
            task.clone(),
            json!({"dueDate": "soon", "body": null}),
            vec!["body must be a string", "dueDate must be a valid ISO 8601 date string"],
        ),
        ("PUT", format!("{task}/completed"), json!({"completed": "yes"}), vec!["completed must be a boolean value"]),
        ("POST", path("/notes"), json!({"title": "x"}), vec!["body should not be empty"]),
        ("PUT", note.clone(), json!({"dateAdded": "x"}), vec!["property dateAdded should not exist"]),
        ("POST", path("/tags"), json!({"tags": "a"}), vec!["tags must be an array of strings"]),
        ("DELETE", path("/tags"), Value::Null, vec!["tags should not be empty"]),
        (
            "POST",
            "/contacts/".into(),
            json!({"locationId": stage.location, "nope": 1}),
            vec!["property nope should not exist"],
        ),
        (
            "POST",
            "/contacts/upsert".into(),
            json!({"locationId": stage.location, "createNewIfDuplicateAllowed": 1}),
            vec!["createNewIfDuplicateAllowed must be a boolean value"],
        ),
    ];
    for (method, path, body, messages) in rows {
        let (status, answer) = stage.send(method, &path, body.clone()).await;
        assert_eq!((status, &answer["message"]), (422, &json!(messages)), "{method} {path} {body}");
    }
    assert_eq!(stage.sandbox.record(&stage.location, DEMO_CONTACT), record, "nothing was changed");
    let (status, bare) = stage.create(json!({})).await;
    assert_eq!((status, &bare["statusCode"]), (400, &json!(422)), "the body says another status");
    assert_eq!(stage.send("POST", "/contacts/", json!({"locationId": "other", "name": "x"})).await.0, 403);
}

#[tokio::test]
async fn tasks_and_notes_are_created_changed_and_deleted() {
    let stage = Stage::with("").await;
    let body = json!({"title": "T", "dueDate": "2026-12-09T13:00:00+01:00", "completed": false});
    let (status, made) = stage.send("POST", &path("/tasks"), body).await;
    assert_eq!(
        (status, &made["task"]["dueDate"], &made["task"]["contactId"]),
        (201, &json!("2026-12-09T12:00:00.000Z"), &json!(DEMO_CONTACT))
    );
    let one = path(&format!("/tasks/{}", made["task"]["id"].as_str().unwrap()));
    assert_eq!(stage.send("PUT", &one, json!({"title": "U"})).await.1["task"]["title"], "U");
    assert_eq!(
        stage.send("PUT", &format!("{one}/completed"), json!({"completed": true})).await.1["task"]["completed"],
        true
    );
    assert_eq!(stage.send("DELETE", &one, Value::Null).await, (200, json!({"succeded": true})));
    assert_eq!(stage.send("DELETE", &one, Value::Null).await.0, 400);

    let (status, made) = stage.send("POST", &path("/notes"), json!({"body": "N", "color": "#FFAA00"})).await;
    assert_eq!((status, &made["note"]["pinned"]), (201, &json!(false)));
    let one = path(&format!("/notes/{}", made["note"]["id"].as_str().unwrap()));
    assert_eq!(stage.get(&path("/notes")).await.1["notes"][0]["body"], "N", "the newest is first");
    let (_, changed) = stage.send("PUT", &one, json!({"body": "M", "color": ""})).await;
    assert_eq!((&changed["note"]["body"], changed["note"].get("color")), (&json!("M"), None));
    assert_eq!(stage.send("DELETE", &one, Value::Null).await.0, 200);
    assert_eq!(
        stage.send("PUT", &one, json!({"body": "M"})).await.1["error"],
        json!(format!("Note with id {} not found", one.rsplit('/').next().unwrap()))
    );
}

#[tokio::test]
async fn a_write_needs_its_scope() {
    let stage = Stage::new(Options { scopes: vec!["contacts.readonly".into()], ..Options::default() }).await;
    let (status, body) = stage.send("DELETE", &path(""), Value::Null).await;
    assert_eq!((status, &body["message"]), (401, &json!("The token is not authorized for this scope.")));
    assert_eq!(stage.get(&path("")).await.0, 200);
}

#[tokio::test]
async fn a_body_that_does_not_say_that_it_is_json_is_none() {
    let stage = Stage::with("").await;
    let call = stage.client.post(stage.sandbox.url() + &path("/tags")).bearer_auth(&stage.token);
    let call = call.header("version", "2021-07-28").body(r#"{"tags":["x"]}"#);
    assert_eq!(read(call.send().await.unwrap()).await.0, 422);
    assert_eq!(stage.sandbox.calls()[0].body, None);
}

#[tokio::test]
async fn a_fault_decides_whether_a_write_takes_effect() {
    const TAGS: &str = "POST /contacts/{contactId}/tags";
    let stage = Stage::with("").await;
    let has = |tag: &str| {
        let record = stage.sandbox.record(&stage.location, DEMO_CONTACT);
        record.contact["tags"].as_array().unwrap().contains(&json!(tag))
    };
    let rows = [
        (Fault::on(TAGS).cut(Cut::Unseen), false),
        (Fault::on(TAGS).cut(Cut::Before), true),
        (Fault::on(TAGS).cut(Cut::Mid), true),
        (Fault::on(TAGS).status(500), false),
        (Fault::on(TAGS).status(500).done(), true),
        (Fault::on(TAGS).html().done(), true),
    ];
    for (number, (fault, takes_effect)) in rows.into_iter().enumerate() {
        let tag = format!("t{number}");
        let what = format!("{fault:?}");
        stage.sandbox.fault(fault.contact(DEMO_CONTACT).times(1));
        let call = stage.client.post(stage.sandbox.url() + &path("/tags")).bearer_auth(&stage.token);
        // How it ends for the client is told by other tests.
        let _ = call.header("version", "2021-07-28").json(&json!({"tags": [tag]})).send().await;
        assert_eq!(has(&tag), takes_effect, "{what}");
    }
}

#[tokio::test]
async fn a_held_write_takes_effect_when_its_hold_says() {
    const UPDATE: &str = "PUT /contacts/{contactId}";
    let stage = Stage::with("").await;
    let name = || stage.sandbox.record(&stage.location, DEMO_CONTACT).contact["firstName"].clone();
    for answered in [true, false] {
        let hold = if answered { stage.sandbox.hold(UPDATE) } else { stage.sandbox.hold_unanswered(UPDATE) };
        let body = json!({"firstName": if answered { "One" } else { "Two" }});
        let call = stage.client.put(stage.sandbox.url() + &path("")).bearer_auth(&stage.token);
        let call = tokio::spawn(call.header("version", "2021-07-28").json(&body).send());
        hold.arrived(1).await;
        assert_eq!(name(), "One");
        hold.release();
        call.await.unwrap().unwrap();
    }
    assert_eq!(name(), "Two");
}

#[tokio::test]
async fn lists_can_lag_behind_what_is_read_by_id() {
    let stage = Stage::new(Options { contacts: 3, list_lag: Duration::from_secs(3600), ..Options::default() }).await;
    let found = || stage.list("&query=newname");
    stage.send("PUT", &path(""), json!({"lastName": "Newname"})).await;
    assert_eq!(stage.get(&path("")).await.1["contact"]["lastName"], "Newname");
    assert_eq!((ids(&found().await).len(), stage.list("").await["meta"]["total"].as_u64()), (0, Some(3)));
    stage.sandbox.set_list_lag(Duration::from_nanos(1));
    assert_eq!(ids(&found().await), [DEMO_CONTACT]);
    stage.sandbox.set_list_lag(Duration::MAX);
    stage.send("DELETE", &path(""), Value::Null).await;
    assert_eq!(ids(&found().await), [DEMO_CONTACT]);
    stage.sandbox.set_list_lag(Duration::ZERO);
    assert_eq!(ids(&found().await), Vec::<String>::new());
}
