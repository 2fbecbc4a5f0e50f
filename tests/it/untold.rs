//! What must not be told: planted secrets, the wires that they went over, and whether a text has any of them.

mod process;
mod questions;
mod recorder;

pub use process::{LOGS, Process, run};
pub use questions::{Asker, codes, quoting};
pub use recorder::Recorder;

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// So many bytes of a secret in a row are a secret told: who cuts a token short tells it too.
const PIECE: usize = 12;

/// Secrets by what they are.
#[derive(Default)]
pub struct Secrets {
    all: Vec<(String, String)>,
    /// What tells one, by the bytes that it is told with.
    pieces: HashMap<Vec<u8>, usize>,
}

impl Secrets {
    pub fn of(all: &[(&str, &str)]) -> Self {
        let mut secrets = Self::default();
        all.iter().for_each(|(what, secret)| secrets.add(what, secret));
        secrets
    }

    pub fn add(&mut self, what: &str, secret: &str) {
        assert!(secret.len() >= PIECE, "{what} is too short to be told from other texts");
        let bytes: Vec<String> = secret.bytes().map(|byte| byte.to_string()).collect();
        let forms = [secret.to_owned(), STANDARD_NO_PAD.encode(secret), bytes.join(", ")];
        for (form, piece) in forms.iter().zip([PIECE, 2 * PIECE, 4 * PIECE]) {
            let pieces = form.as_bytes().windows(piece.min(form.len()));
            self.pieces.extend(pieces.map(|piece| (piece.to_owned(), self.all.len())));
        }
        self.all.push((what.to_owned(), secret.to_owned()));
    }

    /// Which of them a text tells, and the text around.
    fn told(&self, text: &[u8]) -> Option<(&str, String)> {
        let found = [PIECE, 2 * PIECE, 4 * PIECE].into_iter().find_map(|piece| {
            let mut pieces = text.windows(piece).enumerate();
            pieces.find_map(|(at, piece)| Some((at, self.pieces.get(piece)?)))
        });
        let (at, number) = found?;
        let around = &text[at.saturating_sub(300)..(at + 100).min(text.len())];
        Some((&self.all[*number].0, String::from_utf8_lossy(around).into_owned()))
    }

    pub fn assert_untold(&self, place: &str, text: impl AsRef<[u8]>) {
        let text = text.as_ref();
        assert!(!text.is_empty(), "{place} is empty: nothing was looked at");
        if let Some((what, around)) = self.told(text) {
            panic!("{place} tells {what}: ...{around}...");
        }
    }

    /// Nothing is shown by looking for a secret that was not there to be told.
    pub fn assert_sent(&self, wires: &[&Recorder]) {
        let sent: Vec<u8> = wires.iter().flat_map(|wire| wire.requests()).collect();
        for (what, secret) in &self.all {
            let is_there = sent.windows(secret.len()).any(|piece| piece == secret.as_bytes());
            assert!(is_there, "{what} was never sent");
        }
    }
}

#[test]
fn a_secret_is_found_however_it_is_told() {
    let secrets = Secrets::of(&[("a token", "pit-5f2b7c90aa31d4"), ("a key", "cgk_planted-in-a-test")]);
    let told = |text: &str| secrets.told(text.as_bytes()).map(|(what, _)| what.to_owned());
    for text in
        ["pit-5f2b7c90aa31d4", "{\"message\":\"x pit-5f2b7c90aa31d4\"}", "pit-5f2b7c90…", "7c90aa31d4\nf2b7c90aa31d4"]
    {
        assert_eq!(told(text).as_deref(), Some("a token"), "{text}");
    }
    let debug = format!("{:?}", b"cgk_planted-in-a-test".to_vec());
    let encoded = STANDARD_NO_PAD.encode("cgk_planted-in-a-test");
    for text in [debug, encoded] {
        assert_eq!(told(&text).as_deref(), Some("a key"), "{text}");
    }
    for text in ["", "pit-5f2b7c9", "pit-5f2b7c9 0aa31d4", "planted"] {
        assert_eq!(told(text), None, "{text}");
    }
}
