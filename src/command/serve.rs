//! `serve`: the gateway, until Ctrl-C or SIGTERM.

use std::process::ExitCode;
use std::sync::Arc;

use super::{listen, stop_signal};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http;

/// Runs the gateway.
pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let app = Arc::new(App::new(&config, Clock::default())?);
    let listener = listen(config.listen, "GATEWAY_LISTEN").await?;
    let address = listener.local_addr()?;
    if let Some(apart) = config.metrics_listen {
        let metrics = listen(apart, "GATEWAY_METRICS_LISTEN").await?;
        tracing::info!(address = %metrics.local_addr()?, "metrics");
        tokio::spawn(http::serve_metrics(app.clone(), metrics));
    }
    tracing::info!(%address, locations = config.locations.len(), upstream = %config.upstream_url, "listening");
    http::serve(app, listener, stop_signal()).await?;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}
