//! Who watches for which changes, and what waits to be told to each of them.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use super::{Change, Resources};

/// Most changes that wait for one who watches. Who is further behind is told so, and nothing else any more.
const MOST_WAITING: usize = 1024;

/// A change that was published, with a number that tells it from all others.
#[derive(Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which one it is.
    pub number: u64,
    /// What changed.
    pub change: Change,
}

/// The hub. What is published reaches those who watch at that moment; nothing is kept for those who come later.
#[derive(Debug, Default)]
pub struct Changes {
    /// So that nothing is done where nobody watches.
    count: AtomicUsize,
    board: Mutex<Board>,
}

#[derive(Debug, Default)]
struct Board {
    published: u64,
    /// By location.
    places: HashMap<Box<str>, Place>,
}

/// Those who watch a location.
#[derive(Debug, Default)]
struct Place {
    all: Vec<Arc<Inbox>>,
    of_contacts: HashMap<Box<str>, Vec<Arc<Inbox>>>,
}

/// What waits for one who watches.
#[derive(Debug, Default)]
struct Inbox {
    about: Resources,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Arc<Notice>>,
    waker: Option<Waker>,
    is_behind: bool,
}

impl Changes {
    /// Whether anybody watches for anything. A change need not be put together where this is false.
    pub fn are_watched(&self) -> bool {
        self.count.load(Ordering::Acquire) > 0
    }

    /// Tells a change to all who watch for it. What it touched has to be forgotten before.
    pub fn publish(&self, change: Change) {
        if !self.are_watched() {
            return;
        }
        let (number, inboxes) = {
            let mut board = lock(&self.board);
            board.published += 1;
            let Some(place) = board.places.get(&*change.location) else { return };
            let of_contact = place.of_contacts.get(&change.contact).into_iter().flatten();
            let inboxes: Vec<Arc<Inbox>> = place.all.iter().chain(of_contact).cloned().collect();
            (board.published, inboxes)
        };
        let notice = Arc::new(Notice { number, change });
        for inbox in inboxes {
            inbox.put(&notice);
        }
    }

    /// Watches a location, or one contact of it. `about`: what the watcher looks at beside the contact itself.
    pub fn watch(self: &Arc<Self>, location: &str, contact: Option<&str>, about: Resources) -> Watch {
        let inbox = Arc::new(Inbox { about, state: Mutex::default() });
        let mut board = lock(&self.board);
        let place = board.places.entry(location.into()).or_default();
        match contact {
            None => place.all.push(inbox.clone()),
            Some(contact) => place.of_contacts.entry(contact.into()).or_default().push(inbox.clone()),
        }
        self.count.fetch_add(1, Ordering::Release);
        Watch { changes: self.clone(), inbox, location: location.into(), contact: contact.map(Into::into) }
    }

    /// The contacts of a location that are watched each by itself, with what is looked at beside them.
    pub fn watched(&self, location: &str) -> Vec<(Box<str>, Resources)> {
        let board = lock(&self.board);
        let contacts = board.places.get(location).into_iter().flat_map(|place| &place.of_contacts);
        let about = |inboxes: &[Arc<Inbox>]| inboxes.iter().fold(Resources::default(), |all, one| all.or(one.about));
        contacts.map(|(contact, inboxes)| (contact.clone(), about(inboxes))).collect()
    }

    fn leave(&self, watch: &Watch) {
        let mut board = lock(&self.board);
        let Some(place) = board.places.get_mut(&watch.location) else { return };
        let out = |inboxes: &mut Vec<Arc<Inbox>>| {
            if let Some(at) = inboxes.iter().position(|inbox| Arc::ptr_eq(inbox, &watch.inbox)) {
                inboxes.swap_remove(at);
            }
            inboxes.is_empty()
        };
        match &watch.contact {
            None => {
                out(&mut place.all);
            }
            Some(contact) => {
                if place.of_contacts.get_mut(contact).is_some_and(out) {
                    place.of_contacts.remove(contact);
                }
            }
        }
        if place.all.is_empty() && place.of_contacts.is_empty() {
            board.places.remove(&watch.location);
        }
        self.count.fetch_sub(1, Ordering::Release);
    }
}

