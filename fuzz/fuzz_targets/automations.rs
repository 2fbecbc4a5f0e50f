//! The file of automations.
#![no_main]

use contacts_gateway::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    fuzzing::automations(text);
});
