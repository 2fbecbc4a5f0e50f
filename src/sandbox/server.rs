//! The server, and the way of one call through it.

use super::{
    answer::{Answer, JSON, Refusal},
    control, door,
    fault::Cut,
    lock,
    options::Options,
    quirks::Quirks,
    route::{self, Does, Found, ROUTES, Route, UNMATCHED},
    store::Location,
    traffic::Call,
    world::World,
    write::Change,
};
use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::CONTENT_TYPE, request::Parts},
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use futures_util::stream;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, sync::oneshot};

/// How long calls under way may take to end once the server is to stop.
const GRACE: Duration = Duration::from_millis(250);

/// What a route needs to answer one call that was let in.
pub(super) struct Ask<'a> {
    pub location_id: &'a str,
    pub location: &'a Location,
    /// The named segments of the path, decoded.
    pub segments: &'a [String],
    pub parameters: &'a [(String, String)],
    pub body: &'a Value,
    pub quirks: &'a Quirks,
    pub zone: &'a TimeZone,
    pub trace: &'a str,
}

impl Ask<'_> {
    pub fn query(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// A call as its caller sent it.
pub(super) struct Sent<'a> {
    pub headers: &'a HeaderMap,
    pub parameters: &'a [(String, String)],
    pub body: &'a [u8],
    pub trace: &'a str,
}

/// Serves until `shutdown` resolves, then soon returns, whatever is still under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    options: Options,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    run(World::new(options, false), listener, shutdown).await
}

pub(super) async fn run(
    world: Arc<World>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel::<()>();
    let signal = async move {
        shutdown.await;
        drop(stopping);
    };
    // Answers are small: waiting to fill a packet would cost each call its time.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
    });
    let app = Router::new().nest("/__sandbox", control::router()).fallback(call).with_state(world.clone());
    let server = axum::serve(listener, app).with_graceful_shutdown(signal);
    tokio::select! {
        ended = server => ended,
        () = world.webhooks.run(&world) => Ok(()),
        () = async { let _ = stopped.await; tokio::time::sleep(GRACE).await } => Ok(()),
    }
}

