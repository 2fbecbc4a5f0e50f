//! What is known of an operation before it is executed.

use std::collections::{BTreeSet, HashSet};

use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Fragment, Operation, OperationType, Selection, SelectionSet};
use apollo_compiler::{Name, Node};

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It reads.
    Query,
    /// It changes something.
    Mutation,
    /// It is told of changes.
    Subscription,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Query, Self::Mutation, Self::Subscription];

    /// As GraphQL has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
        }
    }
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
    /// Whether a field with a selection stands twice where its values have to be merged, by itself or through fragments.
    pub merges: bool,
}

impl Facts {
    /// Looks an operation through, each of its fragments once.
    pub fn of(operation: &Operation, fragments: &IndexMap<Name, Node<Fragment>>) -> Self {
        let kind = match operation.operation_type {
            OperationType::Query => Kind::Query,
            OperationType::Mutation => Kind::Mutation,
            OperationType::Subscription => Kind::Subscription,
        };
        let merges = merges(&operation.selection_set, fragments, &mut HashSet::new());
        let mut facts = Self { kind, types: BTreeSet::new(), fragments: HashSet::new(), introspects: false, merges };
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

/// Whether a response key with a selection is in a set twice, or in one below it. `seen`: the keys of the object so far. Fragments are
/// looked through as often as they are spread; how many fields that comes to was bounded before.
fn merges<'a>(
    set: &'a SelectionSet,
    fragments: &'a IndexMap<Name, Node<Fragment>>,
    seen: &mut HashSet<&'a str>,
) -> bool {
    set.selections.iter().any(|selection| match selection {
        Selection::Field(field) if field.selection_set.selections.is_empty() => false,
        Selection::Field(field) => {
            !seen.insert(field.response_key().as_str()) || merges(&field.selection_set, fragments, &mut HashSet::new())
        }
        Selection::InlineFragment(inline) => merges(&inline.selection_set, fragments, seen),
        Selection::FragmentSpread(spread) => fragments
            .get(&spread.fragment_name)
            .is_some_and(|fragment| merges(&fragment.selection_set, fragments, seen)),
    })
}
