//! What a document comes to once its fragments are spread: counted, with each fragment looked at once, before anything
//! walks it whole. A few hundred bytes of fragments that double at each level are millions of fields.

use std::collections::HashMap;

use apollo_compiler::ast::{Definition, Document, Selection};

use super::document::MAX_NESTING;
use crate::caller::{Scope, Scopes};
use crate::graph::Error;

/// What a selection comes to.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields, every time that they are spread.
    fields: u64,
    /// Fields inside of each other, the last one included.
    depth: usize,
    /// Selections and spreads inside of each other.
    levels: usize,
}

/// What an operation may come to.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Fields, every time that they are spread.
    pub fields: u64,
    /// Fields inside of each other.
    pub depth: usize,
    /// Upstream calls, for callers with each set of scopes.
    pub calls: [u64; Scopes::SETS],
}

impl Bounds {
    /// The calls for each set of scopes: the most of those that its scopes are given, and `otherwise` where they are given none.
    pub fn calls(otherwise: u64, by_scope: &[(String, u64)]) -> [u64; Scopes::SETS] {
        let mut calls = [otherwise; Scopes::SETS];
        for scopes in Scopes::sets() {
            let given =
                |scope: Scope| by_scope.iter().find(|(name, _)| name == scope.as_str()).map(|(_, calls)| *calls);
            calls[scopes.number()] = scopes.iter().filter_map(given).max().unwrap_or(otherwise);
        }
        calls
    }
}

/// Refuses a document of which an operation is over the bounds, or nests too deep by way of fragments.
pub fn check(document: &Document, most: Bounds) -> Result<(), Error> {
    let mut spread = Spread { bodies: HashMap::new(), known: HashMap::new() };
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            spread.bodies.insert(&fragment.name, &fragment.selection_set);
        }
    }
    for definition in &document.definitions {
        let Definition::OperationDefinition(operation) = definition else { continue };
        let size = spread.size(&operation.selection_set, 0)?;
        if size.depth > most.depth {
            let message = format!("The operation is {} fields deep; it can be {}.", size.depth, most.depth);
            return Err(Error::over("depth", message));
        }
        if size.fields > most.fields {
            let Size { fields, .. } = size;
            let most = most.fields;
            let message =
                format!("The operation selects {fields} fields once its fragments are spread; it can be {most}.");
            return Err(Error::over("fields", message));
        }
    }
    Ok(())
}

struct Spread<'a> {
    bodies: HashMap<&'a str, &'a [Selection]>,
    /// `None`: being looked at; a fragment that spreads itself is told by the validator.
    known: HashMap<&'a str, Option<Size>>,
}

impl<'a> Spread<'a> {
    fn size(&mut self, selections: &'a [Selection], above: usize) -> Result<Size, Error> {
        let mut size = Size::default();
        for selection in selections {
            let inner = match selection {
                Selection::Field(field) => {
                    size.fields = size.fields.saturating_add(1);
                    let inner = self.size(&field.selection_set, above + 1)?;
                    Size { depth: inner.depth + 1, ..inner }
                }
                Selection::InlineFragment(inline) => self.size(&inline.selection_set, above + 1)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.fragment_name, above + 1)?,
            };
            size.fields = size.fields.saturating_add(inner.fields);
            size.depth = size.depth.max(inner.depth);
            size.levels = size.levels.max(inner.levels + 1);
            if above + size.levels > MAX_NESTING {
                let message =
                    format!("The document nests deeper than {MAX_NESTING} levels once its fragments are spread.");
                return Err(Error::over("depth", message));
            }
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a str, above: usize) -> Result<Size, Error> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.unwrap_or_default());
        }
        let Some(body) = self.bodies.get(name).copied() else {
            return Ok(Size::default());
        };
        if above > MAX_NESTING {
            // The level below would say so too; going there first is what has to be avoided.
            return Ok(Size { levels: 1, ..Size::default() });
        }
        self.known.insert(name, None);
        let size = self.size(body, above)?;
        self.known.insert(name, Some(size));
        Ok(size)
    }
}
