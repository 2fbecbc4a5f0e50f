//! `/oauth/install` and `/oauth/callback`: a person grants the app access to a location, in a browser.
//!
//! Nobody has to say who they are here: a browser that follows a link sends no key. What comes of it is decided by
//! the upstream. Tokens are only taken for the location that was asked for, from somebody who may grant them.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, LOCATION, REFERRER_POLICY, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;

use crate::app::App;

const KEPT: &str = "contacts_gateway_install";

/// No code is longer.
const LONGEST: usize = 4096;

/// Neither is for a cache, a frame, or the next site's `Referer`.
const UNSHARED: [(HeaderName, &str); 3] = [
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
];

/// What `/oauth/install` is asked.
#[derive(Deserialize)]
pub struct Wanted {
    location: Option<String>,
}

/// `GET /oauth/install`: on to the upstream's page.
pub async fn install(State(app): State<Arc<App>>, Query(wanted): Query<Wanted>) -> Response {
    let mut able = app.accounts().iter().filter_map(|account| {
        let oauth = account.credential.oauth()?;
        oauth.consent_page("").map(|_| (&*account.location, oauth))
    });
    let chosen = match &wanted.location {
        Some(id) => able.find(|(location, _)| *location == id.as_str()),
        None => match (able.next(), able.next()) {
            (Some(_), Some(_)) => {
                return page(StatusCode::BAD_REQUEST, "Which location?", "Add ?location= and its id to the address.");
            }
            (only, _) => only,
        },
    };
    let Some((_, oauth)) = chosen else {
        let text = "No such location is opened by OAuth here, or GATEWAY_OAUTH_REDIRECT_URL is not set.";
        return page(StatusCode::NOT_FOUND, "There is nothing to install", text);
    };
    let begun = app.pending().begin(oauth.state_key());
    let address = begun.as_ref().and_then(|begun| oauth.consent_page(&begun.state));
    let (Some(begun), Some(address)) = (begun, address) else {
        return page(StatusCode::INTERNAL_SERVER_ERROR, "That did not work", "Try it again.");
    };
    let tls = if oauth.comes_back_by_tls() { "; Secure" } else { "" };
    // Lax: it has to come back with a visit that another site leads to.
    let cookie = format!("{KEPT}={}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax{tls}", begun.cookie);
    (StatusCode::SEE_OTHER, UNSHARED, [(LOCATION, address), (SET_COOKIE, cookie)]).into_response()
}

/// What the upstream's page sends back.
#[derive(Deserialize)]
pub struct Returned {
    code: Option<String>,
    state: Option<String>,
}

/// `GET /oauth/callback`: the code becomes tokens, if this browser asked for it.
pub async fn callback(State(app): State<Arc<App>>, Query(returned): Query<Returned>, headers: HeaderMap) -> Response {
    let state = returned.state.unwrap_or_default();
    let cookie = kept(&headers).unwrap_or_default();
    let keys = app.accounts().iter().filter_map(|account| Some((account.credential.oauth()?.state_key(), account)));
    let Some(account) = app.pending().finish(keys, &state, cookie).await else {
        let text = "This answer was not asked for by this browser, or too long ago, or was used already. Open \
                    /oauth/install to begin again.";
        return page(StatusCode::BAD_REQUEST, "Begin again", text);
    };
    let code = returned.code.filter(|code| !code.is_empty() && code.len() <= LONGEST);
    let Some(code) = code else {
        let text = "The upstream's page sent no code. Open /oauth/install to begin again.";
        return page(StatusCode::BAD_REQUEST, "Access was not granted", text);
    };
    match account.install(code.into()).await {
        Ok(()) => {
            let mut done =
                page(StatusCode::OK, "Access was granted", "The gateway uses it from now on. Close this page.");
            let over = format!("{KEPT}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
            if let Ok(over) = HeaderValue::try_from(over) {
                done.headers_mut().insert(SET_COOKIE, over);
            }
            done
        }
        Err(trouble) => {
            let status = if trouble.stays() { StatusCode::BAD_REQUEST } else { StatusCode::BAD_GATEWAY };
            tracing::warn!(location = &*account.location, %trouble, "an installation failed");
            page(status, "That did not work", trouble.why_not_installed())
        }
    }
}

/// What the browser kept since `/oauth/install`.
fn kept(headers: &HeaderMap) -> Option<&str> {
    let sent = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = sent.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == KEPT).then_some(value))
}

/// A page of our own words alone: nothing that was sent is repeated.
fn page(status: StatusCode, title: &'static str, text: &'static str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>\n"
    );
    (status, UNSHARED, Html(html)).into_response()
}
