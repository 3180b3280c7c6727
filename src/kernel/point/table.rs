//! One table of the point index: groups of words, how full they are, and how far they are copied.

use super::Point;
use super::forecast::Forecasts;
use super::word::{Tag, Word};
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::{Guard, at};
use crate::sync::{AtomicPtr, AtomicU8, AtomicU64, Ordering, Padded};

/// Words in a group: one cache line.
const WORDS: usize = if cfg!(any(loom, shuttle)) { 2 } else { 8 };
/// Slots of the smallest table.
pub(super) const SLOTS_MIN: usize = if cfg!(any(loom, shuttle)) { 4 } else { 64 };
/// Groups that one inserter copies at a time.
const CHUNK_GROUPS: usize = if cfg!(any(loom, shuttle)) { 1 } else { 8 };
const CHUNK_SLOTS: usize = CHUNK_GROUPS * WORDS;
/// A counter serves at least this many slots: fewer would fill too unevenly to speak for the
/// table.
const REGION_SLOTS_MIN: usize = 4096;
const REGIONS_MAX: usize = 64;
const LOAD_MAX_PERCENT: usize = 55;
/// A table is at most this many times smaller than the one before.
const SHRINK_MAX: usize = 4;

/// A cache line of words.
#[cfg_attr(not(any(loom, shuttle)), repr(C, align(64)))]
#[cfg_attr(any(loom, shuttle), repr(C))]
struct Group<N> {
    words: [AtomicPtr<N>; WORDS],
}

/// What happened in one part of a table. Inserts go to the counter of the place, not to one
/// counter of the table, so that two inserters seldom write the same line.
#[derive(Debug)]
struct Region {
    used: AtomicU64,
    tombs: AtomicU64,
}

/// How far a table is copied.
#[derive(Debug)]
struct Progress {
    /// Chunks given out; past the last one, where to look for what is left.
    taken: AtomicU64,
    finished: AtomicU64,
}

pub(super) struct Table<N> {
    groups: Box<[Group<N>]>,
    /// How many slots there are, less one (P9).
    mask: usize,
    forecasts: Forecasts,
    /// The table that replaces this one; null, then set once.
    next: AtomicPtr<Table<N>>,
    /// Non-zero: each word of the chunk is frozen, and its node copied or DEAD.
    chunks: Box<[AtomicU8]>,
    regions: Box<[Padded<Region>]>,
    progress: Padded<Progress>,
}

