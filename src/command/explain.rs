//! `explain`: which upstream calls an operation needs at most, without settings and without a network.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use apollo_compiler::response::JsonMap;
use serde_json::{Value, json};

use super::{USAGE, print};
use crate::app;
use crate::config::{self, manifest};
use crate::operation::{Explained, Explainer, Problem};
use crate::upstream::Ttls;

/// What to explain.
#[derive(clap::Args)]
pub struct Options {
    /// A file with a GraphQL document
    #[arg(required_unless_present = "manifest")]
    file: Option<PathBuf>,
    /// A manifest of trusted documents, instead of a file: each of its operations
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "operation"])]
    manifest: Option<PathBuf>,
    /// Which of its operations; without one, each of them
    #[arg(long, value_name = "NAME")]
    operation: Option<String>,
    /// The variables, as a JSON object; with --manifest, an object of such objects, by the operations' names
    #[arg(long, value_name = "JSON", default_value = "{}")]
    variables: String,
    /// Fail where an operation needs more calls
    #[arg(long, value_name = "N")]
    max_calls: Option<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Ends with 1 where an operation needs more calls than it may, and with 64 where there is nothing to explain.
pub fn run(options: &Options) -> anyhow::Result<ExitCode> {
    // One of them is there: the arguments were checked.
    let path = options.manifest.clone().or_else(|| options.file.clone()).unwrap_or_default();
    let file = path.display();
    let wrong = |why: String| {
        eprintln!("{why}");
        Ok(ExitCode::from(USAGE))
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(why) => return wrong(format!("{file}: cannot be read: {why}")),
    };
    let variables: JsonMap = match serde_json::from_str(&options.variables) {
        Ok(variables) => variables,
        Err(why) => return wrong(format!("--variables: not a JSON object: {why}")),
    };
    let settings = config::defaults().context("the defaults of the settings cannot be used")?;
    let ttls = app::ttls(&settings);
    let explainer = Explainer::new(app::bounds(&settings))?;
    let told = |place: &str, problems: Vec<Problem>| {
        let line = |Problem { error, at }: &Problem| match at {
            Some((line, column)) => format!("{file}:{place}{line}:{column}: {}", error.message),
            None => format!("{file}:{place} {}", error.message),
        };
        problems.iter().map(line).collect::<Vec<_>>()
    };
    let all = match &options.manifest {
        None => {
            explainer.explain(&text, options.operation.as_deref(), &variables).map_err(|problems| told("", problems))
        }
        Some(_) => manifest::parse(&text).map_err(|why| vec![format!("{file}: {why}")]).and_then(|documents| {
            let (mut all, mut wrong) = (Vec::new(), Vec::new());
            for document in documents {
                match explainer.explain_by_name(&document.text, &variables) {
                    Ok(explained) => all.extend(explained),
                    Err(problems) => wrong.extend(told(&format!("{}:", document.id), problems)),
                }
            }
            if wrong.is_empty() { Ok(all) } else { Err(wrong) }
        }),
    };
    let all = match all {
        Ok(all) => all,
        Err(lines) => return wrong(lines.join("\n")),
    };
    print(&match options.json {
        true => format!("{:#}\n", to_json(&all, &ttls)),
        false => all.iter().map(|one| table(one, &ttls)).collect::<Vec<_>>().join("\n"),
    });
    let over = all.iter().filter(|one| options.max_calls.is_some_and(|most| one.plan.count() > most));
    let mut code = ExitCode::SUCCESS;
    for one in over {
        let most = options.max_calls.unwrap_or_default();
        eprintln!("{file}: {} needs up to {} upstream calls; it may need {most}.", name(one), one.plan.count());
        code = ExitCode::FAILURE;
    }
    Ok(code)
}

fn name(one: &Explained) -> &str {
    one.name.as_deref().unwrap_or("the operation")
}

/// How long its answer may be kept: as long as the first thing that it is made from.
fn kept_for(one: &Explained, ttls: &Ttls) -> Option<Duration> {
    let times = one.plan.calls.iter().filter_map(|(call, _)| call.kept.as_ref()).map(|kept| (kept.ttl)(ttls));
    times.min().filter(|_| one.may_be_kept)
}

/// One operation as it is, several in a list, with the number of the largest.
fn to_json(all: &[Explained], ttls: &Ttls) -> Value {
    let ms = |time: Duration| time.as_millis() as u64;
    let mut operations: Vec<Value> = all
        .iter()
        .map(|one| {
            let calls = one.plan.calls.iter().map(|(call, count)| {
                let ttl = call.kept.as_ref().map(|kept| ms((kept.ttl)(ttls)));
                let scope = call.route.scope;
                json!({ "route": call.route.template, "count": count, "for": call.what, "scope": scope, "ttlMs": ttl })
            });
            json!({
                "operation": one.name,
                "planned": one.plan.count(),
                "calls": calls.collect::<Vec<_>>(),
                "scopes": one.plan.scopes(),
                "cacheable": one.may_be_kept,
                "ttlMs": kept_for(one, ttls).map(ms),
            })
        })
        .collect();
    match operations.pop() {
        Some(only) if operations.is_empty() => only,
        last => {
            operations.extend(last);
            json!({ "planned": all.iter().map(|one| one.plan.count()).max(), "operations": operations })
        }
    }
}

fn table(one: &Explained, ttls: &Ttls) -> String {
    let kept = |time| humantime::format_duration(time).to_string();
    let head = ["calls".to_owned(), "route".to_owned(), "for".to_owned(), "kept for".to_owned()];
    let rows = one.plan.calls.iter().map(|(call, count)| {
        let kept = call.kept.as_ref().map_or("nothing is kept".to_owned(), |of| kept((of.ttl)(ttls)));
        [count.to_string(), call.route.template.to_owned(), call.what.to_owned(), kept]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let (a, b, c) = (width(0), width(1), width(2));
    let mut text = format!("{}: upstream calls planned: {}\n", name(one), one.plan.count());
    for [count, route, what, kept] in rows.iter().filter(|_| rows.len() > 1) {
        text += &format!("  {count:>a$}  {route:b$}  {what:c$}  {kept}\n");
    }
    let scopes = Vec::from_iter(one.plan.scopes());
    if !scopes.is_empty() {
        text += &format!("  scopes: {}\n", scopes.join(", "));
    }
    text + &match kept_for(one, ttls) {
        Some(time) => format!("  the answer may be kept for {}\n", kept(time)),
        None => "  the answer is not kept\n".to_owned(),
    }
}
