//! The trusted operations as OpenAPI 3.1 has them.

use apollo_compiler::executable::OperationType;
use serde_json::{Map, Value, json};

use super::named::{Catalog, Named};
use crate::operation::catalog::codes;

/// The description.
pub fn describe(catalog: &Catalog) -> Value {
    let mut paths = Map::new();
    for operation in catalog.operations.iter().filter(|operation| operation.has_address) {
        paths.insert(format!("/operations/{}", operation.title()), path(operation));
    }
    let by_id: Vec<Value> = catalog.operations.iter().map(request_by_id).collect();
    if !by_id.is_empty() {
        paths.insert("/graphql".to_owned(), graphql(&by_id));
    }
    let bearer = json!({ "bearer": [] });
    let security = if catalog.is_open { json!([{}, bearer]) } else { json!([bearer]) };
    let mut schemas = catalog.types.clone();
    schemas.insert("Error".to_owned(), error());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "contacts-gateway: trusted operations",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Operations that the gateway was given, each with an address. An answer has `data`, and `errors` where a part of it failed.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": catalog.url }],
        "security": security,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "description": "A key or token of the gateway." } },
            "parameters": { "Location": {
                "name": "x-location-id", "in": "header", "required": false, "schema": { "type": "string" },
                "description": "Which location, for callers who have several.",
            } },
            "responses": responses(),
        },
    })
}

fn path(operation: &Named) -> Value {
    let name = operation.title();
    let location = json!({ "$ref": "#/components/parameters/Location" });
    let mut methods = Map::new();
    let about = operation.about();
    if operation.kind == OperationType::Query {
        let required = operation.variables.iter().any(|variable| variable.is_required);
        let variables = json!({
            "name": "variables", "in": "query", "required": required, "description": "The variables, as a JSON object.",
            "content": { "application/json": { "schema": variables(operation) } },
        });
        let parameters =
            if operation.variables.is_empty() { vec![location.clone()] } else { vec![variables, location.clone()] };
        let get = json!({ "operationId": name, "summary": name, "description": about, "parameters": parameters, "responses": answers(operation) });
        methods.insert("get".to_owned(), get);
    }
    let id = if operation.kind == OperationType::Query { format!("{name}ByPost") } else { name.to_owned() };
    let required = operation.variables.iter().any(|variable| variable.is_required);
    let body = json!({ "required": required, "content": { "application/json": {
        "schema": variables(operation), "example": operation.samples(),
    } } });
    let post = json!({
        "operationId": id, "summary": name, "description": about, "parameters": [location],
        "requestBody": body, "responses": answers(operation),
    });
    methods.insert("post".to_owned(), post);
    Value::Object(methods)
}

/// All of them by their documents' ids.
fn graphql(by_id: &[Value]) -> Value {
    json!({ "post": {
        "operationId": "graphql",
        "summary": "Any trusted operation, by its document's id",
        "parameters": [{ "$ref": "#/components/parameters/Location" }],
        "requestBody": { "required": true, "content": { "application/json": { "schema": { "oneOf": by_id } } } },
        "responses": with_refusals(&json!({
            "description": "The answer.",
            "content": { "application/json": { "schema": envelope(&json!({ "type": ["object", "null"] })) } },
        })),
    } })
}

fn request_by_id(operation: &Named) -> Value {
    let mut properties = json!({ "documentId": { "const": operation.id }, "variables": variables(operation) });
    let mut required = vec!["documentId"];
    if let Some(name) = &operation.name {
        properties["operationName"] = json!({ "const": name });
        required.push("operationName");
    }
    if operation.variables.iter().any(|variable| variable.is_required) {
        required.push("variables");
    }
    json!({ "title": operation.title(), "type": "object", "properties": properties, "required": required })
}

fn variables(operation: &Named) -> Value {
    let properties: Map<String, Value> =
        operation.variables.iter().map(|variable| (variable.name.clone(), variable.schema.clone())).collect();
    let required: Vec<&str> = operation
        .variables
        .iter()
        .filter(|variable| variable.is_required)
        .map(|variable| variable.name.as_str())
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn answers(operation: &Named) -> Value {
    let media = match operation.kind {
        OperationType::Subscription => {
            json!({ "text/event-stream": { "schema": { "type": "string", "description": "Events `next`, each with an answer, and `complete`." } } })
        }
        _ => {
            let mut data = operation.data.clone();
            // Where a field that cannot be null failed, there is no data at all.
            data["type"] = json!(["object", "null"]);
            json!({ "application/json": { "schema": envelope(&data) } })
        }
    };
    with_refusals(&json!({ "description": "The answer; what failed of it is told in `errors`.", "content": media }))
}

fn with_refusals(answer: &Value) -> Value {
    let mut all = json!({ "200": answer });
    for (status, name, _) in REFUSALS {
        all[*status] = json!({ "$ref": format!("#/components/responses/{name}") });
    }
    all
}

/// The statuses of answers without data, each with its name and when it is sent.
const REFUSALS: &[(&str, &str, &str)] = &[
    ("400", "NotUnderstood", "The request cannot be read, or no location was named where there are several."),
    ("401", "NotLetIn", "No key or token, or one that opens nothing."),
    ("404", "Unknown", "There is no such operation in the manifest, or several of its name."),
    ("413", "TooLarge", "The body is larger than the gateway takes."),
    ("415", "NotJson", "The body is not said to be JSON, or is compressed."),
    ("503", "Busy", "The gateway has no room: come back after `Retry-After` seconds."),
];

fn responses() -> Value {
    let schema = json!({ "type": "object", "required": ["errors"], "properties": { "errors": errors() } });
    let row = |(_, name, about): &(&str, &str, &str)| {
        let response = json!({ "description": about, "content": { "application/json": { "schema": schema } } });
        ((*name).to_owned(), response)
    };
    Value::Object(REFUSALS.iter().map(row).collect())
}

fn envelope(data: &Value) -> Value {
    json!({
        "type": "object",
        "properties": { "data": data, "errors": errors(), "extensions": { "type": "object" } },
    })
}

fn errors() -> Value {
    json!({ "type": "array", "items": { "$ref": "#/components/schemas/Error" } })
}

fn error() -> Value {
    json!({
        "type": "object",
        "required": ["message", "extensions"],
        "properties": {
            "message": { "type": "string", "description": "For people." },
            "path": { "type": "array", "items": { "type": ["string", "integer"] }, "description": "The field of `data` that failed." },
            "locations": { "type": "array", "items": { "type": "object" } },
            "extensions": {
                "type": "object",
                "required": ["code", "requestId"],
                "properties": {
                    "code": { "type": "string", "enum": codes().collect::<Vec<_>>() },
                    "requestId": { "type": "string", "description": "Finds the request in the gateway's log." },
                    "retryAfterMs": { "type": "integer" },
                    "missingScopes": { "type": "array", "items": { "type": "string" } },
                    "existingContactId": { "type": "string" },
                    "inputPath": { "type": "array", "items": { "type": ["string", "integer"] } },
                },
            },
        },
    })
}
