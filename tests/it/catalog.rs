//! The catalog: what fields cost, and trusted operations described for tools that speak REST, and called as described.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value, json};
use tempfile::NamedTempFile;

use super::commands::{gateway, told};
use super::support::*;

/// The examples as a manifest, with the variables of each operation by its name.
pub fn examples() -> (NamedTempFile, Map<String, Value>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/examples");
    let given = fs::read_to_string(folder.join("variables.json")).expect("variables.json");
    let given: Value = serde_json::from_str(&given).expect("JSON");
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("schema/examples").map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (mut manifest, mut variables) = (Map::new(), Map::new());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|it| it == "graphql")) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("text");
        let (_, rest) =
            ["query ", "mutation ", "subscription "].iter().find_map(|kind| text.split_once(*kind)).unwrap();
        let name = rest.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        variables.insert(name.to_owned(), given.get(&stem).cloned().unwrap_or_else(|| json!({})));
        manifest.insert(stem, json!(text));
    }
    assert!(manifest.len() > 10 && variables.len() == manifest.len());
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), Value::Object(manifest).to_string()).expect("a file that can be written");
    (file, variables)
}

fn catalog(arguments: &[&str], settings: &[(&str, &str)]) -> String {
    let output = gateway(&[&["catalog"], arguments].concat(), settings);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    String::from_utf8(output.stdout).expect("text")
}

fn described(form: &str, file: &NamedTempFile) -> Value {
    let text = catalog(&[form, "--manifest", file.path().to_str().expect("a path")], &[]);
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_page_of_operations_is_what_the_command_prints() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let page = fs::read_to_string(page).expect("docs/operations.md");
    assert!(
        page == catalog(&[], &[]),
        "docs/operations.md is out of date: `cargo run -- catalog > docs/operations.md`"
    );
}

#[test]
fn every_field_at_the_top_is_told_with_its_calls_and_errors() {
    let told: Value = serde_json::from_str(&catalog(&["--json"], &[])).expect("JSON");
    let fields = told["fields"].as_array().expect("fields");
    let of = |on: &str| fields.iter().filter(|field| field["type"] == on).count();
    assert_eq!((of("Query"), of("Mutation"), of("Subscription")), (7, 13, 2));
    let field = |name: &str| fields.iter().find(|field| field["field"] == name).expect("a field").clone();
    let update = field("updateContact");
    assert_eq!(update["calls"][0]["route"], "PUT /contacts/{contactId}");
    assert_eq!((&update["calls"][0]["scope"], &update["calls"][0]["ttlMs"]), (&json!("contacts.write"), &Value::Null));
    for code in ["NOT_FOUND", "CONFLICT", "UPSTREAM_TIMEOUT"] {
        assert!(update["errors"].as_array().expect("codes").contains(&json!(code)), "{code}");
    }
    assert!(!field("deleteTask")["errors"].to_string().contains("CONFLICT"));
    assert_eq!(field("contacts")["calls"][0]["one"], json!({ "each": "page", "rows": 100, "defaultRows": 20 }));
    assert_eq!(field("gateway")["calls"], json!([]));
    for kept in fields.iter().flat_map(|field| field["calls"].as_array().expect("calls")) {
        let is_write = kept["scope"] == "contacts.write";
        assert_eq!(kept["ttlMs"].is_null(), is_write, "{kept}");
    }
}