/// What a lookup found in one table.
pub(super) enum Found<'g, N> {
    Here(&'g N),
    /// In a frozen word: a newer node of the key may stand in a later table.
    Frozen(&'g N),
    /// Neither here nor in a later table.
    Nowhere,
    /// Not here; perhaps in a later table.
    Beyond,
}

impl<'g, N> Found<'g, N> {
    /// Seldom: out of the way of who finds a node that is not.
    #[cold]
    fn frozen(node: &'g N) -> Self {
        Self::Frozen(node)
    }
}

impl<N> Table<N> {
    /// An empty table; `slots` is a power of two.
    pub(super) fn new(slots: usize) -> Self {
        assert!(slots.is_power_of_two() && slots >= SLOTS_MIN);
        let regions = (slots / REGION_SLOTS_MIN).clamp(1, REGIONS_MAX);
        let region = || {
            Padded(Region {
                used: AtomicU64::new(0),
                tombs: AtomicU64::new(0),
            })
        };
        Self {
            groups: empty_groups(slots / WORDS),
            mask: slots - 1,
            forecasts: Forecasts::new(slots),
            next: AtomicPtr::new(std::ptr::null_mut()),
            chunks: (0..slots / CHUNK_SLOTS).map(|_| AtomicU8::new(0)).collect(),
            regions: (0..regions).map(|_| region()).collect(),
            progress: Padded(Progress {
                taken: AtomicU64::new(0),
                finished: AtomicU64::new(0),
            }),
        }
    }

    #[inline]
    pub(super) fn slots(&self) -> usize {
        self.mask + 1
    }

    #[inline]
    pub(super) fn slot(&self, index: usize) -> &AtomicPtr<N> {
        &self.groups[index / WORDS].words[index % WORDS]
    }

    /// The slot at a place of a run, which goes round at the table's end, and its index.
    #[inline]
    fn slot_of_run(&self, place: usize) -> (usize, &AtomicPtr<N>) {
        let index = place & self.mask;
        let words = self.groups.as_ptr().cast::<AtomicPtr<N>>();
        // SAFETY: P9: the groups are arrays of words and nothing else, one after the other, of so
        // many slots in all.
        (index, unsafe { &*words.wrapping_add(index) })
    }

    /// The first slot of a hash's run: most keys stand in it, so that a lookup's branches are
    /// guessed right, and the cache misses of the next one begin before this one is through.
    #[inline]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.mask
    }

    /// The slots in which a key of this hash may stand, in order, with their indexes: the whole
    /// table; the run is what comes before the first EMPTY word.
    #[inline]
    pub(super) fn probe(&self, hash: u64) -> impl Iterator<Item = (usize, &AtomicPtr<N>)> {
        let slots = self.slots();
        let first = self.home(hash);
        (first..first + slots).map(move |place| {
            let index = place & (slots - 1);
            (index, self.slot(index))
        })
    }

    /// The table after this one.
    #[inline]
    pub(super) fn next<'g>(&self, _guard: &'g Guard<'_>) -> Option<&'g Table<N>> {
        // Acquire: [next].
        let next = self.next.load(Ordering::Acquire);
        if next.is_null() {
            return None;
        }
        // SAFETY: P5: `self` was reached under the guard, so what comes after it outlives the
        // guard.
        Some(unsafe { at(next) })
    }

    /// The table after this one, to whom nobody else has access.
    pub(super) fn next_alone(&self) -> *mut Table<N> {
        // Relaxed: nobody else has access.
        self.next.load(Ordering::Relaxed)
    }

    /// Makes `table` the next one; false if there is one already.
    pub(super) fn link(&self, table: *mut Table<N>) -> bool {
        let null = std::ptr::null_mut();
        // Release: [next]: who finds the table finds it initialized. A failure reads nothing.
        self.next
            .compare_exchange(null, table, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Looks for a key, and has the first `reach` bytes fetched of where its node's reader goes on.
    /// Wait-free: each slot is read at most once.
    #[inline]
    pub(super) fn find<'g>(
        &self,
        _guard: &'g Guard<'_>,
        hash: u64,
        reach: usize,
        matches: &impl Fn(&N) -> bool,
    ) -> Found<'g, N> {
        let tag = Tag::of(hash);
        let home = self.home(hash);
        for step in 0..self.slots() {
            let (index, slot) = self.slot_of_run(home.wrapping_add(step));
            // Acquire: [node], [freeze].
            let word = Word(slot.load(Ordering::Acquire));
            if let Some(node) = word.tagged(tag) {
                self.forecasts.fetch(index, node, reach);
                // SAFETY: P6: it stood in a table reached under the guard.
                let node: &'g N = unsafe { at(node) };
                if matches(node) {
                    if word.is_frozen() {
                        return Found::frozen(node);
                    }
                    return Found::Here(node);
                }
            } else if word.is_empty() {
                return match word.is_frozen() {
                    true => Found::Beyond,
                    false => Found::Nowhere,
                };
            }
        }
        Found::Beyond
    }

    /// Has the processor fetch what a lookup of a hash begins with.
    #[inline]
    pub(super) fn fetch_home(&self, hash: u64) {
        let (index, slot) = self.slot_of_run(self.home(hash));
        prefetch(slot);
        self.forecasts.prepare(index);
    }

    /// Bytes of the slots and their forecasts.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.groups) + self.forecasts.bytes()
    }

    /// A node is about to be put into a slot, and to be forecast soon.
    #[inline]
    pub(super) fn prepare_forecast(&self, index: usize) {
        self.forecasts.prepare(index);
    }

    /// Takes the node out of this table, if it is here. Lock-free: a CAS fails only because the
    /// word was frozen or the node replaced.
    pub(super) fn remove(&self, hash: u64, node: *const N) {
        for (index, slot) in self.probe(hash) {
            // Relaxed: nothing is read through it, and which tables hold the node is known:
            // [claim].
            let mut word = Word(slot.load(Ordering::Relaxed));
            if word.is_empty() {
                return;
            }
            while word.node().is_some_and(|found| std::ptr::eq(found, node)) {
                // Relaxed: it publishes nothing; who retires the node fences (reclaim.rs).
                let tombed = slot.compare_exchange(
                    word.0,
                    word.tomb().0,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                match tombed {
                    Ok(_) => return self.count_tomb(index),
                    Err(found) => word = Word(found),
                }
            }
        }
    }

    /// Marks a word so that it takes no insert any more; what it holds is then final, but for a
    /// DEAD node that is taken out. Lock-free: a CAS fails only because another operation got
    /// through.
    pub(super) fn freeze(&self, slot: &AtomicPtr<N>) -> Word<N> {
        // Acquire: [node].
        let mut word = Word(slot.load(Ordering::Acquire));
        while !word.is_frozen() {
            // Release: [freeze]: who sees the mark sees the next table.
            let frozen = slot.compare_exchange(
                word.0,
                word.frozen().0,
                Ordering::Release,
                Ordering::Acquire,
            );
            match frozen {
                Ok(_) => return word.frozen(),
                Err(found) => word = Word(found),
            }
        }
        word
    }

    fn region(&self, index: usize) -> &Region {
        &self.regions[index / (self.slots() / self.regions.len())]
    }

    /// Counts a slot that is no longer EMPTY. True when its part of the table is past the limit.
    pub(super) fn count_used(&self, index: usize) -> bool {
        // Relaxed: a statistic.
        let used = self.region(index).used.fetch_add(1, Ordering::Relaxed) + 1;
        let limit = self.slots() / self.regions.len() * LOAD_MAX_PERCENT / 100;
        used > limit as u64
    }

    fn count_tomb(&self, index: usize) {
        // Relaxed: a statistic.
        self.region(index).tombs.fetch_add(1, Ordering::Relaxed);
    }

    /// How many slots the next table should have: three to six times what lives in this one, so
    /// that a growing table doubles, a churned one loses its tombs, and a deserted one shrinks. As
    /// with the limit, the fullest region speaks for the table, or else one that is crowded by a
    /// bad hash would be replaced by its like for ever.
    pub(super) fn slots_next(&self) -> usize {
        let live = |region: &Padded<Region>| {
            // Relaxed: a statistic.
            let tombs = region.tombs.load(Ordering::Relaxed);
            // Relaxed: as above.
            region.used.load(Ordering::Relaxed).saturating_sub(tombs)
        };
        let live_max = self.regions.iter().map(live).max().unwrap_or(0);
        let slots = (live_max as usize * self.regions.len() * 3).next_power_of_two();
        slots.max(self.slots() / SHRINK_MAX).max(SLOTS_MIN)
    }

    /// A chunk to copy: one that nobody took, else one that is not finished (its taker may be
    /// parked; copying twice does no harm). None when all are finished.
    pub(super) fn take_chunk(&self) -> Option<usize> {
        // Relaxed: it only spreads the helpers.
        let taken = self.progress.taken.fetch_add(1, Ordering::Relaxed) as usize;
        let chunks = self.chunks.len();
        if taken < chunks {
            return Some(taken);
        }
        (0..chunks)
            .map(|step| (taken + step) % chunks)
            .find(|chunk| !self.is_chunk_finished(*chunk))
    }

    pub(super) fn chunk(&self, chunk: usize) -> impl Iterator<Item = &AtomicPtr<N>> {
        (chunk * CHUNK_SLOTS..(chunk + 1) * CHUNK_SLOTS).map(|index| self.slot(index))
    }

    /// Has the processor fetch a chunk's nodes, of which each is to be claimed.
    pub(super) fn prefetch_nodes(&self, chunk: usize) {
        if cfg!(loom) {
            return;
        }
        for slot in self.chunk(chunk) {
            // Relaxed: nothing is read through it.
            if let Some(node) = Word(slot.load(Ordering::Relaxed)).node() {
                prefetch(node);
            }
        }
    }

    fn is_chunk_finished(&self, chunk: usize) -> bool {
        // Acquire: [copied].
        self.chunks[chunk].load(Ordering::Acquire) != 0
    }

    /// Whether the slot's node, if any, is known to be copied or DEAD.
    pub(super) fn is_copied(&self, index: usize) -> bool {
        self.is_chunk_finished(index / CHUNK_SLOTS)
    }

    /// Says that each word of the chunk is frozen and each node copied or DEAD; true if that now
    /// holds for the whole table.
    pub(super) fn finish_chunk(&self, chunk: usize) -> bool {
        // Release: [copied]: who skips the chunk, or finds no chunk left, has its copies before it.
        if self.chunks[chunk].swap(1, Ordering::Release) != 0 {
            return false;
        }
        // AcqRel: [copied]: the last one has all the others' copies before it.
        let before = self.progress.finished.fetch_add(1, Ordering::AcqRel);
        before + 1 == self.chunks.len() as u64
    }
}

