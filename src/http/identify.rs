//! Headers to a caller: who asks, and for which location.

use axum::http::HeaderMap;

use crate::app::App;
use crate::caller::Caller;
use crate::graph::error::brief;
use crate::graph::{Code, Error};

const LOCATION: &str = "x-location-id";

/// The caller of a request, or why there is none, with the HTTP status that fits.
pub fn identify(app: &App, headers: &HeaderMap) -> Result<Caller, (u16, Error)> {
    let bad = |message: String| (400, Error::bad_input(message));
    let mut named = headers.get_all(LOCATION).iter();
    let name = named.next();
    if named.next().is_some() {
        return Err(bad(format!("The header {LOCATION} was sent more than once.")));
    }
    let account = match (name, app.accounts()) {
        (None, [only]) => only,
        (None, several) => {
            let ids: Vec<&str> = several.iter().map(|account| &*account.location).collect();
            let ids = ids.join(", ");
            return Err(bad(format!("Name a location with the header {LOCATION}. There are: {ids}.")));
        }
        (Some(name), accounts) => {
            let name = name.as_bytes();
            let found = accounts.iter().find(|account| account.location.as_bytes() == name);
            found.ok_or_else(|| {
                let name = brief(&String::from_utf8_lossy(name));
                (403, Error::new(Code::Forbidden, format!("There is no location `{name}` for this caller.")))
            })?
        }
    };
    Ok(Caller { account: account.clone(), scopes: app.open_scopes() })
}