/// What a subscription is refused for when it begins, `subscriptions::tokens` has.
#[test]
fn what_a_subscription_takes_is_told_though_it_calls_nothing() {
    let told: Value = serde_json::from_str(&catalog(&["--json"], &[])).expect("JSON");
    let fields = told["fields"].as_array().expect("fields").iter().filter(|field| field["type"] == "Subscription");
    let page = catalog(&[], &[]);
    for field in fields {
        assert_eq!((&field["calls"], &field["scopes"]), (&json!([]), &json!(["contacts.readonly"])));
        assert_eq!(field["errors"], json!(["BAD_USER_INPUT", "FORBIDDEN"]));
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}`", field["field"].as_str().unwrap())));
        let end = "| none | none | `contacts.readonly` | none | `BAD_USER_INPUT`, `FORBIDDEN` |";
        assert!(row.expect("a row").ends_with(end), "{row:?}");
    }
    let file = NamedTempFile::new().expect("a file");
    let text = r#"{"w": "subscription W { contactsChanged { kind contact { id } } }", "q": "query Q { gateway { version } }"}"#;
    fs::write(file.path(), text).expect("a file that can be written");
    let ends = " At most 1 upstream calls for each change. Scopes: contacts.readonly.";
    let (openapi, postman) = (described("--openapi", &file), described("--postman", &file));
    for about in [
        &openapi["paths"]["/operations/W"]["post"]["description"],
        &postman["item"][1]["item"][0]["request"]["description"],
    ] {
        assert!(about.as_str().expect("text").ends_with(ends), "{about}");
    }
    let text = r#"{"w": "subscription W { contactsChanged { kind } }", "q": "query Q { gateway { version } }"}"#;
    fs::write(file.path(), text).expect("a file that can be written");
    let openapi = described("--openapi", &file);
    let about = |name: &str| openapi["paths"][name]["post"]["description"].as_str().expect("text").to_owned();
    assert!(about("/operations/W").ends_with(" At most 0 upstream calls for each change. Scopes: contacts.readonly."));
    assert!(about("/operations/Q").ends_with(" At most 0 upstream calls."));
}

#[test]
fn without_a_manifest_it_says_what_to_set() {
    let broken = NamedTempFile::new().expect("a file");
    fs::write(broken.path(), r#"{"a": "{ nothing }", "b": "query {"}"#).expect("a file that can be written");
    let broken = broken.path().to_str().expect("a path");
    for (arguments, settings, expected) in [
        (&["catalog", "--openapi"][..], &[][..], "GATEWAY_TRUSTED_DOCUMENTS"),
        (&["catalog", "--postman"], &[("TRUSTED_DOCUMENTS", "/no/such/file")], "/no/such/file: cannot be read"),
        (&["catalog", "--openapi", "--manifest", broken], &[], "\"b\" is not GraphQL"),
        (&["catalog", "--openapi", "--postman"], &[], "cannot be used with"),
    ] {
        let output = gateway(arguments, settings);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(told(&output).contains(expected), "{}", told(&output));
    }
}

/// Every reference of a description.
fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[tokio::test]
async fn what_is_described_as_openapi_can_be_called_and_answers_as_described() {
    let (manifest, variables) = examples();
    let openapi = described("--openapi", &manifest);
    let mut found = Vec::new();
    references(&openapi, &mut found);
    assert!(found.len() > 50);
    for reference in found {
        assert!(openapi.pointer(&reference[1..]).is_some(), "{reference}");
    }
    let path = manifest.path().to_str().expect("a path");
    let stage = Stage::set(&[("TRUSTED_DOCUMENTS", path), ("TRUSTED_ONLY", "true")]).await;
    let mut called = 0;
    for (path, methods) in openapi["paths"].as_object().expect("paths") {
        let Some(name) = path.strip_prefix("/operations/") else { continue };
        let given = &variables[name];
        let post = &methods["post"];
        let takes = &post["requestBody"]["content"]["application/json"]["schema"]["properties"];
        assert!(given.as_object().unwrap().keys().all(|variable| !takes[variable].is_null()), "{path}");
        let Some(schema) = post.pointer("/responses/200/content/application~1json/schema") else {
            assert_eq!(name, "WatchAContact");
            continue;
        };
        let mut answers = Vec::new();
        if let Some(get) = methods.get("get") {
            let address = reqwest::Url::parse_with_params("http://x", [("variables", given.to_string())]).unwrap();
            let address = format!("{path}?{}", address.query().unwrap());
            answers.push(stage.get(&address).send().await.expect("an answer"));
            assert_eq!(get["responses"], post["responses"]);
        }
        answers.push(stage.method(reqwest::Method::POST, path).json(given).send().await.expect("an answer"));
        for answer in answers {
            assert_eq!(answer.status().as_u16(), 200, "{path}");
            let answer: Value = answer.json().await.expect("JSON");
            assert_eq!(answer.get("errors"), None, "{path}");
            // The schema of the answer is looked at by tests/catalog, with a validator.
            let told = schema["properties"]["data"]["properties"].as_object().expect("properties");
            assert!(answer["data"].as_object().expect("data").keys().eq(told.keys()), "{path}");
            called += 1;
        }
    }
    assert!(called >= 20, "{called}");
    // What is refused is as it is described, too.
    let refused = stage.get("/operations/Nothing").send().await.expect("an answer");
    assert_eq!(refused.status().as_u16(), 404);
    assert_eq!(errors(&refused.json().await.expect("JSON"))[0].1, "NOT_FOUND");
}

#[tokio::test]
async fn each_request_of_the_postman_collection_is_understood() {
    let (manifest, variables) = examples();
    let collection = described("--postman", &manifest);
    assert_eq!(collection["info"]["schema"], "https://schema.getpostman.com/json/collection/v2.1.0/collection.json");
    let path = manifest.path().to_str().expect("a path");
    let stage = Stage::set(&[("TRUSTED_DOCUMENTS", path), ("TRUSTED_ONLY", "true")]).await;
    let mut names = Vec::new();
    for item in collection["item"].as_array().expect("folders").iter().flat_map(|of| of["item"].as_array().unwrap()) {
        let request = &item["request"];
        let address = request["url"]["raw"].as_str().expect("an address").replace("{{baseUrl}}", "");
        let method = request["method"].as_str().expect("a method").parse().expect("a method");
        let mut call = stage.method(method, &address);
        for header in request["header"].as_array().expect("headers").iter().filter(|row| row["disabled"] != true) {
            call = call.header(header["key"].as_str().unwrap(), header["value"].as_str().unwrap());
        }
        if let Some(body) = request["body"]["raw"].as_str() {
            call = call.body(body.to_owned());
        }
        let mut answer = call.send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{item}");
        // The samples name nothing that is there; they are of the right types.
        let start = answer.chunk().await.expect("a part").unwrap_or_default();
        let start = String::from_utf8_lossy(&start);
        assert!(!start.contains("GRAPHQL_VALIDATION_FAILED") && !start.contains("of type"), "{item}: {start}");
        names.push(item["name"].as_str().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, variables.keys().cloned().collect::<Vec<_>>());
}

#[test]
fn a_gateway_with_keys_is_described_with_its_lock() {
    let (manifest, _) = examples();
    let path = manifest.path().to_str().expect("a path");
    let settings = [("TRUSTED_DOCUMENTS", path), ("AUTH", "keys")];
    let arguments = ["--openapi", "--url", "https://gateway.example/"];
    let openapi: Value = serde_json::from_str(&catalog(&arguments, &settings)).expect("JSON");
    assert_eq!(openapi["security"], json!([{ "bearer": [] }]));
    assert_eq!(openapi["servers"], json!([{ "url": "https://gateway.example" }]));
    let postman: Value = serde_json::from_str(&catalog(&["--postman"], &settings)).expect("JSON");
    assert_eq!(postman["auth"]["type"], "bearer");
    // No name finds what has none, or what two documents have: their ids do.
    let file = NamedTempFile::new().expect("a file");
    let text = r#"{"one": "{ gateway { version } }", "two": "query T { __typename }", "three": "query T { gateway { version } }"}"#;
    fs::write(file.path(), text).expect("a file that can be written");
    let openapi = described("--openapi", &file);
    assert_eq!(openapi["paths"].as_object().expect("paths").keys().collect::<Vec<_>>(), ["/graphql"]);
    let schema = "/paths/~1graphql/post/requestBody/content/application~1json/schema/oneOf";
    assert_eq!(openapi.pointer(schema).expect("requests").as_array().expect("a list").len(), 3);
}
