//! A table of the settings file, whose keys are looked at one by one. No value of it is told: it may be a secret in the wrong place.

use toml::{Table, Value};

use super::reader::{Reader, is_setting};

/// A `[[location]]`, or a table in it.
pub struct Row {
    /// Which one, for people.
    place: String,
    table: Table,
}

impl Row {
    /// The `[[location]]`s; `None`: there are none. What is no table is told.
    pub fn locations(from: &mut Reader) -> Option<Vec<Self>> {
        let rows = match from.locations()? {
            Value::Array(rows) => rows,
            other => {
                from.problem(
                    "location",
                    &kind(&other),
                    "[[location]], in two brackets, above the keys of each location",
                );
                return Some(Vec::new());
            }
        };
        let row = |(at, value): (usize, Value)| {
            let place = format!("[[location]] {}", at + 1);
            let Value::Table(table) = value else {
                from.problem(&place, &kind(&value), "a table");
                return None;
            };
            let id = table.get("id").and_then(Value::as_str).filter(|id| is_plain(id, 32, u8::is_ascii_alphanumeric));
            Some(Self { place: id.map_or_else(|| place.clone(), |id| format!("{place} ({id})")), table })
        };
        Some(rows.into_iter().enumerate().filter_map(row).collect())
    }

    /// Where a key is, for people.
    pub fn place(&self, key: &str) -> String {
        format!("{} {key}", self.place)
    }

    /// Whether it has a key, whatever is behind it.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Tells the keys that mean nothing.
    pub fn knows(&self, from: &mut Reader, keys: &[&str]) {
        for key in self.table.keys().filter(|key| !keys.contains(&key.as_str())) {
            let elsewhere = if is_setting(key) { "; as a setting, it stands above the first [[location]]" } else { "" };
            from.problem(
                &self.place(shown_key(key)),
                "set",
                &format!("one of the keys {}{elsewhere}", keys.join(", ")),
            );
        }
    }

    /// The text behind a key.
    pub fn text(&self, from: &mut Reader, key: &str) -> Option<String> {
        let value = self.table.get(key)?;
        if !value.is_str() {
            from.problem(&self.place(key), &kind(value), "a text, in quotes");
        }
        value.as_str().map(str::to_owned)
    }

    /// The table behind a key.
    pub fn inner(&self, from: &mut Reader, key: &str) -> Option<Self> {
        let value = self.table.get(key)?;
        if !value.is_table() {
            from.problem(&self.place(key), &kind(value), "a table, as { user_type = \"Company\" }");
        }
        value.as_table().map(|table| Self { place: self.place(key), table: table.clone() })
    }
}

/// What sort of value it is, in place of itself.
pub fn kind(value: &Value) -> String {
    format!("({})", value.type_str())
}

/// A key as it may be told: a secret in its place has other characters.
pub fn shown_key(key: &str) -> &str {
    if is_plain(key, 40, u8::is_ascii_alphabetic) { key } else { "(hidden)" }
}

fn is_plain(text: &str, most: usize, fine: fn(&u8) -> bool) -> bool {
    (1..=most).contains(&text.len()) && text.bytes().all(|byte| fine(&byte) || byte == b'_')
}
