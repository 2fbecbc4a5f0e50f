//! The settings about events that the upstream sends: the keys that they are signed with.

use aws_lc_rs::signature::{ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, VerificationAlgorithm};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::reader::Reader;

/// Whose signatures are accepted. Without any, no events are taken.
#[derive(Clone, Debug, Default)]
pub struct Webhooks {
    /// Ed25519: any of them may have signed.
    pub keys: Vec<ParsedPublicKey>,
    /// RSA, for senders that sign as they used to.
    pub legacy_keys: Vec<ParsedPublicKey>,
}

impl Webhooks {
    /// Whether events are taken at all.
    pub fn are_on(&self) -> bool {
        !self.keys.is_empty() || !self.legacy_keys.is_empty()
    }
}

pub fn read(from: &mut Reader) -> Webhooks {
    let keys = keys(
        from,
        "GATEWAY_WEBHOOK_KEYS",
        &ED25519,
        "an Ed25519 public key: PEM that begins with -----BEGIN PUBLIC KEY-----, or its 32 bytes in base64 or hex",
    );
    let legacy_keys = keys_of_rsa(from);
    Webhooks { keys, legacy_keys }
}

fn keys_of_rsa(from: &mut Reader) -> Vec<ParsedPublicKey> {
    let expected = "an RSA public key of 2048 bits or more, as PEM that begins with -----BEGIN PUBLIC KEY-----";
    keys(from, "GATEWAY_WEBHOOK_LEGACY_KEYS", &RSA_PKCS1_2048_8192_SHA256, expected)
}

/// The keys of all files that a setting names.
fn keys(
    from: &mut Reader,
    name: &'static str,
    algorithm: &'static dyn VerificationAlgorithm,
    expected: &str,
) -> Vec<ParsedPublicKey> {
    let Some(paths) = from.optional(name) else { return Vec::new() };
    let mut keys = Vec::new();
    for path in paths.split(',').map(str::trim).filter(|path| !path.is_empty()) {
        let Some(text) = from.file(name, path) else { continue };
        match der(text.trim()).and_then(|der| ParsedPublicKey::new(algorithm, der).ok()) {
            Some(key) => keys.push(key),
            None => from.problem(name, path, &format!("a file that holds {expected}")),
        }
    }
    keys
}

/// The bytes of a key as it is written in a file.
fn der(text: &str) -> Option<Vec<u8>> {
    if let Some(inside) = text.strip_prefix("-----BEGIN ") {
        let (label, rest) = inside.split_once("-----")?;
        let is_public = matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY");
        let body = rest.strip_suffix(&format!("-----END {label}-----")).filter(|_| is_public)?;
        return STANDARD.decode(body.split_ascii_whitespace().collect::<String>()).ok();
    }
    let hex = || {
        let digit = |at: usize| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
        (text.len() == 64).then(|| (0..32).map(|n| digit(2 * n)).collect()).flatten()
    };
    hex().or_else(|| STANDARD.decode(text).ok().filter(|raw| raw.len() == 32))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8410, section 10.1.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----";
    const RAW: &str = "Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
    const HEX: &str = "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

    fn key(text: &str) -> Option<ParsedPublicKey> {
        ParsedPublicKey::new(&ED25519, der(text)?).ok()
    }

    #[test]
    fn a_key_is_the_same_however_it_is_written() {
        // A key is kept as it was read: with or without what says that it is one for Ed25519.
        let last = |text| key(text).expect("a key").as_ref().last_chunk::<32>().copied();
        for text in [RAW, HEX, &HEX.to_uppercase(), &PEM.replace('\n', "\r\n")] {
            assert_eq!(last(text), last(PEM), "{text}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_none() {
        let private = PEM.replace("PUBLIC", "PRIVATE");
        let two = format!("{PEM}\n{PEM}");
        let (short, rsa) = (&RAW[4..], PEM.replace("MCow", "MCox"));
        for text in ["", "-----BEGIN ", "nonsense", &private, &two, short, &rsa, "é", &"zz".repeat(32)] {
            assert!(key(text).is_none(), "{text}");
        }
    }
}
