//! `key new`: a key for a caller, and the row of the keys file that lets it in.

use std::process::ExitCode;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::{Args, Subcommand};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::config::keys::SCOPES;

/// What can be done with keys.
#[derive(Subcommand)]
pub enum Command {
    /// Makes a key and prints it, with the row of the keys file that lets it in; it is kept nowhere
    #[command(after_help = "Examples:
  contacts-gateway key new --name dashboard
  contacts-gateway key new --name crm-sync --scopes contacts.readonly,contacts.write --expires 90d --json")]
    New(New),
}

/// The key to make.
#[derive(Args)]
pub struct New {
    /// Who gets it
    #[arg(long)]
    name: String,
    /// What it allows, separated by commas: contacts.readonly, contacts.write
    #[arg(long, value_delimiter = ',', default_value = SCOPES[0], value_parser = SCOPES)]
    scopes: Vec<String>,
    /// Ids of the locations that it opens, separated by commas; left out: all
    #[arg(long, value_delimiter = ',', value_parser = clap::builder::NonEmptyStringValueParser::new())]
    locations: Vec<String>,
    /// When it ends: 2027-01-01, 2027-01-01T00:00:00Z, or a time from now, as 90d; left out: never
    #[arg(long, value_name = "TIME", value_parser = instant)]
    expires: Option<Timestamp>,
    /// Print JSON: the `key`, and the `row` that lets it in
    #[arg(long)]
    json: bool,
}

/// What a key begins with: who finds one somewhere knows what it is.
const PREFIX: &str = "cgk_";

/// Prints a key that nobody has yet.
pub fn run(command: Command) -> anyhow::Result<ExitCode> {
    let Command::New(new) = command;
    let mut random = [0; 32];
    getrandom::fill(&mut random)?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random));
    let row = row(&new, &key);
    if new.json {
        return super::print_json(&serde_json::json!({ "name": new.name, "key": key, "row": row }));
    }
    Ok(super::print(&format!(
        "\
{key}

This is the key; it is not shown again. The caller sends it as `Authorization: Bearer KEY`.
This row lets it in, in the file of GATEWAY_KEYS_FILE. A gateway that runs takes it up by itself.

{row}"
    )))
}

fn row(new: &New, key: &str) -> String {
    use std::fmt::Write;
    let text = |text: &String| toml::Value::from(text.as_str()).to_string();
    let list = |texts: &[String]| texts.iter().map(text).collect::<Vec<_>>().join(", ");
    let mut row = format!("[[key]]\nname = {}\nsha256 = \"", text(&new.name));
    for byte in Sha256::digest(key) {
        // Writing to a text does not fail.
        let _ = write!(row, "{byte:02x}");
    }
    let _ = writeln!(row, "\"\nscopes = [{}]", list(&new.scopes));
    if !new.locations.is_empty() {
        let _ = writeln!(row, "locations = [{}]", list(&new.locations));
    }
    if let Some(end) = new.expires {
        let _ = writeln!(row, "expires = {end:.0}");
    }
    row
}

/// A time that is still to come.
fn instant(text: &str) -> Result<Timestamp, String> {
    let now = Clock::default().wall();
    let from_now = |time| SystemTime::checked_add(&now, time).and_then(|end| Timestamp::try_from(end).ok());
    let end = (text.parse().ok())
        .or_else(|| format!("{text}T00:00:00Z").parse().ok())
        .or_else(|| humantime::parse_duration(text).ok().and_then(from_now))
        .ok_or("expected a time, as 2027-01-01, 2027-01-01T00:00:00Z, or 90d")?;
    match SystemTime::try_from(end) {
        Ok(end) if end > now => {}
        _ => return Err("that is over already".to_owned()),
    }
    Ok(end)
}
