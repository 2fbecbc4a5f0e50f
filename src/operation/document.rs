//! Documents, parsed and fully validated once, then kept by the hash of their text.
//!
//! The executing library's own validation misses two rules of the specification, and its parser has no bound on
//! nesting; so a full validator goes first, and what it accepts is executed without being validated again.

use std::sync::Arc;

use apollo_compiler::Node;
use apollo_compiler::ast::{Type, VariableDefinition};
use apollo_compiler::executable::{self, SelectionSet};
use apollo_compiler::parser::Parser;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::{DiagnosticList, Valid};
use async_graphql::parser::types::{DocumentOperations, ExecutableDocument};
use async_graphql::{Name, Positioned};
use sha2::{Digest, Sha256};

use super::facts::Facts;
use super::guard::{self, Bounds};
use super::plan::{Steps, Table};
use super::scan;
use crate::cache::ENTRY_OVERHEAD;
use crate::graph::{Code, Error, with_brief_words};
use crate::remembered::{Bound, Remembered};
use crate::schema::{self, Schema};

/// Most problems of a document that are told at once.
const MAX_PROBLEMS: usize = 20;
/// A word of a document's text becomes about so many bytes when the document is kept: a selected field is the largest that one
/// word can be.
const BYTES_OF_A_WORD: usize = 320;

/// A problem of a document, and where in its text it is: line and column, from 1.
pub struct Problem {
    pub error: Error,
    pub at: Option<(usize, usize)>,
}

impl Problem {
    fn of_syntax(self) -> Self {
        Self { error: self.error.by("syntax"), ..self }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { error, at: None }
    }
}

/// A document that fits the schema, ready to be executed.
pub struct Document {
    /// The digest of its text.
    pub digest: [u8; 32],
    operations: Vec<Operation>,
    bytes: usize,
}

/// One operation of a document: what execution needs of it, and what is known of it beforehand.
pub struct Operation {
    /// What is known of it.
    pub facts: Facts,
    /// What of it costs something.
    pub steps: Steps,
    name: Option<Box<str>>,
    /// Its kind and variables. What it selects is left out.
    declared: Node<executable::Operation>,
    executable: ExecutableDocument,
}

impl Document {
    /// All of them.
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// The operation with this name, or the only one.
    pub fn choose(&self, name: Option<&str>) -> Result<&Operation, Problem> {
        let found = match (name, &*self.operations) {
            (None, [only]) => return Ok(only),
            (None, _) => None,
            (Some(name), all) => all.iter().find(|operation| operation.name.as_deref() == Some(name)),
        };
        found.ok_or_else(|| {
            let message = match name {
                Some(name) => format!("The document has no operation `{}`.", crate::graph::error::brief(name)),
                None => "The document has several operations: `operationName` has to name one.".to_owned(),
            };
            Error::new(Code::ValidationFailed, message).into()
        })
    }
}

impl Operation {
    /// The operation's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Values for its required variables that are one id, text or date.
    pub fn stand_ins(&self) -> JsonMap {
        let missing = self.declared.variables.iter().filter(|declared| declared.default_value.is_none());
        let value = |of: &str| match of {
            "ID" | "String" => Some("x"),
            "DateTime" => Some("2000-01-01T00:00:00Z"),
            _ => None,
        };
        let stand_in = |declared: &Node<VariableDefinition>| match &*declared.ty {
            Type::NonNullNamed(of) => Some((declared.name.as_str().into(), value(of)?.into())),
            _ => None,
        };
        missing.filter_map(stand_in).collect()
    }

    /// What the executing library takes: the operation alone, with its fragments.
    pub fn executable(&self) -> ExecutableDocument {
        self.executable.clone()
    }
}

/// The documents that were seen, bounded in bytes.
pub struct Documents {
    schema: Valid<apollo_compiler::Schema>,
    costs: Table,
    bounds: Bounds,
    seen: Remembered<Document>,
}

impl Documents {
    /// `bounds`: what an operation may come to.
    pub fn new(schema: &Schema, bytes: u64, bounds: Bounds) -> anyhow::Result<Self> {
        let schema = apollo_compiler::Schema::parse_and_validate(schema.sdl(), "schema.graphql")
            .map_err(|problem| anyhow::anyhow!("the schema is not valid: {}", problem.errors))?;
        let seen = Remembered::within(Bound::weight(bytes));
        Ok(Self { schema, costs: Table::new(schema::costs()), bounds, seen })
    }

    /// The document of this text, or everything that is wrong with it.
    pub fn get(&self, text: &str) -> Result<Arc<Document>, Vec<Problem>> {
        let digest: [u8; 32] = Sha256::digest(text).into();
        if let Some(document) = self.seen.get(&digest) {
            return Ok(document);
        }
        let document = Arc::new(self.compile(text, digest)?);
        self.seen.insert(digest, document.clone(), u32::try_from(document.bytes).unwrap_or(u32::MAX));
        Ok(document)
    }

    /// The document of this digest, if it was seen and is still held.
    pub fn seen(&self, digest: &[u8; 32]) -> Option<Arc<Document>> {
        self.seen.get(digest)
    }

