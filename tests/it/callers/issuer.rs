//! A stand-in for an issuer of tokens: it signs them, and publishes its keys.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use contacts_gateway::clock::Clock;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::super::support::local;
use super::{READ, WRITE};

pub const ISSUER: &str = "https://issuer.example";
pub const AUDIENCE: &str = "contacts";

/// A key pair that signs tokens.
pub struct Signer {
    pub algorithm: Algorithm,
    pub id: &'static str,
    key: EncodingKey,
    /// The public key.
    pub pem: String,
}

impl Signer {
    pub fn ed(id: &'static str) -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key");
        let private = pair.to_pkcs8v1().expect("a key").as_ref().to_vec();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
        Self::new(Algorithm::EdDSA, id, EncodingKey::from_ed_der(&private), public.as_ref())
    }

    pub fn ec(id: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let private = pair.to_pkcs8v1().expect("a key").as_ref().to_vec();
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
        Self::new(Algorithm::ES256, id, EncodingKey::from_ec_der(&private), public.as_ref())
    }

    pub fn rsa(id: &'static str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let private: Pkcs8V1Der<'_> = pair.as_der().expect("a key");
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a key");
        let private = EncodingKey::from_rsa_pem(pem("PRIVATE KEY", private.as_ref()).as_bytes()).expect("a key");
        Self::new(Algorithm::RS256, id, private, public.as_ref())
    }

    fn new(algorithm: Algorithm, id: &'static str, key: EncodingKey, public: &[u8]) -> Self {
        Self { algorithm, id, key, pem: pem("PUBLIC KEY", public) }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key");
        jwk.common.key_id = Some(self.id.to_owned());
        serde_json::to_value(jwk).expect("JSON")
    }

    /// A token of these claims that says that it is signed with the key of this name.
    pub fn sign_as(&self, id: Option<&str>, claims: &Value) -> String {
        let header = Header { kid: id.map(str::to_owned), ..Header::new(self.algorithm) };
        encode(&header, claims, &self.key).expect("a token")
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_as(Some(self.id), claims)
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

/// Good claims for ten minutes, with these in place of some; null leaves one out.
pub fn claims(location: &str, more: &Value) -> Value {
    let epoch = Clock::default().wall().duration_since(std::time::UNIX_EPOCH).expect("a time");
    let now = epoch.as_secs();
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "iat": now, "exp": now + 600,
        "scope": format!("openid {READ} {WRITE}"), "locations": [location],
    });
    let claims_of = claims.as_object_mut().expect("an object");
    for (name, value) in more.as_object().cloned().unwrap_or_default() {
        match (value.is_null(), value.as_str().and_then(|text| text.strip_prefix("now"))) {
            (true, _) => drop(claims_of.remove(&name)),
            // As "now+30" or "now-30".
            (_, Some(offset)) => {
                let offset: i64 = offset.parse().expect("a number");
                claims_of.insert(name, json!(now as i64 + offset));
            }
            _ => drop(claims_of.insert(name, value)),
        }
    }
    claims
}

/// A token that nobody signed, or somebody in another way.
pub fn forge(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}

/// Publishes keys. Dropping it stops it.
pub struct Issuer {
    pub url: String,
    /// What is published; `None`: it is out of order.
    published: Arc<Mutex<Option<Value>>>,
    hits: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Issuer {
    pub async fn start(keys: &[&Signer]) -> Self {
        let published = Arc::<Mutex<Option<Value>>>::default();
        let hits = Arc::<AtomicUsize>::default();
        let (shown, counted) = (published.clone(), hits.clone());
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            let now = shown.lock().unwrap().clone();
            async move { now.map(Json).ok_or(StatusCode::SERVICE_UNAVAILABLE) }
        };
        let listener = local().await;
        let url = format!("http://{}/jwks?of=tests", listener.local_addr().expect("an address"));
        let routes = Router::new().route("/jwks", get(answer));
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.expect("a server") });
        let issuer = Self { url, published, hits, server };
        issuer.publish(keys);
        issuer
    }

    pub fn publish(&self, keys: &[&Signer]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.publish_text(json!({ "keys": keys }));
    }

    pub fn publish_text(&self, text: Value) {
        *self.published.lock().unwrap() = Some(text);
    }

    pub fn break_down(&self) {
        *self.published.lock().unwrap() = None;
    }

    /// How often its keys were fetched.
    pub fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }
}
