//! Positions: where in a list that a transaction keeps its elements are, by their hashes.
//!
//! A table of words with linear probing. The standard library's asks for 16 of its control bytes at
//! once, of which it has just written one: a processor cannot hand that on before the byte is in
//! its cache, behind the pins' fences and the cache misses before them (ARCHITECTURE.md, 32).

#![forbid(unsafe_code)]

/// Bits of a slot that say where the element is, counted from one; the others are the hash's.
const POSITION_BITS: u32 = 40;
const POSITION: u64 = (1 << POSITION_BITS) - 1;
/// Slots of the smallest table.
const SLOTS_MIN: usize = 64;
/// A table with more slots than this for an element that was in it is not kept.
const SLOTS_KEPT_MAX: usize = 8;

/// The positions of a list's elements, noted in the list's order.
#[derive(Debug, Default)]
pub(super) struct Positions {
    /// 0: empty. A power of two, at most half full; or none at all.
    slots: Vec<u64>,
    noted: usize,
}

/// What a slot has of a hash. Which slot it is, its lowest bits say.
fn tag(hash: u64) -> u64 {
    hash & !POSITION
}

impl Positions {
    /// The position of an element with the hash that `is_it`. O(1), expected.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(usize) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            let word = self.slots[slot];
            let position = (word & POSITION) as usize - 1;
            if tag(word) == tag(hash) && is_it(position) {
                return Some(position);
            }
            slot = (slot + 1) & mask;
        }
        None
    }

    /// Notes the elements from the first that is not noted yet up to `end`. O(1) each, amortized.
    #[inline]
    pub(super) fn note_to(&mut self, end: usize, hash_of: impl Fn(usize) -> u64) {
        if end * 2 > self.slots.len() {
            self.slots.clear();
            self.slots
                .resize((end * 4).next_power_of_two().max(SLOTS_MIN), 0);
            self.noted = 0;
        }
        for position in self.noted..end {
            self.put(hash_of(position), position);
        }
        self.noted = end;
    }

    fn put(&mut self, hash: u64, position: usize) {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = tag(hash) | (position as u64 + 1);
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        if self.noted == 0 {
            return;
        }
        if self.slots.len() > self.noted * SLOTS_KEPT_MAX {
            *self = Self::default();
            return;
        }
        self.slots.fill(0);
        self.noted = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a list of hashes, as a transaction keeps one.
    fn noted(hashes: &[u64]) -> Positions {
        let mut positions = Positions::default();
        for end in 1..=hashes.len() {
            positions.note_to(end, |at| hashes[at]);
        }
        positions
    }

    #[test]
    fn each_element_is_found_at_its_position() {
        let hashes: Vec<u64> = (0..1000u64)
            .map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15))
            .collect();
        let positions = noted(&hashes);
        for (at, &hash) in hashes.iter().enumerate() {
            assert_eq!(
                positions.find(hash, |found| hashes[found] == hash),
                Some(at)
            );
        }
        assert_eq!(positions.find(12345, |found| hashes[found] == 12345), None);
    }

    #[test]
    fn equal_hashes_are_told_apart_by_their_elements() {
        let hashes = [7; 40];
        let positions = noted(&hashes);
        for wanted in [0, 17, 39] {
            assert_eq!(positions.find(7, |at| at == wanted), Some(wanted));
        }
        assert_eq!(positions.find(7, |_| false), None);
        // Of the same slot, and another tag.
        assert_eq!(positions.find(7 | 1 << 63, |_| true), None);
    }

    #[test]
    fn what_is_cleared_is_not_found_and_a_table_far_too_large_is_not_kept() {
        let mut positions = noted(&[1; 500]);
        positions.clear();
        assert_eq!(positions.find(1, |_| true), None);
        let slots = positions.slots.len();
        positions.note_to(17, |_| 1);
        assert_eq!(positions.find(1, |at| at == 16), Some(16));
        assert_eq!(positions.slots.len(), slots);
        positions.clear();
        assert_eq!(positions.slots.len(), 0);
        assert_eq!(positions.find(1, |_| true), None);
        positions.clear();
    }
}
