//! What a document comes to once its fragments are spread: counted, with each fragment looked at once, before anything
//! walks it whole. A few hundred bytes of fragments that double at each level are millions of fields.

use std::collections::{HashMap, HashSet};
use std::ops::Add;

use apollo_compiler::ast::{Argument, Definition, Directive, Document, OperationDefinition, Selection, Value};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::{Name, Node};

use crate::caller::{Scope, Scopes};
use crate::graph::error::brief;
use crate::graph::{Code, Error};

/// What an operation may come to.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Words, numbers, texts and marks of a document.
    pub tokens: usize,
    /// Selections, lists and objects inside of each other.
    pub nesting: usize,
    /// Fields inside of each other.
    pub depth: usize,
    /// Fields, every time that they are spread, of all operations of a document.
    pub fields: u64,
    /// Fields of an operation that have an alias.
    pub aliases: u64,
    /// Fields at the top of an operation.
    pub root_fields: u64,
    /// Directives of an operation.
    pub directives: u64,
    /// Lists of fields, types or values inside of each other in what asks for the schema.
    pub introspection_depth: usize,
    /// Values of a list that is given.
    pub list: usize,
    /// Bytes of the variables, names and values.
    pub variables: usize,
    /// Upstream calls, for callers with each set of scopes.
    pub calls: [u64; Scopes::SETS],
    /// Whether the schema is told: by introspection, and in what is said of a document that does not fit it.
    pub tells_schema: bool,
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

/// What a selection comes to.
#[derive(Clone, Copy, Default)]
struct Size {
    /// Fields, every time that they are spread.
    fields: u64,
    aliases: u64,
    directives: u64,
    /// Fields that stand in the selection itself.
    own: u64,
    /// Fields inside of each other, the last one included.
    depth: usize,
    /// Selections and spreads inside of each other.
    levels: usize,
    /// Fields inside of each other that list a part of the schema.
    lists: usize,
}

/// One beside the other.
impl Add for Size {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            fields: self.fields.saturating_add(other.fields),
            aliases: self.aliases.saturating_add(other.aliases),
            directives: self.directives.saturating_add(other.directives),
            own: self.own.saturating_add(other.own),
            depth: self.depth.max(other.depth),
            levels: self.levels.max(other.levels),
            lists: self.lists.max(other.lists),
        }
    }
}

/// Refuses a document of which an operation is over the bounds, or nests too deep by way of fragments.
pub fn check(document: &Document, most: &Bounds) -> Result<(), Error> {
    let mut spread = Spread { most, bodies: HashMap::new(), known: HashMap::new() };
    for definition in &document.definitions {
        if let Definition::FragmentDefinition(fragment) = definition {
            spread.bodies.insert(&fragment.name, (&fragment.selection_set, &fragment.directives));
        }
    }
    // The work that many operations make by the same fragments is that of each.
    let mut fields = 0;
    for definition in &document.definitions {
        let Definition::OperationDefinition(operation) = definition else { continue };
        let size = spread.operation(operation)?;
        fields = size.fields.saturating_add(fields);
        judge(Size { fields, ..size }, most)?;
    }
    Ok(())
}

fn judge(size: Size, most: &Bounds) -> Result<(), Error> {
    if size.depth > most.depth {
        let message = format!("The operation is {} fields deep; it can be {}.", size.depth, most.depth);
        return Err(Error::over("depth", message));
    }
    let counted = [
        ("root_fields", size.own, most.root_fields, "fields at its top"),
        ("aliases", size.aliases, most.aliases, "aliases"),
        ("directives", size.directives, most.directives, "directives"),
        ("fields", size.fields, most.fields, "fields"),
    ];
    for (guard, is, most, of) in counted {
        if is > most {
            let message = format!(
                "The operation has {is} {of} once its fragments are spread; it can have {most}: ask for less at once."
            );
            return Err(Error::over(guard, message));
        }
    }
    if size.lists > most.introspection_depth {
        let message = format!(
            "What asks for the schema lists parts of it {} deep; it can {} deep. No tool needs more.",
            size.lists, most.introspection_depth
        );
        return Err(Error::over("introspection_depth", message));
    }
    Ok(())
}

struct Spread<'a> {
    most: &'a Bounds,
    /// Each with the directives of its definition.
    bodies: HashMap<&'a str, (&'a [Selection], &'a [Node<Directive>])>,
    /// `None`: being looked at; a fragment that spreads itself is told by the validator.
    known: HashMap<&'a str, Option<Size>>,
}

impl<'a> Spread<'a> {
    fn operation(&mut self, operation: &'a OperationDefinition) -> Result<Size, Error> {
        let mut directives = self.directives(&operation.directives)?;
        for variable in &operation.variables {
            directives += self.directives(&variable.directives)?;
            if let Some(value) = &variable.default_value {
                self.value(value)?;
            }
        }
        let size = self.size(&operation.selection_set, 0)?;
        Ok(size + Size { directives, ..Size::default() })
    }

