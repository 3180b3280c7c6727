//! An object's identity: 128 random bits, written as 25 base-36 characters.

#![forbid(unsafe_code)]

mod digits;

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use self::digits::{BASE, digit_value, write};

/// How many identities one request to the operating system yields.
const POOL_IDS: usize = 64;

/// The identity of an object: 128 bits, shown as 25 base-36 characters.
///
/// Identities are ordered as numbers, which is also the order of their texts. Comparing, copying
/// and hashing cost what they cost for a `u128`.
///
/// # Text
///
/// The characters are the digits of the number in base 36, `0-9` and then `a-z`, most significant
/// first and padded with zeros to a fixed width. So the order of two identities is the order of
/// their texts, and a prefix of the text is a contiguous range of identities:
///
/// ```text
/// number                      text
/// 0                           0000000000000000000000000
/// 35                          000000000000000000000000z
/// 36                          0000000000000000000000010
/// 2^128 - 1                   f5lxx1zz5pnorynqglhzmsp33
///
/// prefix                      range
/// 000000000000000000000001    36 identities: its own text with 0 to z behind it
/// f                           from f000… to 2^128 - 1: fzzz… is larger than 128 bits
/// g                           none: all are larger than 128 bits
/// ```
///
/// # Randomness
///
/// The bits come from the operating system, fetched a block at a time for each thread, so that a
/// new identity seldom costs a system call. No generator of our own stands between, so all 128
/// bits of every identity are independent of each other and of every other machine's.
///
/// # Example
/// ```
/// use skep::Id;
///
/// let id: Id = "0000000000000000000000010".parse()?;
/// assert_eq!(id, Id::from_u128(36));
/// assert_eq!(id.to_string(), "0000000000000000000000010");
/// assert!(Id::random() != Id::random());
/// # Ok::<(), skep::ParseIdError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))]
pub struct Id(u128);

impl Id {
    /// The number of characters of an identity's text.
    pub const TEXT_LEN: usize = digits::TEXT_LEN;

    /// A new identity of 128 random bits from the operating system.
    ///
    /// Costs a copy out of the thread's block of random bits, and every 64th time on a thread a
    /// system call. Two processes that were forked from one another after its first use on the
    /// forking thread, without an `exec` between, may draw the same identities.
    ///
    /// # Panics
    ///
    /// When the operating system has no source of randomness.
    pub fn random() -> Self {
        // The pool is gone while its thread's locals are being dropped: ask for a single one then.
        POOL.try_with(|pool| pool.borrow_mut().draw())
            .unwrap_or_else(|_| Self(u128::from_ne_bytes(random_bytes())))
    }

    /// The identity whose bits are `bits`.
    pub const fn from_u128(bits: u128) -> Self {
        Self(bits)
    }

    /// The identity's bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// All identities whose text begins with `prefix`, or `None` when there can be none.
    ///
    /// The empty prefix gives all identities. There are none for a prefix of more than 25
    /// characters, for one with a character that is no lower-case base-36 digit, and for one that
    /// only numbers of more than 128 bits begin with. Costs a step a character.
    ///
    /// ```
    /// use skep::Id;
    ///
    /// let range = Id::prefix_range("00000000000000000000001").expect("some identity begins so");
    /// assert_eq!(range.start().to_string(), "0000000000000000000000100");
    /// assert_eq!(range.end().to_string(), "00000000000000000000001zz");
    /// assert_eq!(Id::prefix_range("g"), None);
    /// ```
    pub fn prefix_range(prefix: &str) -> Option<RangeInclusive<Self>> {
        if prefix.len() > Self::TEXT_LEN {
            return None;
        }
        let mut first: u128 = 0;
        for byte in prefix.bytes() {
            let digit = digit_value(char::from(byte))?;
            first = first.checked_mul(BASE)?.checked_add(digit)?;
        }
        let mut last = first;
        for _ in prefix.len()..Self::TEXT_LEN {
            // The first text with this prefix may lie beyond 128 bits: then every one does. The
            // last may lie beyond them alone: then the largest identity takes its place.
            first = first.checked_mul(BASE)?;
            last = last.saturating_mul(BASE).saturating_add(BASE - 1);
        }
        Some(Self(first)..=Self(last))
    }

    /// The identity's text, written into `buffer`. What [`Display`](fmt::Display) writes, without
    /// its cost: a step a character, and no allocation.
    ///
    /// ```
    /// use skep::Id;
    ///
    /// let id = Id::from_u128(36);
    /// assert_eq!(id.encode(&mut [0; Id::TEXT_LEN]), id.to_string());
    /// ```
    pub fn encode(self, buffer: &mut [u8; Self::TEXT_LEN]) -> &str {
        write(self.0, buffer);
        std::str::from_utf8(buffer).expect("every digit is ASCII")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.encode(&mut [0; Self::TEXT_LEN]))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Id({self})")
    }
}

