//! The manifest of trusted documents: GraphQL texts by their ids, as the clients' build tools write them.

use std::collections::HashSet;

use apollo_compiler::ast::Definition;
use apollo_compiler::parser::Parser;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What Apollo's tools write; Relay's and graphql-codegen's write an object of ids and texts and nothing else.
const APOLLO: &str = "apollo-persisted-query-manifest";
/// Longest id: a digest in any form is shorter.
const LONGEST_ID: usize = 200;
/// Deepest nesting of a document. What is over another bound of the gateway is refused when it is asked for.
const MAX_NESTING: usize = 128;

/// A document that clients were built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedDocument {
    /// What they send instead of it.
    pub id: String,
    /// Its text.
    pub text: String,
    /// The names of its operations.
    pub names: Vec<String>,
}

#[derive(Deserialize)]
struct Apollo {
    version: u64,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    id: String,
    body: String,
}

/// The documents, or what is wrong with the file.
pub fn parse(text: &str) -> Result<Vec<TrustedDocument>, String> {
    let shape = |why: serde_json::Error| format!("not a manifest in JSON: {why}");
    let file: Map<String, Value> = serde_json::from_str(text).map_err(shape)?;
    let documents: Vec<(String, String)> = match file.get("format") {
        // A document can have this id, but no manifest of ids and texts has this text.
        Some(Value::String(format)) if format == APOLLO => {
            let Apollo { version, operations } = serde_json::from_value(Value::Object(file)).map_err(shape)?;
            if version != 1 {
                return Err(format!("a manifest of version {version}; 1 is the one that is understood"));
            }
            operations.into_iter().map(|Operation { id, body }| (id, body)).collect()
        }
        _ => file.into_iter().map(by_id).collect::<Result<_, _>>()?,
    };
    let mut seen = HashSet::new();
    for (id, _) in &documents {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(format!("an id of {} bytes: {:?}; 1 to {LONGEST_ID} are possible", id.len(), super::brief(id)));
        }
        if !seen.insert(id) {
            return Err(format!("the id {:?} is there twice", super::brief(id)));
        }
    }
    let document = |(id, text): (String, String)| match names(&text) {
        Ok(names) => Ok(TrustedDocument { id, text, names }),
        Err(why) => Err(format!("the document {:?} is not GraphQL: {why}", super::brief(&id))),
    };
    documents.into_iter().map(document).collect()
}

/// The names of a document's operations.
fn names(text: &str) -> Result<Vec<String>, String> {
    let parsed = Parser::new().recursion_limit(MAX_NESTING).parse_ast(text, "document.graphql");
    let first = |all: &apollo_compiler::validation::DiagnosticList| all.iter().next().map(|one| one.to_json().message);
    let parsed = parsed.map_err(|broken| first(&broken.errors).unwrap_or_default())?;
    let named = parsed.definitions.iter().filter_map(|definition| match definition {
        Definition::OperationDefinition(operation) => operation.name.as_ref(),
        _ => None,
    });
    Ok(named.map(ToString::to_string).collect())
}

fn by_id((id, text): (String, Value)) -> Result<(String, String), String> {
    match text {
        Value::String(text) => Ok((id, text)),
        _ => Err(format!("{:?} is no text; either all are, or the format is {APOLLO:?}", super::brief(&id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Result<Vec<(String, String)>, String> {
        Ok(parse(text)?.into_iter().map(|one| (one.id, one.text)).collect())
    }

    #[test]
    fn the_formats_of_the_common_tools_are_read() {
        let one = |id: &str, text: &str| Ok(vec![(id.to_owned(), text.to_owned())]);
        let apollo = r#"{"format": "apollo-persisted-query-manifest", "version": 1, "operations":
            [{"id": "a", "name": "A", "type": "query", "body": "{ __typename }"}]}"#;
        assert_eq!(ids(apollo), one("a", "{ __typename }"));
        assert_eq!(ids(r#"{"b": "{ __typename }"}"#), one("b", "{ __typename }"));
        assert_eq!(ids(r#"{"format": "{ __typename }"}"#), one("format", "{ __typename }"));
        assert_eq!(ids("{}"), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_manifest_is_told() {
        let operation = r#"{"id": "a", "body": "{ x }"}"#;
        let apollo = |version: u8, operations: &str| {
            format!(r#"{{"format": "{APOLLO}", "version": {version}, "operations": [{operations}]}}"#)
        };
        for (text, expected) in [
            ("{\"a\": \"x\"", "not a manifest in JSON: EOF"),
            ("[]", "not a manifest in JSON"),
            (r#"{"a": 1}"#, r#""a" is no text"#),
            (r#"{"a": "query {"}"#, r#"the document "a" is not GraphQL: "#),
            (r#"{"format": "other", "operations": []}"#, r#""operations" is no text"#),
            (r#"{"": "{ x }"}"#, "an id of 0 bytes"),
            (&format!(r#"{{"{}": "{{ x }}"}}"#, "a".repeat(201)), "an id of 201 bytes"),
            (&apollo(2, operation), "a manifest of version 2"),
            (&apollo(1, r#"{"id": "a"}"#), "missing field `body`"),
            (&apollo(1, &format!("{operation}, {operation}")), r#"the id "a" is there twice"#),
        ] {
            let why = parse(text).expect_err(text);
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
