//! What a page in Markdown has: fenced blocks, links, headings.

/// A fenced block.
pub struct Block {
    /// Where it begins, as `page:line`.
    pub place: String,
    /// What it is written in.
    pub language: String,
    /// What is said of it after the language.
    pub info: String,
    /// Its text, without the indentation of its fence.
    pub text: String,
}

impl Block {
    /// Whether this word is said of it.
    pub fn says(&self, word: &str) -> bool {
        self.info.split_whitespace().any(|said| said == word)
    }
}

/// The blocks of a page.
pub fn blocks(page: &str, text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let indent = line.len() - line.trim_start().len();
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        let (language, info) = info.split_once(' ').unwrap_or((info, ""));
        assert!(!language.is_empty(), "{page}:{}: say what the block is written in", number + 1);
        let mut text = String::new();
        for (_, line) in lines.by_ref().take_while(|(_, line)| line.trim() != "```") {
            text += line.get(indent..).unwrap_or_default();
            text += "\n";
        }
        let place = format!("{page}:{}", number + 1);
        found.push(Block { place, language: language.to_owned(), info: info.to_owned(), text });
    }
    found
}

/// The page without its blocks.
fn prose(text: &str) -> String {
    let mut inside = false;
    let mut is_prose = |line: &&str| {
        let is_fence = line.trim_start().starts_with("```") && !line.trim_start()[3..].contains('`');
        inside ^= is_fence;
        !inside && !is_fence
    };
    text.lines().filter(|line| is_prose(line)).collect::<Vec<_>>().join("\n")
}

/// The links to files and headings of this repository.
pub fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(link, _)| link.to_owned()).filter(|link| !link.contains("://")).collect()
}

/// What links name headings by.
pub fn anchors(text: &str) -> Vec<String> {
    let text = prose(text);
    let headings =
        text.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| -> String {
        let kept = heading.to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    headings.map(anchor).collect()
}
