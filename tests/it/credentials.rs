//! What opens a location upstream: renewed once for all, never lost by a crash where that can be helped, never told.

mod company;
mod crash;
mod files;
pub mod install;
mod renewal;
mod scopes;
mod secrets;
pub mod served;
mod trouble;

use contacts_gateway::sandbox::{OAuthInfo, Options, Sandbox};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::*;

const TOKEN: &str = "POST /oauth/token";
const LOCATION_TOKEN: &str = "POST /oauth/locationToken";
const RECONNECT: &str = "POST /oauth/reconnect";
const REDIRECT: &str = "https://gateway.test/oauth/callback";

const NAME: &str = "query Name($id: ID!) { contact(id: $id) { id name } }";

async fn sandbox(quirks: &str) -> Sandbox {
    let quirks = quirks.parse().expect("names of quirks");
    let rate_limit = soon_over();
    let options = Options { oauth: true, locations: 2, contacts: 60, quirks, rate_limit, ..Options::default() };
    Sandbox::start(options, local().await)
}

fn app(sandbox: &Sandbox) -> OAuthInfo {
    sandbox.info().oauth.clone().expect("a sandbox with OAuth")
}

/// The settings of a grant for the sandbox's first location.
fn granted(sandbox: &Sandbox, state: &TempDir) -> Vec<(&'static str, String)> {
    let app = app(sandbox);
    vec![
        ("LOCATION_ID", sandbox.info().location_id.clone()),
        ("OAUTH_CLIENT_ID", app.client_id),
        ("OAUTH_CLIENT_SECRET", app.client_secret),
        ("OAUTH_REFRESH_TOKEN", app.refresh_token),
        ("OAUTH_REDIRECT_URL", REDIRECT.into()),
        ("OAUTH_AUTHORIZE_URL", format!("{}/v2/oauth/chooselocation", sandbox.url())),
        ("STATE_DIR", state.path().display().to_string()),
    ]
}

async fn over(sandbox: Sandbox, settings: &[(&'static str, String)]) -> Stage {
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Stage::over(sandbox, &settings, None).await
}

/// A gateway that was granted access, and its state directory.
async fn stage(quirks: &str) -> (Stage, TempDir) {
    let state = tempfile::tempdir().expect("a directory");
    let sandbox = sandbox(quirks).await;
    let settings = granted(&sandbox, &state);
    (over(sandbox, &settings).await, state)
}

/// The same, with one contact read by the token that it has.
async fn warm_stage(quirks: &str) -> (Stage, TempDir) {
    let (stage, state) = stage(quirks).await;
    name(&stage, 0).await;
    assert_eq!(calls(&stage), [1, 0, 1]);
    (stage, state)
}

/// Reads a contact that was not read before: `n` is its place in the list.
async fn ask_name(stage: &Stage, n: usize) -> Value {
    stage.ask(NAME, json!({ "id": stage.ids()[n] })).await
}

async fn name(stage: &Stage, n: usize) -> Value {
    stage.data(NAME, json!({ "id": stage.ids()[n] })).await
}

/// Calls for a token, for a location's token, for a contact, since the last look.
fn calls(stage: &Stage) -> [usize; 3] {
    let calls = stage.calls();
    [TOKEN, LOCATION_TOKEN, CONTACT].map(|route| calls.get(route).copied().unwrap_or(0))
}

async fn ready(stage: &Stage) -> u16 {
    stage.get("/health/ready").send().await.expect("an answer").status().as_u16()
}

/// One error, as a refused credential is answered.
fn is_refused(answer: &Value) -> bool {
    errors(answer) == one_error("contact", "UPSTREAM_UNAVAILABLE")
        && answer["errors"][0]["extensions"]["upstream"]["status"] == 401
}

const CREATE_NOTE: &str = "POST /contacts/{contactId}/notes";

async fn note(stage: &Stage) -> Value {
    let query = "mutation M($input: CreateNoteInput!) { createNote(input: $input) { note { note } } }";
    stage.ask(query, json!({ "input": { "contactId": stage.ids()[0], "note": "Once" } })).await
}

/// How often the note was sent, and how often the upstream has it.
fn noted(stage: &Stage) -> (usize, usize) {
    let record = stage.sandbox.record(&stage.sandbox.info().location_id, &stage.ids()[0]);
    (stage.sandbox.count(CREATE_NOTE), record.notes.iter().filter(|note| note["body"] == "Once").count())
}
