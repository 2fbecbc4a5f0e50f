//! Looks settings up, turns their texts into values, and collects everything that is wrong.

use std::collections::HashMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;
use secrecy::SecretString;
use toml::{Table, Value};

use super::SETTINGS;
use super::keys::SCOPES;
use super::row::{kind, shown_key};

const PREFIX: &str = "GATEWAY_";

/// Whose values nobody is shown.
const SECRETS: [&str; 6] = [
    "GATEWAY_API_KEY",
    "GATEWAY_OAUTH_CLIENT_SECRET",
    "GATEWAY_OAUTH_REFRESH_TOKEN",
    "GATEWAY_AUTOMATIONS_SECRET",
    "GATEWAY_REDIS_URL",
    "GATEWAY_REDIS_ENCRYPTION_KEY",
];

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    name: String,
    value: String,
    expected: String,
}

impl Problem {
    pub(super) fn new(name: &str, value: &str, expected: &str) -> Self {
        Self { name: name.into(), value: value.into(), expected: expected.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, expected } = self;
        match value.is_empty() {
            true => write!(f, "{name} is not set; expected {expected}"),
            false => write!(f, "{name} is `{value}`; expected {expected}"),
        }
    }
}

/// A setting with its value, for people.
#[derive(Clone, Debug)]
pub struct InForce {
    /// The setting.
    pub name: &'static str,
    /// Its value; secrets are hidden.
    pub value: String,
    /// `environment`, `file` or `default`.
    pub source: &'static str,
}

/// Where settings are looked up.
pub struct Reader {
    env: HashMap<String, String>,
    file: Table,
    /// Why nothing is known of the file.
    unread: Option<Problem>,
    problems: Vec<Problem>,
    in_force: Vec<InForce>,
}

impl Reader {
    pub fn new(env: HashMap<String, String>, path: Option<&Path>) -> Self {
        let (problems, in_force) = (Vec::new(), Vec::new());
        let mut reader = Self { env, file: Table::new(), unread: None, problems, in_force };
        if let Some(path) = path {
            reader.open(path);
        }
        reader
    }

