//! What a transaction notes of one table, in the order in which it came: the keys and the ranges
//! that it has read, and its writes. Each is found by its hash.

#![forbid(unsafe_code)]

use std::ops::{Deref, DerefMut};

use smallvec::SmallVec;

use super::positions::Positions;
use crate::kernel::release::contain;

/// Elements up to which a look through their hashes beats a table of their positions.
const SCANNED_MAX: usize = 16;

/// A list whose elements are found by their hashes. `INLINE` of them take no memory of its own.
#[derive(Debug)]
pub(crate) struct Noted<E, const INLINE: usize> {
    all: SmallVec<[E; INLINE]>,
    /// Where they are, once they are many.
    positions: Positions,
}

/// What is found by a hash, which stays what it was when it was noted.
pub(crate) trait Hashed {
    fn hash(&self) -> u64;
}

impl<E> Hashed for (u64, E) {
    fn hash(&self) -> u64 {
        self.0
    }
}

/// Empties a list, and goes on behind one whose Drop panics.
#[inline]
pub(super) fn empty<E>(list: &mut Vec<E>) {
    while let Some(last) = list.pop() {
        contain(|| drop(last));
    }
}

impl<E, const INLINE: usize> Noted<E, INLINE> {
    pub(super) fn new() -> Self {
        Self {
            all: SmallVec::new(),
            positions: Positions::default(),
        }
    }

    /// Forgets all, and goes on behind one whose Drop panics.
    #[inline]
    pub(super) fn clear(&mut self) {
        while !self.all.is_empty() {
            contain(|| self.all.clear());
        }
        self.positions.clear();
    }
}

impl<E: Hashed, const INLINE: usize> Noted<E, INLINE> {
    /// Where the element with the hash is that `is_it`. O(1), expected.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(&E) -> bool) -> Option<usize> {
        let is_it = |&at: &usize| self.all[at].hash() == hash && is_it(&self.all[at]);
        match self.all.len() {
            few @ ..=SCANNED_MAX => (0..few).find(is_it),
            _ => self.positions.find(hash, |at| is_it(&at)),
        }
    }

    /// Appends an element, and says where it is. O(1), amortized.
    #[inline(always)]
    pub(super) fn push(&mut self, element: E) -> usize {
        let at = self.all.len();
        self.all.push(element);
        if at >= SCANNED_MAX {
            self.positions.note_to(at + 1, |at| self.all[at].hash());
        }
        at
    }
}

impl<E, const INLINE: usize> Deref for Noted<E, INLINE> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.all
    }
}

impl<E, const INLINE: usize> DerefMut for Noted<E, INLINE> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.all
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn hash_of(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Who asks for one is shown what has its hash alone, however many there are.
    #[test]
    fn each_is_found_without_a_look_at_the_others() {
        let mut noted = Noted::<(u64, u64), 2>::new();
        let looked_at = Cell::new(0);
        let find = |noted: &Noted<_, 2>, wanted: u64| {
            noted.find(hash_of(wanted), |&(_, number)| {
                looked_at.set(looked_at.get() + 1);
                number == wanted
            })
        };
        for _ in 0..3 {
            for number in 0..2_000 {
                let at = find(&noted, number);
                let at = at.unwrap_or_else(|| noted.push((hash_of(number), number)));
                assert_eq!(at as u64, number);
            }
        }
        assert!(noted.iter().map(|it| it.1).eq(0..2_000));
        assert_eq!(looked_at.get(), 2 * 2_000);
        noted.clear();
        assert!(noted.is_empty() && find(&noted, 7).is_none());
    }

    #[test]
    fn those_of_one_hash_are_told_apart() {
        let mut noted = Noted::<(u64, u64), 0>::new();
        for number in 0..40 {
            noted.push((5, number));
            let find = |wanted: u64| noted.find(5, |it| it.1 == wanted);
            assert_eq!(find(number), Some(number as usize));
            assert_eq!(find(0), Some(0));
            assert_eq!(find(number + 1), None);
        }
    }

    #[test]
    fn all_are_forgotten_behind_one_whose_drop_panics() {
        struct Panics<'a>(&'a Cell<u32>);

        impl Drop for Panics<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() + 1);
                panic!("asked for");
            }
        }

        let dropped = Cell::new(0);
        let mut noted = Noted::<(u64, Panics<'_>), 4>::new();
        for hash in 0..20 {
            noted.push((hash, Panics(&dropped)));
        }
        noted.clear();
        assert_eq!(dropped.get(), 20);
        assert!(noted.is_empty());
    }
}
