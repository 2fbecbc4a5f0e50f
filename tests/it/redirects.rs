//! Nobody is followed elsewhere: whoever answers with a redirect has answered.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use contacts_gateway::sandbox::{DEMO_CONTACT, Options, Sandbox};
use serde_json::json;
use tokio::task::JoinHandle;

use super::support::*;

pub const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// Answers everything with a redirect, and knows where else somebody may have gone.
pub struct Redirector {
    pub url: String,
    now: Arc<Mutex<(u16, String)>>,
    asked: Arc<Mutex<Vec<String>>>,
    elsewhere: TcpListener,
    server: JoinHandle<()>,
}

impl Drop for Redirector {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Redirector {
    pub async fn start() -> Self {
        let (now, asked) = (Arc::new(Mutex::new((302, String::new()))), Arc::<Mutex<Vec<String>>>::default());
        let (told, into) = (now.clone(), asked.clone());
        let answer = move |request: Request| {
            into.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
            let (status, place) = told.lock().unwrap().clone();
            async move { (StatusCode::from_u16(status).unwrap(), [(LOCATION, place)]) }
        };
        let listener = local().await;
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let server = tokio::spawn(async move {
            axum::serve(listener, Router::new().fallback(answer)).await.expect("a server");
        });
        let elsewhere = TcpListener::bind("127.0.0.1:0").expect("a free port");
        elsewhere.set_nonblocking(true).expect("a listener");
        Self { url, now, asked, elsewhere, server }
    }

    /// Another port, another host, both with a user, and other paths of the same host.
    pub fn places(&self) -> Vec<String> {
        let port = self.elsewhere.local_addr().expect("an address").port();
        let away = ["http://127.0.0.1", "http://localhost", "http://user:word@127.0.0.1", "//localhost"];
        let away = away.map(|host| format!("{host}:{port}/moved"));
        let near = [format!("{}/moved", self.url), "/moved".to_owned(), "moved".to_owned(), "?moved".to_owned()];
        away.into_iter().chain(near).collect()
    }

    /// From now on it answers so.
    pub fn point(&self, status: u16, place: &str) {
        *self.now.lock().unwrap() = (status, place.to_owned());
    }

    /// What it was asked since the last look, in the order of the alphabet. Nobody came to the other server meanwhile.
    pub fn asked(&self) -> Vec<String> {
        // The machine takes connections for a listener whether or not it is looked at.
        let came = self.elsewhere.accept().map_err(|why| why.kind());
        assert_eq!(came.map(|(_, from)| from), Err(ErrorKind::WouldBlock), "somebody went elsewhere");
        let mut asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.sort();
        asked
    }
}

async fn stage(redirector: &Redirector) -> Stage {
    let sandbox = Sandbox::start(Options::default(), local().await);
    let info = sandbox.info().clone();
    let settings = [("UPSTREAM_URL", &*redirector.url), ("LOCATION_ID", &info.location_id), ("API_KEY", &info.token)];
    Stage::over(sandbox, &settings, None).await
}

#[tokio::test]
async fn a_redirect_of_the_upstream_is_an_error_and_is_not_followed() {
    let redirector = Redirector::start().await;
    let stage = stage(&redirector).await;
    let path = format!("GET /contacts/{DEMO_CONTACT}");
    let wanted = ["", "/appointments", "/notes", "/tasks"].map(|list| format!("{path}{list}"));
    for place in redirector.places() {
        for status in STATUSES {
            redirector.point(status, &place);
            let answer = stage.ask(PROFILE, json!({ "id": DEMO_CONTACT })).await;
            assert_eq!(errors(&answer), one_error("contact", "UPSTREAM_UNAVAILABLE"), "{status} {place}");
            let error = &answer["errors"][0];
            assert!(error["message"].as_str().unwrap().contains("redirect"), "{error}");
            assert_eq!(error["extensions"]["upstream"]["status"], status);
            assert!(!error.to_string().contains("moved"), "{error}");
            assert_eq!(redirector.asked(), wanted, "{status} {place}");
        }
    }
}

#[tokio::test]
async fn a_change_that_is_answered_with_a_redirect_is_sent_once() {
    let redirector = Redirector::start().await;
    let stage = stage(&redirector).await;
    let create = "mutation M($input: CreateNoteInput!) { createNote(input: $input) { note { id } } }";
    let input = json!({ "input": { "contactId": DEMO_CONTACT, "note": "Once" } });
    let notes = format!("/contacts/{DEMO_CONTACT}/notes");
    for place in redirector.places() {
        for status in STATUSES {
            redirector.point(status, &place);
            let answer = stage.ask(create, input.clone()).await;
            assert_eq!(errors(&answer), one_error("createNote", "UPSTREAM_UNAVAILABLE"), "{status} {place}");
            // A server may well redirect after it has done something, so it is looked whether it has.
            let message = answer["errors"][0]["message"].as_str().unwrap();
            assert!(message.contains("redirect") && message.contains("not known"), "{message}");
            assert_eq!(redirector.asked(), [format!("GET {notes}"), format!("POST {notes}")], "{status} {place}");
        }
    }
}
