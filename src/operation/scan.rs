//! A look over a document's text before anything is built from it: how many tokens it has, and how deep its brackets
//! stand inside of each other. One pass, no allocation; whether the text is GraphQL is for the parser to say.

use super::guard::Bounds;
use crate::graph::{Code, Error};

/// Blanks, commas and comments for each token that a document may have: the parser keeps them, too.
const BLANKS: usize = 4;

#[derive(Default)]
struct Seen {
    tokens: usize,
    /// Runs of blanks, commas, comments.
    blanks: usize,
    open: usize,
    deepest: usize,
}

/// Refuses a text with too many tokens, or that nests too deep.
pub fn check(text: &str, most: &Bounds) -> Result<(), Error> {
    let seen = look(text.as_bytes());
    if seen.deepest > most.nesting {
        let most = most.nesting;
        let message = format!("The document nests {} levels deep; it can {most}.", seen.deepest);
        return Err(Error::new(Code::ParseFailed, message).by("nesting"));
    }
    if seen.tokens > most.tokens || seen.blanks > most.tokens * BLANKS {
        let most = most.tokens;
        let message = match seen.tokens > most {
            true => format!("The document has {} tokens; it can have {most}: ask for less at once.", seen.tokens),
            false => format!("The document has {} commas, comments and blanks between its tokens.", seen.blanks),
        };
        return Err(Error::new(Code::ParseFailed, message).by("tokens"));
    }
    Ok(())
}

fn look(text: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let mut rest = text;
    while let [first, after @ ..] = rest {
        rest = match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                seen.blanks += 1;
                past(after, |byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
            }
            b',' => {
                seen.blanks += 1;
                after
            }
            b'#' => {
                seen.blanks += 1;
                past(after, |byte| !matches!(byte, b'\r' | b'\n'))
            }
            b'"' => {
                seen.tokens += 1;
                past_text(after)
            }
            b'{' | b'[' | b'(' => {
                seen.tokens += 1;
                seen.open += 1;
                seen.deepest = seen.deepest.max(seen.open);
                after
            }
            b'}' | b']' | b')' => {
                seen.tokens += 1;
                seen.open = seen.open.saturating_sub(1);
                after
            }
            b'.' => {
                seen.tokens += 1;
                after.strip_prefix(b"..").unwrap_or(after)
            }
            // A name, a number, or what the parser will not know.
            byte if is_word(*byte) => {
                seen.tokens += 1;
                past(after, |byte| is_word(byte) || matches!(byte, b'.' | b'+'))
            }
            _ => {
                seen.tokens += 1;
                after
            }
        };
    }
    seen
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || !byte.is_ascii()
}

fn past(text: &[u8], inside: impl Fn(u8) -> bool) -> &[u8] {
    let end = text.iter().position(|byte| !inside(*byte)).unwrap_or(text.len());
    &text[end..]
}

/// What comes after a text of which the first quote was read: a line, or a block between three quotes.
fn past_text(text: &[u8]) -> &[u8] {
    let block = text.strip_prefix(b"\"\"");
    let mut rest = block.unwrap_or(text);
    loop {
        rest = match (rest, block) {
            ([b'"', b'"', b'"', after @ ..], Some(_)) | ([b'"', after @ ..], None) => return after,
            ([b'\\', b'"', b'"', b'"', after @ ..], Some(_)) => after,
            ([b'\\', _, after @ ..], None) => after,
            // A line ends here, closed or not.
            ([b'\r' | b'\n', ..], None) | ([], _) => return rest,
            ([_, after @ ..], _) => after,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_those_of_the_specification() {
        let rows = [
            ("", 0, 0),
            (" \t\r\n,,# a { comment\n", 0, 0),
            ("{ a }", 3, 1),
            ("{a(b:-1.5e+3,c:$d)@e{...F}}", 18, 2),
            ("query Q($a: [Int!]! = [1, 2]) { a }", 20, 2),
            (r#"{ a(b: "{[(\"{", c: "") }"#, 11, 2),
            ("{ a(b: \"\"\"{ \" \"\" \\\"\"\" [\n{\"\"\") }", 8, 2),
            // Not closed: the rest of the line, or of the document, is inside.
            ("{ a(b: \"[[[\n [", 7, 3),
            ("\"\"\" [[[", 1, 0),
            ("}}}{", 4, 1),
            ("é", 1, 0),
        ];
        for (text, tokens, deepest) in rows {
            let seen = look(text.as_bytes());
            assert_eq!((seen.tokens, seen.deepest), (tokens, deepest), "{text}");
        }
        assert_eq!(look(b"{ a, b #c\n}").blanks, 6);
    }
}
