//! The other gateways that share a Redis: what is forgotten and told here is forgotten and told there, and what was read there is not
//! read again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Behind, MISSING_TTL, Parts, Question, Upstream};
use crate::cache::{EntityCache, Epoch, Origin, Slots, Tag};
use crate::changes::{Change, ChangeKind, ChangedResource};
use crate::replicas::{Entry, Found, Hears, Look, Place, Reading, Replicas};

/// A change: what happened to what, its id, and the contact that it is of.
type Spelled = (ChangeKind, ChangedResource, Option<Box<str>>, Box<str>);

/// What the others are told.
#[derive(Default, Serialize, Deserialize)]
pub struct News {
    location: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    behind: Option<(Sort, Box<str>)>,
    /// Whether it may still be changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_doubted: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    forgotten: Vec<Box<str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    changes: Vec<Spelled>,
}

/// From what a change may be missing.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Sort {
    Lists,
    Row,
    Tasks,
}

impl News {
    /// Of a change in a location, which may be missing from something for a while.
    pub fn of(location: &str, behind: Behind<'_>, is_doubted: bool) -> Self {
        let behind = match behind {
            Behind::Nothing => None,
            Behind::Lists => Some((Sort::Lists, "".into())),
            Behind::Row(id) => Some((Sort::Row, id.into())),
            Behind::Tasks(contact) => Some((Sort::Tasks, contact.into())),
        };
        Self { location: location.into(), behind, is_doubted, ..Self::default() }
    }

    /// That this is to be forgotten.
    pub fn forget(&mut self, tag: Tag<'_>) {
        self.forgotten.push(tag.name().into());
    }

    /// That those are to be told who watch.
    pub fn change(&mut self, change: &Change) {
        self.changes.push((change.kind, change.resource, change.resource_id.clone(), change.contact.clone()));
    }

    fn behind(&self) -> Behind<'_> {
        match &self.behind {
            None => Behind::Nothing,
            Some((Sort::Lists, _)) => Behind::Lists,
            Some((Sort::Row, id)) => Behind::Row(id),
            Some((Sort::Tasks, contact)) => Behind::Tasks(contact),
        }
    }
}

/// What hears the others, while there is an upstream.
pub struct Ear(pub(super) Weak<Parts>);

impl Hears for Ear {
    fn forget_all(&self) {
        if let Some(parts) = self.0.upgrade() {
            let _turn = parts.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
            parts.cache.epochs().forget_all();
        }
    }

    fn told(&self, text: &str) {
        let Some(parts) = self.0.upgrade() else { return };
        let Ok(news) = serde_json::from_str::<News>(text) else {
            // Of a gateway of another version.
            return self.forget_all();
        };
        let epochs = parts.cache.epochs();
        let tags = || news.forgotten.iter().filter_map(|name| Tag::named(name));
        // Before the forgetting: who reads after that has to know.
        parts.lately.note(&news.location, news.behind());
        if news.is_doubted {
            tags().for_each(|tag| parts.lately.doubt(epochs.slot(tag)));
        }
        {
            let _turn = parts.forgetting.lock().unwrap_or_else(PoisonError::into_inner);
            tags().for_each(|tag| epochs.forget(tag));
        }
        let location: Arc<str> = (&*news.location).into();
        for (kind, resource, resource_id, contact) in news.changes {
            parts.changes.publish(Change { location: location.clone(), kind, resource, resource_id, contact });
        }
    }
}

impl Upstream {
    /// The other gateways, if there are any.
    pub fn replicas(&self) -> Option<&Replicas> {
        self.parts.replicas.as_ref()
    }

    /// Tells the others, after it was done here.
    pub(super) fn tell_elsewhere(&self, news: &News) {
        if let Some(replicas) = &self.parts.replicas
            && let Ok(text) = serde_json::to_string(news)
        {
            replicas.tell(news.forgotten.iter().map(|name| Place::of(name)).collect(), text.into());
        }
    }

    /// Waits until the others have forgotten what was forgotten here so far, for as long as there is time.
    pub(super) async fn forgotten_elsewhere(&self) {
        if let Some(replicas) = &self.parts.replicas {
            let _ = self.errand.in_time(replicas.taken()).await;
        }
    }

    /// What another gateway has read of this, or the turn to read it for all.
    pub(super) async fn look_elsewhere<Q: Question>(&self, question: &Q, takes_turns: bool) -> Option<Carried> {
        let replicas = self.parts.replicas.as_ref()?;
        match replicas.look(&question.key().name(), takes_turns).await {
            Look::Found(found) => {
                Some(Carried { life: Some((found.age, found.left)), ..Carried::of(Some(found), None) })
            }
            Look::Read(reading) => Some(Carried::of(None, Some(reading))),
            Look::Alone => None,
        }
    }

    /// Keeps what was read for the others, good for so long.
    pub(super) fn keep_elsewhere<Q: Question>(
        &self,
        question: &Q,
        answer: Option<&Q::Answer>,
        carried: &Carried,
        ttl: Duration,
    ) {
        let (Some(reading), Some(body)) = (lock(&carried.reading).take(), lock(&carried.read).take()) else { return };
        let mut places = BTreeSet::new();
        question.made_of(answer, &mut |tag| {
            places.insert(Place::of(&tag.name()));
            places.extend(tag.any_of_its_contacts().map(|any| Place::of(&any.name())));
        });
        let ttl = if answer.is_some() { ttl } else { ttl.min(MISSING_TTL) };
        reading.keep(Entry { body, ttl, places });
    }
}

/// What a reading has from another gateway, or has for them.
pub struct Carried {
    found: Mutex<Option<Found>>,
    reading: Mutex<Option<Reading>>,
    /// The body of the answer, where it was read here.
    read: Mutex<Option<Option<Vec<u8>>>>,
    /// How old it is and for how long it is good, if another one has read it.
    life: Option<(Duration, Duration)>,
}

impl Carried {
    fn of(found: Option<Found>, reading: Option<Reading>) -> Self {
        Self { found: Mutex::new(found), reading: Mutex::new(reading), read: Mutex::default(), life: None }
    }

    /// Whether another gateway has read it.
    pub fn is_found(&self) -> bool {
        self.life.is_some()
    }

    /// The body that another gateway has read.
    pub fn take(&self) -> Option<Option<Vec<u8>>> {
        lock(&self.found).take().map(|found| found.body)
    }

    /// Notes what was read here.
    pub fn note(&self, body: Option<&[u8]>) {
        if lock(&self.reading).is_some() {
            *lock(&self.read) = Some(body.map(<[u8]>::to_vec));
        }
    }

    /// How long something is good that it brought: no longer than what another gateway has read.
    pub fn limit(&self, mut origin: Origin, ttl: Duration) -> Origin {
        if let Some((age, left)) = self.life {
            let now = origin.read;
            origin.read = now.checked_sub(age).unwrap_or(now);
            origin.expires = now + ttl.min(left);
        }
        origin
    }
}

/// How long a value is good, wherever it was read.
pub fn origin(cache: &EntityCache, carried: Option<&Carried>, slots: Slots, as_of: Epoch, ttl: Duration) -> Origin {
    let origin = cache.origin(slots, as_of, ttl);
    match carried {
        Some(carried) => carried.limit(origin, ttl),
        None => origin,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
