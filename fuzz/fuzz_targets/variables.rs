//! Variables of operations that take every sort of them: bounded, coerced, and planned with.
#![no_main]

use std::sync::LazyLock;

use contacts_gateway::fuzzing::Compiler;
use libfuzzer_sys::fuzz_target;

static COMPILER: LazyLock<Compiler> = LazyLock::new(Compiler::default);

const DOCUMENTS: [&str; 4] = [
    "query($id: ID!, $first: Int, $on: Boolean = true) { contact(id: $id) { tasks(first: $first) @include(if: $on) { id } } }",
    "query($ids: [ID!]!, $after: String, $search: String, $first: Int = 20) {
       contactsByIds(ids: $ids) { id } contacts(first: $first, after: $after, search: $search) { nodes { notes { id } } } }",
    "query($id: ID!, $status: TaskStatus, $due: DateTime) { contact(id: $id) { tasks(status: $status, dueBefore: $due) { id } } }",
    "mutation($input: UpdateContactInput!) { updateContact(input: $input) { contact { id } } }",
];

fuzz_target!(|given: &[u8]| {
    let Ok(variables) = serde_json::from_slice(given) else { return };
    for document in DOCUMENTS {
        // Calls of one list of 500, each row with two more, are the most that these can come to.
        if let Some(compiled) = COMPILER.document(document, &variables) {
            assert!(compiled.planned.iter().all(|calls| *calls <= 2_000), "{:?}", compiled.planned);
        }
    }
});
