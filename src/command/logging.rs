//! Log lines: to standard error, as text on a terminal and as JSON elsewhere.

use std::io::{IsTerminal, stderr};

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging as the settings say.
pub fn start(config: &Config) {
    let format = config.log_format.unwrap_or(match stderr().is_terminal() {
        true => LogFormat::Text,
        false => LogFormat::Json,
    });
    start_as(&config.log, format);
}

/// Starts logging; a second start in one process changes nothing.
pub fn start_as(filter: &str, format: LogFormat) {
    // What libraries log may quote headers; ours never do.
    let filter = EnvFilter::try_new(filter).unwrap_or_default();
    let colours = AutoStream::choice(&stderr()) != ColorChoice::Never;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).with_ansi(colours);
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
}
