//! A GraphQL request from its parts to its answer: document, variables, kept answers, execution, errors made public.

mod answers;
mod asked;
pub mod catalog;
mod document;
mod execution;
mod explain;
mod facts;
mod guard;
mod inside;
mod live;
mod named;
mod outcome;
mod plan;
mod scan;
mod trusted;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apollo_compiler::response::JsonMap;
use async_graphql::{Response, ServerError, Variables};
use futures_util::FutureExt;
use tokio::time::timeout_at;

use crate::cache::{Epochs, Flight, Joined};
use crate::caller::Caller;
use crate::clock::Clock;
use crate::graph::{Code, Error, Request, json};
use crate::metrics::Metrics;
use crate::schema::Schema;
use crate::spawn;
use answers::{Answers, Key, Outcome};
pub use answers::{Incoming, Ready, Way};
pub use asked::Asked;
pub use document::Problem;
use document::{Document, Documents, Operation};
use execution::execute;
pub use explain::{Explained, Explainer};
use facts::Kind;
pub use guard::Bounds;
pub use live::Subscription;
use live::Told;
pub use named::Named;
use named::Names;
use outcome::{Failed, publish, server_error, tell_cost, tell_stale};
use plan::Plan;
pub use trusted::Trusted;

/// Fields answer by themselves when a request's time is over; so much later the rest is given up, too.
const GRACE: Duration = Duration::from_secs(1);

/// What a longer body was made of is taken apart when it is on its way: for a list that takes a good part of a millisecond.
const LARGE: usize = 32 << 10;

/// What a request is answered with.
pub enum Answer {
    /// Bytes without errors in them.
    Ready(Arc<Ready>),
    /// It was executed, and what came of it is for this request alone.
    Executed(Response),
    /// It was refused before anything was executed.
    Refused(Refusal),
}

/// What came of a request.
pub struct Ran {
    pub answer: Answer,
    /// The operation; `None`: it was refused before that was found.
    pub named: Option<Arc<Named>>,
}

/// A request that was not executed, and why.
pub struct Refusal {
    /// The HTTP status that fits.
    pub status: u16,
    /// What is wrong with it.
    pub errors: Vec<ServerError>,
    /// What was bounded, where it is over a bound of the settings.
    pub guard: Option<&'static str>,
}

impl Refusal {
    /// One reason.
    pub fn new(status: u16, error: Error, request_id: &str) -> Self {
        Self::each(status, vec![error.into()], request_id)
    }

    fn each(status: u16, problems: Vec<Problem>, request_id: &str) -> Self {
        let guard = problems.iter().find_map(|problem| problem.error.guard());
        let errors = problems.into_iter().map(|problem| server_error(problem, request_id)).collect();
        Self { status, errors, guard }
    }
}

/// Bounds on what is kept of requests, in bytes, and on what is done at one time.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// For documents that were seen.
    pub documents: u64,
    /// For answers.
    pub answers: u64,
    /// How many changes are told at one time.
    pub told: usize,
}

/// Runs operations.
pub struct Operations {
    schema: Schema,
    documents: Documents,
    trusted: Trusted,
    /// The manifest that kept answers go by.
    manifest: AtomicU64,
    bounds: Bounds,
    answers: Arc<Answers>,
    told: Told,
    names: Names,
}

/// An operation with its variables.
struct Prepared<'a> {
    operation: &'a Operation,
    variables: Variables,
    key: Key,
    named: Arc<Named>,
}

impl Prepared<'_> {
    /// The upstream calls that it needs at most, less what the cache holds.
    fn plan(&self, request: &Request) -> Plan {
        self.operation.steps.plan(Some(request), &self.variables)
    }

    fn executable(&self) -> async_graphql::Request {
        let mut executable = async_graphql::Request::new("").variables(self.variables.clone());
        executable.set_parsed_query(self.operation.executable());
        executable
    }
}

