//! The settings file.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use contacts_gateway::fuzzing;
use libfuzzer_sys::fuzz_target;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("contacts-gateway-fuzz-{}.toml", std::process::id())));

fuzz_target!(|text: &[u8]| {
    std::fs::write(&*FILE, text).expect("a file that can be written");
    fuzzing::settings(&FILE);
});
