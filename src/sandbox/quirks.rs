//! Where the API's description and its behaviour differ, or nobody knows: one switch for each.

use std::str::FromStr;

/// All switches off is the API as it was seen live; a switch turns one behaviour to the other known form.
/// Read from names separated by commas, for example `message-errors,rfc3339-times`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks {
    /// `message-errors`: every refusal is spelled `{statusCode, message}`.
    pub message_errors: bool,
    /// `status-errors`: every refusal is spelled `{error, status}`.
    pub status_errors: bool,
    /// `missing-404`: an unknown contact, task or note is 404 instead of 400.
    pub missing_404: bool,
    /// `plain-rows`: list rows have names in display casing and no `Raw` fields.
    pub plain_rows: bool,
    /// `row-timezone`: list rows have the contact's time zone.
    pub row_timezone: bool,
    /// `short-rows`: list rows have only the declared fields: no name, phone or company.
    pub short_rows: bool,
    /// `missing-fields`: single objects and the items of nested lists come without most optional fields.
    pub missing_fields: bool,
    /// `no-name`: a contact by id comes without `name`.
    pub no_name: bool,
    /// `rfc3339-times`: appointment times name their offset.
    pub rfc3339_times: bool,
    /// `underscore-ids`: a task's id is `_id`.
    pub underscore_ids: bool,
    /// `no-last-cursor`: the last page of contacts has no cursor.
    pub no_last_cursor: bool,
    /// `no-totals`: `meta` has no `total`.
    pub no_totals: bool,
    /// `no-meta`: the list of contacts is `{contacts, count}`, as declared; only rows have cursors.
    pub no_meta: bool,
    /// `business-count`: contacts of a business come with `count`.
    pub business_count: bool,
    /// `no-rate-headers`: limits hold, but no header tells them.
    pub no_rate_headers: bool,
    /// `no-reconnect`: an app that lost its tokens gets no new code.
    pub no_reconnect: bool,
    /// `lower-tags`: tags are kept in lower case, however they are written.
    pub lower_tags: bool,
    /// `duplicates-allowed`: the location's settings allow two contacts with one mail or phone.
    pub duplicates_allowed: bool,
    /// `short-task-pages`: a search for tasks gives 25 at once, however many are asked for.
    pub short_task_pages: bool,
    /// `no-id-filter`: a search for contacts cannot be filtered by their ids.
    pub no_id_filter: bool,
    /// `lower-search-names`: a search for contacts tells names in lower case alone.
    pub lower_search_names: bool,
    /// `bare-task-events`: the event of a new task has neither its contact nor its body, as one saw it live.
    pub bare_task_events: bool,
    /// `appointment-create-events`: every event of an appointment calls itself one of a new appointment.
    pub appointment_create_events: bool,
    /// `wrapped-events`: events have what they tell under `data`.
    pub wrapped_events: bool,
    /// `doubled-events`: every event is sent twice.
    pub doubled_events: bool,
}

impl Quirks {
    /// The names that can be read.
    pub const NAMES: [&str; 25] = [
        "message-errors",
        "status-errors",
        "missing-404",
        "plain-rows",
        "row-timezone",
        "short-rows",
        "missing-fields",
        "no-name",
        "rfc3339-times",
        "underscore-ids",
        "no-last-cursor",
        "no-totals",
        "no-meta",
        "business-count",
        "no-rate-headers",
        "no-reconnect",
        "lower-tags",
        "duplicates-allowed",
        "short-task-pages",
        "no-id-filter",
        "lower-search-names",
        "bare-task-events",
        "appointment-create-events",
        "wrapped-events",
        "doubled-events",
    ];

    fn switch(&mut self, name: &str) -> Option<&mut bool> {
        Some(match name {
            "message-errors" => &mut self.message_errors,
            "status-errors" => &mut self.status_errors,
            "missing-404" => &mut self.missing_404,
            "plain-rows" => &mut self.plain_rows,
            "row-timezone" => &mut self.row_timezone,
            "short-rows" => &mut self.short_rows,
            "missing-fields" => &mut self.missing_fields,
            "no-name" => &mut self.no_name,
            "rfc3339-times" => &mut self.rfc3339_times,
            "underscore-ids" => &mut self.underscore_ids,
            "no-last-cursor" => &mut self.no_last_cursor,
            "no-totals" => &mut self.no_totals,
            "no-meta" => &mut self.no_meta,
            "business-count" => &mut self.business_count,
            "no-rate-headers" => &mut self.no_rate_headers,
            "no-reconnect" => &mut self.no_reconnect,
            "lower-tags" => &mut self.lower_tags,
            "duplicates-allowed" => &mut self.duplicates_allowed,
            "short-task-pages" => &mut self.short_task_pages,
            "no-id-filter" => &mut self.no_id_filter,
            "lower-search-names" => &mut self.lower_search_names,
            "bare-task-events" => &mut self.bare_task_events,
            "appointment-create-events" => &mut self.appointment_create_events,
            "wrapped-events" => &mut self.wrapped_events,
            "doubled-events" => &mut self.doubled_events,
            _ => return None,
        })
    }
}

impl FromStr for Quirks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut quirks = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let switch = quirks
                .switch(name)
                .ok_or_else(|| format!("`{name}` is no quirk; there are {}", Self::NAMES.join(", ")))?;
            *switch = true;
        }
        if quirks.message_errors && quirks.status_errors {
            return Err("message-errors and status-errors exclude each other".into());
        }
        Ok(quirks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_turns_its_own_switch() {
        let mut seen = vec![Quirks::default()];
        for name in Quirks::NAMES {
            let quirks: Quirks = name.parse().unwrap();
            assert!(!seen.contains(&quirks), "{name} turns a switch of another name");
            seen.push(quirks);
        }
    }
}
