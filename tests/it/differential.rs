//! Another validator judges the same documents: generated ones, and ones that were broken on purpose.
//!
//! async-graphql's own validation, in its strict mode, is the other one here. `.ci/run clients` gives the same documents to graphql-js,
//! the reference, by `tests/schema/differential.mjs`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};

use apollo_parser::Parser;
use apollo_smith::{DocumentBuilder, Unstructured};
use async_graphql::extensions::{Extension, ExtensionContext, ExtensionFactory, NextValidation};
use async_graphql::{ServerError, ValidationMode, ValidationResult};
use contacts_gateway::app;
use contacts_gateway::graph::Code;
use contacts_gateway::operation::{Bounds, Explainer};
use contacts_gateway::resources::contact::ContactSubscription;
use contacts_gateway::schema::{self, Mutation, Query};

/// Documents that are generated, each of which is broken in as many ways.
const GENERATED: u64 = 250;
const BROKEN: u64 = 2;

/// Where the two differ and why: whether the gateway lets it through, what the one that refuses says, and who is right.
const KNOWN: [(bool, &str, &str); 1] = [(
    false,
    "can not specify @skip or @include on root fields",
    "a rule of September 2025, which the other does not have yet",
)];

#[tokio::test]
async fn another_validator_lets_the_same_documents_through() {
    let ours = Explainer::new(Bounds { tells_schema: true, ..unbounded() }).unwrap();
    let theirs = Theirs::default();
    let schema = strict(&theirs);
    let (mut corpus, mut differ, mut both) = (String::new(), BTreeMap::<String, Vec<String>>::new(), [0, 0]);
    for text in documents() {
        let refused = refusals(&ours, &text);
        let _ = schema.execute(text.as_str()).await;
        let other = theirs.take();
        writeln!(corpus, "{}", serde_json::json!({ "document": text, "refused": refused })).unwrap();
        if refused.is_empty() == other.is_empty() {
            both[usize::from(refused.is_empty())] += 1;
            continue;
        }
        let lets = refused.is_empty();
        let is_known = |why: &str| KNOWN.iter().any(|row| row.0 == lets && why.contains(row.1));
        if !refused.iter().chain(&other).all(|why| is_known(why)) {
            let row = format!(
                "ours: {:?}, theirs: {:?}",
                refused.first().map(|why| kind(why)),
                other.first().map(|why| kind(why))
            );
            differ.entry(row).or_default().push(text);
        }
    }
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/differential.jsonl"), corpus).unwrap();
    let shortest = |texts: &[String]| texts.iter().min_by_key(|text| text.len()).cloned().unwrap_or_default();
    let row = |(why, texts): (&String, &Vec<String>)| format!("{} of {why}\n{}", texts.len(), shortest(texts));
    let rows: Vec<_> = differ.iter().map(row).collect();
    assert!(rows.is_empty(), "{} kinds of difference:\n{}", rows.len(), rows.join("\n"));
    assert!(both.iter().all(|count| *count > 200), "refused and let through by both: {both:?}");
}

/// A message without the names in it.
fn kind(message: &str) -> String {
    let marked = message.replace('"', "`");
    marked.split('`').step_by(2).collect::<Vec<_>>().join("_")
}

/// No document of this test is refused for its size.
fn unbounded() -> Bounds {
    let most = usize::MAX;
    let bounds = app::bounds(&contacts_gateway::config::defaults().unwrap());
    Bounds {
        tokens: most / 8,
        fields: u64::MAX,
        aliases: u64::MAX,
        root_fields: u64::MAX,
        directives: u64::MAX,
        list: most,
        ..bounds
    }
}

/// Why the gateway refuses a document, whatever its variables would be.
fn refusals(ours: &Explainer, text: &str) -> Vec<String> {
    let problems = ours.explain_by_name(text, &Default::default()).err().unwrap_or_default();
    let of_document = |code| matches!(code, Code::ParseFailed | Code::ValidationFailed);
    problems.into_iter().filter(|one| of_document(one.error.code)).map(|one| one.error.message).collect()
}

/// Operations for the schema, and what is left of them after a word was taken out, doubled, or put in the place of another.
fn documents() -> impl Iterator<Item = String> {
    let sdl = schema::sdl();
    // The generator knows of no scalars but GraphQL's own.
    let sdl = sdl.replace(": DateTime", ": String").replace(": JSON", ": String");
    let words: Vec<String> = split(&sdl).into_iter().filter(|word| word.starts_with(char::is_alphabetic)).collect();
    (0..GENERATED).flat_map(move |seed| {
        let mut random = fastrand::Rng::with_seed(seed);
        let whole = generated(&sdl, &mut random);
        let broken: Vec<_> = (0..BROKEN).map(|_| break_up(&whole, &words, &mut random)).collect();
        std::iter::once(whole).chain(broken)
    })
}

fn generated(sdl: &str, random: &mut fastrand::Rng) -> String {
    loop {
        let bytes: Vec<u8> = (0..random.usize(50..600)).map(|_| random.u8(..)).collect();
        let schema = Parser::new(sdl).parse().document();
        let mut source = Unstructured::new(&bytes);
        let mut builder = DocumentBuilder::with_document(&mut source, schema.try_into().unwrap()).unwrap();
        if let Ok(Some(operation)) = builder.operation_definition() {
            return operation.into();
        }
    }
}

fn break_up(text: &str, pool: &[String], random: &mut fastrand::Rng) -> String {
    let mut words = split(text);
    let at = random.usize(..words.len());
    match random.u8(..4) {
        0 => drop(words.remove(at)),
        1 => words.insert(at, words[at].clone()),
        2 => words[at] = pool[random.usize(..pool.len())].clone(),
        _ => words[at] = words[random.usize(..words.len())].clone(),
    }
    words.join(" ")
}

/// Names, numbers and texts each by themselves, and marks.
fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' if rest.starts_with("\"\"\"") => rest[3..].find("\"\"\"").map_or(rest.len(), |at| at + 6),
            '"' => rest[1..].find('"').map_or(rest.len(), |at| at + 2),
            '.' => rest.find(|c| c != '.').unwrap_or(rest.len()),
            c if c.is_alphanumeric() || matches!(c, '_' | '-') => {
                rest.find(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '+')).unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(end);
        if !word.trim().is_empty() {
            words.push(word.to_owned());
        }
        rest = after;
    }
    words
}

type Strict = async_graphql::Schema<Query, Mutation, ContactSubscription>;

fn strict(theirs: &Theirs) -> Strict {
    async_graphql::Schema::build(Query::default(), Mutation::default(), ContactSubscription)
        .validation_mode(ValidationMode::Strict)
        .limit_recursive_depth(1000)
        .extension(theirs.clone())
        .finish()
}

/// Keeps what the other validator says, and lets nothing be executed.
#[derive(Clone, Default)]
struct Theirs(Arc<Mutex<Option<Vec<String>>>>);

impl Theirs {
    /// Why the last document was refused; a document that cannot be parsed does not get as far as to be validated.
    fn take(&self) -> Vec<String> {
        self.0.lock().unwrap().take().unwrap_or_else(|| vec!["no GraphQL".to_owned()])
    }
}

impl ExtensionFactory for Theirs {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(self.clone())
    }
}

#[async_graphql::async_trait::async_trait]
impl Extension for Theirs {
    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let found = next.run(ctx).await;
        *self.0.lock().unwrap() = Some(found.err().into_iter().flatten().map(|one| one.message).collect());
        Err(vec![ServerError::new("nothing is executed", None)])
    }
}
