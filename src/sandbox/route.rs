//! The table of what can be called. A new endpoint is one row here and one function in `read` (or beside it).

use super::{
    answer::{Answer, Refusal},
    oauth, read,
    server::{Ask, Sent, World},
};
use percent_encoding::percent_decode_str;

/// One endpoint: its key in counters and rules, the scope that it needs, and what answers.
pub(super) struct Route {
    /// Method and path with named segments, for example `GET /contacts/{contactId}`.
    pub template: &'static str,
    pub scope: &'static str,
    pub does: Does,
}

/// What a route does, and so what it needs.
pub(super) enum Does {
    /// The records, for whoever the door lets in.
    Read(fn(&Ask) -> Result<Answer, Refusal>),
    /// The books of grants, which look at credentials in their own way. No limit counts these calls.
    Grants(fn(&World, &Sent) -> Result<Answer, Refusal>),
}

const READ: &str = "contacts.readonly";
const OAUTH: &str = "oauth.write";

/// Fixed segments come before named ones where both would fit.
pub(super) static ROUTES: [Route; 12] = [
    Route { template: "GET /contacts/", scope: READ, does: Does::Read(read::contacts) },
    Route { template: "GET /contacts/business/{businessId}", scope: READ, does: Does::Read(read::of_business) },
    Route { template: "GET /contacts/{contactId}", scope: READ, does: Does::Read(read::contact) },
    Route { template: "GET /contacts/{contactId}/tasks", scope: READ, does: Does::Read(read::tasks) },
    Route { template: "GET /contacts/{contactId}/tasks/{taskId}", scope: READ, does: Does::Read(read::task) },
    Route { template: "GET /contacts/{contactId}/notes", scope: READ, does: Does::Read(read::notes) },
    Route { template: "GET /contacts/{contactId}/notes/{id}", scope: READ, does: Does::Read(read::note) },
    Route { template: "GET /contacts/{contactId}/appointments", scope: READ, does: Does::Read(read::appointments) },
    Route { template: "POST /oauth/token", scope: "", does: Does::Grants(oauth::token) },
    Route { template: "POST /oauth/locationToken", scope: OAUTH, does: Does::Grants(oauth::location_token) },
    Route { template: "POST /oauth/reconnect", scope: "", does: Does::Grants(oauth::reconnect) },
    Route { template: "GET /v2/oauth/chooselocation", scope: "", does: Does::Grants(oauth::choose) },
];

/// Under which key calls are counted that no row of the table fits.
pub(super) const UNMATCHED: &str = "unmatched";

/// What a method and a path lead to.
pub(super) enum Found {
    /// The row's place in the table, and the named segments in their order, decoded.
    Route(usize, Vec<String>),
    /// It would be a route in another casing, which the API answers with 401.
    MisCased,
    Nothing,
}

pub(super) fn find(method: &str, path: &str) -> Found {
    let mut mis_cased = false;
    for (row, route) in ROUTES.iter().enumerate() {
        let Some(template) = route.template.strip_prefix(method).and_then(|t| t.strip_prefix(' ')) else {
            continue;
        };
        match segments(template, path) {
            Some((named, true)) => return Found::Route(row, named),
            Some((_, false)) => mis_cased = true,
            None => {}
        }
    }
    if mis_cased { Found::MisCased } else { Found::Nothing }
}

/// The named segments of a path that fits, and whether it fits in casing too. The path is cut before it is
/// decoded, so that an id with an encoded slash reaches no other route.
fn segments(template: &str, path: &str) -> Option<(Vec<String>, bool)> {
    let (mut named, mut exact) = (Vec::new(), true);
    let mut sent = path.split('/');
    for meant in template.split('/') {
        let segment = sent.next()?;
        if meant.starts_with('{') {
            if segment.is_empty() {
                return None;
            }
            named.push(percent_decode_str(segment).decode_utf8_lossy().into_owned());
        } else if !segment.eq_ignore_ascii_case(meant) {
            return None;
        } else {
            exact &= segment == meant;
        }
    }
    sent.next().is_none().then_some((named, exact))
}

/// Whether rules and holds may name it.
pub(super) fn is_template(text: &str) -> bool {
    ROUTES.iter().any(|route| route.template == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> Option<(&'static str, Vec<String>)> {
        match find("GET", path) {
            Found::Route(row, named) => Some((ROUTES[row].template, named)),
            _ => None,
        }
    }

    #[test]
    fn an_encoded_slash_stays_in_its_segment() {
        let (template, named) = found("/contacts/a%2F..%2Fb%3Fx").unwrap();
        assert_eq!((template, named), ("GET /contacts/{contactId}", vec!["a/../b?x".to_owned()]));
    }

    #[test]
    fn a_path_fits_one_row_or_none() {
        assert_eq!(found("/contacts/").unwrap().0, "GET /contacts/");
        assert_eq!(found("/contacts/business/b1").unwrap().0, "GET /contacts/business/{businessId}");
        assert!(found("/contacts").is_none());
        assert!(found("/contacts/a/").is_none());
        assert!(found("/contacts/a/tasks/t/x").is_none());
        assert!(matches!(find("GET", "/Contacts/a"), Found::MisCased));
        assert!(matches!(find("POST", "/contacts/"), Found::Nothing));
    }
}
