//! The command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    contacts_gateway::command::main()
}
