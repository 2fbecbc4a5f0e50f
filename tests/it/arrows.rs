//! The house rules of `src/`: which module may import which, and that files say what they are for and stay small.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module, the way of a request from its start, and what of ours it may import.
///
/// A name stands above everything that it imports, so there is no circle.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["command"]),
    ("lib", &[]),
    ("fuzzing", &["http", "app", "events", "operation", "resources", "graph", "upstream", "config"]),
    (
        "command",
        &[
            "http",
            "app",
            "events",
            "config",
            "sandbox",
            "operation",
            "schema",
            "resources",
            "upstream",
            "clock",
            "traces",
            "spawn",
        ],
    ),
    (
        "http",
        &["app", "auth", "events", "operation", "schema", "graph", "caller", "changes", "metrics", "traces", "spawn"],
    ),
    (
        "app",
        &[
            "auth",
            "events",
            "operation",
            "schema",
            "graph",
            "upstream",
            "replicas",
            "cache",
            "changes",
            "clock",
            "config",
            "metrics",
            "traces",
            "spawn",
        ],
    ),
    ("auth", &["caller", "upstream", "clock", "config", "live_file", "remembered", "spawn"]),
    (
        "events",
        &[
            "operation",
            "resources",
            "graph",
            "caller",
            "upstream",
            "replicas",
            "cache",
            "changes",
            "clock",
            "config",
            "metrics",
            "state",
            "traces",
        ],
    ),
    (
        "operation",
        &[
            "schema",
            "graph",
            "caller",
            "cache",
            "changes",
            "clock",
            "config",
            "live_file",
            "metrics",
            "remembered",
            "spawn",
        ],
    ),
    ("schema", &["resources", "graph", "upstream", "changes"]),
    ("resources", &["graph", "upstream", "cache", "changes"]),
    ("graph", &["caller", "upstream", "cache", "changes", "traces", "spawn"]),
    ("caller", &["upstream", "cache"]),
    ("upstream", &["replicas", "cache", "changes", "clock", "metrics", "state", "traces", "remembered", "spawn"]),
    ("replicas", &["clock", "config", "metrics", "spawn"]),
    ("cache", &["clock", "spawn"]),
    ("changes", &[]),
    ("live_file", &["clock"]),
    ("clock", &[]),
    ("traces", &["metrics"]),
    ("metrics", &[]),
    ("config", &[]),
    ("state", &[]),
    ("remembered", &[]),
    ("spawn", &[]),
    ("sandbox", &[]),
];

/// A file longer than this holds more than one thought.
const MOST_LINES: usize = 400;

#[test]
fn every_import_follows_the_arrows() {
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let at = module_of(&path);
        let module = match at.first() {
            Some(first) => first.clone(),
            None => path.file_stem().unwrap().to_string_lossy().into_owned(),
        };
        let Some(may) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: there is no row for `{module}`", path.display()));
            continue;
        };
        for import in imports(&text, &at) {
            if import != module && !may.contains(&import.as_str()) {
                wrong.push(format!("{}: `{module}` may not import `{import}`", path.display()));
            }
        }
        seen.insert(module);
    }
    wrong.extend(ARROWS.iter().filter(|row| !seen.contains(row.0)).map(|row| format!("`{}` is not there", row.0)));
    assert!(wrong.is_empty(), "these break the arrows of tests/it/arrows.rs:\n{}", wrong.join("\n"));
}

