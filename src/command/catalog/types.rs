//! GraphQL's types as JSON Schema: what variables may be, and what a selection answers.

use std::collections::BTreeMap;

use apollo_compiler::Schema;
use apollo_compiler::ast::{Type, Value as Literal};
use apollo_compiler::collections::IndexMap;
use apollo_compiler::executable::{Field, Fragment, Selection, SelectionSet};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::{Name, Node};
use serde_json::{Map, Value, json};

/// Describes types, and collects those that have a name.
pub struct Types<'a> {
    schema: &'a Schema,
    named: Map<String, Value>,
}

type Fragments = IndexMap<Name, Node<Fragment>>;

impl<'a> Types<'a> {
    pub fn new(schema: &'a Schema) -> Self {
        Self { schema, named: Map::new() }
    }

    /// The types that were named by what was described.
    pub fn named(self) -> Map<String, Value> {
        self.named
    }

    /// What may be given for this type.
    pub fn of_input(&mut self, ty: &Type, default: Option<&Literal>) -> Value {
        let schema = self.nullable(ty, |this, name| this.input(name));
        match default.and_then(literal) {
            Some(value) => with(schema, "default", value),
            None => schema,
        }
    }

    /// A value of this type, with as little in it as may be.
    pub fn sample(&self, ty: &Type) -> Value {
        match ty {
            Type::List(of) | Type::NonNullList(of) => json!([self.sample(of)]),
            Type::Named(name) | Type::NonNullNamed(name) => match self.schema.types.get(name) {
                Some(ExtendedType::Enum(of)) => {
                    of.values.keys().next().map_or(Value::Null, |value| json!(value.as_str()))
                }
                Some(ExtendedType::InputObject(of)) => {
                    let needed = of.fields.values().filter(|field| field.is_required());
                    Value::Object(needed.map(|field| (field.name.to_string(), self.sample(&field.ty))).collect())
                }
                _ => match name.as_str() {
                    "ID" => json!("ID"),
                    "DateTime" => json!("2026-06-15T15:00:00Z"),
                    "Int" | "Float" => json!(10),
                    "Boolean" => json!(true),
                    _ => json!("text"),
                },
            },
        }
    }

    /// What a selection answers.
    pub fn of_selection(&mut self, sets: &[&SelectionSet], fragments: &Fragments) -> Value {
        let mut fields = BTreeMap::new();
        sets.iter().for_each(|set| collect(set, fragments, false, &mut fields));
        let required: Vec<String> =
            fields.iter().filter(|(_, (_, maybe))| !maybe).map(|(key, _)| (*key).to_owned()).collect();
        let mut properties = Map::new();
        for (key, (same, _)) in &fields {
            let Some(field) = same.first() else { continue };
            let inside: Vec<&SelectionSet> = same.iter().map(|field| &field.selection_set).collect();
            let schema = self.nullable(field.ty(), |this, name| match field.selection_set.is_empty() {
                true => this.input(name),
                false => this.of_selection(&inside, fragments),
            });
            properties.insert((*key).to_owned(), schema);
        }
        json!({ "type": "object", "properties": properties, "required": required })
    }

    /// A type with its lists and its nulls around what is said of its name.
    fn nullable(&mut self, ty: &Type, of: impl Fn(&mut Self, &Name) -> Value + Copy) -> Value {
        let schema = match ty {
            Type::Named(name) | Type::NonNullNamed(name) => of(self, name),
            Type::List(item) | Type::NonNullList(item) => json!({ "type": "array", "items": self.nullable(item, of) }),
        };
        if ty.is_non_null() {
            return schema;
        }
        match schema.get("type").and_then(Value::as_str).map(str::to_owned) {
            Some(kind) => with(schema, "type", json!([kind, "null"])),
            // It may be anything as it is.
            None if schema.get("$ref").is_none() => schema,
            None => json!({ "anyOf": [schema, { "type": "null" }] }),
        }
    }

    /// A scalar, or a reference to what is collected.
    fn input(&mut self, name: &Name) -> Value {
        let schema = self.schema;
        let described = match schema.types.get(name) {
            Some(ExtendedType::Enum(of)) => {
                let values: Vec<&str> = of.values.keys().map(Name::as_str).collect();
                json!({ "type": "string", "enum": values })
            }
            Some(ExtendedType::InputObject(of)) => {
                if self.named.contains_key(name.as_str()) {
                    return reference(name);
                }
                // It is there before its fields are looked at: one of them may be of it.
                self.named.insert(name.to_string(), Value::Null);
                let required: Vec<&str> =
                    of.fields.values().filter(|field| field.is_required()).map(|field| field.name.as_str()).collect();
                let mut properties = Map::new();
                for field in of.fields.values() {
                    let schema = self.of_input(&field.ty, field.default_value.as_deref());
                    let schema = match &field.description {
                        Some(about) if schema.get("$ref").is_none() => with(schema, "description", json!(flat(about))),
                        _ => schema,
                    };
                    properties.insert(field.name.to_string(), schema);
                }
                json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
            }
            _ => {
                return match name.as_str() {
                    "Int" => json!({ "type": "integer", "format": "int32" }),
                    "Float" => json!({ "type": "number" }),
                    "Boolean" => json!({ "type": "boolean" }),
                    "DateTime" => json!({ "type": "string", "format": "date-time" }),
                    "JSON" => json!({}),
                    _ => json!({ "type": "string" }),
                };
            }
        };
        let about = schema.types.get(name).and_then(|of| of.description());
        let described = match about {
            Some(about) => with(described, "description", json!(flat(about))),
            None => described,
        };
        self.named.insert(name.to_string(), described);
        reference(name)
    }
}

/// The fields of a selection by their keys in the answer, each with whether a directive can leave it out.
fn collect<'s>(
    set: &'s SelectionSet,
    fragments: &'s Fragments,
    maybe: bool,
    fields: &mut BTreeMap<&'s str, (Vec<&'s Node<Field>>, bool)>,
) {
    for selection in &set.selections {
        let directives = selection.directives();
        let maybe = maybe || directives.has("skip") || directives.has("include");
        match selection {
            Selection::Field(field) => {
                let (same, left_out) = fields.entry(field.response_key().as_str()).or_insert((Vec::new(), true));
                same.push(field);
                *left_out &= maybe;
            }
            Selection::InlineFragment(inline) => collect(&inline.selection_set, fragments, maybe, fields),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = fragments.get(&spread.fragment_name) {
                    collect(&fragment.selection_set, fragments, maybe, fields);
                }
            }
        }
    }
}

fn reference(name: &Name) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// In one line.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn with(mut schema: Value, key: &str, value: Value) -> Value {
    if let Some(object) = schema.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
    schema
}

/// A default as JSON.
fn literal(value: &Literal) -> Option<Value> {
    Some(match value {
        Literal::Null => Value::Null,
        Literal::Enum(name) => json!(name.as_str()),
        Literal::String(text) => json!(text),
        Literal::Boolean(is) => json!(is),
        Literal::Int(number) => json!(number.try_to_i32().ok()?),
        Literal::Float(number) => json!(number.try_to_f64().ok()?),
        Literal::List(items) => Value::Array(items.iter().map(|item| literal(item)).collect::<Option<_>>()?),
        Literal::Object(fields) => {
            let field = |(name, value): &(Name, Node<Literal>)| Some((name.to_string(), literal(value)?));
            Value::Object(fields.iter().map(field).collect::<Option<_>>()?)
        }
        Literal::Variable(_) => return None,
    })
}
