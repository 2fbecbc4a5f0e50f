//! Writes that the gateway has no mutation for: many contacts at once, followers, campaigns and workflows.

use super::writes::path;
use super::{Stage, ids};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options};
use serde_json::{Value, json};

#[tokio::test]
async fn tags_of_many_are_added_and_removed_and_who_is_not_there_is_an_error_of_its_own() {
    let stage = Stage::with("").await;
    let other = ids(&stage.list("&limit=2").await).into_iter().find(|id| id != DEMO_CONTACT).unwrap();
    let tags = |id: &str| stage.sandbox.record(&stage.location, id).contact["tags"].clone();
    let (had, of_other) = (tags(DEMO_CONTACT), tags(&other));
    let edit = async |kind: &str, more: Value| {
        let mut body = json!({"contacts": [DEMO_CONTACT, other, "nobody"], "locationId": stage.location});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stage.send("POST", &format!("/contacts/bulk/tags/update/{kind}"), body).await
    };
    let (status, body) = edit("add", json!({"tags": ["new", had[0]]})).await;
    assert_eq!((status, &body["succeded"], &body["errorCount"]), (201, &json!(false), &json!(1)));
    let row = |n: usize, key: &str| body["responses"][n][key].clone();
    assert_eq!((row(0, "contactId"), row(0, "oldTags")), (json!(DEMO_CONTACT), had.clone()));
    assert_eq!((row(0, "tagsAdded"), row(0, "tagsRemoved")), (json!(["new"]), json!([])));
    assert_eq!((row(2, "contactId"), row(2, "message")), (json!("nobody"), json!("Contact not found")));
    assert_eq!(edit("remove", json!({"tags": ["new"]})).await.1["responses"][0]["tagsRemoved"], json!(["new"]));
    assert_eq!(tags(DEMO_CONTACT), had);
    let (_, body) = edit("remove", json!({"tags": ["any"], "removeAllTags": true})).await;
    assert_eq!((&body["responses"][0]["tagsRemoved"], tags(DEMO_CONTACT), tags(&other)), (&had, json!([]), json!([])));
    assert!(of_other.as_array().is_some_and(|tags| !tags.is_empty()));
    for (kind, more, status, problem) in [
        ("set", json!({"tags": ["x"]}), 422, "type must be one of the following values: add, remove"),
        ("add", json!({}), 422, "tags should not be empty"),
        ("add", json!({"tags": ["x"], "removeAllTags": true}), 422, "property removeAllTags should not exist"),
        ("remove", json!({"tags": "x"}), 422, "tags must be an array of strings"),
        ("add", json!({"tags": ["x"], "locationId": "other"}), 403, "The token does not have access to this location."),
    ] {
        let (seen, body) = edit(kind, more).await;
        let told = body["message"].get(0).unwrap_or(&body["message"]);
        assert_eq!((seen, told), (status, &json!(problem)), "{body}");
    }
    assert_eq!(tags(DEMO_CONTACT), json!([]), "what is refused changes nothing");
}

#[tokio::test]
async fn many_enter_a_business_and_leave_it() {
    let stage = Stage::with("").await;
    let set = async |business: Value| {
        let body = json!({"locationId": stage.location, "ids": [DEMO_CONTACT, "nobody"], "businessId": business});
        stage.send("POST", "/contacts/bulk/business", body).await
    };
    let of = async |business: &str| {
        let path = format!("/contacts/business/{business}?locationId={}", stage.location);
        ids(&stage.get(&path).await.1)
    };
    assert_eq!(set(json!("b1")).await, (200, json!({"success": true, "ids": [DEMO_CONTACT]})));
    assert_eq!(of("b1").await, [DEMO_CONTACT]);
    assert_eq!(set(Value::Null).await.0, 200);
    assert_eq!(of("b1").await, Vec::<String>::new());
    assert_eq!(set(json!(7)).await.1["message"], json!(["businessId must be a string"]));
    let body = json!({"locationId": stage.location, "ids": [DEMO_CONTACT]});
    assert_eq!(stage.send("POST", "/contacts/bulk/business", body).await.0, 422);
}

#[tokio::test]
async fn followers_come_and_go_and_are_told_in_rows() {
    let stage = Stage::with("").await;
    let follow = async |method, users: &[&str]| {
        let (status, body) = stage.send(method, &path("/followers"), json!({"followers": users})).await;
        let moved = if method == "POST" { "followersAdded" } else { "followersRemoved" };
        (status, body["followers"].clone(), body[moved].clone())
    };
    assert_eq!(follow("POST", &["u1", "u2"]).await, (201, json!(["u1", "u2"]), json!(["u1", "u2"])));
    assert_eq!(follow("POST", &["u2", "u3"]).await, (201, json!(["u1", "u2", "u3"]), json!(["u3"])));
    assert_eq!(follow("DELETE", &["u1", "u9"]).await, (200, json!(["u2", "u3"]), json!(["u1"])));
    assert_eq!(stage.list("&query=lindqvist").await["contacts"][0]["followers"], json!(["u2", "u3"]));
    assert_eq!(stage.get(&path("")).await.1["contact"].get("followers"), None);
    let (status, body) = stage.send("POST", &path("/followers"), json!({"followers": [1]})).await;
    assert_eq!((status, &body["message"]), (422, &json!(["followers must be an array of strings"])));
}

#[tokio::test]
async fn campaigns_and_workflows_are_started_and_ended() {
    let stage = Stage::with("").await;
    let at = json!({"eventStartTime": "2026-12-09T12:00:00+00:00"});
    for (method, more, body, status) in [
        ("POST", "/campaigns/c1", json!({}), 201),
        ("DELETE", "/campaigns/c1", Value::Null, 200),
        ("DELETE", "/campaigns/removeAll", Value::Null, 200),
        ("POST", "/workflow/w1", at.clone(), 200),
        ("DELETE", "/workflow/w1", at, 200),
    ] {
        assert_eq!(stage.send(method, &path(more), body.clone()).await, (status, json!({"succeded": true})), "{more}");
        assert_eq!(stage.send(method, &format!("/contacts/nobody{more}"), body).await.0, 400, "{more}");
    }
    for more in ["/campaigns/c1", "/workflow/w1"] {
        let (status, body) = stage.send("POST", &path(more), json!({"x": 1})).await;
        assert_eq!((status, &body["message"]), (422, &json!(["property x should not exist"])), "{more}");
    }
    assert_eq!(stage.sandbox.count("DELETE /contacts/{contactId}/campaigns/removeAll"), 2);
}

/// No scope is declared for what changes many contacts; what changes one needs the usual one.
#[tokio::test]
async fn what_changes_many_asks_for_no_scope() {
    let stage = Stage::new(Options { scopes: vec!["contacts.readonly".into()], ..Options::default() }).await;
    let body = json!({"contacts": [DEMO_CONTACT], "tags": ["x"], "locationId": stage.location});
    assert_eq!(stage.send("POST", "/contacts/bulk/tags/update/add", body.clone()).await.0, 201);
    stage.sandbox.revoke(&stage.token);
    assert_eq!(stage.send("POST", "/contacts/bulk/tags/update/add", body).await.0, 401);
    let stage = Stage::new(Options { scopes: vec!["contacts.readonly".into()], ..Options::default() }).await;
    assert_eq!(stage.send("POST", &path("/followers"), json!({"followers": ["u"]})).await.0, 401);
}
