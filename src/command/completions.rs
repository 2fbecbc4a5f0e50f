//! `completions`: a script that lets a shell complete commands and options.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

/// Prints the script of a shell.
pub fn run(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    generate(shell, &mut super::Cli::command(), "contacts-gateway", &mut script);
    super::print(&String::from_utf8_lossy(&script))
}
