//! The values of arguments, from the document or from variables, as far as plans need them.

use std::borrow::Cow;

use apollo_compiler::ast::Value as Literal;
use async_graphql::{Value, Variables};

use super::steps::{Step, When};

/// The variables of a request.
#[derive(Clone, Copy)]
pub struct Given<'a>(pub &'a Variables);

/// A value, wherever it was given.
#[derive(Clone, Copy)]
pub enum Is<'a> {
    Literal(&'a Literal),
    Value(&'a Value),
}

impl<'a> Given<'a> {
    fn variable(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// Whether all of this holds.
    pub fn holds(self, when: &[When]) -> bool {
        when.iter().all(|when| self.variable(&when.variable) == Some(&Value::Boolean(when.is)))
    }

    fn is(self, literal: &'a Literal) -> Option<Is<'a>> {
        match literal {
            Literal::Null => None,
            Literal::Variable(name) => self.variable(name).filter(|value| **value != Value::Null).map(Is::Value),
            literal => Some(Is::Literal(literal)),
        }
    }

    /// The value of an argument; `None`: there is none, or null.
    pub fn argument(self, step: &'a Step, name: &str) -> Option<Is<'a>> {
        let argument = step.arguments.iter().find(|argument| argument.name == name)?;
        self.is(&argument.value)
    }

    /// The value of a field of the argument `input`.
    pub fn of_input(self, step: &'a Step, name: &str) -> Option<Is<'a>> {
        self.field(self.argument(step, "input")?, name)
    }

    /// The value of a field of an object.
    pub fn field(self, object: Is<'a>, name: &str) -> Option<Is<'a>> {
        match object {
            Is::Literal(Literal::Object(fields)) => {
                let (_, value) = fields.iter().find(|(field, _)| field == name)?;
                self.is(value)
            }
            Is::Value(Value::Object(fields)) => fields.get(name).map(Is::Value),
            _ => None,
        }
    }

    /// The items of a list; a value that is none stands for a list of itself.
    pub fn items(self, list: Is<'a>) -> Vec<Option<Is<'a>>> {
        match list {
            Is::Literal(Literal::List(items)) => items.iter().map(|item| self.is(item)).collect(),
            Is::Value(Value::List(items)) => items.iter().map(|item| Some(Is::Value(item))).collect(),
            single => vec![Some(single)],
        }
    }

    /// How many items a list has.
    pub fn count(self, list: Is<'a>) -> usize {
        match list {
            Is::Literal(Literal::List(items)) => items.len(),
            Is::Value(Value::List(items)) => items.len(),
            _ => 1,
        }
    }
}

impl<'a> Is<'a> {
    /// As a text; ids may be numbers, too.
    pub fn text(self) -> Option<Cow<'a, str>> {
        match self {
            Self::Literal(Literal::String(text)) => Some(text.into()),
            Self::Literal(Literal::Int(number)) => Some(number.as_str().into()),
            Self::Value(Value::String(text)) => Some(text.into()),
            Self::Value(Value::Number(number)) => Some(number.to_string().into()),
            _ => None,
        }
    }

    /// As a whole number.
    pub fn number(self) -> Option<i64> {
        match self {
            Self::Literal(Literal::Int(number)) => number.as_str().parse().ok(),
            Self::Value(Value::Number(number)) => number.as_i64(),
            _ => None,
        }
    }
}
