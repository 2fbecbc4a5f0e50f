//! What an operation costs, told beforehand by the command and afterwards by the header.

use std::collections::BTreeSet;
use std::process::Output;

use super::super::commands::{gateway, told};
use super::*;
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault};

fn explain(path: &Path, more: &[&str]) -> Output {
    let path = path.to_str().expect("a path");
    gateway(&[&["explain", path], more].concat(), &[])
}

fn json_of(output: &Output) -> Value {
    assert_eq!(output.status.code(), Some(0), "{}", told(output));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(file.path(), text).expect("a file that can be written");
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn each_example_costs_what_explain_says() {
    let examples = examples();
    assert!(examples.len() >= 12);
    for (path, variables) in examples {
        let (output, text) = tokio::task::block_in_place(|| {
            let output = explain(&path, &["--json", "--variables", &variables.to_string()]);
            (output, fs::read_to_string(&path).expect("text"))
        });
        let said = json_of(&output);
        let stage = without_searches(&[]).await;
        let (cost, answer) = explained(&stage, &text, variables).await;
        assert_eq!(answer.get("errors"), None, "{text}");
        let called = calls_without_the_look(&stage);
        let planned = said["calls"].as_array().expect("calls").iter();
        let planned: Vec<_> = planned.map(|row| (row["route"].clone(), row["count"].clone())).collect();
        assert_eq!(planned.len(), called.len(), "{text}");
        for (route, count) in planned {
            assert_eq!(
                called.get(route.as_str().expect("a route")).copied(),
                count.as_u64().map(|n| n as usize),
                "{text}"
            );
        }
        let sum = called.values().sum::<usize>();
        for number in [&said["planned"], &cost["planned"], &cost["calls"]] {
            assert_eq!(*number, sum, "{text}");
        }
    }
}

#[test]
fn the_plan_is_a_table_with_scopes_and_times() {
    let profile = &examples()[0].0;
    let told = told(&explain(profile, &["--variables", r#"{"id": "c1"}"#]));
    let want = "\
Profile: upstream calls planned: 4
  calls  route                                   for                       kept for
      1  GET /contacts/{contactId}               a contact                 1m
      1  GET /contacts/{contactId}/tasks         a contact's tasks         30s
      1  GET /contacts/{contactId}/notes         a contact's notes         1m
      1  GET /contacts/{contactId}/appointments  a contact's appointments  1m
  scopes: contacts.readonly
  the answer may be kept for 30s
";
    assert_eq!(told, want);
    let list = file("query L($n: Int!) { contacts(first: $n) { nodes { timezone notes { id } } } }");
    let said = json_of(&explain(list.path(), &["--json", "--variables", r#"{"n": 130}"#]));
    let want = json!({
        "operation": "L",
        "planned": 262,
        "calls": [
            { "route": LIST, "count": 2, "for": "a page of contacts", "scope": "contacts.readonly", "ttlMs": 15_000 },
            { "route": CONTACT, "count": 130, "for": "a contact", "scope": "contacts.readonly", "ttlMs": 60_000 },
            { "route": NOTES, "count": 130, "for": "a contact's notes", "scope": "contacts.readonly", "ttlMs": 60_000 },
        ],
        "scopes": ["contacts.readonly"],
        "cacheable": true,
        "ttlMs": 15_000,
    });
    assert_eq!(said, want);
    let write = file(r#"mutation { deleteContact(input: { id: "c" }) { deletedId } }"#);
    let said = json_of(&explain(write.path(), &["--json"]));
    assert_eq!((&said["planned"], &said["cacheable"], &said["ttlMs"]), (&json!(1), &json!(false), &json!(null)));
    assert_eq!(said["scopes"], json!(["contacts.write"]));
}

#[test]
fn a_subscription_takes_its_scope_whatever_it_selects() {
    let watch = "subscription W($id: ID!) { contactChanged(id: $id) { kind contactId } }";
    let said = told(&explain(file(watch).path(), &["--variables", r#"{"id": "c1"}"#]));
    assert_eq!(said, "W: upstream calls planned: 0\n  scopes: contacts.readonly\n  the answer is not kept\n");
    let all = file("subscription A { contactsChanged { contact { notes { id } } } }");
    let said = json_of(&explain(all.path(), &["--json"]));
    assert_eq!((&said["planned"], &said["scopes"]), (&json!(2), &json!(["contacts.readonly"])));
    let nothing = file("{ gateway { version } }");
    assert_eq!(json_of(&explain(nothing.path(), &["--json"]))["scopes"], json!([]));
}

#[test]
fn max_calls_is_a_gate_for_each_operation_of_a_file() {
    let list = file(LIST_WITH_ALL);
    for (n, most, code) in [(50, "151", 0), (50, "150", 1), (1, "4", 0), (1, "3", 1)] {
        let variables = json!({ "n": n }).to_string();
        let output = explain(list.path(), &["--variables", &variables, "--max-calls", most]);
        assert_eq!(output.status.code(), Some(code), "{n} {most}");
        assert_eq!(told(&output).contains(&format!("it may need {most}.")), code == 1);
    }
    let two = file("query A { contacts { nodes { id } } } query B { contacts { nodes { notes { id } } } }");
    let output = explain(two.path(), &["--max-calls", "20"]);
    let text = told(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("A: upstream calls planned: 1\n") && text.contains("B needs up to 21"), "{text}");
    assert!(!text.contains("A needs up to"), "{text}");
    let both = json_of(&explain(two.path(), &["--json"]));
    let names: Vec<_> = both["operations"].as_array().expect("both").iter().map(|one| &one["operation"]).collect();
    assert_eq!((&both["planned"], names), (&json!(21), vec![&json!("A"), &json!("B")]));
    let one = json_of(&explain(two.path(), &["--json", "--operation", "A"]));
    assert_eq!((&one["planned"], &one["operation"]), (&json!(1), &json!("A")));
}

#[test]
fn what_cannot_be_explained_ends_with_64_and_says_why() {
    let good = file(PROFILE);
    let cases = [
        ("{ contacts(", &[][..], ":1:12: "),
        ("{\n  contact(id: 1) { nam }\n}", &[], ":2:20: "),
        (PROFILE, &[], "`id`"),
        (PROFILE, &["--variables", "{"], "--variables: not a JSON object"),
        (PROFILE, &["--variables", "[1]"], "--variables: not a JSON object"),
        (PROFILE, &["--variables", r#"{"id": {}}"#], "id"),
        (PROFILE, &["--operation", "None"], "no operation `None`"),
        ("{ a: __typename }", &["--max-calls", "many"], "--max-calls"),
    ];
    for (text, more, part) in cases {
        let file = file(text);
        let output = explain(file.path(), more);
        let told = told(&output).replace('\'', "`");
        assert_eq!(output.status.code(), Some(64), "{text} {told}");
        assert!(told.contains(part), "{text}: {told}");
    }
    let output = explain(Path::new("/no/such/file.graphql"), &[]);
    assert_eq!(output.status.code(), Some(64));
    assert!(told(&output).contains("/no/such/file.graphql: cannot be read"));
    assert_eq!(explain(good.path(), &["--variables", r#"{"id": "c"}"#]).status.code(), Some(0));
}

#[tokio::test]
async fn the_header_tells_what_an_answer_cost_and_only_then() {
    let stage = Stage::new().await;
    let ask = json!({ "id": DEMO_CONTACT });
    let (cold, answer) = explained(&stage, PROFILE, ask.clone()).await;
    let names: Vec<_> = cold.as_object().expect("an object").keys().map(String::as_str).collect();
    let mut all = vec!["planned", "calls", "cacheHits", "coalesced", "quotaRemaining", "durationMs", "timeline"];
    all.sort_unstable();
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(sorted, all);
    let counts = |cost: &Value| ["planned", "calls", "cacheHits", "coalesced"].map(|name| cost[name].as_u64().unwrap());
    assert_eq!((counts(&cold), stage.calls()), ([4, 4, 0, 0], one_of_each()));
    assert_eq!(told_calls(&cold), one_of_each().into_keys().map(|route| (route.to_owned(), "ok".to_owned())).collect());
    assert!(cold["durationMs"].as_f64().unwrap() > 0.0 && cold["quotaRemaining"].is_null(), "{cold}");
    let (hot, same) = explained(&stage, PROFILE, ask.clone()).await;
    assert_eq!((counts(&hot), &same["data"]), ([0, 0, 4, 0], &answer["data"]));
    assert_eq!(hot["timeline"], json!([]));
    let plain = stage.ask(PROFILE, ask.clone()).await;
    assert_eq!((plain.get("extensions"), &plain["data"]), (None, &answer["data"]));
    // An answer that is kept is not given to who wants to know what it costs.
    stage.ask(PROFILE, ask.clone()).await;
    assert_eq!(counts(&explained(&stage, PROFILE, ask).await.0), [0, 0, 4, 0]);
    let other = stage.post().header("x-gateway-explain", "0").json(&json!({ "query": "{ __typename }" }));
    let other: Value = other.send().await.unwrap().json().await.unwrap();
    assert_eq!(other.get("extensions"), None);
}

/// Route and outcome of each call of the time line, whose times have to fit into the answer's.
fn told_calls(cost: &Value) -> BTreeSet<(String, String)> {
    let over = cost["durationMs"].as_f64().expect("a time");
    let calls = cost["timeline"].as_array().expect("a time line");
    let call = |call: &Value| {
        let [start, took] = ["startMs", "durationMs"].map(|name| call[name].as_f64().expect("a time"));
        assert!(start >= 0.0 && took > 0.0 && start + took <= over, "{cost}");
        ["route", "outcome"].map(|name| call[name].as_str().expect("a word").to_owned()).into()
    };
    let told: BTreeSet<_> = calls.iter().map(call).collect();
    assert_eq!((told.len(), calls.len()), (calls.len(), cost["calls"].as_u64().expect("a number") as usize));
    told
}

#[tokio::test]
async fn each_try_is_in_the_time_line_with_how_it_ended() {
    let stage = Stage::new().await;
    stage.sandbox.fault(Fault::on(TASKS).status(500).times(1));
    let query = "query T($id: ID!) { contact(id: $id) { tasks { title } } }";
    let (cost, answer) = explained(&stage, query, json!({ "id": DEMO_CONTACT })).await;
    assert_eq!(answer.get("errors"), None);
    let told = [(CONTACT, "ok"), (TASKS, "ok"), (TASKS, "unavailable")];
    assert_eq!(told_calls(&cost), told.map(|(route, outcome)| (route.to_owned(), outcome.to_owned())).into());
    let calls = cost["timeline"].as_array().expect("a time line").iter();
    let tasks: Vec<_> = calls.filter(|call| call["route"] == TASKS).map(|call| call["outcome"].clone()).collect();
    assert_eq!(tasks, ["unavailable", "ok"]);
}

#[tokio::test]
async fn who_shares_readings_pays_for_none_of_them() {
    let stage = Stage::new().await;
    let ids = stage.ids();
    let hold = stage.sandbox.hold(CONTACT);
    let one = "query O($id: ID!) { contact(id: $id) { name } }";
    let two = "query T($id: ID!, $own: ID!) { contact(id: $id) { name } own: contact(id: $own) { name } }";
    let first = explained(&stage, one, json!({ "id": ids[0] }));
    let later = async {
        hold.arrived(1).await;
        let ask = |own: &str| explained(&stage, two, json!({ "id": ids[0], "own": own }));
        let go = async {
            // Who has asked for the own contact has joined the reading of the other.
            hold.arrived(3).await;
            hold.release();
        };
        let (second, third, ()) = tokio::join!(ask(&ids[1]), ask(&ids[2]), go);
        [second, third]
    };
    let (first, later) = tokio::join!(first, later);
    let of = |(cost, _): &(Value, Value)| ["calls", "coalesced", "cacheHits"].map(|name| cost[name].as_u64().unwrap());
    assert_eq!((of(&first), stage.calls()), ([1, 0, 0], [(CONTACT, 3)].into()));
    for shared in later {
        assert_eq!((of(&shared), &shared.1["data"]["contact"]), ([1, 1, 0], &first.1["data"]["contact"]));
    }
}
