//! Segments of the commit log: many slots in a row. [`super::log`] says what states a slot has, and
//! who changes it.
//!
//! Segments that were trimmed are kept to be placed again: they are large, and freed by another
//! thread than placed them.

use super::commit::Commit;
use super::reclaim::{allocate, free};
use super::spare::Spares;
use crate::sync::{AtomicPtr, AtomicU64, Ordering};

/// Slots in a segment.
pub(super) const SLOTS: usize = if cfg!(any(loom, shuttle)) { 2 } else { 1024 };
/// A trimmed slot's content: an address that no commit has.
pub(super) const TRIMMED: *mut Commit = std::ptr::without_provenance_mut(1);
/// Whether trimmed segments are kept: not where uses of freed memory are looked for.
const KEEPS_SPARE: bool = !cfg!(any(loom, shuttle, miri, skep_sanitize));

#[derive(Debug)]
pub(super) struct Segment {
    /// The number of its first slot.
    pub(super) base: u64,
    slots: [SlotWords; SLOTS],
}

/// A slot: what the log's states are of, and a note beside it.
#[derive(Debug)]
pub(super) struct SlotWords {
    pub(super) commit: AtomicPtr<Commit>,
    /// The commit's signature, once its appender has noted it here; 0 before. So who validates need
    /// not look at a stranger's commit, whose line is its writer's.
    pub(super) signature: AtomicU64,
}

/// The number of the first slot of the segment that a position is in.
#[inline]
pub(super) fn base_of(number: u64) -> u64 {
    number - number % SLOTS as u64
}

impl Segment {
    fn new(base: u64) -> Self {
        Self {
            base,
            slots: std::array::from_fn(|_| SlotWords {
                commit: AtomicPtr::new(std::ptr::null_mut()),
                signature: AtomicU64::new(0),
            }),
        }
    }

    /// The slot of a position that is in this segment.
    #[inline]
    pub(super) fn slot(&self, number: u64) -> &SlotWords {
        &self.slots[(number % SLOTS as u64) as usize]
    }

    /// The commits still in a segment that is leaving for good.
    pub(super) fn leftovers(&self) -> impl Iterator<Item = *mut Commit> {
        self.slots.iter().filter_map(|slot| {
            // Relaxed: all who had the segment have unpinned, which happened before (R3), G6.
            let commit = slot.commit.load(Ordering::Relaxed);
            (!commit.is_null() && commit != TRIMMED).then_some(commit)
        })
    }
}

/// Makes segments, of those that are kept.
#[derive(Debug)]
pub(super) struct Segments(Spares<Segment>);

impl Segments {
    pub(super) fn new() -> Self {
        Self(Spares::new())
    }

    /// A segment of empty slots, which is the caller's.
    pub(super) fn make(&self, base: u64) -> *mut Segment {
        let kept = if KEEPS_SPARE { self.0.take() } else { None };
        let Some(segment) = kept else {
            return allocate(Segment::new(base));
        };
        // SAFETY: B14: ours alone. There is nothing in it that is to be dropped.
        unsafe { segment.write(Segment::new(base)) };
        segment
    }

    /// Keeps a segment, or frees it.
    ///
    /// # Safety
    /// It is from [`Segments::make`] of some log, and the caller's alone, who does not use it
    /// again.
    pub(super) unsafe fn give_back(&self, segment: *mut Segment) {
        // SAFETY: the caller's promise.
        if !KEEPS_SPARE || !unsafe { self.0.keep(segment) } {
            // SAFETY: as above.
            unsafe { free(segment) };
        }
    }

    /// Frees those that are kept.
    pub(super) fn empty(&self) {
        self.0.empty();
    }
}

#[cfg(all(test, not(any(loom, shuttle, miri, skep_sanitize))))]
mod tests {
    use super::*;

    /// B14.
    #[test]
    fn a_segment_that_is_used_again_is_as_new() {
        let segments = Segments::new();
        let first = segments.make(0);
        // SAFETY: ours alone, here and below.
        let slot = unsafe { &*first }.slot(7);
        // Relaxed: nobody else is there.
        slot.commit.store(TRIMMED, Ordering::Relaxed);
        // Relaxed: as above.
        slot.signature.store(9, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { segments.give_back(first) };
        let again = segments.make(SLOTS as u64);
        assert_eq!(again, first);
        // SAFETY: as above.
        let segment = unsafe { &*again };
        assert_eq!(segment.base, SLOTS as u64);
        for number in segment.base..2 * segment.base {
            let slot = segment.slot(number);
            // Relaxed: as above.
            assert!(slot.commit.load(Ordering::Relaxed).is_null());
            // Relaxed: as above.
            assert_eq!(slot.signature.load(Ordering::Relaxed), 0);
        }
        // SAFETY: as above.
        unsafe { segments.give_back(again) };
    }
}
