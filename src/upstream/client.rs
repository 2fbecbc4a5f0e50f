//! One call over HTTP: its headers, its answer. No retry, no cache, no meaning of what comes back.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, Request, StatusCode, Url};
use tokio::time::Instant;

use super::account::Account;
use super::call::{Call, Route};
use super::connections::Connections;
use super::credential::{Bearer, Endpoint, Trouble};
use super::errand::Errand;
use super::error::{Error, Fault, classify};
use super::governor::{Limits, Permit};
use crate::metrics::Metrics;
use crate::traces;

/// Most bytes that are read of one answer.
const MAX_BODY: usize = 16 << 20;

const VERSION: HeaderName = HeaderName::from_static("version");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The HTTP client, for one upstream.
pub struct Client {
    connections: Connections,
    base: Url,
    /// What HTTP/1 names the upstream by, where it is sure to be spoken.
    host: Option<HeaderValue>,
    metrics: Arc<Metrics>,
}

impl Client {
    /// `timeout`: for one call, from connecting to the last byte. `connections`: how many are kept open after a burst.
    pub fn new(mut base: Url, timeout: Duration, connections: usize, metrics: Arc<Metrics>) -> reqwest::Result<Self> {
        // A user in the address is nobody here: each call brings the credential of its location.
        let _ = (base.set_username(""), base.set_password(None));
        let connections = Connections::new(&base, timeout, connections)?;
        let host = match (base.host_str(), base.port()) {
            (host, None) => host.unwrap_or_default().to_owned(),
            (host, Some(port)) => format!("{}:{port}", host.unwrap_or_default()),
        };
        let host = HeaderValue::try_from(host).ok().filter(|_| base.scheme() == "http");
        Ok(Self { connections, base, host, metrics })
    }

