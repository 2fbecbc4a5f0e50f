//! `demo`: a sandbox upstream and the gateway in one process, with nothing to set up.

use std::collections::HashMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use reqwest::Url;
use tokio::net::TcpListener;

use super::sandbox::seed_file;
use super::{listen, logging, print, stop_signal};
use crate::app::App;
use crate::clock::Clock;
use crate::config::{self, Config, LogFormat};
use crate::http;
use crate::sandbox::{self, Info, Seed};

/// What the demo does by itself when something happens.
const AUTOMATIONS: &str = include_str!("../../examples/automations.toml");

/// Where the demo listens.
#[derive(clap::Args)]
pub struct Options {
    /// Port of the gateway, on 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 4000)]
    port: u16,
    /// Port of the sandbox, on 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 4010)]
    sandbox_port: u16,
    /// A file with contacts, instead of made ones; docs/mock.md tells what it may have
    #[arg(long, value_name = "FILE", value_parser = seed_file)]
    seed_file: Option<Seed>,
}

/// Runs both until Ctrl-C or SIGTERM.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    logging::start_as("warn", LogFormat::Text);
    let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let gateway = listen(local(options.port), "--port").await?;
    let upstream = listen(local(options.sandbox_port), "--sandbox-port").await?;
    let upstream_address = upstream.local_addr()?;
    let gateway_address = gateway.local_addr()?;
    let is_mock = options.seed_file.is_some();
    let events = Url::parse(&format!("http://{gateway_address}/webhooks/contacts"))?;
    let upstream = start_sandbox(upstream, events, options.seed_file);
    let scratch = Scratch::new().context("the demo has no place for its events")?;
    let config = settings(upstream_address, upstream.info(), &scratch, is_mock)?;
    let app = Arc::new(App::new(&config, Clock::default())?);
    print(&guide(gateway_address, upstream_address, upstream.info(), is_mock));
    http::serve(app, gateway, stop_signal()).await?;
    upstream.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// A directory that is there as long as the demo runs.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("contacts-gateway-demo-{:016x}", fastrand::u64(..)));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// The path of a file in it, with this text where there is one.
    fn path(&self, name: &str, text: Option<&str>) -> io::Result<String> {
        let path = self.0.join(name);
        text.map_or(Ok(()), |text| fs::write(&path, text))?;
        Ok(path.display().to_string())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be taken away, the system takes away some day.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `events`: where the gateway takes them.
fn start_sandbox(listener: TcpListener, events: Url, written: Option<Seed>) -> sandbox::Sandbox {
    // Ten times the limit of a real location: told in the answers, and not in the way of exploring.
    let limit = sandbox::RateLimit { max: 1000, window: std::time::Duration::from_secs(10) };
    let options =
        sandbox::Options { rate_limit: Some(limit), webhooks: Some(events), written, ..sandbox::Options::default() };
    sandbox::Sandbox::start_counting(options, listener)
}

/// What shows a switch of the sandbox at once: nothing is held, and nothing tried again.
const MOCK: [(&str, &str); 8] = [
    ("GATEWAY_TTL_CONTACT", "0s"),
    ("GATEWAY_TTL_TASKS", "0s"),
    ("GATEWAY_TTL_NOTES", "0s"),
    ("GATEWAY_TTL_APPOINTMENTS", "0s"),
    ("GATEWAY_TTL_PAGES", "0s"),
    ("GATEWAY_STALE_WHILE_REVALIDATE", "0s"),
    ("GATEWAY_STALE_IF_ERROR", "0s"),
    ("GATEWAY_UPSTREAM_RETRIES", "0"),
];

/// The settings that a user of the sandbox would write.
fn settings(upstream: SocketAddr, info: &Info, scratch: &Scratch, is_mock: bool) -> anyhow::Result<Config> {
    let mock = MOCK.iter().filter(|_| is_mock).map(|(name, value)| (*name, (*value).to_owned()));
    let given = [
        ("GATEWAY_UPSTREAM_URL", format!("http://{upstream}")),
        ("GATEWAY_LOCATION_ID", info.location_id.clone()),
        ("GATEWAY_API_KEY", info.token.clone()),
        ("GATEWAY_WEBHOOK_KEYS", scratch.path("key.pem", Some(&info.webhook_public_key))?),
        ("GATEWAY_AUTOMATIONS", scratch.path("automations.toml", Some(AUTOMATIONS))?),
        ("GATEWAY_STATE_DIR", scratch.path("state", None)?),
    ];
    let given = given.into_iter().chain(mock).map(|(name, value)| (name.to_owned(), value));
    let given: HashMap<String, String> = given.collect();
    config::load(given, None).config.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the demo's own settings cannot be used: {}", problems.join("; "))
    })
}

fn guide(gateway: SocketAddr, upstream: SocketAddr, info: &Info, is_mock: bool) -> String {
    let switches = match is_mock {
        true => format!(
            "\n  Switches      http://{upstream}/__sandbox/switches   (how parts of contacts fail: docs/mock.md)"
        ),
        false => String::new(),
    };
    let query = format!(
        "{{ contact(id: \\\"{}\\\") {{ id name email phone company tags \
         tasks {{ title status dueDate }} notes {{ note dateCreated }} appointments {{ title status startTime }} }} }}",
        info.contact_id
    );
    format!(
        "\
contacts-gateway demo: a whole contact in one query, over a sandbox of the Contacts API.

  GraphiQL      http://{gateway}/
  GraphQL       http://{gateway}/graphql
  Schema        http://{gateway}/schema.graphql
  Sandbox       http://{upstream}/__sandbox/calls   (the REST calls that were made){switches}

Everything about one contact, by four REST calls in one round trip; again, by none:

  curl -s http://{gateway}/graphql -H 'content-type: application/json' -d '{{\"query\":\"{query}\"}}'

A new contact gets a task and a note by itself (examples/automations.toml), once the sandbox has told the gateway of it. Watch in
one tab of GraphiQL while you make one in another:

  subscription {{ contactsChanged {{ kind resource contact {{ name tasks {{ title }} notes {{ note }} }} }} }}
  mutation {{ createContact(input: {{ name: \"Nova Lindqvist\", email: \"nova@example.test\" }}) {{ contact {{ id }} }} }}

Ctrl-C stops both.
"
    )
}