impl<N: Point> Table<N> {
    /// What is forecast of a node, if the table has forecasts and the node is in it.
    #[cfg(all(test, not(loom)))]
    pub(super) fn forecast_of(&self, node: &N) -> Option<*const u8> {
        // Relaxed: nothing is read through it.
        let word = |slot: &AtomicPtr<N>| Word(slot.load(Ordering::Relaxed));
        let mut run = self.probe(node.hash());
        let is_it = |found: *mut N| std::ptr::eq(found, node);
        let (index, _) = run.find(|(_, slot)| word(slot).node().is_some_and(is_it))?;
        self.forecasts.guess(index, node)
    }

    /// Notes where the reader of a node goes on, if the node is in this table.
    pub(super) fn forecast(&self, node: &N) {
        if self.forecasts.is_empty() {
            return;
        }
        for (index, slot) in self.probe(node.hash()) {
            // Relaxed: nothing is read through it.
            let word = Word(slot.load(Ordering::Relaxed));
            if word.is_empty() {
                return;
            }
            if word.node().is_some_and(|found| std::ptr::eq(found, node)) {
                return self.forecasts.note(index, node, node.onward());
            }
        }
    }

    /// Whether this node stands in this table, to which nobody else has access.
    pub(super) fn holds_alone(&self, node: *mut N, hash: u64) -> bool {
        self.probe(hash)
            // Relaxed: nobody else has access.
            .map(|(_, slot)| Word(slot.load(Ordering::Relaxed)))
            .take_while(|word| !word.is_empty())
            .any(|word| word.node() == Some(node))
    }
}

/// Groups of EMPTY words: fresh zero pages from the allocator, not written one by one, since a
/// large table would hold up the inserter that makes it.
#[cfg(not(any(loom, shuttle)))]
fn empty_groups<N>(count: usize) -> Box<[Group<N>]> {
    use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};

    let layout = Layout::array::<Group<N>>(count).expect("the address space is larger");
    assert!(layout.size() > 0, "a table has slots");
    // SAFETY: the layout is not of size 0 (asserted above).
    let memory = unsafe { alloc_zeroed(layout) };
    if memory.is_null() {
        handle_alloc_error(layout);
    }
    let groups = std::ptr::slice_from_raw_parts_mut(memory.cast::<Group<N>>(), count);
    // SAFETY: the global allocator gave it for just this layout, and all zeroes is a valid Group:
    // null pointers, which are EMPTY words.
    unsafe { Box::from_raw(groups) }
}

#[cfg(any(loom, shuttle))]
fn empty_groups<N>(count: usize) -> Box<[Group<N>]> {
    let group = || Group {
        words: std::array::from_fn(|_| AtomicPtr::new(Word::EMPTY.0)),
    };
    (0..count).map(|_| group()).collect()
}
