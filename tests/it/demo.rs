//! The demo, as it is started: a new contact gets a task and a note by itself, which an open subscription tells.

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
async fn a_new_contact_gets_a_task_and_a_note_in_the_demo_which_an_open_subscription_tells() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
    command.args(["demo", "--port", "0", "--sandbox-port", "0"]).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut running = Running(command.spawn().expect("a demo"));
    let mut lines = BufReader::new(running.0.stdout.take().expect("its output")).lines();
    let line =
        lines.find_map(|line| line.ok().filter(|line| line.trim_start().starts_with("GraphQL "))).expect("a URL");
    let url = line.split_whitespace().last().expect("a URL").to_owned();
    let client = reqwest::Client::new();
    let watch = "subscription { contactsChanged { contactId contact { tasks { title } notes { note } } } }";
    let opened = client.post(&url).header("accept", "text/event-stream").json(&json!({ "query": watch })).send();
    let mut told = opened.await.expect("an event stream");
    let make = "mutation { createContact(input: { name: \"Nova Lindqvist\" }) { contact { id } } }";
    let made = client.post(&url).json(&json!({ "query": make })).send().await.expect("an answer");
    let made: Value = made.json().await.expect("JSON");
    let id = &made["data"]["createContact"]["contact"]["id"];
    let come = async {
        let mut text = String::new();
        while let Some(chunk) = told.chunk().await.expect("more of it") {
            text.push_str(std::str::from_utf8(&chunk).expect("text"));
            while let Some((event, rest)) = text.split_once("\n\n") {
                let data = event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or("null");
                let mut data: Value = serde_json::from_str(data).expect("JSON");
                text = rest.to_owned();
                let mut change = data["data"]["contactsChanged"].take();
                let all = change["contact"]["notes"].as_array().is_some_and(|notes| !notes.is_empty());
                if change["contactId"] == *id && all {
                    return change["contact"].take();
                }
            }
        }
        panic!("the stream ended");
    };
    let contact = tokio::time::timeout(Duration::from_secs(20), come).await.expect("a note");
    assert_eq!(contact["tasks"], json!([{ "title": "Call Nova Lindqvist" }]));
    assert!(contact["notes"][0]["note"].as_str().unwrap().starts_with("Welcomed on 20"), "{contact}");
}
