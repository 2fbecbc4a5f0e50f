//! Every setting: its name, its default, what it means and what it may be. Imports nothing of the gateway.

mod auth;
mod automations;
pub mod keys;
mod live;
mod location;
pub mod manifest;
pub mod pem;
mod reader;
mod redis;
mod row;
mod settings;
mod webhooks;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use auth::Mode;
pub use auth::{Auth, Jwt, JwtKeys, Passthrough};
pub use automations::Automations;
pub use live::Live;
pub use location::{Credential, Location, OAuth, UserType};
use reader::Reader;
pub use reader::{InForce, Problem};
pub use redis::{Redis, Sentinels};
pub use settings::{SETTINGS, Setting};
pub use webhooks::Webhooks;

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The settings in force.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub metrics_listen: Option<SocketAddr>,
    pub cors_origins: Vec<String>,
    pub request_timeout: Duration,
    pub body_limit: usize,
    pub head_limit: usize,
    pub max_connections: usize,
    pub max_in_progress: usize,
    pub upstream_url: reqwest::Url,
    pub upstream_timeout: Duration,
    pub upstream_concurrency: usize,
    pub upstream_retries: u32,
    pub retry_budget: f64,
    pub locations: Vec<Location>,
    pub auth: Auth,
    pub state_dir: PathBuf,
    pub webhooks: Webhooks,
    pub automations: Option<Automations>,
    /// What joins this gateway with others, if anything does.
    pub redis: Option<Redis>,
    pub cache_size: u64,
    pub response_cache_size: u64,
    pub document_cache_size: u64,
    pub max_tokens: usize,
    pub max_nesting: usize,
    pub max_depth: usize,
    pub max_fields: u64,
    pub max_aliases: u64,
    pub max_root_fields: u64,
    pub max_directives: u64,
    pub max_introspection_depth: usize,
    pub max_list: usize,
    pub max_variables: usize,
    pub max_batch: usize,
    pub max_calls: u64,
    /// Scopes, each with the calls that an operation of a caller who has it may need.
    pub max_calls_by_scope: Vec<(String, u64)>,
    pub introspection: bool,
    /// Whether it is a subgraph of a federated graph.
    pub federation: bool,
    pub ttl_contact: Duration,
    pub ttl_tasks: Duration,
    pub ttl_notes: Duration,
    pub ttl_appointments: Duration,
    pub ttl_pages: Duration,
    pub stale_while_revalidate: Duration,
    pub stale_if_error: Duration,
    pub live: Live,
    pub trusted_documents: Option<PathBuf>,
    pub trusted_only: bool,
    pub log: String,
    pub log_format: Option<LogFormat>,
}

/// What came of reading the settings.
pub struct Loaded {
    /// The settings, or everything that is wrong with them.
    pub config: Result<Config, Vec<Problem>>,
    /// Each setting's value and where it came from, secrets hidden.
    pub in_force: Vec<InForce>,
    /// Names that look like settings and are none.
    pub unknown: Vec<String>,
}

/// Reads the settings from an environment and, if one is named, a TOML file; the environment wins.
pub fn load(env: HashMap<String, String>, file: Option<&Path>) -> Loaded {
    let mut from = Reader::new(env, file);
    let config = read(&mut from);
    let unknown = from.unknown();
    let (problems, in_force) = from.finish();
    // Without a problem nothing is missing.
    let config = config.filter(|_| problems.is_empty()).ok_or(problems);
    Loaded { config, in_force, unknown }
}

/// The settings where none is given, for what needs no location. `None` would be a mistake of this module.
pub fn defaults() -> Option<Config> {
    let none = HashMap::from([("GATEWAY_AUTH".to_owned(), "passthrough".to_owned())]);
    load(none, None).config.ok()
}