    fn size(&mut self, selections: &'a [Selection], above: usize) -> Result<Size, Error> {
        let mut size = Size::default();
        for selection in selections {
            let (inner, directives) = match selection {
                Selection::Field(field) => {
                    if !self.most.tells_schema && matches!(field.name.as_str(), "__schema" | "__type" | "_service") {
                        return Err(Error::new(Code::Forbidden, NOT_TOLD).by("introspection"));
                    }
                    self.arguments(&field.arguments)?;
                    let inner = self.size(&field.selection_set, above + 1)?;
                    let inner = Size {
                        fields: inner.fields.saturating_add(1),
                        aliases: inner.aliases.saturating_add(field.alias.is_some().into()),
                        own: 1,
                        depth: inner.depth + 1,
                        lists: inner.lists + usize::from(lists_schema(&field.name)),
                        ..inner
                    };
                    (inner, &field.directives)
                }
                Selection::InlineFragment(inline) => (self.size(&inline.selection_set, above + 1)?, &inline.directives),
                Selection::FragmentSpread(spread) => {
                    (self.fragment(&spread.fragment_name, above + 1)?, &spread.directives)
                }
            };
            let directives = self.directives(directives)?;
            size = size + Size { levels: inner.levels + 1, ..inner } + Size { directives, ..Size::default() };
            if above + size.levels > self.most.nesting {
                let most = self.most.nesting;
                let message = format!("The document nests deeper than {most} levels once its fragments are spread.");
                return Err(Error::over("depth", message));
            }
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a str, above: usize) -> Result<Size, Error> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.unwrap_or_default());
        }
        let Some((body, directives)) = self.bodies.get(name).copied() else {
            return Ok(Size::default());
        };
        if above > self.most.nesting {
            // The level below would say so too; going there first is what has to be avoided.
            return Ok(Size { levels: 1, ..Size::default() });
        }
        self.known.insert(name, None);
        let directives = self.directives(directives)?;
        let size = self.size(body, above)? + Size { directives, ..Size::default() };
        self.known.insert(name, Some(size));
        Ok(size)
    }

    /// How many there are.
    fn directives(&self, all: &[Node<Directive>]) -> Result<u64, Error> {
        for directive in all {
            self.arguments(&directive.arguments)?;
        }
        Ok(all.len() as u64)
    }

    fn arguments(&self, all: &[Node<Argument>]) -> Result<(), Error> {
        all.iter().try_for_each(|argument| self.value(&argument.value))
    }

    /// How deep a text nests was looked at before.
    fn value(&self, value: &Value) -> Result<(), Error> {
        match value {
            Value::List(list) => {
                long(list.len(), self.most.list)?;
                list.iter().try_for_each(|value| self.value(value))
            }
            Value::Object(fields) => {
                once_each(fields)?;
                fields.iter().try_for_each(|(_, value)| self.value(value))
            }
            _ => Ok(()),
        }
    }
}

/// What GraphiQL shows instead of the schema.
const NOT_TOLD: &str = "Introspection is off at this gateway: the schema is not told. Operations run all the same.";

/// Whether what a field of the schema's own types answers is a list that leads to more of them.
fn lists_schema(name: &Name) -> bool {
    matches!(name.as_str(), "fields" | "interfaces" | "possibleTypes" | "inputFields")
}

/// Refuses an input object that has a field twice. The validator does not know this rule of the specification.
fn once_each(fields: &[(Name, Node<Value>)]) -> Result<(), Error> {
    let mut seen = HashSet::with_capacity(fields.len());
    match fields.iter().find(|(name, _)| !seen.insert(name)) {
        Some((name, _)) => {
            let message = format!("The input field `{}` is there twice.", brief(name));
            Err(Error::new(Code::ValidationFailed, message))
        }
        None => Ok(()),
    }
}

/// Refuses a list that is too long.
pub fn long(length: usize, most: usize) -> Result<(), Error> {
    match length > most {
        true => Err(Error::over("list", format!("A list has {length} values; it can have {most}."))),
        false => Ok(()),
    }
}

/// Refuses variables that are too much, nest too deep, or hold a list that is too long.
pub fn check_variables(given: &JsonMap, most: &Bounds) -> Result<(), Error> {
    let bytes = object(given, most.nesting, most)?;
    match bytes > most.variables {
        true => {
            let most = most.variables;
            let message = format!("The variables have {bytes} bytes, names and values; they can have {most}.");
            Err(Error::bad_input(message).by("variables"))
        }
        false => Ok(()),
    }
}

/// Bytes of names and values; `deeper`: how far they may nest.
fn object(fields: &JsonMap, deeper: usize, most: &Bounds) -> Result<usize, Error> {
    fields.iter().try_fold(0, |sum, (name, value)| Ok(sum + name.as_str().len() + size(value, deeper, most)?))
}

fn size(value: &JsonValue, deeper: usize, most: &Bounds) -> Result<usize, Error> {
    let nested = || {
        let message = format!("The variables nest deeper than {} levels.", most.nesting);
        deeper.checked_sub(1).ok_or_else(|| Error::bad_input(message).by("nesting"))
    };
    match value {
        JsonValue::String(text) => Ok(text.as_str().len()),
        JsonValue::Array(list) => {
            let deeper = nested()?;
            long(list.len(), most.list)?;
            list.iter().try_fold(0, |sum, value| Ok(sum + size(value, deeper, most)?))
        }
        JsonValue::Object(fields) => object(fields, nested()?, most),
        // About what a number takes.
        _ => Ok(8),
    }
}
