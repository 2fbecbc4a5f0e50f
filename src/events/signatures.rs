//! Whether a body was signed by the sender, exactly as it arrived.

use aws_lc_rs::signature::ParsedPublicKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::config::Webhooks;

/// What came with a body: the values of its signature headers. `None`: it has none, or several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Signed<'a> {
    /// Ed25519, in base64.
    pub current: Option<&'a [u8]>,
    /// RSA with PKCS #1 v1.5 and SHA-256, in base64.
    pub legacy: Option<&'a [u8]>,
}

impl Signed<'_> {
    /// Whether there is one at all.
    pub fn is_there(&self) -> bool {
        self.current.or(self.legacy).is_some()
    }
}

/// The keys that may have signed.
pub struct Signatures(Webhooks);

impl Signatures {
    pub fn new(keys: Webhooks) -> Self {
        Self(keys)
    }

    /// Whether one of the keys signed these bytes. Each header is for one algorithm; what it says is never tried with the other. The
    /// legacy one counts where there is no other that could be checked.
    pub fn accept(&self, body: &[u8], signed: Signed<'_>) -> bool {
        let Webhooks { keys, legacy_keys } = &self.0;
        let (signature, keys) = match (signed.current, signed.legacy) {
            (Some(current), _) if !keys.is_empty() => (current, keys),
            (_, Some(legacy)) => (legacy, legacy_keys),
            _ => return false,
        };
        let Ok(signature) = STANDARD.decode(signature) else { return false };
        keys.iter().any(|key: &ParsedPublicKey| key.verify_sig(body, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::rsa::KeySize;
    use aws_lc_rs::signature::{
        ED25519, Ed25519KeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair,
    };
    use proptest::prelude::*;

    use super::*;

    fn ed(pair: &Ed25519KeyPair) -> ParsedPublicKey {
        ParsedPublicKey::new(&ED25519, pair.public_key()).unwrap()
    }

    fn sign(pair: &Ed25519KeyPair, body: &[u8]) -> Vec<u8> {
        STANDARD.encode(pair.sign(body)).into_bytes()
    }

    fn current(signature: &[u8]) -> Signed<'_> {
        Signed { current: Some(signature), legacy: None }
    }

    #[test]
    fn either_of_two_keys_may_have_signed_and_a_stranger_not() {
        let [one, two, stranger] = [(); 3].map(|()| Ed25519KeyPair::generate().unwrap());
        let signatures = Signatures::new(Webhooks { keys: vec![ed(&one), ed(&two)], legacy_keys: Vec::new() });
        for (pair, good) in [(&one, true), (&two, true), (&stranger, false)] {
            let signature = sign(pair, b"body");
            assert_eq!(signatures.accept(b"body", current(&signature)), good);
            // In the header of the other algorithm it says nothing.
            assert!(!signatures.accept(b"body", Signed { current: None, legacy: Some(&signature) }));
        }
        for strange in [&b""[..], b"AAAA", b"not base64!", &[0xff; 88]] {
            assert!(!signatures.accept(b"body", current(strange)));
        }
        assert!(!signatures.accept(b"body", Signed::default()));
    }

    #[test]
    fn the_legacy_header_counts_only_with_a_key_for_it_and_without_a_newer_one() {
        let (pair, rsa) = (Ed25519KeyPair::generate().unwrap(), RsaKeyPair::generate(KeySize::Rsa2048).unwrap());
        let mut signature = vec![0; rsa.public_modulus_len()];
        rsa.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), b"body", &mut signature).unwrap();
        let legacy = STANDARD.encode(signature).into_bytes();
        let rsa = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, rsa.public_key()).unwrap();
        let signatures = |keys, legacy_keys| Signatures::new(Webhooks { keys, legacy_keys });
        let good = sign(&pair, b"body");
        let cases = [
            (signatures(vec![ed(&pair)], vec![]), None, false),
            (signatures(vec![ed(&pair)], vec![rsa.clone()]), None, true),
            (signatures(vec![ed(&pair)], vec![rsa.clone()]), Some(&b"AAAA"[..]), false),
            (signatures(vec![ed(&pair)], vec![rsa.clone()]), Some(&*good), true),
            (signatures(vec![], vec![rsa]), Some(&b"AAAA"[..]), true),
        ];
        for (n, (signatures, current, accepted)) in cases.into_iter().enumerate() {
            assert_eq!(signatures.accept(b"body", Signed { current, legacy: Some(&legacy) }), accepted, "{n}");
        }
    }

    proptest! {
        #[test]
        fn one_flipped_bit_anywhere_refuses(
            body in proptest::collection::vec(any::<u8>(), 1..300),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
            let signatures = Signatures::new(Webhooks { keys: vec![ed(&pair)], legacy_keys: Vec::new() });
            let signature = sign(&pair, &body);
            prop_assert!(signatures.accept(&body, current(&signature)));
            let flip = |bytes: &[u8]| {
                let mut bytes = bytes.to_vec();
                let at = at.index(bytes.len());
                bytes[at] ^= 1_u8 << bit;
                bytes
            };
            prop_assert!(!signatures.accept(&flip(&body), current(&signature)));
            // As it is written, too: no two texts stand for one signature.
            prop_assert!(!signatures.accept(&body, current(&flip(&signature))));
        }
    }
}
