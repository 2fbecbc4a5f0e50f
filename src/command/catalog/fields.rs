//! The fields of the schema with what they cost, as a page and as JSON.

use serde_json::{Value, json};

use crate::operation::catalog::{Each, Entry, Need, codes, of_calls};
use crate::upstream::Ttls;

/// The roots, with what their part of the page is called.
const ROOTS: [(&str, &str); 3] = [("Query", "Queries"), ("Mutation", "Mutations"), ("Subscription", "Subscriptions")];

/// What the page begins with.
const HEAD: &str = "\
# Operations

`contacts-gateway catalog` prints this page, from the same tables that operations are planned by; `--json` prints it for programs.
What one operation comes to, `contacts-gateway explain FILE` tells: the same thing asked twice is one call.

- **Calls** are the most that a field needs when nothing is held and no call fails. Nothing is called for what is held.
- **Many contacts at once** can take fewer: their tasks are searched for, 33 contacts in a call, where the scope `locations/tasks.readonly` is
  granted; contacts by their ids 100 in a call, where the upstream can filter by id.
- **A change** with a key that opens several locations first looks whether the contact is of this one: a call more, where the contact is not held.
- **Kept for** is the default of the setting `GATEWAY_TTL_...`; a change that goes through the gateway, or that a webhook tells, ends it at once.
- **Errors** are those that a field can have by itself. What they mean: [errors.md](errors.md).
";

/// As a page.
pub fn to_markdown(entries: &[Entry], ttls: &Ttls) -> String {
    let mut page = HEAD.to_owned();
    let list = |codes: Vec<&str>| codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
    let of_calls: Vec<&str> = of_calls().collect();
    let of_fields: Vec<&str> = entries.iter().flat_map(|entry| entry.codes.iter().copied()).collect();
    let of_requests = codes().filter(|code| !of_fields.contains(code)).collect();
    page += &format!("- Every call can end in {}.\n", list(of_calls.clone()));
    page += &format!("- Every request can end in {}.\n", list(of_requests));
    let row = |entry: &Entry, name: String| {
        // Of a field without a call, what any call can end in is its own.
        let is_own = |code: &&str| entry.needs.is_empty() || !of_calls.contains(code);
        let own = entry.codes.iter().copied().filter(is_own).collect();
        let lines = |lines: Vec<String>| if lines.is_empty() { "none".to_owned() } else { lines.join("<br>") };
        let of_need = |tell: fn(&Need, &Ttls, &str) -> String| {
            lines(entry.needs.iter().map(|need| tell(need, ttls, entry.on)).collect())
        };
        let calls = of_need(|need, _, on| often(need, on));
        let route = of_need(|need, _, _| format!("`{}`", need.call.route.template));
        let scope = lines(entry.scopes.iter().map(|scope| format!("`{scope}`")).collect());
        let kept = of_need(|need, ttls, _| match &need.call.kept {
            Some(kept) => humantime::format_duration((kept.ttl)(ttls)).to_string(),
            None => "not kept".to_owned(),
        });
        format!("| `{name}` | {} | {route} | {calls} | {scope} | {kept} | {} |\n", entry.about, list(own))
    };
    const COLUMNS: &str = "\n| field | what it is | REST route | calls at most | scope | kept for | errors |\n|---|---|---|---|---|---|---|\n";
    for (root, title) in ROOTS {
        page += &format!("\n## {title}\n{COLUMNS}");
        page.extend(entries.iter().filter(|entry| entry.on == root).map(|entry| row(entry, entry.field.to_owned())));
    }
    page += SUBSCRIPTIONS;
    page += &format!(
        "\n## Fields of other types\n\nEvery field that is not here has its value from what it is a field of.\n{COLUMNS}"
    );
    let inner = entries.iter().filter(|entry| ROOTS.iter().all(|(root, _)| entry.on != *root));
    page.extend(inner.map(|entry| row(entry, format!("{}.{}", entry.on, entry.field))));
    page
}

const SUBSCRIPTIONS: &str = "
To watch takes its scope when it begins and for each change, whatever is selected, and costs no call. Only where callers bring their own upstream tokens
(`GATEWAY_AUTH=passthrough`), a page of contacts is read when it begins, to see whether the token has the scope. What is selected of a change is planned and read for
each change, once for all who watch the same with the same eyes.
";

/// For programs.
pub fn to_json(entries: &[Entry], ttls: &Ttls) -> Value {
    let call = |need: &Need| {
        let call = need.call;
        let each = match need.each {
            Each::Field => json!({ "each": "field" }),
            Each::Id(argument) => json!({ "each": "id", "argument": argument }),
            Each::Page(most, first) => json!({ "each": "page", "rows": most, "defaultRows": first }),
            Each::Record => json!({ "each": "record" }),
            Each::Row => json!({ "each": "row" }),
        };
        let ttl = call.kept.as_ref().map(|kept| (kept.ttl)(ttls).as_millis() as u64);
        let route = call.route;
        json!({ "route": route.template, "for": call.what, "scope": route.scope, "one": each, "ttlMs": ttl })
    };
    let field = |entry: &Entry| {
        let calls: Vec<Value> = entry.needs.iter().map(call).collect();
        json!({
            "type": entry.on, "field": entry.field, "about": entry.about,
            "calls": calls, "scopes": entry.scopes, "errors": entry.codes,
        })
    };
    json!({ "fields": entries.iter().map(field).collect::<Vec<_>>(), "errors": codes().collect::<Vec<_>>() })
}

fn often(need: &Need, on: &str) -> String {
    match need.each {
        Each::Field => "1".to_owned(),
        Each::Id(argument) => format!("1 for each of `{argument}`"),
        Each::Page(most, first) => format!("1 for each {most} rows; {first} rows where `first` is left out"),
        Each::Record => format!("1 for each `{on}`"),
        Each::Row => "1 for each row of a list; none for a contact that is read by its id".to_owned(),
    }
}
