//! `config`: every setting, its value in force and where it came from.

use std::process::ExitCode;

use super::ConfigFile;
use crate::config::{Loaded, SETTINGS};

/// How settings are shown.
#[derive(clap::Args)]
pub struct Options {
    #[command(flatten)]
    file: ConfigFile,
    /// Print every setting with its default as a page in Markdown, whatever is set
    #[arg(long)]
    markdown: bool,
}

/// Prints the settings; ends with 64 when they cannot be used.
pub fn run(options: &Options) -> ExitCode {
    match options.markdown {
        true => super::print(&super::settings_page::markdown()),
        false => print(&options.file.load()),
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
