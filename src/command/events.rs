//! `events`: the journal of events, for people.

use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::ConfigFile;
use crate::events::admin::{Answer, Ask, Told, ask};
use crate::events::automation::Followed;

/// What can be done with the journal.
#[derive(Subcommand)]
pub enum Command {
    /// Lists the last events, the newest first
    #[command(after_help = "Example:
  contacts-gateway events list --limit 20 --json")]
    List(List),
    /// Lists those that failed as often as they are tried
    #[command(after_help = "Example:
  contacts-gateway events dead")]
    Dead(List),
    /// Shows one event, and what automations made of it
    #[command(after_help = "Example:
  contacts-gateway events show 17")]
    Show(One),
    /// Handles an event again; what was done because of it already is not done again
    #[command(after_help = "Example:
  contacts-gateway events replay 17")]
    Replay(One),
}

/// What is listed, and how.
#[derive(Args)]
pub struct List {
    /// Most events
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// Which event, and how it is told.
#[derive(Args)]
pub struct One {
    /// Which event, as `events list` has it
    id: u64,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    file: ConfigFile,
}

/// Runs the command.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List(list) => print(&list, Ask::Last { most: list.limit }).await,
        Command::Dead(list) => print(&list, Ask::Dead { most: list.limit }).await,
        Command::Show(shown) => show(&shown).await,
        Command::Replay(replayed) => replay(&replayed).await,
    }
}

async fn print(list: &List, what: Ask) -> anyhow::Result<ExitCode> {
    let dir = state_dir(&list.file);
    let answer = asked(&dir, what).await?;
    let entries = answer.map(|answer| answer.entries).unwrap_or_default();
    if list.json {
        return super::print_json(&entries);
    }
    if entries.is_empty() {
        eprintln!("There are none in the journal of {dir}.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(super::print(&table(&entries)))
}

async fn show(One { id, json, file }: &One) -> anyhow::Result<ExitCode> {
    let dir = state_dir(file);
    let answer = asked(&dir, Ask::Show { id: *id }).await?;
    let Some(told) = answer.and_then(|answer| answer.entries.into_iter().next()) else {
        anyhow::bail!("There is no event {id} in the journal of {dir}; `events list` has those that there are.");
    };
    if *json {
        return super::print_json(&told);
    }
    let mut text = table(std::slice::from_ref(&told));
    for Followed { automation, skipped, steps } in &told.automations {
        text += &format!("\n{}\n", plain(automation));
        if let Some(why) = skipped {
            text += &format!("  skipped: {}\n", plain(why));
        }
        for step in steps {
            let outcome = step.outcome.as_deref().unwrap_or("not known yet");
            text += &format!("  {:<15} {}\n", step.action, plain(outcome));
        }
    }
    Ok(super::print(&text))
}

async fn replay(One { id, json, file }: &One) -> anyhow::Result<ExitCode> {
    let dir = state_dir(file);
    let answer = asked(&dir, Ask::Replay { id: *id }).await?;
    let Some(Answer { entries, is_running }) = answer.filter(|answer| !answer.entries.is_empty()) else {
        anyhow::bail!("There is no event {id} in the journal of {dir}; `events list` has those that there are.");
    };
    if *json {
        return super::print_json(&entries);
    }
    let when = if is_running { "now" } else { "when the gateway is started" };
    let kind = entries.first().map(|told| plain(&told.entry.kind)).unwrap_or_default();
    Ok(super::print(&format!(
        "Event {id} ({kind}) is handled again {when}. What was done because of it is not done again.\n"
    )))
}

async fn asked(dir: &str, what: Ask) -> anyhow::Result<Option<Answer>> {
    super::progress::waiting("Asking the gateway ...", ask(Path::new(dir), what)).await
}

/// Only this of the settings is needed, and the others may be wrong.
fn state_dir(file: &ConfigFile) -> String {
    let settings = file.load().in_force;
    let found = settings.into_iter().find(|setting| setting.name == "GATEWAY_STATE_DIR");
    found.map(|setting| setting.value).unwrap_or_default()
}

fn table(entries: &[Told]) -> String {
    let mut text =
        format!("{:>7}  {:<18} {:<24} {:<20} {:<8} {:>5}  WHY\n", "ID", "TYPE", "CONTACT", "ARRIVED", "STATE", "TRIES");
    for Told { entry, .. } in entries {
        let kind = if entry.kind.is_empty() { "(unreadable)".to_owned() } else { plain(&entry.kind) };
        let contact = entry.contact_id.as_deref().map_or("-".to_owned(), plain);
        let why = entry.why.as_deref().map(plain).unwrap_or_default();
        let (id, arrived, state, tries) = (entry.id, entry.arrived, entry.state, entry.tries);
        // Writing to a text does not fail.
        let _ = writeln!(text, "{id:>7}  {kind:<18} {contact:<24} {arrived:<20.0} {state:<8} {tries:>5}  {why}");
    }
    text
}

/// What others wrote, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
