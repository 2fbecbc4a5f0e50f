//! Traces: a span for each operation and each run of an automation, with one inside for each call, told to a collector by OpenTelemetry's protocol.
//! Where the environment names no collector there is none of it.

mod export;
mod parent;
mod run;
mod sampling;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

use crate::metrics::{Metrics, Outcome};
pub use run::{Run, Runs};
use sampling::Sampling;

/// The header that carries a trace on, as the W3C has it.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Most time to tell of what was not told yet, when the gateway ends.
const FAREWELL: Duration = Duration::from_secs(3);

/// The way to the collector.
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    sampling: Sampling,
}

/// What became of an operation. None of it is a word of a caller's document.
pub struct Told<'a> {
    /// `query` and so on; `None`: it was refused before that was known.
    pub kind: Option<&'static str>,
    /// Its name, where it is one of a trusted document.
    pub name: Option<&'a str>,
    pub outcome: Outcome,
    /// Values that the cache held, that somebody else was reading, and that were read.
    pub values: (u32, u32, u32),
    pub request_id: &'a str,
    pub location: &'a str,
}

/// The id of a trace, as log lines have it.
#[derive(Clone, Copy)]
pub struct TraceId(opentelemetry::TraceId);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An operation that is under way.
pub struct Operation {
    span: opentelemetry_sdk::trace::Span,
    tracer: SdkTracer,
}

/// An operation, for what is done on its behalf. It may be over by then.
#[derive(Clone)]
pub struct Within(Arc<Inside>);

struct Inside {
    tracer: SdkTracer,
    context: Context,
    span: SpanContext,
}

/// An upstream call that is under way.
pub struct Call {
    /// `None`: the trace is not sampled.
    span: Option<opentelemetry_sdk::trace::Span>,
    header: Option<HeaderValue>,
}

impl Traces {
    /// As the environment says, by OpenTelemetry's own names; `None` where it names no collector. It has to be called where
    /// the runtime is, which exports go by.
    pub fn from_env(metrics: Arc<Metrics>) -> anyhow::Result<Option<Self>> {
        let Some((provider, sampling)) = export::provider(metrics)? else { return Ok(None) };
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        Ok(Some(Self { provider, tracer, sampling }))
    }

    /// Begins with an operation that came in then: in its caller's trace, where it names one.
    pub fn begin(&self, headers: Option<&HeaderMap>, came: Instant) -> Operation {
        self.begin_in(&headers.and_then(within).unwrap_or_default(), came)
    }

    /// The same for an operation whose answer was kept; `None`: it is not told of.
    pub fn begin_kept(&self, headers: &HeaderMap, came: Instant) -> Option<Operation> {
        let parent = within(headers);
        self.sampling.takes_kept(parent.as_ref(), came).then(|| self.begin_in(&parent.unwrap_or_default(), came))
    }

    #[expect(clippy::disallowed_methods, reason = "the library takes the end of a span from the same clock")]
    fn begin_in(&self, parent: &Context, came: Instant) -> Operation {
        let builder = SpanBuilder {
            span_kind: Some(SpanKind::Server),
            start_time: SystemTime::now().checked_sub(came.elapsed()),
            ..SpanBuilder::from_name("GraphQL operation")
        };
        Operation { span: self.tracer.build_with_context(builder, parent), tracer: self.tracer.clone() }
    }

    /// Tells what was not told yet, for a moment at most. It blocks.
    pub fn end(&self) {
        // Whatever it comes to, the gateway ends.
        let _ = self.provider.shutdown_with_timeout(FAREWELL);
    }
}

/// The caller's span, as the parent of others.
fn within(headers: &HeaderMap) -> Option<Context> {
    parent::of(headers).map(|span| Context::new().with_remote_span_context(span))
}

impl Operation {
    /// For what is done on its behalf.
    pub fn within(&self) -> Within {
        Within::of(&self.tracer, self.span.span_context())
    }

    /// The id of its trace.
    pub fn trace(&self) -> TraceId {
        TraceId(self.span.span_context().trace_id())
    }

    /// It is answered.
    pub fn end(mut self, told: &Told<'_>) {
        if !self.span.is_recording() {
            return;
        }
        let Told { kind, name, outcome, values: (held, shared, started), request_id, location } = told;
        match (kind, name) {
            (Some(kind), Some(name)) => self.span.update_name(format!("{kind} {name}")),
            (Some(kind), None) => self.span.update_name(*kind),
            (None, _) => {}
        }
        if *outcome == Outcome::Failed {
            self.span.set_status(Status::error(""));
        }
        self.span.set_attributes(kind.map(|kind| KeyValue::new("graphql.operation.type", kind)));
        self.span.set_attributes(name.map(|name| KeyValue::new("graphql.operation.name", name.to_owned())));
        self.span.set_attributes([
            KeyValue::new("gateway.outcome", outcome.word()),
            KeyValue::new("gateway.values.cache", i64::from(*held)),
            KeyValue::new("gateway.values.shared", i64::from(*shared)),
            KeyValue::new("gateway.values.upstream", i64::from(*started)),
            KeyValue::new("gateway.request_id", (*request_id).to_owned()),
            KeyValue::new("gateway.location", (*location).to_owned()),
        ]);
    }
}

impl Within {
    fn of(tracer: &SdkTracer, span: &SpanContext) -> Self {
        let context = Context::new().with_remote_span_context(span.clone());
        Self(Arc::new(Inside { tracer: tracer.clone(), context, span: span.clone() }))
    }

    /// Begins with a call by this route. `resent`: how often it was sent before; `lane`: how urgent it is.
    pub fn call(&self, route: &'static str, resent: u32, lane: &'static str) -> Call {
        let Inside { tracer, context, span } = &*self.0;
        if !span.is_sampled() {
            return Call { span: None, header: parent::header(span) };
        }
        let method = route.split_once(' ').map_or("GET", |(method, _)| method);
        let attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.template", route.split_once(' ').map_or(route, |(_, path)| path)),
            KeyValue::new("http.request.resend_count", i64::from(resent)),
            KeyValue::new("gateway.lane", lane),
            KeyValue::new("gateway.cache", "miss"),
        ];
        let builder = SpanBuilder {
            span_kind: Some(SpanKind::Client),
            attributes: Some(attributes),
            ..SpanBuilder::from_name(route)
        };
        let span = tracer.build_with_context(builder, context);
        let header = parent::header(span.span_context());
        Call { span: Some(span), header }
    }

    /// The id of the trace.
    pub fn trace_id(&self) -> TraceId {
        TraceId(self.0.span.trace_id())
    }
}

impl fmt::Debug for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.trace_id())
    }
}

impl Call {
    /// What carries the trace on.
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        self.header.clone().map(|value| (TRACEPARENT, value))
    }

    /// It ended: with this status, if it was answered, and in a word.
    pub fn end(self, status: Option<u16>, outcome: &'static str) {
        let Some(mut span) = self.span else { return };
        span.set_attributes(status.map(|status| KeyValue::new("http.response.status_code", i64::from(status))));
        span.set_attribute(KeyValue::new("gateway.outcome", outcome));
        if !matches!(outcome, "ok" | "not_found") {
            span.set_attribute(KeyValue::new("error.type", outcome));
            span.set_status(Status::error(""));
        }
    }
}
