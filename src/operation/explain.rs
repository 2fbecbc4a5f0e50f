//! What the operations of a document come to, found without an upstream and without what a cache holds.

use apollo_compiler::response::JsonMap;

use super::document::{Documents, Operation, Problem};
use super::guard::Bounds;
use super::plan::Plan;
use super::variables;

/// What an operation comes to.
pub struct Explained {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The calls that it needs at most when none of them fails.
    pub plan: Plan,
    /// Whether its answer may be kept, for as long as everything that it is made from.
    pub may_be_kept: bool,
}

/// The operation with this name, or all of them, each with its variables; or everything that is wrong.
pub fn explain(
    text: &str,
    name: Option<&str>,
    given: &JsonMap,
    bounds: Bounds,
) -> anyhow::Result<Result<Vec<Explained>, Vec<Problem>>> {
    let documents = Documents::new(0, bounds)?;
    let explained = |operation: &Operation| {
        let (variables, _) = variables(&documents, operation, given)?;
        let plan = operation.steps.plan(None, &variables);
        let may_be_kept = operation.facts.may_be_kept() && !plan.calls.is_empty();
        Ok(Explained { name: operation.name().map(str::to_owned), plan, may_be_kept })
    };
    let all = documents.get(text).and_then(|document| {
        let all = match name {
            None => document.operations().iter().map(explained).collect(),
            Some(_) => document.choose(name).and_then(explained).map(|one| vec![one]),
        };
        all.map_err(|problem| vec![problem])
    });
    Ok(all)
}
