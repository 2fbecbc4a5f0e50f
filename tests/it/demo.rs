//! The demo, as it is started: a new contact gets a task and a note by itself.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_contact_gets_a_task_and_a_note_in_the_demo() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    command.args(["demo", "--port", "0", "--sandbox-port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = Running(command.spawn().expect("a demo"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("its output")).lines();
    let line =
        lines.find_map(|line| line.ok().filter(|line| line.trim_start().starts_with("GraphQL "))).expect("a URL");
    let url = line.split_whitespace().last().expect("a URL").to_owned();
    let client = reqwest::Client::new();
    let ask = async |query: &str, variables: Value| -> Value {
        let body = json!({ "query": query, "variables": variables });
        client.post(&url).json(&body).send().await.expect("an answer").json().await.expect("JSON")
    };
    let made =
        ask("mutation { createContact(input: { name: \"Nova Lindqvist\" }) { contact { id } } }", json!({})).await;
    let id = &made["data"]["createContact"]["contact"]["id"];
    let come = async {
        loop {
            let query = "query N($id: ID!) { contact(id: $id) { tasks { title } notes { note } } }";
            let contact = ask(query, json!({ "id": id })).await["data"]["contact"].take();
            if contact["notes"].as_array().is_some_and(|notes| !notes.is_empty()) {
                return contact;
            }
        }
    };
    let contact = tokio::time::timeout(Duration::from_secs(20), come).await.expect("a note");
    assert_eq!(contact["tasks"], json!([{ "title": "Call Nova Lindqvist" }]));
    assert!(contact["notes"][0]["note"].as_str().unwrap().starts_with("Welcomed on 20"), "{contact}");
}
