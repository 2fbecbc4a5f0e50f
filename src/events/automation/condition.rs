//! The `if` of an automation: a CEL expression, bounded, with the names that it uses.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::objects::{Key, Map};
use cel::{Context, Env, IdedExpr, Program, Value, extensions};
use serde_json::Value as Json;

/// Longest expression. What it costs is bounded by this, by its depth, and by how many loops are inside of each other.
const LONGEST: usize = 2_000;
/// Enough to parse the longest one, however deep.
const STACK: usize = 64 << 20;
/// Deepest expression: each level takes stack when it is evaluated.
const DEEPEST: usize = 32;
/// Most loops inside of each other: a contact may have hundreds of tasks and of notes.
const MOST_LOOPS: usize = 2;

/// What can be called, beside operators.
const FUNCTIONS: &[&str] = &[
    "bool",
    "bytes",
    "charAt",
    "contains",
    "double",
    "dyn",
    "endsWith",
    "indexOf",
    "int",
    "join",
    "lastIndexOf",
    "lowerAscii",
    "matches",
    "replace",
    "reverse",
    "size",
    "split",
    "startsWith",
    "string",
    "substring",
    "trim",
    "type",
    "uint",
    "upperAscii",
];

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib();
    // It fails where a name is there already, and a test calls its functions.
    let _ = env.add_extension(extensions::strings);
    Arc::new(env)
});

/// A condition that can be evaluated.
#[derive(Debug)]
pub struct Condition {
    program: Program,
    /// The names that it uses, each as the way to a value.
    pub names: Vec<Vec<String>>,
}

impl Condition {
    /// The condition, or everything that is wrong with it.
    pub fn read(source: &str) -> Result<Self, Vec<String>> {
        if source.len() > LONGEST {
            return Err(vec![format!("has {} bytes, of {LONGEST} at most", source.len())]);
        }
        // How deep an expression is, is known when it is parsed, which takes stack for each level itself.
        std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, || Self::parse(source));
            let parsed = parser.map(std::thread::ScopedJoinHandle::join);
            parsed.ok().and_then(Result::ok).unwrap_or_else(|| Err(vec!["cannot be parsed".to_owned()]))
        })
    }

    fn parse(source: &str) -> Result<Self, Vec<String>> {
        let program = ENV.compile(source).map_err(|broken| {
            let problem = |error: &cel::ParseError| {
                let (line, column) = error.pos;
                format!("is no CEL expression: {} (line {line}, column {column})", error.msg)
            };
            broken.errors.iter().map(problem).collect::<Vec<_>>()
        })?;
        let mut walk = Walk::default();
        walk.look(program.expression(), 1, 0);
        match walk.problems.is_empty() {
            true => Ok(Self { names: walk.names, program }),
            false => Err(walk.problems),
        }
    }

    /// Whether it holds for these values; or why that cannot be said.
    pub fn holds(&self, values: &serde_json::Map<String, Json>) -> Result<bool, String> {
        let mut context = Context::with_env(ENV.clone());
        for (name, value) in values {
            context.add_variable_from_value(name.as_str(), to_cel(value));
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("it is {}, not true or false", other.type_of())),
            // What is said of values is left out: they are somebody's.
            Err(cel::ExecutionError::NoSuchKey(key)) => Err(format!("there is no `{key}`")),
            Err(cel::ExecutionError::UndeclaredReference(name)) => Err(format!("there is no `{name}`")),
            Err(cel::ExecutionError::NoSuchOverload(which)) => Err(which.to_string()),
            Err(_) => Err("a value is not of the type that is asked of it".to_owned()),
        }
    }
}

fn to_cel(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::String(Arc::new(text.clone())),
        Json::Array(all) => Value::List(Arc::new(all.iter().map(to_cel).collect())),
        Json::Object(fields) => {
            let key = |name: &String| Key::String(Arc::new(name.clone()));
            let map: HashMap<Key, Value> = fields.iter().map(|(name, value)| (key(name), to_cel(value))).collect();
            Value::Map(Map { map: Arc::new(map) })
        }
    }
}

