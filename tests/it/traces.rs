//! Traces, as a collector gets them: a span for each operation, one inside for each call, and nothing of what callers wrote.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::routing::post;
use contacts_gateway::sandbox::{DEMO_CONTACT, Fault, Options, Sandbox};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};

use super::events::{Sender, event};
use super::support::*;
use super::untold::{Process, run};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";
const CREATE_NOTE: &str = "POST /contacts/{contactId}/notes";
const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Takes spans by OTLP over HTTP.
struct Collector {
    url: String,
    batches: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
}

impl Collector {
    async fn start() -> Self {
        let batches = Arc::<Mutex<Vec<ExportTraceServiceRequest>>>::default();
        let kept = batches.clone();
        let take = async move |body: Bytes| {
            kept.lock().unwrap().push(ExportTraceServiceRequest::decode(body).expect("a batch of spans"));
        };
        let listener = local().await;
        let url = format!("http://{}", listener.local_addr().unwrap());
        let routes = Router::new().route("/v1/traces", post(take));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, batches }
    }

    /// All spans, and the resource that they are of.
    fn spans(&self) -> (Vec<Span>, BTreeMap<String, String>) {
        let batches = self.batches.lock().unwrap();
        let all = batches.iter().flat_map(|batch| &batch.resource_spans);
        let resource = all.clone().filter_map(|of| of.resource.as_ref()).flat_map(|of| &of.attributes);
        let resource = resource.map(|one| (one.key.clone(), text(one.value.as_ref()))).collect();
        (all.flat_map(|of| &of.scope_spans).flat_map(|of| of.spans.clone()).collect(), resource)
    }
}

