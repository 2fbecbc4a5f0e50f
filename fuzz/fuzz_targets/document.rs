//! Documents, as those of requests: whatever is let through is within the bounds, as another parser counts.
#![no_main]

use std::collections::HashMap;
use std::sync::LazyLock;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, Selection, SelectionSet};
use contacts_gateway::fuzzing::Compiler;
use libfuzzer_sys::fuzz_target;

static COMPILER: LazyLock<Compiler> = LazyLock::new(Compiler::default);

/// What a selection comes to with its fragments spread.
#[derive(Clone, Copy, Default)]
struct Size {
    fields: u64,
    aliases: u64,
    directives: u64,
    depth: u64,
}

struct Count<'a> {
    document: &'a ExecutableDocument,
    known: HashMap<&'a str, Size>,
}

impl<'a> Count<'a> {
    fn size(&mut self, set: &'a SelectionSet) -> Size {
        let mut size = Size::default();
        for selection in &set.items {
            let (inner, directives) = match &selection.node {
                Selection::Field(field) => {
                    let inner = self.size(&field.node.selection_set.node);
                    let aliases = inner.aliases + u64::from(field.node.alias.is_some());
                    (
                        Size { fields: inner.fields + 1, aliases, depth: inner.depth + 1, ..inner },
                        &field.node.directives,
                    )
                }
                Selection::InlineFragment(inline) => {
                    (self.size(&inline.node.selection_set.node), &inline.node.directives)
                }
                Selection::FragmentSpread(spread) => {
                    (self.fragment(spread.node.fragment_name.node.as_str()), &spread.node.directives)
                }
            };
            size.fields += inner.fields;
            size.aliases += inner.aliases;
            size.directives += inner.directives + directives.len() as u64;
            size.depth = size.depth.max(inner.depth);
        }
        size
    }

    fn fragment(&mut self, name: &'a str) -> Size {
        if let Some(known) = self.known.get(name) {
            return *known;
        }
        let (_, fragment) =
            self.document.fragments.iter().find(|(of, _)| of.as_str() == name).expect("it was validated");
        let size = self.size(&fragment.node.selection_set.node);
        self.known.insert(name, size);
        size
    }
}

fuzz_target!(|text: &str| {
    let Some(compiled) = COMPILER.document(text, &Default::default()) else { return };
    assert!(compiled.planned.iter().all(|calls| *calls < 1_000_000), "{:?}", compiled.planned);
    let document = parse_query(text).expect("what is let through can be executed");
    let mut fields = 0;
    for (_, operation) in document.operations.iter() {
        let mut count = Count { document: &document, known: HashMap::new() };
        let size = count.size(&operation.node.selection_set.node);
        fields += size.fields;
        assert!(size.depth <= 15 && size.aliases <= 30 && size.directives <= 50, "{text}");
    }
    assert!(fields <= 10_000, "{text}");
});
