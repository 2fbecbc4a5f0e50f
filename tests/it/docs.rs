//! The pages are true: what they show is run, what they name is there, and what is made from the code is as the code has it.
//!
//! The files are read when the tests run. `UPDATE_DOCS=1` writes the answers of docs/errors.md anew.

mod blocks;
mod errors;
mod shell;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use contacts_gateway::config::{self, SETTINGS};
use contacts_gateway::events::automation::Rules;
use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::commands::gateway;
use super::support::*;
use blocks::{Block, blocks};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// README.md and the pages of docs/, without the decisions.
fn pages() -> Vec<(String, String)> {
    let entries = fs::read_dir(root().join("docs")).expect("docs").map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().expect("a name")).filter(|name| name.ends_with(".md"));
    let mut pages: Vec<String> = names.map(|name| format!("docs/{name}")).collect();
    pages.push("README.md".to_owned());
    pages.sort();
    let text = |page: String| {
        let text = fs::read_to_string(root().join(&page)).expect("text");
        (page, text)
    };
    pages.into_iter().map(text).collect()
}

fn of_all_pages() -> Vec<Block> {
    pages().iter().flat_map(|(page, text)| blocks(page, text)).collect()
}

/// The manifest that the pages name things of.
fn manifest() -> String {
    let all = of_all_pages();
    let found: Vec<_> = all.into_iter().filter(|block| block.says("manifest")).collect();
    assert_eq!(found.len(), 1, "one block is the manifest");
    found[0].text.clone()
}

#[test]
fn the_page_of_settings_is_what_the_command_prints() {
    let output = gateway(&["config", "--markdown"], &[("LISTEN", "nowhere")]);
    assert_eq!(output.status.code(), Some(0));
    let page = fs::read_to_string(root().join("docs/settings.md")).expect("docs/settings.md");
    let command = "docs/settings.md is out of date: `cargo run -- config --markdown > docs/settings.md`";
    assert!(page.as_bytes() == output.stdout, "{command}");
}

