//! Eight bytes of a key that order as the key does, so that most comparisons of an ordered index
//! touch no key.
//!
//! Neighbours in an index often begin alike: names with one prefix, entries with one value. The
//! eight bytes are then taken after what they share ([`Shared`]), or they would tell nothing.
//!
//! Any `Ord` type is a key; the types met most get a hint, every other one the constant 0 (then
//! each comparison asks the key). The choice is made by the type alone, so it is folded away when
//! the function is compiled for it.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::id::Id;

/// Order-preserving: `hint(a) < hint(b)` implies `a < b`; equal hints say nothing.
#[inline]
pub(crate) fn hint<K: Any>(key: &K) -> u64 {
    let key = key as &dyn Any;
    macro_rules! of {
        ($($kind:ty => |$name:ident| $value:expr),* $(,)?) => {
            $(if let Some($name) = key.downcast_ref::<$kind>() { return $value; })*
        };
    }
    of! {
        Id => |id| (id.as_u128() >> 64) as u64,
        String => |text| of_bytes(text.as_bytes()),
        Box<str> => |text| of_bytes(text.as_bytes()),
        Arc<str> => |text| of_bytes(text.as_bytes()),
        &'static str => |text| of_bytes(text.as_bytes()),
        Vec<u8> => |bytes| of_bytes(bytes),
        u64 => |number| *number,
        u32 => |number| u64::from(*number),
        u16 => |number| u64::from(*number),
        u8 => |number| u64::from(*number),
        usize => |number| *number as u64,
        i64 => |number| number.cast_unsigned() ^ (1 << 63),
        i32 => |number| i64::from(*number).cast_unsigned() ^ (1 << 63),
        u128 => |number| (number >> 64) as u64,
        bool => |set| u64::from(*set),
        Option<Id> => |id| of_option(id.map(|id| hint(&id))),
        Option<u64> => |number| of_option(*number),
        Option<u32> => |number| of_option(number.map(u64::from)),
        Option<String> => |text| of_option(text.as_ref().map(hint)),
        (Id, u64) => |pair| hint(&pair.0),
    }
    0
}

/// None comes first; of a value, all but the last bit.
fn of_option(hint: Option<u64>) -> u64 {
    hint.map_or(0, |hint| 1 << 63 | hint >> 1)
}

/// How much of their beginning the values of an ordered index share, from one to another and all
/// between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shared(u32);

impl Shared {
    /// Nothing, or nobody knows.
    pub(crate) const NOTHING: Self = Self(0);
    /// They are one value.
    pub(crate) const ALL: Self = Self(u32::MAX);
    /// The first of two parts.
    const FIRST: Self = Self(1);

    /// What is shared by all keys that share so much, or so much, with one and the same.
    pub(crate) fn least(self, other: Self) -> Self {
        // Of one type these are numbers of bytes or of parts, and all of them is above.
        Self(self.0.min(other.0))
    }