impl Operations {
    /// `bounds`: what an operation may come to. Answers are good as `epochs` and `clock` tell.
    pub fn new(
        schema: Schema,
        sizes: Sizes,
        bounds: Bounds,
        trusted: Trusted,
        epochs: Arc<Epochs>,
        clock: Clock,
        metrics: Arc<Metrics>,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            documents: Documents::new(&schema, sizes.documents, bounds)?,
            schema,
            trusted,
            manifest: AtomicU64::new(0),
            bounds,
            answers: Arc::new(Answers::new(sizes.answers, epochs, clock)),
            told: Told::new(sizes.told),
            names: Names::new(metrics),
        })
    }

    /// The answer that is kept for the same bytes from somebody with the same eyes, while it is good.
    pub fn known(&self, incoming: &Incoming) -> Option<Arc<Ready>> {
        self.answers.known(incoming)
    }

    /// Reads the manifest again if that is due. Answers to documents that it does not have any more are not given out again.
    pub async fn keep_up(&self) {
        let Some(file) = self.trusted.file() else { return };
        file.keep_up().await;
        let version = file.with(|_, version| version);
        if self.manifest.swap(version, Ordering::Relaxed) != version {
            self.answers.forget_all();
        }
    }

    /// Whether there is a manifest to keep up with.
    pub fn has_manifest(&self) -> bool {
        self.trusted.file().is_some()
    }

    /// The document of the manifest that has an operation of this name.
    pub fn text_with(&self, name: &str) -> Option<Arc<str>> {
        self.trusted.text_with(name)
    }

    /// Bytes that are held for documents and for answers, as weighed.
    pub fn bytes(&self) -> (u64, u64) {
        (self.documents.bytes(), self.answers.bytes())
    }

    /// Answers one request; never fails and never panics. `incoming` is how it came, `asked` what is in it.
    pub async fn run(&self, mut request: Request, incoming: Incoming, asked: &Asked, request_id: &str) -> Ran {
        let refuse = |status, problems| Answer::Refused(Refusal::each(status, problems, request_id));
        let unnamed = |status, problems| Ran { answer: refuse(status, problems), named: None };
        let document = match self.trusted.document(asked, &self.documents) {
            Ok(document) => document,
            Err((status, problems)) => return unnamed(status, problems),
        };
        let prepared = match self.prepare(&request.caller, &document, incoming.way, asked) {
            Ok(prepared) => prepared,
            Err((status, problem)) => return unnamed(status, vec![problem]),
        };
        request.merges = prepared.operation.facts.merges;
        request.asks = Some(prepared.operation.steps.fields.clone());
        let answer = match request.explains() || !prepared.operation.facts.may_be_kept() {
            // In a box: it is seldom, and each request would have room for it.
            true => Box::pin(self.alone(request, &prepared, request_id)).await.map(Answer::Executed),
            false => self.answer(&request, &prepared).await.map(|outcome| match outcome {
                Outcome::Ready(ready) => {
                    self.answers.keep(incoming, prepared.key, &ready);
                    Answer::Ready(ready)
                }
                Outcome::Failed(failed) => Answer::Executed(failed.response(request_id)),
            }),
        };
        let answer = answer.unwrap_or_else(|refused| refuse(400, vec![refused.into()]));
        Ran { answer, named: Some(prepared.named) }
    }

    /// Executes an operation for this request and nobody else.
    async fn alone(&self, request: Request, prepared: &Prepared<'_>, request_id: &str) -> Result<Response, Error> {
        self.admit(&request, prepared)?;
        let planned = request.explains().then(|| prepared.plan(&request).count());
        let mut response = execute(self.schema.clone(), request.clone(), prepared.executable()).await;
        tell_stale(&mut response, &request.trail.take_sources().stale);
        if let Some(planned) = planned {
            tell_cost(&mut response, &request, planned);
        }
        json::expand(&mut response.data);
        publish(&mut response.errors, request_id);
        Ok(response)
    }

    /// Refuses an operation that would need more calls than its caller may spend on one. What the cache holds is only looked at
    /// where it matters.
    fn admit(&self, request: &Request, prepared: &Prepared<'_>) -> Result<(), Error> {
        let allowed = self.bounds.calls[request.caller.scopes.number()];
        if prepared.operation.steps.at_most(request, &prepared.variables) <= allowed {
            return Ok(());
        }
        match prepared.plan(request).count() {
            planned if planned > allowed => Err(Error::too_many_calls(planned, allowed)),
            _ => Ok(()),
        }
    }

    fn prepare<'a>(
        &self,
        caller: &Caller,
        document: &'a Document,
        way: Way,
        asked: &Asked,
    ) -> Result<Prepared<'a>, (u16, Problem)> {
        let bad = |problem: Problem| (400, problem);
        let operation = document.choose(asked.operation_name.as_deref()).map_err(bad)?;
        match (operation.facts.kind, way) {
            (Kind::Subscription, _) => return Err((400, Error::bad_input(STREAMED).into())),
            (Kind::Mutation, Way::Get | Way::Named) => {
                let message = "GET only runs queries: send this operation by POST.";
                return Err((405, Error::bad_input(message).into()));
            }
            _ => {}
        }
        self.with_variables(caller, document, operation, asked).map_err(bad)
    }

    fn with_variables<'a>(
        &self,
        caller: &Caller,
        document: &Document,
        operation: &'a Operation,
        asked: &Asked,
    ) -> Result<Prepared<'a>, Problem> {
        let none = JsonMap::new();
        let given = asked.variables.as_ref().unwrap_or(&none);
        let (variables, json) = variables(&self.documents, operation, given)?;
        let key = Key::new(caller.eyes(), &document.digest, operation.name(), &json);
        let name = operation.name().filter(|_| self.trusted.has(&document.digest));
        let named = self.names.of(operation.facts.kind, name);
        Ok(Prepared { operation, variables, key, named })
    }

    /// The kept answer, that of an execution under way, or that of a new one; or why none is begun.
    async fn answer(&self, request: &Request, prepared: &Prepared<'_>) -> Result<Outcome, Error> {
        loop {
            if let Some(ready) = self.answers.get(&prepared.key) {
                return Ok(Outcome::Ready(ready));
            }
            let (share, own) = match self.answers.making(&prepared.key) {
                Some(share) => (share, false),
                None => {
                    self.admit(request, prepared)?;
                    match self.begin(request, prepared) {
                        Begun::Over(outcome) => return Ok(outcome),
                        Begun::Shared(share, own) => (share, own),
                    }
                }
            };
            match timeout_at(request.deadline() + GRACE, share.landed()).await {
                // It began with somebody's time, and this request has more.
                Ok(Some(Outcome::Failed(failed))) if !own && failed.out_of_time && request.has_time() => {}
                Ok(Some(outcome)) => return Ok(outcome),
                Ok(None) => return Ok(failed(Error::internal())),
                Err(_) => return Ok(failed(Error::out_of_time())),
            }
        }
    }

    /// Begins an execution, or finds that somebody else did at the same moment.
    fn begin(&self, request: &Request, prepared: &Prepared<'_>) -> Begun {
        let as_of = self.answers.now();
        let mut making = Box::pin(self.make(request.clone(), prepared.named.clone(), prepared.executable()));
        // With everything in memory it waits for nothing, and there is nothing to share.
        if let Some(outcome) = (&mut making).now_or_never() {
            return Begun::Over(outcome);
        }
        match self.answers.join(&prepared.key, as_of, making) {
            Joined::Known(ready) => Begun::Over(Outcome::Ready(ready)),
            Joined::Shared(share) => Begun::Shared(share, false),
            Joined::Started(share) => Begun::Shared(share, true),
        }
    }

    /// Executes an operation, and makes of its answer what can be given to many.
    fn make(
        &self,
        request: Request,
        named: Arc<Named>,
        executable: async_graphql::Request,
    ) -> impl Future<Output = Outcome> + Send + 'static {
        let (schema, answers) = (self.schema.clone(), self.answers.clone());
        async move {
            let trail = request.trail.clone();
            let mut response = execute(schema, request, executable).await;
            let sources = trail.take_sources();
            tell_stale(&mut response, &sources.stale);
            if !response.errors.is_empty() {
                return Outcome::Failed(Arc::new(Failed::new(response, trail.is_out_of_time())));
            }
            let ready = match answers.ready(named, &response, &sources, trail.is_traced()) {
                Ok(ready) => ready,
                Err(why) => return failed(Error::new(Code::Internal, why.to_string())),
            };
            if ready.body.len() > LARGE {
                spawn::boxed(async move { drop(response) });
            }
            Outcome::Ready(Arc::new(ready))
        }
    }
}

/// The variables of an operation as their types have them, and the same in JSON.
fn variables(documents: &Documents, operation: &Operation, given: &JsonMap) -> Result<(Variables, Vec<u8>), Problem> {
    let internal = |why: serde_json::Error| Problem::from(Error::new(Code::Internal, why.to_string()));
    let json = serde_json::to_vec(&*documents.variables(operation, given)?).map_err(internal)?;
    let variables = serde_json::from_slice(&json).map_err(internal)?;
    Ok((variables, json))
}

/// How far an execution came at once.
enum Begun {
    /// To its end.
    Over(Outcome),
    /// It waits for the upstream; whether it is this request's own.
    Shared(Flight<Outcome>, bool),
}

const STREAMED: &str = "A subscription is a stream of answers: ask for it with `accept: text/event-stream`, or over a \
    WebSocket with the subprotocol graphql-transport-ws.";

fn failed(error: Error) -> Outcome {
    let response = Response::from_errors(vec![server_error(error.into(), "")]);
    Outcome::Failed(Arc::new(Failed::new(response, false)))
}
