//! Slots: shared words that are taken and left in O(1), and of which those taken are walked without
//! the rest.
//!
//! # States
//! ```text
//! a bit of chunk.taken:  0 --take (CAS)--> 1 --leave--> 0
//! chunks:                the newest first; the list only grows
//! ```
//!
//! # Invariants
//! - N1: a chunk lives until its slots are dropped.
//! - N2: a slot has one holder: who set its bit, until it clears it.
//! - N3: a word whose bit is clear is 0.
//!
//! # Why no list of what is free
//! Such a list has to be guarded against a head that went away and came back. A bit has not: a CAS
//! that succeeds on a mask that did so takes a bit that is free.
//!
//! # Cost of taking
//! The chunk where a slot was taken or left last is asked first. If it is full, chunks are searched
//! on from where the last search ended, but only when an eighth of all slots is free: so a search
//! passes at most seven full chunks for each that it finds, over a round; else a chunk is added,
//! which serves all of its slots. So taking is O(1) over a run of it, and there are never more than
//! 8/7 of the slots ever held at once, and a chunk.
//!
//! # Orderings
//! - [chunk]: a pointer to a chunk is stored with Release, loaded with Acquire: who finds the chunk
//!   sees it initialized.
//! - [slot]: the bit is cleared with Release and taken with Acquire: the next holder sees the word
//!   as it was left.

use super::barrier::prefetch;
use super::reclaim::{allocate, at, free};
use crate::sync::{AtomicPtr, AtomicU64, Ordering, Padded};

/// Slots of a chunk.
const SLOTS: usize = if cfg!(any(loom, shuttle)) { 2 } else { 32 };
/// The mask of a chunk that is full.
const FULL: u64 = (1 << SLOTS) - 1;
/// One of so many slots must be free for a search to be worth its while.
const FREE_SHARE: u64 = 8;

#[derive(Debug)]
struct Chunk {
    /// A bit a slot.
    taken: AtomicU64,
    words: [Padded<AtomicU64>; SLOTS],
    next: AtomicPtr<Chunk>,
}

/// The slots of a store.
#[derive(Debug)]
pub(crate) struct Slots {
    head: AtomicPtr<Chunk>,
    /// The chunk where a slot was taken or left last.
    recent: AtomicPtr<Chunk>,
    /// Where the next search begins; null: at the head.
    search: AtomicPtr<Chunk>,
    chunks: AtomicU64,
    taken: AtomicU64,
    /// Chunks looked at by [`Slots::take`].
    #[cfg(all(test, not(loom)))]
    looked_at: AtomicU64,
}

/// A slot that is taken; to be left by [`Slots::leave`], while the slots live.
#[derive(Debug)]
pub(crate) struct Slot {
    chunk: *const Chunk,
    position: usize,
}

// SAFETY: N1: whoever has the slot keeps the slots' owner; what it leads to is atomic.
unsafe impl Send for Slot {}
// SAFETY: as above.
unsafe impl Sync for Slot {}

impl Chunk {
    fn new(next: *mut Self) -> Self {
        Self {
            taken: AtomicU64::new(0),
            words: std::array::from_fn(|_| Padded(AtomicU64::new(0))),
            next: AtomicPtr::new(next),
        }
    }

    /// Takes a slot that is free. A retry follows another's taking or leaving.
    fn take(&self) -> Option<Slot> {
        // Relaxed: the CAS decides.
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken != FULL {
            let position = taken.trailing_ones();
            let with_ours = taken | 1 << position;
            // Acquire: [slot].
            match self.taken.compare_exchange(
                taken,
                with_ours,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    return Some(Slot {
                        chunk: self,
                        position: position as usize,
                    });
                }
                Err(found) => taken = found,
            }
        }
        None
    }
}

impl Slot {
    /// The slot's word: 0 when it is taken, and to be 0 again when it is left.
    pub(crate) fn word(&self) -> &AtomicU64 {
        // SAFETY: N1.
        &unsafe { at(self.chunk) }.words[self.position]
    }
}

