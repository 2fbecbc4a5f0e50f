//! The operations of a manifest, each with how it is called, what it takes and what it answers.

use std::collections::HashMap;

use apollo_compiler::ast::VariableDefinition;
use apollo_compiler::executable::{Operation, OperationType};
use apollo_compiler::response::JsonMap;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use serde_json::Value;

use super::types::Types;
use crate::config::manifest;
use crate::operation::{Bounds, Explainer};
use crate::schema;

/// What can be called.
pub struct Catalog {
    /// Where callers reach the gateway.
    pub url: String,
    /// Whether it lets everybody in.
    pub is_open: bool,
    /// The operations, in the manifest's order.
    pub operations: Vec<Named>,
    /// The types of what they take.
    pub types: serde_json::Map<String, Value>,
}

/// A trusted operation.
pub struct Named {
    /// The id of its document.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Whether the name finds it: no other document has an operation of this name.
    pub has_address: bool,
    /// Whether it reads, changes or watches.
    pub kind: OperationType,
    /// What it takes.
    pub variables: Vec<Variable>,
    /// The JSON Schema of its data.
    pub data: Value,
    /// The most upstream calls that it needs, if that does not depend on its variables.
    pub calls: Option<u64>,
    /// The scopes that it needs.
    pub scopes: Vec<&'static str>,
}

/// A variable of an operation.
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether it has to be given.
    pub is_required: bool,
    /// Its JSON Schema.
    pub schema: Value,
    /// A value that it can have.
    pub sample: Value,
}

impl Named {
    /// What it is called where it has no name of its own.
    pub fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Its variables with the samples of those that are required.
    pub fn samples(&self) -> Value {
        let required = self.variables.iter().filter(|variable| variable.is_required);
        Value::Object(required.map(|variable| (variable.name.clone(), variable.sample.clone())).collect())
    }

    /// What it is for, for people.
    pub fn about(&self) -> String {
        let kind = match self.kind {
            OperationType::Query => "Reads",
            OperationType::Mutation => "Changes something; it is sent by POST",
            OperationType::Subscription => {
                "Watches, as a stream of events; it is sent by POST with `accept: text/event-stream`"
            }
        };
        let each = if self.kind == OperationType::Subscription { " for each change" } else { "" };
        let calls = self.calls.map(|calls| format!(" At most {calls} upstream calls{each}.")).unwrap_or_default();
        let scopes = match self.scopes.is_empty() {
            true => String::new(),
            false => format!(" Scopes: {}.", self.scopes.join(", ")),
        };
        format!("{kind}.{calls}{scopes}")
    }
}

impl Catalog {
    /// Reads a manifest; `Ok(Err(_))`: what is wrong with its documents.
    pub fn read(text: &str, url: &str, is_open: bool, bounds: Bounds) -> anyhow::Result<Result<Self, Vec<String>>> {
        let schema = Schema::parse_and_validate(schema::sdl(), "schema.graphql")
            .map_err(|problem| anyhow::anyhow!("the schema is not valid: {}", problem.errors))?;
        let explainer = Explainer::new(bounds)?;
        let documents = match manifest::parse(text) {
            Ok(documents) => documents,
            Err(why) => return Ok(Err(vec![why])),
        };
        let mut seen: HashMap<String, usize> = HashMap::new();
        for name in documents.iter().flat_map(|document| &document.names) {
            *seen.entry(name.clone()).or_default() += 1;
        }
        let mut types = Types::new(&schema);
        let (mut operations, mut problems) = (Vec::new(), Vec::new());
        for document in &documents {
            let valid = match ExecutableDocument::parse_and_validate(&schema, &document.text, "document.graphql") {
                Ok(valid) => valid,
                Err(broken) => {
                    let messages = broken.errors.iter().map(|one| one.to_json().message);
                    problems.extend(messages.map(|message| format!("{}: {message}", document.id)));
                    continue;
                }
            };
            for operation in valid.operations.iter() {
                let name = operation.name.as_ref().map(ToString::to_string);
                let variables: Vec<Variable> =
                    operation.variables.iter().map(|variable| described(variable, &mut types)).collect();
                let plan = planned(&explainer, &document.text, operation);
                operations.push(Named {
                    id: document.id.clone(),
                    has_address: name.as_ref().is_some_and(|name| seen.get(name) == Some(&1)),
                    name,
                    kind: operation.operation_type,
                    data: types.of_selection(&[&operation.selection_set], &valid.fragments),
                    variables,
                    calls: plan.as_ref().map(|plan| plan.0),
                    scopes: plan.map(|plan| plan.1).unwrap_or_default(),
                });
            }
        }
        if problems.is_empty() {
            let (url, types) = (url.to_owned(), types.named());
            Ok(Ok(Self { url, is_open, operations, types }))
        } else {
            Ok(Err(problems))
        }
    }
}

fn described(variable: &Node<VariableDefinition>, types: &mut Types<'_>) -> Variable {
    let schema = types.of_input(&variable.ty, variable.default_value.as_deref());
    let is_required = variable.ty.is_non_null() && variable.default_value.is_none();
    Variable { name: variable.name.to_string(), is_required, schema, sample: types.sample(&variable.ty) }
}

/// How many calls an operation needs, and with which scopes.
fn planned(explainer: &Explainer, text: &str, operation: &Operation) -> Option<(u64, Vec<&'static str>)> {
    let all = explainer.explain_by_name(text, &JsonMap::new()).ok()?;
    let name = operation.name.as_ref().map(|name| name.as_str());
    let one = all.into_iter().find(|one| one.name.as_deref() == name)?;
    Some((one.plan.count(), one.plan.scopes().into_iter().collect()))
}
