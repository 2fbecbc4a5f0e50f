//! Events as they are sent, and signatures. Nobody signs without the key.
#![no_main]

use contacts_gateway::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    fuzzing::event(bytes);
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (signature, body) = bytes.split_at(line);
    assert!(!fuzzing::is_signed(body, signature));
});
