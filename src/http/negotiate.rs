//! In which of the GraphQL media types an answer goes out.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};

/// The media types that answers come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/json`: every well-formed request is answered with 200.
    Json,
    /// `application/graphql-response+json`: the status tells whether the request was executed.
    GraphqlResponse,
    /// `text/event-stream`: answers one after the other. What is refused before there is a stream is told in JSON.
    EventStream,
}

impl Media {
    /// As a header.
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json | Self::EventStream => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }

    /// What the caller likes best; `None` when it takes none of them. Who does not say gets `application/json`.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut all = headers.get_all(ACCEPT).iter();
        match (all.next(), all.next()) {
            (None, _) => return Some(Self::Json),
            // What most programs send.
            (Some(only), None) if only == "application/json" => return Some(Self::Json),
            (Some(only), None) if only == "application/graphql-response+json" => return Some(Self::GraphqlResponse),
            _ => {}
        }
        let mut best: Option<(Self, f32)> = None;
        for header in headers.get_all(ACCEPT) {
            for range in header.to_str().ok()?.split(',') {
                let Some((media, weight)) = read(range) else { continue };
                if weight > best.map_or(0.0, |(_, best)| best) {
                    best = Some((media, weight));
                }
            }
        }
        best.map(|(media, _)| media)
    }
}

fn read(range: &str) -> Option<(Media, f32)> {
    let mut parts = range.split(';').map(str::trim);
    let media = match parts.next()?.to_ascii_lowercase().as_str() {
        "application/graphql-response+json" => Media::GraphqlResponse,
        "text/event-stream" => Media::EventStream,
        "application/json" | "application/*" | "*/*" => Media::Json,
        _ => return None,
    };
    let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse().ok());
    Some((media, weight.unwrap_or(1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caller_chooses() {
        let rows = [
            (None, Some(Media::Json)),
            (Some("*/*"), Some(Media::Json)),
            (Some("application/json"), Some(Media::Json)),
            (Some("application/graphql-response+json"), Some(Media::GraphqlResponse)),
            (Some("application/graphql-response+json, application/json;q=0.9"), Some(Media::GraphqlResponse)),
            (Some("application/graphql-response+json;q=0.5, application/json"), Some(Media::Json)),
            (
                Some("application/graphql-response+json; charset=utf-8, application/json; charset=utf-8"),
                Some(Media::GraphqlResponse),
            ),
            (Some("text/html, */*;q=0.1"), Some(Media::Json)),
            (Some("text/event-stream"), Some(Media::EventStream)),
            (Some("application/json, text/event-stream;q=0.9"), Some(Media::Json)),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
        ];
        for (accept, want) in rows {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            assert_eq!(Media::of(&headers), want, "{accept:?}");
        }
    }
}
