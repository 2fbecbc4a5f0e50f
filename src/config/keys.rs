//! The keys file: a row for each key, with its digest and what it opens.

use std::collections::HashSet;
use std::time::SystemTime;

use jiff::Timestamp;
use toml::{Table, Value};

use super::Problem;

/// The scopes that a key can have; the first alone where nothing is said.
pub const SCOPES: [&str; 2] = ["contacts.readonly", "contacts.write"];

/// A key, by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// Who has it, for people.
    pub name: String,
    /// SHA-256 of its characters.
    pub sha256: [u8; 32],
    /// What it allows.
    pub scopes: Vec<String>,
    /// Where; `None`: at all locations.
    pub locations: Option<Vec<String>>,
    /// From when on it opens nothing; `None`: never.
    pub expires: Option<SystemTime>,
}

/// The rows, or everything that is wrong with them. No value is repeated in a problem: it may be a key that
/// somebody wrote in the wrong place.
pub fn parse(text: &str) -> Result<Vec<KeyRow>, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut problem = |place: String, expected: &str| problems.push(Problem::new(&place, "(hidden)", expected));
    let mut rows = Vec::new();
    match text.parse::<Table>() {
        Err(why) => {
            let line = why.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            problem(format!("line {line}"), "TOML");
        }
        Ok(table) => {
            for (name, value) in table {
                match value {
                    Value::Array(keys) if name == "key" => rows.extend(
                        keys.iter()
                            .enumerate()
                            .filter_map(|(n, row)| read(row, &format!("[[key]] {}", n + 1), &mut problem)),
                    ),
                    _ => problem(super::brief(&name), "nothing but [[key]]"),
                }
            }
        }
    }
    let mut seen = HashSet::new();
    for row in &rows {
        if !seen.insert(row.sha256) {
            problem(format!("[[key]] {:?} sha256", super::brief(&row.name)), "a digest that no other row has");
        }
    }
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

fn read(row: &Value, place: &str, problem: &mut impl FnMut(String, &str)) -> Option<KeyRow> {
    let Some(row) = row.as_table() else {
        problem(place.to_owned(), "a table");
        return None;
    };
    let mut wrong = |name: &str, expected: &str| problem(format!("{place} {}", super::brief(name)), expected);
    for name in row.keys().filter(|name| !["name", "sha256", "scopes", "locations", "expires"].contains(&name.as_str()))
    {
        wrong(name, "one of name, sha256, scopes, locations, expires");
    }
    let name = row.get("name").and_then(Value::as_str).map(str::to_owned);
    if name.is_none() {
        wrong("name", "a text that tells whose key it is");
    }
    let sha256 = row.get("sha256").and_then(Value::as_str).and_then(from_hex);
    if sha256.is_none() {
        wrong("sha256", "the SHA-256 of the key, as 64 hexadecimal digits");
    }
    let known = |scopes: &Vec<String>| scopes.iter().all(|scope| SCOPES.contains(&scope.as_str()));
    let scopes = row.get("scopes").and_then(texts).filter(known);
    if scopes.is_none() {
        wrong("scopes", &format!("a list of {}", SCOPES.join(", ")));
    }
    let locations = row.get("locations").map(texts);
    if locations == Some(None) {
        wrong("locations", "a list of location ids; left out: all locations");
    }
    let expires = row.get("expires").map(instant);
    if expires == Some(None) {
        wrong("expires", "a time with its offset from UTC, as 2027-01-01T00:00:00Z; left out: never");
    }
    Some(KeyRow {
        name: name?,
        sha256: sha256?,
        scopes: scopes?,
        locations: match locations {
            None => None,
            Some(given) => Some(given?),
        },
        expires: match expires {
            None => None,
            Some(given) => Some(given?),
        },
    })
}

fn texts(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
}

fn instant(value: &Value) -> Option<SystemTime> {
    let Value::Datetime(time) = value else { return None };
    time.to_string().parse::<Timestamp>().ok().and_then(|time| SystemTime::try_from(time).ok())
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.len() == 64 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate().filter(|_| digits) {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    digits.then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "b0962662e937d44c699c8305d90cbf190b3150c59b13863d1380b5cc3c711bb7";

    fn row(more: &str) -> String {
        format!("[[key]]\nname = \"n\"\nsha256 = \"{DIGEST}\"\nscopes = [\"contacts.readonly\"]\n{more}\n")
    }

    #[test]
    fn a_row_tells_what_the_key_opens() {
        let text = row("locations = [\"L\"]\nexpires = 2027-01-01T01:00:00+01:00");
        let rows = parse(&text).expect("rows");
        let end: Timestamp = "2027-01-01T00:00:00Z".parse().expect("a time");
        assert_eq!((rows.len(), rows[0].sha256[0], rows[0].expires), (1, 0xb0, SystemTime::try_from(end).ok()));
        assert_eq!(rows[0].locations, Some(vec!["L".to_owned()]));
        assert_eq!(parse(&row("")).expect("rows")[0].locations, None);
        assert_eq!(parse("# none yet").expect("rows"), []);
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_no_value_is_repeated() {
        let secret = "cgk_planted";
        let text = format!(
            "[[key]]\nname = 5\nsha256 = \"{secret}\"\nscopes = [\"{secret}\"]\nlocations = \"{secret}\"\nexpires = \"{secret}\"\nkey = \"{secret}\"\n"
        );
        let told: Vec<String> = parse(&text).expect_err("problems").iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 6, "{told:?}");
        for (text, part) in [
            (row("expires = 2027-01-01T00:00:00"), "offset"),
            (row("expires = 2027-01-01"), "offset"),
            (row("") + &row(""), "no other row"),
            (format!("a = = {secret}"), "line 1"),
            ("[[keys]]\nname = \"x\"".to_owned(), "[[key]]"),
            ("key = [1]".to_owned(), "a table"),
        ] {
            let more: Vec<String> = parse(&text).expect_err("problems").iter().map(ToString::to_string).collect();
            assert!(more.len() == 1 && more[0].contains(part), "{text}: {more:?}");
            assert!(!more.concat().contains(secret), "{more:?}");
        }
        assert!(!told.concat().contains(secret), "{told:?}");
    }
}
