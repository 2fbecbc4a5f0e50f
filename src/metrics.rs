//! What is counted while the gateway runs, and how it is told: Prometheus' text format. No label holds anything that
//! a caller chose, so there is a bound on how many series there are.

mod levels;
mod operations;
mod plain;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

pub use levels::{Calls, Events, Levels};
pub use operations::Counts;
use operations::Operations;
pub use plain::plain;

/// Upper bounds of the buckets of a request's duration, in seconds: from answers that are kept to those that wait for
/// a limit of the upstream.
const DURATIONS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// How a GraphQL request was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// From bytes that were kept.
    Kept,
    /// By execution, without an error.
    Executed,
    /// By execution, with errors in it.
    Failed,
    /// Not executed.
    Refused,
}

impl Outcome {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Kept, Self::Executed, Self::Failed, Self::Refused];

    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    fn label(self) -> Answered {
        Answered { outcome: self.word() }
    }
}

/// By what somebody is told of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    WebSocket,
    EventStream,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Looked {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Transported {
    transport: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Valued {
    from: &'static str,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Called {
    route: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Guarded {
    guard: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cached {
    cache: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Located {
    location: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Queued {
    location: String,
    lane: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Heard {
    r#type: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stated {
    state: &'static str,
}

impl Transport {
    fn label(self) -> Transported {
        let transport = match self {
            Self::WebSocket => "websocket",
            Self::EventStream => "event_stream",
        };
        Transported { transport }
    }
}

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    kept: Counter,
    answers: Family<Answered, Counter>,
    refused: Family<Guarded, Counter>,
    in_progress: Gauge,
    queued: Gauge,
    duration: Histogram,
    operations: Operations,
    values: Family<Valued, Counter>,
    calls: Family<Called, Counter>,
    call_duration: Histogram,
    exports: Family<Answered, Counter>,
    unreadable: Counter,
    held: Family<Cached, Gauge>,
    left: Family<Located, Gauge>,
    waiting: Family<Queued, Gauge>,
    breaker: Family<Located, Gauge>,
    events: Family<Heard, Counter>,
    journal: Family<Stated, Gauge>,
    journal_bytes: Gauge,
    lag: Gauge<f64, AtomicU64>,
    sockets: Family<Transported, Gauge>,
    subscriptions: Gauge,
    told: Counter,
    slow: Counter,
    looks: Family<Looked, Counter>,
    joined: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("gateway");
        let answers = Family::<Answered, Counter>::default();
        let refused = Family::<Guarded, Counter>::default();
        let (in_progress, queued) = (Gauge::<i64>::default(), Gauge::<i64>::default());
        let duration = Histogram::new(DURATIONS);
        let values = Family::<Valued, Counter>::default();
        let calls = Family::<Called, Counter>::default();
        registry.register("answers", "GraphQL requests, by how they were answered", answers.clone());
        registry.register("refused", "GraphQL requests that a bound kept out, by which", refused.clone());
        let help = "GraphQL requests that are not answered yet";
        registry.register("requests_in_progress", help, in_progress.clone());
        let help = "GraphQL requests that wait for a place to be executed in";
        registry.register("requests_waiting", help, queued.clone());
        let help = "Time from a GraphQL request's head to its answer";
        registry.register_with_unit("request_duration", help, Unit::Seconds, duration.clone());
        let operations = Operations::default();
        let help = "Operations of trusted documents by name, all others as `other`, by how they were answered";
        registry.register("operations", help, operations.0.clone());
        let help =
            "Values that executions used, by where they came from: the cache, somebody else's reading, the upstream";
        registry.register("values", help, values.clone());
        registry.register("upstream_calls", "Calls to the Contacts API, each try counted", calls.clone());
        let call_duration = Histogram::new(DURATIONS);
        let help = "Time that a call to the Contacts API took, with its answer";
        registry.register_with_unit("upstream_call_duration", help, Unit::Seconds, call_duration.clone());
        let exports = Family::<Answered, Counter>::default();
        registry.register("trace_exports", "Batches of spans, by whether the collector took them", exports.clone());
        let unreadable = Counter::default();
        let help = "Upstream dates and enum values that could not be read, and were answered as null";
        registry.register("unreadable_values", help, unreadable.clone());
        let held = Family::<Cached, Gauge>::default();
        registry.register_with_unit("cache", "Memory that a cache holds, as it weighs it", Unit::Bytes, held.clone());
        let left = Family::<Located, Gauge>::default();
        registry.register(
            "quota_left",
            "Calls that may be sent in this window, where the limit was told",
            left.clone(),
        );
        let waiting = Family::<Queued, Gauge>::default();
        registry.register("upstream_waiting", "Calls that wait for a place or a window, by lane", waiting.clone());
        let breaker = Family::<Located, Gauge>::default();
        let help = "1 while calls are kept back because the upstream answers none";
        registry.register("breaker_open", help, breaker.clone());
        let events = Family::<Heard, Counter>::default();
        registry.register("events", "Events that were sent here, by type and what became of them", events.clone());
        let journal = Family::<Stated, Gauge>::default();
        registry.register("journal_events", "Events in the journal, by how far they are", journal.clone());
        let (journal_bytes, lag) = (Gauge::<i64>::default(), Gauge::<f64, AtomicU64>::default());
        registry.register_with_unit(
            "journal",
            "What was sent of the events in the journal",
            Unit::Bytes,
            journal_bytes.clone(),
        );
        let help = "For how long the event waits that waits for the longest";
        registry.register_with_unit("events_lag", help, Unit::Seconds, lag.clone());
        let sockets = Family::<Transported, Gauge>::default();
        let (subscriptions, told, slow) = (Gauge::<i64>::default(), Counter::default(), Counter::default());
        registry.register("sockets", "WebSockets and event streams that are open", sockets.clone());
        registry.register("subscriptions", "Subscriptions that are open", subscriptions.clone());
        registry.register("changes_told", "Changes that a subscription was told", told.clone());
        registry.register("slow_readers", "WebSockets and event streams closed as too slow", slow.clone());
        let (looks, joined) = (Family::<Looked, Counter>::default(), Gauge::<i64>::default());
        let help = "Looks for a value in Redis: found, to be read by this gateway, or alone where Redis is away";
        registry.register("second_level", help, looks.clone());
        let help = "1 while this gateway speaks with the others that share its Redis, and hears them";
        registry.register("joined", help, joined.clone());
        // The most frequent outcome is counted without looking its counter up.
        let kept = answers.get_or_create_owned(&Outcome::Kept.label());
        Self {
            registry,
            kept,
            answers,
            refused,
            in_progress,
            queued,
            duration,
            operations,
            values,
            calls,
            call_duration,
            exports,
            unreadable,
            held,
            left,
            waiting,
            breaker,
            events,
            journal,
            journal_bytes,
            lag,
            sockets,
            subscriptions,
            told,
            slow,
            looks,
            joined,
        }
    }
}

impl Metrics {
    /// Counts a GraphQL request that came in.
    pub fn entered(&self) {
        self.in_progress.inc();
    }

    /// Counts one that is over, answered or given up.
    pub fn left(&self) {
        self.in_progress.dec();
    }

    /// Counts a GraphQL request that was answered.
    pub fn answered(&self, outcome: Outcome, took: Duration) {
        match outcome {
            Outcome::Kept => self.kept.inc(),
            outcome => self.answers.get_or_create(&outcome.label()).inc(),
        };
        self.duration.observe(took.as_secs_f64());
    }

    /// Counts a GraphQL request that a bound kept out. `guard`: a word for what is bounded.
    pub fn refused(&self, guard: &'static str) {
        self.refused.get_or_create(&Guarded { guard }).inc();
    }

    /// The counts of the operation with this name, which has to be one of a bounded number.
    pub fn operation(&self, name: &str) -> Counts {
        self.operations.of(name)
    }

    /// Counts the values of a kind that an execution used: held by the cache, read by somebody else, read for it.
    pub fn valued(&self, kind: &'static str, counts: [u32; 3]) {
        for (from, count) in ["cache", "shared", "upstream"].into_iter().zip(counts) {
            if count > 0 {
                self.values.get_or_create(&Valued { from, kind }).inc_by(count.into());
            }
        }
    }

    /// Counts a call to the upstream. `route`: its template; `outcome`: a word for what came of it.
    pub fn called(&self, route: &'static str, outcome: &'static str, took: Duration) {
        self.calls.get_or_create(&Called { route, outcome }).inc();
        self.call_duration.observe(took.as_secs_f64());
    }

    /// Counts a batch of spans. `outcome`: a word for what became of it.
    pub fn exported(&self, outcome: &'static str) {
        self.exports.get_or_create(&Answered { outcome }).inc();
    }

    /// Counts an event. `kind`: one of a bounded number of types; `outcome`: a word for what became of it.
    pub fn heard(&self, kind: &'static str, outcome: &'static str) {
        self.events.get_or_create(&Heard { r#type: kind, outcome }).inc();
    }

    /// Counts a socket or an event stream that was opened.
    pub fn opened(&self, by: Transport) {
        self.sockets.get_or_create(&by.label()).inc();
    }

    /// Counts one that was closed.
    pub fn closed(&self, by: Transport) {
        self.sockets.get_or_create(&by.label()).dec();
    }

    /// Counts a subscription that begins.
    pub fn subscribed(&self) {
        self.subscriptions.inc();
    }

    /// Counts one that ends.
    pub fn unsubscribed(&self) {
        self.subscriptions.dec();
    }

    /// Counts a change that a subscription was told.
    pub fn told(&self) {
        self.told.inc();
    }

    /// Counts one who was too slow, and whose socket was closed for it.
    pub fn slow_reader(&self) {
        self.slow.inc();
    }

    /// Counts a look for a value in Redis. `outcome`: a word for what came of it.
    pub fn looked(&self, outcome: &'static str) {
        self.looks.get_or_create(&Looked { outcome }).inc();
    }

    /// Tells whether this gateway speaks with the others that share its Redis.
    pub fn joined(&self, is_joined: bool) {
        self.joined.set(is_joined.into());
    }

    /// Everything, as text. `None` would be a mistake of this module.
    pub fn text(&self, levels: &Levels) -> Option<String> {
        self.unreadable.inner().store(levels.unreadable, Ordering::Relaxed);
        self.queued.set(i64::try_from(levels.queued).unwrap_or(i64::MAX));
        for (cache, bytes) in levels.held {
            self.held.get_or_create(&Cached { cache }).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
        for Calls { location, left, waiting, is_down } in &levels.calls {
            let located = Located { location: location.clone() };
            self.breaker.get_or_create(&located).set((*is_down).into());
            if let Some(left) = left {
                self.left.get_or_create(&located).set((*left).into());
            }
            for (lane, count) in *waiting {
                let queued = Queued { location: location.clone(), lane };
                self.waiting.get_or_create(&queued).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
        if let Some(Events { states, bytes, lag }) = &levels.events {
            for (state, count) in *states {
                self.journal.get_or_create(&Stated { state }).set(i64::try_from(count).unwrap_or(i64::MAX));
            }
            self.journal_bytes.set(i64::try_from(*bytes).unwrap_or(i64::MAX));
            self.lag.set(lag.as_secs_f64());
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).ok().map(|()| text)
    }
}