impl FromStr for Id {
    type Err = ParseIdError;

    /// The identity that `text` shows.
    ///
    /// # Errors
    ///
    /// Any text that [`Display`](fmt::Display) does not write is refused, so an identity has one
    /// text: see [`ParseIdError`].
    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let found = text.chars().count();
        if found != Self::TEXT_LEN {
            return Err(ParseIdError::WrongLength { found });
        }
        // A bad character is told before a number too large, whatever their order in the text.
        let mut number = Some(0_u128);
        for (position, character) in text.chars().enumerate() {
            let digit = digit_value(character).ok_or(ParseIdError::InvalidCharacter {
                character,
                position,
            })?;
            number = number
                .and_then(|number| number.checked_mul(BASE))
                .and_then(|number| number.checked_add(digit));
        }
        number.map(Self).ok_or(ParseIdError::OutOfRange)
    }
}

/// Why a text is not an [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseIdError {
    /// The text does not have 25 characters.
    WrongLength {
        /// How many characters it has.
        found: usize,
    },
    /// A character is not one of `0-9` and `a-z`. Upper case is refused: an identity has one text.
    InvalidCharacter {
        /// The first such character.
        character: char,
        /// How many characters stand before it.
        position: usize,
    },
    /// The number is larger than 128 bits: the largest is `f5lxx1zz5pnorynqglhzmsp33`.
    OutOfRange,
}

impl fmt::Display for ParseIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { found } => {
                let length = Id::TEXT_LEN;
                write!(f, "an id has {length} characters, this text has {found}")
            }
            Self::InvalidCharacter {
                character,
                position,
            } => {
                write!(
                    f,
                    "{character:?} after {position} characters is not a digit of an id: "
                )?;
                if character.is_ascii_uppercase() {
                    write!(f, "its letters are lower case")
                } else {
                    write!(f, "they are 0-9 and a-z")
                }
            }
            Self::OutOfRange => {
                write!(
                    f,
                    "the id is larger than {}, the largest of 128 bits",
                    Id(u128::MAX)
                )
            }
        }
    }
}

impl Error for ParseIdError {}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bits: [0; POOL_IDS], left: 0 }) };
}

/// A thread's block of random bits.
struct Pool {
    bits: [u128; POOL_IDS],
    /// How many of `bits`, from the front, were not yet given out.
    left: usize,
}

impl Pool {
    /// Gives out the next identity and fetches a new block when there is none.
    fn draw(&mut self) -> Id {
        if self.left == 0 {
            let bytes: [u8; POOL_IDS * size_of::<u128>()] = random_bytes();
            let (chunks, _) = bytes.as_chunks();
            for (bits, chunk) in self.bits.iter_mut().zip(chunks) {
                *bits = u128::from_ne_bytes(*chunk);
            }
            self.left = POOL_IDS;
        }
        self.left -= 1;
        Id(self.bits[self.left])
    }
}

