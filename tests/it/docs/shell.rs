//! Blocks of shell: bash reads them, and tells which commands it would have run.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use reqwest::Method;

use super::super::commands::{gateway, told};
use super::super::support::*;
use super::blocks::Block;

/// Nothing is on the path, so bash runs nothing but what it has itself, and this for all else.
const TELL: &str = r#"
PATH=/nothing
cd() { :; }
command_not_found_handle() { printf '%s\0' "$@" >>"$TOLD"; printf '\n\0' >>"$TOLD"; }
"#;

/// The commands of a block, each as words.
fn commands(block: &Block, folder: &Path) -> Result<Vec<Vec<String>>, String> {
    let list = folder.join("told");
    fs::write(&list, "").expect("a file that can be written");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &format!("{TELL}{}", block.text)]).current_dir(folder).env("HOME", folder);
    let output = bash.env("TOLD", &list).stdin(Stdio::null()).output().expect("bash");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !said.is_empty() {
        return Err(format!("bash says {said}"));
    }
    let mut all = vec![Vec::new()];
    for word in fs::read_to_string(&list).expect("text").split_terminator('\0') {
        match word {
            "\n" => all.push(Vec::new()),
            word => all.last_mut().unwrap().push(word.to_owned()),
        }
    }
    all.pop();
    Ok(all)
}

/// Runs the commands that are the gateway's own, and sends what curl would send.
pub async fn run(
    stage: &Stage,
    block: &Block,
    manifest: &str,
    counts: &mut BTreeMap<String, usize>,
) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for name in ["schema", "examples"] {
        symlink(super::root().join(name), folder.join(name)).expect("a link");
    }
    fs::create_dir_all(folder.join(".local/share/bash-completion/completions")).expect("a folder");
    fs::write(folder.join("persisted-documents.json"), manifest).expect("a file that can be written");
    for words in commands(block, folder)? {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let result = match *words {
            ["contacts-gateway", ref rest @ ..] | ["cargo", "run", "--release", "--", ref rest @ ..] => {
                *counts.entry("contacts-gateway".to_owned()).or_default() += 1;
                command(rest, folder)
            }
            ["curl", ref rest @ ..] => {
                *counts.entry("curl".to_owned()).or_default() += 1;
                let status = block.info.split_whitespace().find_map(|word| word.strip_prefix("status="));
                curl(stage, rest, status.unwrap_or("200")).await
            }
            _ => Ok(()),
        };
        result.map_err(|why| format!("{}: {why}", words.join(" ")))?;
    }
    Ok(())
}

/// The command is there with its options; one that needs no network is run.
fn command(words: &[&str], folder: &Path) -> Result<(), String> {
    let names: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
    let first = names.first().ok_or("no command")?;
    let help = |names: &[&str]| {
        let output = gateway(&[names, &["--help"]].concat(), &[]);
        output.status.success().then(|| told(&output))
    };
    let mut help_text = help(&names[..1]).ok_or("there is no such command")?;
    if help_text.contains("\nCommands:") {
        help_text = help(&names[..names.len().min(2)]).ok_or("there is no such command")?;
    }
    for option in words.iter().filter(|word| word.starts_with("--")) {
        if !help_text.contains(option.split('=').next().unwrap_or(option)) {
            return Err(format!("there is no option {option}"));
        }
    }
    if ["explain", "schema", "catalog", "key"].contains(first) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_contacts-gateway"));
        let output =
            command.args(words).current_dir(folder).stdin(Stdio::null()).output().expect("a command that runs");
        if !output.status.success() {
            return Err(told(&output));
        }
    }
    Ok(())
}

/// Sends what curl would send, to where the gateway and the sandbox of the test are.
async fn curl(stage: &Stage, words: &[&str], status: &str) -> Result<(), String> {
    let (mut method, mut url, mut body, mut headers) = (None, "", None, Vec::new());
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "-s" | "-N" | "-i" | "-sS" => {}
            "-X" => method = words.next(),
            "-H" => headers.extend(words.next().and_then(|header| header.split_once(": "))),
            "-d" => body = words.next(),
            _ if word.starts_with("http") => url = word,
            other => return Err(format!("the test does not know curl's {other}")),
        }
    }
    let places = [
        ("http://127.0.0.1:4000", stage.url.clone()),
        ("https://gateway.example", stage.url.clone()),
        ("http://127.0.0.1:4010", stage.sandbox.url()),
    ];
    let place = places.iter().find(|(shown, _)| url.starts_with(shown)).ok_or("the test does not know the host")?;
    let url = url.replacen(place.0, &place.1, 1);
    let method = method.unwrap_or(if body.is_some() { "POST" } else { "GET" });
    let mut request = reqwest::Client::new().request(method.parse::<Method>().expect("a method"), url);
    if let Some(body) = body {
        request = request.body(body.to_owned());
    }
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut answer = request.send().await.map_err(|why| why.to_string())?;
    let got = answer.status().as_u16().to_string();
    let is_stream =
        answer.headers().get("content-type").is_some_and(|it| it.as_bytes().starts_with(b"text/event-stream"));
    let said = if is_stream { None } else { answer.chunk().await.map_err(|why| why.to_string())? };
    let said = String::from_utf8_lossy(&said.unwrap_or_default()).into_owned();
    if got != status || (status == "200" && said.contains("\"errors\"")) {
        return Err(format!("{got}: {said}"));
    }
    Ok(())
}

/// Whether a language's own reader takes a text; yes where it is not here.
pub fn parses(program: &str, arguments: &[&str], text: &str) -> Result<(), String> {
    let started = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn();
    let Ok(mut reader) = started else { return Ok(()) };
    reader.stdin.take().expect("its input").write_all(text.as_bytes()).map_err(|why| why.to_string())?;
    let output = reader.wait_with_output().map_err(|why| why.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}
