//! The table of what can be called. A new endpoint is one row here and one function in `read` or `write`.

use super::{
    answer::{Answer, Refusal},
    bulk, oauth, read,
    server::{Ask, Sent},
    world::World,
    write::{self, Change},
};
use percent_encoding::percent_decode_str;

/// One endpoint: its key in counters and rules, the scope that it needs, if any, and what answers.
pub(super) struct Route {
    /// Method and path with named segments, for example `GET /contacts/{contactId}`.
    pub template: &'static str,
    pub scope: &'static str,
    pub does: Does,
}

/// What a route does, and so what it needs and which lock it takes.
pub(super) enum Does {
    /// Looks at the records, for whoever the door lets in.
    Read(fn(&Ask) -> Result<Answer, Refusal>),
    /// Changes them.
    Write(fn(&mut Change) -> Result<Answer, Refusal>),
    /// Asks the books of grants, which look at credentials in their own way. No limit counts these calls.
    Grants(fn(&World, &Sent) -> Result<Answer, Refusal>),
}

const fn read(template: &'static str, answer: fn(&Ask) -> Result<Answer, Refusal>) -> Route {
    Route { template, scope: "contacts.readonly", does: Does::Read(answer) }
}

const fn write(template: &'static str, change: fn(&mut Change) -> Result<Answer, Refusal>) -> Route {
    Route { template, scope: "contacts.write", does: Does::Write(change) }
}

/// No scope is declared for these.
const fn write_of_many(template: &'static str, change: fn(&mut Change) -> Result<Answer, Refusal>) -> Route {
    Route { template, scope: "", does: Does::Write(change) }
}

const fn grants(
    template: &'static str,
    scope: &'static str,
    answer: fn(&World, &Sent) -> Result<Answer, Refusal>,
) -> Route {
    Route { template, scope, does: Does::Grants(answer) }
}

/// Fixed segments come before named ones where both would fit.
pub(super) static ROUTES: [Route; 38] = [
    read("GET /contacts/", read::contacts),
    read("GET /contacts/business/{businessId}", read::of_business),
    read("GET /contacts/search/duplicate", read::duplicate),
    read("GET /contacts/{contactId}", read::contact),
    read("GET /contacts/{contactId}/tasks", read::tasks),
    read("GET /contacts/{contactId}/tasks/{taskId}", read::task),
    read("GET /contacts/{contactId}/notes", read::notes),
    read("GET /contacts/{contactId}/notes/{id}", read::note),
    read("GET /contacts/{contactId}/appointments", read::appointments),
    read("POST /contacts/search", bulk::contacts),
    Route {
        template: "POST /locations/{locationId}/tasks/search",
        scope: "locations/tasks.readonly",
        does: Does::Read(bulk::tasks),
    },
    Route { template: "GET /calendars/events", scope: "calendars/events.readonly", does: Does::Read(bulk::events) },
    write("POST /contacts/", write::create),
    write("POST /contacts/upsert", write::upsert),
    write("PUT /contacts/{contactId}", write::update),
    write("DELETE /contacts/{contactId}", write::delete),
    write("POST /contacts/{contactId}/tags", write::add_tags),
    write("DELETE /contacts/{contactId}/tags", write::remove_tags),
    write("POST /contacts/{contactId}/tasks", write::create_task),
    write("PUT /contacts/{contactId}/tasks/{taskId}", write::update_task),
    write("PUT /contacts/{contactId}/tasks/{taskId}/completed", write::complete_task),
    write("DELETE /contacts/{contactId}/tasks/{taskId}", write::delete_task),
    write("POST /contacts/{contactId}/notes", write::create_note),
    write("PUT /contacts/{contactId}/notes/{id}", write::update_note),
    write("DELETE /contacts/{contactId}/notes/{id}", write::delete_note),
    write("POST /contacts/{contactId}/followers", write::add_followers),
    write("DELETE /contacts/{contactId}/followers", write::remove_followers),
    write("POST /contacts/{contactId}/campaigns/{campaignId}", write::start_campaign),
    write("DELETE /contacts/{contactId}/campaigns/removeAll", write::end_campaign),
    write("DELETE /contacts/{contactId}/campaigns/{campaignId}", write::end_campaign),
    write("POST /contacts/{contactId}/workflow/{workflowId}", write::workflow),
    write("DELETE /contacts/{contactId}/workflow/{workflowId}", write::workflow),
    write_of_many("POST /contacts/bulk/tags/update/{type}", write::edit_tags_of_many),
    write_of_many("POST /contacts/bulk/business", write::set_business),
    grants("POST /oauth/token", "", oauth::token),
    grants("POST /oauth/locationToken", "oauth.write", oauth::location_token),
    grants("POST /oauth/reconnect", "", oauth::reconnect),
    grants("GET /v2/oauth/chooselocation", "", oauth::choose),
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
        assert!(matches!(find("PATCH", "/contacts/"), Found::Nothing));
    }
}