#[test]
fn every_page_is_in_the_table_of_contents_and_every_link_leads_somewhere() {
    let contents = fs::read_to_string(root().join("docs/README.md")).expect("docs/README.md");
    let (mut wrong, mut links) = (Vec::new(), 0);
    for (page, text) in pages() {
        let folder = if page == "README.md" { root() } else { root().join("docs") };
        let name = page.trim_start_matches("docs/");
        if page != "README.md" && page != "docs/README.md" && !contents.contains(&format!("]({name})")) {
            wrong.push(format!("{page} is not in docs/README.md"));
        }
        for link in blocks::links(&text) {
            links += 1;
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { root().join(&page) } else { folder.join(file) };
            if !target.exists() {
                wrong.push(format!("{page}: {link} leads nowhere"));
            } else if !heading.is_empty() && target.extension().is_some_and(|it| it == "md") {
                let there = blocks::anchors(&fs::read_to_string(&target).expect("text"));
                if !there.iter().any(|anchor| anchor == heading) {
                    wrong.push(format!("{page}: {link} has no such heading"));
                }
            }
        }
    }
    assert!(links > 50, "{links}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_setting_that_a_page_names_is_one() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        for (at, _) in text.match_indices("GATEWAY_") {
            // The end of another name.
            if text[..at].ends_with('_') {
                continue;
            }
            let rest = &text[at..];
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_').unwrap_or(rest.len());
            let name = rest[..end].to_owned();
            seen += 1;
            // One that ends so stands for several, and the last is what the example applications read.
            let is_some = SETTINGS.iter().any(|setting| setting.name == name)
                || (name.ends_with('_') && SETTINGS.iter().any(|setting| setting.name.starts_with(&name)))
                || name == "GATEWAY_URL";
            if !is_some {
                wrong.push(format!("{page}: {name}"));
            }
        }
    }
    assert!(seen > 100, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Values for the variables of queries that are shown without any.
fn variables(text: &str) -> Value {
    let known = [
        ("id", json!(DEMO_CONTACT)),
        ("contactId", json!(DEMO_CONTACT)),
        ("now", json!("2026-06-15T15:00:00Z")),
        ("first", json!(5)),
        ("after", Value::Null),
    ];
    let used = known.into_iter().filter(|(name, _)| text.contains(&format!("${name}:")));
    Value::Object(used.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Runs the operation of a block; says what is wrong with it or with its answer.
async fn run(stage: &Stage, block: &Block, next: &[Block]) -> Result<(), String> {
    let given = next.first().filter(|next| next.says("variables"));
    let variables =
        given.map_or_else(|| variables(&block.text), |given| serde_json::from_str(&given.text).expect("JSON"));
    let answer = stage.ask(&block.text, variables).await;
    if block.text.trim_start().starts_with("subscription") {
        let said = answer["errors"][0]["message"].as_str().unwrap_or_default();
        return if said.starts_with("A subscription is a stream") { Ok(()) } else { Err(answer.to_string()) };
    }
    if answer.get("errors").is_some() {
        return Err(answer.to_string());
    }
    let shown = next.iter().take(2).find(|next| next.says("answer"));
    match shown.map(|shown| serde_json::from_str::<Value>(&shown.text).expect("JSON")) {
        Some(want) if want != answer => Err(format!("it answers {answer:#}")),
        _ => Ok(()),
    }
}

/// Whether a table of settings, automations or keys can be used.
fn reads(text: &str) -> Result<(), String> {
    if text.contains("[[automation]]") {
        let told = |problems: Vec<_>| format!("{:?}", problems.iter().map(ToString::to_string).collect::<Vec<_>>());
        return Rules::read(text).map(|_| ()).map_err(told);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut env = std::collections::HashMap::new();
    let file = folder.path().join("file.toml");
    let path = file.to_str().expect("a path").to_owned();
    let set = |(name, value): (&str, &str)| (format!("GATEWAY_{name}"), value.to_owned());
    let text = text.replace("/run/secrets", folder.path().to_str().expect("a path"));
    for named in text.split('"').filter(|part| Path::new(part).starts_with(folder.path())) {
        fs::write(named, "a-secret").expect("a file that can be written");
    }
    fs::write(&file, &text).expect("a file that can be written");
    if !text.contains("[[location]]") {
        env.extend([("LOCATION_ID", "LOC_A0000000000000000"), ("API_KEY", "pit-a")].map(set));
    }
    let is_keys = text.contains("[[key]]");
    if is_keys {
        env.extend([("AUTH", "keys"), ("KEYS_FILE", &*path)].map(set));
    }
    let loaded = config::load(env, (!is_keys).then_some(&*file));
    assert!(loaded.unknown.is_empty(), "{:?}", loaded.unknown);
    loaded.config.map(|_| ()).map_err(|problems| format!("{problems:?}"))
}

#[tokio::test]
async fn every_block_is_run_or_says_that_it_is_not() {
    let manifest_file = tempfile::NamedTempFile::new().expect("a file");
    fs::write(manifest_file.path(), manifest()).expect("a file that can be written");
    let path = manifest_file.path().to_str().expect("a path").to_owned();
    let stage = async || Stage::set(&[("TRUSTED_DOCUMENTS", &*path)]).await;
    let all = of_all_pages();
    let (mut counts, mut wrong) = (BTreeMap::<String, usize>::new(), Vec::new());
    // What a page changes is there for the rest of that page.
    let (mut now, mut page) = (stage().await, "");
    for (at, block) in all.iter().enumerate() {
        let (of, _) = block.place.split_once(':').expect("a page");
        if of != page {
            (now, page) = (stage().await, of);
        }
        let kind = if block.says("not-run") { format!("{}, not run", block.language) } else { block.language.clone() };
        *counts.entry(kind).or_default() += 1;
        if block.says("not-run") {
            continue;
        }
        let result = match block.language.as_str() {
            "graphql" => run(&now, block, &all[at + 1..]).await,
            "json" => serde_json::from_str::<Value>(&block.text).map(|_| ()).map_err(|why| why.to_string()),
            "toml" => reads(&block.text),
            "sh" => shell::run(&now, block, &manifest(), &mut counts).await,
            "python" => shell::parses("python3", &["-c", "import ast, sys; ast.parse(sys.stdin.read())"], &block.text),
            "js" => shell::parses("node", &["--check", "--input-type=module", "-"], &block.text),
            // What people look at.
            "text" | "mermaid" => Ok(()),
            other => Err(format!("nobody knows how to run `{other}`")),
        };
        if let Err(why) = result {
            wrong.push(format!("{}: {why}", block.place));
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    for (kind, least) in [("graphql", 9), ("json", 20), ("toml", 8), ("sh", 25), ("contacts-gateway", 30), ("curl", 10)]
    {
        assert!(counts.get(kind).is_some_and(|count| *count >= least), "{kind}: {counts:?}");
    }
}

/// The checks above are worth what this reader finds.
#[test]
fn blocks_are_found_with_what_is_said_of_them() {
    let text = "# A b!\n\n```sh not-run\none\n```\n\n1. x\n\n   ```json\n   {\n     \"a\": 1 }\n   ```\n\n## `C` d\n[x](y.md#z) ```no```\n";
    let found = blocks("p.md", text);
    assert_eq!(found.len(), 2);
    assert_eq!((&*found[0].place, &*found[0].text, found[0].says("not-run")), ("p.md:3", "one\n", true));
    assert_eq!((&*found[1].language, &*found[1].text), ("json", "{\n  \"a\": 1 }\n"));
    assert_eq!(
        (blocks::anchors(text), blocks::links(text)),
        (vec!["a-b".into(), "c-d".into()], vec!["y.md#z".to_owned()])
    );
}
