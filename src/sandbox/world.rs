//! Everything that the calls of one sandbox share, its clock and its dice.

use super::{
    control::Info,
    data,
    data::{Seed, random::Random},
    door::Credential,
    fault::Faults,
    grant::Grants,
    hold::Gates,
    limits::Limits,
    lock,
    options::Options,
    store::Store,
    switches::Switchboard,
    traffic::Traffic,
    webhooks::Webhooks,
};
use jiff::Timestamp;
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

/// Everything that the calls of one sandbox share.
pub(super) struct World {
    pub options: Options,
    pub info: Info,
    pub store: RwLock<Store>,
    /// By token.
    pub credentials: RwLock<HashMap<String, Credential>>,
    pub grants: Grants,
    pub webhooks: Arc<Webhooks>,
    started: Instant,
    /// By how many milliseconds the sandbox's clock was put forward.
    ahead: AtomicU64,
    pub traffic: Traffic,
    pub faults: Faults,
    pub switches: Switchboard,
    pub gates: Arc<Gates>,
    /// Nanoseconds.
    pub latency: AtomicU64,
    pub limits: Mutex<Limits>,
    /// For jitter and failures, so that a run can be repeated.
    dice: Mutex<Random>,
    traces: AtomicU64,
    /// How many records were made by calls.
    made: AtomicU64,
}

impl World {
    pub fn new(options: Options, keep_calls: bool) -> Arc<Self> {
        let places = data::places(options.locations);
        let credential = |location: &str| Credential::lasting(location, options.scopes.clone());
        let grants = Grants::new(options.seed);
        let oauth = options.oauth.then(|| grants.info(&places[0].location_id));
        let tokens = places.iter().map(|place| (place.token.clone(), credential(&place.location_id)));
        let webhooks = Arc::new(Webhooks::new(&options));
        let mut store = data::fill(&options, &places);
        for (id, location) in &mut store {
            let (webhooks, id) = (webhooks.clone(), id.clone());
            location.watch(Box::new(move |before, after| webhooks.tell(&id, before, after)));
        }
        Arc::new(Self {
            credentials: RwLock::new(tokens.collect()),
            store: RwLock::new(store),
            info: Info::new(places, options.written.as_ref().and_then(Seed::first), oauth, webhooks.public_key()),
            grants,
            webhooks,
            started: Instant::now(),
            ahead: AtomicU64::new(0),
            traffic: Traffic::new(keep_calls),
            faults: Faults::default(),
            switches: Switchboard::new(options.written.as_ref().map(|seed| seed.switches.clone()).unwrap_or_default()),
            gates: Arc::default(),
            latency: AtomicU64::new(nanos(options.latency)),
            limits: Mutex::new(Limits::new(&options)),
            dice: Mutex::new(Random::new(&[options.seed, 77])),
            traces: AtomicU64::new(0),
            made: AtomicU64::new(0),
            options,
        })
    }

    /// The sandbox's clock: the time since it began, and what it was put forward.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed() + Duration::from_millis(self.ahead.load(Relaxed))
    }

    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Relaxed);
        self.webhooks.clock_was_moved();
    }

    /// Every access token that was granted so far is dead.
    pub fn expire_tokens(&self) {
        lock::write(&self.credentials).retain(|_, credential| credential.expires.is_none());
    }

    pub fn client_id(&self) -> &str {
        self.info.oauth.as_ref().map_or("", |oauth| &oauth.client_id)
    }

    pub fn draws_failure(&self) -> bool {
        self.options.fail_rate > 0.0 && lock::lock(&self.dice).share() < self.options.fail_rate
    }

    /// What an answer calls its call.
    pub fn trace(&self) -> String {
        format!("{:016x}", Random::new(&[self.traces.fetch_add(1, Relaxed)]).next())
    }

    /// An id that nothing has yet. The same calls get the same ids in each run.
    pub fn fresh_id(&self) -> String {
        Random::new(&[self.options.seed, 78, self.made.fetch_add(1, Relaxed)]).id()
    }

    /// The time of day, as the API writes it, and never before the data's own moment.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is created here is dated as it is by the API, whose clock is its own"
    )]
    pub fn now(&self) -> String {
        format!("{:.3}", Timestamp::now().max(data::NOW + self.started.elapsed()))
    }

    pub fn delay(&self) -> Duration {
        let latency = Duration::from_nanos(self.latency.load(Relaxed));
        if self.options.jitter.is_zero() {
            return latency;
        }
        latency + self.options.jitter.mul_f64(lock::lock(&self.dice).share())
    }
}

pub(super) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
