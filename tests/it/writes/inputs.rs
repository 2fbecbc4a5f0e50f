//! What an input may be: every problem is told with the way to it before anything is sent, and null is not absence.

use contacts_gateway::sandbox::{DEMO_CONTACT, Fault};
use serde_json::{Value, json};

use super::*;

/// The ways to the problems of an input, each as its last steps, in the order in which they are told.
fn ways(answer: &Value, field: &str) -> Vec<Value> {
    let errors = answer["errors"].as_array().cloned().unwrap_or_default();
    let way = |error: &Value| {
        assert_eq!(
            (&error["path"], &error["extensions"]["code"]),
            (&json!([field]), &json!("BAD_USER_INPUT")),
            "{error}"
        );
        let way = error["extensions"]["inputPath"].as_array().unwrap_or_else(|| panic!("no way in {error}"));
        assert_eq!(way[0], "input");
        Value::Array(way[1..].to_vec())
    };
    errors.iter().map(way).collect()
}

#[tokio::test]
async fn every_problem_is_told_with_the_way_to_it_and_nothing_is_sent() {
    let stage = Stage::new().await;
    let due = "2026-12-09T12:00:00Z";
    let long = "x".repeat(129);
    let (c, bad_ids) = (DEMO_CONTACT, ["", "a/b", "../x", "search", "upsert", &long]);
    let rows = [
        ("createContact", json!({}), json!([[]])),
        ("createContact", json!({ "company": "X", "tags": ["a"], "name": " ", "email": null }), json!([[]])),
        (
            "createContact",
            json!({ "email": "no address", "dateOfBirth": "soon", "tags": ["fine", "", " "], "address": { "country": "USA" } }),
            json!([["email"], ["dateOfBirth"], ["tags", 1], ["tags", 2], ["address", "country"]]),
        ),
        (
            "createContact",
            json!({ "name": "x", "customFields": [{ "id": "", "value": true }, { "id": "f", "value": ["a", 1] }, { "id": "g", "value": { "k": 1 } }] }),
            json!([["customFields", 0, "id"], ["customFields", 0, "value"], ["customFields", 1, "value"]]),
        ),
        ("updateContact", json!({ "id": c }), json!([[]])),
        ("updateContact", json!({ "id": c, "address": {}, "customFields": [{ "id": "f" }] }), json!([[]])),
        ("updateContact", json!({ "id": "a/b", "dnd": null, "email": "" }), json!([["id"], ["email"], ["dnd"]])),
        ("updateContact", json!({ "id": c, "firstName": "x", "customFields": null }), json!([["customFields"]])),
        ("upsertContact", json!({ "email": "x@y.example", "customFields": null }), json!([["customFields"]])),
        ("upsertContact", json!({ "lastName": "X" }), json!([[]])),
        ("upsertContact", json!({ "lastName": "X", "phone": "", "email": null }), json!([[]])),
        ("upsertContact", json!({ "email": "x" }), json!([["email"]])),
        ("deleteContact", json!({ "id": "business" }), json!([["id"]])),
        ("addContactTags", json!({ "contactId": c, "tags": [] }), json!([["tags"]])),
        ("addContactTags", json!({ "contactId": "", "tags": ["a", "\t"] }), json!([["contactId"], ["tags", 1]])),
        ("removeContactTags", json!({ "contactId": c, "tags": [""] }), json!([["tags", 0]])),
        ("createTask", json!({ "contactId": c, "title": " ", "dueDate": "tomorrow" }), json!([["title"], ["dueDate"]])),
        ("updateTask", json!({ "contactId": c, "id": "t" }), json!([[]])),
        (
            "updateTask",
            json!({ "contactId": c, "id": "a?b", "title": null, "dueDate": null, "completed": null }),
            json!([["id"], ["title"], ["dueDate"], ["completed"]]),
        ),
        (
            "setTaskCompleted",
            json!({ "contactId": "upsert", "id": "", "completed": true }),
            json!([["contactId"], ["id"]]),
        ),
        ("deleteTask", json!({ "contactId": c, "id": "a b" }), json!([["id"]])),
        ("createNote", json!({ "contactId": c, "note": "", "color": "reddish" }), json!([["note"], ["color"]])),
        ("updateNote", json!({ "contactId": c, "id": "n" }), json!([[]])),
        (
            "updateNote",
            json!({ "contactId": c, "id": "n", "note": null, "color": "#12" }),
            json!([["note"], ["color"]]),
        ),
        ("deleteNote", json!({ "contactId": "a#b", "id": "n%" }), json!([["contactId"], ["id"]])),
    ];
    for (field, input, want) in rows {
        let answer = stage.change(field, input.clone(), "__typename").await;
        assert_eq!(json!(ways(&answer, field)), want, "{field} {input}");
        assert_eq!(answer["data"][field], Value::Null);
    }
    for id in bad_ids {
        let input = json!({ "contactId": id, "title": "x", "dueDate": due });
        let answer = stage.change("createTask", input, "__typename").await;
        assert_eq!(ways(&answer, "createTask"), [json!(["contactId"])], "{id:?}");
    }
    assert_eq!(stage.sandbox.total(), 0);
}

