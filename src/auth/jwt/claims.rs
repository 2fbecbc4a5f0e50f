//! What a token says that its bearer may do, and where.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::caller::Scopes;
use crate::upstream::Payer;

/// The claims of a token whose signature, issuer, audience and times are right.
pub struct Claims(pub Map<String, Value>);

/// Where a token opens something.
#[derive(Debug, PartialEq, Eq)]
pub enum Places<'a> {
    /// At every location: the claim is `*`.
    Everywhere,
    /// At these. A token that does not say opens nothing: it was made for another purpose.
    At(Vec<&'a str>),
}

impl Claims {
    /// The scopes: a list, or one text with blanks between them. The names that mean nothing here are left out.
    pub fn scopes(&self, claim: &str) -> Scopes {
        Scopes::named(self.words(claim))
    }

    /// The locations, in the same forms.
    pub fn places(&self, claim: &str) -> Places<'_> {
        match self.words(claim) {
            words if words.contains(&"*") => Places::Everywhere,
            words => Places::At(words),
        }
    }

    /// Who pays: the subject, with all of its tokens, or the client. Tokens that name neither pay together.
    pub fn payer(&self) -> Payer {
        let name = ["sub", "client_id", "azp"].into_iter().find_map(|claim| self.0.get(claim)?.as_str());
        let digest = Sha256::digest(name.unwrap_or_default());
        Payer(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn words(&self, claim: &str) -> Vec<&str> {
        match self.0.get(claim) {
            Some(Value::String(text)) => text.split_whitespace().collect(),
            Some(Value::Array(texts)) => texts.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// From when on the token is no good any more.
    pub fn ends(&self, leeway: Duration) -> Option<SystemTime> {
        let seconds = self.0.get("exp")?.as_f64().filter(|seconds| *seconds >= 0.0)?;
        let since_epoch = Duration::try_from_secs_f64(seconds).ok()?.checked_add(leeway)?;
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::caller::Scope;

    #[test]
    fn claims_come_as_lists_and_as_words() {
        let claims = |value| match value {
            Value::Object(map) => Claims(map),
            _ => Claims(Map::new()),
        };
        for scope in [json!("openid contacts.write"), json!(["contacts.write", 5, "openid"])] {
            let scopes = claims(json!({ "scope": scope })).scopes("scope");
            assert_eq!(scopes.iter().collect::<Vec<_>>(), [Scope::ContactsWrite]);
        }
        let rows = [
            (json!({ "l": "A B" }), Places::At(vec!["A", "B"])),
            (json!({ "l": ["A", "B"] }), Places::At(vec!["A", "B"])),
            (json!({ "l": ["A", "*"] }), Places::Everywhere),
            (json!({ "l": "*" }), Places::Everywhere),
            (json!({ "l": true }), Places::At(vec![])),
            (json!({ "l": { "*": "*" } }), Places::At(vec![])),
            (json!({}), Places::At(vec![])),
        ];
        for (value, want) in rows {
            assert_eq!(claims(value.clone()).places("l"), want, "{value}");
        }
        assert_eq!(claims(json!({ "exp": 1e300 })).ends(Duration::ZERO), None);
        let two = SystemTime::UNIX_EPOCH + Duration::from_secs(2);
        assert_eq!(claims(json!({ "exp": 1.0 })).ends(Duration::from_secs(1)), Some(two));
    }
}
