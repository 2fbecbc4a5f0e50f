//! Deliveries to other systems: signed, to public addresses unless others are allowed, and to exactly the address that was looked at.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::action::Headers;
use super::address::is_public;
use super::schema::Unmade;
use crate::traces::{Call, Within};

/// Most time for one delivery.
const TIME: Duration = Duration::from_secs(10);
const CONNECTING: Duration = Duration::from_secs(5);

/// What is told of a delivery beside its body.
#[derive(Clone, Copy)]
pub struct Sent<'a> {
    /// The same whenever it is sent again.
    pub name: &'a str,
    /// When it is signed.
    pub at: Timestamp,
    /// The run that it is of, where that is traced.
    pub within: Option<&'a Within>,
}

/// Sends deliveries.
pub struct Post {
    client: Client,
    secret: Option<SecretString>,
    allow_private: bool,
}

impl Post {
    /// `secret`: what deliveries are signed with.
    pub fn new(secret: Option<SecretString>, allow_private: bool) -> reqwest::Result<Self> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            // A proxy would look the name up itself.
            .no_proxy()
            .timeout(TIME)
            .connect_timeout(CONNECTING)
            .user_agent(concat!("contacts-gateway/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(Resolver { allow_private }))
            .build()?;
        Ok(Self { client, secret, allow_private })
    }

    /// Delivers a body.
    pub async fn deliver(
        &self,
        url: &str,
        headers: &Headers,
        body: &Value,
        Sent { name, at, within }: Sent<'_>,
    ) -> Result<String, Unmade> {
        let never = |why: &str| Unmade::Never(why.to_owned());
        let url = Url::parse(url).map_err(|_| never("its URL is none"))?;
        self.check(&url).map_err(never)?;
        let body = body.to_string();
        let traced = within.map(|within| within.delivery(url.host_str().unwrap_or_default(), name));
        let mut request = self.client.post(url).header(CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(name, value.expose_secret());
        }
        request = request.header("x-gateway-delivery", name);
        if let Some(secret) = &self.secret {
            request = request.header("x-gateway-signature", sign(secret, at.as_second(), &body));
        }
        // A trace of the operator's own goes before.
        let is_told = headers.keys().any(|name| name.eq_ignore_ascii_case("traceparent"));
        if let Some((name, value)) = traced.as_ref().filter(|_| !is_told).and_then(Call::header) {
            request = request.header(name, value);
        }
        // What it answers is of no interest, and not read.
        let status = request.body(body).send().await.map(|answer| answer.status().as_u16());
        if let Some(traced) = traced {
            let outcome = match &status {
                Ok(200..=299) => "ok",
                Ok(_) => "refused",
                Err(error) if error.is_timeout() => "timeout",
                Err(_) => "unavailable",
            };
            traced.end(status.as_ref().ok().copied(), outcome);
        }
        match status {
            Ok(status @ 200..=299) => Ok(format!("delivered, status {status}")),
            Ok(status @ (408 | 425 | 429 | 500..)) => Err(Unmade::Unclear(format!("the receiver answered {status}"))),
            Ok(status @ 300..=399) => {
                Err(Unmade::Never(format!("the receiver answered {status}; nobody is followed elsewhere")))
            }
            Ok(status) => Err(Unmade::Never(format!("the receiver answered {status}"))),
            Err(error) if is_private(&error) => Err(never(PRIVATE)),
            Err(error) if error.is_timeout() => Err(Unmade::Unclear("the receiver did not answer in time".to_owned())),
            Err(error) if error.is_builder() => Err(never("it cannot be sent as it is")),
            Err(_) => Err(Unmade::Unclear("the receiver could not be reached".to_owned())),
        }
    }

    /// A host that is an address is never looked up.
    fn check(&self, url: &Url) -> Result<(), &'static str> {
        if self.allow_private {
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(INSECURE);
        }
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address {
            Ok(address) if !is_public(address) => Err(PRIVATE),
            _ => Ok(()),
        }
    }
}

const PRIVATE: &str = "its host is no address of the internet; GATEWAY_AUTOMATIONS_ALLOW_PRIVATE allows others";
const INSECURE: &str = "its URL is not https; GATEWAY_AUTOMATIONS_ALLOW_PRIVATE allows http";

/// When it was signed, and the HMAC-SHA256 of that, a dot and the body.
fn sign(secret: &SecretString, seconds: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let tag = hmac::sign(&key, format!("{seconds}.{body}").as_bytes());
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={seconds},v1={hex}")
}

/// Looks names up, and gives out none of the addresses if one of them is not public: the connection goes to one of these and no other.
struct Resolver {
    allow_private: bool,
}

#[derive(Debug)]
struct Private;

impl fmt::Display for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PRIVATE)
    }
}

impl Error for Private {}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if !allow_private && !found.iter().all(|address| is_public(address.ip())) {
                return Err(Private.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<Private>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_not_public_is_refused_before_anything_is_sent() {
        let post = Post::new(None, false).expect("a client");
        for (url, why) in [
            ("https://127.0.0.1/x", PRIVATE),
            ("https://[::1]/x", PRIVATE),
            ("https://[::ffff:10.0.0.1]/x", PRIVATE),
            ("https://169.254.169.254/latest", PRIVATE),
            // However it is written.
            ("https://2130706433/x", PRIVATE),
            ("https://0x7f.1/x", PRIVATE),
            ("https://localhost/x", PRIVATE),
            ("http://93.184.216.34/x", INSECURE),
        ] {
            let sent = Sent { name: "d", at: Timestamp::UNIX_EPOCH, within: None };
            let sent = post.deliver(url, &Headers::new(), &json!({}), sent).await;
            assert_eq!(sent, Err(Unmade::Never(why.to_owned())), "{url}");
        }
    }

    /// RFC 4231 has no case with a dot in it; this one was made with `openssl dgst -sha256 -hmac`.
    #[test]
    fn a_receiver_can_check_the_signature() {
        let signed = sign(&"0123456789abcdef".into(), 1_780_000_000, r#"{"a":1}"#);
        assert_eq!(signed, "t=1780000000,v1=bbc5da54367f5e39957fab1768fefa9cb855aa3b2717bef17cedda003c97c1bb");
    }
}
