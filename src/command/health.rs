//! `health`: whether the gateway of this machine is ready, for images that have no other way to ask.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;

use crate::config::Loaded;

/// Asks the address that the settings name. The others do not matter here: the gateway that runs may have been
/// given some of them in another way.
pub async fn run(loaded: &Loaded) -> anyhow::Result<ExitCode> {
    let listen = loaded.in_force.iter().find(|row| row.name == "GATEWAY_LISTEN").map_or("", |row| &row.value);
    let mut address: SocketAddr = listen.parse().with_context(|| format!("GATEWAY_LISTEN is `{listen}`"))?;
    if address.ip().is_unspecified() {
        // Listening everywhere is listening here too.
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(format!("http://{address}/health/ready")).send().await;
    let answer = answer.with_context(|| {
        format!("nothing answers on {address}: does the gateway run, and does GATEWAY_LISTEN name its address?")
    })?;
    let ready = answer.status().is_success();
    super::print(&format!("{}\n", answer.text().await?));
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
