//! The filters of nested lists: the upstream has none, so they are applied to the whole list that it sends.

use jiff::Timestamp;

use super::error::Error;
use super::scalars::DateTime;

/// A half-open span of time: from `after`, included, to `before`, left out.
///
/// Neighbouring spans therefore share no moment and miss none. A thing without a date is in no bounded span.
#[derive(Clone, Copy, Debug, Default)]
pub struct Span {
    /// The first moment in it.
    after: Option<Timestamp>,
    /// The first moment after it.
    before: Option<Timestamp>,
}

impl Span {
    /// The span of two arguments, each with its name.
    pub fn of(after: (&str, Option<DateTime>), before: (&str, Option<DateTime>)) -> Result<Self, Error> {
        let given = |(name, moment): (&str, Option<DateTime>)| moment.map(|moment| moment.given(name)).transpose();
        Ok(Self { after: given(after)?, before: given(before)? })
    }

    /// Whether `moment` is in it.
    pub fn holds(&self, moment: Option<Timestamp>) -> bool {
        match (self.after, self.before, moment) {
            (None, None, _) => true,
            (_, _, None) => false,
            (after, before, Some(moment)) => {
                after.is_none_or(|after| after <= moment) && before.is_none_or(|before| moment < before)
            }
        }
    }
}

/// The most items or contacts that one field answers with.
pub const MOST: usize = 500;

/// `first` as a number of items, within its bounds.
pub fn first_or(otherwise: usize, given: Option<i32>) -> Result<usize, Error> {
    match given {
        None => Ok(otherwise),
        Some(n) => usize::try_from(n)
            .ok()
            .filter(|n| (1..=MOST).contains(n))
            .ok_or_else(|| Error::bad_input(format!("`first` is {n}; it can be from 1 to {MOST}."))),
    }
}

/// `first` of a list that is all there already.
pub fn first_or_all(given: Option<i32>) -> Result<usize, Error> {
    first_or(usize::MAX, given)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Option<Timestamp> {
        text.parse().ok()
    }

    #[test]
    fn a_span_has_its_beginning_and_not_its_end() {
        let span = Span { after: at("2026-01-01T00:00:00Z"), before: at("2026-02-01T00:00:00Z") };
        assert!(span.holds(at("2026-01-01T00:00:00Z")));
        assert!(span.holds(at("2026-01-31T23:59:59.999Z")));
        assert!(!span.holds(at("2026-02-01T00:00:00Z")));
        assert!(!span.holds(None));
        assert!(Span::default().holds(None));
    }

    #[test]
    fn first_has_bounds() {
        assert_eq!(first_or(20, None), Ok(20));
        assert_eq!(first_or(20, Some(1)), Ok(1));
        assert_eq!(first_or(20, Some(500)), Ok(500));
        for n in [0, -1, 501, i32::MAX, i32::MIN] {
            assert!(first_or(20, Some(n)).is_err(), "{n}");
        }
    }
}
