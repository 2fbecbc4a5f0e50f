//! The bounds on what a document may come to: each is one, tells so, is counted, and is met before any upstream call.

use std::collections::BTreeMap;

use contacts_gateway::sandbox::DEMO_CONTACT;
use serde_json::{Value, json};

use super::support::*;

const EXPENSIVE: &str = "OPERATION_TOO_EXPENSIVE";
const PARSE: &str = "GRAPHQL_PARSE_FAILED";
const INPUT: &str = "BAD_USER_INPUT";

fn contact(inside: &str) -> String {
    format!("{{ contact(id: \"{DEMO_CONTACT}\") {{ {inside} }} }}")
}

fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect::<Vec<_>>().join(" ")
}

/// What passes stands right below the bound, what is refused right above it.
async fn bound(setting: (&str, &str), guard: &str, code: &str, passes: (String, Value), refused: Vec<(String, Value)>) {
    let stage = Stage::set(&[setting]).await;
    let answer = stage.ask(&passes.0, passes.1).await;
    assert_eq!(answer.get("errors"), None, "{setting:?}: {}", passes.0);
    stage.calls();
    let series = format!("gateway_refused_total{{guard=\"{guard}\"}}");
    for (times, (query, variables)) in (1..).zip(refused) {
        let answer = stage.ask(&query, variables).await;
        assert_eq!(errors(&answer), one_error("", code), "{setting:?}: {query}: {answer}");
        assert!(answer.get("data").is_none());
        assert_eq!(stage.metric(&series).await, times, "{series}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

fn plain(query: impl Into<String>) -> (String, Value) {
    (query.into(), json!({}))
}

#[tokio::test]
async fn tokens_are_bounded() {
    let fields = |count| plain(contact(&"name ".repeat(count)));
    bound(("MAX_TOKENS", "30"), "tokens", PARSE, fields(20), vec![fields(21), fields(2_000)]).await;
    let commas = |count| plain(format!("{{ __typename {} }}", ",".repeat(count)));
    bound(("MAX_TOKENS", "30"), "tokens", PARSE, commas(100), vec![commas(200), commas(200_000)]).await;
}

#[tokio::test]
async fn brackets_inside_of_each_other_are_bounded() {
    let inline = |count: usize| plain(format!("{}__typename{}", "{ ... ".repeat(count) + "{", "}".repeat(count + 1)));
    let list =
        |count: usize| plain(format!("query Q($a: ID = {}{}) {{ __typename }}", "[".repeat(count), "]".repeat(count)));
    let types =
        |count: usize| plain(format!("query Q($a: {}ID{}) {{ __typename }}", "[".repeat(count), "]".repeat(count)));
    let open = plain(format!("{{ contact(id: {}", "{a:".repeat(2_000)));
    let refused = vec![inline(64), list(2_000), types(2_000), inline(20_000), open];
    bound(("MAX_NESTING", "64"), "nesting", PARSE, inline(63), refused).await;
    let variable = |depth: usize| {
        let deep = (0..depth).fold(json!(1), |inner, _| json!([inner]));
        ("{ __typename }".to_owned(), json!({ "a": deep }))
    };
    bound(("MAX_NESTING", "10"), "nesting", INPUT, variable(10), vec![variable(11)]).await;
}

#[tokio::test]
async fn aliases_are_bounded_however_they_are_spread() {
    let aliases = |count| plain(contact(&many(count, |n| format!("a{n}: name"))));
    let spread = plain(contact("...A tasks { contact { ...A } }") + "fragment A on Contact { a: name b: email }");
    let refused = vec![aliases(4), spread, aliases(3_000), plain(many(4, |n| format!("a{n}: __typename")).brackets())];
    bound(("MAX_ALIASES", "3"), "aliases", EXPENSIVE, aliases(3), refused).await;
}

#[tokio::test]
async fn fields_at_the_top_are_bounded_however_they_are_spread() {
    let spread = plain("{ ...A ... { __typename } } fragment A on Query { gateway { version } a: __typename }");
    let roots = |count| plain(many(count, |n| format!("a{n}: __typename")).brackets());
    bound(("MAX_ROOT_FIELDS", "2"), "root_fields", EXPENSIVE, roots(2), vec![roots(3), spread, roots(500)]).await;
}

#[tokio::test]
async fn directives_are_bounded_wherever_they_stand() {
    let on = |what: &str, count| format!("{what} {}", "@include(if: true) ".repeat(count));
    let passes = plain(contact(&format!("{} {}", on("name", 1), on("id", 1))));
    let refused = vec![
        plain(contact(&on("name", 3))),
        plain(contact(&format!("... {} {{ id }}", on("", 3)))),
        plain(contact(&format!("{} {}", on("...A", 2), on("id", 1))) + "fragment A on Contact { id }"),
        plain(contact("...A") + &format!("fragment A on Contact {} {{ id }}", on("", 3))),
        plain(contact("...A tasks { contact { ...A } }") + &format!("fragment A on Contact {{ {} }}", on("id", 2))),
        plain(format!("query {} {{ __typename }}", on("", 3))),
        plain(format!("query Q($a: ID {}) {{ __typename }}", on("", 3))),
        plain(format!("{{ __typename {} }}", "@aa".repeat(7_000))),
    ];
    bound(("MAX_DIRECTIVES", "2"), "directives", EXPENSIVE, passes, refused).await;
}

#[tokio::test]
async fn fields_are_bounded_with_their_fragments_and_over_all_operations() {
    let fragment = "fragment F on Contact { id name firstName lastName email phone company website type }";
    let spread = |count| contact(&many(count, |_| "...F".to_owned()));
    let operations = format!("query A {} query B {} {fragment}", spread(1), spread(1));
    let refused = vec![plain(spread(2) + fragment), plain(operations)];
    bound(("MAX_FIELDS", "18"), "fields", EXPENSIVE, plain(spread(1) + fragment), refused).await;
}

#[tokio::test]
async fn depth_is_bounded_written_out_or_by_fragments() {
    let deep =
        |pairs: usize| plain(contact(&format!("{} id {}", "tasks { contact { ".repeat(pairs), "} } ".repeat(pairs))));
    let spread = plain(
        contact("...A")
            + "fragment A on Contact { tasks { contact { ...B } } } fragment B on Contact { tasks { contact { id } } }",
    );
    bound(("MAX_DEPTH", "4"), "depth", EXPENSIVE, deep(1), vec![deep(2), spread]).await;
}

#[tokio::test]
async fn lists_that_are_given_are_bounded_in_a_document_and_in_variables() {
    let ids = |count| vec![DEMO_CONTACT; count];
    let query = "query Q($ids: [ID!]!) { contactsByIds(ids: $ids) { id } }";
    let variable = |count: usize| (query.to_owned(), json!({ "ids": ids(count) }));
    let literal = plain(format!("{{ contactsByIds(ids: {:?}) {{ id }} }}", ids(4)));
    let unused = ("{ __typename }".to_owned(), json!({ "a": { "b": [1, 2, 3, 4] } }));
    bound(("MAX_LIST", "3"), "list", EXPENSIVE, variable(3), vec![variable(4), literal, unused]).await;
}

#[tokio::test]
async fn an_input_object_has_each_field_once_wherever_it_stands() {
    let stage = Stage::new().await;
    let twice = "{ contactId: \"a\", tags: [\"x\"], contactId: \"b\" }";
    for query in [
        format!("mutation {{ addContactTags(input: {twice}) {{ contact {{ id }} }} }}"),
        format!(
            "mutation M($i: AddContactTagsInput! = {twice}) {{ addContactTags(input: $i) {{ contact {{ id }} }} }}"
        ),
        format!(
            "mutation {{ ...F }} fragment F on Mutation {{ addContactTags(input: {twice}) {{ contact {{ id }} }} }}"
        ),
    ] {
        let answer = stage.ask(&query, json!({})).await;
        assert_eq!(errors(&answer), one_error("", "GRAPHQL_VALIDATION_FAILED"), "{query}: {answer}");
    }
    assert_eq!(stage.calls(), BTreeMap::new());
}

#[tokio::test]
async fn variables_are_bounded_in_bytes() {
    let query = "query Q($id: ID!) { contact(id: $id) { id } }";
    let bytes = |count: usize| {
        (query.to_owned(), json!({ "id": DEMO_CONTACT, "more": [{ "x": "y".repeat(count - DEMO_CONTACT.len() - 7) }] }))
    };
    bound(("MAX_VARIABLES", "100"), "variables", INPUT, bytes(100), vec![bytes(101), bytes(10_000)]).await;
}

#[tokio::test]
async fn the_schema_is_told_to_those_who_ask_in_no_circles() {
    let circle = |count: usize| {
        plain(format!(
            "{{ __schema {{ types {{ {} name {} }} }} }}",
            "fields { type { ".repeat(count),
            "} } ".repeat(count)
        ))
    };
    let others = plain(
        "{ __type(name: \"Contact\") { ...A } } fragment A on __Type { interfaces { possibleTypes { inputFields { name } } } }",
    );
    bound(("MAX_DEPTH", "15"), "introspection_depth", EXPENSIVE, circle(2), vec![circle(3), others]).await;
}

#[tokio::test]
async fn a_body_is_bounded_in_bytes() {
    let stage = Stage::set(&[("BODY_LIMIT", "2KiB")]).await;
    for (blanks, status) in [(1_500, 200), (3_000, 413)] {
        let body = json!({ "query": format!("{{ __typename{} }}", " ".repeat(blanks)) });
        assert_eq!(stage.post().json(&body).send().await.expect("an answer").status(), status);
    }
    assert_eq!(stage.metric("gateway_refused_total{guard=\"bytes\"}").await, 1);
}

/// The query that graphql-js, and so GraphiQL and the generators, ask the schema by.
#[tokio::test]
async fn what_tools_and_people_ask_passes_the_defaults() {
    let stage = Stage::new().await;
    let of_type = (0..9).fold("kind name".to_owned(), |inner, _| format!("kind name ofType {{ {inner} }}"));
    let introspection = format!(
        "query IntrospectionQuery {{ __schema {{ description queryType {{ name kind }} mutationType {{ name kind }} \
         subscriptionType {{ name kind }} types {{ ...FullType }} \
         directives {{ name description isRepeatable locations args(includeDeprecated: true) {{ ...InputValue }} }} }} }} \
         fragment FullType on __Type {{ kind name description specifiedByURL \
         fields(includeDeprecated: true) {{ name description args(includeDeprecated: true) {{ ...InputValue }} \
         type {{ ...TypeRef }} isDeprecated deprecationReason }} \
         inputFields(includeDeprecated: true) {{ ...InputValue }} interfaces {{ ...TypeRef }} \
         enumValues(includeDeprecated: true) {{ name description isDeprecated deprecationReason }} possibleTypes {{ ...TypeRef }} }} \
         fragment InputValue on __InputValue {{ name description type {{ ...TypeRef }} defaultValue isDeprecated deprecationReason }} \
         fragment TypeRef on __Type {{ {of_type} }}"
    );
    assert!(
        stage.data(&introspection, json!({})).await["__schema"]["types"].as_array().is_some_and(|all| all.len() > 10)
    );
    stage.profile().await;
    stage.data(LIST_WITH_ALL, json!({ "n": 50 })).await;
    stage.data(&contact(&many(30, |n| format!("a{n}: name"))), json!({})).await;
    stage.data(&contact(&many(50, |n| format!("{} @include(if: true)", ["id", "name"][n % 2]))), json!({})).await;
    stage.data(&many(20, |n| format!("a{n}: __typename")).brackets(), json!({})).await;
}

trait Brackets {
    fn brackets(self) -> String;
}

impl Brackets for String {
    fn brackets(self) -> String {
        format!("{{ {self} }}")
    }
}

#[tokio::test]
async fn what_is_no_graphql_is_counted_and_long_names_leave_room_for_what_is_wrong() {
    let stage = Stage::new().await;
    for text in ["{", "{ contact(id: ) }"] {
        assert_eq!(errors(&stage.ask(text, json!({})).await)[0].1, PARSE, "{text}");
    }
    assert_eq!(stage.metric("gateway_refused_total{guard=\"syntax\"} ").await, 2);
    let long = "f".repeat(3_000);
    for text in
        [format!("{{ {long} }}"), format!("query($a: {long}) {{ __typename }}"), contact(&format!("name ...{long}"))]
    {
        let answer = stage.ask(&text, json!({})).await;
        let message = answer["errors"][0]["message"].as_str().expect("a message");
        let named = message.matches('f').count();
        assert!((100..110).contains(&named) && !message.ends_with('…'), "{message}");
    }
}