impl Inbox {
    fn put(&self, notice: &Arc<Notice>) {
        let mut state = lock(&self.state);
        // What is told of a change is read when it is told: the same twice in a row is one.
        let same = state.waiting.back().is_some_and(|last| last.change == notice.change);
        if state.is_behind || same {
            return;
        }
        if state.waiting.len() == MOST_WAITING {
            state.is_behind = true;
            state.waiting = VecDeque::new();
        } else {
            state.waiting.push_back(notice.clone());
        }
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// One who watches, until it is dropped.
#[derive(Debug)]
pub struct Watch {
    changes: Arc<Changes>,
    inbox: Arc<Inbox>,
    location: Box<str>,
    contact: Option<Box<str>>,
}

impl Watch {
    /// The next change. `None`: so many waited that some were lost; there will be no more.
    pub async fn next(&mut self) -> Option<Arc<Notice>> {
        poll_fn(|cx| {
            let mut state = lock(&self.inbox.state);
            match state.waiting.pop_front() {
                Some(notice) => {
                    // Idle watchers are many, and keep no room for what came once.
                    if state.waiting.is_empty() {
                        state.waiting = VecDeque::new();
                    }
                    Poll::Ready(Some(notice))
                }
                None if state.is_behind => Poll::Ready(None),
                None => {
                    state.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.changes.clone().leave(self);
    }
}

/// A panic elsewhere leaves them whole: every change of them is one push or one removal.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::changes::{ChangeKind, ChangedResource};

    fn change(location: &str, contact: &str, task: &str) -> Change {
        Change {
            location: location.into(),
            kind: ChangeKind::Created,
            resource: ChangedResource::Task,
            resource_id: Some(task.into()),
            contact: contact.into(),
        }
    }

    /// The tasks that wait for a watcher, until there is none or it fell behind.
    fn told(watch: &mut Watch) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(notice) = watch.next().now_or_never().flatten() {
            told.push(notice.change.resource_id.clone().unwrap().into());
        }
        told
    }

    #[test]
    fn each_watcher_is_told_what_it_watches_for() {
        let changes = Arc::<Changes>::default();
        changes.publish(change("here", "ann", "before"));
        let none = Resources::default();
        let mut ann = changes.watch("here", Some("ann"), none);
        let mut all = changes.watch("here", None, none);
        let mut elsewhere = changes.watch("there", None, none);
        let mut other_ann = changes.watch("there", Some("ann"), none);
        changes.publish(change("here", "ann", "1"));
        changes.publish(change("here", "bob", "2"));
        changes.publish(change("there", "bob", "3"));
        assert_eq!(told(&mut ann), ["1"]);
        assert_eq!(told(&mut all), ["1", "2"]);
        assert_eq!(told(&mut elsewhere), ["3"]);
        assert!(told(&mut other_ann).is_empty());
    }

    #[test]
    fn who_has_gone_leaves_nothing_behind() {
        let changes = Arc::<Changes>::default();
        assert!(!changes.are_watched());
        let about = Resources::default().with(ChangedResource::Note);
        let one = changes.watch("here", Some("ann"), about);
        let other = changes.watch("here", Some("ann"), Resources::default().with(ChangedResource::Task));
        let all = changes.watch("here", None, about);
        assert_eq!(changes.watched("here"), [("ann".into(), about.with(ChangedResource::Task))]);
        drop(other);
        assert_eq!(changes.watched("here"), [("ann".into(), about)]);
        drop(one);
        assert!(changes.watched("here").is_empty() && changes.are_watched());
        drop(all);
        assert!(!changes.are_watched());
        assert!(lock(&changes.board).places.is_empty());
    }

    #[test]
    fn the_same_twice_in_a_row_is_told_once_while_it_waits() {
        let changes = Arc::<Changes>::default();
        let mut watch = changes.watch("here", None, Resources::default());
        for task in ["1", "1", "2", "1"] {
            changes.publish(change("here", "ann", task));
        }
        assert_eq!(told(&mut watch), ["1", "2", "1"]);
        changes.publish(change("here", "ann", "1"));
        assert_eq!(told(&mut watch), ["1"]);
    }

    #[test]
    fn who_falls_behind_is_told_so_and_costs_nothing_more() {
        let changes = Arc::<Changes>::default();
        let mut slow = changes.watch("here", None, Resources::default());
        let mut fast = changes.watch("here", None, Resources::default());
        for task in 0..=MOST_WAITING {
            changes.publish(change("here", "ann", &task.to_string()));
            assert_eq!(told(&mut fast), [task.to_string()]);
        }
        changes.publish(change("here", "ann", "late"));
        assert_eq!(slow.next().now_or_never(), Some(None));
        assert!(lock(&slow.inbox.state).waiting.is_empty());
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let changes = Arc::<Changes>::default();
        let mut watch = changes.watch("here", Some("ann"), Resources::default());
        let publisher = changes.clone();
        let (notice, ()) = tokio::join!(watch.next(), async move { publisher.publish(change("here", "ann", "1")) });
        assert_eq!(notice.unwrap().change, change("here", "ann", "1"));
    }
}
