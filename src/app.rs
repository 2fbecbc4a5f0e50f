//! Builds everything from the settings and connects it; the only place that does.

mod admission;
mod automations;
mod credentials;
mod link;
mod live;

use std::future::{Future, pending};
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
use crate::config::{self, Config};
use crate::events::automation::{Automations, Schema};
use crate::events::{Events, Poll};
use crate::graph::DataLoader;
use crate::metrics::{Calls, Levels, Metrics};
use crate::operation::{Bounds, Operations, Sizes, Trusted};
use crate::replicas::Replicas;
use crate::traces::Traces;
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

/// What an operation may come to.
pub fn bounds(config: &Config) -> Bounds {
    Bounds {
        tokens: config.max_tokens,
        nesting: config.max_nesting,
        depth: config.max_depth,
        fields: config.max_fields,
        aliases: config.max_aliases,
        root_fields: config.max_root_fields,
        directives: config.max_directives,
        introspection_depth: config.max_introspection_depth,
        list: config.max_list,
        variables: config.max_variables,
        calls: Bounds::calls(config.max_calls, &config.max_calls_by_scope),
        tells_schema: config.introspection,
    }
}

/// The gateway.
pub struct App {
    accounts: Vec<Arc<Account>>,
    auth: Auth,
    loader: DataLoader,
    upstream: Upstream,
    changes: Arc<Changes>,
    operations: Arc<Operations>,
    clock: Clock,
    metrics: Arc<Metrics>,
    admission: Admission,
    live: Live,
    poll_interval: Duration,
    ttls: Ttls,
    request_timeout: Duration,
    body_limit: usize,
    head_limit: usize,
    max_connections: usize,
    max_batch: usize,
    cors_origins: Vec<String>,
    is_open: bool,
    has_metrics_apart: bool,
    tells_schema: bool,
    sdl: String,
    pending: Pending,
    events: Option<Events>,
    automations: Option<Arc<Automations>>,
    traces: Option<Traces>,
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
        .context("the HTTP client could not be made; it needs the CA certificates of the system (Debian's package ca-certificates), or SSL_CERT_FILE")?;
        let redis = config.redis.as_ref().map(|redis| link::open(redis, config, metrics.clone())).transpose()?;
        let link = redis.as_ref().map(|(link, _)| link.clone());
        let credentials = credentials::open(config, &client, redis.as_ref(), &clock)?;
        let allowance = Allowance {
            concurrency: config.upstream_concurrency,
            retry_budget: config.retry_budget,
            clock: clock.clone(),
            link: link.clone(),
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
        let join = |ear| redis.map(|(link, seal)| Replicas::join(link, seal, metrics.clone(), ear));
        let upstream = Upstream::new(client, cache, (retry, ttls(config)), changes.clone(), join);
        let events = Events::open(config, upstream.clone(), clock.clone(), metrics.clone(), link.clone())?;
        let sizes = Sizes {
            documents: config.document_cache_size,
            answers: config.response_cache_size,
            told: config.max_in_progress,
        };
        let trusted = Trusted::open(config.trusted_documents.as_deref(), config.trusted_only, clock.clone())
            .context("GATEWAY_TRUSTED_DOCUMENTS")?;
        let graph = crate::schema::Schema::new(config.federation);
        let sdl = graph.sdl();
        let operations =
            Arc::new(Operations::new(graph, sizes, bounds(config), trusted, epochs, clock.clone(), metrics.clone())?);
        let loader = DataLoader::new(upstream.clone());
        let schema = Schema { operations: operations.clone(), loader: loader.clone(), within: None };
        let (events, automations) = automations::open(config, events, schema, &accounts, (link, &clock))?;
        Ok(Self {
            accounts,
            auth,
            loader,
            upstream,
            changes,
            operations,
            pending: Pending::new(clock.clone()),
            events,
            automations,
            clock,
            metrics,
            admission: Admission::new(config.max_in_progress),
            live: Live::new(&config.live),
            poll_interval: config.live.poll_interval,
            ttls: ttls(config),
            request_timeout: config.request_timeout,
            body_limit: config.body_limit,
            head_limit: config.head_limit,
            max_connections: config.max_connections,
            max_batch: config.max_batch,
            cors_origins: config.cors_origins.clone(),
            is_open: matches!(config.auth, config::Auth::Open { anywhere: false }),
            has_metrics_apart: config.metrics_listen.is_some(),
            tells_schema: config.introspection,
            sdl,
            traces: None,
            draining: AtomicBool::new(false),
        })
    }

