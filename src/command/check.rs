//! `check`: tries the settings on the real upstream, a row for each thing that has to hold.

use std::process::ExitCode;
use std::sync::Arc;

use clap::builder::styling::AnsiColor::{Green, Red, Yellow};
use jiff::Timestamp;
use serde::Serialize;

use super::progress::waiting;
use super::{ConfigFile, print, print_json};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::resources::probe::{self, Seen};
use crate::upstream::{Account, Error, Fault, Trouble};

/// What to try.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// A contact to read; without one, the location's first
    #[arg(long, value_name = "ID")]
    contact: Option<String>,
    /// Fail where contacts.write is not granted
    #[arg(long)]
    write: bool,
    /// Print JSON: whether it all `holds`, and the `checks` of each location, whose `result` is holds, fails or told
    #[arg(long)]
    json: bool,
}

/// Whether what a row is about holds.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Mark {
    Holds,
    Fails,
    /// It does not hold, and nobody said that it has to.
    Told,
}

#[derive(Serialize)]
struct Row {
    #[serde(rename = "result")]
    mark: Mark,
    what: &'static str,
    seen: String,
}

impl Row {
    fn holds(what: &'static str, seen: impl Into<String>) -> Self {
        Self { mark: Mark::Holds, what, seen: seen.into() }
    }

    fn fails(what: &'static str, seen: impl Into<String>) -> Self {
        Self { mark: Mark::Fails, what, seen: seen.into() }
    }
}

/// What was found at one location.
#[derive(Serialize)]
struct Place {
    location: Box<str>,
    name: Option<Box<str>>,
    checks: Vec<Row>,
}

#[derive(Serialize)]
struct Told {
    holds: bool,
    upstream: String,
    locations: Vec<Place>,
}

/// What the row of a contact is called.
const CONTACT: &str = "contact";

/// Most that this machine's clock may differ from the upstream's: tokens and signed events go by it.
const MOST_SKEW: i64 = 60;

