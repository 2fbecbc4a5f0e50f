//! The commands, and what they end with: 0 done, 64 bad settings or usage, 1 anything else.

mod automations;
mod catalog;
mod check;
mod completions;
mod demo;
mod events;
mod explain;
mod health;
mod key;
mod logging;
mod progress;
mod sandbox;
mod serve;
mod settings;
mod settings_page;

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::{self, Config};
use crate::schema;

/// Bad settings or usage.
const USAGE: u8 = 64;

/// One GraphQL query for everything known about a contact.
#[derive(Parser)]
#[command(name = "contacts-gateway", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a sandbox upstream and the gateway together, with demo data and no credentials
    #[command(after_help = "Examples:
  contacts-gateway demo
  contacts-gateway demo --port 8080 --seed-file examples/team.json")]
    Demo(demo::Options),
    /// Runs the gateway
    #[command(after_help = "Examples:
  GATEWAY_LOCATION_ID=LOC_A0000000000000000 GATEWAY_API_KEY_FILE=/run/secrets/key contacts-gateway serve
  contacts-gateway serve --config gateway.toml")]
    Serve(ConfigFile),
    /// Runs only the sandbox: a stand-in for the Contacts API
    #[command(after_help = "Examples:
  contacts-gateway sandbox --latency-ms 200 --rate-limit 100/10
  contacts-gateway sandbox --seed-file examples/team.json
  contacts-gateway sandbox --webhooks http://127.0.0.1:4000/webhooks/contacts")]
    Sandbox(sandbox::Options),
    /// Tries the settings: credential, scopes, location, a contact, limits, clock; each with what mends it
    #[command(after_help = "Examples:
  contacts-gateway check --config gateway.toml
  contacts-gateway check --contact aM4raLqv7XbT2kW9hE3z --write --json")]
    Check(check::Options),
    /// Tells which upstream calls the operations of a file need at most; needs no settings and no network
    #[command(after_help = "Examples:
  contacts-gateway explain profile.graphql --variables '{\"id\": \"aM4raLqv7XbT2kW9hE3z\"}'
  contacts-gateway explain --manifest persisted-documents.json --max-calls 100 --json")]
    Explain(explain::Options),
    /// Tells what each field costs upstream, and describes trusted operations for Postman and as OpenAPI
    #[command(after_help = "Examples:
  contacts-gateway catalog
  contacts-gateway catalog --openapi --manifest persisted-documents.json > openapi.json")]
    Catalog(catalog::Options),
    /// Makes keys for callers, for GATEWAY_AUTH=keys
    #[command(
        subcommand,
        after_help = "Examples:
  contacts-gateway key new --name dashboard
  contacts-gateway key new --name crm-sync --scopes contacts.readonly,contacts.write --locations LOC_A --expires 90d"
    )]
    Key(key::Command),
    /// Looks at the journal of events, and handles events again
    #[command(
        subcommand,
        after_help = "Examples:
  contacts-gateway events list --json --limit 20
  contacts-gateway events replay 17"
    )]
    Events(events::Command),
    /// Tries automations on an event, without doing anything
    #[command(
        subcommand,
        after_help = "Example:
  contacts-gateway automations check automations.toml --event event.json"
    )]
    Automations(automations::Command),
    /// Prints the GraphQL schema
    #[command(after_help = "Examples:
  contacts-gateway schema > schema.graphql
  contacts-gateway schema --federation > subgraph.graphql")]
    Schema(Schema),
    /// Asks a gateway that runs on this machine whether it is ready; for health checks of containers
    #[command(after_help = "Example:
  GATEWAY_LISTEN=127.0.0.1:8080 contacts-gateway health")]
    Health(ConfigFile),
    /// Prints every setting with its value in force and where it came from
    #[command(after_help = "Examples:
  contacts-gateway config
  contacts-gateway config --config gateway.toml --json
  contacts-gateway config --markdown")]
    Config(settings::Options),
    /// Prints a script that lets a shell complete commands and options
    #[command(after_help = "Examples:
  contacts-gateway completions bash > ~/.local/share/bash-completion/completions/contacts-gateway
  contacts-gateway completions zsh > \"${fpath[1]}/_contacts-gateway\"
  contacts-gateway completions fish > ~/.config/fish/completions/contacts-gateway.fish")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
}

