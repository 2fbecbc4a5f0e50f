//! What the targets of `fuzz/` need and nobody else may use: the readers of everything that comes from outside.
#![allow(missing_docs, clippy::missing_panics_doc, clippy::expect_used)]

use std::collections::HashMap;
use std::path::Path;

use apollo_compiler::response::JsonMap;
use aws_lc_rs::signature::{ED25519, ParsedPublicKey};
use jiff::tz::TimeZone;

use crate::app;
use crate::config::{self, Webhooks, manifest};
use crate::events::automation::rules::Rules;
use crate::events::signatures::Signatures;
use crate::events::{Event, Signed};
use crate::graph::page::{self, Position};
use crate::http::read;
use crate::operation::{Asked, Bounds, Explainer};
use crate::resources::{appointment, contact, note, task};
use crate::upstream::{Account, Allowance, Id};

/// A gateway with the settings' defaults that compiles documents and never runs them.
pub struct Compiler {
    explainer: Explainer,
    secretive: Explainer,
}

/// What a document or a request was found to be.
pub struct Compiled {
    /// The most calls of each operation.
    pub planned: Vec<u64>,
}

impl Default for Compiler {
    fn default() -> Self {
        let bounds = app::bounds(&config::defaults().expect("the defaults are settings"));
        let explainer = |bounds| Explainer::new(bounds).expect("the schema is valid");
        let secretive = explainer(Bounds { tells_schema: false, ..bounds });
        Self { explainer: explainer(bounds), secretive }
    }
}

impl Compiler {
    /// As a document is compiled that comes with a request; `None` where it is refused.
    pub fn document(&self, text: &str, variables: &JsonMap) -> Option<Compiled> {
        let told = self.explainer.explain(text, None, variables);
        let untold = self.secretive.explain(text, None, variables);
        // Who is told nothing of the schema can run the same, introspection aside.
        assert!(untold.is_err() || told.is_ok(), "{text}");
        let by_name = self.explainer.explain_by_name(text, &JsonMap::new());
        let operations = told.ok()?;
        if variables.is_empty() {
            assert!(by_name.is_ok_and(|all| all.len() == operations.len()), "{text}");
        }
        Some(Compiled { planned: operations.iter().map(|one| one.plan.count()).collect() })
    }

    /// As the body of a request is read, and then its document.
    pub fn body(&self, bytes: &[u8]) -> Option<Compiled> {
        if read::is_batch(bytes) {
            let bytes = bytes.to_vec().into();
            for one in read::batch(&bytes, 10).unwrap_or_default() {
                let _ = read::from_body(&one);
            }
            return None;
        }
        self.asked(&read::from_body(bytes).ok()?)
    }

    /// As the address of a request is read, and then its document.
    pub fn query(&self, bytes: &[u8]) -> Option<Compiled> {
        self.asked(&read::from_query(bytes).ok()?)
    }

    fn asked(&self, asked: &Asked) -> Option<Compiled> {
        let none = JsonMap::new();
        self.document(asked.query.as_ref()?, asked.variables.as_ref().unwrap_or(&none))
    }
}

/// Reads an upstream body as the answer of each route; how many records came of it.
pub fn upstream(body: &[u8]) -> usize {
    let zone = TimeZone::get("America/New_York").expect("a zone");
    let account = Account::new("L", None, zone, "t".into(), Allowance::default());
    let id = Id::new("c").expect("an id");
    let (account, id) = (&account, &id);
    let mut records = 0;
    records += contact::api::one(account, body).into_iter().flatten().count();
    records += contact::api::written(contact::api::UPSERT, account, body).into_iter().count();
    records += contact::api::listed(contact::api::LIST, account, body).map_or(0, |page| page.rows.len());
    records += contact::api::found(account, body).map_or(0, |rows| rows.len());
    records += task::api::list(account, id, body).map_or(0, |rows| rows.len());
    records += task::api::found(account, body).map_or(0, |rows| rows.len());
    records += task::api::one(task::api::ONE, account, id, body).into_iter().flatten().count();
    records += note::api::list(account, id, body).map_or(0, |rows| rows.len());
    records += note::api::one(note::api::ONE, account, id, body).into_iter().flatten().count();
    records + appointment::api::list(account, id, body).map_or(0, |rows| rows.len())
}

/// Whether a body is an event that means something.
pub fn event(body: &[u8]) -> bool {
    let Ok(event) = Event::read(body) else { return false };
    assert!(!event.kind.is_empty());
    let _ = (event.record(), event.is_due());
    let Some(change) = event.change() else { return false };
    assert!(event.about() == Some((change.resource, change.kind)) && !change.contact.is_empty());
    true
}

/// Whether somebody without the key can sign a body.
pub fn is_signed(body: &[u8], signature: &[u8]) -> bool {
    // The public key of the second test of RFC 8032.
    const KEY: [u8; 32] = [
        0x3d, 0x40, 0x17, 0xc3, 0xe8, 0x43, 0x89, 0x5a, 0x92, 0xb7, 0x0a, 0xa7, 0x4d, 0x1b, 0x7e, 0xbc, 0x9c, 0x98,
        0x2c, 0xcf, 0x2e, 0xc4, 0x96, 0x8c, 0xc0, 0xcd, 0x55, 0xf1, 0x2a, 0xf4, 0x66, 0x0c,
    ];
    let key = ParsedPublicKey::new(&ED25519, KEY).expect("a key");
    let signatures = Signatures::new(Webhooks { keys: vec![key], legacy_keys: Vec::new() });
    signatures.accept(body, Signed { current: Some(signature), legacy: Some(signature) })
}

/// A cursor that can be read is the one that its place is written as.
pub fn cursor(list: &str, text: &str) -> bool {
    let Ok(position) = page::decode(list, text) else { return false };
    assert_eq!(page::encode(list, &position), text);
    true
}

/// Each place is read as it was written, in its list and in no other.
pub fn place(list: &str, other: &str, ms: i64, id: &str, rows: u32) {
    for position in [Position::Pair(ms, id.into()), Position::Skip(rows)] {
        let written = page::encode(list, &position);
        match page::decode(list, &written) {
            Ok(read) => assert_eq!(read, position),
            // Longer than anything that an upstream calls its records.
            Err(_) => assert!(id.len() > 700),
        }
        assert!(list == other || page::decode(other, &written).is_err());
    }
}

/// Reads a settings file; `false` where something is wrong with it, which is told.
pub fn settings(file: &Path) -> bool {
    let loaded = config::load(HashMap::new(), Some(file));
    assert!(loaded.config.as_ref().is_ok() || loaded.config.as_ref().is_err_and(|problems| !problems.is_empty()));
    loaded.config.is_ok()
}

/// Reads a file of automations.
pub fn automations(text: &str) -> bool {
    Rules::read(text).is_ok()
}

/// Reads a manifest of trusted documents.
pub fn manifest(text: &str) -> bool {
    manifest::parse(text).is_ok_and(|documents| documents.iter().all(|one| !one.id.is_empty()))
}
