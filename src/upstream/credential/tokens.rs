//! A pair of tokens: as the upstream sends it, as it is kept, and as it is used.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Bearer;
use super::trouble::Trouble;

/// For whom a token is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserType {
    /// One location.
    #[default]
    Location,
    /// The company that locations belong to; its tokens are exchanged for theirs.
    Company,
}

impl UserType {
    /// As the upstream spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Location => "Location",
            Self::Company => "Company",
        }
    }
}

/// What the token endpoints answer. No `Debug`: it is all secrets.
#[derive(Deserialize)]
pub struct Answer {
    access_token: String,
    expires_in: Option<f64>,
    refresh_token: Option<String>,
    scope: Option<String>,
    #[serde(rename = "userType")]
    user_type: Option<String>,
    #[serde(rename = "locationId")]
    location_id: Option<String>,
    #[serde(rename = "companyId")]
    company_id: Option<String>,
}

/// A pair as it is kept. No `Debug` either.
#[derive(Clone, Serialize, Deserialize)]
pub struct Row {
    access_token: String,
    refresh_token: String,
    /// Seconds since 1970.
    expires_at: u64,
    /// Seconds.
    lifetime: u64,
    scope: String,
    user_type: UserType,
    location_id: Option<String>,
    company_id: Option<String>,
    /// The digest of the configured token that an installation came after.
    #[serde(default)]
    pub replaces: Option<String>,
    /// One more than that of the pair that it was bought with; at an installation, the time.
    #[serde(default = "first")]
    pub version: u64,
    /// Whether it came from another replica.
    #[serde(default)]
    pub is_adopted: bool,
}

fn first() -> u64 {
    1
}

impl Row {
    /// The same, as it is kept where another replica bought it.
    #[must_use]
    pub fn adopted(self) -> Self {
        Self { is_adopted: true, ..self }
    }
}

/// How long a token lives when the upstream does not say (CONTRACT: a day).
const USUAL_LIFE: f64 = 86_399.0;

/// A pair of tokens.
#[derive(Clone)]
pub struct Tokens {
    /// What calls are sent with.
    pub bearer: Bearer,
    /// What the next pair is bought with, once. A location's token that was exchanged has none.
    pub refresh: SecretString,
    /// What was granted, which the bearer tells as well.
    scope: String,
    /// For whom.
    pub user_type: UserType,
    /// Whose, if it is a location's.
    pub location_id: Option<String>,
    /// The company.
    pub company_id: Option<String>,
    /// Its place in the line of pairs of its grant. An installation begins a new line, which no older one catches up with.
    pub version: u64,
    /// Whether it came from another replica.
    pub is_adopted: bool,
    expires: SystemTime,
    lifetime: Duration,
}

impl Tokens {
    /// What was answered at `now` to whoever sent `used`.
    pub fn answered(answer: Answer, used: Option<&SecretString>, now: SystemTime) -> Result<Self, Trouble> {
        let lifetime = answer.expires_in.filter(|seconds| (1.0..=1e9).contains(seconds)).unwrap_or(USUAL_LIFE);
        let lifetime = Duration::from_secs_f64(lifetime);
        let user_type = match answer.user_type.as_deref() {
            Some("Company") => UserType::Company,
            _ => UserType::Location,
        };
        let refresh = match (answer.refresh_token, used) {
            (Some(token), _) => token.into(),
            (None, Some(used)) => used.clone(),
            (None, None) => String::new().into(),
        };
        let scope = answer.scope.unwrap_or_default();
        Ok(Self {
            bearer: bearer(answer.access_token, &scope)?,
            refresh,
            scope,
            user_type,
            location_id: answer.location_id,
            company_id: answer.company_id,
            version: first(),
            is_adopted: false,
            expires: now + lifetime,
            lifetime,
        })
    }

    /// What was kept.
    pub fn kept(row: Row) -> Result<Self, Trouble> {
        Ok(Self {
            bearer: bearer(row.access_token, &row.scope)?,
            refresh: row.refresh_token.into(),
            scope: row.scope,
            user_type: row.user_type,
            location_id: row.location_id,
            company_id: row.company_id,
            version: row.version,
            is_adopted: row.is_adopted,
            expires: UNIX_EPOCH + Duration::from_secs(row.expires_at),
            lifetime: Duration::from_secs(row.lifetime),
        })
    }

    /// As it is kept.
    pub fn row(&self, replaces: Option<String>) -> Row {
        Row {
            access_token: self.bearer.token().to_owned(),
            refresh_token: self.refresh.expose_secret().to_owned(),
            expires_at: self.expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            lifetime: self.lifetime.as_secs(),
            scope: self.scope.clone(),
            user_type: self.user_type,
            location_id: self.location_id.clone(),
            company_id: self.company_id.clone(),
            replaces,
            version: self.version,
            is_adopted: self.is_adopted,
        }
    }

    /// The same, as the one after that version.
    #[must_use]
    pub fn after(self, version: u64) -> Self {
        Self { version: version + 1, ..self }
    }

    /// The same, as one that was granted at `now`: by the time in milliseconds it comes after all pairs of an earlier grant, those too that
    /// nobody told of here. A grant is not renewed once in a millisecond.
    #[must_use]
    pub fn installed(self, known: u64, now: SystemTime) -> Self {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.after(known.max(now))
    }

    /// Whether it is said to be for another location.
    pub fn is_of_another(&self, location: &str) -> bool {
        self.location_id.as_ref().is_some_and(|id| id != location)
    }

    /// Whether it can be sent: a call that begins now should arrive before it expires.
    pub fn can_be_used(&self, now: SystemTime) -> bool {
        self.left(now) > Duration::from_secs(30).min(self.lifetime / 20)
    }

    /// Whether it is time to renew it, though it can be used.
    pub fn should_be_renewed(&self, now: SystemTime) -> bool {
        self.left(now) < Duration::from_secs(300).min(self.lifetime / 10)
    }

    fn left(&self, now: SystemTime) -> Duration {
        self.expires.duration_since(now).unwrap_or_default()
    }
}

fn bearer(token: String, scope: &str) -> Result<Bearer, Trouble> {
    let token = SecretString::from(token);
    Some(token)
        .filter(|token| !token.expose_secret().is_empty())
        .and_then(|token| Bearer::granted(&token, scope))
        .ok_or(Trouble::Unsendable)
}

/// What tells a token from others without telling it.
pub fn digest(token: &SecretString) -> String {
    let sum = Sha256::digest(token.expose_secret().as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
