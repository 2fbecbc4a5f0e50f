//! The trusted operations as a Postman collection, version 2.1.

use apollo_compiler::executable::OperationType;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::named::{Catalog, Named};

const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// The collection: a folder for each kind of operation. `baseUrl`, `key` and `location` are its variables.
pub fn describe(catalog: &Catalog) -> Value {
    let kinds = [
        (OperationType::Query, "Queries"),
        (OperationType::Mutation, "Mutations"),
        (OperationType::Subscription, "Subscriptions"),
    ];
    let folder = |(kind, name): (OperationType, &str)| {
        let items: Vec<Value> = catalog.operations.iter().filter(|one| one.kind == kind).map(item).collect();
        (!items.is_empty()).then(|| json!({ "name": name, "item": items }))
    };
    let bearer = json!({ "type": "bearer", "bearer": [{ "key": "token", "value": "{{key}}", "type": "string" }] });
    json!({
        "info": {
            "name": "contacts-gateway: trusted operations",
            "description": "`key` is a key or token of the gateway; `location` is only needed by callers who have several.",
            "schema": SCHEMA,
        },
        "item": kinds.into_iter().filter_map(folder).collect::<Vec<_>>(),
        "auth": if catalog.is_open { json!({ "type": "noauth" }) } else { bearer },
        "variable": [
            { "key": "baseUrl", "value": catalog.url, "type": "string" },
            { "key": "key", "value": "", "type": "string" },
            { "key": "location", "value": "", "type": "string" },
        ],
    })
}

fn item(operation: &Named) -> Value {
    let mut header = vec![json!({ "key": "x-location-id", "value": "{{location}}", "disabled": true })];
    if operation.kind == OperationType::Subscription {
        header.push(json!({ "key": "accept", "value": "text/event-stream" }));
    }
    let samples = operation.samples();
    let mut request = match (operation.has_address, operation.kind) {
        (true, OperationType::Query) => {
            let mut url = url(&["operations", operation.title()]);
            if !operation.variables.is_empty() {
                let text = samples.to_string();
                let query = utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string();
                url["raw"] = json!(format!("{}?variables={query}", url["raw"].as_str().unwrap_or_default()));
                url["query"] =
                    json!([{ "key": "variables", "value": query, "description": "The variables, as a JSON object." }]);
            }
            json!({ "method": "GET", "url": url })
        }
        (true, _) => {
            json!({ "method": "POST", "url": url(&["operations", operation.title()]), "body": body(&samples) })
        }
        (false, _) => {
            let request = json!({ "documentId": operation.id, "operationName": operation.name, "variables": samples });
            json!({ "method": "POST", "url": url(&["graphql"]), "body": body(&request) })
        }
    };
    if request.get("body").is_some() {
        header.push(json!({ "key": "content-type", "value": "application/json" }));
    }
    request["header"] = json!(header);
    request["description"] = json!(operation.about());
    json!({ "name": operation.title(), "request": request, "response": [] })
}

fn url(path: &[&str]) -> Value {
    json!({ "raw": format!("{{{{baseUrl}}}}/{}", path.join("/")), "host": ["{{baseUrl}}"], "path": path })
}

fn body(json: &Value) -> Value {
    json!({ "mode": "raw", "raw": format!("{json:#}"), "options": { "raw": { "language": "json" } } })
}
