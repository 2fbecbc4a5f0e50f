//! `config`: every setting, its value in force and where it came from.

use std::process::ExitCode;

use serde::Serialize;

use super::ConfigFile;
use crate::config::{Loaded, SETTINGS};

/// How settings are shown.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON: `settings`, `unknown` names, and the `problems` that keep them from being used
    #[arg(long)]
    json: bool,
    /// Print every setting with its default as a page in Markdown, whatever is set
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// A setting, for machines.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    /// None: it has none.
    value: Option<&'a str>,
    source: Option<&'a str>,
    meaning: &'a str,
}

#[derive(Serialize)]
struct Told<'a> {
    settings: Vec<Row<'a>>,
    unknown: &'a [String],
    problems: Vec<String>,
}

/// Prints the settings; ends with 64 when they cannot be used.
pub fn run(options: &Options) -> ExitCode {
    if options.markdown {
        return super::print(&super::settings_page::markdown());
    }
    let loaded = options.file.load();
    match options.json {
        true => print_json(&loaded),
        false => print(&loaded),
    }
}

fn print_json(loaded: &Loaded) -> ExitCode {
    let row = |setting: &'static crate::config::Setting| {
        let found = loaded.in_force.iter().find(|row| row.name == setting.name).filter(|row| !row.value.is_empty());
        let (value, source) = (found.map(|row| row.value.as_str()), found.map(|row| row.source));
        Row { name: setting.name, value, source, meaning: setting.meaning }
    };
    let problems: Vec<String> = loaded.config.as_ref().err().into_iter().flatten().map(ToString::to_string).collect();
    let told = Told { settings: SETTINGS.iter().map(row).collect(), unknown: &loaded.unknown, problems };
    match super::print_json(&told) {
        Ok(_) if loaded.config.is_err() => ExitCode::from(super::USAGE),
        printed => printed.unwrap_or_else(super::failed),
    }
}

fn print(loaded: &Loaded) -> ExitCode {
    let name = SETTINGS.iter().map(|setting| setting.name.len()).max().unwrap_or_default();
    let width = loaded.in_force.iter().map(|row| row.value.chars().count()).max().unwrap_or_default().min(44);
    let mut text = String::new();
    for setting in SETTINGS {
        let row = loaded.in_force.iter().find(|row| row.name == setting.name);
        let (value, source) = row.map_or(("", ""), |row| (row.value.as_str(), row.source));
        let value = if value.is_empty() { "-" } else { value };
        text += &format!("{:name$}  {value:width$}  {source:11}  {}\n", setting.name, setting.meaning);
    }
    for unknown in &loaded.unknown {
        text += &format!("{unknown} is set and is not the name of a setting.\n");
    }
    super::print(&text);
    match &loaded.config {
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => {
            eprintln!("\nThe settings cannot be used:");
            problems.iter().for_each(|problem| eprintln!("  - {problem}"));
            ExitCode::from(super::USAGE)
        }
    }
}
