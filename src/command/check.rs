//! `check`: tries the settings on the real upstream, a row for each thing that has to hold.

use std::process::ExitCode;
use std::sync::Arc;

use super::ConfigFile;
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::resources::probe::{self, Seen};
use crate::upstream::{Account, Error, Fault};

/// What to try.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// A contact to read; without one, the location's first
    #[arg(long, value_name = "ID")]
    pub(super) contact: Option<String>,
}

struct Row {
    good: bool,
    what: &'static str,
    seen: String,
}

/// Tries every location; succeeds only when everything holds.
pub async fn run(config: Config, contact: Option<String>) -> anyhow::Result<ExitCode> {
    let app = App::new(&config, Clock::default())?;
    let mut all_good = true;
    if app.accounts().is_empty() {
        println!("Each caller brings an upstream credential: there is none here to try.");
    }
    for account in app.accounts() {
        let name = account.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        println!("Location {}{name} at {}", account.location, config.upstream_url);
        for row in check(&app, account, contact.as_deref()).await {
            let mark = if row.good { '✓' } else { '✗' };
            println!("  {mark} {:11} {}", row.what, row.seen);
            all_good &= row.good;
        }
    }
    Ok(match all_good {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

async fn check(app: &App, account: &Arc<Account>, contact: Option<&str>) -> Vec<Row> {
    let mut rows = vec![Row { good: true, what: "settings", seen: "can be used".to_owned() }];
    let list = probe::list(app.upstream(), account).await;
    let refused = list.as_ref().err().map(|error| (what_failed(error), error.to_string(), mend(error)));
    rows.extend(["upstream", "credential", "scope", "location"].into_iter().scan(true, |go_on, what| {
        // What comes after a failure was not tried.
        let row = match &refused {
            _ if !*go_on => return None,
            Some((failed, error, mend)) if *failed == what => {
                *go_on = false;
                Row { good: false, what, seen: format!("{error}: {mend}") }
            }
            _ => Row { good: true, what, seen: holds(what).to_owned() },
        };
        Some(row)
    }));
    if let Ok(first) = list {
        rows.push(check_contact(app, account, contact.map(str::to_owned).or(first)).await);
        rows.push(limits(account));
    }
    rows
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

fn mend(error: &Error) -> &'static str {
    match error.fault {
        Fault::CallersCredential => "the caller has to bring another credential",
        Fault::Credential => "make a new private integration token for this location and set GATEWAY_API_KEY",
        Fault::Scope(_) => "add the scope contacts.readonly to the private integration",
        Fault::Location => "GATEWAY_LOCATION_ID has to be the location that the token was made for",
        Fault::Timeout => "is the upstream slow, or GATEWAY_UPSTREAM_TIMEOUT too short?",
        Fault::Unavailable => "can GATEWAY_UPSTREAM_URL be reached from here?",
        Fault::BadResponse(_) | Fault::NotFound | Fault::Refused(_) | Fault::Duplicate(_) | Fault::Gateway(_) => {
            "is GATEWAY_UPSTREAM_URL the Contacts API, without the path of a route?"
        }
        Fault::RateLimited(_) => "the limit is used up; try again when its window is over",
    }
}

async fn check_contact(app: &App, account: &Arc<Account>, id: Option<String>) -> Row {
    let what = "contact";
    let Some(id) = id else {
        return Row { good: true, what, seen: "the location has none".to_owned() };
    };
    match probe::contact(app.upstream(), account, &id).await {
        Ok(Seen::Contact(name)) => Row { good: true, what, seen: format!("{id} is {name}") },
        Ok(Seen::None) => Row { good: false, what, seen: format!("there is no contact {id}: is it of this location?") },
        Ok(Seen::NotAnId(why)) => Row { good: false, what, seen: format!("{id:?} {why}") },
        Err(error) => Row { good: false, what, seen: format!("{error}: {}", mend(&error)) },
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
    let good = limits.daily_remaining != Some(0);
    Row { good, what: "limits", seen: format!("left in this window: {now}; today: {today}") }
}
