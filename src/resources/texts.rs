//! The texts of a record in one piece of memory: there are many records, of many small texts, and most of what a text
//! of its own takes is not the text.

/// `N` texts, each of which may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts<const N: usize> {
    all: Box<str>,
    /// Where each of them ends, and whether it is missing.
    ends: [u32; N],
}

const MISSING: u32 = 1 << 31;

impl<const N: usize> Texts<N> {
    /// Copies them. What does not fit into 2 GiB is missing; an answer of the upstream cannot be that long.
    pub fn new(texts: [Option<&str>; N]) -> Self {
        let mut all = String::with_capacity(texts.iter().flatten().map(|text| text.len()).sum());
        let ends = texts.map(|text| {
            let fits = |text: &&str| all.len() + text.len() < MISSING as usize;
            let text = text.filter(fits);
            all.push_str(text.unwrap_or_default());
            all.len() as u32 | if text.is_some() { 0 } else { MISSING }
        });
        Self { all: all.into(), ends }
    }

    /// The text with this number.
    pub fn get(&self, number: usize) -> Option<&str> {
        let end = self.ends[number];
        let begin = number.checked_sub(1).map_or(0, |before| self.ends[before] & !MISSING);
        (end & MISSING == 0).then(|| &self.all[begin as usize..end as usize])
    }

    /// Bytes of all of them.
    pub fn bytes(&self) -> usize {
        self.all.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_comes_out_as_it_went_in() {
        let given = [Some("a"), None, Some(""), Some("ö€"), None, None, Some("last")];
        let texts = Texts::new(given);
        assert_eq!(std::array::from_fn(|number| texts.get(number)), given);
        assert_eq!(texts.bytes(), 10);
        assert_eq!(Texts::new([None::<&str>; 2]).get(1), None);
    }
}
