//! The explorer at `/`: GraphiQL from the binary, or a small query page where it was built without Node.js.
//!
//! Every file lies compressed in the binary (`build.rs` packs them) and is sent as it lies there; only for a client
//! that takes no gzip is it inflated, at that moment. Nothing is done at start.

use std::io::Read;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::read::GzDecoder;

struct Asset {
    path: &'static str,
    kind: &'static str,
    /// The name changes with the content.
    hashed: bool,
    /// As it is, and compressed.
    etags: [&'static str; 2],
    gzip: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/explorer_assets.rs"));

/// Scripts come from files only. Styles may be inline, since the Monaco editor writes its own; `data:` is for the
/// fonts and pictures inside GraphiQL's style sheet.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Neither a window that opened the page has it in its hands, nor a page elsewhere its files.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// `/` and `/explorer/…`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    if BUILT.is_empty() { serving(FALLBACK, "fallback.html", "") } else { serving(BUILT, "index.html", "explorer/") }
}

/// The page is the asset `page`; `/explorer/x` is the asset `x` below `folder`.
fn serving<S>(assets: &'static [Asset], page: &'static str, folder: &'static str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let answer = move |path: &str, headers: &HeaderMap| match assets.iter().find(|a| a.path == path) {
        Some(asset) => asset.answer(headers),
        None => (StatusCode::NOT_FOUND, "The explorer has no such file.\n").into_response(),
    };
    let index = move |headers: HeaderMap| async move { answer(page, &headers) };
    let file =
        move |Path(path): Path<String>, headers: HeaderMap| async move { answer(&format!("{folder}{path}"), &headers) };
    Router::new().route("/", get(index)).route("/explorer/{*path}", get(file))
}

impl Asset {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let gzip = takes_gzip(asked);
        let etag = self.etags[usize::from(gzip)];
        let mut head = HeaderMap::new();
        let mut say = |name, value| head.insert(name, HeaderValue::from_static(value));
        say(ETAG, etag);
        say(CACHE_CONTROL, if self.hashed { "public, max-age=31536000, immutable" } else { "no-cache" });
        say(VARY, "accept-encoding");
        say(X_CONTENT_TYPE_OPTIONS, "nosniff");
        say(RESOURCE_POLICY, "same-origin");
        if self.kind.starts_with("text/html") {
            say(CONTENT_SECURITY_POLICY, POLICY);
            say(REFERRER_POLICY, "no-referrer");
            say(X_FRAME_OPTIONS, "DENY");
            say(OPENER_POLICY, "same-origin");
        }
        if is_kept(asked, etag) {
            return (StatusCode::NOT_MODIFIED, head).into_response();
        }
        say(CONTENT_TYPE, self.kind);
        if gzip {
            say(CONTENT_ENCODING, "gzip");
            return (head, self.gzip).into_response();
        }
        let mut plain = Vec::new();
        match GzDecoder::new(self.gzip).read_to_end(&mut plain) {
            Ok(_) => (head, plain).into_response(),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

/// The parts of a header that is a comma-separated list, over all its lines.
fn list(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(name).into_iter().filter_map(|v| v.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

/// gzip by its name, or by `*` when it is not named; a weight of nought refuses.
fn takes_gzip(asked: &HeaderMap) -> bool {
    let weight = |coding: &str| {
        list(asked, ACCEPT_ENCODING).find_map(|part| {
            let (name, weight) = part.split_once(';').unwrap_or((part, "q=1"));
            let weight = weight.trim().trim_start_matches(['q', 'Q', '=']);
            name.trim().eq_ignore_ascii_case(coding).then(|| weight.parse::<f32>().unwrap_or(1.0))
        })
    };
    weight("gzip").or_else(|| weight("*")).is_some_and(|q| q > 0.0)
}

fn is_kept(asked: &HeaderMap, etag: &str) -> bool {
    list(asked, IF_NONE_MATCH).any(|kept| kept == "*" || kept.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests;