/// Looks an expression through.
#[derive(Default)]
struct Walk {
    names: Vec<Vec<String>>,
    /// The variables of the loops that it is in.
    own: Vec<String>,
    problems: Vec<String>,
}

impl Walk {
    fn look(&mut self, at: &IdedExpr, depth: usize, loops: usize) {
        if depth > DEEPEST {
            return self.problem(format!("is deeper than {DEEPEST} levels"));
        }
        if let Some(way) = way(at) {
            if way.len() > DEEPEST {
                return self.problem(format!("is deeper than {DEEPEST} levels"));
            }
            if !self.own.contains(&way[0]) {
                self.names.push(way);
            }
            return;
        }
        match &at.expr {
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                let is_word = name.starts_with(|first: char| first.is_ascii_alphabetic());
                if is_word && !FUNCTIONS.contains(&name) {
                    self.problem(format!("calls `{name}`, which is no function; there are {}", FUNCTIONS.join(", ")));
                }
                call.target.iter().for_each(|target| self.look(target, depth + 1, loops));
                call.args.iter().for_each(|argument| self.look(argument, depth + 1, loops));
            }
            Expr::Select(select) => self.look(&select.operand, depth + 1, loops),
            Expr::Comprehension(all) => {
                if loops == MOST_LOOPS {
                    self.problem(format!("has more than {MOST_LOOPS} loops inside of each other"));
                    return;
                }
                self.look(&all.iter_range, depth + 1, loops);
                let before = self.own.len();
                self.own.extend([all.iter_var.clone(), all.accu_var.clone()]);
                self.own.extend(all.iter_var2.clone());
                for part in [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                    self.look(part, depth + 1, loops + 1);
                }
                self.own.truncate(before);
            }
            Expr::List(list) => list.elements.iter().for_each(|element| self.look(element, depth + 1, loops)),
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.look(&entry.key, depth + 1, loops);
                        self.look(&entry.value, depth + 1, loops);
                    }
                }
            }
            Expr::Struct(_) => self.problem("makes an object, which there are no types of".to_owned()),
            Expr::Ident(_) | Expr::Literal(_) | Expr::Unspecified => {}
        }
    }

    fn problem(&mut self, what: String) {
        if !self.problems.contains(&what) {
            self.problems.push(what);
        }
    }
}

