//! `serve`: the gateway, until Ctrl-C or SIGTERM.

use std::process::ExitCode;
use std::sync::Arc;

use super::{USAGE, listen, stop_signal, unusable};
use crate::app::App;
use crate::clock::Clock;
use crate::config::Config;
use crate::http;
use crate::spawn;
use crate::traces::Traces;

/// Runs the gateway.
pub async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let app = App::new(&config, Clock::default())?;
    let traces = match Traces::from_env(app.metrics().clone()) {
        Ok(traces) => traces,
        Err(why) => {
            unusable(&[format!("{why:#}")]);
            return Ok(ExitCode::from(USAGE));
        }
    };
    let app = Arc::new(app.traced(traces));
    let listener = listen(config.listen, "GATEWAY_LISTEN").await?;
    let address = listener.local_addr()?;
    if let Some(apart) = config.metrics_listen {
        let metrics = listen(apart, "GATEWAY_METRICS_LISTEN").await?;
        tracing::info!(address = %metrics.local_addr()?, "metrics");
        spawn::boxed(http::serve_metrics(app.clone(), metrics));
    }
    tracing::info!(%address, locations = config.locations.len(), upstream = %config.upstream_url, "listening");
    http::serve(app.clone(), listener, stop_signal()).await?;
    // It waits for the collector, which the runtime has to go on for.
    tokio::task::spawn_blocking(move || app.traces().map(Traces::end)).await?;
    tracing::info!("ended");
    Ok(ExitCode::SUCCESS)
}
