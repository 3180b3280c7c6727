//! Where the slabs of one size stand that have free blocks, for whoever needs some. The name is
//! Bonwick and Adams's ("Magazines and vmem", USENIX 2001), whose magazines are a thread's blocks
//! here ([`super::magazine`]).
//!
//! Lock-free: to take a slab off the list, or to put it there, is one bit. A search for one looks
//! at a bit a slab, 64 at a time; it is made once for all free blocks of a word of a slab, and only
//! if some are listed. A place for a new slab is looked for where one was taken or left last, then
//! everywhere.
//!
//! Memory that nobody has any more is kept for the next slabs, so that a size that comes and goes
//! does not ask the allocator each time, which may take a lock, nor the system for pages: that of
//! the first slabs, and one group, the one that was left last. [`Depot::trim`] gives it back.
//!
//! A slab whose last block comes back while another thread is just putting it on the list, or has
//! just looked at it, stays there, and so does the memory of its group, until somebody asks for
//! blocks of that size.
//!
//! # Invariants
//! - B7 of [`super::places`]: a slab's place is the slab's. The bit in `listed` is set by who has
//!   the slab there, which stays alive and nobody else's until somebody clears that bit.
//! - B8: chunks are added, never taken away.
//!
//! # Orderings
//! - [listed]: who puts a slab on the list (Release) has it whole; who takes it off (Acquire) finds
//!   it so.
//! - [chunk]: the CAS that adds one (Release) and the loads that find it (Acquire): whole.

use super::memory::{allocate, at, free};
use super::places::{PLACES, Places};
use super::slab::{Blocks, Given, Slab};
use crate::sync::{AtomicPtr, AtomicU64, Guess, Ordering};

/// Words of places in a chunk.
const WORDS: usize = if cfg!(loom) { 1 } else { 8 };
/// The first places, which have memory of their own, so that little takes little.
const PLACES_ALONE: usize = if cfg!(loom) { PLACES } else { 8 };

/// Places for slabs.
#[derive(Debug)]
struct Chunk {
    /// A bit a place: there is a slab of which blocks are free, for whoever clears the bit.
    listed: [AtomicU64; WORDS],
    places: [Places; WORDS],
    next: AtomicPtr<Chunk>,
}

/// A slab's place in its depot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    chunk: *const Chunk,
    word: usize,
    number: usize,
}

/// Free blocks of a slab, which are the caller's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) slab: *const Slab,
    pub(crate) blocks: Blocks,
}

/// The slabs of one size.
#[derive(Debug)]
pub(crate) struct Depot {
    first: AtomicPtr<Chunk>,
    /// The chunk where a place was taken or left last.
    recent: AtomicPtr<Chunk>,
    /// How many are listed: a guess, and never too low for good.
    listed: Guess,
    /// The number, and one, of the places that are a group which was left last: a guess.
    spare: Guess,
}

impl Taken {
    pub(crate) const NOTHING: Self = Self {
        slab: std::ptr::null(),
        blocks: Blocks { word: 0, bits: 0 },
    };

    /// Whether there is none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.blocks.bits == 0
    }

    /// A block that somebody has used.
    ///
    /// # Safety
    /// It is from [`Taken::next`], and the caller's.
    pub(super) unsafe fn of(block: *mut u8) -> Self {
        // SAFETY: the caller's promise.
        let (slab, blocks) = unsafe { Slab::of(block) };
        Self { slab, blocks }
    }

    /// Adds others; false: there are none to add them to, or those are of another slab or word.
    pub(super) fn add(&mut self, others: Self) -> bool {
        let same = std::ptr::eq(self.slab, others.slab) && self.blocks.word == others.blocks.word;
        if same && !self.is_empty() {
            self.blocks.bits |= others.blocks.bits;
            return true;
        }
        false
    }

    /// Takes one of them, of which there are some.
    #[inline]
    pub(super) fn next(&mut self) -> *mut u8 {
        let Blocks { word, bits } = self.blocks;
        self.blocks.bits &= bits - 1;
        // SAFETY: B6: the caller has it.
        unsafe { Slab::block(self.slab, word, bits.trailing_zeros()) }
    }
}

