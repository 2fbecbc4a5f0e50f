//! A GraphQL request from its parts to its answer: document, variables, execution, errors made public.

mod document;
mod guard;

use std::panic::AssertUnwindSafe;

use apollo_compiler::response::JsonMap;
use async_graphql::{PathSegment, Pos, Response, ServerError, Value};
use futures_util::FutureExt;
use serde::Deserialize;
use tokio::time::timeout_at;

use crate::graph::{Code, Error, Request};
use crate::schema::{self, Schema};
use document::{Documents, Problem};
pub use guard::Bounds;

/// Most characters of a message: what callers send comes back in some.
const LONGEST_MESSAGE: usize = 300;

/// A request as it comes over HTTP.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The document.
    pub query: String,
    /// Which of its operations.
    #[serde(default)]
    pub operation_name: Option<String>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: Option<JsonMap>,
    /// Nothing is read from them yet; they have to be an object.
    #[serde(default, rename = "extensions")]
    pub _extensions: Option<JsonMap>,
}

/// What a request is answered with.
pub enum Answer {
    /// It was executed; there may be errors in it.
    Executed(Response),
    /// It was refused before anything was executed.
    Refused(Refusal),
}

/// A request that was not executed, and why.
pub struct Refusal {
    /// The HTTP status that fits.
    pub status: u16,
    /// What is wrong with it.
    pub errors: Vec<ServerError>,
}

impl Refusal {
    /// One reason.
    pub fn new(status: u16, error: Error, request_id: &str) -> Self {
        Self { status, errors: vec![server_error(error.into(), request_id)] }
    }
}

/// Which operations a request may name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// All of them.
    Everything,
    /// Only those that read.
    Read,
}

/// Runs operations.
pub struct Operations {
    schema: Schema,
    documents: Documents,
}

impl Operations {
    /// `document_bytes`: most memory for documents that were seen. `bounds`: what an operation may come to.
    pub fn new(document_bytes: u64, bounds: Bounds) -> anyhow::Result<Self> {
        Ok(Self { schema: schema::build(), documents: Documents::new(&schema::sdl(), document_bytes, bounds)? })
    }

    /// Answers one request; never fails and never panics.
    pub async fn run(&self, request: Request, asked: Asked, may: May, request_id: &str) -> Answer {
        let prepared = match self.prepare(&request, &asked, may) {
            Ok(prepared) => prepared,
            Err((status, problems)) => {
                let errors = problems.into_iter().map(|problem| server_error(problem, request_id)).collect();
                return Answer::Refused(Refusal { status, errors });
            }
        };
        // Fields answer by themselves when the time is over; this is for what does not load anything.
        let deadline = request.deadline() + std::time::Duration::from_secs(1);
        let execution = AssertUnwindSafe(self.schema.execute(prepared)).catch_unwind();
        let mut response = match timeout_at(deadline, execution).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                tracing::error!(request_id, "a field panicked");
                failed(Error::new(Code::Internal, "The gateway failed. The request id tells which log lines."))
            }
            Err(_) => failed(Error::out_of_time()),
        };
        publish(&mut response.errors, request_id);
        Answer::Executed(response)
    }

    fn prepare(
        &self,
        request: &Request,
        asked: &Asked,
        may: May,
    ) -> Result<async_graphql::Request, (u16, Vec<Problem>)> {
        let bad = |problem: Problem| (400, vec![problem]);
        let document = self.documents.get(&asked.query).map_err(|problems| (400, problems))?;
        let chosen = document.choose(asked.operation_name.as_deref()).map_err(bad)?;
        if may == May::Read && !chosen.is_query() {
            let message = "GET only runs queries: send this operation by POST.";
            return Err((405, vec![Error::bad_input(message).into()]));
        }
        let none = JsonMap::new();
        let given = asked.variables.as_ref().unwrap_or(&none);
        let variables = self.documents.variables(&chosen, given).map_err(bad)?;
        let mut prepared = async_graphql::Request::new("").variables(variables).data(request.clone());
        if let Some(name) = chosen.name() {
            prepared = prepared.operation_name(name);
        }
        prepared.set_parsed_query(chosen.executable());
        Ok(prepared)
    }
}

fn failed(error: Error) -> Response {
    let mut response = Response::new(Value::Null);
    response.errors.push(server_error(error.into(), ""));
    response
}

fn server_error(problem: Problem, request_id: &str) -> ServerError {
    let place = problem.at.map(|(line, column)| Pos { line, column });
    let mut error = async_graphql::Error::from(problem.error).into_server_error(place.unwrap_or_default());
    if place.is_none() {
        error.locations.clear();
    }
    publish(std::slice::from_mut(&mut error), request_id);
    error
}

/// Gives each error its code and the request's id, and all of them an order that does not depend on timing.
fn publish(errors: &mut [ServerError], request_id: &str) {
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
