//! `health`: whether the gateway of this machine is ready, for images that have no other way to ask.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::Loaded;

/// Asks the address that the settings name.
pub async fn run(loaded: Loaded) -> anyhow::Result<ExitCode> {
    let config = loaded.config.map_err(|_| anyhow::anyhow!("the settings cannot be used; `serve` tells why"))?;
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        // Listening everywhere is listening here too.
        address.set_ip(if address.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(3)).build()?;
    let answer = client.get(format!("http://{address}/health/ready")).send().await?;
    let ready = answer.status().is_success();
    println!("{}", answer.text().await?);
    Ok(if ready { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
