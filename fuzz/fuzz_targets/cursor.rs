//! Cursors: whatever is read is what it is written as, in its list and no other.
#![no_main]

use contacts_gateway::fuzzing;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|given: (&str, &str, &str, i64, u32)| {
    let (list, other, text, ms, rows) = given;
    fuzzing::cursor(list, text);
    fuzzing::place(list, other, ms, text, rows);
});
