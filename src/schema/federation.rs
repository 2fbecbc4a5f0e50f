//! The schema as a subgraph of Apollo Federation 2.

use async_graphql::{MergedObject, Object, SimpleObject};

use super::GatewayQuery;
use crate::graph::cost::Fields;
use crate::resources::contact::ContactQuery;
use crate::resources::entity::{EntityQuery, KEYS};
use crate::resources::note::NoteQuery;
use crate::resources::task::TaskQuery;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
#[graphql(name = "Query")]
pub struct Query(ContactQuery, TaskQuery, NoteQuery, GatewayQuery, EntityQuery, ServiceQuery);

/// What the fields cost.
pub const FIELDS: &[Fields] = &[
    Fields { on: "Query", costs: &[], at_hand: &["_service"] },
    Fields { on: "_Service", costs: &[], at_hand: &["sdl"] },
];

/// Types that mean the same in every graph, and that others may have as well.
const SHARED: &[&str] = &["PageInfo"];

/// What this is as a subgraph.
#[derive(Default)]
struct ServiceQuery;

/// What this is as a subgraph.
#[Object]
impl ServiceQuery {
    /// This gateway as a subgraph.
    #[graphql(name = "_service")]
    async fn service(&self) -> Service {
        Service { sdl: super::federated_sdl() }
    }
}

/// A subgraph.
#[derive(SimpleObject)]
#[graphql(name = "_Service")]
struct Service {
    /// Its schema, as a federated graph is composed of it.
    sdl: String,
}

/// The schema with what composition has to know. `@requiresScopes` stays the schema's own directive: a router that took it for its own
/// would refuse by the claims that it knows, and here callers are refused by those that count.
pub fn sdl(plain: &str) -> String {
    let mark = |text: String, on: &str, mark: &str| {
        text.replacen(&format!("\ntype {on} {{"), &format!("\ntype {on} {mark} {{"), 1)
    };
    let keyed = KEYS
        .iter()
        .fold(format!("\n{plain}"), |text, (on, key)| mark(text, on, &format!("@key(fields: \"{}\")", key.join(" "))));
    let marked = SHARED.iter().fold(keyed, |text, on| mark(text, on, "@shareable"));
    format!("{LINK}{marked}")
}

const LINK: &str =
    "extend schema @link(url: \"https://specs.apollo.dev/federation/v2.3\", import: [\"@key\", \"@shareable\"])\n";

#[cfg(test)]
mod tests {
    use super::*;

    /// A type that is not found would be left without its mark.
    #[test]
    fn each_type_with_a_key_has_it_in_the_sdl() {
        let sdl = super::super::federated_sdl();
        for (on, key) in KEYS {
            let line = format!("\ntype {on} @key(fields: \"{}\") {{\n", key.join(" "));
            assert_eq!(sdl.matches(&line).count(), 1, "{line}");
        }
        assert_eq!(sdl.matches("@key(").count(), KEYS.len());
        assert_eq!(sdl.matches("\ntype PageInfo @shareable {\n").count(), 1);
    }
}