#[test]
fn the_arrows_go_down() {
    let row = |name: &str| ARROWS.iter().position(|row| row.0 == name);
    for (from, may) in ARROWS {
        for to in *may {
            assert!(row(to) > row(from), "`{to}` has to stand below `{from}`");
        }
    }
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !text.starts_with("//! ") {
            wrong.push(format!("{} does not begin with `//!` and what it is for", path.display()));
        }
        let lines = text.lines().count();
        if lines > MOST_LINES {
            wrong.push(format!("{} has {lines} lines, of {MOST_LINES} at most", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The checks above are worth what this reader finds.
#[test]
fn imports_are_found_however_they_are_written() {
    let found = |text, at: &[&str]| {
        let at: Vec<String> = at.iter().map(|name| (*name).to_owned()).collect();
        imports(text, &at).into_iter().collect::<Vec<_>>().join(" ")
    };
    let cases: &[(&str, &[&str], &str)] = &[
        ("use crate::a::B;", &["m"], "a"),
        ("use crate::{a, b::{c, d}, e as f};", &["m"], "a b e"),
        ("pub(in crate::m) fn f() { crate :: a::g(contacts_gateway::b) }", &["m"], "a b m"),
        ("use crate::*; use crate::{self as all};", &["m"], "* self"),
        ("use super::a::B;", &["m"], "a"),
        ("use super::a::B; use super::super::{b, c::D};", &["m", "n"], "b c m"),
        ("use super::{a, super::b};", &["m", "n"], "b m"),
        ("mod tests { use super::*; use super::super::a; } use super::b;", &["m"], "a b m"),
        ("use self::super::a;", &["m"], "a"),
        ("// crate::a\n/* crate::b /* */ crate::c */ /// crate::d\nuse crate::e;", &["m"], "e"),
        (r##""crate::a \" crate::b"; r#"crate::c " crate::d"#; '"'; 'x: loop {} use crate::e;"##, &["m"], "e"),
        (r##"br#"crate::a " crate::b"#; r"\"; let r#type = 1; let r = 1; use crate::d;"##, &["m"], "d"),
        ("let d = '{'; b'\\''; use std::a; pub(crate) fn b() {} use super::c;", &["m"], "c"),
    ];
    for (text, at, expected) in cases {
        assert_eq!(found(text, at), *expected, "{text}");
    }
}

/// Each file below `src`, by its path from there.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut found) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                found.push((path.strip_prefix(&root).unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(found.len() > 50, "only {} files", found.len());
    found.sort();
    found
}

/// `a/b.rs` and `a/b/mod.rs` are the module `a::b`; `main.rs` and `lib.rs` are the roots.
fn module_of(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = path.with_extension("").iter().map(|name| name.to_string_lossy().into_owned()).collect();
    let root = names == ["main"] || names == ["lib"];
    if root || names.last().is_some_and(|name| name == "mod") {
        names.pop();
    }
    names
}

/// The top-level modules that the text of the module `at` names, by `crate::` or by `super::`, in code or in a `use`.
fn imports(text: &str, at: &[String]) -> BTreeSet<String> {
    let words = words(text);
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let mut found = BTreeSet::new();
    let mut inside: Vec<(String, usize)> = Vec::new(); // the modules that are open here, and how deep they began
    let mut depth = 0;
    let mut i = 0;
    while i < words.len() {
        match word(i) {
            "mod" if word(i + 2) == "{" => {
                inside.push((word(i + 1).to_owned(), depth));
                i += 1;
            }
            "{" => depth += 1,
            "}" => {
                depth -= 1;
                inside.retain(|(_, began)| *began < depth);
            }
            "crate" | "contacts_gateway" if word(i + 1) == "::" => follow(&words, i + 2, &[], &mut found),
            // A path continues after its first `super`, and is read whole from there.
            "super" if word(i + 1) == "::" && !matches!(words[..i], [.., ref before, _] if before == "super") => {
                let here: Vec<String> = at.iter().cloned().chain(inside.iter().map(|(name, _)| name.clone())).collect();
                follow(&words, i, &here, &mut found);
            }
            _ => {}
        }
        i += 1;
    }
    found
}

/// Reads a path or a group of paths from word `i` on, that starts in the module `at`.
fn follow(words: &[String], mut i: usize, at: &[String], found: &mut BTreeSet<String>) {
    let mut at = at.to_vec();
    while words.get(i).is_some_and(|word| word == "super") && words.get(i + 1).is_some_and(|word| word == "::") {
        at.pop();
        i += 2;
    }
    if let Some(module) = at.first().cloned() {
        found.insert(module);
    }
    match words.get(i).map(String::as_str) {
        Some("{") => {
            let mut depth = 0;
            for (n, word) in words.iter().enumerate().skip(i) {
                let starts = depth == 1 && matches!(words[n - 1].as_str(), "{" | ",");
                match word.as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
                if starts && (at.is_empty() || word == "super") {
                    follow(words, n, &at, found);
                }
            }
        }
        Some(name) if at.is_empty() => {
            found.insert(name.to_owned());
        }
        _ => {}
    }
}

/// The names and signs of Rust text, without comments, strings and characters.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block(rest),
            '"' => quoted(rest, '"'),
            '\'' if rest[1..].starts_with('\\') || rest.chars().nth(2) == Some('\'') => quoted(rest, '\''),
            'r' | 'b' | 'c' if let Some(length) = raw(rest) => length,
            _ if first.is_alphanumeric() || first == '_' => {
                let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                words.push(rest[..length].to_owned());
                length
            }
            _ if first.is_whitespace() => first.len_utf8(),
            _ => {
                let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
                words.push(rest[..length].to_owned());
                length
            }
        };
        rest = &rest[length..];
    }
    words
}

/// How long the comment is that the text begins with; one comment may hold another.
fn block(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let Some(next) = text[at..].find(['/', '*']).map(|found| at + found) else { return text.len() };
        (depth, at) = match text.as_bytes().get(next..next + 2) {
            Some(b"/*") => (depth + 1, next + 2),
            Some(b"*/") => (depth - 1, next + 2),
            _ => (depth, next + 1),
        };
        if depth == 0 {
            return at;
        }
    }
}

/// How long the string or character is that the text begins with.
fn quoted(text: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == end => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// How long the raw string is that the text begins with, if it does.
fn raw(text: &str) -> Option<usize> {
    let inside = ["r", "br", "cr"].iter().find_map(|start| text.strip_prefix(start))?;
    let body = inside.trim_start_matches('#');
    let end = format!("\"{}", "#".repeat(inside.len() - body.len()));
    let body = body.strip_prefix('"')?;
    Some(body.find(&end).map_or(text.len(), |at| text.len() - body.len() + at + end.len()))
}
