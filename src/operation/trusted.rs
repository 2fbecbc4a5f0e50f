//! Documents that are named and not sent: those of the manifest, and those that a caller sent before with their digest.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Asked;
use super::document::{Document, Documents, Problem};
use crate::clock::Clock;
use crate::config::manifest::{self, TrustedDocument};
use crate::graph::error::brief;
use crate::graph::{Code, Error};
use crate::live_file::LiveFile;

/// What the specification of persisted documents puts before a digest.
const SHA256: &str = "sha256:";
/// What clients that send digests look for in an answer, instead of the code.
const NOT_FOUND: &str = "PersistedQueryNotFound";

/// Why there is no document to run, with the HTTP status that fits.
type Unfound = (u16, Vec<Problem>);

/// The manifest, by what its documents are found by.
pub struct Manifest {
    by_id: HashMap<Box<str>, Arc<str>>,
    digests: HashSet<[u8; 32]>,
    /// By the names of their operations; `None`: several documents have an operation of this name.
    by_name: HashMap<Box<str>, Option<Arc<str>>>,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut this = Self { by_id: HashMap::new(), digests: HashSet::new(), by_name: HashMap::new() };
        for TrustedDocument { id, text, names } in manifest::parse(text)? {
            let text: Arc<str> = text.into();
            this.digests.insert(Sha256::digest(&*text).into());
            for name in names {
                let text = text.clone();
                this.by_name.entry(name.into()).and_modify(|other| *other = None).or_insert(Some(text));
            }
            this.by_id.insert(id.into(), text);
        }
        Ok(this)
    }

    fn with_id(&self, id: &str) -> Option<Arc<str>> {
        let found = self.by_id.get(id).or_else(|| self.by_id.get(id.strip_prefix(SHA256)?));
        found.cloned()
    }
}

