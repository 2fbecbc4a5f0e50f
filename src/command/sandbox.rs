//! `sandbox`: only the stand-in for the Contacts API.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Url;

use super::{listen, print, stop_signal};
use crate::clock::Clock;
use crate::sandbox::{self, Quirks, RateLimit, SCOPES, Seed};

/// What the sandbox is to be like.
#[derive(clap::Args)]
pub struct Options {
    /// Port to listen on, on 127.0.0.1; 0 for any that is free
    #[arg(long, default_value_t = 4010)]
    port: u16,
    /// How many contacts there are
    #[arg(long, default_value_t = 250)]
    contacts: usize,
    /// A file with contacts, instead of made ones; docs/mock.md tells what it may have
    #[arg(long, value_name = "FILE", value_parser = seed_file, conflicts_with_all = ["contacts", "seed"])]
    seed_file: Option<Seed>,
    /// The same seed gives the same data
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many locations there are: the same ids, other contents
    #[arg(long, default_value_t = 1)]
    locations: usize,
    /// Time before each answer, in milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Up to so many milliseconds more
    #[arg(long, default_value_t = 0)]
    jitter_ms: u64,
    /// Share of the calls that are answered with 500, from 0 to 1
    #[arg(long, default_value_t = 0.0, value_parser = share)]
    fail_rate: f64,
    /// Calls allowed in a window of seconds, as 100/10
    #[arg(long, value_name = "MAX/SECONDS")]
    rate_limit: Option<RateLimit>,
    /// Calls allowed in a day
    #[arg(long, value_name = "N")]
    daily_limit: Option<u64>,
    /// An app can be granted access: codes, tokens that expire, refresh tokens that work once
    #[arg(long)]
    oauth: bool,
    /// So much later than the contacts themselves do lists and searches change, in milliseconds
    #[arg(long, default_value_t = 0)]
    list_lag_ms: u64,
    /// Scopes of its token, separated by blanks
    #[arg(long, default_value = SCOPES)]
    scopes: String,
    /// Where signed events about changes are sent, as http://127.0.0.1:4000/webhooks/contacts
    #[arg(long, value_name = "URL", value_parser = web_address)]
    webhooks: Option<Url>,
    /// Ways in which the upstream was seen to differ, separated by commas; `help` lists them
    #[arg(long, default_value = "")]
    quirks: Quirks,
}

/// The contacts of a file.
pub(super) fn seed_file(path: &str) -> Result<Seed, String> {
    let text = std::fs::read_to_string(path).map_err(|why| format!("it cannot be read: {why}"))?;
    let now = Timestamp::try_from(Clock::default().wall()).map_err(|why| why.to_string())?;
    Seed::read(&text, now)
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn web_address(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|error| format!("{error}"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err("expected an address that begins with http:// or https://".to_owned()),
    }
}

/// Runs the sandbox.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = listen(address, "--port").await?;
    let address = listener.local_addr()?;
    print(&format!(
        "\
Sandbox of the Contacts API on http://{address}
What a client needs:      curl -s http://{address}/__sandbox/info
What was called:          curl -s http://{address}/__sandbox/calls
Ctrl-C stops it.
"
    ));
    let options = sandbox::Options {
        contacts: options.contacts,
        seed: options.seed,
        written: options.seed_file,
        locations: options.locations,
        latency: Duration::from_millis(options.latency_ms),
        jitter: Duration::from_millis(options.jitter_ms),
        fail_rate: options.fail_rate,
        rate_limit: options.rate_limit,
        daily_limit: options.daily_limit,
        oauth: options.oauth,
        list_lag: Duration::from_millis(options.list_lag_ms),
        scopes: options.scopes.split_whitespace().map(str::to_owned).collect(),
        webhooks: options.webhooks,
        quirks: options.quirks,
        ..sandbox::Options::default()
    };
    sandbox::serve(options, listener, stop_signal()).await?;
    Ok(ExitCode::SUCCESS)
}
