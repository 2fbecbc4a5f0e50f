//! `catalog`: what each field costs, and the trusted operations as REST-minded tools want them described.

mod fields;
mod named;
mod openapi;
mod postman;
mod types;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use serde_json::Value;

use super::{ConfigFile, USAGE, print};
use crate::app;
use crate::config;
use named::Catalog;

/// What to print.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Options {
    /// The trusted operations as a Postman collection, version 2.1
    #[arg(long, group = "form")]
    postman: bool,
    /// The trusted operations as an OpenAPI 3.1 description
    #[arg(long, group = "form")]
    openapi: bool,
    /// The fields of the schema as JSON
    #[arg(long, group = "form")]
    json: bool,
    /// A manifest of trusted documents, instead of the one of GATEWAY_TRUSTED_DOCUMENTS
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Where callers reach the gateway; left out: http:// and GATEWAY_LISTEN
    #[arg(long, value_name = "URL")]
    url: Option<reqwest::Url>,
    #[command(flatten)]
    file: ConfigFile,
}

const EXAMPLES: &str = "\
Examples:
  contacts-gateway catalog > operations.md
  contacts-gateway catalog --openapi --manifest persisted-documents.json --url https://gateway.example > openapi.json";

/// Ends with 64 where there is no manifest to describe, or one that cannot be described.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let describe: fn(&Catalog) -> Value = match (options.openapi, options.postman) {
        (false, false) => return fields(options.json),
        (true, _) => openapi::describe,
        (_, true) => postman::describe,
    };
    match catalog(options)? {
        Ok(catalog) => Ok(print(&format!("{:#}\n", describe(&catalog)))),
        Err(problems) => {
            problems.iter().for_each(|problem| eprintln!("{problem}"));
            Ok(ExitCode::from(USAGE))
        }
    }
}

fn fields(as_json: bool) -> anyhow::Result<ExitCode> {
    let settings = config::defaults().context("the defaults of the settings cannot be used")?;
    let ttls = app::ttls(&settings);
    let entries = crate::operation::catalog::entries()?;
    Ok(print(&match as_json {
        true => format!("{:#}\n", fields::to_json(&entries, &ttls)),
        false => fields::to_markdown(&entries, &ttls),
    }))
}

/// The operations of the manifest that is named, or why they cannot be described.
fn catalog(options: &Options) -> anyhow::Result<Result<Catalog, Vec<String>>> {
    let loaded = options.file.load();
    // A description needs no location and no credential: what else is wrong with the settings does not matter here.
    let value = |name| loaded.in_force.iter().find(|row| row.name == name).map_or("", |row| row.value.as_str());
    let path = match (&options.manifest, value("GATEWAY_TRUSTED_DOCUMENTS")) {
        (Some(path), _) => path.clone(),
        (None, "") => return Ok(Err(vec![NONE.to_owned()])),
        (None, path) => path.into(),
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(why) => return Ok(Err(vec![format!("{}: cannot be read: {why}", path.display())])),
    };
    let url = options.url.as_ref().map_or_else(|| format!("http://{}", value("GATEWAY_LISTEN")), ToString::to_string);
    let is_open = value("GATEWAY_AUTH") == "open";
    let settings = config::defaults().context("the defaults of the settings cannot be used")?;
    Catalog::read(&text, url.trim_end_matches('/'), is_open, app::bounds(&settings))
        .map(|read| read.map_err(|lines| lines.into_iter().map(|line| format!("{}: {line}", path.display())).collect()))
}

const NONE: &str = "There are no trusted documents to describe: --manifest or GATEWAY_TRUSTED_DOCUMENTS has to name a \
    manifest, as Apollo, Relay and graphql-codegen write them. `catalog` alone tells the fields of the schema.";
