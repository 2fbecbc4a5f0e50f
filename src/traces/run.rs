//! Spans of what automations do: one for each run, and one inside of it for each delivery. Their names are those of the operator's file.

use opentelemetry::trace::{Span, SpanBuilder, SpanKind, Status, Tracer};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::trace::SdkTracer;

use super::{Call, Inside, Traces, Within, parent};

/// What begins the spans of runs.
#[derive(Clone)]
pub struct Runs(SdkTracer);

/// What an automation does because of an event, or as much of it as is done at one time.
pub struct Run {
    span: opentelemetry_sdk::trace::Span,
    tracer: SdkTracer,
}

impl Traces {
    /// What begins the spans of runs.
    pub fn runs(&self) -> Runs {
        Runs(self.tracer.clone())
    }
}

impl Runs {
    /// Begins with a run.
    pub fn begin(&self, automation: &str, location: &str) -> Run {
        let attributes = vec![
            KeyValue::new("gateway.automation", automation.to_owned()),
            KeyValue::new("gateway.location", location.to_owned()),
        ];
        let builder = SpanBuilder {
            span_kind: Some(SpanKind::Internal),
            attributes: Some(attributes),
            ..SpanBuilder::from_name("automation")
        };
        Run { span: self.0.build_with_context(builder, &Context::new()), tracer: self.0.clone() }
    }
}

impl Run {
    /// For what is done in it.
    pub fn within(&self) -> Within {
        Within::of(&self.tracer, self.span.span_context())
    }

    /// It is over, or the rest of it is tried at another time.
    pub fn end(mut self, is_done: bool) {
        self.span.set_attribute(KeyValue::new("gateway.outcome", if is_done { "done" } else { "put_off" }));
        if !is_done {
            self.span.set_status(Status::error(""));
        }
    }
}

impl Within {
    /// Begins with a delivery to a host. `name`: the delivery's, which its receiver gets.
    pub fn delivery(&self, host: &str, name: &str) -> Call {
        let Inside { tracer, context, span } = &*self.0;
        if !span.is_sampled() {
            return Call { span: None, header: parent::header(span) };
        }
        let attributes = vec![
            KeyValue::new("http.request.method", "POST"),
            KeyValue::new("server.address", host.to_owned()),
            KeyValue::new("gateway.delivery", name.to_owned()),
        ];
        let builder = SpanBuilder {
            span_kind: Some(SpanKind::Client),
            attributes: Some(attributes),
            ..SpanBuilder::from_name("POST")
        };
        let span = tracer.build_with_context(builder, context);
        let header = parent::header(span.span_context());
        Call { span: Some(span), header }
    }
}