/// How a request names a document.
enum Named<'a> {
    /// By an id of the manifest.
    Id(&'a str),
    /// By the digest of its text, for a client that sends the text when the digest is not known.
    Digest(&'a str),
}

/// Finds documents.
pub struct Trusted {
    manifest: Option<Arc<LiveFile<Manifest>>>,
    only: bool,
}

impl Trusted {
    /// `only`: whether other documents are refused.
    pub fn open(path: Option<&Path>, only: bool, clock: Clock) -> anyhow::Result<Self> {
        let open = |path| LiveFile::open(path, clock, Manifest::read);
        Ok(Self { manifest: path.map(open).transpose()?, only })
    }

    /// The manifest's file, if there is one.
    pub fn file(&self) -> Option<&Arc<LiveFile<Manifest>>> {
        self.manifest.as_ref()
    }

    /// The text of the manifest that has an operation of this name.
    pub fn text_with(&self, name: &str) -> Option<Arc<str>> {
        self.look(|manifest| manifest.by_name.get(name)?.clone())
    }

    /// The document that a request names or sends.
    pub fn document(&self, asked: &Asked, documents: &Documents) -> Result<Arc<Document>, Unfound> {
        let sent = asked.query.as_deref();
        let (id, is_digest) = match named(asked)? {
            None => return self.admit(sent.unwrap_or_default(), documents),
            Some(Named::Id(id)) => (id, false),
            Some(Named::Digest(digest)) => (digest, true),
        };
        if let Some(text) = self.look(|manifest| manifest.with_id(id)) {
            if sent.is_some_and(|sent| *sent != *text) {
                let two = "The id stands for another document than the `query` that was sent with it.";
                return Err(refused(400, Error::bad_input(two)));
            }
            return compiled(&text, documents);
        }
        match (is_digest, sent) {
            (true, Some(text)) => {
                if digest(id) != Some(Sha256::digest(text).into()) {
                    let wrong = "`sha256Hash` is not the SHA-256 of the `query` that was sent with it, in hexadecimal.";
                    return Err(refused(400, Error::bad_input(wrong)));
                }
                self.admit(text, documents)
            }
            (true, None) => {
                // What was seen was valid; who knows its digest knows the text.
                let known = digest(id).filter(|digest| self.may_run(digest)).and_then(|digest| documents.seen(&digest));
                known.ok_or_else(|| refused(400, Error::new(Code::PersistedQueryNotFound, NOT_FOUND)))
            }
            (false, _) => {
                let message = format!("There is no document with the id `{}` here.", brief(id));
                Err(refused(400, Error::new(Code::PersistedQueryNotFound, message)))
            }
        }
    }

    /// The document of a text, if such texts are run here.
    fn admit(&self, text: &str, documents: &Documents) -> Result<Arc<Document>, Unfound> {
        if self.only && !self.may_run(&Sha256::digest(text).into()) {
            return Err(refused(403, untrusted()));
        }
        compiled(text, documents)
    }

    /// Whether a document is one of the manifest.
    pub fn has(&self, digest: &[u8; 32]) -> bool {
        self.look(|manifest| manifest.digests.contains(digest).then_some(())).is_some()
    }

    /// Whether what was begun with a document may go on.
    pub fn may_go_on(&self, digest: &[u8; 32]) -> Result<(), Error> {
        if self.may_run(digest) { Ok(()) } else { Err(untrusted()) }
    }

    fn may_run(&self, digest: &[u8; 32]) -> bool {
        !self.only || self.has(digest)
    }

    fn look<T>(&self, look: impl FnOnce(&Manifest) -> Option<T>) -> Option<T> {
        self.manifest.as_ref()?.with(|manifest, _| look(manifest))
    }
}

fn untrusted() -> Error {
    let message = "Only the documents of the manifest are run here. Send the id of one as `documentId`.";
    Error::new(Code::Forbidden, message)
}

fn refused(status: u16, error: Error) -> Unfound {
    (status, vec![error.into()])
}

fn compiled(text: &str, documents: &Documents) -> Result<Arc<Document>, Unfound> {
    documents.get(text).map_err(|problems| (400, problems))
}

/// How the request names a document, if it does.
fn named(asked: &Asked) -> Result<Option<Named<'_>>, Unfound> {
    let ids = [asked.document_id.as_deref(), asked.doc_id.as_deref()];
    let persisted = asked.extensions.as_ref().and_then(|extensions| extensions.get("persistedQuery"));
    let digest = match persisted {
        None => None,
        Some(query) => {
            let version = query.get("version").and_then(|version| version.as_u64());
            let digest = query.get("sha256Hash").and_then(|digest| digest.as_str());
            let Some(digest) = digest.filter(|_| version == Some(1)) else {
                let message = "`extensions.persistedQuery` has to have `version` 1 and a text `sha256Hash`.";
                return Err(refused(400, Error::bad_input(message)));
            };
            Some(digest)
        }
    };
    let mut all = ids.into_iter().flatten().map(Named::Id).chain(digest.map(Named::Digest));
    let first = all.next();
    if all.next().is_some() {
        let message = "Name the document once: by `documentId`, by `doc_id` or by `extensions.persistedQuery`.";
        return Err(refused(400, Error::bad_input(message)));
    }
    Ok(first)
}

/// A digest in hexadecimal.
fn digest(hex: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    let pairs = hex.as_bytes().as_chunks::<2>();
    if hex.len() != 64 || !pairs.1.is_empty() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(pairs.0) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? << 4 | low?).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_digits() {
        let hex = "00ff".to_owned() + &"Ab".repeat(30);
        let read = digest(&hex).expect("a digest");
        assert_eq!((read[0], read[1], read[2]), (0, 0xff, 0xab));
        for wrong in ["", "0", &hex[1..], &format!("{hex}0"), &hex.replace('f', "g"), &"é".repeat(32)] {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_name_that_several_documents_have_names_none() {
        let manifest = Manifest::read(
            r#"{"a": "query One { __typename } query Two { __typename }", "b": "query Two { __typename } { x }"}"#,
        );
        let manifest = manifest.unwrap_or_else(|why| panic!("{why}"));
        assert!(manifest.by_name["One"].is_some() && manifest.by_name["Two"].is_none());
        assert!(
            manifest.with_id("a").is_some()
                && manifest.with_id("sha256:b").is_some()
                && manifest.with_id("c").is_none()
        );
    }
}
