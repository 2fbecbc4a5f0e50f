//! What is counted of a Redis that gateways share.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Looked {
    outcome: &'static str,
}

/// The counts.
pub struct Redis {
    looks: Family<Looked, Counter>,
    joined: Gauge,
    losses: Counter,
}

impl Redis {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let (looks, joined, losses) = (Family::default(), Gauge::default(), Counter::default());
        let help = "Looks for a value in Redis: found, to be read by this gateway, or alone where Redis is away";
        registry.register("second_level", help, Family::clone(&looks));
        let help = "1 while this gateway speaks with the others that share its Redis, and hears them";
        registry.register("joined", help, joined.clone());
        let help = "Times that Redis was found to be away, by a connection that broke or a command without an answer";
        registry.register("redis_losses", help, losses.clone());
        Self { looks, joined, losses }
    }

    /// Counts a look for a value. `outcome`: a word for what came of it.
    pub fn looked(&self, outcome: &'static str) {
        self.looks.get_or_create(&Looked { outcome }).inc();
    }

    /// Tells whether this gateway speaks with the others, and hears them.
    pub fn joined(&self, is_joined: bool) {
        self.joined.set(is_joined.into());
    }

    /// Counts that Redis was found to be away. Requests wait for it once for each.
    pub fn lost(&self) {
        self.losses.inc();
    }
}
