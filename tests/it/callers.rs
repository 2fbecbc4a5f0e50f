//! Who may ask: keys, tokens, and callers' own credentials, and what each of them opens.

mod issuer;
mod jwt;
mod keys;
mod new_key;
mod passthrough;
mod scopes;
mod secrets;

use contacts_gateway::sandbox::{Options, Sandbox};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::support::*;

pub const NAME: &str = "query N($id: ID!) { contact(id: $id) { locationId name email } }";
pub const WHO: &str = "{ gateway { scopes location { id } } }";

/// A sandbox of several locations, and a settings file that names them.
pub async fn several(locations: usize) -> (Sandbox, Vec<String>, tempfile::NamedTempFile) {
    let sandbox = Sandbox::start(Options { locations, contacts: 20, ..Options::default() }, local().await);
    let file = tempfile::NamedTempFile::new().expect("a file");
    let rows =
        sandbox.info().locations.iter().map(|location| {
            format!("[[location]]\nid = \"{}\"\napi_key = \"{}\"\n", location.location_id, location.token)
        });
    std::fs::write(file.path(), rows.collect::<String>()).expect("a file that can be written");
    let ids = sandbox.info().locations.iter().map(|location| location.location_id.clone()).collect();
    (sandbox, ids, file)
}

/// A row of a keys file.
pub fn row(key: &str, scopes: &[&str], locations: Option<&[&str]>, more: &str) -> String {
    let digest: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    let locations = locations.map(|ids| format!("locations = {ids:?}\n")).unwrap_or_default();
    format!("[[key]]\nname = \"of a test\"\nsha256 = \"{digest}\"\nscopes = {scopes:?}\n{locations}{more}\n")
}

pub const READ: &str = "contacts.readonly";
pub const WRITE: &str = "contacts.write";

/// The HTTP status, the code of the one error, and the number of upstream calls of a refusal.
pub fn refusal(stage: &Stage, (status, answer): &(u16, Value)) -> (u16, String, usize) {
    let codes = errors(answer);
    assert_eq!(codes.len(), 1, "{answer}");
    assert_eq!(answer.get("data").filter(|data| !data.is_null()), None, "{answer}");
    (*status, codes[0].1.clone(), stage.calls().values().sum())
}

pub fn refused(status: u16, code: &str) -> (u16, String, usize) {
    (status, code.to_owned(), 0)
}
