//! The command line.

use std::process::ExitCode;

/// Measured in docs/decisions/0010.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    contacts_gateway::command::main()
}
