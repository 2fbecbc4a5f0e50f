//! Bounds on GraphQL requests at one time: how many are executed, how many wait for that, and how many bodies are read.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

/// Longest wait for a place. Who has to wait longer is better told so, while there is time to ask elsewhere.
pub const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// As often as this the log says that requests are refused.
const SELDOM: Duration = Duration::from_secs(10);

/// Room for requests. What takes some gives it back when it is dropped.
pub struct Admission {
    bodies: Semaphore,
    places: Semaphore,
    queue: Semaphore,
    size: usize,
    told: Mutex<Option<Instant>>,
}

impl Admission {
    /// `size`: most requests that are executed at one time; as many may wait, and as many bodies be read.
    pub fn new(size: usize) -> Self {
        let room = || Semaphore::new(size);
        Self { bodies: room(), places: room(), queue: room(), size, told: Mutex::default() }
    }

    /// Room to read a body into, if there is some.
    pub fn body(&self) -> Option<SemaphorePermit<'_>> {
        self.bodies.try_acquire().ok()
    }

    /// A place to be executed in, in turn. `None`: too many wait for one already, or there was none in time.
    pub async fn place(&self, deadline: Instant) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        let _waiting = self.queue.try_acquire().ok()?;
        let until = deadline.min(Instant::now() + LONGEST_WAIT);
        timeout_at(until, self.places.acquire()).await.ok()?.ok()
    }

    /// How many wait for a place.
    pub fn waiting(&self) -> usize {
        self.size - self.queue.available_permits()
    }

    /// Says in the log, now and then, that requests are refused.
    pub fn tell_refused(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= SELDOM) {
            *told = Some(Instant::now());
            let most = self.size;
            tracing::warn!(most, "requests are refused: as many as GATEWAY_MAX_IN_PROGRESS allows are in progress");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn far() -> Instant {
        Instant::now() + LONG
    }

    #[tokio::test(start_paused = true)]
    async fn places_are_given_in_turn_and_nobody_waits_for_long() {
        let admission = Admission::new(2);
        let held = (admission.place(far()).await.unwrap(), admission.place(far()).await.unwrap());
        let began = Instant::now();
        let order = Mutex::new(Vec::new());
        let ask = async |name| {
            let place = admission.place(far()).await;
            order.lock().unwrap().push((name, place.is_some()));
            place
        };
        let end = async {
            assert_eq!(admission.waiting(), 2);
            drop(held.0);
        };
        // The first in the queue gets what is given back, the one that finds the queue full nothing, the second in it waits in vain.
        let (first, second, third, ()) = tokio::join!(ask(1), ask(2), ask(3), end);
        assert_eq!(*order.lock().unwrap(), [(3, false), (1, true), (2, false)]);
        assert!(began.elapsed() >= LONGEST_WAIT);
        assert!(second.is_none() && third.is_none() && admission.waiting() == 0);
        drop((first, held.1));
        assert!(admission.place(far()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_the_request_and_with_who_waits() {
        let admission = Admission::new(1);
        let held = admission.place(far()).await;
        let began = Instant::now();
        let soon = Duration::from_millis(20);
        assert!(admission.place(began + soon).await.is_none());
        assert!(began.elapsed() >= soon);
        // Gives up, and leaves the queue.
        let gone = timeout_at(Instant::now() + soon, admission.place(far())).await;
        assert!(gone.is_err() && admission.waiting() == 0);
        drop(held);
        assert!(admission.place(far()).await.is_some());
    }

    #[test]
    fn bodies_have_room_of_their_own() {
        let admission = Admission::new(1);
        let room = admission.body();
        assert!(room.is_some() && admission.body().is_none());
        drop(room);
        assert!(admission.body().is_some());
    }
}