/// Tries every location; succeeds only when everything holds.
pub async fn run(config: Config, options: Options) -> anyhow::Result<ExitCode> {
    let clock = Clock::default();
    // Events are for who serves, and their journal may be in use.
    let config = Config { automations: None, webhooks: Default::default(), ..config };
    let app = App::new(&config, clock.clone())?;
    let mut told = Told { holds: true, upstream: config.upstream_url.to_string(), locations: Vec::new() };
    if app.accounts().is_empty() && !options.json {
        print("Each caller brings an upstream credential: there is none here to try.\n");
    }
    for account in app.accounts() {
        let work = check(&app, account, options.contact.as_deref(), options.write, &clock);
        let checks = waiting(&format!("Trying location {} ...", account.location), work).await;
        let name = account.name.as_deref().map(Into::into);
        told.locations.push(Place { location: (&*account.location).into(), name, checks });
    }
    if options.contact.is_some() {
        look_in_one(&mut told.locations);
    }
    told.holds = told.locations.iter().flat_map(|place| &place.checks).all(|row| row.mark != Mark::Fails);
    match options.json {
        true => print_json(&told).map(drop)?,
        false => told.locations.iter().for_each(|place| _ = print(&table(place, &told.upstream))),
    }
    Ok(match told.holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// A contact is of one location: where it was found in one, the others need not have it.
fn look_in_one(places: &mut [Place]) {
    let has = |place: &Place| place.checks.iter().any(|row| row.what == CONTACT && row.mark == Mark::Holds);
    let Some(home) = places.iter().find(|place| has(place)).map(|place| place.location.clone()) else { return };
    let rows = places.iter_mut().flat_map(|place| &mut place.checks);
    for row in rows.filter(|row| row.what == CONTACT && row.mark == Mark::Fails) {
        (row.mark, row.seen) = (Mark::Told, format!("the contact is of location {home}"));
    }
}

fn table(place: &Place, upstream: &str) -> String {
    let name = place.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
    let mut text = format!("Location {}{name} at {upstream}\n", place.location);
    for Row { mark, what, seen } in &place.checks {
        let (mark, colour) = match mark {
            Mark::Holds => ('✓', Green),
            Mark::Fails => ('✗', Red),
            Mark::Told => ('–', Yellow),
        };
        let style = colour.on_default();
        text += &format!("  {style}{mark}{style:#} {what:11} {seen}\n");
    }
    text
}

async fn check(app: &App, account: &Arc<Account>, contact: Option<&str>, write: bool, clock: &Clock) -> Vec<Row> {
    let mut rows = vec![Row::holds("settings", "can be used")];
    let list = probe::list(&app.upstream(), account).await;
    let failed = list.as_ref().err().map(what_failed);
    for what in ["upstream", "credential", "scope", "location"] {
        match &list {
            Err(error) if failed == Some(what) => {
                rows.push(Row::fails(what, format!("{}: {}", why(error, account), mend(error, account))));
                break; // What comes after a failure was not tried.
            }
            _ => rows.push(Row::holds(what, holds(what))),
        }
    }
    if matches!(failed, Some("upstream" | "credential")) {
        return rows;
    }
    let (may_write, date) = app.upstream().try_write(account).await;
    rows.push(write_scope(may_write, account, write));
    if let Ok(first) = list {
        rows.push(check_contact(app, account, contact.map(str::to_owned).or(first)).await);
    }
    rows.push(limits(account));
    rows.push(skew(date, clock));
    rows
}

fn write_scope(may_write: Result<bool, Error>, account: &Account, needed: bool) -> Row {
    let mark = if needed { Mark::Fails } else { Mark::Told };
    let seen = match may_write {
        Ok(true) => return Row::holds("scope", "contacts.write is granted"),
        Ok(false) => {
            let mend = match account.credential.oauth() {
                Some(_) => "have it in GATEWAY_OAUTH_SCOPES and open /oauth/install",
                None => "add it to the private integration",
            };
            format!("contacts.write is not granted, so mutations are refused; to have them, {mend}")
        }
        Err(error) => format!("whether contacts.write is granted was not told: {error}"),
    };
    Row { mark, what: "scope", seen }
}

fn skew(date: Option<Timestamp>, clock: &Clock) -> Row {
    let now = Timestamp::try_from(clock.wall()).ok();
    let Some((date, now)) = date.zip(now) else {
        return Row { mark: Mark::Told, what: "clock", seen: "the upstream does not tell the time".to_owned() };
    };
    let ahead = now.as_second() - date.as_second();
    match ahead.abs() {
        0..=2 => Row::holds("clock", "is the upstream's"),
        seconds if seconds <= MOST_SKEW => Row::holds("clock", format!("{seconds} s from the upstream's")),
        seconds => {
            let where_to = if ahead > 0 { "ahead of" } else { "behind" };
            Row::fails("clock", format!("{seconds} s {where_to} the upstream's: set this machine's clock, as by NTP"))
        }
    }
}

/// What failed, as far as the gateway knows more of it than the upstream said.
fn why(error: &Error, account: &Account) -> String {
    trouble(error, account).map_or_else(|| error.to_string(), |trouble| trouble.to_string())
}

/// The trouble that is behind a failure.
fn trouble(error: &Error, account: &Account) -> Option<Trouble> {
    account.credential.trouble().filter(|_| matches!(error.fault, Fault::Credential | Fault::Location))
}

fn what_failed(error: &Error) -> &'static str {
    match error.fault {
        Fault::Credential => "credential",
        Fault::Scope(_) => "scope",
        Fault::Location => "location",
        _ => "upstream",
    }
}

fn holds(what: &str) -> &'static str {
    match what {
        "upstream" => "answers",
        "credential" => "is accepted",
        "scope" => "contacts.readonly is granted",
        _ => "its contacts can be listed",
    }
}