impl Chunk {
    fn new(is_first: bool) -> Self {
        let places = |word| match (is_first, word) {
            (true, 0) => Places::alone(PLACES_ALONE),
            _ if cfg!(loom) => Places::alone(PLACES),
            _ => Places::together(),
        };
        Self {
            listed: std::array::from_fn(|_| AtomicU64::new(0)),
            places: std::array::from_fn(places),
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Takes a place.
    fn take_place(&self) -> Option<Place> {
        self.places.iter().enumerate().find_map(|(word, places)| {
            let number = places.take()?;
            Some(Place {
                chunk: self,
                word,
                number,
            })
        })
    }
}

impl Place {
    /// A number that neighbours do not share.
    #[inline]
    pub(super) fn index(self) -> usize {
        self.number
    }

    fn chunk<'a>(self) -> &'a Chunk {
        // SAFETY: B8: depots, but for those of models, are never dropped, and theirs go last.
        unsafe { at(self.chunk) }
    }

    fn places<'a>(self) -> &'a Places {
        &self.chunk().places[self.word]
    }

    fn slab(self) -> *mut Slab {
        self.places().at(self.number).cast()
    }
}

impl Depot {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
            recent: AtomicPtr::new(std::ptr::null_mut()),
            listed: Guess::new(0),
            spare: Guess::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
            recent: AtomicPtr::new(std::ptr::null_mut()),
            listed: Guess::new(0),
            spare: Guess::new(0),
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
    pub(crate) unsafe fn give(&self, taken: Taken) {
        if taken.is_empty() {
            return;
        }
        // SAFETY: B6: the caller has blocks of it.
        let place = unsafe { at(taken.slab) }.place();
        // SAFETY: as above.
        match unsafe { Slab::give(taken.slab, taken.blocks) } {
            Given::Known => {}
            Given::Unlisted => self.list(place),
            // SAFETY: B6: it is ours.
            Given::All => unsafe { self.free(place) },
            Given::AllListed => self.check(place),
        }
    }

    /// Frees the slab at a place if it is listed and all of its blocks are free. By now it may be
    /// another one.
    fn check(&self, place: Place) {
        match self.unlist(place) {
            // SAFETY: B6: it is ours.
            Some(slab) if slab.is_free() => unsafe { self.free(place) },
            Some(_) => self.list(place),
            None => {}
        }
    }

    /// Puts a slab on the list that is the caller's to list (B6).
    fn list(&self, place: Place) {
        // Relaxed: a guess, and made first, so that it is not too low.
        self.listed.fetch_add(1, Ordering::Relaxed);
        // Release: [listed].
        place.chunk().listed[place.word].fetch_or(1 << place.number, Ordering::Release);
    }

    /// Takes the slab at a place off the list; none: there is none now.
    fn unlist<'a>(&self, place: Place) -> Option<&'a Slab> {
        let bit = 1 << place.number;
        // Acquire: [listed].
        let listed = place.chunk().listed[place.word].fetch_and(!bit, Ordering::Acquire);
        if listed & bit == 0 {
            return None;
        }
        // Relaxed: a guess.
        self.listed.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: B7: it is ours.
        Some(unsafe { at(place.slab()) })
    }

    /// Free blocks of some slab on the list.
    fn find(&self) -> Option<Taken> {
        // Relaxed: a guess, which loom is not to be led by.
        if cfg!(not(loom)) && self.listed.load(Ordering::Relaxed) == 0 {
            return None;
        }
        for chunk in self.chunks() {
            for (word, bits) in chunk.listed.iter().enumerate() {
                // Relaxed: taking one off acquires.
                let mut listed = bits.load(Ordering::Relaxed);
                while listed != 0 {
                    let number = listed.trailing_zeros() as usize;
                    let place = Place {
                        chunk,
                        word,
                        number,
                    };
                    if let Some(slab) = self.unlist(place) {
                        return Some(self.take_of(place, slab));
                    }
                    listed &= listed - 1;
                }
            }
        }
        None
    }

    /// Free blocks of a slab that the caller has taken off the list.
    fn take_of(&self, place: Place, slab: &Slab) -> Taken {
        let (blocks, more) = slab.take();
        if more {
            self.list(place);
        }
        Taken { slab, blocks }
    }

    /// Blocks of a new slab.
    fn make(&self, lines: usize) -> Taken {
        let place = self.take_place();
        let slab = place.slab();
        // SAFETY: B7, B11: memory for a slab, and ours.
        unsafe { slab.write(Slab::new(place, lines)) };
        // SAFETY: as above, and it stays while we have blocks of it.
        self.take_of(place, unsafe { at(slab) })
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
    /// The slab there is the caller's, with all its blocks.
    unsafe fn free(&self, place: Place) {
        // SAFETY: the caller's promise.
        let is_nobodys = unsafe { place.places().leave(place.number) };
        // Release: [chunk].
        self.recent.store(place.chunk.cast_mut(), Ordering::Release);
        if is_nobodys {
            self.keep(place);
        }
    }

    /// Keeps the memory of a group that is nobody's any more, instead of the group that was kept
    /// so far. What was kept and is somebody's again by now comes here when it is left.
    fn keep(&self, place: Place) {
        if cfg!(loom) {
            // So that memory comes and goes in models.
            place.places().trim(place.number);
        } else if place.places().are_together() {
            let number = self.number_of(place);
            // Relaxed: a guess.
            let before = self.spare.swap(number, Ordering::Relaxed);
            if before != number && before != 0 {
                self.numbered(before).trim(0);
            }
        }
    }

    /// The number, and one, of the places that a place is one of.
    fn number_of(&self, place: Place) -> u32 {
        let chunk = self
            .chunks()
            .position(|chunk| std::ptr::eq(chunk, place.chunk))
            .expect("B8: it is here");
        (chunk * WORDS + place.word) as u32 + 1
    }

    fn numbered(&self, number: u32) -> &Places {
        let number = number as usize - 1;
        let chunk = self.chunks().nth(number / WORDS);
        &chunk.expect("B8: it is here").places[number % WORDS]
    }

    /// Gives all memory back that nobody has.
    pub(crate) fn trim(&self) {
        self.chunks()
            .flat_map(|chunk| &chunk.places)
            .for_each(Places::trim_all);
    }

    /// How many chunks there are.
    #[cfg(loom)]
    pub(crate) fn chunks_count(&self) -> usize {
        self.chunks().count()
    }

    /// How many places for slabs are taken.
    #[cfg(all(test, not(loom)))]
    pub(super) fn slabs(&self) -> u32 {
        let places = self.chunks().flat_map(|chunk| &chunk.places);
        let taken: u32 = places.map(Places::taken).sum();
        // Beyond the last of those that are alone all bits are set.
        taken.saturating_sub((PLACES - PLACES_ALONE) as u32)
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
        let last = self.chunks().last();
        let end = last.map_or(&self.first, |chunk| &chunk.next);
        let new = allocate(Chunk::new(last.is_none()));
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

#[cfg(all(test, not(any(loom, shuttle, miri, skep_sanitize))))]
mod tests {
    use super::*;

    const LINES: usize = 32;

    fn groups(depot: &Depot) -> usize {
        let places = depot.chunks().flat_map(|chunk| &chunk.places);
        places.map(Places::groups).sum()
    }

    /// B7, B11.
    #[test]
    fn memory_that_nobody_has_is_kept_of_one_group_until_it_is_trimmed() {
        static DEPOT: Depot = Depot::new();
        // All blocks of a slab each: of those that lie alone, of two groups, and of one more.
        let slabs = PLACES_ALONE + 2 * PLACES + 1;
        for _ in 0..2 {
            let taken: Vec<_> = (0..slabs).map(|_| DEPOT.take(LINES)).collect();
            assert_eq!(groups(&DEPOT), PLACES_ALONE + 3);
            for blocks in taken {
                // SAFETY: just taken, and not used.
                unsafe { DEPOT.give(blocks) };
            }
            assert_eq!(DEPOT.slabs(), 0);
            assert_eq!(groups(&DEPOT), PLACES_ALONE + 1, "one group is kept");
        }
        let held = DEPOT.take(LINES);
        assert_eq!(groups(&DEPOT), PLACES_ALONE + 1, "what is kept is used");
        DEPOT.trim();
        assert_eq!(groups(&DEPOT), 1, "somebody has it");
        // SAFETY: as above.
        unsafe { DEPOT.give(held) };
        DEPOT.trim();
        assert_eq!(groups(&DEPOT), 0);
    }
}