/// `N` random bytes from the operating system.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system has a source of randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Identities at both ends, around each power of 36 and of 2, and random ones, in order.
    fn samples() -> Vec<Id> {
        let mut samples: BTreeSet<u128> = BTreeSet::from([0, u128::MAX]);
        let powers = (0..Id::TEXT_LEN as u32).map(|exponent| BASE.pow(exponent));
        for power in powers.chain((0..128).map(|exponent| 1 << exponent)) {
            samples.extend([power - 1, power, power + 1]);
        }
        samples.extend((0..200).map(|_| Id::random().as_u128()));
        samples.into_iter().map(Id).collect()
    }

    #[test]
    fn text_round_trips() {
        for id in samples() {
            let text = id.to_string();
            assert_eq!(text.len(), Id::TEXT_LEN);
            assert_eq!(text.parse(), Ok(id), "{text}");
            assert_eq!(Id::from_u128(id.as_u128()), id);
        }
        assert_eq!(Id(0).to_string(), "0".repeat(Id::TEXT_LEN));
        assert_eq!(Id(35).to_string(), "000000000000000000000000z");
        assert_eq!(Id(u128::MAX).to_string(), "f5lxx1zz5pnorynqglhzmsp33");
    }

    #[test]
    fn order_is_the_order_of_the_texts() {
        let samples = samples();
        assert!(samples.is_sorted_by(|a, b| a < b));
        assert!(samples.is_sorted_by(|a, b| a.to_string() < b.to_string()));
    }

    #[test]
    fn formatting_honours_width_and_debug_shows_the_text() {
        let id = Id(1);
        let text = id.to_string();
        assert_eq!(format!("{id:>27}"), format!("  {text}"));
        assert_eq!(format!("{id:?}"), format!("Id({text})"));
    }

    #[test]
    fn prefix_range_agrees_with_the_texts() {
        let samples: Vec<_> = samples()
            .into_iter()
            .map(|id| (id, id.to_string()))
            .collect();
        let mut prefixes: BTreeSet<String> = BTreeSet::new();
        for (_, text) in samples.iter().step_by(29).chain(samples.last()) {
            for len in 0..=Id::TEXT_LEN {
                prefixes.insert(text[..len].to_owned());
                // The neighbours of a real prefix, most of which no sample has.
                for digit in ["0", "f", "g", "z", "A", "-", "é"] {
                    prefixes.insert(format!("{}{digit}", &text[..len]));
                }
            }
        }
        for prefix in &prefixes {
            let range = Id::prefix_range(prefix);
            for (id, text) in &samples {
                let within = range.as_ref().is_some_and(|range| range.contains(id));
                assert_eq!(within, text.starts_with(prefix), "{prefix} {text}");
            }
            if let Some(range) = range {
                check_bounds(prefix, range);
            }
        }
    }

    /// Both ends of a range have the prefix, and the identities just outside do not.
    fn check_bounds(prefix: &str, range: RangeInclusive<Id>) {
        let (first, last) = range.into_inner();
        assert!(first.to_string().starts_with(prefix), "{prefix} {first}");
        assert!(last.to_string().starts_with(prefix), "{prefix} {last}");
        let before = first.as_u128().checked_sub(1).map(Id);
        let after = last.as_u128().checked_add(1).map(Id);
        for outside in before.into_iter().chain(after) {
            assert!(
                !outside.to_string().starts_with(prefix),
                "{prefix} {outside}"
            );
        }
    }

    #[test]
    fn prefix_range_at_its_limits() {
        let all = Id(0)..=Id(u128::MAX);
        assert_eq!(Id::prefix_range(""), Some(all));
        let largest = Id(u128::MAX).to_string();
        assert_eq!(
            Id::prefix_range(&largest),
            Some(Id(u128::MAX)..=Id(u128::MAX))
        );
        assert_eq!(Id::prefix_range(&format!("{largest}0")), None);
        assert_eq!(Id::prefix_range("f5lxx1zz5pnorynqglhzmsp34"), None);
        assert_eq!(Id::prefix_range("f5ly"), None);
        assert_eq!(Id::prefix_range("g"), None);
        let top = Id::prefix_range("f").expect("the largest identity begins with f");
        assert_eq!(*top.end(), Id(u128::MAX));
    }

    #[test]
    fn parsing_tells_what_is_wrong() {
        let cases = [
            (
                "",
                ParseIdError::WrongLength { found: 0 },
                "this text has 0",
            ),
            (
                "00000000000000000000000000",
                ParseIdError::WrongLength { found: 26 },
                "has 26",
            ),
            (
                "é",
                ParseIdError::WrongLength { found: 1 },
                "this text has 1",
            ),
            (
                "0000000000A00000000000000",
                ParseIdError::InvalidCharacter {
                    character: 'A',
                    position: 10,
                },
                "'A' after 10 characters is not a digit of an id: its letters are lower case",
            ),
            (
                "é-00000000000000000000000",
                ParseIdError::InvalidCharacter {
                    character: 'é',
                    position: 0,
                },
                "0-9 and a-z",
            ),
            (
                "zzzzzzzzzzzzzzzzzzzzzzzz_",
                ParseIdError::InvalidCharacter {
                    character: '_',
                    position: 24,
                },
                "0-9 and a-z",
            ),
            (
                "f5lxx1zz5pnorynqglhzmsp34",
                ParseIdError::OutOfRange,
                "larger than f5lxx1zz5pn",
            ),
            (
                "zzzzzzzzzzzzzzzzzzzzzzzzz",
                ParseIdError::OutOfRange,
                "128 bits",
            ),
        ];
        for (text, error, message) in cases {
            assert_eq!(text.parse::<Id>(), Err(error), "{text}");
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn random_ids_differ_across_blocks_and_threads() {
        let draw = || {
            (0..POOL_IDS * 3 + 1)
                .map(|_| Id::random())
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
        let mut ids = draw();
        for thread in threads {
            ids.extend(thread.join().expect("drawing does not panic"));
        }
        let distinct: BTreeSet<Id> = ids.iter().copied().collect();
        assert_eq!(distinct.len(), ids.len());
        // Every bit is set in some and clear in some: none is stuck.
        assert_eq!(
            ids.iter().fold(0, |bits, id| bits | id.as_u128()),
            u128::MAX
        );
        assert_eq!(
            ids.iter().fold(u128::MAX, |bits, id| bits & id.as_u128()),
            0
        );
    }
}
