//! docs/errors.md shows an answer for each code, and it is one that the gateway gives.

use std::fs;

use contacts_gateway::graph::Code;
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault, Options, Variant};
use serde_json::{Value, json};

use super::super::support::*;
use super::root;

const ASK: &str = "query Profile($id: ID!) { contact(id: $id) { name tasks { title } } }";

/// What is different each time is put aside.
fn steady(mut answer: Value) -> Value {
    for error in answer["errors"].as_array_mut().expect("errors") {
        error["extensions"]["requestId"] = json!("...");
        for changing in ["retryAfterMs"] {
            if error["extensions"].get(changing).is_some() {
                error["extensions"][changing] = json!(8200);
            }
        }
        if error["extensions"]["upstream"].get("traceId").is_some() {
            error["extensions"]["upstream"]["traceId"] = json!("...");
        }
    }
    answer
}

async fn failing(fault: Fault) -> Value {
    let stage = Stage::set(&[("UPSTREAM_RETRIES", "0")]).await;
    stage.sandbox.fault(fault);
    stage.ask(ASK, json!({ "id": DEMO_CONTACT })).await
}

/// An answer with this code.
async fn example(code: Code) -> Value {
    match code {
        Code::ParseFailed => Stage::new().await.ask("query { contact(id: \"a\") { name }", json!({})).await,
        Code::ValidationFailed => Stage::new().await.ask("{ contact(id: \"a\") { fullName } }", json!({})).await,
        Code::BadUserInput => {
            let change = "mutation { createTask(input: { contactId: \"a1\", title: \"\", dueDate: \"2026-06-19T16:00:00Z\" }) { task { id } } }";
            Stage::new().await.ask(change, json!({})).await
        }
        Code::Unauthenticated => {
            let file = tempfile::NamedTempFile::new().expect("a file");
            let row =
                format!("[[key]]\nname = \"a\"\nsha256 = \"{}\"\nscopes = [\"contacts.readonly\"]\n", "0".repeat(64));
            fs::write(file.path(), row).expect("a file that can be written");
            let stage = Stage::set(&[("AUTH", "keys"), ("KEYS_FILE", file.path().to_str().expect("a path"))]).await;
            stage.ask("{ gateway { version } }", json!({})).await
        }
        Code::Forbidden => {
            let scopes = vec!["contacts.readonly".to_owned()];
            let stage = Stage::with(Options { scopes, ..Options::default() }, &[]).await;
            let change = "mutation M($id: ID!) { addContactTags(input: { contactId: $id, tags: [\"vip\"] }) { contact { tags } } }";
            stage.ask(change, json!({ "id": DEMO_CONTACT })).await
        }
        Code::NotFound => {
            let change = "mutation { deleteContact(input: { id: \"cNobody0000000000000\" }) { deletedId } }";
            Stage::new().await.ask(change, json!({})).await
        }
        Code::Conflict => {
            let change = "mutation { createContact(input: { name: \"Amara\", email: \"Amara.Lindqvist@example.com\" }) { contact { id } } }";
            Stage::new().await.ask(change, json!({})).await
        }
        Code::RateLimited => {
            let stage = Stage::with(
                Options { rate_limit: Some("1/10".parse().expect("a limit")), ..Options::default() },
                &[("REQUEST_TIMEOUT", "1s")],
            )
            .await;
            stage.ask("{ a: contact(id: \"a1\") { id } }", json!({})).await;
            stage.ask("query P($id: ID!) { contact(id: $id) { name } }", json!({ "id": DEMO_CONTACT })).await
        }
        Code::PersistedQueryNotFound => {
            let answer = Stage::new().await.post().json(&json!({ "documentId": "unknown" })).send().await;
            answer.expect("an answer").json().await.expect("JSON")
        }
        Code::OperationTooExpensive => {
            let stage = Stage::set(&[("MAX_CALLS", "100")]).await;
            stage.ask("{ contacts(first: 500) { nodes { notes { note } } } }", json!({})).await
        }
        Code::UpstreamTimeout => failing(Fault::on(TASKS).refuse(Variant::TimedOut)).await,
        Code::UpstreamUnavailable => failing(Fault::on(TASKS).status(503).html()).await,
        Code::UpstreamBadResponse => failing(Fault::on(TASKS).body(json!({ "task": "none" }))).await,
        Code::Internal => failing(Fault::on(TASKS).refuse(Variant::NoVersion)).await,
    }
}

#[tokio::test]
async fn every_code_has_its_section_with_an_answer_that_is_given() {
    let path = root().join("docs/errors.md");
    let mut page = fs::read_to_string(&path).expect("docs/errors.md");
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let answer = steady(example(code).await);
        let name = code.as_str();
        assert!(errors(&answer).iter().all(|(_, got)| got == name), "{name}: {answer:#}");
        let heading = format!("\n## {name}\n");
        let Some(start) = page.find(&heading) else {
            wrong.push(format!("{name} has no section"));
            continue;
        };
        let begin = start + page[start..].find("```json\n").unwrap_or_else(|| panic!("{name} has no answer")) + 8;
        let end = begin + page[begin..].find("```").expect("the end of a block");
        if serde_json::from_str::<Value>(&page[begin..end]).ok().as_ref() != Some(&answer) {
            page.replace_range(begin..end, &format!("{answer:#}\n"));
            wrong.push(format!("{name} shows another answer; UPDATE_DOCS=1 writes the one that is given"));
        }
    }
    if std::env::var_os("UPDATE_DOCS").is_some() {
        return fs::write(&path, page).expect("a file that can be written");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
