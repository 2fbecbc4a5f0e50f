//! What an operation is called where it is counted and traced: by its name, where a document of the manifest has it. What a caller
//! makes up is called `other`, so that there is a bound on how many names there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::facts::Kind;
use crate::metrics::{Counts, Metrics, Outcome};

/// Most names, of all manifests that there were.
const MOST: usize = 1000;

/// An operation's name, and what is counted of it.
#[derive(Debug)]
pub struct Named {
    /// `query`, `mutation` or `subscription`.
    pub kind: &'static str,
    /// Its name, where the manifest has it.
    pub name: Option<Box<str>>,
    counts: Counts,
}

impl Named {
    /// Counts one that was answered so.
    pub fn count(&self, outcome: Outcome) {
        self.counts.count(outcome);
    }
}

type Seen = HashMap<(Kind, Box<str>), Arc<Named>>;

/// The names that there are.
pub struct Names {
    metrics: Arc<Metrics>,
    others: [Arc<Named>; Kind::ALL.len()],
    seen: Mutex<Seen>,
}

impl Names {
    /// Counted there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let counts = metrics.operation("other");
        let others = Kind::ALL.map(|kind| Arc::new(Named { kind: kind.word(), name: None, counts: counts.clone() }));
        Self { metrics, others, seen: Mutex::default() }
    }

    /// Of an operation of the manifest with this name, or of another where there is none.
    pub fn of(&self, kind: Kind, name: Option<&str>) -> Arc<Named> {
        let other = || self.others[kind as usize].clone();
        let Some(name) = name else { return other() };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind, name.into());
        match seen.get(&key) {
            Some(named) => named.clone(),
            None if seen.len() >= MOST => other(),
            None => {
                let named = Named { kind: kind.word(), name: Some(name.into()), counts: self.metrics.operation(name) };
                seen.entry(key).or_insert(Arc::new(named)).clone()
            }
        }
    }
}
