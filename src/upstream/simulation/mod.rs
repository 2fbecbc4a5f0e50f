//! Many gateways in one process, on a clock that only moves when everybody waits: what they decide is decided by the code that
//! gateways run and by the very scripts that Redis runs. Only the network, Redis' memory and the upstream are models.

mod forgetting;
mod likeness;
mod network;
mod quota;
mod redis;
mod scripts;

use std::future::Future;

use tokio::runtime::Builder;

/// Runs something in simulated time. The same seed gives the same course of things.
fn simulate<F: Future>(seed: u64, what: F) -> F::Output {
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(what)
}