fn text(value: Option<&opentelemetry_proto::tonic::common::v1::AnyValue>) -> String {
    match value.and_then(|value| value.value.as_ref()) {
        Some(Any::StringValue(text)) => text.clone(),
        Some(Any::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attribute(span: &Span, key: &str) -> Option<String> {
    span.attributes.iter().find(|one| one.key == key).map(|one| text(one.value.as_ref()))
}

/// A gateway over a sandbox, traced to there.
async fn traced(sandbox: &Sandbox, endpoint: &str, more: &[(&str, String)]) -> Process {
    let state = tempfile::tempdir().expect("a folder");
    let mut settings = vec![
        ("UPSTREAM_URL", sandbox.url()),
        ("LOCATION_ID", sandbox.info().location_id.clone()),
        ("API_KEY", sandbox.info().token.clone()),
        ("STATE_DIR", state.path().display().to_string()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
    ];
    settings.extend(more.iter().cloned());
    Process::start(&[], &settings, ("debug", "json")).await
}

/// Asks in the trace, which is sampled or not, and gives the id of the request.
async fn ask(gateway: &Process, query: &str, trace: &str, flags: &str) -> Value {
    let request = reqwest::Client::new().post(format!("{}/graphql", gateway.url));
    let request = request.header("traceparent", format!("00-{trace}-{PARENT}-{flags}"));
    let body = json!({ "query": query, "variables": { "id": DEMO_CONTACT } });
    request.json(&body).send().await.expect("an answer").json().await.expect("JSON")
}

#[tokio::test]
async fn a_cold_profile_is_four_calls_side_by_side_inside_of_one_operation_of_its_callers_trace() {
    let collector = Collector::start().await;
    let latency = std::time::Duration::from_millis(50);
    let sandbox = Sandbox::start(Options { latency, ..Options::default() }, local().await);
    let manifest = tempfile::NamedTempFile::new().expect("a file");
    let trusted = "query Trusted($id: ID!) { contact(id: $id) { timezone } }";
    std::fs::write(manifest.path(), json!({ "one": trusted }).to_string()).expect("room");
    let more = [("TRUSTED_DOCUMENTS", manifest.path().display().to_string())];
    let gateway = traced(&sandbox, &collector.url, &more).await;

    assert!(ask(&gateway, PROFILE, TRACE, "01").await.get("errors").is_none());
    let sent: Vec<_> = sandbox.calls().iter().filter_map(|call| call.traceparent.clone()).collect();
    assert_eq!(sent.len(), 4);
    let (kept, other, named, quiet) = ("1".repeat(32), "2".repeat(32), "3".repeat(32), "4".repeat(32));
    ask(&gateway, PROFILE, &kept, "01").await;
    ask(&gateway, trusted, &named, "01").await;
    let query = "query Mine($id: ID!) { contact(id: $id) { id } task(contactId: $id, id: \"none\") { id } }";
    ask(&gateway, query, &other, "01").await;
    let again = "query Again($id: ID!) { contact(id: $id) { id } contacts(first: 1) { nodes { id } } }";
    sandbox.reset();
    ask(&gateway, again, &quiet, "00").await;
    let quietly: Vec<_> = sandbox.calls().iter().filter_map(|call| call.traceparent.clone()).collect();
    assert!(
        !quietly.is_empty() && quietly.iter().all(|to| to.starts_with(&format!("00-{quiet}-")) && to.ends_with("-00"))
    );
    let said = gateway.end().await;

    let (spans, resource) = collector.spans();
    assert_eq!(resource["service.name"], "contacts-gateway");
    let of = |trace: &str| spans.iter().filter(|span| hex(&span.trace_id) == trace).collect::<Vec<_>>();
    let operation = |trace: &str| {
        let servers: Vec<_> = of(trace).into_iter().filter(|span| span.kind == SERVER).collect();
        let [one] = *servers else { panic!("{servers:?}") };
        assert_eq!(hex(&one.parent_span_id), PARENT);
        one.clone()
    };

    let whole = operation(TRACE);
    assert_eq!(whole.name, "query");
    let told =
        ["graphql.operation.type", "gateway.outcome", "gateway.values.upstream"].map(|key| attribute(&whole, key));
    assert_eq!(told.map(Option::unwrap_or_default), ["query", "executed", "4"]);
    let calls: Vec<_> = of(TRACE).into_iter().filter(|span| span.kind == CLIENT).collect();
    let mut routes: Vec<&str> = calls.iter().map(|call| &*call.name).collect();
    routes.sort_unstable();
    assert_eq!(routes, [CONTACT, APPOINTMENTS, NOTES, TASKS]);
    assert!(calls.iter().all(|call| call.parent_span_id == whole.span_id));
    let (last, first) =
        (calls.iter().map(|call| call.start_time_unix_nano), calls.iter().map(|call| call.end_time_unix_nano));
    assert!(last.max() < first.min(), "they are not side by side: {calls:?}");
    for call in &calls {
        let told = ["http.response.status_code", "http.request.resend_count", "gateway.outcome", "gateway.lane"];
        assert_eq!(told.map(|key| attribute(call, key).unwrap_or_default()), ["200", "0", "ok", "reads"]);
        assert!(sent.contains(&format!("00-{TRACE}-{}-01", hex(&call.span_id))));
    }

    assert_eq!(of(&kept).len(), 1);
    assert_eq!(attribute(&operation(&kept), "gateway.outcome").as_deref(), Some("kept"));
    // A name is told where the manifest has it.
    assert_eq!(operation(&named).name, "query Trusted");
    assert_eq!(attribute(&operation(&named), "graphql.operation.name").as_deref(), Some("Trusted"));
    assert_eq!(operation(&other).name, "query");
    assert!(of(&quiet).is_empty());
    // Nothing of what was asked is in any of them.
    let all = format!("{spans:?}");
    assert!(["Mine", "Again", "Profile", DEMO_CONTACT].iter().all(|word| !all.contains(word)), "{all}");
    // Log lines have the same ids.
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let answered: Vec<_> = lines.filter(|line| line["message"] == "answered" && line["trace_id"] == TRACE).collect();
    let [line] = &*answered else { panic!("{answered:?}") };
    assert_eq!(attribute(&whole, "gateway.request_id").as_deref(), line["request_id"].as_str());
}

#[tokio::test]
async fn a_kept_answer_that_nobody_traces_is_told_of_now_and_then_or_as_often_as_the_sampler_says() {
    let query =
        json!({ "query": "query Q($id: ID!) { contact(id: $id) { id } }", "variables": { "id": DEMO_CONTACT } });
    for sampler in ["", "always_on", "always_off"] {
        let collector = Collector::start().await;
        let sandbox = Sandbox::start(Options::default(), local().await);
        let gateway = traced(&sandbox, &collector.url, &[("OTEL_TRACES_SAMPLER", sampler.to_owned())]).await;
        let (client, began) = (reqwest::Client::new(), std::time::Instant::now());
        for _ in 0..41 {
            let answer = client.post(format!("{}/graphql", gateway.url)).json(&query).send().await.expect("an answer");
            assert_eq!(answer.json::<Value>().await.expect("JSON")["data"]["contact"]["id"], DEMO_CONTACT);
        }
        let most = began.elapsed().as_millis() / 50 + 1;
        gateway.end().await;
        assert_eq!(sandbox.total(), 1);
        let (spans, _) = collector.spans();
        let of = |outcome: &str| {
            spans.iter().filter(|span| attribute(span, "gateway.outcome").as_deref() == Some(outcome)).count() as u128
        };
        match sampler {
            "" => assert!(of("executed") == 1 && (1..=most).contains(&of("kept")), "{most}: {}", of("kept")),
            "always_on" => assert_eq!((of("executed"), of("kept")), (1, 40)),
            _ => assert!(spans.is_empty()),
        }
    }
}

#[tokio::test]
async fn each_try_of_a_call_is_a_span_of_its_own() {
    let collector = Collector::start().await;
    let sandbox = Sandbox::start(Options::default(), local().await);
    let gateway = traced(&sandbox, &collector.url, &[]).await;
    sandbox.fault(Fault::on(NOTES).status(500).times(1));
    ask(&gateway, "query Q($id: ID!) { contact(id: $id) { notes { id } } }", TRACE, "01").await;
    gateway.end().await;
    let (spans, _) = collector.spans();
    let tries = spans.iter().filter(|span| span.name == NOTES);
    let told = ["http.request.resend_count", "http.response.status_code", "gateway.outcome"];
    let tries: Vec<_> = tries.map(|span| told.map(|key| attribute(span, key).unwrap_or_default())).collect();
    assert_eq!(tries, [["0", "500", "unavailable"], ["1", "200", "ok"]]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_an_automation_is_a_trace_of_its_own_that_goes_on_at_the_receiver() {
    let collector = Collector::start().await;
    let sandbox = Sandbox::start(Options::default(), local().await);
    let (sent, mut received) = tokio::sync::mpsc::channel(4);
    let listener = local().await;
    let receiver = format!("http://{}/catch/secret-path", listener.local_addr().unwrap());
    let catch = move |headers: HeaderMap| async move { sent.send(headers).await.expect("a test that waits") };
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(catch)).await });
    let sender = Sender::new();
    let rules = format!(
        "[[automation]]\nname = \"tell\"\nwhen = \"ContactUpdate\"\n\
         then = [{{ add_note = {{ note = \"Seen\" }} }}, {{ post = {{ url = \"{receiver}\", body = {{}} }} }}]\n\
         [[automation]]\nname = \"never\"\nwhen = \"ContactUpdate\"\nif = \"false\"\nthen = [{{ add_note = {{ note = \"Never\" }} }}]\n"
    );
    let file = sender.folder.path().join("automations.toml");
    std::fs::write(&file, rules).expect("a file");
    let own = [("AUTOMATIONS", file.display().to_string()), ("AUTOMATIONS_ALLOW_PRIVATE", "true".to_owned())];
    let gateway = traced(&sandbox, &collector.url, &[&sender.settings()[..], &own].concat()).await;
    let update = event(&sandbox, "ContactUpdate", &json!({ "id": DEMO_CONTACT }));
    assert_eq!(sender.send(&gateway.url, update.to_string().into_bytes()).await, 200);
    let got = received.recv().await.expect("a delivery");
    let noted = sandbox.calls().into_iter().find(|call| call.route == CREATE_NOTE).and_then(|call| call.traceparent);
    while !gateway.metrics().await.contains("gateway_journal_events{state=\"handled\"} 1") {
        tokio::task::yield_now().await;
    }
    let said = gateway.end().await;

    let (spans, _) = collector.spans();
    let runs: Vec<_> = spans.iter().filter(|span| span.name == "automation").collect();
    let [run] = *runs else { panic!("{spans:?}") };
    let told = ["gateway.automation", "gateway.outcome", "gateway.location"].map(|key| attribute(run, key));
    assert_eq!(told.map(Option::unwrap_or_default), ["tell", "done", &*sandbox.info().location_id]);
    let inside: Vec<_> = spans.iter().filter(|span| span.parent_span_id == run.span_id).collect();
    assert!(inside.iter().all(|span| span.trace_id == run.trace_id && span.kind == CLIENT));
    let one = |name: &str| *inside.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"));
    let of = |span: &Span| format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
    // Each receiver gets the span of its own call.
    assert_eq!(noted, Some(of(one(CREATE_NOTE))));
    let post = one("POST");
    assert_eq!(got["traceparent"], *of(post));
    let told = ["gateway.delivery", "http.response.status_code", "server.address", "gateway.outcome"];
    let told = told.map(|key| attribute(post, key).unwrap_or_default());
    assert_eq!(told, [got["x-gateway-delivery"].to_str().unwrap(), "200", "127.0.0.1", "ok"]);
    assert!(!format!("{spans:?}").contains("secret-path"));
    // Log lines have the same id.
    let lines = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let acted: Vec<_> = lines.filter(|line| line["message"] == "an automation acted").collect();
    assert_eq!(acted.len(), 2);
    assert!(acted.iter().all(|line| line["trace_id"] == hex(&run.trace_id)), "{acted:?}");
}

#[tokio::test]
async fn a_collector_that_is_away_is_no_concern_of_callers() {
    let sandbox = Sandbox::start(Options::default(), local().await);
    let gateway = traced(&sandbox, "http://127.0.0.1:9", &[("OTEL_BSP_SCHEDULE_DELAY", "1".to_owned())]).await;
    for _ in 0..20 {
        assert!(ask(&gateway, PROFILE, TRACE, "01").await.get("errors").is_none());
    }
    while !gateway.metrics().await.contains("gateway_trace_exports_total{outcome=\"lost\"}") {
        tokio::task::yield_now().await;
    }
    assert!(gateway.end().await.contains("\"ended\""));
}

#[tokio::test]
async fn what_is_not_spoken_is_refused_at_the_start() {
    let settings = [
        ("LOCATION_ID", "L1".to_owned()),
        ("API_KEY", "pit-1".to_owned()),
        ("LISTEN", "127.0.0.1:0".to_owned()),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9".to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc".to_owned()),
    ];
    let (code, said) = run(&["serve"], &settings).await;
    assert_eq!(code, 64, "{said}");
    assert!(said.contains("OTEL_EXPORTER_OTLP_PROTOCOL: `grpc` is not spoken here; expected http/protobuf"), "{said}");
}