/// A call as far as it is known before anything is decided.
struct Arrival {
    head: Parts,
    route: Option<(&'static Route, Vec<String>)>,
    mis_cased: bool,
    parameters: Vec<(String, String)>,
    /// The body as it came.
    bytes: Bytes,
    /// The same, where it is JSON.
    body: Option<Value>,
    trace: String,
}

/// Longest body that is read; the API's own bound is not known.
const LONGEST_BODY: usize = 1 << 20;

async fn call(State(world): State<Arc<World>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(bytes) = to_bytes(body, LONGEST_BODY).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let body = json_body(&head, &bytes);
    let found = route::find(head.method.as_str(), head.uri.path());
    let mis_cased = matches!(found, Found::MisCased);
    let (row, segments) = match found {
        Found::Route(row, segments) => (Some(row), segments),
        Found::MisCased | Found::Nothing => (None, Vec::new()),
    };
    let parameters = Query::try_from_uri(&head.uri).map(|Query(pairs)| pairs).unwrap_or_default();
    let trace = world.trace();
    let route = row.map(|row| (&ROUTES[row], segments));
    let arrival = Arrival { head, route, mis_cased, parameters, bytes, body, trace };

    let location = location_of(&world, &arrival);
    let under_way = world.traffic.arrive(row, |route| line(&arrival, route, location.clone()));
    let (response, cut) = limited(&world, &arrival, location.as_deref().unwrap_or_default()).await;
    if !cut {
        under_way.answered(response.status().as_u16());
    }
    response
}

/// A body that does not say that it is JSON is none, as with the API's own framework.
fn json_body(head: &Parts, body: &Bytes) -> Option<Value> {
    let kind = head.headers.get(CONTENT_TYPE)?.to_str().ok()?;
    if !kind.starts_with("application/json") || body.is_empty() {
        return None;
    }
    serde_json::from_slice(body).ok()
}

fn location_of(world: &World, arrival: &Arrival) -> Option<String> {
    let credentials = lock::read(&world.credentials);
    credentials.get(door::bearer(&arrival.head.headers)).map(|credential| credential.location.clone())
}

fn line(arrival: &Arrival, route: &'static str, location: Option<String>) -> Call {
    let header = |name| arrival.head.headers.get(name).and_then(|value| value.to_str().ok()).map(String::from);
    Call {
        method: arrival.head.method.to_string(),
        route,
        path: arrival.head.uri.path().to_owned(),
        query: arrival.parameters.clone(),
        body: arrival.body.clone(),
        location,
        version: header("version"),
        traceparent: header("traceparent"),
        status: None,
    }
}

/// The answer with its headers about limits, and whether its connection is cut.
async fn limited(world: &World, arrival: &Arrival, location: &str) -> (Response, bool) {
    let left = {
        let mut limits = lock::lock(&world.limits);
        let counts = limits.any() && !is_for_grants(arrival);
        counts.then(|| limits.take(location, Instant::now()))
    };
    let (mut response, cut) = if left.is_some_and(|left| left.over) {
        (Refusal::TooMany.answer(&world.options.quirks, &arrival.trace).into_response(), false)
    } else {
        disturbed(world, arrival).await
    };
    if let Some(left) = left.filter(|_| !world.options.quirks.no_rate_headers) {
        left.tell(response.headers_mut());
    }
    (response, cut)
}

/// The answer after all that was put in its way: a fault, a hold, latency, a failure by chance.
async fn disturbed(world: &World, arrival: &Arrival) -> (Response, bool) {
    let template = arrival.route.as_ref().map_or(UNMATCHED, |(route, _)| route.template);
    let contact = contact_of(arrival);
    let fault = world.faults.take(template, contact).or_else(|| world.switches.fault(template, contact));
    let fails = world.draws_failure();
    let unseen = fault.as_ref().is_some_and(|fault| fault.drop == Some(Cut::Unseen));
    let mut early = None;
    if let Some(gate) = world.gates.before(template) {
        if gate.answer_first && !unseen {
            early = Some(answer(world, arrival));
        }
        // Told only now, so that whoever waits for arrivals may change the data at once.
        gate.arrive();
        gate.pass().await;
    }
    let wait = world.delay() + fault.as_ref().map_or(Duration::ZERO, |fault| fault.wait());
    if !wait.is_zero() {
        tokio::time::sleep(wait).await;
    }
    let quirks = &world.options.quirks;
    let replaced = fault.as_ref().and_then(|fault| fault.answer(quirks, &arrival.trace));
    let answer = match replaced {
        _ if unseen => Answer::nothing_here(),
        Some(replaced) => {
            if fault.as_ref().is_some_and(|fault| fault.done) && early.is_none() {
                answer(world, arrival);
            }
            replaced
        }
        None if fails => Refusal::Broken.answer(quirks, &arrival.trace),
        None => early.unwrap_or_else(|| answer(world, arrival)),
    };
    match fault.and_then(|fault| fault.drop) {
        Some(cut) => (cut_off(answer, cut), true),
        None => (answer.into_response(), false),
    }
}

fn is_for_grants(arrival: &Arrival) -> bool {
    arrival.route.as_ref().is_some_and(|(route, _)| matches!(route.does, Does::Grants(_)))
}

fn contact_of(arrival: &Arrival) -> Option<&str> {
    let (route, segments) = arrival.route.as_ref()?;
    let named = route.template.contains(" /contacts/{contactId}");
    segments.first().filter(|_| named).map(String::as_str)
}

fn answer(world: &World, arrival: &Arrival) -> Answer {
    let quirks = &world.options.quirks;
    let Some((route, segments)) = &arrival.route else {
        return if arrival.mis_cased {
            Refusal::Unauthorized("Unauthorized").answer(quirks, &arrival.trace)
        } else {
            Answer::nothing_here()
        };
    };
    let admit = || door::admit(world, &arrival.head.headers, route);
    let answered = match route.does {
        Does::Grants(_) if !world.options.oauth => Ok(Answer::nothing_here()),
        Does::Grants(answer) => {
            let Arrival { head, parameters, bytes, trace, .. } = arrival;
            answer(world, &Sent { headers: &head.headers, parameters, body: bytes, trace })
        }
        Does::Read(read) => admit().and_then(|location_id| {
            if lock::read(&world.store).get(&location_id).is_some_and(Location::lags) {
                let mut store = lock::write(&world.store);
                store.entry(location_id.clone()).and_modify(|location| location.catch_up(Instant::now()));
            }
            let store = lock::read(&world.store);
            read(&Ask {
                location_id: &location_id,
                location: store.get(&location_id).ok_or(Refusal::WrongLocation)?,
                segments,
                parameters: &arrival.parameters,
                body: arrival.body.as_ref().unwrap_or(&Value::Null),
                quirks,
                zone: &world.options.timezone,
                trace: &arrival.trace,
            })
        }),
        Does::Write(write) => admit().and_then(|location_id| {
            let mut store = lock::write(&world.store);
            write(&mut Change {
                location_id: &location_id,
                location: store.get_mut(&location_id).ok_or(Refusal::WrongLocation)?,
                segments,
                body: arrival.body.as_ref().unwrap_or(&Value::Null),
                quirks,
                trace: &arrival.trace,
                fresh_id: world.fresh_id(),
                now: world.now(),
            })
        }),
    };
    answered.unwrap_or_else(|refusal| refusal.answer(quirks, &arrival.trace))
}

/// A response whose body fails, upon which the server closes the connection. Nothing is written before the
/// body's first poll, so failing at once sends nothing; yielding after a part sends the head and that part.
fn cut_off(mut answer: Answer, cut: Cut) -> Response {
    let part = answer.body.len() / 2;
    answer.body.truncate(part);
    let failure = || Err(io::Error::from(io::ErrorKind::ConnectionReset));
    let body = match cut {
        Cut::Unseen | Cut::Before => Body::from_stream(stream::once(async move { failure() as io::Result<Vec<u8>> })),
        Cut::Mid => Body::from_stream(stream::unfold(Some(answer.body), move |left| async move {
            match left {
                Some(part) => Some((Ok(part), None)),
                None => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    Some((failure(), None))
                }
            }
        })),
    };
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
