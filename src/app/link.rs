//! Opens the way to the Redis of the settings.

use anyhow::Context;

use crate::config::{Config, Redis};
use crate::replicas::{Link, Seal};

/// The link, which opens itself, and what seals the things that are stored by it.
pub fn open(redis: &Redis, config: &Config) -> anyhow::Result<(Link, Seal)> {
    let seal = Seal::new(redis);
    if !seal.has_key() {
        tracing::warn!(
            "what is kept in Redis can be read by whoever may read Redis: there is no GATEWAY_REDIS_ENCRYPTION_KEY_FILE"
        );
    }
    // What one upstream says is not what another one says, though they have the same locations.
    let link = Link::open(redis, config.upstream_url.as_str()).context("GATEWAY_REDIS_URL")?;
    Ok((link, seal))
}
