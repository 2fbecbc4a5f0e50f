//! An operation reduced to what costs something: built once for each document, without its variables.

use std::collections::HashMap;

use apollo_compiler::Node;
use apollo_compiler::ast::{Argument, DirectiveList, Value};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Field, Fragment, Selection, SelectionSet};
use apollo_compiler::{Name, executable};

use crate::graph::cost::{Cost, Fields};
use crate::graph::look::ENTITY;

/// A field that may cost something, and what there is of that inside of it.
pub struct Step {
    /// The field.
    pub field: &'static str,
    /// What it costs.
    pub cost: &'static Cost,
    /// What has to hold for it to be selected.
    pub when: Box<[When]>,
    /// What it is asked with.
    pub arguments: Box<[Node<Argument>]>,
    /// What its own fields cost.
    pub inside: Box<[Self]>,
}

/// A variable that `@include` or `@skip` goes by.
#[derive(Clone)]
pub struct When {
    /// The variable.
    pub variable: Name,
    /// The value with which the field is selected.
    pub is: bool,
}

/// What the fields of the schema cost, by type and field.
pub struct Table(HashMap<(&'static str, &'static str), (&'static str, &'static Cost)>);

impl Table {
    /// The table with these rows.
    pub fn new(fields: impl Iterator<Item = &'static Fields>) -> Self {
        let rows = fields.flat_map(|of| of.costs.iter().map(|(name, cost)| ((of.on, *name), (*name, cost))));
        Self(rows.collect())
    }

    /// The steps of an operation.
    pub fn steps(&self, operation: &executable::Operation, fragments: &IndexMap<Name, Node<Fragment>>) -> Box<[Step]> {
        let mut steps = Vec::new();
        self.add(&operation.selection_set, None, fragments, &[], &mut steps);
        steps.into()
    }

    /// Adds the steps of a selection; `on`: the only type that it is looked at for, where it is of several; `when`: what has to hold
    /// for it to be there. Fragments are looked through as often as they
    /// are spread; how many fields that comes to was bounded before.
    fn add(
        &self,
        set: &SelectionSet,
        on: Option<&str>,
        fragments: &IndexMap<Name, Node<Fragment>>,
        when: &[When],
        steps: &mut Vec<Step>,
    ) {
        let is_for = |other: &Name| on.is_none_or(|on| on == other.as_str() || other == ENTITY);
        for selection in &set.selections {
            match selection {
                Selection::Field(field) => {
                    if let Some(when) = with(when, &field.directives) {
                        self.field(field, &set.ty, fragments, when, steps);
                    }
                }
                Selection::InlineFragment(inline) => {
                    let is_for = inline.type_condition.as_ref().is_none_or(is_for);
                    if let Some(when) = with(when, &inline.directives).filter(|_| is_for) {
                        self.add(&inline.selection_set, on, fragments, &when, steps);
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let when = with(when, &spread.directives);
                    let fragment = fragments.get(&spread.fragment_name).filter(|of| is_for(of.type_condition()));
                    if let Some((fragment, when)) = fragment.zip(when) {
                        self.add(&fragment.selection_set, on, fragments, &when, steps);
                    }
                }
            }
        }
    }

    fn field(
        &self,
        field: &Field,
        on: &Name,
        fragments: &IndexMap<Name, Node<Fragment>>,
        when: Vec<When>,
        steps: &mut Vec<Step>,
    ) {
        let Some((name, cost)) = self.0.get(&(on.as_str(), field.name.as_str())) else {
            // It costs nothing itself: what is inside stands in its place.
            return self.add(&field.selection_set, None, fragments, &when, steps);
        };
        let same = |step: &Step| std::ptr::eq(step.cost, *cost) && step.when.is_empty();
        // A part that is asked for many times is told once.
        if matches!(cost, Cost::Part { .. }) && when.is_empty() && steps.iter().any(same) {
            return;
        }
        let mut inside = Vec::new();
        match cost {
            Cost::Entities(_, types) => inside.extend(types.iter().map(|(on, cost)| {
                let mut inside = Vec::new();
                self.add(&field.selection_set, Some(on), fragments, &[], &mut inside);
                Step { field: on, cost, when: [].into(), arguments: [].into(), inside: inside.into() }
            })),
            _ => self.add(&field.selection_set, None, fragments, &[], &mut inside),
        }
        let arguments = match cost {
            Cost::Record(..) | Cost::Records(..) | Cost::Entities(..) | Cost::List(_) | Cost::Change(_) => {
                field.arguments.clone()
            }
            _ => Vec::new(),
        };
        let (arguments, inside) = (arguments.into(), inside.into());
        steps.push(Step { field: name, cost, when: when.into(), arguments, inside });
    }
}

/// The conditions with those of the directives; `None`: they can never hold.
fn with(when: &[When], directives: &DirectiveList) -> Option<Vec<When>> {
    let mut all = when.to_vec();
    for (name, is) in [("include", true), ("skip", false)] {
        let argument = directives.get(name).and_then(|directive| directive.specified_argument_by_name("if"));
        match argument.map(|value| &**value) {
            Some(Value::Variable(variable)) => all.push(When { variable: variable.clone(), is }),
            Some(Value::Boolean(said)) if *said != is => return None,
            _ => {}
        }
    }
    Some(all)
}

/// Adds the fields of steps, each once.
pub fn fields(steps: &[Step], to: &mut Vec<&'static str>) {
    for step in steps {
        if !to.contains(&step.field) {
            to.push(step.field);
        }
        fields(&step.inside, to);
    }
}

/// How many bytes steps take, about.
pub fn bytes(steps: &[Step]) -> usize {
    let inside = |step: &Step| {
        bytes(&step.inside) + size_of_val(&*step.when) + size_of_val(&*step.arguments) + size_of::<Step>()
    };
    steps.iter().map(inside).sum()
}
