//! Documents, parsed and fully validated once, then kept by the hash of their text.
//!
//! The executing library's own validation misses two rules of the specification, and its parser has no bound on
//! nesting; so a full validator goes first, and what it accepts is executed without being validated again.

use std::sync::Arc;

use apollo_compiler::executable::Operation;
use apollo_compiler::parser::Parser;
use apollo_compiler::request::coerce_variable_values;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Node, Schema};
use async_graphql::Variables;
use async_graphql::parser::types::ExecutableDocument as Executable;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::guard::{self, Bounds};
use crate::graph::{Code, Error};

/// Most tokens of a document: 15,000, and as many again since the parser counts blanks too.
const MAX_TOKENS: usize = 30_000;
/// Deepest nesting of selections, lists and objects.
pub const MAX_NESTING: usize = 128;
/// Most problems of a document that are told at once.
const MAX_PROBLEMS: usize = 20;
/// A kept document takes about so many times the bytes of its text.
const WEIGHT: usize = 30;

/// A problem of a document, and where in its text it is: line and column, from 1.
pub struct Problem {
    pub error: Error,
    pub at: Option<(usize, usize)>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self { error, at: None }
    }
}

/// A document that fits the schema.
pub struct Document {
    valid: Valid<ExecutableDocument>,
    executable: Executable,
}

/// One operation of a document.
pub struct Chosen<'a> {
    operation: &'a Node<Operation>,
    executable: &'a Executable,
}

impl Document {
    /// The operation with this name, or the only one.
    pub fn choose(&self, name: Option<&str>) -> Result<Chosen<'_>, Problem> {
        let operations = &self.valid.operations;
        let operation = operations.get(name).map_err(|_| {
            Error::new(
                Code::ValidationFailed,
                match name {
                    Some(name) => format!("The document has no operation `{}`.", crate::graph::error::brief(name)),
                    None => "The document has several operations: `operationName` has to name one.".to_owned(),
                },
            )
        })?;
        Ok(Chosen { operation, executable: &self.executable })
    }
}

impl Chosen<'_> {
    /// Whether it only reads.
    pub fn is_query(&self) -> bool {
        self.operation.is_query()
    }

    /// What the executing library takes. It insists on a name only where a document has several operations.
    pub fn executable(&self) -> Executable {
        self.executable.clone()
    }

    /// The operation's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.operation.name.as_ref().map(|name| name.as_str())
    }
}

/// The documents that were seen, bounded in bytes.
pub struct Documents {
    schema: Valid<Schema>,
    bounds: Bounds,
    seen: Cache<[u8; 32], Arc<Document>>,
}

impl Documents {
    /// `sdl`: the schema that documents have to fit. `bounds`: what an operation may come to.
    pub fn new(sdl: &str, bytes: u64, bounds: Bounds) -> anyhow::Result<Self> {
        let schema = Schema::parse_and_validate(sdl, "schema.graphql")
            .map_err(|problem| anyhow::anyhow!("the schema is not valid: {}", problem.errors))?;
        let weigh = |_: &[u8; 32], document: &Arc<Document>| {
            let text: usize = document.valid.sources.values().map(|file| file.source_text().len()).sum();
            u32::try_from(text * WEIGHT).unwrap_or(u32::MAX)
        };
        Ok(Self { schema, bounds, seen: Cache::builder().max_capacity(bytes).weigher(weigh).build() })
    }

    /// The document of this text, or everything that is wrong with it.
    pub fn get(&self, text: &str) -> Result<Arc<Document>, Vec<Problem>> {
        let hash: [u8; 32] = Sha256::digest(text).into();
        if let Some(document) = self.seen.get(&hash) {
            return Ok(document);
        }
        let document = Arc::new(self.compile(text)?);
        self.seen.insert(hash, document.clone());
        Ok(document)
    }

    fn compile(&self, text: &str) -> Result<Document, Vec<Problem>> {
        let parsed = Parser::new()
            .token_limit(MAX_TOKENS)
            .recursion_limit(MAX_NESTING)
            .parse_ast(text, "document.graphql")
            .map_err(|broken| problems(Code::ParseFailed, &broken.errors))?;
        guard::check(&parsed, self.bounds).map_err(|error| vec![error.into()])?;
        let valid = parsed
            .to_executable_validate(&self.schema)
            .map_err(|broken| problems(Code::ValidationFailed, &broken.errors))?;
        // The executing library reads a little less than the specification has; that is no reason to crash.
        let executable = async_graphql::parser::parse_query(text)
            .map_err(|error| vec![Error::new(Code::ParseFailed, error.to_string()).into()])?;
        Ok(Document { valid, executable })
    }

    /// The variables as their types have them, with their defaults.
    pub fn variables(&self, chosen: &Chosen<'_>, given: &JsonMap) -> Result<Variables, Problem> {
        let coerced = coerce_variable_values(&self.schema, chosen.operation, given)
            .map_err(|problem| Error::bad_input(problem.message().to_string()))?;
        let json =
            serde_json::to_value(coerced.into_inner()).map_err(|why| Error::new(Code::Internal, why.to_string()))?;
        Ok(Variables::from_json(json))
    }
}

fn problems(code: Code, list: &DiagnosticList) -> Vec<Problem> {
    let problem = |diagnostic: apollo_compiler::diagnostic::Diagnostic<'_, _>| {
        let told = diagnostic.to_json();
        let at = told.locations.first().map(|place| (place.line, place.column));
        Problem { error: Error::new(code, told.message), at }
    };
    let all: Vec<Problem> = list.iter().map(problem).collect();
    // A field that does not exist leaves its selection empty, which is told first and means nothing.
    let echo = |problem: &Problem| problem.error.message.ends_with("must have a subselection set");
    let only_echoes = all.iter().all(echo);
    all.into_iter().filter(|problem| only_echoes || !echo(problem)).take(MAX_PROBLEMS).collect()
}
