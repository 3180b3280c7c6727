//! Ranges of keys or of index values that a transaction has read of one table, each once: who asks
//! the same again and again, as a scheduler asks of its nodes, has read one thing, which is looked
//! at once for each write of others.

#![forbid(unsafe_code)]

use super::positions::Positions;

/// Ranges up to which a look through their hashes beats a map.
const RANGES_SCANNED_MAX: usize = 16;

/// Each range once, in the order in which they were read first.
#[derive(Debug)]
pub(super) struct Ranges<R> {
    /// With their hashes.
    all: Vec<(u64, R)>,
    /// Where they are, once they are many.
    positions: Positions,
}

impl<R> Ranges<R> {
    pub(super) fn new() -> Self {
        Self {
            all: Vec::new(),
            positions: Positions::default(),
        }
    }

    /// Whether there is one with the hash that `is_it`. O(1), expected.
    pub(super) fn has(&self, hash: u64, is_it: impl Fn(&R) -> bool) -> bool {
        let is_it = |at: usize| {
            let (own, range) = &self.all[at];
            *own == hash && is_it(range)
        };
        match self.all.len() {
            few @ ..=RANGES_SCANNED_MAX => (0..few).any(is_it),
            _ => self.positions.find(hash, is_it).is_some(),
        }
    }

    /// Adds one that is not there. O(1), amortized.
    pub(super) fn push(&mut self, hash: u64, range: R) {
        self.all.push((hash, range));
        if self.all.len() > RANGES_SCANNED_MAX {
            self.positions.note_to(self.all.len(), |at| self.all[at].0);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &R> {
        self.all.iter().map(|(_, range)| range)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
        self.positions.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Who asks for one is shown what has its hash alone, however many there are.
    #[test]
    fn each_is_there_once_and_found_without_a_look_at_the_others() {
        let mut ranges = Ranges::new();
        let looked_at = Cell::new(0);
        let has = |ranges: &Ranges<u64>, wanted: u64| {
            ranges.has(wanted.wrapping_mul(0x9E37_79B9_7F4A_7C15), |range| {
                looked_at.set(looked_at.get() + 1);
                *range == wanted
            })
        };
        for _ in 0..3 {
            for range in 0..2_000 {
                if !has(&ranges, range) {
                    ranges.push(range.wrapping_mul(0x9E37_79B9_7F4A_7C15), range);
                }
            }
        }
        assert!(ranges.iter().copied().eq(0..2_000));
        assert_eq!(looked_at.get(), 2 * 2_000);
        ranges.clear();
        assert!(ranges.is_empty() && !has(&ranges, 7));
    }

    #[test]
    fn those_of_one_hash_are_told_apart() {
        let mut ranges = Ranges::new();
        (0..40).for_each(|range| ranges.push(5, range));
        let has = |wanted: u64| ranges.has(5, |range| *range == wanted);
        assert!(has(0) && has(39) && !has(40));
    }
}