    fn compile(&self, text: &str, digest: [u8; 32]) -> Result<Document, Vec<Problem>> {
        scan::check(text, &self.bounds).map_err(|error| vec![error.into()])?;
        // Should the two ever read a text differently, the parser's own bound on nesting keeps it from the stack's end.
        let parsed = Parser::new().recursion_limit(self.bounds.nesting).parse_ast(text, "document.graphql").map_err(
            |broken| {
                problems(Code::ParseFailed, &broken.errors).into_iter().map(Problem::of_syntax).collect::<Vec<_>>()
            },
        )?;
        guard::check(&parsed, &self.bounds).map_err(|error| vec![error.into()])?;
        let valid = parsed.to_executable_validate(&self.schema).map_err(|broken| self.unfit(&broken.errors))?;
        // The executing library reads a little less than the specification has; that is no reason to crash.
        let executable = async_graphql::parser::parse_query(text)
            .map_err(|error| Error::new(Code::ParseFailed, with_brief_words(&error.to_string())).into())
            .map_err(|problem: Problem| vec![problem.of_syntax()])?;
        let mut operations = Vec::new();
        let mut bytes = ENTRY_OVERHEAD;
        for operation in valid.operations.iter() {
            let facts = Facts::of(operation, &valid.fragments);
            let steps = Steps::of(operation, &valid.fragments, &self.costs);
            bytes += steps.bytes();
            let name = operation.name.as_ref();
            let Some(executable) = alone(&executable, name.map(|name| name.as_str()), &facts) else {
                let lost = Error::new(Code::Internal, "The document is read in two ways.");
                return Err(vec![lost.into()]);
            };
            let declared = executable::Operation {
                operation_type: operation.operation_type,
                name: operation.name.clone(),
                variables: operation.variables.clone(),
                directives: operation.directives.clone(),
                selection_set: SelectionSet::new(operation.selection_set.ty.clone()),
            };
            operations.push(Operation {
                facts,
                steps,
                name: name.map(|name| name.as_str().into()),
                declared: declared.into(),
                executable,
            });
        }
        // Each operation has its own copy of the fragments that it reaches.
        bytes += words(text) * BYTES_OF_A_WORD * operations.len().max(1);
        Ok(Document { digest, operations, bytes })
    }

    /// Bytes held, as weighed.
    pub fn bytes(&self) -> u64 {
        self.seen.weight()
    }

    /// The variables as their types have them, with their defaults.
    pub fn variables(&self, operation: &Operation, given: &JsonMap) -> Result<Valid<JsonMap>, Problem> {
        guard::check_variables(given, &self.bounds)?;
        coerce_variable_values(&self.schema, &operation.declared, given).map_err(|problem| {
            let message = match self.bounds.tells_schema {
                true => with_brief_words(&problem.message().to_string()),
                false => "The variables do not fit what the operation declares.".to_owned(),
            };
            Error::bad_input(message).into()
        })
    }

    /// What is wrong with a document that does not fit the schema. Who is not told the schema is told the first place alone: a
    /// validator's words name types and fields that nobody had named, and many places at once answer many guesses.
    fn unfit(&self, list: &DiagnosticList) -> Vec<Problem> {
        let all = problems(Code::ValidationFailed, list);
        if self.bounds.tells_schema {
            return all;
        }
        let message = "The document does not fit the schema at this place, or in the part that begins here.";
        let error = Error::new(Code::ValidationFailed, message);
        vec![Problem { error, at: all.iter().filter_map(|problem| problem.at).min() }]
    }
}

/// The operation of this name with the fragments that it reaches.
fn alone(document: &ExecutableDocument, name: Option<&str>, facts: &Facts) -> Option<ExecutableDocument> {
    let operation = match (&document.operations, name) {
        (DocumentOperations::Single(only), _) => only,
        (DocumentOperations::Multiple(named), Some(name)) => named.get(name)?,
        (DocumentOperations::Multiple(named), None) => named.values().next()?,
    };
    let reached = |fragment: &(&Name, &Positioned<_>)| facts.fragments.contains(fragment.0.as_str());
    let fragments = document.fragments.iter().filter(reached);
    Some(ExecutableDocument {
        operations: DocumentOperations::Single(operation.clone()),
        fragments: fragments.map(|(name, fragment)| (name.clone(), fragment.clone())).collect(),
    })
}

/// How many names, numbers and words there are in a text.
fn words(text: &str) -> usize {
    let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut before = false;
    text.bytes().filter(|byte| std::mem::replace(&mut before, inside(*byte)) != inside(*byte)).count().div_ceil(2)
}

fn problems(code: Code, list: &DiagnosticList) -> Vec<Problem> {
    let problem = |diagnostic: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let told = diagnostic.to_json();
        let at = told.locations.first().map(|place| (place.line, place.column));
        Problem { error: Error::new(code, with_brief_words(&told.message)), at }
    };
    let all: Vec<Problem> = list.iter().map(problem).collect();
    // A field that does not exist leaves its selection empty, which is told first and means nothing.
    let echo = |problem: &Problem| problem.error.message.ends_with("must have a subselection set");
    let only_echoes = all.iter().all(echo);
    all.into_iter().filter(|problem| only_echoes || !echo(problem)).take(MAX_PROBLEMS).collect()
}
