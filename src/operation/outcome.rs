//! What an execution comes to, for one who waits for it or for many.

use std::collections::BTreeMap;
use std::time::Duration;

use async_graphql::Name;
use async_graphql::indexmap::IndexMap;
use async_graphql::{PathSegment, Response, ServerError, Value};

use super::document::Problem;
use crate::graph::{Code, Request, Sent, Stale, json};

/// Most characters of a message: what callers send comes back in some.
const LONGEST_MESSAGE: usize = 300;

/// An answer with errors.
pub struct Failed {
    data: Value,
    errors: Vec<ServerError>,
    extensions: BTreeMap<String, Value>,
    /// Whether it would be another if its request had had more time.
    pub out_of_time: bool,
}

impl Failed {
    /// `out_of_time`: whether it would be another if its request had had more time.
    pub fn new(response: Response, out_of_time: bool) -> Self {
        let Response { mut data, errors, extensions, .. } = response;
        json::expand(&mut data);
        Self { data, errors, extensions, out_of_time }
    }

    /// The answer for the request with this id.
    pub fn response(&self, request_id: &str) -> Response {
        let mut response = Response::new(self.data.clone());
        response.errors.clone_from(&self.errors);
        response.extensions.clone_from(&self.extensions);
        publish(&mut response.errors, request_id);
        response
    }
}

/// What an answer tells of the parts of it whose time was over.
pub fn tell_stale(response: &mut Response, stale: &[Stale]) {
    if stale.is_empty() {
        return;
    }
    let segment = |segment: &PathSegment| match segment {
        PathSegment::Index(index) => Value::from(*index),
        PathSegment::Field(name) => Value::from(name.as_str()),
    };
    let part = |part: &Stale| {
        Value::Object(IndexMap::from_iter([
            (Name::new("path"), Value::List(part.path.iter().map(segment).collect())),
            (Name::new("ageMs"), Value::from(part.age.as_millis() as u64)),
        ]))
    };
    response.extensions.insert("stale".to_owned(), Value::List(stale.iter().map(part).collect()));
}

/// What an answer tells of what it cost.
pub fn tell_cost(response: &mut Response, request: &Request, planned: u64) {
    let (held, shared, _) = request.trail.counts();
    let (calls, took) = request.timeline().unwrap_or_default();
    let cost = Value::Object(IndexMap::from_iter([
        (Name::new("planned"), planned.into()),
        (Name::new("calls"), request.calls().into()),
        (Name::new("cacheHits"), held.into()),
        (Name::new("coalesced"), shared.into()),
        (Name::new("quotaRemaining"), request.account().quota_left().map_or(Value::Null, Value::from)),
        (Name::new("durationMs"), millis(took)),
        (Name::new("timeline"), Value::List(calls.iter().map(sent).collect())),
    ]));
    response.extensions.insert("upstream".to_owned(), cost);
}

fn sent(call: &Sent) -> Value {
    Value::Object(IndexMap::from_iter([
        (Name::new("route"), call.route.into()),
        (Name::new("startMs"), millis(call.start)),
        (Name::new("durationMs"), millis(call.took)),
        (Name::new("outcome"), call.outcome.unwrap_or("unfinished").into()),
    ]))
}

fn millis(time: Duration) -> Value {
    (time.as_micros() as f64 / 1e3).into()
}

/// A problem as an error of an answer.
pub fn server_error(problem: Problem, request_id: &str) -> ServerError {
    let place = problem.at.map(|(line, column)| async_graphql::Pos { line, column });
    let mut error = async_graphql::Error::from(problem.error).into_server_error(place.unwrap_or_default());
    if place.is_none() {
        error.locations.clear();
    }
    publish(std::slice::from_mut(&mut error), request_id);
    error
}

/// Gives each error its code and the request's id, and all of them an order that does not depend on timing.
pub fn publish(errors: &mut [ServerError], request_id: &str) {
    for error in &mut *errors {
        if let Some((end, _)) = error.message.char_indices().nth(LONGEST_MESSAGE) {
            error.message.truncate(end);
            error.message.push('…');
        }
        let extensions = error.extensions.get_or_insert_default();
        if extensions.get("code").is_none() {
            // What fails without a code of ours is a value that the library could not read.
            extensions.set("code", Code::BadUserInput.as_str());
        }
        if extensions.get("code") == Some(&Value::from(Code::Internal.as_str())) && !request_id.is_empty() {
            tracing::error!(request_id, told = error.message, path = ?error.path, "the gateway failed");
        }
        extensions.set("requestId", request_id);
    }
    errors.sort_by_cached_key(|error| error.path.iter().map(order).collect::<Vec<_>>());
}

fn order(segment: &PathSegment) -> (usize, String) {
    match segment {
        PathSegment::Index(index) => (*index, String::new()),
        PathSegment::Field(name) => (0, name.clone()),
    }
}
