//! An operation executed, counted, and told of where operations are traced.

use axum::response::Response;
use tokio::time::Instant;

use crate::app::App;
use crate::caller::Caller;
use crate::graph::Request;
use crate::metrics::Outcome;
use crate::operation::{Answer, Asked, Incoming, Named, Ran, Refusal};
use crate::traces::{Operation, Told, TraceId};

/// Executes an operation, and counts it.
pub async fn execute(
    app: &App,
    mut request: Request,
    operation: Option<Operation>,
    (incoming, asked): (Incoming, &Asked),
    id: &str,
    began: Instant,
) -> Answer {
    if let Some(operation) = &operation {
        request.trace(operation.within());
    }
    let (trail, caller) = (request.trail.clone(), request.caller.clone());
    let Ran { answer, named } = app.operations().run(request, incoming, asked, id).await;
    let (held, shared, started) = trail.counts();
    tracing::debug!(request_id = id, held, shared, started, "executed");
    trail.counts_by_kind().for_each(|(kind, counts)| app.metrics().valued(kind, counts));
    let outcome = match &answer {
        Answer::Ready(_) => Outcome::Executed,
        Answer::Executed(response) if response.errors.is_empty() => Outcome::Executed,
        Answer::Executed(_) => Outcome::Failed,
        Answer::Refused(_) => Outcome::Refused,
    };
    app.metrics().answered(outcome, began.elapsed());
    if let Some(named) = &named {
        named.count(outcome);
    }
    if let Some(operation) = operation {
        end(operation, &Answered { named: named.as_deref(), outcome, values: (held, shared, started) }, id, &caller);
    }
    if let Answer::Refused(Refusal { guard: Some(guard), .. }) = &answer {
        app.metrics().refused(guard);
    }
    answer
}

/// What an operation came to.
pub struct Answered<'a> {
    pub named: Option<&'a Named>,
    pub outcome: Outcome,
    pub values: (u32, u32, u32),
}

/// The end of an operation that is traced.
pub fn end(operation: Operation, &Answered { named, outcome, values }: &Answered<'_>, id: &str, caller: &Caller) {
    let (kind, name) = (named.map(|named| named.kind), named.and_then(|named| named.name.as_deref()));
    operation.end(&Told { kind, name, outcome, values, request_id: id, location: &caller.account.location });
}

/// The answer, with what its log line says of its trace.
pub fn traced(mut response: Response, trace: Option<TraceId>) -> Response {
    if let Some(trace) = trace {
        response.extensions_mut().insert(trace);
    }
    response
}
