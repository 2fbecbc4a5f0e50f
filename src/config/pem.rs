//! A PEM file of public keys: those that callers' tokens are signed for.

use jsonwebtoken::DecodingKey;

const BEGIN: &str = "-----BEGIN ";

/// The keys, or what is wrong with the file.
pub fn parse(text: &str) -> Result<Vec<DecodingKey>, String> {
    let blocks: Vec<&str> = text.match_indices(BEGIN).map(|(at, _)| &text[at..]).collect();
    if blocks.is_empty() {
        return Err("expected a public key that begins with -----BEGIN PUBLIC KEY-----".to_owned());
    }
    blocks.into_iter().enumerate().map(|(n, block)| key(block).map_err(|why| format!("key {}: {why}", n + 1))).collect()
}

fn key(block: &str) -> Result<DecodingKey, &'static str> {
    let label = block[BEGIN.len()..].split("-----").next().unwrap_or_default();
    if !["PUBLIC KEY", "RSA PUBLIC KEY"].contains(&label) {
        return Err("expected a public key, and no private key or certificate");
    }
    let end = block[BEGIN.len()..].find(BEGIN).map_or(block.len(), |next| next + BEGIN.len());
    let block = block[..end].trim().as_bytes();
    let read = DecodingKey::from_rsa_pem(block)
        .or_else(|_| DecodingKey::from_ec_pem(block))
        .or_else(|_| DecodingKey::from_ed_pem(block));
    read.map_err(|_| "expected a key for RSA, for ECDSA with P-256 or P-384, or for Ed25519")
}
