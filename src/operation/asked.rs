//! A request as callers spell it.

use apollo_compiler::response::JsonMap;
use serde::Deserialize;

/// A request as it comes over HTTP.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// The document.
    #[serde(default)]
    pub query: Option<String>,
    /// What stands for it, as the specification has it.
    #[serde(default)]
    pub document_id: Option<String>,
    /// The same, as Relay sends it.
    #[serde(default, rename = "doc_id")]
    pub doc_id: Option<String>,
    /// Which of its operations.
    #[serde(default)]
    pub operation_name: Option<String>,
    /// The values of its variables.
    #[serde(default)]
    pub variables: Option<JsonMap>,
    /// A `persistedQuery` is read from them.
    #[serde(default)]
    pub extensions: Option<JsonMap>,
}

impl Asked {
    /// Whether it sends a document, or something that stands for one.
    pub fn has_document(&self) -> bool {
        let persisted = || self.extensions.as_ref().is_some_and(|extensions| extensions.contains_key("persistedQuery"));
        self.query.is_some() || self.document_id.is_some() || self.doc_id.is_some() || persisted()
    }
}
