//! The public keys that tokens may be signed for, each with its algorithms.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

use crate::config::pem;

/// More keys than any issuer has at once.
const MOST: usize = 100;

/// With these a token can only be made by whoever has a private key. `none` and HMAC are not among them: with HMAC, whoever
/// can check a token could make one, and the public key that everybody has would do as the secret.
const RSA: &[Algorithm] =
    &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::PS256, Algorithm::PS384, Algorithm::PS512];

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// The keys of one issuer.
pub struct KeySet {
    keys: Vec<Key>,
    named: bool,
}

impl KeySet {
    /// Keys without names: a token is good if one of them signed it.
    pub fn from_pem(text: &str) -> Result<Self, String> {
        let keys = pem::parse(text)?.into_iter().take(MOST).map(|key| {
            let algorithms = match key.family() {
                AlgorithmFamily::Rsa => RSA.to_vec(),
                AlgorithmFamily::Ec => vec![Algorithm::ES256, Algorithm::ES384],
                AlgorithmFamily::Ed => vec![Algorithm::EdDSA],
                AlgorithmFamily::Hmac => Vec::new(),
            };
            Key { id: None, algorithms, key }
        });
        Ok(Self { keys: keys.collect(), named: false })
    }

    /// The keys of a JSON Web Key Set. Those that are for something else, or of a kind that is not known, are left out.
    pub fn from_jwks(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| "it is no JSON Web Key Set".to_owned())?;
        let keys: Vec<Key> = set.keys.into_iter().filter_map(of_jwk).take(MOST).collect();
        match keys.is_empty() {
            true => Err("no key in it can be used: RSA, P-256, P-384 and Ed25519 keys for signatures can".to_owned()),
            false => Ok(Self { keys, named: true }),
        }
    }

    /// The keys that may have signed a token with this key id and algorithm.
    pub fn candidates(&self, id: Option<&str>, algorithm: Algorithm) -> Vec<&DecodingKey> {
        let fits = |key: &&Key| key.algorithms.contains(&algorithm);
        let named = |key: &&Key| !self.named || id.is_none() || key.id.as_deref() == id;
        let found: Vec<&DecodingKey> = self.keys.iter().filter(fits).filter(named).map(|key| &key.key).collect();
        match self.named && id.is_none() && found.len() > 1 {
            // It has to say which: trying them all would cost the more the more keys there are.
            true => Vec::new(),
            false => found,
        }
    }
}

fn of_jwk(value: Value) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let signs = common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
    let verifies = common.key_operations.as_ref().is_none_or(|list| list.contains(&KeyOperations::Verify));
    if !signs || !verifies {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => RSA.to_vec(),
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        _ => return None,
    };
    if let Some(only) = common.key_algorithm {
        let only = Algorithm::try_from(only).ok()?;
        algorithms.retain(|algorithm| *algorithm == only);
    }
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    (!algorithms.is_empty()).then(|| Key { id: common.key_id.clone(), algorithms, key })
}
