//! `automations check`: a dry run, which tells what a file of automations would do because of an event.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use jiff::Timestamp;

use super::progress::waiting;
use super::{ConfigFile, USAGE, print, print_json};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Event;
use crate::events::automation::{self, Rehearsed, Rules};

/// What to do with automations.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Tells what a file of automations would do because of an event, and does nothing of it
    #[command(after_help = "Example:
  contacts-gateway automations check automations.toml --event event.json")]
    Check(Options),
}

/// What to check.
#[derive(clap::Args)]
pub struct Options {
    /// The file of automations
    file: PathBuf,
    /// A file with an event, as the upstream sends it
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
    /// Print JSON: of each `automation` what it `would` (run, skip, retry or wait), `why`, and its `actions`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// Tells everything that is wrong with a file of automations; `None`: it can be used.
pub fn problems(config: &Config) -> Option<Vec<String>> {
    let problems = Rules::read(&config.automations.as_ref()?.text).err()?;
    Some(problems.iter().map(ToString::to_string).collect())
}

/// Ends with 64 where the files or the settings cannot be used, and with 0 whatever would be done.
pub async fn run(Command::Check(options): Command) -> anyhow::Result<ExitCode> {
    let wrong = |lines: &[String]| {
        lines.iter().for_each(|line| eprintln!("{line}"));
        Ok(ExitCode::from(USAGE))
    };
    let read = |path: &PathBuf| {
        std::fs::read_to_string(path).map_err(|why| format!("{} cannot be read: {why}", path.display()))
    };
    let (text, told) = match (read(&options.file), read(&options.event)) {
        (Ok(text), Ok(told)) => (text, told),
        (text, told) => return wrong(&[text.err(), told.err()].into_iter().flatten().collect::<Vec<_>>()),
    };
    let rules = match Rules::read(&text) {
        Ok(rules) => rules,
        Err(problems) => return wrong(&problems.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let event = match Event::read(told.as_bytes()) {
        Ok(event) => event,
        Err(why) => return wrong(&[format!("{}: {why}", options.event.display())]),
    };
    let clock = Clock::default();
    let now = Timestamp::try_from(clock.wall()).context("this machine's clock tells no time")?;
    if !automation::reads(&rules, &event) {
        return tell(&automation::rehearse(&rules, &event, None, now).await, options.json);
    }
    // A contact is read as the gateway would read it; nothing else of the settings matters.
    let config = match options.config.settle() {
        Ok(config) => Config { automations: None, webhooks: Default::default(), ..config },
        Err(code) => return Ok(code),
    };
    let app = App::new(&config, clock)?;
    let location = event.location.as_deref().unwrap_or_default();
    let Some(account) = app.accounts().iter().find(|account| *account.location == *location) else {
        return wrong(&[format!("the event is of the location `{location}`, which the settings do not name")]);
    };
    let schema = app.schema();
    let work = automation::rehearse(&rules, &event, Some((&schema, account)), now);
    tell(&waiting("Reading what they need ...", work).await, options.json)
}

fn tell(told: &[Rehearsed], json: bool) -> anyhow::Result<ExitCode> {
    if json {
        return print_json(&told);
    }
    if told.is_empty() {
        return Ok(print("There are no automations.\n"));
    }
    Ok(print(&told.iter().map(|one| format!("{one}\n")).collect::<String>()))
}
