//! Headers to a caller: who asks, and for which location.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::pages::refuse_strangers;
use crate::app::App;
use crate::auth::{Admitted, Refusal};
use crate::graph::error::brief;
use crate::graph::{Code, Error};

/// The header that names a location.
pub const LOCATION: &str = "x-location-id";

/// The caller of a request, or why there is none, with the HTTP status that fits.
pub async fn identify(app: &App, headers: &HeaderMap) -> Result<Admitted, (u16, Error)> {
    if app.is_open() {
        refuse_strangers(app, headers)?;
    }
    let mut named = headers.get_all(LOCATION).iter();
    let location = named.next().map(|value| value.as_bytes());
    if named.next().is_some() {
        let message = format!("The header {LOCATION} was sent more than once.");
        return Err((400, Error::bad_input(message)));
    }
    app.auth().caller(bearer(headers), location).await.map_err(|why| refused(why, location))
}

/// What follows `Bearer`, if that is sent once.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut sent = headers.get_all(AUTHORIZATION).iter();
    let value = sent.next().filter(|_| sent.next().is_none())?.as_bytes();
    let (scheme, rest) = value.split_at_checked("Bearer ".len())?;
    let token = rest.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then_some(token)
}

fn refused(why: Refusal, location: Option<&[u8]>) -> (u16, Error) {
    let forbidden = |message: String| (403, Error::new(Code::Forbidden, message));
    match why {
        Refusal::Unauthenticated(message) => (401, Error::new(Code::Unauthenticated, message)),
        Refusal::Unnamed(locations) => {
            let mut message = format!("Name a location with the header {LOCATION}.");
            if !locations.is_empty() {
                message += &format!(" There are: {}.", locations.join(", "));
            }
            (400, Error::bad_input(message))
        }
        Refusal::Elsewhere => {
            let name = brief(&String::from_utf8_lossy(location.unwrap_or_default()));
            forbidden(format!("There is no location `{name}` for this caller."))
        }
        Refusal::Unable => {
            let message = "The keys of the tokens' issuer cannot be had, so no token can be checked.";
            (503, Error::new(Code::UpstreamUnavailable, message))
        }
        Refusal::Nowhere => forbidden("There is no location for this caller.".to_owned()),
    }
}
