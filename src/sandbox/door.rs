//! Who may come in: version header, token, scope, location, in the API's order and words.

use super::{answer::Refusal, lock, route::Route, server::World};
use axum::http::{HeaderMap, header::AUTHORIZATION};

const VERSIONS: [&str; 5] = ["legacy", "2021-04-15", "2021-07-28", "2023-02-21", "v3"];

/// What a bearer token opens.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    pub location: String,
    pub scopes: Vec<String>,
}

pub(super) fn bearer(headers: &HeaderMap) -> &str {
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// The location that a call may see, or why it may see none.
pub(super) fn admit(world: &World, headers: &HeaderMap, route: &Route) -> Result<String, Refusal> {
    version(headers)?;
    let token = bearer(headers);
    let credentials = lock::read(&world.credentials);
    let Some(credential) = credentials.get(token) else {
        return Err(Refusal::Unauthorized(dead(token)));
    };
    if !credential.scopes.iter().any(|scope| scope == route.scope) {
        return Err(Refusal::Unauthorized("The token is not authorized for this scope."));
    }
    Ok(credential.location.clone())
}

fn version(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get("version").map(|value| value.to_str()) {
        None => Err(Refusal::Version("version header was not found.")),
        Some(Ok(version)) if VERSIONS.contains(&version) => Ok(()),
        Some(_) => Err(Refusal::Version("version header is invalid")),
    }
}

fn dead(token: &str) -> &'static str {
    if token.starts_with("pit-") { "Invalid Private Integration token" } else { "Invalid JWT" }
}
