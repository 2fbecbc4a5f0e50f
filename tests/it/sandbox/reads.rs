//! The eight reads: envelopes, rows, paging, search, and the switches that change their shapes.

use super::{Stage, ids, texts};
use contacts_gateway::sandbox::{DEMO_CONTACT, NOW, Options, Quirks};
use serde_json::{Value, json};
use std::collections::HashSet;

#[tokio::test]
async fn the_demo_contact_has_a_full_profile() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    let contact = stage.get(&path).await.1["contact"].clone();
    for key in ["name", "email", "phone", "companyName", "businessId", "website", "timezone", "city", "dateAdded"] {
        assert!(contact[key].is_string(), "{key}");
    }
    assert_eq!(contact["emailLowerCase"], "amara.lindqvist@example.com");
    assert_eq!(contact["fullNameLowerCase"], "amara lindqvist");

    let tasks = stage.get(&format!("{path}/tasks")).await.1["tasks"].clone();
    let now = NOW.to_string();
    let tasks = tasks.as_array().unwrap();
    assert!(tasks.iter().any(|task| task["completed"] == false && task["dueDate"].as_str().unwrap() < now.as_str()));
    assert!(tasks.iter().any(|task| task["completed"] == false && task["dueDate"].as_str().unwrap() > now.as_str()));
    assert!(tasks.iter().any(|task| task["completed"] == true));

    let events = stage.get(&format!("{path}/appointments")).await.1["events"].clone();
    let starts = texts(&events, "startTime");
    assert!(starts.iter().any(|start| *start < "2026-06-15 15") && starts.iter().any(|start| *start > "2026-06-15 15"));
}

#[tokio::test]
async fn each_read_has_its_own_envelope() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    let record = stage.sandbox.record(&stage.location, DEMO_CONTACT);
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    let (task, note) = (id(&record.tasks[0]), id(&record.notes[0]));
    let business = id(&json!({"id": record.contact["businessId"]}));
    let by_business = format!("/contacts/business/{business}?locationId={}", stage.location);
    let cases = [
        (path.clone(), vec!["contact", "traceId"]),
        (format!("{path}/tasks"), vec!["tasks"]),
        (format!("{path}/tasks/{task}"), vec!["task"]),
        (format!("{path}/notes"), vec!["notes"]),
        (format!("{path}/notes/{note}"), vec!["note"]),
        (format!("{path}/appointments"), vec!["events"]),
        (format!("/contacts/?locationId={}", stage.location), vec!["contacts", "meta", "traceId"]),
        (by_business, vec!["contacts"]),
    ];
    for (path, keys) in cases {
        let (status, body) = stage.get(&path).await;
        let seen: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!((status, seen), (200, keys), "{path}");
    }
}

#[tokio::test]
async fn notes_come_newest_first() {
    let stage = Stage::with("").await;
    let mut many = 0;
    for id in stage.sandbox.contact_ids(&stage.location) {
        let (_, body) = stage.get(&format!("/contacts/{id}/notes")).await;
        let dates = texts(&body["notes"], "dateAdded");
        many += usize::from(dates.len() > 1);
        assert!(dates.is_sorted_by(|a, b| a >= b), "{dates:?}");
    }
    assert!(many > 3);
}

#[tokio::test]
async fn a_row_differs_from_the_contact_by_id() {
    let stage = Stage::with("").await;
    let page = stage.list("&query=lindqvist").await;
    let row = &page["contacts"][0];
    assert_eq!(row["contactName"], "amara lindqvist");
    assert_eq!((&row["firstName"], &row["firstNameRaw"]), (&json!("amara"), &json!("Amara")));
    assert_eq!((&row["lastName"], &row["lastNameRaw"]), (&json!("lindqvist"), &json!("Lindqvist")));
    assert_eq!(row["startAfter"][1], DEMO_CONTACT);
    assert!(row["startAfter"][0].is_i64());
    assert!(row.get("name").is_none() && row.get("timezone").is_none());
}

#[tokio::test]
async fn a_walk_by_both_cursor_values_meets_each_contact_once() {
    let stage = Stage::new(Options { contacts: 95, ..Options::default() }).await;
    let (mut met, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = stage.list(&format!("&limit=30{cursor}")).await;
        met.extend(ids(&page));
        let meta = &page["meta"];
        assert_eq!(meta["total"], 95);
        let id = meta["startAfterId"].as_str().expect("the last page has a cursor too");
        cursor = format!("&startAfter={}&startAfterId={id}", meta["startAfter"]);
        if ids(&page).len() < 30 {
            break;
        }
    }
    assert_eq!(met, stage.sandbox.contact_ids(&stage.location));
    assert_eq!(met.iter().collect::<HashSet<_>>().len(), 95);
    assert_eq!(stage.sandbox.total(), 4);
}

