//! Answers of the upstream, each read as that of every route. No answer of a few bytes becomes many records.
#![no_main]

use contacts_gateway::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    // Ten routes, and no record is written in less than two bytes.
    assert!(fuzzing::upstream(body) <= 10 + 10 * body.len() / 2);
});
