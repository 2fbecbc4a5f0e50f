//! The schema put together from its resources.

mod federation;

use async_graphql::{Context, ID, MergedObject, Object, ObjectType, SDLExportOptions, SimpleObject, ValidationMode};

use crate::graph::Request;
use crate::graph::cost::Fields;
use crate::resources;
use crate::resources::contact::{ContactMutation, ContactQuery, ContactSubscription};
use crate::resources::note::{NoteMutation, NoteQuery};
use crate::resources::task::{TaskMutation, TaskQuery};
use crate::upstream::Limits;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(ContactQuery, TaskQuery, NoteQuery, GatewayQuery);

/// Everything that can be changed. The mutations of a request run one after the other.
#[derive(MergedObject, Default)]
pub struct Mutation(ContactMutation, TaskMutation, NoteMutation);

/// The schema with these queries.
type Of<Q> = async_graphql::Schema<Q, Mutation, ContactSubscription>;

/// The schema as it is executed.
#[derive(Clone)]
pub enum Schema {
    /// By itself.
    Alone(Of<Query>),
    /// As a part of a federated graph.
    Subgraph(Of<federation::Query>),
}

impl Schema {
    /// `is_subgraph`: it is a part of a federated graph.
    pub fn new(is_subgraph: bool) -> Self {
        match is_subgraph {
            false => Self::Alone(build(Query::default())),
            true => Self::Subgraph(build(federation::Query::default())),
        }
    }

    /// The schema in GraphQL's schema definition language. The description that the library gives any schema by introspection is left
    /// out: some parsers do not know that a schema can have one.
    pub fn sdl(&self) -> String {
        let options = SDLExportOptions::new().use_space_ident().include_specified_by();
        match self {
            Self::Alone(schema) => schema.sdl_with_options(options),
            Self::Subgraph(schema) => schema.sdl_with_options(options),
        }
    }
}

/// Builds the schema. It executes documents that were fully validated before and validates them only for what
/// execution needs.
fn build<Q: ObjectType + 'static>(query: Q) -> Of<Q> {
    Of::build(query, Mutation::default(), ContactSubscription)
        .validation_mode(ValidationMode::Fast)
        // Nesting is bounded before a document gets here.
        .limit_recursive_depth(usize::MAX)
        .override_output_type_description::<ID>("The id of something upstream: a text that means nothing by itself.")
        .finish()
}

/// The schema by itself.
pub fn sdl() -> String {
    Schema::new(false).sdl()
}

/// The schema as a federated graph is composed of it.
pub fn federated_sdl() -> String {
    federation::sdl(&sdl())
}

/// What the fields of the schema cost; every one of them is in here once.
pub fn costs() -> impl Iterator<Item = &'static Fields> {
    resources::FIELDS.into_iter().flatten().chain(OWN).chain(federation::FIELDS)
}

const OWN: &[Fields] = &[
    Fields { on: "Query", costs: &[], at_hand: &["gateway"] },
    Fields { on: "Gateway", costs: &[], at_hand: &["version", "location", "scopes", "limits"] },
    Fields { on: "Location", costs: &[], at_hand: &["id", "name", "timezone"] },
    Fields {
        on: "UpstreamLimits",
        costs: &[],
        at_hand: &["max", "remaining", "windowMs", "dailyMax", "dailyRemaining", "dailyResetMs"],
    },
];

/// The gateway itself.
#[derive(Default)]
struct GatewayQuery;

/// The gateway itself.
#[Object]
impl GatewayQuery {
    /// The gateway itself: its version, and what this caller may do at which location.
    async fn gateway(&self) -> Gateway {
        Gateway
    }
}

struct Gateway;

/// The gateway, as this caller sees it.
#[Object]
impl Gateway {
    /// The gateway's version.
    async fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }

    /// The location that this request asks.
    async fn location(&self, ctx: &Context<'_>) -> Location {
        let request = Request::of(ctx);
        let account = request.account();
        Location {
            id: ID::from(&*account.location),
            name: account.name.as_deref().map(str::to_owned),
            timezone: account.timezone.iana_name().map(str::to_owned),
        }
    }

    /// What the caller may do, without what the location's credential is known to lack.
    async fn scopes(&self, ctx: &Context<'_>) -> Vec<String> {
        let request = Request::of(ctx);
        request.trail.note_untraced();
        let scopes = request.caller.scopes.iter().map(|scope| scope.as_str());
        scopes.filter(|scope| !request.account().lacks_still(scope)).map(str::to_owned).collect()
    }

    /// What the upstream last said of its limits for the location; null until it was called.
    async fn limits(&self, ctx: &Context<'_>) -> Option<UpstreamLimits> {
        let request = Request::of(ctx);
        request.trail.note_untraced();
        let limits = request.account().limits();
        (limits != Limits::default()).then(|| limits.into())
    }
}

/// A location that the gateway serves.
#[derive(SimpleObject)]
struct Location {
    /// The location's id upstream.
    id: ID,
    /// What the settings call it.
    name: Option<String>,
    /// The zone of upstream times that name none, as an IANA name.
    timezone: Option<String>,
}

/// The upstream's limits, as its last answer told them. Each is null until it was told.
#[derive(SimpleObject)]
struct UpstreamLimits {
    /// Calls allowed in one window.
    max: Option<u32>,
    /// Calls left in the window of the last answer.
    remaining: Option<u32>,
    /// Length of a window, in milliseconds.
    window_ms: Option<u64>,
    /// Calls allowed in a day.
    daily_max: Option<u32>,
    /// Calls left that day.
    daily_remaining: Option<u32>,
    /// Time from the last answer until the day's limit starts anew, in milliseconds.
    daily_reset_ms: Option<u64>,
}

impl From<Limits> for UpstreamLimits {
    fn from(limits: Limits) -> Self {
        let ms = |time: std::time::Duration| time.as_millis() as u64;
        Self {
            max: limits.max,
            remaining: limits.remaining,
            window_ms: limits.window.map(ms),
            daily_max: limits.daily_max,
            daily_remaining: limits.daily_remaining,
            daily_reset_ms: limits.daily_reset.map(ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Whoever adds a field says what it costs.
    #[test]
    fn every_field_of_the_schema_has_its_cost() {
        let schema = apollo_compiler::Schema::parse(Schema::new(true).sdl(), "schema.graphql").expect("a schema");
        let own = schema.types.values().filter(|kind| !kind.is_built_in()).filter_map(|kind| kind.as_object());
        let all: BTreeSet<String> =
            own.flat_map(|of| of.fields.keys().map(|field| format!("{}.{field}", of.name))).collect();
        let named = |of: &'static Fields| {
            let costs = of.costs.iter().map(|(field, _)| *field);
            costs.chain(of.at_hand.iter().copied()).map(|field| format!("{}.{field}", of.on))
        };
        let mut seen = BTreeSet::new();
        for field in costs().flat_map(named) {
            assert!(seen.insert(field.clone()), "{field} is there twice");
        }
        assert!(all.len() > 100);
        assert_eq!(seen, all);
    }
}
