//! The texts of actions: templates, rendered for where their values go.

use std::collections::HashSet;
use std::io;
use std::sync::LazyLock;

use minijinja::value::{Serde, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value as Json;

/// Longest template.
const LONGEST: usize = 8_000;
/// Longest text that one may become.
const LONGEST_TEXT: usize = 64 << 10;
/// How many steps one may take.
const FUEL: u64 = 20_000;

/// Everything but RFC 3986's unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

static PLAIN: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Goes::Text));
static URL: LazyLock<Environment<'static>> = LazyLock::new(|| environment(Goes::Url));

/// Where the values of a template go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goes {
    /// Into a text, as they are: it is a value of its own wherever it is sent.
    Text,
    /// Into a URL, percent-encoded.
    Url,
}

/// A template that can be rendered.
#[derive(Debug)]
pub struct Template {
    source: Box<str>,
    goes: Goes,
    /// The names that it uses, each as the way to a value.
    pub names: Vec<Vec<String>>,
}

impl Template {
    /// The template, or what is wrong with it.
    pub fn read(source: &str, goes: Goes) -> Result<Self, String> {
        if source.len() > LONGEST {
            return Err(format!("has {} bytes, of {LONGEST} at most", source.len()));
        }
        let environment = goes.environment();
        let template =
            environment.template_from_str(source).map_err(|error| format!("is no template: {}", told(&error)))?;
        let globals: HashSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let names = template.undeclared_variables(true).into_iter();
        let mut names: Vec<Vec<String>> = names.map(|way| way.split('.').map(str::to_owned).collect()).collect();
        names.retain(|way| !globals.contains(way[0].as_str()));
        names.sort();
        Ok(Self { source: source.into(), goes, names })
    }

    /// What it becomes with these values.
    pub fn render(&self, values: &serde_json::Map<String, Json>) -> Result<String, String> {
        let template = self.goes.environment().template_from_str(&self.source).map_err(|error| told(&error))?;
        let mut text = Bounded::default();
        let rendered = template.render_captured_to(Value::from(Serde(values)), &mut text).map(drop);
        if text.is_full {
            return Err(format!("it becomes longer than {LONGEST_TEXT} bytes"));
        }
        rendered.map_err(|error| told(&error))?;
        let text = String::from_utf8(text.bytes).map_err(|_| "it becomes no text".to_owned())?;
        match self.goes == Goes::Url && climbs(&text) {
            true => Err("a part of its path becomes `.` or `..`, which leads elsewhere".to_owned()),
            false => Ok(text),
        }
    }

    /// Its text before the first value.
    pub fn begins_with(&self) -> &str {
        self.source.split('{').next().unwrap_or_default()
    }
}

/// What takes no more than a text may be long.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl io::Write for Bounded {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + part.len() > LONGEST_TEXT {
            self.is_full = true;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the path of a URL has a segment of dots, which a client takes for a step upwards, however the dots are encoded.
fn climbs(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.split(['/', '\\']).any(|segment| matches!(&*segment.to_ascii_lowercase().replace("%2e", "."), "." | ".."))
}

impl Goes {
    fn environment(self) -> &'static Environment<'static> {
        match self {
            Self::Text => &PLAIN,
            Self::Url => &URL,
        }
    }
}

fn environment(goes: Goes) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(50);
    environment.set_formatter(move |out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
        if value.is_undefined() {
            return Err(ErrorKind::UndefinedError.into());
        }
        // A part of the profile that has no value leaves nothing behind.
        if value.is_none() {
            return Ok(());
        }
        let text = value.to_string();
        let written = match goes {
            Goes::Text => out.write_str(&text),
            Goes::Url => utf8_percent_encode(&text, ENCODED).try_for_each(|part| out.write_str(part)),
        };
        written.map_err(Error::from)
    });
    environment
}

