//! `/__sandbox/...`: for whoever runs the sandbox. Never counted, delayed or limited.

use super::{
    data::{DEMO_CONTACT, Place, company_id},
    fault::Fault,
    grant::OAuthInfo,
    lock,
    switches::Switches,
    traffic::Counts,
    webhooks::Posted,
    world::World,
};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

/// What a client needs to connect.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Info {
    /// The first location.
    pub location_id: String,
    /// The agency that the locations belong to.
    pub company_id: String,
    /// The first location's token.
    pub token: String,
    /// A contact with a full profile.
    pub contact_id: String,
    /// All locations.
    pub locations: Vec<LocationInfo>,
    /// For an app, where there can be one.
    #[serde(rename = "oauth")]
    pub oauth: Option<OAuthInfo>,
    /// What signed events are verified with, as PEM.
    pub webhook_public_key: String,
}

/// A location and the token that opens it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LocationInfo {
    /// Its id.
    pub location_id: String,
    /// Its private integration token.
    pub token: String,
}

impl Info {
    pub(super) fn new(
        places: Vec<Place>,
        first: Option<&str>,
        oauth: Option<OAuthInfo>,
        webhook_public_key: String,
    ) -> Self {
        let locations: Vec<_> = places
            .into_iter()
            .map(|place| LocationInfo { location_id: place.location_id, token: place.token })
            .collect();
        Self {
            location_id: locations[0].location_id.clone(),
            company_id: company_id(),
            token: locations[0].token.clone(),
            contact_id: first.unwrap_or(DEMO_CONTACT).into(),
            locations,
            oauth,
            webhook_public_key,
        }
    }
}

pub(super) fn router() -> Router<Arc<World>> {
    Router::new()
        .route("/info", get(info))
        .route("/calls", get(calls))
        .route("/reset", post(reset))
        .route("/faults", post(faults))
        .route("/switches", get(switches).post(set_switches))
        .route("/expire", post(expire))
        .route("/advance", post(advance))
        .route("/webhooks", post(webhooks))
}

async fn info(State(world): State<Arc<World>>) -> Json<Info> {
    Json(world.info.clone())
}

/// What `/calls` answers.
#[derive(Serialize)]
struct Calls {
    #[serde(flatten)]
    counts: Counts,
    /// Where events are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhooks: Option<Posted>,
}

async fn calls(State(world): State<Arc<World>>) -> Json<Calls> {
    let webhooks = world.webhooks.are_sent().then(|| *world.webhooks.posted().borrow());
    Json(Calls { counts: world.traffic.counts(), webhooks })
}

/// What is to be done with events.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    /// They wait.
    Hold,
    /// Those that wait go, and later ones do not wait.
    Release,
    /// Those that wait are lost, and later ones do not wait.
    Lose,
    /// Of those that wait these go, in this order.
    Send(Vec<usize>),
}

/// The body is `"hold"`, `"release"`, `"lose"` or `{"send": [1, 0, 0]}`; the answer has the events that wait.
async fn webhooks(State(world): State<Arc<World>>, body: String) -> (StatusCode, Json<Value>) {
    match serde_json::from_str(&body) {
        Ok(Order::Hold) => world.webhooks.hold(),
        Ok(Order::Release) => world.webhooks.release(true),
        Ok(Order::Lose) => world.webhooks.release(false),
        Ok(Order::Send(order)) => world.webhooks.send_held(&order),
        Err(error) => {
            let message = format!("not \"hold\", \"release\", \"lose\" or {{\"send\": [...]}}: {error}");
            return (StatusCode::BAD_REQUEST, Json(json!({"message": message})));
        }
    }
    (StatusCode::OK, Json(json!({"held": world.webhooks.held()})))
}

async fn reset(State(world): State<Arc<World>>) -> Json<Value> {
    world.traffic.reset();
    world.webhooks.reset();
    Json(json!({}))
}

/// Every access token that was granted so far is dead; refresh tokens go on.
async fn expire(State(world): State<Arc<World>>) -> Json<Value> {
    world.expire_tokens();
    Json(json!({}))
}

/// Puts the sandbox's clock forward by the number of seconds in the body.
async fn advance(State(world): State<Arc<World>>, body: String) -> (StatusCode, Json<Value>) {
    match body.trim().parse() {
        Ok(seconds) => {
            world.advance(Duration::from_secs(seconds));
            (StatusCode::OK, Json(json!({})))
        }
        Err(_) => (StatusCode::BAD_REQUEST, Json(json!({"message": "the body has to be a number of seconds"}))),
    }
}

/// The rules of the body replace those in force. A content type is not asked for: this is typed by hand.
async fn faults(State(world): State<Arc<World>>, body: String) -> (StatusCode, Json<Value>) {
    let rules: Result<Vec<Fault>, _> = serde_json::from_str(&body);
    let replaced = rules.map_err(|error| format!("not a list of rules: {error}")).and_then(|rules| {
        let count = rules.len();
        world.faults.replace(rules).map(|()| count)
    });
    match replaced {
        Ok(count) => (StatusCode::OK, Json(json!({"rules": count}))),
        Err(message) => (StatusCode::BAD_REQUEST, Json(json!({"message": message}))),
    }
}

/// What is switched, by the contact's id.
async fn switches(State(world): State<Arc<World>>) -> Json<BTreeMap<String, Switches>> {
    Json(world.switches.in_force())
}

/// The body is `{"CONTACT": {"fail": {"tasks": 500}, "slow": {"notes": "2s"}}}`: it replaces what is switched of each contact that it
/// names, and `{}` takes that back. The answer has what is switched now.
async fn set_switches(State(world): State<Arc<World>>, body: String) -> (StatusCode, Json<Value>) {
    let switches: Result<HashMap<String, Switches>, _> = serde_json::from_str(&body);
    let known = |id: &String| lock::read(&world.store).values().any(|location| location.get(id).is_some());
    let switches = switches
        .map_err(|error| format!("not switches by contact, as {{\"ID\": {{\"fail\": {{\"tasks\": 500}}}}}}: {error}"))
        .and_then(|switches| match switches.keys().find(|id| !known(id)) {
            Some(id) => Err(format!("there is no contact {id}")),
            None => Ok(switches),
        });
    match switches {
        Ok(switches) => {
            world.switches.set(switches);
            (StatusCode::OK, Json(json!(world.switches.in_force())))
        }
        Err(message) => (StatusCode::BAD_REQUEST, Json(json!({ "message": message }))),
    }
}