    /// The same gateway, with its operations and automations traced.
    #[must_use]
    pub fn traced(self, traces: Option<Traces>) -> Self {
        if let Some((automations, traces)) = self.automations.as_ref().zip(traces.as_ref()) {
            automations.traced(traces.runs());
        }
        Self { traces, ..self }
    }

    /// The way to a collector of traces, if there is one.
    pub fn traces(&self) -> Option<&Traces> {
        self.traces.as_ref()
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
    pub fn metrics(&self) -> &Arc<Metrics> {
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
        let told_of = |account: &&Arc<Account>| self.events.is_some() && account.credential.oauth().is_some();
        let accounts = self.accounts.iter().filter(|account| !told_of(account)).cloned();
        let often = (self.poll_interval, self.ttls, self.events.is_some());
        Poll::new(accounts, self.changes.clone(), &self.upstream, self.clock.clone(), often)
    }

    /// What is not counted as it happens.
    pub fn levels(&self) -> Levels {
        let (documents, answers) = self.operations.bytes();
        let held = [("entities", self.upstream.bytes()), ("answers", answers), ("documents", documents)];
        let calls = self.accounts.iter().map(|account| {
            let Standing { left, waiting: [writes, reads, background], is_down } = account.standing();
            let waiting = [("writes", writes), ("reads", reads), ("background", background)];
            Calls { location: account.location.to_string(), left, waiting, is_down }
        });
        let queued = self.admission.waiting();
        let events = self.events().and_then(Events::levels);
        Levels { calls: calls.collect(), unreadable: wire::unreadable(), queued, held, events }
    }

    /// Installations that were begun.
    pub fn pending(&self) -> &Pending {
        &self.pending
    }

    /// What the upstream tells by itself, if it may.
    pub fn events(&self) -> Option<&Events> {
        self.events.as_ref()
    }

    /// The way that automations ask and change things.
    pub fn schema(&self) -> Schema {
        Schema { operations: self.operations.clone(), loader: self.loader(), within: None }
    }

    /// Handles what is heard, until `stop`.
    pub async fn work(&self, stop: impl Future<Output = ()>) {
        let Some(events) = &self.events else { return };
        let timers = async {
            match &self.automations {
                Some(automations) => automations.watch_timers(|| events.wake()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = events.work(stop) => {}
            () = timers => {}
        }
    }

    /// Most time for one request.
    pub fn request_timeout(&self) -> Duration {
        self.request_timeout
    }

    /// Largest request body, in bytes.
    pub fn body_limit(&self) -> usize {
        self.body_limit
    }

    /// Largest request head, in bytes.
    pub fn head_limit(&self) -> usize {
        self.head_limit
    }

    /// Most connections at one time.
    pub fn max_connections(&self) -> usize {
        self.max_connections
    }

    /// Most requests in one body.
    pub fn max_batch(&self) -> usize {
        self.max_batch
    }

    /// The origins of pages elsewhere that may ask; `*` is all of them.
    pub fn cors_origins(&self) -> &[String] {
        &self.cors_origins
    }

    /// Whether pages of this origin may ask, though it is not the gateway's own.
    pub fn admits(&self, origin: &str) -> bool {
        self.cors_origins.iter().any(|known| known == "*" || known == origin)
    }

    /// Whether everybody on this machine may ask, and nobody is asked who they are.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether `/metrics` has a listener of its own.
    pub fn has_metrics_apart(&self) -> bool {
        self.has_metrics_apart
    }

    /// Whether callers are told the schema.
    pub fn tells_schema(&self) -> bool {
        self.tells_schema
    }

    /// The schema, in GraphQL's schema definition language.
    pub fn sdl(&self) -> &str {
        &self.sdl
    }

    /// Whether the gateway is about to end.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Notes that the gateway is about to end.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
        self.live.end();
        if let Some(replicas) = self.upstream.replicas() {
            replicas.leave();
        }
    }
}
