//! SECURITY.md names a test for each attack; here it is held to that.

use std::fs;
use std::path::Path;

const SECURITY: &str = include_str!("../../SECURITY.md");

/// Everything that is written in the files of a folder and below it.
fn texts(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let text = |path: &Path| match path.is_dir() {
        true => texts(path),
        false if path.extension().is_some_and(|kind| kind == "rs") => fs::read_to_string(path).expect("a text"),
        false => String::new(),
    };
    entries.map(|path| text(&path)).collect()
}

#[test]
fn every_attack_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let code = texts(&root.join("tests/it")) + &texts(&root.join("src"));
    let (_, table) = SECURITY.split_once("| attack | door |").expect("the table");
    let (table, _) = table.split_once("\n\n").expect("its end");
    let rows: Vec<&str> = table.lines().skip(2).collect();
    assert!(rows.len() > 35, "{} rows", rows.len());
    for row in rows {
        let [_, attack, _, _, tests, _] = *row.split('|').collect::<Vec<_>>() else { panic!("{row}") };
        let tests: Vec<&str> = tests.split(',').map(|test| test.trim().trim_matches('`')).collect();
        for test in tests {
            assert!(code.contains(&format!("fn {test}(")), "{attack}: there is no test `{test}`");
        }
    }
}
