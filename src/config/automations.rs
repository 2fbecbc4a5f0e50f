//! The settings about automations: their file, and how they post.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::reader::Reader;

/// Largest file.
const LARGEST: usize = 1 << 20;

/// Shortest secret: shorter ones can be found out by trying.
const SHORTEST: usize = 16;

/// What is to be done by itself when something happens.
#[derive(Clone)]
pub struct Automations {
    /// The text of the file, which may have secrets in it.
    pub text: String,
    /// Whether they may post to addresses that are not of the internet.
    pub allow_private: bool,
    /// What their posts are signed with.
    pub secret: Option<SecretString>,
}

impl fmt::Debug for Automations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Automations").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

/// `passthrough`: whether the gateway has no location of its own.
pub fn read(from: &mut Reader, passthrough: bool) -> Option<Automations> {
    const NAME: &str = "GATEWAY_AUTOMATIONS";
    let path = from.optional(NAME);
    let allow_private = from.one_of("GATEWAY_AUTOMATIONS_ALLOW_PRIVATE", &[("true", true), ("false", false)]);
    let secret = from.token("GATEWAY_AUTOMATIONS_SECRET", "GATEWAY_AUTOMATIONS_SECRET_FILE");
    if secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < SHORTEST) {
        from.problem("GATEWAY_AUTOMATIONS_SECRET", "(hidden)", &format!("a secret of {SHORTEST} characters or more"));
    }
    let path = path?;
    if passthrough {
        from.problem(
            NAME,
            &path,
            "nothing, since with GATEWAY_AUTH=passthrough the gateway has no credential of its own",
        );
    }
    let text = from.file(NAME, &path)?;
    if text.len() > LARGEST {
        from.problem(NAME, &path, &format!("a file of {LARGEST} bytes at most"));
    }
    Some(Automations { text, allow_private: allow_private.unwrap_or_default(), secret })
}
