//! The file of automations: each rule with what it needs, or everything that is wrong with all of them.

use toml::{Table, Value};

use super::action::Action;
use super::condition::Condition;
use super::form::{Form, Problem};
use super::names::Needs;
use super::trigger::{Trigger, brief};

/// Most automations, and most actions of one.
const MOST: usize = 500;
const MOST_ACTIONS: usize = 50;
/// Longest name of one: it is part of keys.
const LONGEST_NAME: usize = 100;
/// Runs of one automation for one contact in an hour, where it does not say.
const PER_HOUR: u32 = 20;

/// One automation.
#[derive(Debug)]
pub struct Automation {
    pub name: Box<str>,
    pub when: Trigger,
    pub condition: Option<Condition>,
    pub then: Vec<Action>,
    /// Most runs for one contact in an hour.
    pub per_hour: u32,
    /// What has to be read for the condition.
    pub asks: Needs,
    /// What has to be read for the actions.
    pub tells: Needs,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Rules(pub Vec<Automation>);

impl Rules {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let whole = |what: String| vec![Problem { automation: String::new(), what }];
        let mut file: Table = match text.parse() {
            Ok(file) => file,
            Err(error) => return Err(whole(format!("the file is no TOML: {}", place(text, &error)))),
        };
        let rows = match file.remove("automation") {
            Some(Value::Array(rows)) => rows,
            None => Vec::new(),
            Some(_) => return Err(whole("each automation begins with [[automation]]".to_owned())),
        };
        let mut of_file = Form { name: String::new(), problems: &mut problems };
        of_file.rest(&file, "the file", "[[automation]]");
        if rows.len() > MOST {
            of_file.problem(&format!("there are {} automations, of {MOST} at most", rows.len()));
        }
        let mut all: Vec<Automation> = Vec::new();
        let mut names: Vec<String> = Vec::new();
        for (place, row) in rows.into_iter().take(MOST).enumerate() {
            let name = row.get("name").and_then(Value::as_str).map(brief);
            let named = name.unwrap_or_else(|| format!("number {}", place + 1));
            let mut form = Form { name: named.clone(), problems: &mut problems };
            if names.contains(&named) {
                form.problem("the name is there twice");
            }
            names.push(named);
            match row {
                Value::Table(table) => all.extend(Automation::read(table, &mut form)),
                _ => form.problem("is not a table"),
            }
        }
        if problems.is_empty() { Ok(Self(all)) } else { Err(problems) }
    }
}

impl Rules {
    /// Whether one of them posts something.
    pub fn post(&self) -> bool {
        self.0.iter().flat_map(|rule| &rule.then).any(|action| matches!(action, Action::Post { .. }))
    }
}

impl Automation {
    fn read(mut table: Table, form: &mut Form<'_>) -> Option<Self> {
        let good = |name: &str| (1..=LONGEST_NAME).contains(&name.len()) && !name.chars().any(char::is_control);
        let name = table.remove("name").and_then(|name| name.as_str().filter(|name| good(name)).map(Box::from));
        if name.is_none() {
            form.problem(&format!("`name` is missing, or is no text of 1 to {LONGEST_NAME} bytes"));
        }
        let when = match table.remove("when") {
            Some(when) => Trigger::read(&when, form),
            None => {
                form.problem("`when` is missing: an event, a list of events, or a schedule");
                None
            }
        };
        let about = when.as_ref().and_then(Trigger::about);
        let condition = match table.remove("if").map(|source| source.as_str().map(Condition::read)) {
            None => Some(None),
            Some(Some(Ok(condition))) => Some(Some(condition)),
            Some(Some(Err(problems))) => {
                problems.iter().for_each(|what| form.problem(&format!("`if` {what}")));
                None
            }
            Some(None) => {
                form.problem("`if` is not a text with a CEL expression");
                None
            }
        };
        let then = match table.remove("then") {
            Some(Value::Array(all)) if (1..=MOST_ACTIONS).contains(&all.len()) => {
                let all: Vec<_> = all.iter().map(|action| Action::read(action, about, form)).collect();
                all.into_iter().collect::<Option<Vec<_>>>()
            }
            _ => {
                form.problem(&format!("`then` is missing, or is no list of 1 to {MOST_ACTIONS} actions"));
                None
            }
        };
        let per_hour = match table.remove("per_hour").map(|most| most.as_integer().and_then(|n| u32::try_from(n).ok()))
        {
            None => Some(PER_HOUR),
            Some(most) => most.filter(|most| (1..=1_000).contains(most)),
        };
        if per_hour.is_none() {
            form.problem("`per_hour` is no number from 1 to 1000");
        }
        form.rest(&table, "it", "name, when, if, then, per_hour");
        // Which names there are depends on `when`.
        let (when, condition, then) = (when?, condition?, then?);
        let mut asks = Needs::default();
        for way in condition.iter().flat_map(|condition| &condition.names) {
            if let Err(why) = asks.add(way, about) {
                form.problem(&format!("`if` {why}"));
            }
        }
        let mut tells = Needs::default();
        for way in then.iter().flat_map(Action::templates).flat_map(|template| &template.names) {
            if let Err(why) = tells.add(way, about) {
                form.problem(&format!("a template of `then` {why}"));
            }
        }
        Some(Self { name: name?, when, condition, then, per_hour: per_hour?, asks, tells })
    }
}

/// What is wrong with a text and where, without what stands there.
fn place(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    match line {
        Some(line) => format!("{} (line {line})", error.message()),
        None => error.message().to_owned(),
    }
}

#[cfg(test)]
mod tests;
