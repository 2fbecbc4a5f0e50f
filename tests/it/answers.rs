//! Answers that are kept: for whom, until when, and what callers' own caches are told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use contacts_gateway::cache::Kind;
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault, Options};
use futures_util::future::join_all;
use reqwest::{Response, StatusCode, Url};
use serde_json::{Value, json};

use super::support::*;

const HOT: &str = "query Hot($id: ID!) { contact(id: $id) { id name tasks { id } notes { id } appointments { id } } }";
const MANY: &str = "query Many($ids: [ID!]!) { contactsByIds(ids: $ids) { id name tasks { id } } }";

impl Stage {
    /// How many requests were answered in this way, of those since the start.
    async fn answered(&self, outcome: &str) -> u64 {
        self.metric(&format!("gateway_answers_total{{outcome=\"{outcome}\"}}")).await
    }

    async fn hot(&self) -> Response {
        let body = json!({ "query": HOT, "variables": { "id": DEMO_CONTACT } });
        self.post().json(&body).send().await.expect("an answer")
    }

    /// The same by GET, by somebody who has the answer with this entity tag.
    async fn hot_by_get(&self, etag: &str) -> Response {
        let variables = json!({ "id": DEMO_CONTACT }).to_string();
        let asked = [("query", HOT), ("variables", &variables)];
        let asked = Url::parse_with_params(&format!("{}/graphql", self.url), asked).expect("an address");
        let path = asked.as_str().strip_prefix(&self.url).expect("a path");
        self.get(path).header("if-none-match", etag).send().await.expect("an answer")
    }
}

