//! Places for slabs, and the memory that they stand in.
//!
//! The memory of some places in a row, a *group*, comes together ([`super::mapping`]), when the
//! first of them is taken. When the last is left it stays, for whoever takes one next, until
//! somebody has the group *trimmed*: [`super::depot`] says when. So slabs that are many lie in
//! memory for which the processor needs few translations of addresses, if the system has huge pages
//! and gives them to who asks (on Linux by `madvise`): with pages of 4 KiB each object that is
//! looked up is one more that is not known.
//!
//! Lock-free: a group that somebody is just making or trimming is passed over as if all of it were
//! taken. Who stops there for ever leaves one group unused.
//!
//! # Invariants
//! - B7: who has set a place's bit in `taken` has the place, until it clears it.
//! - B11: a group's memory is there while one of its places is somebody's. Who takes the first
//!   place, or trims the group of which none is taken, has all bits of the group until the memory
//!   is there, or gone.
//!
//! # Orderings
//! - [place]: who leaves a place (Release) is done with it before who takes it next (Acquire); and
//!   who makes or trims a group (Release) has written where it is, or that it is nowhere, before
//!   others take its places (Acquire).
//! - [last]: who leaves a place (Release) is done with it before who trims the group (Acquire)
//!   frees the memory.

use super::mapping::{self, Aligned};
use super::memory::{allocate_block, free_block};
use super::slab::SLAB_BYTES;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// Places at most: a bit each.
pub(crate) const PLACES: usize = if cfg!(loom) { 2 } else { u64::BITS as usize };

/// How many places a group has.
#[derive(Clone, Copy, Debug)]
enum Group {
    One,
    All,
}

/// Some places for slabs.
#[derive(Debug)]
pub(crate) struct Places {
    /// A bit a place: it is somebody's. Those beyond the last place are set.
    taken: AtomicU64,
    group: Group,
    /// Where the memory of each group is, at the number of its first place.
    memory: [AtomicPtr<()>; PLACES],
}

impl Group {
    /// How many places it has.
    const fn places(self) -> usize {
        match self {
            Self::One => 1,
            Self::All => PLACES,
        }
    }

    /// The first place of the group that a place is of.
    fn first(self, place: usize) -> usize {
        place - place % self.places()
    }

    /// The bits of the group that a place is of.
    fn bits(self, place: usize) -> u64 {
        let bits = u64::MAX >> (u64::BITS as usize - self.places());
        bits << self.first(place)
    }

    fn allocate(self) -> *mut () {
        const { assert!(PLACES * SLAB_BYTES == mapping::BYTES) };
        match self {
            Self::One => allocate_block(Aligned::<SLAB_BYTES>::LAYOUT, |_| ()),
            Self::All => mapping::map(),
        }
    }

    /// # Safety
    /// The memory is from [`Group::allocate`], and nobody uses it again.
    unsafe fn free(self, memory: *mut ()) {
        match self {
            // SAFETY: the caller's promise.
            Self::One => unsafe { free_block::<Aligned<SLAB_BYTES>>(memory) },
            // SAFETY: as above.
            Self::All => unsafe { mapping::unmap(memory) },
        }
    }
}

impl Places {
    /// So many places, each with memory of its own.
    pub(crate) fn alone(places: usize) -> Self {
        let beyond = u64::MAX.checked_shl(places as u32).unwrap_or(0);
        Self::new(Group::One, beyond)
    }

    /// All places, with memory that is one.
    pub(crate) fn together() -> Self {
        Self::new(Group::All, u64::MAX.checked_shl(PLACES as u32).unwrap_or(0))
    }

    fn new(group: Group, beyond: u64) -> Self {
        Self {
            taken: AtomicU64::new(beyond),
            group,
            memory: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
        }
    }

    /// Takes a place, if one can be had.
    pub(crate) fn take(&self) -> Option<usize> {
        // Relaxed: a first guess.
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken != u64::MAX {
            let place = taken.trailing_ones() as usize;
            let (bit, group) = (1 << place, self.group.bits(place));
            let is_first = taken & group == 0;
            let claims = if is_first { group } else { bit };
            // Acquire: [place].
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            let claimed = self
                .taken
                .compare_exchange(taken, taken | claims, success, failure);
            match claimed {
                Err(found) => taken = found,
                Ok(_) => {
                    if is_first {
                        self.make(place, group & !bit);
                    }
                    return Some(place);
                }
            }
        }
        None
    }

    /// Makes the memory of a group that the caller has, unless there is some, for one place of it,
    /// and leaves the others.
    fn make(&self, place: usize, others: u64) {
        let first = self.group.first(place);
        if self.start(first).is_null() {
            let memory = self.group.allocate();
            // Slabs are found by their blocks' addresses.
            let _ = memory.expose_provenance();
            // Relaxed: published by [place].
            self.memory[first].store(memory, Ordering::Relaxed);
        }
        if others != 0 {
            // Release: [place].
            self.taken.fetch_and(!others, Ordering::Release);
        }
    }

