//! What is seen from outside: every metric is explained, and what is made of metrics asks for none that there is not.

use std::collections::BTreeSet;

use contacts_gateway::sandbox::Fault;
use serde_json::Value;

use super::support::*;

const OPERATING: &str = include_str!("../../docs/operating.md");
const ALERTS: &str = include_str!("../../deploy/prometheus/alerts.yml");
const DASHBOARD: &str = include_str!("../../deploy/grafana/contacts-gateway.json");
const SOURCE: &str = include_str!("../../src/metrics.rs");

/// The names of metrics in a text, as families: a histogram's samples have more behind.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|mark: char| !mark.is_ascii_alphanumeric() && mark != '_');
    let family = |word: &str| {
        let ends = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| word.strip_suffix(end));
        ends.unwrap_or(word).to_owned()
    };
    words.filter(|word| word.starts_with("gateway_")).map(family).collect()
}

/// The metrics of the table, each with its kind.
fn explained() -> Vec<(&'static str, &'static str)> {
    let rows = OPERATING.lines().filter_map(|line| line.strip_prefix("| `gateway_"));
    let row = |row: &'static str| {
        let (name, rest) = row.split_once("` | ").expect("a kind");
        (name, rest.split_once(" | ").expect("what it tells").0)
    };
    rows.map(row).collect()
}

/// The metrics that there are, by the code that makes them: what was never counted is not shown.
fn made() -> BTreeSet<String> {
    let all = SOURCE.split("registry.register").skip(1).map(|call| {
        let call = call.split(';').next().expect("a call");
        let name = call.split('"').nth(1).expect("a name");
        let units = [("Unit::Seconds", "_seconds"), ("Unit::Bytes", "_bytes")];
        let unit = units.into_iter().find(|(unit, _)| call.contains(unit)).map_or("", |(_, end)| end);
        format!("gateway_{name}{unit}")
    });
    all.collect()
}

#[test]
fn every_metric_is_explained_and_none_that_is_not_there() {
    let bare = |(name, _): (&str, &str)| format!("gateway_{}", name.strip_suffix("_total").unwrap_or(name));
    let explained: BTreeSet<String> = explained().into_iter().map(bare).collect();
    assert!(explained.len() > 20);
    assert_eq!(explained, made());
}

#[tokio::test]
async fn the_metrics_are_shown_as_they_are_explained() {
    let stage = Stage::set(&[("UPSTREAM_RETRIES", "0")]).await;
    stage.profile().await;
    stage.profile().await;
    stage.sandbox.fault(Fault::on(CONTACT).status(500));
    stage.ask("query Mine { contact(id: \"c2\") { id } }", Value::Null).await;
    let answer = stage.get("/metrics").send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.expect("text");
    let kinds: Vec<(&str, &str)> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE gateway_")?.split_once(' ')).collect();
    let explained = explained();
    assert!(kinds.len() > 12 && kinds.iter().all(|kind| explained.contains(kind)), "{kinds:?}");
    for (name, _) in &kinds {
        assert_eq!(text.matches(&format!("# HELP gateway_{name} ")).count(), 1, "{name}");
    }
    for series in [
        "gateway_operations_total{operation=\"other\",outcome=\"kept\"} 1",
        "gateway_operations_total{operation=\"other\",outcome=\"executed\"} 1",
        "gateway_operations_total{operation=\"other\",outcome=\"failed\"} 1",
        "gateway_upstream_call_duration_seconds_count 5",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} in {text}");
    }
    assert!(!text.contains("Mine") && !text.contains("# EOF"));
    let asked = stage.get("/metrics").header("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let answer = asked.send().await.expect("an answer");
    assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.text().await.expect("text").ends_with("# EOF\n"));
}

#[test]
fn dashboard_and_alerts_ask_for_metrics_that_there_are() {
    let explained: BTreeSet<String> = explained().into_iter().map(|(name, _)| format!("gateway_{name}")).collect();
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let asked: BTreeSet<String> = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .flat_map(|target| named(target["expr"].as_str().expect("a query")))
        .collect();
    assert_eq!(asked, explained, "the dashboard shows all of them and no other");
    assert!(named(ALERTS).is_subset(&explained), "{:?}", named(ALERTS));
    let alerts: Vec<&str> = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 8);
    for alert in alerts {
        assert!(OPERATING.contains(&format!("| `{alert}` |")), "{alert} is not explained");
    }
}
