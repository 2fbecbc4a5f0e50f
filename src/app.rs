//! Builds everything from the settings and connects it; the only place that does.

mod admission;
mod credentials;
mod live;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tokio::time::Instant;

pub use admission::{Admission, LONGEST_WAIT};
pub use live::Live;

use crate::auth::Auth;
use crate::cache::{EntityCache, Epochs};
use crate::changes::Changes;
use crate::clock::Clock;
use crate::config::Config;
use crate::events::Poll;
use crate::graph::DataLoader;
use crate::metrics::{Calls, Levels, Metrics};
use crate::operation::{Bounds, Operations, Sizes, Trusted};
use crate::upstream::credential::Pending;
use crate::upstream::{Account, Allowance, Client, Errand, Payer, Policy, Standing, Ttls, Upstream, wire};

/// How long each kind of value is kept.
pub fn ttls(config: &Config) -> Ttls {
    Ttls {
        contact: config.ttl_contact,
        tasks: config.ttl_tasks,
        notes: config.ttl_notes,
        appointments: config.ttl_appointments,
        pages: config.ttl_pages,
        stale_while_revalidate: config.stale_while_revalidate,
        stale_if_error: config.stale_if_error,
    }
}

/// The gateway.
pub struct App {
    accounts: Vec<Arc<Account>>,
    auth: Auth,
    loader: DataLoader,
    upstream: Upstream,
    changes: Arc<Changes>,
    operations: Operations,
    clock: Clock,
    metrics: Arc<Metrics>,
    admission: Admission,
    live: Live,
    poll_interval: Duration,
    ttls: Ttls,
    request_timeout: Duration,
    body_limit: usize,
    pending: Pending,
    draining: AtomicBool,
}

impl App {
    /// `clock`: the time that caches go by.
    pub fn new(config: &Config, clock: Clock) -> anyhow::Result<Self> {
        let metrics = Arc::<Metrics>::default();
        let client = Client::new(
            config.upstream_url.clone(),
            config.upstream_timeout,
            config.upstream_concurrency,
            metrics.clone(),
        )
        .context("the HTTP client could not be made")?;
        let credentials = credentials::open(config, &client, &clock)?;
        let allowance = Allowance {
            concurrency: config.upstream_concurrency,
            retry_budget: config.retry_budget,
            clock: clock.clone(),
        };
        let accounts = config.locations.iter().zip(credentials).map(|(location, credential)| {
            let (id, name) = (&location.id, location.name.as_deref());
            let account = Account::opened_by(id, name, location.timezone.clone(), credential, allowance.clone());
            let same = config.locations.iter().filter(|other| other.credential.is_same_key(&location.credential));
            Arc::new(account.only(config.locations.len() == 1).opening_others(same.count() > 1))
        });
        let accounts: Vec<_> = accounts.collect();
        let auth = Auth::new(config, &accounts, allowance, clock.clone())?;
        let epochs = Arc::<Epochs>::default();
        let retry = Policy { retries: config.upstream_retries };
        let beyond = config.stale_while_revalidate.max(config.stale_if_error);
        let changes = Arc::<Changes>::default();
        let cache = EntityCache::new(config.cache_size, beyond, epochs.clone(), clock.clone());
        let upstream = Upstream::new(client, cache, retry, ttls(config), changes.clone());
        let sizes = Sizes {
            documents: config.document_cache_size,
            answers: config.response_cache_size,
            told: config.max_in_progress,
        };
        let calls = Bounds::calls(config.max_calls, &config.max_calls_by_scope);
        let bounds = Bounds { fields: config.max_fields, depth: config.max_depth, calls };
        let trusted = Trusted::open(config.trusted_documents.as_deref(), config.trusted_only, clock.clone())
            .context("GATEWAY_TRUSTED_DOCUMENTS")?;
        Ok(Self {
            accounts,
            auth,
            loader: DataLoader::new(upstream.clone()),
            upstream,
            changes,
            operations: Operations::new(sizes, bounds, trusted, epochs, clock.clone())?,
            pending: Pending::new(clock.clone()),
            clock,
            metrics,
            admission: Admission::new(config.max_in_progress),
            live: Live::new(&config.live),
            poll_interval: config.live.poll_interval,
            ttls: ttls(config),
            request_timeout: config.request_timeout,
            body_limit: config.body_limit,
            draining: AtomicBool::new(false),
        })
    }

    /// The locations that are served.
    pub fn accounts(&self) -> &[Arc<Account>] {
        &self.accounts
    }

    /// What tells callers.
    pub fn auth(&self) -> &Auth {
        &self.auth
    }

    /// The way to load things.
    pub fn loader(&self) -> DataLoader {
        self.loader.clone()
    }

    /// The upstream with its cache, for one who waits for as long as a request may take.
    pub fn upstream(&self) -> Upstream {
        let deadline = Instant::now() + self.request_timeout;
        self.upstream.on(Errand::new(Payer::default(), Some(deadline)))
    }

    /// Who watches for changes.
    pub fn changes(&self) -> &Arc<Changes> {
        &self.changes
    }

    /// What runs operations.
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The time that caches go by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Room for requests.
    pub fn admission(&self) -> &Admission {
        &self.admission
    }

    /// Room for sockets and event streams.
    pub fn live(&self) -> &Live {
        &self.live
    }

    /// What looks at watched contacts of whose changes no webhook tells: those of locations that are opened by a key.
    pub fn poll(&self) -> Poll {
        let told_of = |account: &&Arc<Account>| account.credential.oauth().is_some();
        let accounts = self.accounts.iter().filter(|account| !told_of(account)).cloned();
        let often = (self.poll_interval, self.ttls);
        Poll::new(accounts, self.changes.clone(), &self.upstream, self.clock.clone(), often)
    }

    /// What is not counted as it happens.
    pub fn levels(&self) -> Levels {
        let (documents, answers) = self.operations.bytes();
        let held = [("entities", self.upstream.bytes()), ("answers", answers), ("documents", documents)];
        let calls = self.accounts.iter().map(|account| {
            let Standing { left, waiting: [writes, reads], is_down } = account.standing();
            let waiting = [("writes", writes), ("reads", reads)];
            Calls { location: account.location.to_string(), left, waiting, is_down }
        });
        let queued = self.admission.waiting();
        Levels { calls: calls.collect(), unreadable: wire::unreadable(), queued, held }
    }

    /// Installations that were begun.
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// Most time for one request.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Largest request body, in bytes.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Whether the gateway is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Notes that the gateway is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.live.end();
    }
}