    fn open(&mut self, path: &Path) {
        let shown = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(why) => return self.unread(&shown, &format!("a file that can be read ({why})")),
        };
        self.file = match text.parse() {
            Ok(table) => table,
            Err(why) => return self.unread(&shown, &format!("TOML{}", place_of(&why, &text))),
        };
        let unknown = self.file.keys().filter(|key| *key != "location" && !is_setting(key)).map(|key| shown_key(key));
        let unknown: Vec<String> = unknown.map(|key| format!("{key} in {shown}")).collect();
        for key in unknown {
            self.problem(&key, "set", "the name of a setting; `config` lists them");
        }
    }

    /// Notes that nothing is known of what the file has.
    fn unread(&mut self, path: &str, expected: &str) {
        self.unread = Some(Problem::new("--config", path, expected));
    }

    /// Notes what is wrong, once. What was found to be wrong, itself or in a file of its own, is not told to be missing as well.
    pub fn problem(&mut self, name: &str, value: &str, expected: &str) {
        let problem = Problem::new(name, value, expected);
        let is_told = self.problems.contains(&problem) || (value.is_empty() && self.has_problem(name));
        if !is_told {
            self.problems.push(problem);
        }
    }

    /// Whether a setting, or the file that it may be in, was told to be wrong.
    pub fn has_problem(&self, name: &str) -> bool {
        let is_its_file = |other: &str| ["_FILE", "_file"].iter().any(|end| other.strip_suffix(end) == Some(name));
        self.problems.iter().any(|problem| problem.name == name || is_its_file(&problem.name))
    }

    /// Variables with the gateway's prefix that are no setting: a slip of the pen, or of another version.
    pub fn unknown(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.env.keys().filter(|name| name.starts_with(PREFIX) && !is_setting(name)).cloned().collect();
        names.sort();
        names
    }

    /// Everything that is wrong, and what is in force. Without what the file has, nobody knows what is missing or does not fit.
    pub fn finish(self) -> (Vec<Problem>, Vec<InForce>) {
        (self.unread.map_or(self.problems, |alone| vec![alone]), self.in_force)
    }

    /// The text of a setting, noted as in force.
    fn text(&mut self, name: &'static str) -> Option<String> {
        let secret = SECRETS.contains(&name);
        let (value, source) = match self.env.get(name).filter(|value| !value.is_empty()) {
            Some(value) => (Some(value.clone()), "environment"),
            None => match self.in_file(name).cloned() {
                Some(Value::String(text)) => (Some(text), "file"),
                Some(several @ (Value::Array(_) | Value::Table(_))) => {
                    self.problem(name, &kind(&several), "one value, in quotes where it is a text");
                    (None, "file")
                }
                Some(other) => (Some(other.to_string()), "file"),
                None => (default_of(name), "default"),
            },
        };
        let shown = match &value {
            None => String::new(),
            Some(value) if secret || reqwest::Url::parse(value).is_ok_and(|url| has_user(&url)) => "(hidden)".into(),
            Some(value) if name.strip_suffix("_FILE").is_some_and(|name| SECRETS.contains(&name)) => {
                shown_path(value).to_owned()
            }
            Some(value) => value.clone(),
        };
        self.in_force.push(InForce { name, value: shown, source });
        value
    }

    fn in_file(&self, name: &str) -> Option<&Value> {
        let short = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_lowercase();
        self.file.get(&short).or_else(|| self.file.get(name))
    }

    /// The value, or a problem if there is a text that is none.
    fn read<T>(&mut self, name: &'static str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let text = self.text(name)?;
        let value = parse(text.trim());
        if value.is_none() {
            let hidden = reqwest::Url::parse(&text).is_ok_and(|url| has_user(&url));
            self.problem(name, if hidden { "(hidden)" } else { &text }, expected);
        }
        value
    }

    pub fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Option<T> {
        self.read(name, expected, |text| text.parse().ok())
    }

    pub fn optional(&mut self, name: &'static str) -> Option<String> {
        self.text(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    pub fn duration(&mut self, name: &'static str) -> Option<Duration> {
        let above_zero = |text: &str| humantime::parse_duration(text).ok().filter(|time| !time.is_zero());
        self.read(name, "a time above zero, as 250ms, 5s or 10m", above_zero)
    }

    /// A time that may be none at all.
    pub fn time(&mut self, name: &'static str) -> Option<Duration> {
        // So that no sum of a moment and a time is past what a clock can tell.
        const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
        let short = |text: &str| humantime::parse_duration(text).ok().filter(|time| *time <= LONGEST);
        self.read(name, "a time up to a year, as 250ms, 5s or 10m; 0s for never", short)
    }

    pub fn bytes(&mut self, name: &'static str) -> Option<u64> {
        let bytes = |text: &str| text.parse::<bytesize::ByteSize>().ok().map(|size| size.as_u64());
        self.read(name, "a size, as 256KiB or 64MiB", bytes)
    }

    pub fn number(&mut self, name: &'static str, range: RangeInclusive<u32>) -> Option<u32> {
        let expected = format!("a number from {} to {}", range.start(), range.end());
        self.read(name, &expected, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// Numbers of calls by scope, each scope once.
    pub fn calls_by_scope(&mut self, name: &'static str) -> Option<Vec<(String, u64)>> {
        let one = |text: &str| {
            let (scope, calls) = text.split_once('=')?;
            let calls: u64 = calls.trim().parse().ok().filter(|calls| (1..=1_000_000).contains(calls))?;
            SCOPES.contains(&scope.trim()).then(|| (scope.trim().to_owned(), calls))
        };
        let parse = |text: &str| {
            let all: Vec<_> = text.split(',').map(one).collect::<Option<_>>()?;
            let mut scopes: Vec<&str> = all.iter().map(|(scope, _)| &**scope).collect();
            scopes.sort_unstable();
            scopes.windows(2).all(|two| two[0] != two[1]).then_some(all)
        };
        let expected = format!(
            "scopes ({}), each once and with a number from 1 to 1000000, as contacts.readonly=100,contacts.write=500",
            SCOPES.join(", ")
        );
        self.read(name, &expected, parse)
    }

    /// A share of something, up to `most` times of it.
    pub fn share(&mut self, name: &'static str, most: f64) -> Option<f64> {
        let expected = format!("a number from 0 to {most}, as 0.3");
        self.read(name, &expected, |text| text.parse().ok().filter(|share| (0.0..=most).contains(share)))
    }

    pub fn url(&mut self, name: &'static str) -> Option<reqwest::Url> {
        let url = |text: &str| {
            let url = reqwest::Url::parse(text).ok()?;
            let plain = url.query().is_none() && url.fragment().is_none() && !has_user(&url);
            (matches!(url.scheme(), "http" | "https") && url.has_host() && plain).then_some(url)
        };
        self.read(name, "an http or https URL without a user, a query or a fragment", url)
    }

    /// Origins of pages, spelled as browsers send them; `*` for all of them.
    pub fn origins(&mut self, name: &'static str) -> Option<Vec<String>> {
        let one = |text: &str| match text {
            "*" => Some(text.to_owned()),
            _ => {
                let url = reqwest::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
                let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && !has_user(&url);
                plain.then(|| url.origin().ascii_serialization())
            }
        };
        let each = |text: &str| text.split(',').map(|text| one(text.trim())).collect::<Option<Vec<_>>>();
        self.read(name, "* or origins with commas between them, as https://crm.example,http://localhost:3000", each)
    }

    pub fn one_of<T: Copy>(&mut self, name: &'static str, values: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        let pick = |text: &str| values.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        self.read(name, &names.join(" or "), pick)
    }

    pub fn log_filter(&mut self, name: &'static str) -> Option<String> {
        let good = |text: &str| tracing_subscriber::EnvFilter::try_new(text).is_ok().then(|| text.to_owned());
        self.read(name, "error, warn, info, debug, trace, or a filter as info,contacts_gateway=debug", good)
    }

    pub fn timezone(&mut self, name: &'static str) -> Option<TimeZone> {
        self.read(name, ZONE, |text| TimeZone::get(text).ok())
    }

    pub fn zone(&mut self, place: &str, name: &str) -> Option<TimeZone> {
        let zone = TimeZone::get(name).ok();
        if zone.is_none() {
            self.problem(place, "(hidden)", ZONE);
        }
        zone
    }

    /// A secret, given itself or by a file that holds it.
    pub fn token(&mut self, name: &'static str, file: &'static str) -> Option<SecretString> {
        match (self.optional(name), self.optional(file)) {
            (None, None) => None,
            (Some(token), None) => self.secret(name, &token),
            (None, Some(path)) => self.secret_file(file, &path),
            (Some(_), Some(path)) => {
                self.problem(file, shown_path(&path), &format!("nothing, since {name} is set: one of the two"));
                None
            }
        }
    }

    pub fn secret(&mut self, place: &str, text: &str) -> Option<SecretString> {
        let text = text.trim();
        let sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !sendable {
            self.problem(place, "(hidden)", "a token of visible ASCII characters, without blanks");
        }
        sendable.then(|| text.into())
    }

    pub fn secret_file(&mut self, place: &str, path: &str) -> Option<SecretString> {
        match std::fs::read_to_string(path) {
            Ok(text) => self.secret(place, &text),
            Err(why) => {
                let expected = format!("the path of a file that can be read and holds the secret ({why})");
                self.problem(place, shown_path(path), &expected);
                None
            }
        }
    }

    /// What a file holds.
    pub fn file(&mut self, place: &str, path: &str) -> Option<String> {
        let text = std::fs::read_to_string(path);
        if let Err(why) = &text {
            self.problem(place, path, &format!("a file that can be read ({why})"));
        }
        text.ok()
    }

    /// What a file of secrets holds.
    pub fn secrets_file(&mut self, place: &str, path: &str) -> Option<SecretString> {
        let text = std::fs::read_to_string(path);
        if let Err(why) = &text {
            self.problem(place, shown_path(path), &format!("the path of a file that can be read ({why})"));
        }
        text.ok().map(SecretString::from)
    }

    /// What the file has under `location`, unless that is nothing.
    pub fn locations(&self) -> Option<Value> {
        self.file.get("location").filter(|rows| rows.as_array().is_none_or(|rows| !rows.is_empty())).cloned()
    }
}

/// A path as it may be shown. A secret that stands where its file should be named is no path of anything.
fn shown_path(path: &str) -> &str {
    if path.contains('/') || Path::new(path).exists() { path } else { "(hidden)" }
}

/// Whether there is a user or a password in it.
pub fn has_user(url: &reqwest::Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

const ZONE: &str = "the IANA name of a time zone, as America/Chicago";

/// Where a file is no TOML, and what is often the matter. The line itself may have a secret, and the library's words could repeat it.
fn place_of(why: &toml::de::Error, text: &str) -> String {
    let Some(before) = why.span().and_then(|span| text.get(..span.start)) else { return String::new() };
    let (line, column) =
        (before.matches('\n').count() + 1, before.chars().rev().take_while(|c| *c != '\n').count() + 1);
    format!(
        ", which it is not at line {line}, column {column}: texts are in quotes, each key is there once, tables are in brackets"
    )
}

/// Whether a key of the file, or a variable, is a setting.
pub fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| {
        setting.name == name
            || setting.name.strip_prefix(PREFIX).is_some_and(|short| short.to_ascii_lowercase() == name)
    })
}

fn default_of(name: &str) -> Option<String> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name)?;
    Some(setting.default.to_owned()).filter(|default| !default.is_empty())
}
