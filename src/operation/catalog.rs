//! What each field of the schema needs of the upstream, from the tables that plans are made of.

use std::collections::BTreeSet;

use apollo_compiler::Schema;
use apollo_compiler::schema::{ExtendedType, FieldDefinition};

use crate::graph::cost::{Call, Cost};
use crate::graph::{Code, error};
use crate::schema;

/// A field that can be asked for, with what it needs.
pub struct Entry {
    /// The type that it is a field of.
    pub on: &'static str,
    /// Its name.
    pub field: &'static str,
    /// What the schema says of it, in its first sentence.
    pub about: String,
    /// The calls that it needs; none: it has its value from what it is a field of, or waits until it is told.
    pub needs: Vec<Need>,
    /// The scopes that it takes, with those of its calls.
    pub scopes: BTreeSet<&'static str>,
    /// What can be told of it as an error, beside what any request can be told.
    pub codes: Vec<&'static str>,
}

/// A call that a field needs, and how often at most.
pub struct Need {
    /// The call.
    pub call: &'static Call,
    /// For what there is one of it.
    pub each: Each,
}

/// For what there is one call.
pub enum Each {
    /// For the field.
    Field,
    /// For each of the different ids of this argument.
    Id(&'static str),
    /// For each page of so many rows; `first` says how many rows, and if it does not, there are so many.
    Page(usize, usize),
    /// For each contact, task, note or appointment whose field it is.
    Record,
    /// For each contact of a list; a contact that is read by its id has it already.
    Row,
}

/// The codes that errors have.
pub fn codes() -> impl Iterator<Item = &'static str> {
    Code::ALL.into_iter().map(Code::as_str)
}

/// Those of them that any call can end in.
pub fn of_calls() -> impl Iterator<Item = &'static str> {
    error::OF_CALLS.into_iter().map(Code::as_str)
}

/// The fields at the top, and those of other types that cost something.
pub fn entries() -> anyhow::Result<Vec<Entry>> {
    let schema = Schema::parse(schema::sdl(), "schema.graphql")
        .map_err(|problem| anyhow::anyhow!("the schema cannot be read: {}", problem.errors))?;
    let mut entries = Vec::new();
    for of in schema::costs() {
        let is_root = ["Query", "Mutation", "Subscription"].contains(&of.on);
        let free = of.at_hand.iter().filter(|_| is_root).map(|field| (*field, None));
        for (field, cost) in of.costs.iter().map(|(field, cost)| (*field, Some(cost))).chain(free) {
            // What only a subgraph has is asked by a router.
            let Ok(definition) = schema.type_field(of.on, field) else { continue };
            let needs = cost.map(needs).unwrap_or_default();
            if !is_root && needs.is_empty() {
                continue;
            }
            let watches = match cost {
                Some(Cost::Watch(scope)) => Some(scope.as_str()),
                _ => None,
            };
            entries.push(Entry {
                on: of.on,
                field,
                about: sentence(definition),
                codes: fails(cost, definition, &schema),
                scopes: needs.iter().map(|need| need.call.route.scope).chain(watches).collect(),
                needs,
            });
        }
    }
    Ok(entries)
}

fn needs(cost: &'static Cost) -> Vec<Need> {
    let once = |call, each| vec![Need { call, each }];
    match cost {
        Cost::Record(call, _) => once(call, Each::Field),
        Cost::Records(call, ids) => once(call, Each::Id(ids)),
        Cost::Entities(_, kinds) => kinds.iter().flat_map(|(_, cost)| needs(cost)).collect(),
        Cost::List(pages) => once(&pages.page, Each::Page(pages.most, pages.first)),
        Cost::OfContact(call) | Cost::Contact(call) => once(call, Each::Record),
        Cost::Part { of, in_rows: false } => once(of, Each::Row),
        Cost::Change(change) => once(&change.call, Each::Field),
        Cost::NextPage | Cost::Part { in_rows: true, .. } | Cost::Watch(_) => Vec::new(),
    }
}

/// What can go wrong with a field: its arguments, what it names, and each call.
fn fails(cost: Option<&Cost>, field: &FieldDefinition, schema: &Schema) -> Vec<&'static str> {
    let mut codes = Vec::new();
    if !field.arguments.is_empty() {
        codes.push(Code::BadUserInput);
    }
    if let Some(Cost::Change(change)) = cost {
        if !change.ids.is_empty() {
            codes.push(Code::NotFound);
        }
        if takes_address(field, schema) {
            codes.push(Code::Conflict);
        }
    }
    match cost {
        Some(Cost::Watch(_)) => codes.push(Code::Forbidden),
        Some(_) => codes.extend(error::OF_CALLS),
        None => {}
    }
    codes.into_iter().map(Code::as_str).collect()
}

/// Whether a contact's mail address or phone number can be in its input: those may be another contact's already.
fn takes_address(field: &FieldDefinition, schema: &Schema) -> bool {
    field.arguments.iter().any(|argument| match schema.types.get(argument.ty.inner_named_type()) {
        Some(ExtendedType::InputObject(input)) => {
            ["email", "phone"].iter().any(|name| input.fields.contains_key(*name))
        }
        _ => false,
    })
}

fn sentence(field: &FieldDefinition) -> String {
    let text = field.description.as_deref().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    let end = text.find(['.', ';', ':']).unwrap_or(text.len());
    format!("{}.", text[..end].trim_end())
}
