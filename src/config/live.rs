//! The settings about sockets, subscriptions and polling.

use std::time::Duration;

use reqwest::Url;

use super::reader::Reader;

/// What those may do who are told of changes.
#[derive(Clone, Debug)]
pub struct Live {
    /// Where pages may come from that use the gateway, beside its own; `*`: anywhere.
    pub origins: Vec<String>,
    /// Most WebSockets and event streams at one time.
    pub sockets: usize,
    /// Most operations at one time on one WebSocket.
    pub subscriptions: usize,
    /// How often a watched contact is looked at where there are no webhooks; zero: never.
    pub poll_interval: Duration,
}

pub fn read(from: &mut Reader) -> Option<Live> {
    let origins = from.origins("GATEWAY_CORS_ORIGINS");
    let sockets = from.number("GATEWAY_MAX_SOCKETS", 0..=1_000_000);
    let subscriptions = from.number("GATEWAY_MAX_SUBSCRIPTIONS", 1..=10_000);
    let poll_interval = from.time("GATEWAY_POLL_INTERVAL");
    Some(Live {
        origins: origins.unwrap_or_default(),
        sockets: sockets? as usize,
        subscriptions: subscriptions? as usize,
        poll_interval: poll_interval?,
    })
}

/// An origin as browsers send it: scheme, host, and a port that is not the usual one.
pub fn origin(text: &str) -> Option<String> {
    if text == "*" {
        return Some(text.to_owned());
    }
    let url: Url = text.parse().ok()?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let user = !url.username().is_empty() || url.password().is_some();
    (bare && !user && url.has_host()).then(|| url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_spelled_as_browsers_send_them() {
        let rows = [
            ("*", Some("*")),
            ("https://Shop.example", Some("https://shop.example")),
            ("https://shop.example:443/", Some("https://shop.example")),
            ("http://127.0.0.1:3000", Some("http://127.0.0.1:3000")),
            ("shop.example", None),
            ("https://shop.example/path", None),
            ("https://user@shop.example", None),
            ("null", None),
        ];
        for (given, want) in rows {
            assert_eq!(origin(given).as_deref(), want, "{given}");
        }
    }
}
