//! One reading per key at a time, shared by all who want it.
//!
//! A flight runs in a task of its own: whoever started it may go, and it goes on for those who joined. When the
//! last one who waits has gone, it is stopped. A flight that began before its value was forgotten is not
//! joined any more; a newer one takes its place.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use ahash::RandomState;
use futures_util::FutureExt;
use futures_util::future::Shared;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::epochs::Epoch;
use crate::spawn;

/// A share in a flight. Dropping the last share stops it.
pub struct Flight<T: Clone> {
    result: Shared<oneshot::Receiver<T>>,
    _keep: Arc<Keep>,
}

// By hand: a share can be cloned whether or not the receiver can.
impl<T: Clone> Clone for Flight<T> {
    fn clone(&self) -> Self {
        Self { result: self.result.clone(), _keep: self._keep.clone() }
    }
}

impl<T: Clone> Flight<T> {
    /// What the reading brought; `None` if it ended without a result, which only a panic can make happen.
    pub async fn landed(mut self) -> Option<T> {
        (&mut self.result).await.ok()
    }
}

struct Keep(AbortHandle);

impl Drop for Keep {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Aloft<T: Clone> {
    number: u64,
    as_of: Epoch,
    result: Shared<oneshot::Receiver<T>>,
    keep: Weak<Keep>,
}

struct Board<K, T: Clone> {
    aloft: HashMap<K, Aloft<T>, RandomState>,
    next: u64,
}

impl<K: Eq + Hash, T: Clone> Board<K, T> {
    fn share(&self, key: &K, holds: impl FnOnce(Epoch) -> bool) -> Option<Flight<T>> {
        let aloft = self.aloft.get(key).filter(|aloft| holds(aloft.as_of))?;
        let keep = aloft.keep.upgrade()?;
        Some(Flight { result: aloft.result.clone(), _keep: keep })
    }
}

/// The flights that are under way, each by what it brings.
pub struct Flights<K, T: Clone> {
    board: Arc<Mutex<Board<K, T>>>,
}

impl<K, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        let board = Board { aloft: HashMap::default(), next: 0 };
        Self { board: Arc::new(Mutex::new(board)) }
    }
}

/// How a share came about.
pub enum Joined<T: Clone, V> {
    /// The value turned out to be there already.
    Known(V),
    /// Somebody was reading it.
    Shared(Flight<T>),
    /// This caller started the reading.
    Started(Flight<T>),
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Clone + Send + Sync + 'static> Flights<K, T> {
    /// Joins the flight for `key`, or starts one that begins `now` with `reading`.
    ///
    /// `known` is asked again while nobody can land or start: a value that arrived between the caller's own
    /// look and now is not read twice. A flight is joined if what it brings `holds`, though it began at an earlier
    /// epoch. `reading` must have stored what it read when it returns.
    pub fn join<V, R>(
        &self,
        key: &K,
        known: impl FnOnce() -> Option<V>,
        holds: impl FnOnce(Epoch) -> bool,
        now: impl FnOnce() -> Epoch,
        reading: impl FnOnce(Epoch) -> R,
    ) -> Joined<T, V>
    where
        R: Future<Output = T> + Send + 'static,
    {
        let mut board = lock(&self.board);
        if let Some(value) = known() {
            return Joined::Known(value);
        }
        if let Some(flight) = board.share(key, holds) {
            return Joined::Shared(flight);
        }
        board.next += 1;
        let (number, as_of) = (board.next, now());
        let (send, receive) = oneshot::channel();
        let off_board = OffBoard { board: self.board.clone(), key: key.clone(), number };
        // Mapped and not awaited in a block: that would hold the future twice, before it begins and while it goes on.
        let task = spawn::boxed(reading(as_of).map(|read| {
            drop(off_board);
            // Nobody may be waiting any more.
            let _ = send.send(read);
        }));
        let keep = Arc::new(Keep(task.abort_handle()));
        let result = receive.shared();
        let aloft = Aloft { number, as_of, result: result.clone(), keep: Arc::downgrade(&keep) };
        board.aloft.insert(key.clone(), aloft);
        Joined::Started(Flight { result, _keep: keep })
    }