impl Slots {
    pub(crate) fn new() -> Self {
        let none = || AtomicPtr::new(std::ptr::null_mut());
        Self {
            head: none(),
            recent: none(),
            search: none(),
            chunks: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            #[cfg(all(test, not(loom)))]
            looked_at: AtomicU64::new(0),
        }
    }

    /// A slot, the caller's until it leaves it. Lock-free; O(1) over a run of them.
    pub(crate) fn take(&self) -> Slot {
        let slot = self.take_recent().or_else(|| self.take_searched());
        let slot = slot.unwrap_or_else(|| self.take_added());
        // Relaxed: a count.
        self.taken.fetch_add(1, Ordering::Relaxed);
        slot
    }

    /// Gives a slot back, whose word is 0 again.
    pub(crate) fn leave(&self, slot: &Slot) {
        // SAFETY: N1.
        let chunk = unsafe { at(slot.chunk) };
        // Release: [slot].
        chunk
            .taken
            .fetch_and(!(1 << slot.position), Ordering::Release);
        // Release: [chunk].
        self.recent.store(slot.chunk.cast_mut(), Ordering::Release);
        // Relaxed: a count.
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many slots are taken, about.
    pub(crate) fn taken(&self) -> u64 {
        // Relaxed: a figure.
        self.taken.load(Ordering::Relaxed)
    }

    fn chunk(&self, pointer: *mut Chunk) -> Option<&Chunk> {
        #[cfg(all(test, not(loom)))]
        // Relaxed: a count.
        self.looked_at.fetch_add(1, Ordering::Relaxed);
        // SAFETY: N1: every pointer that the slots keep is to a listed chunk, or null.
        (!pointer.is_null()).then(|| unsafe { at(pointer.cast_const()) })
    }

    fn take_recent(&self) -> Option<Slot> {
        // Acquire: [chunk].
        let recent = self.recent.load(Ordering::Acquire);
        self.chunk(recent)?.take()
    }

    /// Looks through all chunks once, from where the last search ended.
    fn take_searched(&self) -> Option<Slot> {
        // Relaxed: a count.
        let chunks = self.chunks.load(Ordering::Relaxed);
        let slots = chunks * SLOTS as u64;
        if slots.saturating_sub(self.taken()) * FREE_SHARE < slots {
            return None;
        }
        // Acquire: [chunk].
        let mut next = self.search.load(Ordering::Acquire);
        for _ in 0..chunks {
            if next.is_null() {
                // Acquire: [chunk].
                next = self.head.load(Ordering::Acquire);
            }
            let chunk = self.chunk(next)?;
            // Relaxed: written before the chunk was published, never after.
            let behind = chunk.next.load(Ordering::Relaxed);
            if let Some(slot) = chunk.take() {
                // Release: [chunk].
                self.recent.store(next, Ordering::Release);
                // Release: [chunk].
                self.search.store(behind, Ordering::Release);
                return Some(slot);
            }
            next = behind;
        }
        None
    }

    /// A slot of a chunk that is added.
    fn take_added(&self) -> Slot {
        // Relaxed: the CAS decides.
        let mut head = self.head.load(Ordering::Relaxed);
        let chunk = allocate(Chunk::new(head));
        // SAFETY: ours until it is published, and then N1.
        let added = unsafe { at(chunk.cast_const()) };
        let slot = added.take().expect("N2: a new chunk has free slots");
        // Release: [chunk]. As a read-modify-write it hands on what those before it released: the
        // chunks that the new one leads to. A failure is another thread's success.
        while let Err(found) =
            self.head
                .compare_exchange(head, chunk, Ordering::Release, Ordering::Relaxed)
        {
            head = found;
            // Relaxed: published by the CAS.
            added.next.store(head, Ordering::Relaxed);
        }
        // Relaxed: a count.
        self.chunks.fetch_add(1, Ordering::Relaxed);
        // Release: [chunk].
        self.recent.store(chunk, Ordering::Release);
        slot
    }

    /// Shows the words of all slots that are taken; how many lines it looked at. A chunk that is
    /// empty is one.
    pub(crate) fn each_word(&self, mut each: impl FnMut(u64)) -> u64 {
        let mut looked_at = 0;
        // Acquire: [chunk].
        let mut next = self.head.load(Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: N1.
            let chunk = unsafe { at(next.cast_const()) };
            // Relaxed: written before the chunk was published, never after.
            next = chunk.next.load(Ordering::Relaxed);
            prefetch(next.cast_const());
            // Relaxed: ordered by the caller's fences.
            let mut taken = chunk.taken.load(Ordering::Relaxed);
            looked_at += 1 + u64::from(taken.count_ones());
            while taken != 0 {
                let position = taken.trailing_zeros() as usize;
                taken &= taken - 1;
                // Relaxed: ordered by the caller's fences.
                each(chunk.words[position].load(Ordering::Relaxed));
            }
        }
        looked_at
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        // Relaxed: nobody else is left.
        let mut next = self.head.load(Ordering::Relaxed);
        while !next.is_null() {
            // SAFETY: N1: nobody is left.
            let chunk = unsafe { at(next.cast_const()) };
            // Relaxed: as above.
            let behind = chunk.next.load(Ordering::Relaxed);
            // SAFETY: N1: of `take_added`, and listed once.
            unsafe { free(next) };
            next = behind;
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn looked_at(slots: &Slots) -> u64 {
        // Relaxed: a count.
        slots.looked_at.swap(0, Ordering::Relaxed)
    }

    #[test]
    fn taking_many_slots_looks_at_few_chunks() {
        for count in [1000, 8000] {
            let slots = Slots::new();
            let mut held: Vec<Slot> = (0..count).map(|_| slots.take()).collect();
            let first = looked_at(&slots);
            assert!(first <= 2 * count, "{first} for {count}");
            // Again from among many that were left, in another order.
            held.reverse();
            for slot in held.drain(..) {
                slots.leave(&slot);
            }
            held.extend((0..count).map(|_| slots.take()));
            let again = looked_at(&slots);
            assert!(again <= 2 * count, "{again} for {count}");
            // And with a few left among many taken.
            for round in 0..count {
                for at in [round, round * 7 % count] {
                    let left = held.swap_remove(at as usize % held.len());
                    slots.leave(&left);
                }
                held.extend((0..2).map(|_| slots.take()));
            }
            let mixed = looked_at(&slots);
            assert!(mixed <= 8 * count, "{mixed} for {count}");
            let chunks = slots.chunks.load(Ordering::Relaxed);
            let most = count * FREE_SHARE / (FREE_SHARE - 1) / SLOTS as u64 + 2;
            assert!(chunks <= most, "{chunks} chunks for {count}");
        }
    }

    /// N2, N3.
    #[test]
    fn a_walk_shows_what_is_taken_and_passes_the_rest_by() {
        let slots = Slots::new();
        let held: Vec<Slot> = (0..1000).map(|_| slots.take()).collect();
        for (slot, number) in held.iter().zip(1..) {
            slot.word().store(number, Ordering::Relaxed);
        }
        let mut seen = Vec::new();
        let all = slots.each_word(|word| seen.push(word));
        seen.sort_unstable();
        assert!(seen.into_iter().eq(1..=1000));
        assert_eq!(all, 1000 + 1000_u64.div_ceil(SLOTS as u64));
        for slot in &held[3..] {
            slot.word().store(0, Ordering::Relaxed);
            slots.leave(slot);
        }
        let left = slots.each_word(|word| assert!((1..=3).contains(&word)));
        assert_eq!(left, all - 997);
        assert_eq!(slots.taken(), 3);
    }
}
