//! How many instructions the hot paths take, from a request that is read to an answer that is about to be written.
//!
//! Counted by callgrind, so neither the machine's speed nor what else it does matters. There is no socket in it:
//! what hyper and the kernel take is the same for every server. docs/performance.md tells what each path is.

#![expect(unused_qualifications, clippy::disallowed_methods, reason = "the macros of the benchmarks write such code")]
#![expect(clippy::needless_pass_by_value, reason = "they hand over what was prepared")]

use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;

use axum::body::{Body, Bytes, HttpBody, to_bytes};
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{Request, StatusCode};
use contacts_gateway::app::App;
use contacts_gateway::clock::Clock;
use contacts_gateway::config;
use contacts_gateway::http::{Tracked, service};
use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};
use contacts_gateway::traces::Traces;
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tower::Service;

/// As in the gateway itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The budgets: most instructions for one request, which is what was measured and 3 % more. A change that needs more
/// says in its message why; one that needs less lowers them.
mod budget {
    pub const HOT_PROFILE: u64 = 17_676;
    pub const HOT_PROFILE_SAMPLED: u64 = 18_287;
    pub const HOT_PROFILE_TRACED: u64 = 21_959;
    pub const HOT_LIST: u64 = 17_715;
    pub const NEW_SPELLING: u64 = 58_534;
    pub const NEW_DOCUMENT: u64 = 785_555;
    pub const FROM_ENTITIES: u64 = 214_485;
}

/// Requests that are counted together: what only happens to some of them, as a cache's housekeeping, is shared out.
const REQUESTS: usize = 1_000;
/// Requests before those.
const WARM_UP: usize = 200;

const KEY: &str = "cgk_for_the_benchmark_alone";

const PROFILE: &str = "query Profile($id: ID!) { contact(id: $id) { id name email phone company tags \
     tasks { id title status dueDate } notes { id note dateCreated } appointments { id title status startTime } } }";

const PROFILE_CUT: &str = "query Profile($id: ID!, $tasks: Int, $notes: Int) { contact(id: $id) { id name email phone company tags \
     tasks(first: $tasks) { id title status dueDate } notes(first: $notes) { id note dateCreated } \
     appointments { id title status startTime } } }";

const LIST: &str = "query List($n: Int!) { contacts(first: $n) { nodes { id name email phone company tags \
     tasks { id title status dueDate } notes { id note dateCreated } appointments { id title status startTime } } } }";

/// A gateway with full caches, and the requests that it is about to get.
struct Stage {
    runtime: Runtime,
    gateway: Tracked,
    requests: Vec<Request<Body>>,
    /// Bytes of all answers to them.
    expected: usize,
    answered: usize,
    sandbox: Sandbox,
    _keys: NamedTempFile,
}

impl Stage {
    /// `body`: that of the request with a number. `fill`: a request that brings everything into memory.
    fn new(fill: &Value, body: impl Fn(usize) -> Value) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut keys = NamedTempFile::new().expect("a file");
        let digest: String = Sha256::digest(KEY).iter().map(|byte| format!("{byte:02x}")).collect();
        write!(keys, "[[key]]\nname = \"bench\"\nsha256 = \"{digest}\"\nscopes = [\"contacts.readonly\"]\n")
            .expect("room");
        let sandbox = runtime.block_on(async {
            Sandbox::start(Options::default(), TcpListener::bind("127.0.0.1:0").await.expect("a free port"))
        });
        let app = App::new(&settings(&sandbox, &keys), Clock::default()).expect("an app");
        let traces = {
            let _runtime = runtime.enter();
            Traces::from_env(app.metrics().clone()).expect("settings of traces")
        };
        let gateway = service(Arc::new(app.traced(traces)));
        let requests = Vec::new();
        let mut stage = Self { runtime, gateway, requests, expected: 0, answered: 0, sandbox, _keys: keys };
        stage.ask(fill);
        let length = stage.ask(&body(0)).len();
        stage.requests = (1..=WARM_UP).map(|n| request(&body(n))).collect();
        stage.answer();
        stage.requests = (1..=REQUESTS).map(|n| request(&body(WARM_UP + n))).collect();
        (stage.expected, stage.answered) = (REQUESTS * length, 0);
        stage.sandbox.reset();
        stage
    }

    /// The answer, which has to be one without errors.
    fn ask(&mut self, body: &Value) -> Bytes {
        let asking = self.gateway.call(request(body));
        let answer = self.runtime.block_on(async {
            let Ok(answer) = asking.await;
            to_bytes(answer.into_body(), usize::MAX).await.expect("a body")
        });
        let told: Value = serde_json::from_slice(&answer).expect("JSON");
        assert!(told.get("errors").is_none() && told["data"].is_object(), "{told}");
        answer
    }

    /// What is counted.
    fn answer(&mut self) {
        let Self { runtime, gateway, requests, answered, .. } = self;
        let answering = async {
            for request in requests.drain(..) {
                let Ok(answer) = gateway.call(request).await;
                assert!(answer.status() == StatusCode::OK);
                *answered += answer.into_body().size_hint().exact().unwrap_or_default() as usize;
            }
        };
        // One connection would give way to others now and then, which are not there.
        runtime.block_on(tokio::task::unconstrained(answering));
    }
}

