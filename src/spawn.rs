//! Starts futures as tasks of their own.

use futures_util::FutureExt as _;
use tokio::task::JoinHandle;

/// Like `tokio::spawn`, of which a copy is compiled for each type of future, and for each of the runtime's two schedulers. Boxed
/// there is one copy for each type of output (docs/decisions/0010).
#[track_caller]
pub fn boxed<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    tokio::spawn(future.boxed())
}
