//! Where the slabs of one size stand that have free blocks, for whoever needs some. The name is
//! Bonwick and Adams's ("Magazines and vmem", USENIX 2001), whose magazines are a thread's blocks
//! here ([`super::pool`]).
//!
//! Lock-free: to take a slab off the list, or to put it there, is one bit. A search for one looks
//! at a bit a slab, 64 at a time; it is made once for all free blocks of a slab, and only if some
//! are listed. A place for a new slab is looked for where one was taken or left last, then
//! everywhere.
//!
//! A slab whose last block comes back while another thread is just putting it on the list stays
//! there, with 32 KiB at most, until somebody asks for blocks of that size.
//!
//! # Invariants
//! - B7: who has set a place's bit in `taken` has the place, until it clears it; the bit in
//!   `listed` is set by who has the slab there, which stays alive and nobody else's until somebody
//!   clears that bit.
//! - B8: chunks are added, never taken away.
//!
//! # Orderings
//! - [listed]: who puts a slab on the list (Release) has written where it is; who takes it off
//!   (Acquire) reads that.
//! - [place]: who leaves a place (Release) has listed its slab there before who takes it next
//!   (Acquire) lists another: of the two stores the later one stays.
//! - [chunk]: the CAS that adds one (Release) and the loads that find it (Acquire): whole.

use super::memory::{allocate, allocate_block, at, free, free_block};
use super::slab::{self, Given, Slab};
use crate::sync::{AtomicPtr, AtomicU64, Guess, Ordering};

/// Words of places in a chunk.
const WORDS: usize = if cfg!(loom) { 1 } else { 8 };
/// Places a word.
const WORD: usize = if cfg!(loom) { 2 } else { u64::BITS as usize };
const PLACES: usize = WORDS * WORD;

/// Places for slabs.
#[derive(Debug)]
struct Chunk {
    /// A bit a place: there is a slab of which blocks are free, for whoever clears the bit.
    listed: [AtomicU64; WORDS],
    /// A bit a place: it is some slab's.
    taken: [AtomicU64; WORDS],
    /// The slabs that are listed.
    slabs: [AtomicPtr<Slab>; PLACES],
    next: AtomicPtr<Chunk>,
}

/// A slab's place in its depot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: *const Chunk,
    index: usize,
}

impl Place {
    /// Its number in its chunk.
    pub(super) fn index(self) -> usize {
        self.index
    }
}

/// Free blocks of a slab, which are the caller's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) slab: *const Slab,
    /// Their bits.
    pub(crate) blocks: u64,
}

impl Taken {
    pub(crate) const NOTHING: Self = Self {
        slab: std::ptr::null(),
        blocks: 0,
    };

    /// A block that somebody has used.
    ///
    /// # Safety
    /// It is from [`Taken::next`], with that line, and the caller's.
    pub(super) unsafe fn of((block, line): (*mut u8, u16)) -> Self {
        // SAFETY: the caller's promise.
        let (slab, blocks) = unsafe { Slab::of(block, line) };
        Self { slab, blocks }
    }

    /// Takes one of them, of which there are some; with the line of its slab at which it begins.
    #[inline]
    pub(super) fn next(&mut self) -> (*mut u8, u16) {
        let number = self.blocks.trailing_zeros() as usize;
        self.blocks &= self.blocks - 1;
        // SAFETY: B6: the caller has it.
        unsafe { Slab::block(self.slab, number) }
    }
}

/// The slabs of one size.
#[derive(Debug)]
pub(crate) struct Depot {
    first: AtomicPtr<Chunk>,
    /// The chunk where a place was taken or left last.
    recent: AtomicPtr<Chunk>,
    /// How many are listed: a guess, and never too low for good.
    listed: Guess,
}

impl Chunk {
    fn new() -> Self {
        Self {
            listed: std::array::from_fn(|_| AtomicU64::new(0)),
            taken: std::array::from_fn(|_| AtomicU64::new(0)),
            slabs: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Takes a place.
    fn take_place(&self) -> Option<Place> {
        for (number, word) in self.taken.iter().enumerate() {
            // Relaxed: a first guess.
            let mut taken = word.load(Ordering::Relaxed);
            while taken.trailing_ones() < WORD as u32 {
                let bit = 1 << taken.trailing_ones();
                // Acquire: [place].
                taken = word.fetch_or(bit, Ordering::Acquire);
                if taken & bit == 0 {
                    return Some(Place {
                        chunk: self,
                        index: number * WORD + bit.trailing_zeros() as usize,
                    });
                }
            }
        }
        None
    }
}

impl Depot {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
            recent: AtomicPtr::new(std::ptr::null_mut()),
            listed: Guess::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
            recent: AtomicPtr::new(std::ptr::null_mut()),
            listed: Guess::new(0),
        }
    }

    /// Free blocks of so many lines: of a slab that has some, else of a new one. All blocks of a
    /// depot are of as many lines.
    pub(crate) fn take(&self, lines: usize) -> Taken {
        self.find().unwrap_or_else(|| self.make(lines))
    }

    /// Gives blocks back; the slab goes with the last of them.
    ///
    /// # Safety
    /// They are of [`Depot::take`] of this depot, and the caller's; there may be none.
    pub(crate) unsafe fn give(&self, mut taken: Taken) {
        while taken.blocks != 0 {
            // SAFETY: B6: the caller has blocks of it.
            let place = unsafe { at(taken.slab) }.place();
            // SAFETY: as above.
            match unsafe { Slab::give(taken.slab, taken.blocks) } {
                Given::Known => return,
                Given::Unlisted => return self.list(place, taken.slab),
                // SAFETY: B6: it is ours.
                Given::All => return unsafe { self.free(place, taken.slab) },
                Given::AllListed => match self.unlist(place) {
                    None => return,
                    // As good as the one that was there; mostly it is that one.
                    Some(other) => taken = other,
                },
            }
        }
    }

