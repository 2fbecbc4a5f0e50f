//! What the operations of a document come to, found without an upstream and without what a cache holds.

use apollo_compiler::response::JsonMap;

use super::document::{Documents, Operation, Problem};
use super::guard::Bounds;
use super::plan::Plan;
use super::variables;
use crate::schema::Schema;

/// What an operation comes to.
pub struct Explained {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The calls that it needs at most when none of them fails.
    pub plan: Plan,
    /// Whether its answer may be kept, for as long as everything that it is made from.
    pub may_be_kept: bool,
}

/// Explains documents.
pub struct Explainer(Documents);

impl Explainer {
    /// `bounds`: what an operation may come to.
    pub fn new(bounds: Bounds) -> anyhow::Result<Self> {
        // Of the schema with everything in it: what a router asks of entities is explained, too.
        Ok(Self(Documents::new(&Schema::new(true), 0, bounds)?))
    }

    /// The operation with this name, or all of them, each with its variables; or everything that is wrong.
    pub fn explain(&self, text: &str, name: Option<&str>, given: &JsonMap) -> Result<Vec<Explained>, Vec<Problem>> {
        let explained = |operation: &Operation| self.explained(operation, given);
        let document = self.0.get(text)?;
        let all = match name {
            None => document.operations().iter().map(explained).collect(),
            Some(_) => document.choose(name).and_then(explained).map(|one| vec![one]),
        };
        all.map_err(|problem| vec![problem])
    }

    /// All operations of a document, each with the variables that are given for its name. For an id, a text or a date that is missing
    /// any will do: the number of calls does not depend on it.
    pub fn explain_by_name(&self, text: &str, given: &JsonMap) -> Result<Vec<Explained>, Vec<Problem>> {
        let explained = |operation: &Operation| {
            let given = operation.name().and_then(|name| given.get(name)?.as_object());
            let mut variables = operation.stand_ins();
            variables.extend(given.cloned().unwrap_or_default());
            self.explained(operation, &variables)
        };
        let document = self.0.get(text)?;
        document.operations().iter().map(explained).collect::<Result<_, _>>().map_err(|problem| vec![problem])
    }

    fn explained(&self, operation: &Operation, given: &JsonMap) -> Result<Explained, Problem> {
        let (variables, _) = variables(&self.0, operation, given)?;
        let plan = operation.steps.plan(None, &variables);
        let may_be_kept = operation.facts.may_be_kept() && !plan.calls.is_empty();
        Ok(Explained { name: operation.name().map(str::to_owned), plan, may_be_kept })
    }
}