#[tokio::test]
async fn only_one_cursor_value_repeats_page_one() {
    let stage = Stage::with("").await;
    let first = stage.list("").await;
    assert_eq!(ids(&first).len(), 20, "the default limit");
    let meta = &first["meta"];
    for half in [
        format!("&startAfter={}", meta["startAfter"]),
        format!("&startAfterId={}", meta["startAfterId"].as_str().unwrap()),
    ] {
        let again = stage.list(&half).await;
        assert_eq!(ids(&again), ids(&first));
        assert_eq!(again["meta"]["startAfterId"], meta["startAfterId"]);
    }
}

#[tokio::test]
async fn a_search_looks_at_name_mail_phone_and_company_in_any_case() {
    let stage = Stage::with("").await;
    for text in ["AMARA", "lindqvist@EXAMPLE", "0100142", "amara+lindqvist"] {
        assert_eq!(ids(&stage.list(&format!("&query={text}")).await), [DEMO_CONTACT], "{text}");
    }
    let bakery = stage.list("&query=HARBOR%20light").await;
    assert!(ids(&bakery).contains(&DEMO_CONTACT.to_owned()));
    assert_eq!(stage.list("&query=nobody-of-that-name").await["meta"]["total"], 0);
}

#[tokio::test]
async fn a_business_is_paged_by_skip_and_limit() {
    let stage = Stage::new(Options::default()).await;
    let business = stage.sandbox.record(&stage.location, DEMO_CONTACT).contact["businessId"].clone();
    let path = format!("/contacts/business/{}?locationId={}", business.as_str().unwrap(), stage.location);
    let all = ids(&stage.get(&path).await.1);
    assert!(all.len() > 2, "{all:?}");
    assert_eq!(ids(&stage.get(&format!("{path}&limit=2&skip=1")).await.1), all[1..3]);
    assert_eq!(ids(&stage.get(&format!("{path}&query=amara")).await.1), [DEMO_CONTACT]);
}

#[tokio::test]
async fn appointment_times_have_no_zone_unless_asked() {
    let path = format!("/contacts/{DEMO_CONTACT}/appointments");
    let zone = jiff::tz::TimeZone::get("America/New_York").unwrap();
    for (quirks, zone, start) in [
        ("", jiff::tz::TimeZone::UTC, "2026-05-19 14:00:00"),
        ("", zone.clone(), "2026-05-19 10:00:00"),
        ("rfc3339-times", zone, "2026-05-19T10:00:00-04:00"),
    ] {
        let quirks: Quirks = quirks.parse().unwrap();
        let stage = Stage::new(Options { contacts: 1, quirks, timezone: zone, ..Options::default() }).await;
        assert_eq!(stage.get(&path).await.1["events"][0]["startTime"], start);
    }
}

#[tokio::test]
async fn each_switch_changes_its_shape() {
    let row = |page: Value| page["contacts"][0].clone();
    let search = "&query=lindqvist";
    let plain = row(Stage::with("plain-rows,row-timezone").await.list(search).await);
    assert_eq!((&plain["firstName"], plain.get("firstNameRaw")), (&json!("Amara"), None));
    assert_eq!(plain["timezone"], "America/New_York");
    let short = row(Stage::with("short-rows").await.list(search).await);
    assert!(short.get("firstName").is_none() && short.get("phone").is_none() && short["email"].is_string());

    let last = Stage::with("no-last-cursor,no-totals").await.list("&limit=100").await;
    assert!(last["meta"]["startAfterId"].is_null() && last["meta"].get("total").is_none());
    let declared = Stage::with("no-meta").await.list("").await;
    assert_eq!((declared.get("meta"), &declared["count"]), (None, &json!(20)));

    let path = format!("/contacts/{DEMO_CONTACT}");
    let tasks = Stage::with("underscore-ids").await.get(&format!("{path}/tasks")).await.1;
    assert!(tasks["tasks"][0]["_id"].is_string() && tasks["tasks"][0].get("id").is_none());
    let nameless = Stage::with("no-name").await.get(&path).await.1;
    assert!(nameless["contact"].get("name").is_none() && nameless["contact"]["firstName"] == "Amara");
    let sparse = Stage::with("missing-fields").await;
    assert!(sparse.get(&path).await.1["contact"].get("phone").is_none());
    assert!(sparse.get(&format!("{path}/tasks")).await.1["tasks"][0].get("dueDate").is_none());
}
