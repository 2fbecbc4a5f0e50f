//! What is refused, with which status, in whose words.

use super::{Stage, read};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options};
use serde_json::{Value, json};

#[tokio::test]
async fn a_limit_out_of_range_is_422_with_a_list_of_messages() {
    let stage = Stage::with("").await;
    for limit in ["101", "0", "many"] {
        let (status, body) = stage.get(&format!("/contacts/?locationId={}&limit={limit}", stage.location)).await;
        assert_eq!((status, body["statusCode"].as_u64()), (422, Some(422)));
        assert!(body["message"][0].as_str().unwrap().starts_with("limit"));
    }
}

#[tokio::test]
async fn an_unknown_contact_is_400() {
    let stage = Stage::with("").await;
    let (status, body) = stage.get("/contacts/nobody").await;
    assert_eq!(
        (status, &body["error"], &body["status"]),
        (400, &json!("Contact with id nobody not found"), &json!(400))
    );
    let (status, body) = stage.get(&format!("/contacts/{DEMO_CONTACT}/tasks/none")).await;
    assert_eq!((status, &body["error"]), (400, &json!("Task with id none not found")));
    let encoded = stage.get("/contacts/a%2F..%2Fb%3Fx").await.1;
    assert_eq!(encoded["error"], "Contact with id a/../b?x not found");
}

#[tokio::test]
async fn refusals_are_spelled_as_the_switch_says() {
    for (quirks, status, key, code) in [
        ("message-errors", 400, "message", "statusCode"),
        ("status-errors", 400, "error", "status"),
        ("missing-404,message-errors", 404, "message", "statusCode"),
    ] {
        let stage = Stage::with(quirks).await;
        let (seen, body) = stage.get("/contacts/nobody").await;
        assert_eq!((seen, body[code].as_u64()), (status, Some(u64::from(status))), "{quirks}");
        assert_eq!(body[key], "Contact with id nobody not found", "{quirks}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_with_an_empty_body() {
    let stage = Stage::with("").await;
    for path in ["/contactz/", "/contacts", "/", "/contacts/a/opportunities"] {
        assert_eq!(stage.get(path).await, (404, Value::String(String::new())), "{path}");
    }
    assert_eq!(stage.sandbox.count("unmatched"), 4);
    assert_eq!(stage.get("/Contacts/").await.0, 401, "a path in the wrong case");
}

#[tokio::test]
async fn a_version_that_is_missing_or_unknown_is_401() {
    let stage = Stage::with("").await;
    let path = format!("/contacts/{DEMO_CONTACT}");
    let missing = read(stage.bare(&path).bearer_auth(&stage.token).send().await.unwrap()).await;
    assert_eq!((missing.0, &missing.1["message"]), (401, &json!("version header was not found.")));
    let unknown = stage.bare(&path).bearer_auth(&stage.token).header("version", "1999-01-01");
    let unknown = read(unknown.send().await.unwrap()).await;
    assert_eq!((unknown.0, &unknown.1["message"]), (401, &json!("version header is invalid")));
}

#[tokio::test]
async fn a_dead_token_is_401_in_the_words_for_its_kind() {
    let stage = Stage::with("").await;
    for (token, words) in [("pit-dead", "Invalid Private Integration token"), ("at-dead", "Invalid JWT")] {
        let call = stage.bare("/contacts/x").bearer_auth(token).header("version", "2021-07-28");
        let (status, body) = read(call.send().await.unwrap()).await;
        assert_eq!((status, &body["message"]), (401, &json!(words)));
    }
    stage.sandbox.revoke(&stage.token);
    assert_eq!(stage.get(&format!("/contacts/{DEMO_CONTACT}")).await.0, 401);
}

#[tokio::test]
async fn a_token_without_the_scope_is_401() {
    let stage = Stage::new(Options { scopes: vec!["contacts.write".into()], ..Options::default() }).await;
    let (status, body) = stage.get(&format!("/contacts/{DEMO_CONTACT}")).await;
    assert_eq!((status, &body["message"]), (401, &json!("The token is not authorized for this scope.")));
    stage.sandbox.allow(&stage.token, &stage.location, &["contacts.readonly"]);
    assert_eq!(stage.get(&format!("/contacts/{DEMO_CONTACT}")).await.0, 200);
}

#[tokio::test]
async fn a_list_of_another_location_or_of_none_is_403() {
    let stage = Stage::new(Options { locations: 2, ..Options::default() }).await;
    let other = &stage.sandbox.info().locations[1].location_id;
    for path in [format!("/contacts/?locationId={other}"), "/contacts/".into(), "/contacts/business/b".into()] {
        let (status, body) = stage.get(&path).await;
        assert_eq!((status, &body["message"]), (403, &json!("The token does not have access to this location.")));
    }
}
