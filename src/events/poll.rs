//! Looks at the contacts that are watched where no webhook tells of their changes: with calls that nobody else wants.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::changes::{ChangedResource, Changes, Resources};
use crate::clock::Clock;
use crate::resources::watched::Watched;
use crate::upstream::{Account, Errand, Fault, Lane, Payer, Ttls, Upstream};

/// As often as this it is looked who is watched, and whose time has come.
const TURN: Duration = Duration::from_secs(1);

/// What looks at contacts.
pub struct Poll {
    places: Vec<Place>,
    changes: Arc<Changes>,
    upstream: Upstream,
    clock: Clock,
    every: Duration,
    ttls: Ttls,
}

/// A location, and what is looked at there.
struct Place {
    account: Arc<Account>,
    /// How long a contact is watched before it is looked at for the first time.
    first: Duration,
    looks: HashMap<Box<str>, Look>,
}

struct Look {
    watched: Watched,
    due: Instant,
}

impl Poll {
    /// `accounts`: the locations that no webhooks are sure to come from; `every`: how often a contact is looked at, at most.
    ///
    /// `hears`: whether webhooks are taken at all. Then such a location may be told of, too, and the first look, which finds out nothing
    /// but how things are, waits for as long as the others.
    pub fn new(
        accounts: impl Iterator<Item = Arc<Account>>,
        changes: Arc<Changes>,
        upstream: &Upstream,
        clock: Clock,
        (every, ttls, hears): (Duration, Ttls, bool),
    ) -> Self {
        let first = if hears { every } else { Duration::ZERO };
        let places = accounts.map(|account| Place { account, first, looks: HashMap::new() }).collect();
        let upstream = upstream.on(Errand::new(Payer::default(), None).in_lane(Lane::Renewals));
        Self { places, changes, upstream, clock, every, ttls }
    }

    /// Looks at contacts as long as it is not dropped.
    pub async fn run(self) {
        let Self { places, changes, upstream, clock, every, ttls } = self;
        if every.is_zero() {
            return;
        }
        let (changes, upstream, clock, ttls) = (&*changes, &upstream, &clock, &ttls);
        // Each at its own pace: one that is slow keeps no other waiting.
        let each = places.into_iter().map(|mut place| async move {
            loop {
                sleep(TURN).await;
                place.turn(changes, upstream, clock, |about| pause(every, ttls, about)).await;
            }
        });
        join_all(each).await;
    }
}

impl Place {
    /// Looks at those whose time has come, the longest due first, one after the other, while there are calls to spare.
    async fn turn(
        &mut self,
        changes: &Changes,
        upstream: &Upstream,
        clock: &Clock,
        pause: impl Fn(Resources) -> Duration,
    ) {
        if !changes.are_watched() {
            self.looks.clear();
            return;
        }
        let watched: HashMap<_, _> = changes.watched(&self.account.location).into_iter().collect();
        self.looks.retain(|contact, _| watched.contains_key(contact));
        let now = clock.now();
        for contact in watched.keys() {
            if !self.looks.contains_key(contact)
                && let Some(watched) = Watched::new(&self.account, contact)
            {
                self.looks.insert(contact.clone(), Look { watched, due: now + self.first });
            }
        }
        let mut due: Vec<_> = self.looks.iter_mut().filter(|(_, look)| look.due <= now).collect();
        due.sort_by_key(|(_, look)| look.due);
        for (contact, look) in due {
            if !self.account.has_plenty() {
                return;
            }
            let about = watched.get(contact).copied().unwrap_or_default();
            let looked = look.watched.look(upstream, about, &mut |change| changes.publish(change)).await;
            match looked {
                // There was nothing to spare for it after all: it stays the first.
                Err(error) if !error.reached && !matches!(error.fault, Fault::Scope(_)) => return,
                _ => look.due = clock.now() + pause(about),
            }
        }
    }
}

/// How long it takes until a contact is looked at again: what is held is not looked at twice.
fn pause(every: Duration, ttls: &Ttls, about: Resources) -> Duration {
    let lists = [
        (ChangedResource::Task, ttls.tasks),
        (ChangedResource::Note, ttls.notes),
        (ChangedResource::Appointment, ttls.appointments),
    ];
    let lists = lists.into_iter().filter(|(resource, _)| about.has(*resource)).map(|(_, ttl)| ttl);
    lists.fold(every.max(ttls.contact), Duration::max)
}