/// Times to live for as long as a slow machine may take.
fn settings(sandbox: &Sandbox, keys: &NamedTempFile) -> config::Config {
    let (location, token) = (sandbox.info().location_id.clone(), sandbox.info().token.clone());
    let mut settings = vec![
        ("UPSTREAM_URL", sandbox.url()),
        ("LOCATION_ID", location),
        ("API_KEY", token),
        ("AUTH", "keys".to_owned()),
        ("KEYS_FILE", keys.path().display().to_string()),
        ("DOCUMENT_CACHE_SIZE", "256MiB".to_owned()),
    ];
    let times = ["TTL_CONTACT", "TTL_TASKS", "TTL_NOTES", "TTL_APPOINTMENTS", "TTL_PAGES"];
    settings.extend(times.map(|name| (name, "1h".to_owned())));
    let env = settings.into_iter().map(|(name, value)| (format!("GATEWAY_{name}"), value)).collect();
    config::load(env, None).config.expect("settings that can be used")
}

fn request(body: &Value) -> Request<Body> {
    let request = Request::post("/graphql")
        .header(HOST, "127.0.0.1:4000")
        .header(USER_AGENT, "bench/1.0")
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .header(AUTHORIZATION, format!("Bearer {KEY}"));
    request.body(Body::from(body.to_string())).expect("a request")
}

fn profile() -> Value {
    json!({ "query": PROFILE, "variables": { "id": DEMO_CONTACT } })
}

fn hot_profile_stage() -> Stage {
    Stage::new(&profile(), |_| profile())
}

fn hot_list_stage() -> Stage {
    let list = json!({ "query": LIST, "variables": { "n": 50 } });
    Stage::new(&list, |_| list.clone())
}

/// Every one spelled as none before, of the same length.
fn new_spelling_stage() -> Stage {
    Stage::new(&profile(), |n| {
        let mut body = profile();
        body["extensions"] = json!({ "n": 1_000_000 + n });
        body
    })
}

/// Every one a document that was not seen before, of the same length. What it selects is skipped.
fn new_document_stage() -> Stage {
    Stage::new(&profile(), |n| {
        let query = PROFILE
            .replace("query Profile($id: ID!)", &format!("query Profile{}($id: ID!, $no: Boolean!)", 1_000_000 + n))
            .replace("contact(id: $id)", "contact(id: $id) @skip(if: $no)");
        json!({ "query": query, "variables": { "id": DEMO_CONTACT, "no": true } })
    })
}

/// Every one with variables that make it another answer, of the same content: there are fewer tasks and notes than that.
fn from_entities_stage() -> Stage {
    Stage::new(&profile(), |n| {
        let (tasks, notes) = (100 + n / 400, 100 + n % 400);
        json!({ "query": PROFILE_CUT, "variables": { "id": DEMO_CONTACT, "tasks": tasks, "notes": notes } })
    })
}

/// Nothing was asked of the upstream, and all answers are whole.
fn check(stage: Stage) {
    assert_eq!(stage.sandbox.total(), 0, "calls while it was counted");
    assert_eq!(stage.answered, stage.expected, "bytes of the answers");
}

fn within(budget: u64) -> LibraryBenchmarkConfig {
    let mut counting = Callgrind::with_args(["--cache-sim=no"]);
    counting.hard_limits([(EventKind::Ir, budget * REQUESTS as u64)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(counting);
    config
}

/// With a collector, and this sampler with its argument. Nothing is sent while it is counted: that is another thread's.
fn traced(budget: u64, sampler: &str, ratio: &str) -> LibraryBenchmarkConfig {
    let mut config = within(budget);
    config.envs([
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ("OTEL_TRACES_SAMPLER", sampler),
        ("OTEL_TRACES_SAMPLER_ARG", ratio),
        ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8192"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8192"),
    ]);
    config
}

fn answer(mut stage: Stage) -> Stage {
    stage.answer();
    black_box(stage)
}

#[library_benchmark(config = within(budget::HOT_PROFILE))]
#[bench::requests(setup = hot_profile_stage, teardown = check)]
fn hot_profile(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = traced(budget::HOT_PROFILE_SAMPLED, "parentbased_traceidratio", "0.01"))]
#[bench::requests(setup = hot_profile_stage, teardown = check)]
fn hot_profile_sampled(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = traced(budget::HOT_PROFILE_TRACED, "parentbased_always_on", ""))]
#[bench::requests(setup = hot_profile_stage, teardown = check)]
fn hot_profile_traced(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = within(budget::HOT_LIST))]
#[bench::requests(setup = hot_list_stage, teardown = check)]
fn hot_list(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = within(budget::NEW_SPELLING))]
#[bench::requests(setup = new_spelling_stage, teardown = check)]
fn new_spelling(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = within(budget::NEW_DOCUMENT))]
#[bench::requests(setup = new_document_stage, teardown = check)]
fn new_document(stage: Stage) -> Stage {
    answer(stage)
}

#[library_benchmark(config = within(budget::FROM_ENTITIES))]
#[bench::requests(setup = from_entities_stage, teardown = check)]
fn from_entities(stage: Stage) -> Stage {
    answer(stage)
}

library_benchmark_group!(
    name = paths,
    benchmarks =
        [hot_profile, hot_profile_sampled, hot_profile_traced, hot_list, new_spelling, new_document, from_entities]
);
main!(library_benchmark_groups = paths);