fn read(from: &mut Reader) -> Option<Config> {
    let listen: Option<SocketAddr> = from.parsed("GATEWAY_LISTEN", "an address and a port, as 127.0.0.1:4000");
    let metrics_listen: Option<SocketAddr> = from.parsed("GATEWAY_METRICS_LISTEN", "an address and a port");
    let cors_origins = from.origins("GATEWAY_CORS_ORIGINS").unwrap_or_default();
    let request_timeout = from.duration("GATEWAY_REQUEST_TIMEOUT");
    let body_limit = from.bytes("GATEWAY_BODY_LIMIT");
    let head_limit = from.bytes("GATEWAY_HEAD_LIMIT");
    // What hyper reads at once is no less.
    if let Some(bytes) = head_limit.filter(|bytes| *bytes < 8 << 10) {
        from.problem("GATEWAY_HEAD_LIMIT", &bytes.to_string(), "8KiB or more");
    }
    let max_connections = from.number("GATEWAY_MAX_CONNECTIONS", 1..=1_000_000);
    let max_in_progress = from.number("GATEWAY_MAX_IN_PROGRESS", 1..=100_000);
    let upstream_url = from.url("GATEWAY_UPSTREAM_URL");
    let upstream_timeout = from.duration("GATEWAY_UPSTREAM_TIMEOUT");
    let upstream_concurrency = from.number("GATEWAY_UPSTREAM_CONCURRENCY", 1..=10_000);
    let upstream_retries = from.number("GATEWAY_UPSTREAM_RETRIES", 0..=10);
    let retry_budget = from.share("GATEWAY_RETRY_BUDGET", 10.0);
    let mode = auth::mode(from);
    let locations = match mode {
        Some(Mode::Passthrough) => Some(Vec::new()),
        _ => location::read(from),
    };
    let auth = auth::read(from, mode, listen, &cors_origins);
    let state_dir = from.optional("GATEWAY_STATE_DIR");
    let webhooks = webhooks::read(from);
    let automations = automations::read(from, mode == Some(Mode::Passthrough));
    let redis = redis::read(from);
    let cache_size = from.bytes("GATEWAY_CACHE_SIZE");
    let response_cache_size = from.bytes("GATEWAY_RESPONSE_CACHE_SIZE");
    let document_cache_size = from.bytes("GATEWAY_DOCUMENT_CACHE_SIZE");
    let ttl_contact = from.time("GATEWAY_TTL_CONTACT");
    let ttl_tasks = from.time("GATEWAY_TTL_TASKS");
    let ttl_notes = from.time("GATEWAY_TTL_NOTES");
    let ttl_appointments = from.time("GATEWAY_TTL_APPOINTMENTS");
    let ttl_pages = from.time("GATEWAY_TTL_PAGES");
    let stale_while_revalidate = from.time("GATEWAY_STALE_WHILE_REVALIDATE");
    let stale_if_error = from.time("GATEWAY_STALE_IF_ERROR");
    let max_tokens = from.number("GATEWAY_MAX_TOKENS", 1..=1_000_000);
    // The executing library reads no more.
    let max_nesting = from.number("GATEWAY_MAX_NESTING", 1..=64);
    // Deeper ones would need more stack to execute than a thread has.
    let max_depth = from.number("GATEWAY_MAX_DEPTH", 1..=30);
    let max_fields = from.number("GATEWAY_MAX_FIELDS", 1..=1_000_000);
    let max_aliases = from.number("GATEWAY_MAX_ALIASES", 0..=1_000_000);
    let max_root_fields = from.number("GATEWAY_MAX_ROOT_FIELDS", 1..=1_000_000);
    let max_directives = from.number("GATEWAY_MAX_DIRECTIVES", 0..=1_000_000);
    let max_introspection_depth = from.number("GATEWAY_MAX_INTROSPECTION_DEPTH", 0..=30);
    let max_list = from.number("GATEWAY_MAX_LIST", 1..=1_000_000);
    let max_variables = from.bytes("GATEWAY_MAX_VARIABLES");
    let max_batch = from.number("GATEWAY_MAX_BATCH", 0..=1_000);
    let max_calls = from.number("GATEWAY_MAX_CALLS", 1..=1_000_000);
    let max_calls_by_scope = from.calls_by_scope("GATEWAY_MAX_CALLS_BY_SCOPE");
    let live = live::read(from);
    let trusted_documents = trusted_documents(from);
    let trusted_only = from.one_of("GATEWAY_TRUSTED_ONLY", &[("false", false), ("true", true)]);
    if trusted_only == Some(true) && trusted_documents.is_none() && !from.has_problem("GATEWAY_TRUSTED_DOCUMENTS") {
        from.problem("GATEWAY_TRUSTED_ONLY", "true", "false, or a manifest in GATEWAY_TRUSTED_DOCUMENTS");
    }
    let introspection = from.one_of("GATEWAY_INTROSPECTION", &[("true", true), ("false", false)]);
    let federation = from.one_of("GATEWAY_FEDERATION", &[("false", false), ("true", true), ("0", false), ("1", true)]);
    let log = from.log_filter("GATEWAY_LOG");
    let log_format = from.one_of("GATEWAY_LOG_FORMAT", &[("text", LogFormat::Text), ("json", LogFormat::Json)]);
    Some(Config {
        listen: listen?,
        metrics_listen,
        cors_origins,
        request_timeout: request_timeout?,
        body_limit: usize::try_from(body_limit?).ok()?,
        head_limit: usize::try_from(head_limit?).ok()?,
        max_connections: max_connections? as usize,
        max_in_progress: max_in_progress? as usize,
        upstream_url: upstream_url?,
        upstream_timeout: upstream_timeout?,
        upstream_concurrency: upstream_concurrency? as usize,
        upstream_retries: upstream_retries?,
        retry_budget: retry_budget?,
        locations: locations?,
        auth: auth?,
        state_dir: state_dir?.into(),
        webhooks,
        automations,
        redis,
        cache_size: cache_size?,
        response_cache_size: response_cache_size?,
        document_cache_size: document_cache_size?,
        max_tokens: max_tokens? as usize,
        max_nesting: max_nesting? as usize,
        max_depth: max_depth? as usize,
        max_fields: max_fields?.into(),
        max_aliases: max_aliases?.into(),
        max_root_fields: max_root_fields?.into(),
        max_directives: max_directives?.into(),
        max_introspection_depth: max_introspection_depth? as usize,
        max_list: max_list? as usize,
        max_variables: usize::try_from(max_variables?).ok()?,
        max_batch: max_batch? as usize,
        max_calls: max_calls?.into(),
        max_calls_by_scope: max_calls_by_scope.unwrap_or_default(),
        introspection: introspection?,
        federation: federation?,
        ttl_contact: ttl_contact?,
        ttl_tasks: ttl_tasks?,
        ttl_notes: ttl_notes?,
        ttl_appointments: ttl_appointments?,
        ttl_pages: ttl_pages?,
        stale_while_revalidate: stale_while_revalidate?,
        stale_if_error: stale_if_error?,
        live: live?,
        trusted_documents,
        trusted_only: trusted_only?,
        log: log?,
        log_format,
    })
}

/// The manifest's path, if it is one that can be used.
fn trusted_documents(from: &mut Reader) -> Option<PathBuf> {
    let name = "GATEWAY_TRUSTED_DOCUMENTS";
    let path = from.optional(name)?;
    let text = from.file(name, &path)?;
    if let Err(why) = manifest::parse(&text) {
        from.problem(name, &path, &format!("a manifest of trusted documents ({why})"));
    }
    Some(path.into())
}

/// What somebody wrote, short enough to repeat.
fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}
