//! Who may come in: version header, token, scope, location, in the API's order and words.

use super::{answer::Refusal, lock, route::Route, world::World};
use axum::http::{HeaderMap, header::AUTHORIZATION};
use std::time::Duration;

const VERSIONS: [&str; 5] = ["legacy", "2021-04-15", "2021-07-28", "2023-02-21", "v3"];

/// What a bearer token opens.
#[derive(Clone, Debug)]
pub(super) struct Credential {
    /// Empty for the token of a company.
    pub location: String,
    pub scopes: Vec<String>,
    /// The grant that it came from, and dies with.
    pub grant: Option<usize>,
    /// When it opens nothing any more, by the sandbox's own clock.
    pub expires: Option<Duration>,
}

impl Credential {
    /// A token that lives until it is revoked.
    pub fn lasting(location: &str, scopes: Vec<String>) -> Self {
        Self { location: location.into(), scopes, grant: None, expires: None }
    }
}

pub(super) fn bearer(headers: &HeaderMap) -> &str {
    let sent = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default()
}

/// The location that a call may see, or why it may see none.
pub(super) fn admit(world: &World, headers: &HeaderMap, route: &Route) -> Result<String, Refusal> {
    version(headers)?;
    let credential = opened_by(world, headers)?;
    if !route.scope.is_empty() && !credential.scopes.iter().any(|scope| scope == route.scope) {
        return Err(Refusal::Unauthorized("The token is not authorized for this scope."));
    }
    Ok(credential.location)
}

/// What the call's token opens.
pub(super) fn opened_by(world: &World, headers: &HeaderMap) -> Result<Credential, Refusal> {
    let token = bearer(headers);
    let alive = |credential: &&Credential| credential.expires.is_none_or(|at| world.uptime() < at);
    let credentials = lock::read(&world.credentials);
    credentials.get(token).filter(alive).cloned().ok_or(Refusal::Unauthorized(dead(token)))
}

pub(super) fn version(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get("version").map(|value| value.to_str()) {
        None => Err(Refusal::Version("version header was not found.")),
        Some(Ok(version)) if VERSIONS.contains(&version) => Ok(()),
        Some(_) => Err(Refusal::Version("version header is invalid")),
    }
}

fn dead(token: &str) -> &'static str {
    if token.starts_with("pit-") { "Invalid Private Integration token" } else { "Invalid JWT" }
}
