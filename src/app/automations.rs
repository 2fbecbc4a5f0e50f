//! The automations that the settings name, connected to the events that they follow.

use std::sync::Arc;

use anyhow::bail;

use crate::clock::Clock;
use crate::config::Config;
use crate::events::Events;
use crate::events::automation::{Automations, Deliveries, Rules, Schema};
use crate::replicas::Link;
use crate::upstream::Account;

/// The events, followed by the automations, if there are any.
pub fn open(
    config: &Config,
    events: Option<Events>,
    schema: Schema,
    accounts: &[Arc<Account>],
    (link, clock): (Option<Link>, &Clock),
) -> anyhow::Result<(Option<Events>, Option<Arc<Automations>>)> {
    let Some(settings) = &config.automations else { return Ok((events, None)) };
    let rules = match Rules::read(&settings.text) {
        Ok(rules) => rules,
        Err(problems) => {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            bail!("GATEWAY_AUTOMATIONS cannot be used: {}", problems.join("; "));
        }
    };
    let Some(events) = events else {
        tracing::warn!("automations follow nothing: no events are taken without GATEWAY_WEBHOOK_KEYS");
        return Ok((None, None));
    };
    let deliveries = Deliveries { secret: settings.secret.clone(), allow_private: settings.allow_private };
    if deliveries.secret.is_none() && rules.post() {
        tracing::warn!("automations post without a signature: GATEWAY_AUTOMATIONS_SECRET is not set");
    }
    let journal = events.journal().clone();
    let automations = Automations::new(rules, schema, accounts.to_vec(), journal, deliveries, (link, clock.clone()))?;
    let automations = Arc::new(automations);
    let following = automations.clone();
    let events = events.followed_by(Box::new(move |entry, event| {
        let automations = following.clone();
        Box::pin(async move { automations.follow(&entry.event, &event).await })
    }));
    Ok((Some(events), Some(automations)))
}