#[tokio::test]
async fn what_the_upstream_does_not_take_on_an_update_is_not_in_the_schema() {
    let stage = Stage::new().await;
    for field in ["company", "tags", "locationId", "gender"] {
        let answer = stage.change("updateContact", json!({ "id": DEMO_CONTACT, field: "x" }), "contact { id }").await;
        assert!(answer["errors"].is_array(), "{field}");
    }
    assert_eq!(stage.sandbox.total(), 0);
}

/// Null where the upstream declares the field nullable, an empty text where it does not.
#[tokio::test]
async fn null_clears_and_absence_leaves() {
    let stage = Stage::new().await;
    let nullable = ["name", "firstName", "lastName", "email", "phone", "website", "timezone"];
    let mut rows: Vec<(&str, Value, Value)> =
        nullable.iter().map(|field| (*field, Value::Null, json!({ *field: null }))).collect();
    rows.extend([
        ("source", Value::Null, json!({ "source": null })),
        ("assignedTo", Value::Null, json!({ "assignedTo": null })),
        ("dateOfBirth", Value::Null, json!({ "dateOfBirth": "" })),
        (
            "address",
            json!({ "line1": null, "country": null, "postalCode": null }),
            json!({ "address1": null, "country": "", "postalCode": "" }),
        ),
        (
            "address",
            Value::Null,
            json!({ "address1": null, "city": null, "state": null, "postalCode": "", "country": "" }),
        ),
        (
            "customFields",
            json!([{ "id": "f", "value": null }, { "id": "g" }]),
            json!({ "customFields": [{ "id": "f", "field_value": "" }] }),
        ),
    ]);
    for (field, given, sent) in rows {
        stage.sandbox.reset();
        let answer = stage.change("updateContact", json!({ "id": DEMO_CONTACT, field: given }), "contact { id }").await;
        assert_eq!(answer.get("errors"), None, "{field}: {answer}");
        assert_eq!(stage.sent()[0].2, Some(sent), "{field}");
    }
    let look = "contact { name email phone company dateOfBirth address { line1 city } tags }";
    let input = json!({ "id": DEMO_CONTACT, "address": { "city": "Waco" } });
    let seen = stage.changed("updateContact", input, look).await["contact"].clone();
    let kept = stage.upstream(DEMO_CONTACT).contact;
    assert_eq!((&seen["email"], &seen["phone"], &seen["dateOfBirth"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(seen["address"], json!({ "line1": null, "city": "Waco" }));
    assert_eq!((&seen["company"], &seen["tags"]), (&kept["companyName"], &kept["tags"]));
}

#[tokio::test]
async fn an_upsert_clears_as_its_own_form_declares() {
    let stage = Stage::new().await;
    let location = stage.sandbox.info().location_id.clone();
    let input = json!({
        "email": "new@new.example", "website": null, "source": null, "assignedTo": null, "dateOfBirth": null,
        "dnd": null, "tags": null, "createNewIfDuplicateAllowed": null,
    });
    stage.changed("upsertContact", input, "created").await;
    let sent = json!({
        "locationId": location, "email": "new@new.example", "website": null, "source": "", "assignedTo": "",
        "dateOfBirth": "", "dnd": false, "tags": [],
    });
    assert_eq!(stage.sent()[0].2, Some(sent));
}

#[tokio::test]
async fn each_reason_of_the_upstream_is_an_error_of_its_own() {
    let stage = Stage::new().await;
    let long = "x".repeat(150);
    let mut reasons = vec!["phone must be valid".to_owned(), format!("email must be {long}"), "name is odd".to_owned()];
    let told = async |reasons: &[String]| {
        let body = json!({ "statusCode": 422, "message": reasons, "error": "Unprocessable Entity" });
        stage.sandbox.fault(Fault::on(UPDATE).status(422).body(body).times(1));
        let answer = stage.change("updateContact", json!({ "id": DEMO_CONTACT, "phone": "1" }), "contact { id }").await;
        assert_eq!(answer["data"]["updateContact"], Value::Null);
        assert!(errors(&answer).iter().all(|error| *error == one_error("updateContact", "BAD_USER_INPUT")[0]));
        let errors = answer["errors"].as_array().unwrap().clone();
        assert!(errors.iter().all(|error| error["extensions"]["upstream"]["status"] == 422), "{answer}");
        errors.iter().map(|error| error["message"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let said = |reason: &str| format!("The upstream refused the input: {reason}");
    let cut = said(&format!("{}…", &reasons[1][..100]));
    assert_eq!(told(&reasons).await, [said(&reasons[0]), cut, said(&reasons[2])]);
    reasons = (0..50).map(|number| format!("reason {number}")).collect();
    assert_eq!(told(&reasons).await.len(), 20, "there is an end to it");
    // One that is no list, and one that tells nothing but its status.
    for (body, reason) in [
        (json!({ "message": "odd", "error": "Bad Request" }), "odd"),
        (json!({ "error": "Bad Request" }), "Bad Request"),
    ] {
        stage.sandbox.fault(Fault::on(UPDATE).status(400).body(body).times(1));
        let answer = stage.change("updateContact", json!({ "id": DEMO_CONTACT, "phone": "1" }), "contact { id }").await;
        assert_eq!(errors(&answer), one_error("updateContact", "BAD_USER_INPUT"));
        assert_eq!(answer["errors"][0]["message"], said(reason));
    }
}
