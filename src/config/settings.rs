//! Every setting by its name, with its default and what it means.

/// A setting as `config` prints it.
pub struct Setting {
    /// The environment variable; the key of the settings file is the same, in lower case, without the prefix.
    pub name: &'static str,
    /// The value when none is given; empty: none.
    pub default: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

const fn setting(name: &'static str, default: &'static str, meaning: &'static str) -> Setting {
    Setting { name, default, meaning }
}

/// All settings, in the order in which they are printed.
pub const SETTINGS: &[Setting] = &[
    setting("GATEWAY_LISTEN", "127.0.0.1:4000", "address and port to listen on"),
    setting("GATEWAY_METRICS_LISTEN", "", "address and port for /metrics alone; unset: /metrics is on the other one"),
    setting(
        "GATEWAY_CORS_ORIGINS",
        "",
        "origins of pages elsewhere that may ask, with commas between them; *: all; unset: none",
    ),
    setting("GATEWAY_REQUEST_TIMEOUT", "30s", "most time for one request, and for a connection without one"),
    setting("GATEWAY_BODY_LIMIT", "256KiB", "largest request body"),
    setting("GATEWAY_HEAD_LIMIT", "64KiB", "largest request head, with the address; at least 8KiB"),
    setting(
        "GATEWAY_MAX_CONNECTIONS",
        "10000",
        "most connections at one time; more wait. At most three quarters of the files that the process may have open",
    ),
    setting(
        "GATEWAY_MAX_IN_PROGRESS",
        "500",
        "most GraphQL requests that are executed at one time; as many wait for half a second, and more get 503",
    ),
    setting(
        "GATEWAY_UPSTREAM_URL",
        "https://services.leadconnectorhq.com",
        "the Contacts API, without the paths of its routes",
    ),
    setting("GATEWAY_UPSTREAM_TIMEOUT", "10s", "most time for one upstream call"),
    setting("GATEWAY_UPSTREAM_CONCURRENCY", "200", "most upstream calls in flight for one location"),
    setting("GATEWAY_UPSTREAM_RETRIES", "3", "tries of a read after the first"),
    setting(
        "GATEWAY_RETRY_BUDGET",
        "0.3",
        "most tries after the first, as a share of the first ones of the last ten seconds; a few are always allowed",
    ),
    setting("GATEWAY_LOCATION_ID", "", "the location that is read, if there is one; several: [[location]] in the file"),
    setting("GATEWAY_API_KEY", "", "its private integration token"),
    setting("GATEWAY_API_KEY_FILE", "", "a file that holds the token, instead of GATEWAY_API_KEY"),
    setting("GATEWAY_OAUTH_CLIENT_ID", "", "the app that the location grants access to, instead of a token"),
    setting("GATEWAY_OAUTH_CLIENT_SECRET", "", "the app's secret"),
    setting("GATEWAY_OAUTH_CLIENT_SECRET_FILE", "", "a file that holds the app's secret"),
    setting("GATEWAY_OAUTH_REFRESH_TOKEN", "", "the grant's first refresh token; later ones are in GATEWAY_STATE_DIR"),
    setting("GATEWAY_OAUTH_REFRESH_TOKEN_FILE", "", "a file that holds the first refresh token"),
    setting("GATEWAY_OAUTH_USER_TYPE", "Location", "whose the grant is: Location, or Company for all of its locations"),
    setting(
        "GATEWAY_OAUTH_REDIRECT_URL",
        "",
        "this gateway's /oauth/callback, as the app's page has it; for /oauth/install",
    ),
    setting("GATEWAY_OAUTH_SCOPES", "contacts.readonly contacts.write", "what /oauth/install asks for"),
    setting(
        "GATEWAY_OAUTH_AUTHORIZE_URL",
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation",
        "the page where access is granted; white-label hosts have their own",
    ),
    setting(
        "GATEWAY_STATE_DIR",
        "/var/lib/contacts-gateway",
        "where renewed tokens and the journal of events are kept",
    ),
    setting("GATEWAY_TIMEZONE", "UTC", "the zone of upstream times that name none, as an IANA name"),
    setting(
        "GATEWAY_AUTH",
        "open",
        "who may ask: open (everybody who reaches the address), keys, jwt, or passthrough (the callers' own upstream tokens)",
    ),
    setting("GATEWAY_AUTH_OPEN_ANYWHERE", "false", "allows GATEWAY_AUTH=open on an address that others can reach"),
    setting("GATEWAY_KEYS_FILE", "", "the callers' keys, for GATEWAY_AUTH=keys; `key new` makes its rows"),
    setting(
        "GATEWAY_JWT_JWKS_URL",
        "",
        "where the issuer of the callers' tokens publishes its keys, for GATEWAY_AUTH=jwt",
    ),
    setting("GATEWAY_JWT_PEM_FILE", "", "a file of the issuer's public keys, instead of GATEWAY_JWT_JWKS_URL"),
    setting("GATEWAY_JWT_ISSUER", "", "whose tokens are accepted: their `iss`"),
    setting("GATEWAY_JWT_AUDIENCE", "", "what their `aud` has to name"),
    setting("GATEWAY_JWT_SCOPE_CLAIM", "scope", "the claim that has the scopes"),
    setting("GATEWAY_JWT_LOCATION_CLAIM", "locations", "the claim that has the locations' ids; * in it: all"),
    setting(
        "GATEWAY_WEBHOOK_KEYS",
        "",
        "files of the Ed25519 public keys that sign the upstream's events, separated by commas; unset: none are taken",
    ),
    setting(
        "GATEWAY_WEBHOOK_LEGACY_KEYS",
        "",
        "files of RSA public keys, for senders that still sign events in x-wh-signature",
    ),
    setting("GATEWAY_AUTOMATIONS", "", "a TOML file of what is to be done by itself when something happens"),
    setting(
        "GATEWAY_AUTOMATIONS_ALLOW_PRIVATE",
        "false",
        "allows automations to post to addresses that are not of the internet, and over http",
    ),
    setting("GATEWAY_AUTOMATIONS_SECRET", "", "what posts of automations are signed with; unset: they are not signed"),
    setting("GATEWAY_AUTOMATIONS_SECRET_FILE", "", "a file that holds it, instead of GATEWAY_AUTOMATIONS_SECRET"),
    setting(
        "GATEWAY_REDIS_URL",
        "",
        "a Redis or Valkey that joins this gateway with others, as redis://user:password@host:6379/0, or its sentinels, as \
         redis://host1:26379/0?master_name=name&addr=host2:26379; rediss:// for TLS",
    ),
    setting("GATEWAY_REDIS_URL_FILE", "", "a file that holds it, instead of GATEWAY_REDIS_URL"),
    setting(
        "GATEWAY_REDIS_ENCRYPTION_KEY_FILE",
        "",
        "a file of keys that seal what is stored there, 32 bytes in base64 on each line: the first seals, all open",
    ),
    setting("GATEWAY_CACHE_SIZE", "64MiB", "most memory for cached contacts, tasks, notes and appointments"),
    setting("GATEWAY_RESPONSE_CACHE_SIZE", "64MiB", "most memory for answers that are ready to be sent again"),
    setting("GATEWAY_DOCUMENT_CACHE_SIZE", "16MiB", "most memory for documents that were parsed and validated"),
    setting("GATEWAY_TTL_CONTACT", "60s", "how long a contact is kept; 0s: not at all"),
    setting("GATEWAY_TTL_TASKS", "30s", "how long tasks are kept"),
    setting("GATEWAY_TTL_NOTES", "60s", "how long notes are kept"),
    setting("GATEWAY_TTL_APPOINTMENTS", "60s", "how long appointments are kept"),
    setting("GATEWAY_TTL_PAGES", "15s", "how long pages of lists are kept"),
    setting(
        "GATEWAY_STALE_WHILE_REVALIDATE",
        "0s",
        "how long after its time anything is still given out, while it is renewed behind; 0s: not at all",
    ),
    setting(
        "GATEWAY_STALE_IF_ERROR",
        "5m",
        "how long after its time anything is given out, and marked, when the upstream cannot be had; 0s: not at all",
    ),
    setting("GATEWAY_MAX_TOKENS", "15000", "most tokens of a document: names, numbers, texts and marks"),
    setting("GATEWAY_MAX_NESTING", "64", "most brackets of a document inside of each other"),
    setting("GATEWAY_MAX_DEPTH", "15", "most fields inside of each other, the last one included"),
    setting("GATEWAY_MAX_FIELDS", "10000", "most fields of a document, counted with its fragments spread"),
    setting("GATEWAY_MAX_ALIASES", "30", "most aliases of an operation, counted so"),
    setting("GATEWAY_MAX_ROOT_FIELDS", "20", "most fields at the top of an operation, counted so"),
    setting("GATEWAY_MAX_DIRECTIVES", "50", "most directives of an operation, counted so"),
    setting(
        "GATEWAY_MAX_INTROSPECTION_DEPTH",
        "2",
        "most lists of fields and types inside of each other where the schema is asked for",
    ),
    setting("GATEWAY_MAX_LIST", "1000", "most values of a list that is given, in a document or a variable"),
    setting("GATEWAY_MAX_VARIABLES", "128KiB", "most bytes of a request's variables, names and values"),
    setting("GATEWAY_MAX_BATCH", "0", "most requests in one body, as a list; 0: one, and no list"),
    setting("GATEWAY_MAX_CALLS", "500", "most upstream calls that an operation may need, less what the cache holds"),
    setting(
        "GATEWAY_MAX_CALLS_BY_SCOPE",
        "",
        "the same for callers with a scope, as contacts.readonly=100,contacts.write=500; of several, the most",
    ),
    setting("GATEWAY_MAX_SOCKETS", "10000", "most WebSockets and event streams at one time; more get 503"),
    setting("GATEWAY_MAX_SUBSCRIPTIONS", "100", "most subscriptions and other operations at one time on one WebSocket"),
    setting(
        "GATEWAY_POLL_INTERVAL",
        "60s",
        "how often a watched contact is looked at where no webhooks tell of its changes, with calls to spare; 0s: never",
    ),
    setting(
        "GATEWAY_TRUSTED_DOCUMENTS",
        "",
        "a manifest of documents that clients name by id: Apollo's, Relay's or graphql-codegen's; read again when it changes",
    ),
    setting("GATEWAY_TRUSTED_ONLY", "false", "refuses every document that is not in the manifest"),
    setting(
        "GATEWAY_INTROSPECTION",
        "true",
        "whether the schema is told; false: no introspection, no /schema.graphql, and errors name nothing but what was sent",
    ),
    setting(
        "GATEWAY_FEDERATION",
        "false",
        "whether the gateway is a subgraph of Apollo Federation 2, with entities that other subgraphs refer to; or 0 and 1",
    ),
    setting("GATEWAY_LOG", "info", "what is logged: error, warn, info, debug, or a filter by module"),
    setting("GATEWAY_LOG_FORMAT", "", "text or json; unset: text on a terminal, else json"),
];
