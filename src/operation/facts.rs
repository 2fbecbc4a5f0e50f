//! What is known of an operation before it is executed.

use std::collections::{BTreeSet, HashSet};

use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Fragment, Operation, OperationType, Selection, SelectionSet};
use apollo_compiler::{Name, Node};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It reads.
    Query,
    /// It changes something.
    Mutation,
    /// It is told of changes.
    Subscription,
}

/// What is known of an operation.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What it does.
    pub kind: Kind,
    /// The types whose fields it selects.
    pub types: BTreeSet<Box<str>>,
    /// The fragments that it reaches.
    pub fragments: HashSet<Box<str>>,
    /// Whether it is introspection alone or in part: that has nothing to do with what changes.
    pub introspects: bool,
}

impl Facts {
    /// Looks an operation through, each of its fragments once.
    pub fn of(operation: &Operation, fragments: &IndexMap<Name, Node<Fragment>>) -> Self {
        let kind = match operation.operation_type {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        let mut facts = Self { kind, types: BTreeSet::new(), fragments: HashSet::new(), introspects: false };
        let mut ahead = vec![&operation.selection_set];
        while let Some(set) = ahead.pop() {
            facts.look_at(set, fragments, &mut ahead);
        }
        facts
    }

    fn look_at<'a>(
        &mut self,
        set: &'a SelectionSet,
        fragments: &'a IndexMap<Name, Node<Fragment>>,
        ahead: &mut Vec<&'a SelectionSet>,
    ) {
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    self.introspects |= matches!(field.name.as_str(), "__schema" | "__type");
                    if !self.types.contains(set.ty.as_str()) {
                        self.types.insert(set.ty.as_str().into());
                    }
                    ahead.push(&field.selection_set);
                }
                Selection::InlineFragment(inline) => ahead.push(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if self.fragments.insert(spread.fragment_name.as_str().into())
                        && let Some(fragment) = fragments.get(&spread.fragment_name)
                    {
                        ahead.push(&fragment.selection_set);
                    }
                }
            }
        }
    }

    /// Whether its answer may be kept, and shared by those who ask at one moment.
    pub fn may_be_kept(&self) -> bool {
        self.kind == Kind::Query && !self.introspects
    }
}
