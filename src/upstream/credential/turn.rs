//! One piece of work at a time, shared by all who want it done, that goes on when they have gone.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};

use crate::spawn;

/// A share in work that is under way; `None`: it ended without a result, which only a panic or the end of the
/// process can make happen.
pub type Work<T> = Shared<BoxFuture<'static, Option<T>>>;

/// Whose turn it is. A reading may be stopped when nobody waits for it; a renewal may not: a refresh token that was
/// sent is used, whoever is still there.
pub struct Turn<T: Clone>(Arc<Mutex<Option<Work<T>>>>);

impl<T: Clone> Default for Turn<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T: Clone + Send + Sync + 'static> Turn<T> {
    /// Joins the work that is under way, or begins it.
    pub fn take(&self, work: impl Future<Output = T> + Send + 'static) -> Work<T> {
        let mut turn = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = &*turn {
            return under_way.clone();
        }
        let over = Over(self.0.clone());
        let task = spawn::boxed(async move {
            let _over = over;
            work.await
        });
        let shared = task.map(Result::ok).boxed().shared();
        *turn = Some(shared.clone());
        shared
    }
}

/// Ends the turn however the work ends.
struct Over<T: Clone>(Arc<Mutex<Option<Work<T>>>>);

impl<T: Clone> Drop for Over<T> {
    fn drop(&mut self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
