//! The settings about the Redis that joins several gateways.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use redis::IntoConnectionInfo;
use secrecy::{ExposeSecret, SecretBox, SecretString};

use super::reader::Reader;

/// What joins several gateways.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Where it is, with the user and the password where it wants them.
    pub url: SecretString,
    /// What is stored in it is sealed with the first; all of them open. None: it is stored as it is.
    pub keys: Arc<[SecretBox<[u8; 32]>]>,
}

pub fn read(from: &mut Reader) -> Option<Redis> {
    let url = from.token("GATEWAY_REDIS_URL", "GATEWAY_REDIS_URL_FILE");
    let file = from.optional("GATEWAY_REDIS_ENCRYPTION_KEY_FILE");
    if let Some(url) = &url
        && url.expose_secret().into_connection_info().is_err()
    {
        from.problem("GATEWAY_REDIS_URL", "(hidden)", "redis://user:password@host:port/database, or rediss:// for TLS");
    }
    let keys = file.map(|path| keys(from, &path)).unwrap_or_default();
    url.map(|url| Redis { url, keys: keys.into() })
}

fn keys(from: &mut Reader, path: &str) -> Vec<SecretBox<[u8; 32]>> {
    const NAME: &str = "GATEWAY_REDIS_ENCRYPTION_KEY_FILE";
    let Some(text) = from.secrets_file(NAME, path) else { return Vec::new() };
    let lines = text.expose_secret().lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let key = |line: &str| <[u8; 32]>::try_from(BASE64_STANDARD.decode(line).ok()?).ok();
    let keys: Option<Vec<_>> = lines.map(|line| key(line).map(|key| SecretBox::new(Box::new(key)))).collect();
    match keys {
        Some(keys) if !keys.is_empty() => keys,
        _ => {
            let expected =
                "a file with a key of 32 random bytes in base64 on each line, as `openssl rand -base64 32` makes one";
            from.problem(NAME, path, expected);
            Vec::new()
        }
    }
}
