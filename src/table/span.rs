//! A range of keys or index values: data, no closure, so that another process could check a read
//! set made of them.

use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;

use crate::id::Id;

/// Everything between two bounds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Span<V> {
    pub(crate) lower: Bound<V>,
    pub(crate) upper: Bound<V>,
}

impl<V: Ord + Clone> Span<V> {
    pub(crate) fn all() -> Self {
        Self {
            lower: Bound::Unbounded,
            upper: Bound::Unbounded,
        }
    }

    pub(crate) fn exactly(value: V) -> Self {
        Self {
            lower: Bound::Included(value.clone()),
            upper: Bound::Included(value),
        }
    }

    /// The only value of a span that has no room for another.
    pub(crate) fn only(&self) -> Option<&V> {
        match (&self.lower, &self.upper) {
            (Bound::Included(lower), Bound::Included(upper)) if lower == upper => Some(lower),
            _ => None,
        }
    }

    /// The same, borrowed.
    pub(crate) fn borrowed(&self) -> Span<&V> {
        Span {
            lower: self.lower.as_ref(),
            upper: self.upper.as_ref(),
        }
    }

    pub(crate) fn of(range: impl RangeBounds<V>) -> Self {
        Self {
            lower: range.start_bound().cloned(),
            upper: range.end_bound().cloned(),
        }
    }

    pub(crate) fn map(self, each: impl Fn(V) -> V) -> Self {
        Self {
            lower: self.lower.map(&each),
            upper: self.upper.map(&each),
        }
    }

    pub(crate) fn contains(&self, value: &V) -> bool {
        self.reaches_up_to(value) && self.reaches_down_to(value)
    }

    /// Whether all of it comes before a value, in a direction.
    pub(crate) fn ends_before(&self, value: &V, reversed: bool) -> bool {
        match reversed {
            false => !self.reaches_up_to(value),
            true => !self.reaches_down_to(value),
        }
    }

    /// Whether the upper bound admits the value.
    fn reaches_up_to(&self, value: &V) -> bool {
        match &self.upper {
            Bound::Included(upper) => value <= upper,
            Bound::Excluded(upper) => value < upper,
            Bound::Unbounded => true,
        }
    }

    /// Whether the lower bound admits the value.
    fn reaches_down_to(&self, value: &V) -> bool {
        match &self.lower {
            Bound::Included(lower) => value >= lower,
            Bound::Excluded(lower) => value > lower,
            Bound::Unbounded => true,
        }
    }
}

/// A key or index value type whose values can be looked up by how their text begins.
pub trait Prefix: Ord + Clone {
    /// The bounds of all values that begin with `prefix`; for no value at all, bounds that admit
    /// none.
    fn starting_with(prefix: &str) -> (Bound<Self>, Bound<Self>);

    /// The text of a value, as prefixes are compared with it: what a normalizer made of a prefix.
    fn text(&self) -> String;
}

/// The first text after all that begin with `prefix`: its last character stepped up, characters
/// that have no next one dropped.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = match u32::from(last) + 1 {
            // The gap of the surrogates.
            0xd800 => Some('\u{e000}'),
            next => char::from_u32(next),
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

macro_rules! prefix_of_text {
    ($($kind:ty),*) => {
        $(impl Prefix for $kind {
            fn starting_with(prefix: &str) -> (Bound<Self>, Bound<Self>) {
                let upper = successor(prefix).map(|text| Bound::Excluded(text.into()));
                let upper = upper.unwrap_or(Bound::Unbounded);
                (Bound::Included(prefix.into()), upper)
            }

            fn text(&self) -> String {
                self.to_string()
            }
        })*
    };
}

prefix_of_text!(String, Box<str>, Arc<str>);

impl Prefix for Vec<u8> {
    fn starting_with(prefix: &str) -> (Bound<Self>, Bound<Self>) {
        let mut upper = prefix.as_bytes().to_vec();
        // A byte of UTF-8 is never 255, so there is a next one.
        let upper = match upper.last_mut() {
            Some(last) => {
                *last += 1;
                Bound::Excluded(upper)
            }
            None => Bound::Unbounded,
        };
        (Bound::Included(prefix.as_bytes().to_vec()), upper)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self).into_owned()
    }
}

impl Prefix for Id {
    fn starting_with(prefix: &str) -> (Bound<Self>, Bound<Self>) {
        match Self::prefix_range(prefix) {
            Some(range) => {
                let (first, last) = range.into_inner();
                (Bound::Included(first), Bound::Included(last))
            }
            None => {
                let none = Self::from_u128(0);
                (Bound::Excluded(none), Bound::Excluded(none))
            }
        }
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(prefix: &str) -> Span<String> {
        let (lower, upper) = String::starting_with(prefix);
        Span { lower, upper }
    }

    #[test]
    fn a_prefix_spans_exactly_what_begins_with_it() {
        let texts = [
            "",
            "a",
            "ab",
            "abc",
            "ab\u{10ffff}",
            "ac",
            "b",
            "\u{d7ff}",
            "\u{e000}",
        ];
        for prefix in [
            "",
            "a",
            "ab",
            "\u{d7ff}",
            "ab\u{10ffff}",
            "\u{10ffff}",
            "zz",
        ] {
            for text in texts {
                let begins = text.starts_with(prefix);
                assert_eq!(
                    span(prefix).contains(&text.to_owned()),
                    begins,
                    "{prefix:?} {text:?}"
                );
            }
        }
    }

    #[test]
    fn an_impossible_id_prefix_spans_nothing() {
        let (lower, upper) = Id::starting_with("~");
        let span = Span { lower, upper };
        assert!(!span.contains(&Id::from_u128(0)));
        assert!(!span.contains(&Id::from_u128(1)));
    }
}
