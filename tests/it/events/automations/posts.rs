//! Deliveries: signed, once under one name, and to the internet alone unless others are allowed.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};

use super::*;
use crate::redirects::{Redirector, STATUSES};

type Caught = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A receiver that refuses the first delivery for now.
async fn receiver() -> (String, Caught) {
    let caught = Caught::default();
    let into = caught.clone();
    let catch = move |headers: HeaderMap, body: Bytes| async move {
        let mut all = into.lock().unwrap();
        all.push((headers, body));
        if all.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    let listener = local().await;
    let url = format!("http://{}/catch", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(catch)).await.unwrap() });
    (url, caught)
}

fn rules(url: &str) -> String {
    format!(
        "[[automation]]\nname = \"tell\"\nwhen = \"NoteCreate\"\nthen = [{{ post = {{ url = \"{url}?c={{{{ contact.name }}}}\", \
         body = {{ name = \"{{{{ contact.name }}}}\", n = [1, \"\\\"{{{{ event.body }}}}\\\"\"] }}, headers = {{ x-key = \"pit-planted\" }} }} }}, \
         {{ add_note = {{ note = \"after\" }} }}]\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_signed_and_tried_again_under_the_same_name() {
    let (url, caught) = receiver().await;
    let sender = Sender::new();
    let secret = "0123456789abcdef";
    let stage =
        following(&sender, &rules(&url), &[("AUTOMATIONS_ALLOW_PRIVATE", "true"), ("AUTOMATIONS_SECRET", secret)])
            .await;
    let told = note(&stage, &sender, "gone").await;
    until(&stage, "gateway_events_total{type=\"NoteCreate\",outcome=\"failed\"}", 1).await;
    let events = stage.app.events().unwrap();
    let id = events.journal().last(1).unwrap()[0].id;
    events.replay(id).await.unwrap();
    handled(&stage, 1).await;
    let all = caught.lock().unwrap();
    assert_eq!(all.len(), 2);
    let name = |n: usize| all[n].0["x-gateway-delivery"].clone();
    assert!(name(0) == name(1) && name(0).len() == 32);
    for (headers, body) in all.iter() {
        let want = json!({ "name": "Amara Lindqvist", "n": [1, "\"please call back soon\""] });
        assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), want);
        assert!(headers["x-key"] == "pit-planted" && headers["content-type"] == "application/json");
        let signature = headers["x-gateway-signature"].to_str().unwrap();
        let (t, v1) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let tag = aws_lc_rs::hmac::sign(&key, &[t.as_bytes(), b".", body].concat());
        assert_eq!(v1, tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    assert_eq!(outcomes_of(&stage, &told)[0], "tell: delivered, status 200");
    // The other action was done at the first try, and once.
    assert_eq!(texts(&demo(&stage).notes, "body", "after").len(), 1);
    drop(all);
    let state = std::fs::read(sender.folder.path().join("state/events/journal.redb")).unwrap();
    assert!(!state.windows(11).any(|part| part == b"pit-planted"), "a header is written down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_to_this_machine_is_refused_and_stops_no_other_action() {
    let (url, caught) = receiver().await;
    let sender = Sender::new();
    let stage = following(&sender, &rules(&url.replace("http://", "https://")), &[]).await;
    let told = note(&stage, &sender, "gone").await;
    handled(&stage, 1).await;
    assert!(outcomes_of(&stage, &told)[0].starts_with("tell: not done: its host is no address of the internet"));
    assert_eq!((caught.lock().unwrap().len(), texts(&demo(&stage).notes, "body", "after").len()), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_of_a_receiver_is_not_followed() {
    let redirector = Redirector::start().await;
    let sender = Sender::new();
    let rules = rules(&format!("{}/catch", redirector.url));
    let stage = following(&sender, &rules, &[("AUTOMATIONS_ALLOW_PRIVATE", "true")]).await;
    // More events of one contact would be taken for a circle.
    for ((place, status), n) in redirector.places().iter().zip(STATUSES.into_iter().cycle()).zip(1..) {
        redirector.point(status, place);
        let told = note(&stage, &sender, "gone").await;
        handled(&stage, n).await;
        let why = format!("tell: not done: the receiver answered {status}; nobody is followed elsewhere");
        assert_eq!(outcomes_of(&stage, &told)[0], why, "{place}");
        assert_eq!(redirector.asked(), ["POST /catch"], "{status} {place}");
    }
}
