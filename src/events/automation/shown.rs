//! What automations made of an event, for people: what each of them decided, and what came of each action.

use serde::{Deserialize, Serialize};

use super::store::decided;
use crate::events::Journal;
use crate::events::journal::Trouble;

/// One automation at one event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    pub automation: Box<str>,
    /// Why it did nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    pub steps: Vec<Step>,
}

/// One of its actions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    pub action: Box<str>,
    /// What came of it, once that is known. What was sent is not told: it may have a secret in it.
    pub outcome: Option<Box<str>>,
}

/// What automations made of an event, by the journal's name of it.
pub fn followed(journal: &Journal, event: &str) -> Result<Vec<Followed>, Trouble> {
    let (decided, effects) = (decided(journal, event)?, journal.effects(event)?);
    let decisions = decided.into_iter().flat_map(|decided| decided.decisions);
    Ok(decisions
        .map(|decision| {
            let steps = decision.steps.iter().enumerate().map(|(step, planned)| {
                let known = effects
                    .iter()
                    .find(|effect| effect.automation == decision.automation && effect.step as usize == step);
                let action = planned.as_ref().map_or("(no action)", |planned| planned.name());
                Step { action: action.into(), outcome: known.and_then(|effect| effect.outcome.clone()) }
            });
            let steps = steps.collect();
            Followed { automation: decision.automation, skipped: decision.skipped, steps }
        })
        .collect())
}