/// The way that an expression is, as `contact.address.city` or `contact["name"]`.
fn way(at: &IdedExpr) -> Option<Vec<String>> {
    let (of, step) = match &at.expr {
        Expr::Ident(name) => return Some(vec![name.trim_start_matches('.').to_owned()]),
        Expr::Select(select) => (&*select.operand, select.field.clone()),
        Expr::Call(call) if call.func_name == operators::INDEX => match (call.args.first(), call.args.get(1)) {
            (Some(of), Some(IdedExpr { expr: Expr::Literal(LiteralValue::String(key)), .. })) => {
                (of, key.inner().to_owned())
            }
            _ => return None,
        },
        _ => return None,
    };
    let mut way = way(of)?;
    way.push(step);
    Some(way)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(source: &str, values: Json) -> Result<bool, String> {
        let Json::Object(values) = values else { panic!("no object") };
        Condition::read(source).expect("a condition").holds(&values)
    }

    #[test]
    fn a_condition_is_told_of_values_as_they_are_named() {
        let values = json!({ "contact": { "tags": ["lead"], "name": "Ann", "address": { "city": null }, "tasks": [{ "title": "x" }] },
            "event": { "n": 3, "big": 1.5 } });
        for (source, want) in [
            (r#""lead" in contact.tags"#, true),
            (r#"contact.name.contains("nn") && contact["name"].startsWith("A")"#, true),
            (r#"contact.name.lowerAscii() == "ann" && contact.name.matches("(?i)^ANN$")"#, true),
            ("contact.address.city == null", true),
            (r#"contact.tasks.exists(t, t.title == "y")"#, false),
            ("size(contact.tasks) == 1 && event.n > 2 && event.big < 2.0", true),
            ("has(event.missing) || !has(event.n)", false),
        ] {
            assert_eq!(holds(source, values.clone()), Ok(want), "{source}");
        }
    }

    #[test]
    fn what_cannot_be_said_has_its_reason_and_no_value_in_it() {
        let values = json!({ "event": { "secret": "pit-planted" } });
        for (source, why) in [
            ("event.missing == 1", "there is no `missing`"),
            ("note.note == 'x'", "there is no `note`"),
            ("event.secret", "it is string, not true or false"),
            ("event.secret > 1", "type"),
            ("event.secret.matches('(')", "type"),
            ("int(event.secret) == 1", "type"),
        ] {
            let told = holds(source, values.clone()).expect_err(source);
            assert!(told.contains(why) || told.contains("overload"), "{source}: {told}");
            assert!(!told.contains("planted"), "{told}");
        }
    }

    #[test]
    fn the_names_are_found_however_they_are_written() {
        let names = |source: &str| {
            let mut names: Vec<String> =
                Condition::read(source).expect(source).names.iter().map(|way| way.join(".")).collect();
            names.sort();
            names.dedup();
            names.join(" ")
        };
        for (source, want) in [
            ("true", ""),
            (r#""a" in contact.tags && note.note.contains(contact["name"])"#, "contact.name contact.tags note.note"),
            ("contact.tasks.exists(t, t.title == event.title)", "contact.tasks event.title"),
            ("contact.tasks[0].title == 'x'", "contact.tasks"),
            ("has(contact.email) ? contact.address.city : event.city", "contact.address.city contact.email event.city"),
            ("[contact.phone].size() == {'a': note.id}.size()", "contact.phone note.id"),
            ("contact[event.key] == 1", "contact event.key"),
        ] {
            assert_eq!(names(source), want, "{source}");
        }
    }

    #[test]
    fn an_expression_that_is_wrong_or_too_much_is_refused() {
        let deep = format!("{}1{} == 1", "(1+".repeat(70), ")".repeat(70));
        let nested = format!("{}true{}", "[1].all(x, ".repeat(3), ")".repeat(3));
        let chain = format!("1{} > 0", "+1".repeat(900));
        for (source, why) in [
            (r#""lead" in in contact.tags"#, "no CEL expression"),
            ("", "no CEL expression"),
            (&*"x".repeat(2_001), "2001 bytes"),
            (&*deep, "deeper"),
            (&*chain, "deeper"),
            (&*nested, "loops"),
            (&*format!("a{} == 1", ".b".repeat(900)), "deeper"),
            ("shout(contact.name)", "calls `shout`"),
            ("Thing{a: 1} == 1", "object"),
            (&*"(".repeat(1_999), "no CEL expression"),
            (&*"[".repeat(1_999), "no CEL expression"),
            (&*"!".repeat(1_999), "no CEL expression"),
        ] {
            let told = Condition::read(source).expect_err(source).join("; ");
            assert!(told.contains(why), "{source}: {told}");
        }
    }

    /// The list of functions is worth what the library has of them.
    #[test]
    fn every_function_that_is_named_is_there() {
        for name in FUNCTIONS {
            let forms = ["{}('1') == 1", "'1'.{}() == 1", "'1'.{}('1') == 1", "['1'].{}() == 1"];
            let is_there = forms.iter().any(|form| {
                let program = Program::compile(&form.replace("{}", name)).expect("a program");
                let told = program.execute(&Context::with_env(ENV.clone()));
                !matches!(told, Err(cel::ExecutionError::UndeclaredReference(_)))
            });
            assert!(is_there, "{name}");
        }
    }

    #[test]
    fn the_deepest_one_can_be_evaluated() {
        let chain = format!("1{} > 0", "+1".repeat(DEEPEST - 3));
        let select = format!("a{} == 1", ".b".repeat(DEEPEST - 2));
        assert_eq!(holds(&chain, json!({})), Ok(true));
        assert!(holds(&select, json!({ "a": {} })).is_err());
    }
}