#[derive(clap::Args)]
struct Schema {
    /// As a federated graph is composed of it
    #[arg(long)]
    federation: bool,
}

/// Where settings come from, beside the environment.
#[derive(clap::Args)]
struct ConfigFile {
    /// A settings file, in TOML; the environment wins over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> config::Loaded {
        // What is not Unicode is no setting.
        let texts =
            std::env::vars_os().map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        config::load(texts.flatten().collect(), self.config.as_deref())
    }

    /// The settings, or the exit code after everything wrong with them was told.
    fn settle(&self) -> Result<Config, ExitCode> {
        let loaded = self.load();
        let config = loaded.config.map_err(|problems| {
            unusable(&problems.iter().map(ToString::to_string).collect::<Vec<_>>());
            eprintln!("`contacts-gateway config` lists all settings.");
            ExitCode::from(USAGE)
        })?;
        if let Some(problems) = automations::problems(&config) {
            unusable(&problems);
            return Err(ExitCode::from(USAGE));
        }
        logging::start(&config);
        for name in loaded.unknown {
            tracing::warn!(name, "this is not the name of a setting; it is ignored");
        }
        Ok(config)
    }
}

fn unusable(problems: &[String]) {
    eprintln!("The settings cannot be used:");
    problems.iter().for_each(|problem| eprintln!("  - {problem}"));
}

/// Runs the command that the arguments name.
pub fn main() -> ExitCode {
    run(std::env::args_os())
}

fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => {
            let _ = usage.print();
            return ExitCode::from(if usage.use_stderr() { USAGE } else { 0 });
        }
    };
    match cli.command {
        Command::Schema(Schema { federation: false }) => print(&schema::sdl()),
        Command::Schema(Schema { federation: true }) => print(&schema::federated_sdl()),
        Command::Explain(options) => explain::run(&options).unwrap_or_else(failed),
        Command::Catalog(options) => catalog::run(&options).unwrap_or_else(failed),
        Command::Automations(command) => wait_for(automations::run(command)),
        Command::Key(command) => key::run(command).unwrap_or_else(failed),
        Command::Events(command) => wait_for(events::run(command)),
        Command::Config(options) => settings::run(&options),
        Command::Completions { shell } => completions::run(shell),
        Command::Demo(options) => wait_for(demo::run(options)),
        Command::Sandbox(options) => wait_for(sandbox::run(options)),
        Command::Health(file) => wait_for(health::run(&file.load())),
        Command::Serve(file) => match file.settle() {
            Ok(config) => wait_for(serve::run(config)),
            Err(code) => code,
        },
        Command::Check(options) => match options.file.settle() {
            Ok(config) => wait_for(check::run(config, options)),
            Err(code) => code,
        },
    }
}

/// Prints to standard output, with colours only where they are seen; whoever reads may stop reading.
fn print(text: &str) -> ExitCode {
    use std::io::Write;
    let _ = anstream::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

/// The same, for machines.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<ExitCode> {
    Ok(print(&format!("{}\n", serde_json::to_string_pretty(value)?)))
}

#[expect(clippy::needless_pass_by_value, reason = "it is what errors are given to")]
fn failed(why: anyhow::Error) -> ExitCode {
    eprintln!("{why:#}");
    ExitCode::FAILURE
}

fn wait_for(work: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(why) => {
            eprintln!("The runtime could not be started: {why}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(work).unwrap_or_else(failed);
    // What is still running then, nobody waits for.
    runtime.shutdown_background();
    code
}

/// Ends at Ctrl-C or SIGTERM.
async fn stop_signal() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

async fn listen(address: std::net::SocketAddr, instead: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}; {instead} chooses another address or port"))
}