    /// A share in the flight for `key`, if there is one and what it brings `holds`.
    pub fn share(&self, key: &K, holds: impl FnOnce(Epoch) -> bool) -> Option<Flight<T>> {
        lock(&self.board).share(key, holds)
    }

    /// How many are under way.
    pub fn count(&self) -> usize {
        lock(&self.board).aloft.len()
    }
}

/// Takes a flight off the board when it lands, is stopped, or panics.
struct OffBoard<K: Eq + Hash, T: Clone> {
    board: Arc<Mutex<Board<K, T>>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T: Clone> Drop for OffBoard<K, T> {
    fn drop(&mut self) {
        let mut board = lock(&self.board);
        if board.aloft.get(&self.key).is_some_and(|aloft| aloft.number == self.number) {
            board.aloft.remove(&self.key);
        }
    }
}

/// A panic elsewhere leaves the board whole: every change to it is one insert or one remove.
fn lock<K, T: Clone>(board: &Mutex<Board<K, T>>) -> MutexGuard<'_, Board<K, T>> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::sync::Notify;

    use super::super::epochs::Epochs;
    use super::*;

    /// A start, unless there is a flight that began after the last forgetting.
    fn join<R>(flights: &Flights<u8, u32>, epochs: &Epochs, reading: R) -> Joined<u32, ()>
    where
        R: Future<Output = u32> + Send + 'static,
    {
        flights.join(&1, || None, |as_of| as_of == epochs.now(), || epochs.now(), |_| reading)
    }

    fn started(joined: Joined<u32, ()>) -> Flight<u32> {
        match joined {
            Joined::Started(flight) => flight,
            _ => panic!("expected a flight of its own"),
        }
    }

    #[tokio::test]
    async fn two_who_want_the_same_share_one_flight_and_the_first_may_go() {
        let (flights, epochs) = (Flights::default(), Epochs::default());
        let gate = Arc::new(Notify::new());
        let wait = gate.clone();
        let first = started(join(&flights, &epochs, async move {
            wait.notified().await;
            7
        }));
        let second = match join(&flights, &epochs, pending()) {
            Joined::Shared(flight) => flight,
            _ => panic!("the flight under way was not joined"),
        };
        drop(first);
        gate.notify_one();
        assert_eq!(second.landed().await, Some(7));
        assert_eq!(flights.count(), 0);
    }

    #[tokio::test]
    async fn a_flight_that_nobody_waits_for_is_stopped() {
        let (flights, epochs) = (Flights::default(), Epochs::default());
        let stopped = Arc::new(Notify::new());
        struct Tell(Arc<Notify>);
        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.notify_one();
            }
        }
        let tell = Tell(stopped.clone());
        let flight = started(join(&flights, &epochs, async move {
            let _tell = tell;
            pending().await
        }));
        drop(flight);
        stopped.notified().await;
    }

    #[tokio::test]
    async fn a_flight_whose_value_does_not_hold_any_more_is_not_joined() {
        let (flights, epochs) = (Flights::default(), Epochs::default());
        let _old = started(join(&flights, &epochs, pending()));
        epochs.forget(super::super::View::new("L", "c").tag(super::super::Kind::Contact, "a"));
        let new = started(join(&flights, &epochs, async { 2 }));
        assert_eq!(new.landed().await, Some(2));
    }

    #[tokio::test]
    async fn a_panic_ends_the_flight_without_a_result() {
        let (flights, epochs) = (Flights::default(), Epochs::default());
        let flight = started(join(&flights, &epochs, async { panic!("on purpose") }));
        assert_eq!(flight.landed().await, None);
        assert_eq!(flights.count(), 0);
    }
}