    /// The upstream's own OAuth routes.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.connections.staying(), self.base.clone())
    }

    /// Sends the call; the body of a 2xx, or what went wrong. A call whose credential is refused was not carried out,
    /// and is sent once more if there is another credential.
    ///
    /// It is sent while the errand has time or not at all: a credential that is renewed first takes its time.
    pub async fn send(
        &self,
        errand: &Errand,
        account: &Account,
        call: &Call,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let mut sent = self.send_with_credential(errand, account, call, permit).await;
        permit.end_as(&sent);
        match &mut sent {
            Ok(_) => account.note_refused(false),
            Err(Error { fault: Fault::Scope(scope), .. }) => account.note_lacking(scope),
            Err(error) if error.fault != Fault::Credential => {}
            Err(error) if account.is_callers => error.fault = Fault::CallersCredential,
            Err(_) => account.note_refused(true),
        }
        sent
    }

    async fn send_with_credential(
        &self,
        errand: &Errand,
        account: &Account,
        call: &Call,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let none = |trouble: Trouble| trouble.to_error(call.route.template);
        let bearer = account.credential.bearer().await.map_err(none)?;
        may_go(&bearer, errand, call)?;
        match self.send_with(&bearer, errand, call, permit).await {
            Err(error) if error.fault == Fault::Credential => {
                // In a box: it is seldom, and each call would have room for it.
                Box::pin(self.send_with_another(&bearer, error, errand, account, call, permit)).await
            }
            sent => sent,
        }
    }

    async fn send_with_another(
        &self,
        refused: &Bearer,
        error: Error,
        errand: &Errand,
        account: &Account,
        call: &Call,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let none = |trouble: Trouble| trouble.to_error(call.route.template);
        let Some(other) = account.credential.instead_of(refused).await.map_err(none)? else {
            return Err(error);
        };
        may_go(&other, errand, call)?;
        permit.send_again();
        self.send_with(&other, errand, call, permit).await
    }

    /// Sends a call that may well be refused: with the bearer of the moment and no other, and a refusal tells nothing of other
    /// calls.
    pub async fn send_once(
        &self,
        errand: &Errand,
        account: &Account,
        call: &Call,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let none = |trouble: Trouble| Error { reached: false, ..trouble.to_error(call.route.template) };
        let bearer = account.credential.bearer().await.map_err(none)?;
        may_go(&bearer, errand, call)?;
        let sent = self.send_with(&bearer, errand, call, permit).await;
        permit.end_as(&sent);
        sent
    }

    /// Sends the call once.
    async fn send_with(
        &self,
        bearer: &Bearer,
        errand: &Errand,
        call: &Call,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let route = call.route.template;
        let told = errand.note_call(route);
        permit.goes();
        let (method, _) = call.route.parts();
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| Error::unsent(route, "no such method"))?;
        let mut request = Box::new(Request::new(method, self.url(call)?));
        if let Some(body) = &call.body {
            request.headers_mut().insert(CONTENT_TYPE, JSON);
            *request.body_mut() = Some(body.to_string().into());
        }
        let traced = errand.within.as_ref().map(|within| within.call(route, permit.resent, errand.lane.word()));
        request.headers_mut().extend(traced.as_ref().and_then(traces::Call::header));
        let answer = self.ask(call.route, request, bearer, permit).await;
        errand.note_end(told, outcome(&answer));
        traced.into_iter().for_each(|call| call.end(permit.status, outcome(&answer)));
        if answer.as_ref().is_err_and(|error| matches!(error.fault, Fault::Scope(_))) {
            bearer.note_refused(call.route.refused_with());
        }
        answer
    }

    /// Whether the credential may write, without writing, and the time that the upstream says it is.
    ///
    /// The call cannot change anything, for three reasons, each of which would be enough: its ids are none that the
    /// upstream gives out, so there is no such task; it says nothing that a task could be changed to; and a body without
    /// `completed`, which is required, is refused. The upstream looks at the scope before any of that, as its kind of
    /// server does (guards before pipes), so a refusal for another reason means that the scope is there.
    pub async fn try_write(&self, errand: &Errand, account: &Account) -> (Result<bool, Error>, Option<Timestamp>) {
        const ROUTE: Route = Route::write_contacts("PUT /contacts/{contactId}/tasks/{taskId}/completed");
        const NONE: &str = "contacts-gateway-check";
        let bearer = match account.credential.bearer().await {
            Ok(bearer) => bearer,
            Err(trouble) => return (Err(trouble.to_error(ROUTE.template)), None),
        };
        let mut url = self.base.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}/contacts/{NONE}/tasks/{NONE}/completed"));
        let mut request = Box::new(Request::new(Method::PUT, url));
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        *request.body_mut() = Some("{}".into());
        let mut permit = match account.governor.admit(errand).await {
            Ok(permit) => permit,
            Err(held) => return (Err(held.to_error(ROUTE.template, None)), None),
        };
        let mut date = None;
        let answered =
            self.ask_and_look(ROUTE, request, &bearer, &mut permit, |headers| date = told_time(headers)).await;
        let may = match answered {
            Ok(_) => Ok(true),
            Err(error) => match error.fault {
                Fault::NotFound | Fault::Refused(_) | Fault::Duplicate(_) => Ok(true),
                Fault::Scope(_) => Ok(false),
                _ => Err(error),
            },
        };
        (may, date)
    }

    // In a box: every function that it passes holds it twice for as long as the call takes.
    async fn ask(
        &self,
        route: Route,
        request: Box<Request>,
        bearer: &Bearer,
        permit: &mut Permit,
    ) -> Result<Vec<u8>, Error> {
        let began = Instant::now();
        let answer = self.ask_and_look(route, request, bearer, permit, |_| ()).await;
        self.metrics.called(route.template, outcome(&answer), began.elapsed());
        answer
    }

    async fn ask_and_look(
        &self,
        Route { template: route, version, scope }: Route,
        mut request: Box<Request>,
        bearer: &Bearer,
        permit: &mut Permit,
        look: impl FnOnce(&HeaderMap),
    ) -> Result<Vec<u8>, Error> {
        let headers = request.headers_mut();
        // With those that the client adds itself, so that the map does not grow; nor do its copies, for which the client would name
        // the host.
        headers.reserve(7);
        headers.insert(AUTHORIZATION, bearer.header());
        headers.insert(VERSION, HeaderValue::from_static(version));
        if let Some(host) = &self.host {
            headers.insert(HOST, host.clone());
        }
        // Until the answer is read.
        let connection = self.connections.take();
        let mut answer = connection.client().execute(*request).await.map_err(|e| broken(route, &e))?;
        let (told, status) = (Limits::told(answer.headers()), answer.status());
        let retry_after = if status.is_success() { None } else { retry_after(answer.headers()) };
        let shut = (status == StatusCode::TOO_MANY_REQUESTS).then_some(retry_after);
        permit.status = Some(status.as_u16());
        permit.answered(&told, shut);
        look(answer.headers());
        let mut body = Vec::with_capacity(answer.content_length().unwrap_or(0).min(1 << 20) as usize);
        while let Some(chunk) = answer.chunk().await.map_err(|e| broken(route, &e))? {
            if body.len() + chunk.len() > MAX_BODY {
                if !status.is_success() {
                    // The status tells what it is; nobody needs the rest.
                    break;
                }
                return Err(Error::bad_response(route, format_args!("over {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            bearer.accept();
            return Ok(body);
        }
        let mut error = classify(route, scope, status.as_u16(), &body, told.wait(retry_after));
        error.retry_after = retry_after;
        if matches!(
            error.fault,
            Fault::NotFound | Fault::Refused(_) | Fault::Duplicate(_) | Fault::Scope(_) | Fault::Location
        ) {
            bearer.accept();
        }
        error.hide(bearer.token());
        Err(error)
    }

    fn url(&self, call: &Call) -> Result<Url, Error> {
        let mut url = self.base.clone();
        let path = format!("{}{}", url.path().trim_end_matches('/'), call.path);
        url.set_path(&path);
        // Ids cannot change the path; if a parser ever reads one otherwise, nothing is sent.
        if url.path() != path {
            return Err(Error::unsent(call.route.template, "an id would change the path of the call"));
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        Ok(url)
    }
}

/// How a call ended, in a word.
fn outcome(answer: &Result<Vec<u8>, Error>) -> &'static str {
    answer.as_ref().map_or_else(|error| error.fault.word(), |_| "ok")
}

/// Whether there is time for the call, and the bearer may be sent with it as far as is known.
fn may_go(bearer: &Bearer, errand: &Errand, call: &Call) -> Result<(), Error> {
    let Route { template, scope, .. } = call.route;
    if !errand.has_time() {
        return Err(Error { reached: false, ..Error::new(template, Fault::Timeout) });
    }
    match bearer.was_granted(scope) && !bearer.was_refused(call.route.refused_with()) {
        true => Ok(()),
        false => Err(Error { reached: false, ..Error::new(template, Fault::Scope(scope)) }),
    }
}

/// No upstream is left alone for longer, whatever it asks for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// After how long the upstream wants to be asked again, if it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_PAUSE))
}

/// The `Date` of an answer.
fn told_time(headers: &HeaderMap) -> Option<Timestamp> {
    let date = headers.get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(date).ok()
}

fn broken(route: &'static str, error: &reqwest::Error) -> Error {
    let fault = if error.is_timeout() { Fault::Timeout } else { Fault::Unavailable };
    Error { reached: !error.is_connect(), ..Error::new(route, fault) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::Id;

    #[test]
    fn a_call_keeps_to_its_route_and_its_base() {
        const ROUTE: Route = Route::read_contacts("GET /contacts/{contactId}/tasks/{taskId}");
        let id = |text| Id::new(text).expect("an id");
        let call = Call::to(ROUTE, &[&id("c;1"), &id("t@1")]).with("q", "a b&c");
        for (base, want) in [
            ("http://up.test", "http://up.test/contacts/c%3B1/tasks/t%401?q=a+b%26c"),
            ("http://user:secret@up.test/api/", "http://up.test/api/contacts/c%3B1/tasks/t%401?q=a+b%26c"),
        ] {
            let base = Url::parse(base).expect("a URL");
            let client = Client::new(base, Duration::from_secs(1), 1, Arc::default()).expect("a client");
            assert_eq!(client.url(&call).map(String::from), Ok(want.to_owned()));
        }
    }

    #[test]
    fn the_host_is_named_where_http_1_is_sure_to_be_spoken() {
        for (base, want) in [
            ("http://up.test/api", Some("up.test")),
            ("http://up.test:80", Some("up.test")),
            ("http://user:secret@[::1]:81/", Some("[::1]:81")),
            ("https://up.test", None),
        ] {
            let base = Url::parse(base).expect("a URL");
            let client = Client::new(base, Duration::from_secs(1), 1, Arc::default()).expect("a client");
            assert_eq!(client.host.as_ref().and_then(|host| host.to_str().ok()), want);
        }
    }
}