    /// Where a place is. For who has it, or has it from who does.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> *mut () {
        let first = self.group.first(place);
        self.start(first)
            .wrapping_byte_add((place - first) * SLAB_BYTES)
    }

    /// Where the group begins whose first place this is; null: it has no memory.
    fn start(&self, first: usize) -> *mut () {
        // Relaxed: B11: written before one of its places was taken ([place]).
        self.memory[first].load(Ordering::Relaxed)
    }

    /// Whether the memory of several is one.
    pub(super) fn are_together(&self) -> bool {
        matches!(self.group, Group::All)
    }

    /// Leaves a place. True: its group, which has its memory, is nobody's then.
    ///
    /// # Safety
    /// B7: it is the caller's, and nobody uses its memory.
    #[must_use]
    pub(crate) unsafe fn leave(&self, place: usize) -> bool {
        let (bit, group) = (1 << place, self.group.bits(place));
        // Release: [place], [last].
        let taken = self.taken.fetch_and(!bit, Ordering::Release);
        taken & group == bit
    }

    /// Frees the memory of a place's group, if there is some and nobody has a place of it.
    pub(crate) fn trim(&self, place: usize) {
        let (first, group) = (self.group.first(place), self.group.bits(place));
        // Relaxed: a first guess.
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            if taken & group != 0 {
                return;
            }
            // Acquire: [place], [last].
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            let claimed = self
                .taken
                .compare_exchange(taken, taken | group, success, failure);
            match claimed {
                Err(found) => taken = found,
                Ok(_) => break,
            }
        }
        let memory = self.start(first);
        if !memory.is_null() {
            // Relaxed: published by [place].
            self.memory[first].store(std::ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: B11: all of the group is ours, and it begins there.
            unsafe { self.group.free(memory) };
        }
        // Release: [place].
        self.taken.fetch_and(!group, Ordering::Release);
    }

    /// Trims all groups.
    pub(super) fn trim_all(&self) {
        for place in (0..PLACES).step_by(self.group.places()) {
            self.trim(place);
        }
    }

    /// How many groups have memory.
    #[cfg(all(test, not(loom)))]
    pub(super) fn groups(&self) -> usize {
        let starts = (0..PLACES).map(|place| self.start(place));
        starts.filter(|start| !start.is_null()).count()
    }

    /// How many are taken.
    #[cfg(all(test, not(loom)))]
    pub(super) fn taken(&self) -> u32 {
        // Relaxed: a count.
        self.taken.load(Ordering::Relaxed).count_ones()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn take_all(places: &Places) -> Vec<usize> {
        std::iter::from_fn(|| places.take()).collect()
    }

    /// B7, B11.
    #[test]
    fn all_places_can_be_taken_and_each_has_memory_of_its_own() {
        for (count, places) in [(5, Places::alone(5)), (PLACES, Places::together())] {
            let taken = take_all(&places);
            assert_eq!(taken, (0..count).collect::<Vec<_>>());
            let starts: BTreeSet<_> = taken.iter().map(|&place| places.at(place).addr()).collect();
            assert_eq!(starts.len(), count);
            assert!(starts.iter().all(|start| start.is_multiple_of(SLAB_BYTES)));
            for &place in &taken {
                // SAFETY: the test's, and as large as a slab.
                unsafe {
                    places
                        .at(place)
                        .cast::<[u8; SLAB_BYTES]>()
                        .write_bytes(7, 1)
                };
            }
            for place in taken {
                // SAFETY: just taken, and used no more.
                let _ = unsafe { places.leave(place) };
            }
            assert_eq!(take_all(&places).len(), count, "they are free again");
            for place in 0..count {
                // SAFETY: as above.
                let is_last = unsafe { places.leave(place) };
                assert_eq!(is_last, !places.are_together() || place == count - 1);
            }
            places.trim_all();
            assert_eq!(places.groups(), 0);
        }
    }

    /// B11: the memory stays, and what is in it, while one place of the group is taken.
    #[test]
    fn a_place_stays_while_others_of_its_group_come_and_go() {
        let places = Places::together();
        let taken: Vec<_> = (0..12)
            .map(|_| places.take().expect("64 there are"))
            .collect();
        let kept = places.at(3).cast::<[u8; SLAB_BYTES]>();
        // SAFETY: the test's, and as large as a slab.
        unsafe { kept.write_bytes(7, 1) };
        for place in taken.into_iter().filter(|&place| place != 3) {
            // SAFETY: just taken, and not used.
            assert!(!unsafe { places.leave(place) });
        }
        assert_eq!(places.taken(), 1);
        assert_eq!(places.take(), Some(0));
        assert_eq!(places.at(3), kept.cast());
        // SAFETY: written above.
        assert!(unsafe { kept.read() }.iter().all(|&byte| byte == 7));
        for (place, is_last) in [(0, false), (3, true)] {
            places.trim(5);
            assert_eq!(places.groups(), 1, "somebody has a place of it");
            // SAFETY: as above.
            assert_eq!(unsafe { places.leave(place) }, is_last);
        }
        assert_eq!(places.taken(), 0);
        assert_eq!(places.take(), Some(0));
        assert_eq!(places.at(3), kept.cast(), "the memory is kept");
        // SAFETY: as above.
        assert!(unsafe { places.leave(0) });
        assert_eq!(places.groups(), 1);
        places.trim(5);
        assert_eq!(places.groups(), 0);
        places.trim(5);
    }
}