fn mend(error: &Error, account: &Account) -> &'static str {
    if let Some(trouble) = trouble(error, account) {
        return trouble.mend();
    }
    let oauth = account.credential.oauth().is_some();
    match error.fault {
        Fault::CallersCredential => "the caller has to bring another credential",
        Fault::Credential if oauth => Trouble::Lost.mend(),
        Fault::Scope(_) if oauth => "have contacts.readonly in GATEWAY_OAUTH_SCOPES and open /oauth/install",
        Fault::Location if oauth => Trouble::OtherLocation.mend(),
        Fault::Credential => "make a new private integration token for this location and set GATEWAY_API_KEY",
        Fault::Scope(_) => "add the scope contacts.readonly to the private integration",
        Fault::Location => "GATEWAY_LOCATION_ID has to be the location that the token was made for",
        Fault::Timeout => "is the upstream slow, or GATEWAY_UPSTREAM_TIMEOUT too short?",
        Fault::Unavailable => "can GATEWAY_UPSTREAM_URL be reached from here?",
        // In words that are not known; they stand before this.
        Fault::Gateway(_) if error.status == Some(401) => {
            "if the upstream means the credential, set another; if not, is GATEWAY_UPSTREAM_URL the Contacts API?"
        }
        Fault::Redirect => "set GATEWAY_UPSTREAM_URL to the address that the upstream answers at without a redirect",
        Fault::BadResponse(_) | Fault::NotFound | Fault::Refused(_) | Fault::Duplicate(_) | Fault::Gateway(_) => {
            "is GATEWAY_UPSTREAM_URL the Contacts API, without the path of a route?"
        }
        Fault::RateLimited(_) => "the limit is used up; try again when its window is over",
    }
}

async fn check_contact(app: &App, account: &Arc<Account>, id: Option<String>) -> Row {
    let what = CONTACT;
    let Some(id) = id else {
        return Row::holds(what, "the location has none");
    };
    match probe::contact(&app.upstream(), account, &id).await {
        Ok(Seen::Contact(name)) => Row::holds(what, format!("{id} is {name}")),
        Ok(Seen::None) => Row::fails(what, format!("there is no contact {id}: is it of this location?")),
        Ok(Seen::NotAnId(why)) => Row::fails(what, format!("{id:?} {why}")),
        Err(error) => Row::fails(what, format!("{error}: {}", mend(&error, account))),
    }
}

fn limits(account: &Account) -> Row {
    let limits = account.limits();
    let of = |left: Option<u32>, most: Option<u32>| match (left, most) {
        (Some(left), Some(most)) => format!("{left} of {most}"),
        (Some(left), None) => left.to_string(),
        _ => "not told".to_owned(),
    };
    let now = of(limits.remaining, limits.max);
    let today = of(limits.daily_remaining, limits.daily_max);
    let seen = format!("left in this window: {now}; today: {today}");
    match limits.daily_remaining {
        Some(0) => Row::fails("limits", format!("{seen}: nothing is left until the day's limit starts anew")),
        _ => Row::holds("limits", seen),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::upstream::Allowance;

    #[test]
    fn clocks_may_differ_by_a_minute() {
        let now = Timestamp::try_from(Clock::default().wall()).expect("a time");
        let ahead = |seconds| {
            let clock = Clock::default();
            clock.advance(Duration::from_secs(seconds));
            skew(Some(now), &clock)
        };
        assert!(ahead(0).mark == Mark::Holds && ahead(50).mark == Mark::Holds);
        let row = ahead(3600);
        assert!(row.mark == Mark::Fails && row.seen.contains("ahead of"), "{}", row.seen);
        let later = now + Duration::from_secs(7200);
        assert!(skew(Some(later), &Clock::default()).seen.contains("behind"));
        assert!(skew(None, &Clock::default()).mark == Mark::Told);
    }

    #[test]
    fn a_scope_that_is_not_granted_fails_where_it_is_needed() {
        let account = Account::new("L", None, jiff::tz::TimeZone::UTC, "t".into(), Allowance::default());
        let mark = |may, needed| write_scope(Ok(may), &account, needed).mark;
        assert!(mark(true, true) == Mark::Holds && mark(true, false) == Mark::Holds);
        assert!(mark(false, false) == Mark::Told && mark(false, true) == Mark::Fails);
    }
}