/// What went wrong, without the values that were there.
fn told(error: &Error) -> String {
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    match error.kind() {
        ErrorKind::UndefinedError => format!("a name in it has no value{line}"),
        ErrorKind::OutOfFuel => "it takes too many steps".to_owned(),
        ErrorKind::SyntaxError | ErrorKind::UnknownFilter | ErrorKind::UnknownTest | ErrorKind::UnknownFunction => {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{}{detail}{line}", error.kind())
        }
        kind => format!("{kind}{line}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn render(source: &str, goes: Goes, values: Json) -> Result<String, String> {
        let Json::Object(values) = values else { panic!("no object") };
        Template::read(source, goes).expect("a template").render(&values)
    }

    fn ann() -> Json {
        json!({ "contact": { "name": "Ann \"O'Neil\" <a&b>", "email": null, "tags": ["a", "b"] }, "event": { "n": 1 } })
    }

    #[test]
    fn values_are_as_they_are_in_texts_and_encoded_in_urls() {
        for (source, goes, want) in [
            ("Call {{ contact.name }}!", Goes::Text, "Call Ann \"O'Neil\" <a&b>!"),
            (
                "http://x.test/{{ contact.name }}?n={{ event.n }}",
                Goes::Url,
                "http://x.test/Ann%20%22O%27Neil%22%20%3Ca%26b%3E?n=1",
            ),
            ("http://x.test/{{ contact.name|safe }}", Goes::Url, "http://x.test/Ann%20%22O%27Neil%22%20%3Ca%26b%3E"),
            ("[{{ contact.email }}] {{ contact.email or 'none' }}", Goes::Text, "[] none"),
            (
                "{% for tag in contact.tags %}{{ tag|upper }} {% endfor %}{{ contact.tags|join(', ') }}",
                Goes::Text,
                "A B a, b",
            ),
            ("{% if event.missing %}x{% endif %}{{ event.missing or 'y' }}", Goes::Text, "y"),
        ] {
            assert_eq!(render(source, goes, ann()).as_deref(), Ok(want), "{source}");
        }
    }

    #[test]
    fn a_name_without_a_value_is_told_and_no_value_with_it() {
        for (source, why) in [
            ("{{ event.missing }}", "no value"),
            ("{{ nobody }}", "no value"),
            ("{{ event.a.b }}", "no value"),
            ("{{ contact.name + 1 }}", "operation"),
            ("{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}", "too many steps"),
            ("{{ 'x' * 100000 }}", "longer"),
        ] {
            let told = render(source, Goes::Text, ann()).expect_err(source);
            assert!(told.contains(why) && !told.contains("Neil"), "{source}: {told}");
        }
    }

    #[test]
    fn no_value_climbs_in_the_path_of_a_url() {
        let render = |source, value: &str| render(source, Goes::Url, json!({ "v": value }));
        for (source, value) in [
            ("https://x.test/a/{{ v }}/b", ".."),
            ("https://x.test/a/{{ v }}", "."),
            ("https://x.test/a/.{{ v }}?q", "."),
            ("https://x.test/a/{{ v }}{{ v }}#f", "."),
            ("https://x.test/a/%2e{{ v }}/", "."),
            ("https://x.test/a/%2E{{ v }}", "."),
        ] {
            assert!(render(source, value).expect_err(source).contains("elsewhere"), "{source}");
        }
        for (source, value, want) in [
            ("https://x.test/a/{{ v }}", "...", "https://x.test/a/..."),
            ("https://x.test/a/{{ v }}", "1.5", "https://x.test/a/1.5"),
            ("https://x.test/a/{{ v }}", "../b", "https://x.test/a/..%2Fb"),
            ("https://x.test/a?v={{ v }}", "..", "https://x.test/a?v=.."),
        ] {
            assert_eq!(render(source, value).as_deref(), Ok(want), "{source}");
        }
    }

    #[test]
    fn what_is_no_template_is_refused_when_it_is_read() {
        for (source, why) in [
            ("{{ contact.name", "syntax error"),
            ("{% if %}", "syntax error"),
            ("{% include 'x' %}", "syntax error"),
            (&*"x".repeat(8_001), "8001 bytes"),
        ] {
            let told = Template::read(source, Goes::Text).expect_err(source);
            assert!(told.contains(why), "{source}: {told}");
        }
    }

    #[test]
    fn its_names_are_found() {
        let names = |source| {
            let template = Template::read(source, Goes::Text).expect("a template");
            template.names.iter().map(|way| way.join(".")).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("{{ contact.name }} {{ event.timestamp|upper }}"), "contact.name event.timestamp");
        assert_eq!(names("{% for t in contact.tasks %}{{ t.title }}{% endfor %}"), "contact.tasks");
        assert_eq!(names("{{ range(3) }} plain"), "");
    }
}
