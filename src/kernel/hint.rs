//! Eight bytes of a key that order as the key does, so that most comparisons of an ordered index
//! touch no key.
//!
//! Any `Ord` type is a key; the types met most get a hint, every other one the constant 0 (then
//! each comparison asks the key). The choice is made by the type alone, so it is folded away when
//! the function is compiled for it.

use std::any::Any;
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
    }
    0
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
        assert_eq!(hint(&(1u8, 2u8)), 0);
    }
}
