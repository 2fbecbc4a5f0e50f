//! Operations, counted by their names. A name is one that the operator's own documents have: nobody else can add a series.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Outcome;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Operated {
    operation: String,
    outcome: &'static str,
}

/// Those of all operations.
#[derive(Clone, Default)]
pub struct Operations(pub(super) Family<Operated, Counter>);

/// Those of one operation, which need not be looked up to count.
#[derive(Clone, Debug)]
pub struct Counts([Counter; Outcome::ALL.len()]);

impl Operations {
    /// Those of the operation with this name.
    pub fn of(&self, name: &str) -> Counts {
        let counter = |outcome: Outcome| {
            let operated = Operated { operation: name.to_owned(), outcome: outcome.word() };
            self.0.get_or_create_owned(&operated)
        };
        Counts(Outcome::ALL.map(counter))
    }
}

impl Counts {
    /// Counts one that was answered so.
    pub fn count(&self, outcome: Outcome) {
        self.0[outcome as usize].inc();
    }
}
