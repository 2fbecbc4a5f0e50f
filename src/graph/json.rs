//! Parts of an answer that are JSON already. Lists are written down row by row, and not first made into the library's objects;
//! such a text goes through the library as a binary value, which no field of the schema has.

use async_graphql::Value;

/// A list whose items `write` puts down, each when it is called.
pub fn list<T, E>(
    items: &[T],
    bytes_of_an_item: usize,
    mut write: impl FnMut(usize, &T, &mut Vec<u8>) -> Result<(), E>,
) -> Result<Vec<u8>, E> {
    let mut text = Vec::with_capacity(2 + items.len() * bytes_of_an_item);
    text.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push(b',');
        }
        write(at, item, &mut text)?;
    }
    text.push(b']');
    Ok(text)
}

/// A text with values put into its gaps, which are in order.
pub fn fill(text: &[u8], values: &[(usize, Value)]) -> Value {
    let mut filled = Vec::with_capacity(text.len() + values.iter().map(|(_, value)| room(value)).sum::<usize>());
    let mut before = 0;
    for (gap, value) in values {
        filled.extend_from_slice(&text[before..*gap]);
        write(value, &mut filled);
        before = *gap;
    }
    filled.extend_from_slice(&text[before..]);
    Value::Binary(filled.into())
}

/// Writes a value.
pub fn write(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::Binary(text) => to.extend_from_slice(text),
        Value::List(items) => {
            to.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                write(item, to);
            }
            to.push(b']');
        }
        Value::Object(fields) => {
            to.push(b'{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    to.push(b',');
                }
                // Not every one is a name of GraphQL: the value of a custom field can have any.
                plain(name.as_str(), to);
                to.push(b':');
                write(value, to);
            }
            to.push(b'}');
        }
        Value::String(text) => plain(text, to),
        Value::Enum(name) => plain(name.as_str(), to),
        Value::Number(number) => plain(number, to),
        Value::Boolean(value) => plain(value, to),
        Value::Null => to.extend_from_slice(b"null"),
    }
}

/// About how many bytes it takes when it is written, and seldom fewer.
pub fn room(value: &Value) -> usize {
    match value {
        Value::Binary(text) => text.len(),
        Value::List(items) => 2 + items.iter().map(|item| 1 + room(item)).sum::<usize>(),
        Value::Object(fields) => 2 + fields.iter().map(|(name, value)| 4 + name.len() + room(value)).sum::<usize>(),
        Value::String(text) => 2 + text.len(),
        Value::Enum(name) => 2 + name.len(),
        Value::Number(_) => 8,
        Value::Boolean(_) | Value::Null => 5,
    }
}

/// Begins the field of an object that is the `at`th, under a response key: those need no escaping.
pub fn key(at: usize, name: &str, to: &mut Vec<u8>) {
    if at > 0 {
        to.push(b',');
    }
    to.push(b'"');
    to.extend_from_slice(name.as_bytes());
    to.extend_from_slice(b"\":");
}

fn plain<T: serde::Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) {
    // Neither writing to memory nor any of these types can fail.
    let _ = serde_json::to_writer(to, value);
}

/// The same value with the library's own instead of what is JSON already.
pub fn expand(value: &mut Value) {
    match value {
        Value::Binary(text) => match serde_json::from_slice(text) {
            Ok(read) => *value = read,
            Err(why) => {
                tracing::error!(%why, "a part of an answer is not JSON");
                *value = Value::Null;
            }
        },
        Value::List(items) => items.iter_mut().for_each(expand),
        Value::Object(fields) => fields.values_mut().for_each(expand),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_filter("JSON has no others", |number| number.is_finite()).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let fields = proptest::collection::vec((any::<String>(), inner.clone()), 0..4);
            prop_oneof![
                proptest::collection::vec(inner, 0..4).prop_map(Value::List),
                fields.prop_map(|fields| {
                    Value::Object(fields.into_iter().map(|(k, v)| (async_graphql::Name::new(k), v)).collect())
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_the_library_writes_and_is_read_back(items in proptest::collection::vec(value(), 0..4)) {
            let mut written = Vec::new();
            write(&Value::List(items.clone()), &mut written);
            let library = serde_json::to_string(&Value::List(items.clone())).expect("a value");
            prop_assert_eq!(std::str::from_utf8(&written).expect("text"), &library);

            let mut gaps = Vec::new();
            let list = list(&items, 8, |at, item, to| {
                match at % 2 {
                    0 => write(item, to),
                    _ => gaps.push((to.len(), item.clone())),
                }
                Ok::<_, ()>(())
            });
            let mut list = fill(&list.expect("no error"), &gaps);
            let mut again = Vec::new();
            write(&list, &mut again);
            prop_assert_eq!(&again, &written);
            expand(&mut list);
            prop_assert_eq!(serde_json::to_string(&list).expect("a value"), library);
        }
    }
}