    /// Puts a slab on the list that is the caller's to list (B6).
    fn list(&self, place: Place, slab: *const Slab) {
        // SAFETY: B8.
        let chunk = unsafe { at(place.chunk) };
        // Relaxed: published by [listed].
        chunk.slabs[place.index].store(slab.cast_mut(), Ordering::Relaxed);
        // Relaxed: a guess, and made first, so that it is not too low.
        self.listed.fetch_add(1, Ordering::Relaxed);
        // Release: [listed].
        chunk.listed[place.index / WORD].fetch_or(1 << (place.index % WORD), Ordering::Release);
    }

    /// Takes the slab at a place off the list, and its free blocks; none: there is none now.
    fn unlist(&self, place: Place) -> Option<Taken> {
        // SAFETY: B8.
        let chunk = unsafe { at(place.chunk) };
        let bit = 1 << (place.index % WORD);
        // Acquire: [listed].
        let listed = chunk.listed[place.index / WORD].fetch_and(!bit, Ordering::Acquire);
        if listed & bit == 0 {
            return None;
        }
        // Relaxed: a guess.
        self.listed.fetch_sub(1, Ordering::Relaxed);
        // Relaxed: published by [listed].
        let slab = chunk.slabs[place.index]
            .load(Ordering::Relaxed)
            .cast_const();
        // SAFETY: B7: it is ours.
        let blocks = unsafe { at(slab) }.take();
        Some(Taken { slab, blocks })
    }

    /// Takes some slab off the list.
    fn find(&self) -> Option<Taken> {
        // Relaxed: a guess, which loom is not to be led by.
        if cfg!(not(loom)) && self.listed.load(Ordering::Relaxed) == 0 {
            return None;
        }
        for chunk in self.chunks() {
            for (number, word) in chunk.listed.iter().enumerate() {
                // Relaxed: taking one off acquires.
                let mut listed = word.load(Ordering::Relaxed);
                while listed != 0 {
                    let index = number * WORD + listed.trailing_zeros() as usize;
                    if let Some(taken) = self.unlist(Place { chunk, index }) {
                        return Some(taken);
                    }
                    listed &= listed - 1;
                }
            }
        }
        None
    }

    /// A new slab, with all of its blocks.
    fn make(&self, lines: usize) -> Taken {
        let place = self.take_place();
        let fill = |block: *mut ()| {
            // SAFETY: memory of a slab, and ours.
            unsafe { block.cast::<Slab>().write(Slab::new(place, lines)) };
        };
        Taken {
            slab: allocate_block(slab::layout_of(lines), fill).cast(),
            blocks: Slab::all(lines),
        }
    }

    fn take_place(&self) -> Place {
        // Acquire: [chunk].
        let recent = self.recent.load(Ordering::Acquire);
        // SAFETY: B8.
        if let Some(place) = unsafe { recent.as_ref() }.and_then(Chunk::take_place) {
            return place;
        }
        loop {
            if let Some(place) = self.chunks().find_map(Chunk::take_place) {
                // Release: [chunk].
                self.recent.store(place.chunk.cast_mut(), Ordering::Release);
                return place;
            }
            self.add_chunk();
        }
    }

    /// # Safety
    /// The slab is the caller's, with all its blocks, and of that place.
    unsafe fn free(&self, place: Place, slab: *const Slab) {
        // SAFETY: B8.
        let chunk = unsafe { at(place.chunk) };
        let bit = 1 << (place.index % WORD);
        // Release: [place].
        chunk.taken[place.index / WORD].fetch_and(!bit, Ordering::Release);
        // Release: [chunk].
        self.recent.store(place.chunk.cast_mut(), Ordering::Release);
        // SAFETY: the caller's promise; it is from `allocate_block`.
        unsafe { free_block::<Slab>(slab.cast_mut().cast()) };
    }

    /// How many chunks there are.
    #[cfg(loom)]
    pub(crate) fn chunks_count(&self) -> usize {
        self.chunks().count()
    }

    /// How many slabs there are.
    #[cfg(all(test, not(loom)))]
    pub(super) fn slabs(&self) -> u32 {
        let words = self.chunks().flat_map(|chunk| &chunk.taken);
        // Relaxed: a count.
        words
            .map(|word| word.load(Ordering::Relaxed).count_ones())
            .sum()
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        // Acquire: [chunk].
        let mut next = self.first.load(Ordering::Acquire);
        std::iter::from_fn(move || {
            // SAFETY: B8.
            let chunk = unsafe { next.as_ref() }?;
            // Acquire: [chunk].
            next = chunk.next.load(Ordering::Acquire);
            Some(chunk)
        })
    }

    /// Adds a chunk at the end, unless somebody else has.
    fn add_chunk(&self) {
        let end = self
            .chunks()
            .last()
            .map_or(&self.first, |chunk| &chunk.next);
        let new = allocate(Chunk::new());
        // Release: [chunk].
        let added = end.compare_exchange(
            std::ptr::null_mut(),
            new,
            Ordering::Release,
            Ordering::Relaxed,
        );
        if added.is_err() {
            // SAFETY: nobody has seen it.
            unsafe { free(new) };
        }
    }
}