fn header(response: &Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_same_request_is_answered_from_bytes_however_it_is_spelled() {
    let stage = Stage::new().await;
    let first = stage.hot().await.text().await.expect("text");
    assert_eq!((stage.answered("executed").await, stage.answered("kept").await), (1, 0));
    assert_eq!(stage.hot().await.text().await.expect("text"), first);
    assert_eq!((stage.answered("executed").await, stage.answered("kept").await), (1, 1));
    // Other bytes that come to the same: they are parsed once, and executed no more.
    let spelled = format!("{{\"variables\":{{\"id\":\"{DEMO_CONTACT}\"}}, \"query\":\"{HOT}\"}}");
    stage.calls();
    for _ in 0..2 {
        let other = stage.post().header("content-type", "application/json").body(spelled.clone());
        assert_eq!(other.send().await.expect("an answer").text().await.expect("text"), first);
    }
    assert_eq!(stage.hot_by_get("\"none\"").await.text().await.expect("text"), first);
    assert_eq!(
        stage.metric("gateway_values_total{from=\"cache\",kind=\"contact\"}").await,
        0,
        "nothing was executed again"
    );
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn an_answer_that_shows_fifty_contacts_is_stale_the_moment_one_of_them_is_forgotten_and_only_then() {
    let stage = Stage::with(Options { contacts: 120, ..Options::default() }, &[]).await;
    let ids = stage.ids();
    let (shown, others) = (json!({ "ids": &ids[..50] }), json!({ "ids": &ids[50..100] }));
    let (first, other) = (stage.data(MANY, shown.clone()).await, stage.data(MANY, others.clone()).await);
    stage.calls();
    for n in [0, 17, 49] {
        // Whom neither shows makes neither stale.
        stage.forget(Kind::Contact, &ids[110]);
        stage.forget(Kind::Notes, &ids[n]);
        let kept = stage.answered("kept").await;
        assert_eq!(stage.data(MANY, shown.clone()).await, first);
        assert_eq!(stage.data(MANY, others.clone()).await, other);
        assert_eq!(stage.answered("kept").await, kept + 2);
        assert_eq!(stage.calls(), BTreeMap::new());
        for (kind, route) in [(Kind::Contact, CONTACT), (Kind::Tasks, TASKS)] {
            stage.forget(kind, &ids[n]);
            assert_eq!(stage.data(MANY, shown.clone()).await, first);
            assert_eq!(stage.calls(), BTreeMap::from([(route, 1)]));
            assert_eq!(stage.data(MANY, others.clone()).await, other);
            assert_eq!(stage.calls(), BTreeMap::new());
        }
    }
}

#[tokio::test]
async fn an_answer_that_shows_a_page_goes_with_each_contact_in_it_and_with_the_list() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    let query = "{ contacts(first: 3) { nodes { name } } }";
    stage.data(query, json!({})).await;
    stage.calls();
    stage.forget(Kind::Contact, &ids[3]);
    stage.data(query, json!({})).await;
    assert_eq!(stage.calls(), BTreeMap::new());
    for (kind, id) in [(Kind::Contact, &*ids[2]), (Kind::Page, "all")] {
        stage.forget(kind, id);
        stage.data(query, json!({})).await;
        assert_eq!(stage.calls(), BTreeMap::from([(LIST, 1)]));
    }
}

#[tokio::test]
async fn an_answer_is_kept_no_longer_than_the_first_of_its_values() {
    let stage = Stage::set(&[("TTL_TASKS", "20s"), ("TTL_CONTACT", "100s")]).await;
    stage.hot().await;
    stage.calls();
    stage.clock.advance(Duration::from_secs(19));
    stage.hot().await;
    assert_eq!((stage.answered("kept").await, stage.calls()), (1, BTreeMap::new()));
    stage.clock.advance(Duration::from_secs(1));
    stage.hot().await;
    assert_eq!((stage.answered("kept").await, stage.calls()), (1, BTreeMap::from([(TASKS, 1)])));
}

#[tokio::test]
async fn callers_are_told_how_long_an_answer_is_good_and_how_old_it_is() {
    let stage = Stage::set(&[("TTL_TASKS", "20s")]).await;
    // Whole seconds, rounded down; what the test itself takes may cost one or two more.
    let told = |response: &Response, most: u64| {
        let given = header(response, "cache-control");
        let left = given.strip_prefix("private, max-age=").and_then(|left| left.parse::<u64>().ok());
        assert!(left.is_some_and(|left| (most - 2..=most).contains(&left)), "{given} instead of at most {most}");
        assert_eq!(header(response, "vary"), "accept, authorization, x-location-id");
        header(response, "age").parse::<u64>().expect("seconds")
    };
    assert_eq!(told(&stage.hot().await, 20), 0);
    stage.clock.advance(Duration::from_secs(7));
    assert!((7..9).contains(&told(&stage.hot().await, 20)));
    // What is made anew from values that are some seconds old is good for less.
    let other = json!({ "query": HOT.replace("id name", "id email"), "variables": { "id": DEMO_CONTACT } });
    let response = stage.post().json(&other).send().await.expect("an answer");
    assert_eq!(told(&response, 13), 0);
}

#[tokio::test]
async fn what_has_errors_or_is_of_this_moment_is_nobodys_to_keep() {
    let stage = Stage::set(&[("UPSTREAM_RETRIES", "0")]).await;
    stage.sandbox.fault(Fault::on(TASKS).status(500).times(1));
    let response = stage.hot().await;
    assert_eq!(header(&response, "cache-control"), "private, no-store");
    assert_eq!(header(&response, "etag"), "");
    let answer: Value = response.json().await.expect("JSON");
    assert_eq!(errors(&answer), one_error("contact.tasks", "UPSTREAM_UNAVAILABLE"));
    let whole: Value = stage.hot().await.json().await.expect("JSON");
    assert_eq!(whole.get("errors"), None);
    for query in ["{ gateway { limits { remaining } } }", "{ __schema { queryType { name } } }", "{ nothing }"] {
        for _ in 0..2 {
            let response = stage.post().json(&json!({ "query": query })).send().await.expect("an answer");
            assert_eq!(header(&response, "cache-control"), "private, no-store", "{query}");
        }
    }
    assert_eq!(stage.answered("kept").await, 0);
}

#[tokio::test]
async fn who_has_the_answer_is_told_so_until_it_is_another() {
    let stage = Stage::new().await;
    let first = stage.hot_by_get("").await;
    let etag = header(&first, "etag");
    assert!(etag.starts_with('"') && etag.len() == 34, "{etag}");
    let has = [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()];
    for etag in &has {
        let again = stage.hot_by_get(etag).await;
        assert_eq!((again.status(), header(&again, "etag")), (StatusCode::NOT_MODIFIED, has[0].clone()));
        assert_eq!(again.text().await.expect("text"), "");
    }
    assert_eq!(stage.hot_by_get("\"x\"").await.status(), StatusCode::OK);
    stage.rename("Amy");
    stage.forget(Kind::Contact, DEMO_CONTACT);
    let changed = stage.hot_by_get(&etag).await;
    assert_eq!(changed.status(), StatusCode::OK);
    assert_ne!(header(&changed, "etag"), etag);
    assert!(changed.text().await.expect("text").contains("Amy"));
    // Another method is not a question whether anything changed.
    let body = json!({ "query": HOT, "variables": { "id": DEMO_CONTACT } });
    let posted = stage.post().header("if-none-match", "*").json(&body).send().await.expect("an answer");
    assert_eq!(posted.status(), StatusCode::OK);
}

#[tokio::test]
async fn requests_for_the_same_missing_answer_share_one_execution() {
    let stage = Stage::new().await;
    let hold = stage.sandbox.hold(TASKS);
    let asks = join_all((0..20).map(|_| stage.hot()));
    let during = async {
        hold.arrived(1).await;
        // All of them have come in when all connections are open.
        while stage.metric("gateway_requests_in_progress").await < 20 {}
        hold.release();
    };
    let (answers, ()) = tokio::join!(asks, during);
    let mut texts = Vec::new();
    for answer in answers {
        texts.push(answer.text().await.expect("text"));
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert_eq!(stage.calls(), one_of_each());
    // One execution asked for the values; the others would have shared its readings.
    for kind in ["contact", "tasks", "notes", "appointments"] {
        let values = |from: &str| format!("gateway_values_total{{from=\"{from}\",kind=\"{kind}\"}}");
        assert_eq!((stage.metric(&values("upstream")).await, stage.metric(&values("shared")).await), (1, 0), "{kind}");
    }
}
