//! Callers who present a signed token of an issuer: a JSON Web Token.

mod claims;
mod jwks;
mod keys;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use self::claims::{Claims, Places};
use self::jwks::Jwks;
use self::keys::KeySet;
use super::reach::{Callers, Reach};
use super::{Admitted, Refusal};
use crate::clock::Clock;
use crate::config::{Jwt as Settings, JwtKeys};
use crate::live_file::LiveFile;
use crate::remembered::{Bound, Remembered};
use crate::upstream::Payer;

/// How far the clocks of issuer and gateway may be apart.
const LEEWAY: Duration = Duration::from_secs(30);
/// Longest token, in bytes.
const LONGEST: usize = 8 << 10;
/// Most memory for tokens that were found good.
const REMEMBERED: u64 = 4 << 20;
/// About what one of them takes beside its locations.
const ENTRY: usize = 256;

/// Where the keys come from.
enum Source {
    Jwks(Arc<Jwks>),
    Pem(Arc<LiveFile<Arc<KeySet>>>),
}

/// What checks tokens.
pub struct Jwt {
    source: Source,
    settings: Settings,
    callers: Callers,
    /// By the token's digest. A token is taken from here until it ends or the keys change: then it has to be right anew.
    good: Remembered<Good>,
    clock: Clock,
}

struct Good {
    reach: Arc<Reach>,
    payer: Payer,
    ends: SystemTime,
    /// The number of the set of keys that it was right by.
    keys: u64,
}

impl Jwt {
    pub fn open(settings: &Settings, callers: Callers, clock: Clock) -> anyhow::Result<Self> {
        let source = match &settings.keys {
            JwtKeys::Jwks(url) => Source::Jwks(Jwks::new(url.clone(), clock.clone())?),
            JwtKeys::Pem(path) => {
                Source::Pem(LiveFile::open(path, clock.clone(), |text| KeySet::from_pem(text).map(Arc::new))?)
            }
        };
        let good = Remembered::within(Bound::weight(REMEMBERED));
        Ok(Self { source, settings: settings.clone(), callers, good, clock })
    }

    pub async fn caller(&self, bearer: Option<&[u8]>, location: Option<&[u8]>) -> Result<Admitted, Refusal> {
        let missing = Refusal::Unauthenticated("Send a token of the gateway's issuer: `Authorization: Bearer TOKEN`.");
        let token = bearer.ok_or(missing)?;
        if token.len() > LONGEST {
            return Err(NO_TOKEN);
        }
        let (keys, version) = self.keys().await?;
        let digest: [u8; 32] = Sha256::digest(token).into();
        let good = match self.good.get(&digest).filter(|good| good.keys == version) {
            Some(good) => good,
            None => {
                let good = Arc::new(self.judge(token, keys, version).await?);
                let weight = ENTRY + good.reach.len() * size_of::<usize>();
                self.good.insert(digest, good.clone(), weight as u32);
                good
            }
        };
        if good.ends <= self.clock.wall() {
            self.good.remove(&digest);
            return Err(ENDED);
        }
        Ok((good.reach.at(location)?, good.payer))
    }

    async fn keys(&self) -> Result<(Arc<KeySet>, u64), Refusal> {
        match &self.source {
            Source::Pem(file) => {
                file.keep_up().await;
                Ok(file.with(|keys, version| (keys.clone(), version)))
            }
            Source::Jwks(jwks) => {
                jwks.keep_up().await;
                jwks.keys().ok_or(Refusal::Unable)
            }
        }
    }

    async fn judge(&self, token: &[u8], keys: Arc<KeySet>, version: u64) -> Result<Good, Refusal> {
        let header = decode_header(token).map_err(|_| NO_TOKEN)?;
        // Extensions that have to be understood, and none is.
        if header.crit.is_some() {
            return Err(NO_TOKEN);
        }
        let mut judged = self.judge_by(&keys, version, token, &header);
        if let (None, Source::Jwks(jwks)) = (&judged, &self.source) {
            // The issuer may have begun to use another key, under a new name, an old one, or none.
            jwks.fetch().await;
            let (newer, number) = jwks.keys().ok_or(Refusal::Unable)?;
            if number != version {
                judged = self.judge_by(&newer, number, token, &header);
            }
        }
        judged.unwrap_or(Err(UNKNOWN_KEY))
    }

    /// `None`: no key of the set signed it.
    fn judge_by(&self, keys: &KeySet, number: u64, token: &[u8], header: &Header) -> Option<Result<Good, Refusal>> {
        let validation = self.validation(header.alg);
        let mut why = None;
        for key in keys.candidates(header.kid.as_deref(), header.alg) {
            match decode::<Map<String, Value>>(token, key, &validation) {
                Ok(decoded) => return Some(self.allow(&Claims(decoded.claims), number)),
                Err(error) if *error.kind() == ErrorKind::InvalidSignature => {}
                Err(error) => why = Some(Err(refused(error.kind()))),
            }
        }
        why
    }

    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        validation
    }

    fn allow(&self, claims: &Claims, keys: u64) -> Result<Good, Refusal> {
        let scopes = claims.scopes(&self.settings.scope_claim);
        let reach = match claims.places(&self.settings.location_claim) {
            Places::Everywhere => self.callers.everywhere(scopes),
            Places::At(ids) => self.callers.among(scopes, ids),
        };
        let ends = claims.ends(LEEWAY).ok_or(NO_TOKEN)?;
        Ok(Good { reach, payer: claims.payer(), ends, keys })
    }
}

const NO_TOKEN: Refusal = Refusal::Unauthenticated("This is no token that the gateway can read.");
const ENDED: Refusal = Refusal::Unauthenticated("The token has expired.");
const UNKNOWN_KEY: Refusal = Refusal::Unauthenticated("The token is not signed with a key of the issuer.");

/// Claims are looked at after the signature: only who has a token of the issuer is told what is wrong with it.
fn refused(kind: &ErrorKind) -> Refusal {
    match kind {
        ErrorKind::ExpiredSignature => ENDED,
        ErrorKind::ImmatureSignature => Refusal::Unauthenticated("The token is not valid yet."),
        ErrorKind::InvalidAudience => Refusal::Unauthenticated("The token is for another audience."),
        ErrorKind::InvalidIssuer => Refusal::Unauthenticated("The token is of another issuer."),
        ErrorKind::MissingRequiredClaim(_) => Refusal::Unauthenticated("The token lacks one of exp, iss and aud."),
        _ => NO_TOKEN,
    }
}
