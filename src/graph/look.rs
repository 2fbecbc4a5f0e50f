//! What is selected inside of a field, as far as readings are begun by it.

use async_graphql::Context;
use async_graphql::parser::types::{Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql::{Name, Positioned};
use std::collections::HashMap;

/// The union of everything that is found by its key: what is selected of it is selected of each.
pub const ENTITY: &str = "_Entity";

/// What is selected of an object: by one field, or by several that are merged.
pub struct Look<'a> {
    fields: Vec<&'a Field>,
    /// The type of the object, where the field could have others: fragments on those are not for it.
    on: Option<&'static str>,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
}

impl<'a> Look<'a> {
    /// What the field that is resolved selects of an object of this type.
    pub fn at(ctx: &Context<'a>, on: &'static str) -> Self {
        Self { fields: vec![&ctx.item.node], on: Some(on), fragments: &ctx.query_env.fragments }
    }

    /// What is selected of the object that a field of it has.
    pub fn field(&self, name: &str) -> Self {
        let mut fields = Vec::new();
        self.fields.iter().for_each(|field| self.add(&field.selection_set.node, name, &mut fields));
        Self { fields, on: None, fragments: self.fragments }
    }

    /// Whether it is selected at all.
    pub fn exists(&self) -> bool {
        !self.fields.is_empty()
    }

    fn add(&self, set: &'a SelectionSet, name: &str, fields: &mut Vec<&'a Field>) {
        let is_for = |on: &str| self.on.is_none_or(|own| own == on || on == ENTITY);
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) if field.node.name.node == name => fields.push(&field.node),
                Selection::Field(_) => {}
                Selection::InlineFragment(inline) => {
                    let on = inline.node.type_condition.as_ref();
                    if on.is_none_or(|on| is_for(&on.node.on.node)) {
                        self.add(&inline.node.selection_set.node, name, fields);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let fragment = self.fragments.get(&spread.node.fragment_name.node);
                    if let Some(fragment) = fragment.filter(|of| is_for(&of.node.type_condition.node.on.node)) {
                        self.add(&fragment.node.selection_set.node, name, fields);
                    }
                }
            }
        }
    }
}
