//! Calls that arrive and then wait until a test lets them go on, so that "in flight" needs no sleeping.

use super::lock;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// While this lives, calls to its route arrive, are counted, and wait. Dropping it lets them go on.
#[must_use = "calls are held only while this lives"]
pub struct Hold {
    gate: Arc<Gate>,
    gates: Arc<Gates>,
}

/// What a held call and its `Hold` share.
pub(super) struct Gate {
    template: String,
    /// Whether the answer is made when the call arrives, and not when it goes on.
    pub answer_first: bool,
    arrived: watch::Sender<usize>,
    open: watch::Sender<bool>,
}

/// All holds of a sandbox.
#[derive(Default)]
pub(super) struct Gates(Mutex<Vec<Arc<Gate>>>);

impl Gates {
    pub fn close(self: &Arc<Self>, template: &str, answer_first: bool) -> Hold {
        let gate = Arc::new(Gate {
            template: template.to_owned(),
            answer_first,
            arrived: watch::Sender::new(0),
            open: watch::Sender::new(false),
        });
        lock::lock(&self.0).push(gate.clone());
        Hold { gate, gates: self.clone() }
    }

    /// The gate that a call to this route stands before, if any.
    pub fn before(&self, template: &str) -> Option<Arc<Gate>> {
        lock::lock(&self.0).iter().find(|gate| gate.template == template).cloned()
    }
}

impl Gate {
    pub fn arrive(&self) {
        self.arrived.send_modify(|count| *count += 1);
    }

    pub async fn pass(&self) {
        // It can only fail when the sender is gone, and the gate itself owns it.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
    }
}

impl Hold {
    /// Waits until so many calls have arrived since the hold began.
    pub async fn arrived(&self, calls: usize) {
        // As above: the sender lives as long as the gate.
        let _ = self.gate.arrived.subscribe().wait_for(|count| *count >= calls).await;
    }

    /// How many calls have arrived since the hold began.
    pub fn count(&self) -> usize {
        *self.gate.arrived.borrow()
    }

    /// Lets the held calls go on, and later ones pass.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        lock::lock(&self.gates.0).retain(|gate| !Arc::ptr_eq(gate, &self.gate));
        self.gate.open.send_replace(true);
    }
}
