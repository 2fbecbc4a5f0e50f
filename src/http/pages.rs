//! Pages in browsers, which ask in the name of whoever looks at them: which origins may, and what none may do to a gateway that
//! takes everybody who reaches it for its owner.
//!
//! No cookie opens anything here, so a page has nothing to abuse where callers send keys or tokens. Where they send nothing
//! (`GATEWAY_AUTH=open`, for this machine alone) it would have: see docs/decisions/0083.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::header::{AGE, ETAG, HOST, ORIGIN, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::track::X_REQUEST_ID;
use crate::app::App;
use crate::graph::error::brief;
use crate::graph::{Code, Error};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// For so long a browser need not ask again whether it may ask.
const KEPT: Duration = Duration::from_secs(600);

/// What tells browsers that pages of these origins may ask, if there are any. They may send any header: none of them means
/// anything that a caller could not send without a page.
pub fn cors(origins: &[String]) -> Option<CorsLayer> {
    let from = match origins {
        [] => return None,
        any if any.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        these => AllowOrigin::list(these.iter().filter_map(|origin| HeaderValue::try_from(origin).ok())),
    };
    let layer = CorsLayer::new()
        .allow_origin(from)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([X_REQUEST_ID, ETAG, AGE, RETRY_AFTER])
        .max_age(KEPT);
    Some(layer)
}

/// Why a request is not answered that a page of another site may have caused, with the HTTP status that fits.
pub fn refuse_strangers(app: &App, headers: &HeaderMap) -> Result<(), (u16, Error)> {
    let forbidden = |status, message: String| Err((status, Error::new(Code::Forbidden, message)));
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    // A name that a stranger owns can be made to point here, and then the browser takes the stranger's page for ours.
    if let Some(host) = text(HOST).filter(|host| !is_of_this_machine(host)) {
        let host = brief(host);
        return forbidden(
            421,
            format!(
                "This gateway asks nobody who they are, so it answers under the names and addresses of its machine and not as \
                 `{host}`. GATEWAY_AUTH=keys makes it one for others."
            ),
        );
    }
    let elsewhere = text(SEC_FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none"));
    if elsewhere && !text(ORIGIN).is_some_and(|origin| app.admits(origin)) {
        let message = "Pages of this site may not use the gateway: GATEWAY_CORS_ORIGINS has to name it.";
        return forbidden(403, message.to_owned());
    }
    Ok(())
}

/// Whether a `Host` is no name that is looked up in the world's names: those have a dot in them.
fn is_of_this_machine(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    !name.contains('.') || bare.parse::<IpAddr>().is_ok() || name.to_ascii_lowercase().ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_world_are_told_from_those_of_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:4000",
            "127.0.0.1:4000",
            "[::1]:4000",
            "[::1]",
            "10.0.0.7",
            "gateway:4000",
            "a.localhost",
        ] {
            assert!(is_of_this_machine(host), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:4000",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "evil.example.",
            "a.b:x",
            "?.?",
        ] {
            assert!(!is_of_this_machine(host), "{host}");
        }
    }
}
