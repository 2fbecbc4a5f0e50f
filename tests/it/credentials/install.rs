//! `/oauth/install` and `/oauth/callback`: a person, a browser, and those who pretend.

use std::time::Duration;

use reqwest::header::{CACHE_CONTROL, COOKIE, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::time::timeout;

use super::*;

/// A browser that goes where it is told to step by step.
fn browser() -> Client {
    Client::builder().redirect(Policy::none()).build().expect("a client")
}

fn header(answer: &Response, name: reqwest::header::HeaderName) -> String {
    answer.headers()[name].to_str().expect("text").to_owned()
}

fn parameter(address: &str, name: &str) -> Option<String> {
    let address = Url::parse(address).expect("a URL");
    address.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// An installation that was begun: the upstream's page, and the cookie.
pub struct Begun {
    pub page: String,
    pub cookie: String,
}

pub async fn begin(stage: &Stage) -> Begun {
    let answer = browser().get(stage.url.clone() + "/oauth/install").send().await.expect("an answer");
    assert_eq!((answer.status().as_u16(), header(&answer, CACHE_CONTROL)), (303, "no-store".into()));
    let cookie = header(&answer, SET_COOKIE);
    for part in ["HttpOnly", "SameSite=Lax", "Secure", "Max-Age=600"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().expect("a pair").to_owned();
    Begun { page: header(&answer, LOCATION), cookie }
}

/// Where the upstream's page sends the browser to, once access was granted.
pub async fn grant(page: &str) -> String {
    let answer = browser().get(page).send().await.expect("an answer");
    assert_eq!(answer.status(), 303);
    let back = header(&answer, LOCATION);
    assert!(back.starts_with(REDIRECT), "{back}");
    back
}

pub async fn come_back(stage: &Stage, query: &str, cookie: &str) -> Response {
    let address = format!("{}/oauth/callback?{query}", stage.url);
    browser().get(address).header(COOKIE, cookie).send().await.expect("an answer")
}

/// All of it; the status of the last page. `more` is added to the address of the upstream's page.
pub async fn install(stage: &Stage, more: &str) -> u16 {
    let begun = begin(stage).await;
    let back = grant(&(begun.page + more)).await;
    let query = back.split_once('?').expect("a query").1;
    come_back(stage, query, &begun.cookie).await.status().as_u16()
}

async fn not_installed() -> (Stage, TempDir) {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let mut settings = granted(&sandbox, &state);
    settings.retain(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
    (over(sandbox, &settings).await, state)
}

#[tokio::test]
async fn a_location_is_installed_from_nothing() {
    let (stage, _state) = not_installed().await;
    assert_eq!(ready(&stage).await, 503);
    assert!(is_refused(&ask_name(&stage, 0).await));
    assert_eq!(calls(&stage), [0, 0, 0]);
    let begun = begin(&stage).await;
    let app = app(&stage.sandbox);
    let asked = |name| parameter(&begun.page, name);
    assert_eq!(asked("response_type").as_deref(), Some("code"));
    assert_eq!(asked("client_id"), Some(app.client_id));
    assert_eq!(asked("redirect_uri").as_deref(), Some(REDIRECT));
    assert_eq!(asked("scope").as_deref(), Some("contacts.readonly contacts.write"));
    assert_eq!(install(&stage, "").await, 200);
    name(&stage, 0).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([1, 0, 1], 200));
}

#[tokio::test]
async fn a_state_that_is_forged_used_late_or_another_browsers_fetches_nothing() {
    let (stage, _state) = not_installed().await;
    let begun = begin(&stage).await;
    let other = begin(&stage).await;
    let state = parameter(&begun.page, "state").expect("a state");
    let other_state = parameter(&other.page, "state").expect("a state");
    assert!(state.len() >= 43 && state != other_state && begun.cookie != other.cookie);
    let back = grant(&begun.page).await;
    let code = parameter(&back, "code").expect("a code");
    stage.calls();
    let forged = format!("{}{}", if state.starts_with('A') { 'B' } else { 'A' }, &state[1..]);
    for (state, cookie) in [
        (forged.as_str(), begun.cookie.as_str()),
        ("", &begun.cookie),
        (&state, ""),
        (&state, &other.cookie),
        (&other_state, &begun.cookie),
    ] {
        let answer = come_back(&stage, &format!("code={code}&state={state}"), cookie).await;
        assert_eq!(answer.status(), 400);
        let page = answer.text().await.expect("a page");
        assert!(!page.contains(&code) && page.contains("/oauth/install"), "{page}");
    }
    assert_eq!(calls(&stage), [0, 0, 0]);
    let query = format!("code={code}&state={state}");
    assert_eq!(come_back(&stage, &query, &begun.cookie).await.status(), 200, "who only looked on broke nothing");
    assert_eq!(calls(&stage)[0], 1);
    assert_eq!(come_back(&stage, &query, &begun.cookie).await.status(), 400, "it works once");
    stage.clock.advance(Duration::from_secs(601));
    let late = format!("code={code}&state={other_state}");
    assert_eq!(come_back(&stage, &late, &other.cookie).await.status(), 400);
    assert_eq!(calls(&stage), [0, 0, 0]);
}

#[tokio::test]
async fn who_closes_the_page_too_soon_has_installed_it_all_the_same() {
    let (stage, _state) = not_installed().await;
    let begun = begin(&stage).await;
    let back = grant(&begun.page).await;
    let query = back.split_once('?').expect("a query").1;
    let hold = stage.sandbox.hold(TOKEN);
    tokio::select! {
        answer = come_back(&stage, query, &begun.cookie) => panic!("answered: {}", answer.status()),
        () = hold.arrived(1) => {}
    }
    // The gateway finds that the browser has gone.
    for _ in 0..10 {
        assert_eq!(ready(&stage).await, 503);
    }
    hold.release();
    let installed = async {
        while ready(&stage).await != 200 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), installed).await.expect("an end");
    name(&stage, 0).await;
    assert_eq!(calls(&stage), [1, 0, 1]);
}

async fn beside(stage: &Stage, settings: &[(&'static str, String)]) -> Stage {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    stage.beside(&settings).await
}

#[tokio::test]
async fn any_gateway_of_the_app_takes_the_callback_and_each_takes_it_once() {
    let (one, _state) = not_installed().await;
    let folder = tempfile::tempdir().expect("a directory");
    let mut settings = granted(&one.sandbox, &folder);
    settings.retain(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
    let two = beside(&one, &settings).await;
    // Of another app, and of another location.
    let location = one.sandbox.info().locations[1].location_id.clone();
    let strangers = [("OAUTH_CLIENT_SECRET", "another".to_owned()), ("LOCATION_ID", location)];
    let begun = begin(&one).await;
    let back = grant(&begun.page).await;
    let query = back.split_once('?').expect("a query").1;
    one.calls();
    for (name, value) in strangers {
        let folder = tempfile::tempdir().expect("a directory");
        let mut settings = settings.clone();
        settings.retain(|(other, _)| ![name, "STATE_DIR"].contains(other));
        settings.extend([(name, value), ("STATE_DIR", folder.path().display().to_string())]);
        let stranger = beside(&one, &settings).await;
        assert_eq!(come_back(&stranger, query, &begun.cookie).await.status(), 400, "{name}");
    }
    assert_eq!(come_back(&two, query, "").await.status(), 400);
    assert_eq!(calls(&one), [0, 0, 0]);
    assert_eq!(come_back(&two, query, &begun.cookie).await.status(), 200);
    name(&two, 0).await;
    assert_eq!(calls(&one), [1, 0, 1]);
    assert_eq!(come_back(&two, query, &begun.cookie).await.status(), 400, "it works once");
    assert_eq!(calls(&one), [0, 0, 0]);
    // Without a Redis the other one cannot know, and the upstream takes a code once.
    assert_eq!(come_back(&one, query, &begun.cookie).await.status(), 400);
    assert_eq!((calls(&one), ready(&one).await), ([1, 0, 0], 503));
}

#[tokio::test]
async fn what_the_upstream_does_not_grant_changes_nothing() {
    let (stage, _state) = warm_stage("").await;
    let other = format!("&locationId={}", stage.sandbox.info().locations[1].location_id);
    assert_eq!(install(&stage, &other).await, 400, "another location");
    let begun = begin(&stage).await;
    let state = parameter(&begun.page, "state").expect("a state");
    let denied = format!("error=access_denied&state={state}");
    assert_eq!(come_back(&stage, &denied, &begun.cookie).await.status(), 400);
    let begun = begin(&stage).await;
    let state = parameter(&begun.page, "state").expect("a state");
    let wrong = format!("code=code-that-nobody-gave&state={state}");
    assert_eq!(come_back(&stage, &wrong, &begun.cookie).await.status(), 400);
    stage.calls();
    name(&stage, 1).await;
    assert_eq!((calls(&stage), ready(&stage).await), ([0, 0, 1], 200));
}

#[tokio::test]
async fn an_installation_for_a_company_serves_the_location() {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox("").await;
    let mut settings = granted(&sandbox, &state);
    settings.retain(|(name, _)| *name != "OAUTH_REFRESH_TOKEN");
    settings.push(("OAUTH_USER_TYPE", "Company".into()));
    let stage = over(sandbox, &settings).await;
    assert_eq!(install(&stage, "").await, 200);
    name(&stage, 0).await;
    assert_eq!(calls(&stage), [1, 1, 1]);
}

#[tokio::test]
async fn without_an_app_there_is_nothing_to_install() {
    let stage = Stage::new().await;
    let answer = browser().get(stage.url.clone() + "/oauth/install").send().await.expect("an answer");
    assert_eq!(answer.status(), 404);
    assert_eq!(come_back(&stage, "code=a&state=b", "").await.status(), 400);
}
