//! The reads of many things at once: filters, pages, scopes of their own.

use std::collections::HashSet;

use super::{Stage, texts};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options};
use serde_json::{Value, json};

#[tokio::test]
async fn many_things_are_found_at_once_each_by_its_own_scope() {
    let stage = Stage::new(Options { contacts: 30, ..Options::default() }).await;
    let location = stage.location.clone();
    let search = async |more: Value| {
        let mut body = json!({ "locationId": location, "pageLimit": 4 });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stage.send("POST", "/contacts/search", body).await
    };
    let (_, first) = search(json!({})).await;
    let after = first["contacts"][3]["searchAfter"].clone();
    let (_, second) = search(json!({ "searchAfter": after })).await;
    assert_eq!(second, json!({ "contacts": second["contacts"], "total": 30, "traceId": second["traceId"] }));
    let (_, same) = search(json!({ "page": 2 })).await;
    assert_eq!(second["contacts"], same["contacts"]);
    let ids: Vec<String> =
        [&first, &second].iter().flat_map(|page| texts(&page["contacts"], "id")).map(Into::into).collect();
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 8);
    let filter = |id: &String| json!({ "field": "id", "operator": "eq", "value": id });
    let either = json!({ "filters": [{ "group": "OR", "filters": [filter(&ids[1]), filter(&ids[6])] }] });
    assert_eq!(texts(&search(either).await.1["contacts"], "id"), [&ids[1], &ids[6]]);
    for wrong in [
        json!({ "pageLimit": null }),
        json!({ "pageLimit": 101 }),
        json!({ "page": 2, "searchAfter": after }),
        json!({ "filters": [{ "field": "shoe", "operator": "eq", "value": 1 }] }),
    ] {
        assert_eq!(search(wrong.clone()).await.0, 422, "{wrong}");
    }
    assert_eq!(search(json!({ "locationId": "LOC_other" })).await.0, 403);

    let path = format!("/locations/{location}/tasks/search");
    let (_, found) = stage.send("POST", &path, json!({ "contactId": [DEMO_CONTACT], "completed": false })).await;
    let tasks = found["tasks"].as_array().unwrap();
    assert!(!tasks.is_empty());
    for task in tasks {
        assert_eq!(
            (&task["contactId"], &task["completed"], &task["id"]),
            (&json!(DEMO_CONTACT), &json!(false), &Value::Null)
        );
    }

    let events = stage.get(&format!("/contacts/{DEMO_CONTACT}/appointments")).await.1["events"].clone();
    let calendar = events[0]["calendarId"].as_str().unwrap();
    let window = format!("/calendars/events?locationId={location}&startTime=0&endTime=4000000000000");
    let (_, found) = stage.get(&format!("{window}&calendarId={calendar}")).await;
    assert!(texts(&found["events"], "id").contains(&events[0]["id"].as_str().unwrap()));
    assert!(texts(&found["events"], "calendarId").iter().all(|id| *id == calendar));
    assert_eq!(stage.get(&window).await.0, 422, "whose events is not said");
}
