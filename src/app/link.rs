//! Opens the way to the Redis of the settings.

use std::sync::Arc;

use anyhow::Context;

use crate::config::{Config, Redis};
use crate::metrics::Metrics;
use crate::replicas::{Link, Seal};

/// The link, which opens itself, and what seals the things that are stored by it.
pub fn open(redis: &Redis, config: &Config, metrics: Arc<Metrics>) -> anyhow::Result<(Link, Seal)> {
    let seal = Seal::new(redis);
    if !seal.has_key() {
        tracing::warn!(
            "what is kept in Redis can be read by whoever may read Redis: there is no GATEWAY_REDIS_ENCRYPTION_KEY_FILE"
        );
    }
    // What one upstream says is not what another one says, though they have the same locations.
    let link = Link::open(redis, config.upstream_url.as_str(), metrics).context("GATEWAY_REDIS_URL")?;
    Ok((link, seal))
}
