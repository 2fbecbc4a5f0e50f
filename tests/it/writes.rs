//! Changes: what is sent, what is seen afterwards and by whom, and what happens when the answer is lost.

mod callers;
mod doubts;
mod elsewhere;
mod failures;
mod inputs;
mod lag;
mod races;
mod requests;

use contacts_gateway::sandbox::{DEMO_CONTACT, Record};
use serde_json::{Value, json};

use super::support::*;

const CREATE: &str = "POST /contacts/";
const UPSERT: &str = "POST /contacts/upsert";
const UPDATE: &str = "PUT /contacts/{contactId}";
const DELETE: &str = "DELETE /contacts/{contactId}";
const ADD_TAGS: &str = "POST /contacts/{contactId}/tags";
const REMOVE_TAGS: &str = "DELETE /contacts/{contactId}/tags";
const CREATE_TASK: &str = "POST /contacts/{contactId}/tasks";
const UPDATE_TASK: &str = "PUT /contacts/{contactId}/tasks/{taskId}";
const COMPLETE_TASK: &str = "PUT /contacts/{contactId}/tasks/{taskId}/completed";
const DELETE_TASK: &str = "DELETE /contacts/{contactId}/tasks/{taskId}";
const CREATE_NOTE: &str = "POST /contacts/{contactId}/notes";
const UPDATE_NOTE: &str = "PUT /contacts/{contactId}/notes/{id}";
const DELETE_NOTE: &str = "DELETE /contacts/{contactId}/notes/{id}";
const TASK: &str = "GET /contacts/{contactId}/tasks/{taskId}";
const NOTE: &str = "GET /contacts/{contactId}/notes/{id}";
const DUPLICATE: &str = "GET /contacts/search/duplicate";

const NAME: &str = "query N($id: ID!) { contact(id: $id) { name } }";

/// A mutation with its input in a variable.
fn mutation(field: &str, selection: &str) -> String {
    let kind = field[..1].to_uppercase() + &field[1..];
    format!("mutation M($input: {kind}Input!) {{ {field}(input: $input) {{ {selection} }} }}")
}

impl Stage {
    /// The whole answer to a mutation.
    async fn change(&self, field: &str, input: Value, selection: &str) -> Value {
        self.ask(&mutation(field, selection), json!({ "input": input })).await
    }

    /// The payload of a mutation that succeeds.
    async fn changed(&self, field: &str, input: Value, selection: &str) -> Value {
        let answer = self.change(field, input, selection).await;
        assert_eq!(answer.get("errors"), None, "{field}: {answer}");
        answer["data"][field].clone()
    }

    /// The calls since the last reset that change something: method, path, body.
    fn sent(&self) -> Vec<(String, String, Option<Value>)> {
        let writes = self.sandbox.calls().into_iter().filter(|call| call.method != "GET");
        writes.map(|call| (call.method, call.path, call.body)).collect()
    }

    /// What the upstream has of a contact.
    fn upstream(&self, id: &str) -> Record {
        self.sandbox.record(&self.sandbox.info().location_id, id)
    }

    /// The name as it is answered.
    async fn name_of(&self, id: &str) -> Value {
        self.data(NAME, json!({ "id": id })).await["contact"]["name"].clone()
    }

    /// Id of the demo contact's first task and first note.
    fn demo_records(&self) -> (String, String) {
        let record = self.upstream(DEMO_CONTACT);
        let id = |items: &[Value]| items[0]["id"].as_str().unwrap().to_owned();
        (id(&record.tasks), id(&record.notes))
    }
}