    /// What is shared by all keys of which some share so much and others so much, with one and the
    /// same.
    pub(crate) fn most(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// Whether who shares so much with some keys shares `other` with them, too.
    #[inline]
    pub(crate) fn covers(self, other: Self) -> bool {
        self.0 >= other.0
    }

    fn bytes(length: usize) -> Self {
        let length = u32::try_from(length).ok();
        Self(length.filter(|&length| length < u32::MAX).unwrap_or(0))
    }
}

/// The bytes of a text, of the types that are ordered by them.
#[inline]
fn bytes_of<K: Any>(key: &K) -> Option<&[u8]> {
    let key = key as &dyn Any;
    let text = key.downcast_ref::<String>().map(String::as_bytes);
    let text = text.or_else(|| key.downcast_ref::<Box<str>>().map(|text| text.as_bytes()));
    text.or_else(|| key.downcast_ref::<Arc<str>>().map(|text| text.as_bytes()))
}

fn pair_of<K: Any>(key: &K) -> Option<&(Id, u64)> {
    (key as &dyn Any).downcast_ref()
}

/// What two keys share, and with them all keys between them.
pub(crate) fn shared<K: Any + Ord>(first: &K, last: &K) -> Shared {
    if let (Some(first), Some(last)) = (bytes_of(first), bytes_of(last)) {
        let alike = first
            .iter()
            .zip(last)
            .take_while(|(one, other)| one == other);
        let alike = alike.count();
        return if alike == first.len() && alike == last.len() {
            Shared::ALL
        } else {
            Shared::bytes(alike)
        };
    }
    match (pair_of(first), pair_of(last)) {
        (Some(first), Some(last)) if first.0 == last.0 && first != last => Shared::FIRST,
        _ if first == last => Shared::ALL,
        _ => Shared::NOTHING,
    }
}

/// As [`hint`], of what follows after what is shared. Of a key that does not share it, and after
/// [`Shared::ALL`], it says nothing.
#[inline]
pub(crate) fn hint_after<K: Any>(key: &K, shared: Shared) -> u64 {
    if shared == Shared::NOTHING {
        return hint(key);
    }
    if let Some(bytes) = bytes_of(key) {
        return of_bytes(bytes.get(shared.0 as usize..).unwrap_or_default());
    }
    pair_of(key).map_or(0, |pair| pair.1)
}

/// A key relative to what `one` shares with its neighbours: `Equal`, if it has that too; else as
/// relative to all of them.
#[inline]
pub(crate) fn compare_shared<K: Any + Ord>(key: &K, one: &K, shared: Shared) -> Ordering {
    if shared == Shared::NOTHING {
        return Ordering::Equal;
    }
    if shared == Shared::ALL {
        return key.cmp(one);
    }
    if let (Some(key), Some(one)) = (bytes_of(key), bytes_of(one)) {
        let length = shared.0 as usize;
        let head = |bytes: &'_ [u8]| bytes.len().min(length);
        return key[..head(key)].cmp(&one[..head(one)]);
    }
    match (pair_of(key), pair_of(one)) {
        (Some(key), Some(one)) => key.0.cmp(&one.0),
        _ => Ordering::Equal,
    }
}

fn of_bytes(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut padded = [0; 8];
            padded[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(padded)
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn hints_order_as_their_keys() {
        let texts = [
            "",
            "\0",
            "a",
            "a\0",
            "ab",
            "abcdefgh",
            "abcdefghi",
            "b",
            "é",
        ];
        for pair in texts.windows(2) {
            assert!(
                hint(&pair[0].to_owned()) <= hint(&pair[1].to_owned()),
                "{pair:?}"
            );
        }
        let numbers = [i64::MIN, -2, -1, 0, 1, i64::MAX];
        assert!(
            numbers
                .windows(2)
                .all(|pair| hint(&pair[0]) < hint(&pair[1]))
        );
        assert!(hint(&-1i32) < hint(&0i32));
        let options = [None, Some(0), Some(u64::MAX)];
        assert!(
            options
                .windows(2)
                .all(|pair| hint(&pair[0]) < hint(&pair[1]))
        );
        assert_eq!(hint(&(1u8, 2u8)), 0);
    }

    /// Of all runs of sorted keys: hints after what they share order as they do, and every other
    /// key is on its side of them.
    fn order_as_keys<K: Any + Ord + std::fmt::Debug>(keys: &[K]) {
        for (start, first) in keys.iter().enumerate() {
            for (end, last) in keys.iter().enumerate().skip(start) {
                let shared = shared(first, last);
                for key in keys {
                    let side = compare_shared(key, first, shared);
                    let within = (first..=last).contains(&key);
                    assert!(!within || side.is_eq(), "{key:?} in {first:?}..={last:?}");
                    assert!(
                        side.is_ge() || key < first,
                        "{key:?} and {first:?}..={last:?}"
                    );
                    assert!(
                        side.is_le() || key > last,
                        "{key:?} and {first:?}..={last:?}"
                    );
                }
                if shared != Shared::ALL {
                    let hints = keys[start..=end].iter().map(|key| hint_after(key, shared));
                    assert!(hints.is_sorted(), "{first:?}..={last:?}");
                } else {
                    assert_eq!(first, last);
                }
            }
        }
    }

    #[test]
    fn hints_after_what_is_shared_order_as_their_keys() {
        let texts = "  a a\0 aaaaaaaaaaaa aaaaaaaaaaaab ab abc abcdefghijk b ba é éa";
        let texts = texts.split(' ').map(str::to_owned);
        order_as_keys(
            &texts
                .collect::<std::collections::BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>(),
        );
        let ids = [1, 2, u128::MAX].map(Id::from_u128);
        let pairs = ids
            .iter()
            .flat_map(|&id| [0, 1, u64::MAX].map(|number| (id, number)));
        order_as_keys(&pairs.collect::<Vec<_>>());
        order_as_keys(&ids.map(Some));
        order_as_keys(&[(1u8, 1u8), (1, 2), (2, 0)]);
    }
}
