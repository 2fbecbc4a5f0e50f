//! Requests as they come, as a body and as an address.
#![no_main]

use std::sync::LazyLock;

use contacts_gateway::fuzzing::Compiler;
use libfuzzer_sys::fuzz_target;

static COMPILER: LazyLock<Compiler> = LazyLock::new(Compiler::default);

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'?', query)) => COMPILER.query(query),
        _ => COMPILER.body(bytes),
    };
});
