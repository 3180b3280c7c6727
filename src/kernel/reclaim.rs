//! Epoch-based reclamation: the one place that pins and retires.
//!
//! A thread that follows shared pointers is *pinned*: its line shows the epoch at which it came
//! in. What is unlinked is *retired* with the epoch of that moment, and freed when the epoch has
//! moved on twice, which it cannot do while somebody is pinned who may still see it. The scheme is
//! Fraser's (2004) with crossbeam-epoch's fences.
//!
//! It is our own rather than crossbeam-epoch's because there a pin now and then runs the
//! collector, with other threads' destructors, in the reader: our pins never walk, free or
//! allocate, so that a read is wait-free without a footnote, and one line serves pins and
//! snapshots. ARCHITECTURE.md has the figures of both.
//!
//! # States
//! ```text
//! line.epoch:  IDLE --pin--> {e, PINNED} --unpin--> IDLE
//!              IDLE or {e, PINNED} --pin_keeping--> {e, PINNED, KEEPS} --last unpin--> IDLE
//! garbage:     collected in a Garbage -> limbo[stamp % 4] -> ripe (stamp + 2 <= epoch)
//!              -> reclaimed, in bounded slices; what is left of a slice -> ready
//! ```
//!
//! # Invariants
//! - R1: what is retired is unlinked first, and nobody links it again.
//! - R2: while a thread is pinned since before a retirement with stamp s, the epoch is at most s +
//!   1.
//! - R3: reclaimed is only what has stamp + 2 <= epoch; so who was pinned at the unlinking has
//!   unpinned, and that happened before.
//! - R4: a guard without a line is made only where another guard of the thread outlives it: a
//!   [`super::reading::PinnedHold`] keeps its own while it lends readings, and neither leaves the
//!   thread.
//!
//! # Orderings
//! - [pin/advance], [pin/retire]: store, fence, load on both sides. Their fence first: we see
//!   them. Ours first: they see us. R2 in two cases: let F be the pin's fence and G the retirer's.
//!   G first: the pinned thread sees the unlinking and has no pointer. F first: whoever advances
//!   from s + 1 loaded s + 1 before its own fence; was that fence before F, hence before G, then
//!   the retirer would have loaded at least s + 1 as its stamp; so it is after F, sees the line
//!   pinned at an older epoch and gives up.
//! - [unpin]: what a thread did while pinned happened before the epoch moved past it: Release in
//!   the line, Acquire fence in the advancer, Release in the epoch, Acquire in who reclaims.
//! - [kept]: Release in the line's epoch, Acquire in who scans for what is kept: who sees that a
//!   pin keeps versions sees which ones, or those of a later pin, behind the earlier one's end.

#[cfg(any(loom, shuttle))]
pub(crate) use super::memory::quarantine;
pub(super) use super::memory::{Block, allocate_block, free_block, own};
pub(crate) use super::memory::{allocate, at, free};

use super::array::Array;
use super::barrier::fence;
pub(super) use super::garbage::free_all;
pub(crate) use super::garbage::{Action, Garbage, Retired};
use super::garbage::{Bag, take};
use super::session::{Line, Registry};
use super::stack::push;
use super::step::{Step, step};
use crate::sync::{AtomicPtr, AtomicU64, Ordering, Padded};

const IDLE: u64 = 0;
/// Beside the epoch in a line: that it is one.
const PINNED: u64 = 1;
/// And that the pin keeps versions, too.
const KEEPS: u64 = 2;
const EPOCH_SHIFT: u32 = 2;
const GENERATIONS: usize = 4;
/// Times that the epoch is moved on before what is ripe is taken.
const ADVANCES: u32 = if cfg!(loom) { 1 } else { 2 };

/// Where garbage of one store goes and how old it is.
#[derive(Debug)]
pub(crate) struct Domain {
    epoch: Padded<AtomicU64>,
    limbo: [Padded<AtomicPtr<Bag>>; GENERATIONS],
    ready: Padded<AtomicPtr<Bag>>,
    registry: Registry,
}

/// Proof that this thread is pinned: shared pointers loaded under it stay valid until it is
/// dropped.
#[derive(Debug)]
pub(crate) struct Guard<'d> {
    /// None: another guard of the thread outlives it (R4).
    line: Option<&'d Line>,
}

impl Guard<'_> {
    /// A guard beside another one of the same thread, which the caller keeps for as long (R4).
    #[inline]
    pub(super) fn held() -> Self {
        Self { line: None }
    }
}

impl Domain {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Padded(AtomicU64::new(1)),
            limbo: std::array::from_fn(|_| Padded(AtomicPtr::new(std::ptr::null_mut()))),
            ready: Padded(AtomicPtr::new(std::ptr::null_mut())),
            registry: Registry::new(),
        }
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Pins this thread. Wait-free, O(1), no allocation; nests.
    #[inline]
    pub(crate) fn pin(&self) -> Guard<'_> {
        self.pin_on(self.registry.line())
    }

    /// As [`Domain::pin`], with the calling thread's line at hand.
    #[inline]
    pub(crate) fn pin_on<'d>(&self, line: &'d Line) -> Guard<'d> {
        let (guard, outermost) = self.pin_before_fence(line);
        if outermost {
            // SeqCst: [pin/advance], [pin/retire].
            fence(Ordering::SeqCst);
        }
        guard
    }

    /// A pin that is one only after the caller's next SeqCst fence, which it makes before it loads
    /// a shared pointer: so that one fence serves a pin and the announcement of a snapshot.
    /// Tells whether that fence is needed.
    #[inline]
    pub(super) fn pin_before_fence<'d>(&self, line: &'d Line) -> (Guard<'d>, bool) {
        // Relaxed: only the owning thread writes it (L2).
        let is_outermost = line.epoch.load(Ordering::Relaxed) == IDLE;
        if is_outermost {
            // Release: [unpin]: an advancer that reads this pin also sees what we did under earlier
            // ones.
            line.epoch.store(self.pinned(), Ordering::Release);
        } else {
            line.nest();
        }
        (Guard { line: Some(line) }, is_outermost)
    }

    /// Pins this thread before the caller's next SeqCst fence, as [`Domain::pin_before_fence`]
    /// does. From then on, and as long as it is pinned, `kept` counts as a snapshot's word
    /// ([`super::horizon`]). `None`: another pin of the thread keeps versions.
    #[inline]
    pub(crate) fn pin_keeping<'d>(&self, line: &'d Line, kept: u64) -> Option<Guard<'d>> {
        // Relaxed: only the owning thread writes it (L2).
        let mut word = line.epoch.load(Ordering::Relaxed);
        if word & KEEPS != 0 {
            return None;
        }
        if word == IDLE {
            word = self.pinned();
        } else {
            line.nest();
        }
        // Release: [end]: who reads it also sees what was read under earlier pins.
        line.kept.store(kept, Ordering::Release);
        // Release: [unpin], [kept].
        line.epoch.store(word | KEEPS, Ordering::Release);
        Some(Guard { line: Some(line) })
    }

    /// What a line shows that is pinned now.
    #[inline]
    fn pinned(&self) -> u64 {
        // Relaxed: an old epoch is only more cautious.
        self.epoch.load(Ordering::Relaxed) << EPOCH_SHIFT | PINNED
    }

    /// Takes over what an operation retired. Lock-free: one CAS, retried when another thread gave
    /// its garbage at the same moment.
    #[inline(never)]
    pub(crate) fn give(&self, garbage: Garbage) {
        if garbage.is_empty() {
            return;
        }
        // SeqCst: [pin/retire].
        fence(Ordering::SeqCst);
        // Relaxed: ordered by the fence.
        let stamp = self.epoch.load(Ordering::Relaxed);
        let bags = garbage.into_bags(stamp);
        // SAFETY: the operation's, and now ours.
        unsafe { push(&self.limbo[stamp as usize % GENERATIONS], bags) };
    }

    /// Moves the epoch on if nobody pinned is behind it. O(lines).
    fn advance(&self) -> u64 {
        // Relaxed: the fence acquires for our own reclaiming: [unpin].
        let epoch = self.epoch.load(Ordering::Relaxed);
        // SeqCst: [pin/advance].
        fence(Ordering::SeqCst);
        for line in self.registry.lines() {
            // Relaxed: ordered by the fences around the scan.
            let seen = line.epoch.load(Ordering::Relaxed);
            if seen != IDLE && seen >> EPOCH_SHIFT != epoch {
                return epoch;
            }
        }
        // Acquire: [unpin]: pairs with the Release of every line read above.
        fence(Ordering::Acquire);
        step(Step::Scanned);
        // AcqRel: [unpin]. A failure means that another thread advanced; its epoch is as good.
        match self
            .epoch
            .compare_exchange(epoch, epoch + 1, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => epoch + 1,
            Err(newer) => newer,
        }
    }

    /// Tries to advance, then gives up to `wanted` reclaimable things.
    pub(super) fn ripe(&self, wanted: usize) -> Ripe<'_> {
        // Twice, unless somebody is pinned: then all that was given before this is ripe already,
        // and its memory still in the cache.
        for _ in 1..ADVANCES {
            self.advance();
        }
        let epoch = self.advance();
        let mut ripe = std::ptr::null_mut();
        for age in 2..GENERATIONS as u64 {
            self.ripen(epoch, epoch.wrapping_sub(age), &mut ripe);
        }
        Ripe {
            domain: self,
            bags: ripe,
            wanted,
        }
    }

    /// Moves the bags of one generation that are old enough to the front of `ripe`, and the others
    /// back.
    fn ripen(&self, epoch: u64, generation: u64, ripe: &mut *mut Bag) {
        let limbo = &self.limbo[generation as usize % GENERATIONS];
        // Relaxed: a hint; the swap below decides.
        if limbo.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Acquire: [stack].
        let mut bag = limbo.swap(std::ptr::null_mut(), Ordering::Acquire);
        while !bag.is_null() {
            // SAFETY: the swap made the list ours.
            let owned = unsafe { own(bag) };
            let next = owned.next;
            if owned.stamp + 2 <= epoch {
                owned.next = std::mem::replace(ripe, bag);
            } else {
                owned.next = std::ptr::null_mut();
                // SAFETY: as above, and the bag is off its list.
                unsafe { push(limbo, bag) };
            }
            bag = next;
        }
    }

    /// What others left of what was ripe.
    fn take_ready(&self) -> *mut Bag {
        // Relaxed: a hint; the swap decides.
        if self.ready.load(Ordering::Relaxed).is_null() {
            return std::ptr::null_mut();
        }
        // Acquire: [stack]: we read bags that others filled.
        self.ready.swap(std::ptr::null_mut(), Ordering::Acquire)
    }

    /// Everything retired, ripe or not.
    pub(super) fn drain(&mut self) -> Vec<Retired> {
        let mut taken = Vec::new();
        let lists = self.limbo.iter().chain([&self.ready]);
        for list in lists {
            // Relaxed: nobody else is left (`&mut self`).
            let mut bags = list.swap(std::ptr::null_mut(), Ordering::Relaxed);
            let put = |some: &[Retired]| taken.extend_from_slice(some);
            // SAFETY: the swap made the list ours.
            unsafe { take(&mut bags, usize::MAX, put) };
        }
        taken
    }
}

impl Drop for Domain {
    fn drop(&mut self) {
        for retired in self.drain() {
            // The kernel drains before it drops its domain; plain memory is left only by domains
            // used alone.
            match retired.action {
                // SAFETY: R1, and nobody is left who could be pinned.
                Action::Free(free) => unsafe { free(retired.pointer) },
                // SAFETY: as above.
                Action::Part(part) => unsafe { free_all(retired.pointer, part) },
                Action::Kernel(_) => {}
            }
        }
        #[cfg(any(loom, shuttle))]
        quarantine::clear();
    }
}

/// Things that nobody can see any more. What is not taken is left to others.
#[derive(Debug)]
pub(super) struct Ripe<'d> {
    domain: &'d Domain,
    bags: *mut Bag,
    /// How many more are taken.
    wanted: usize,
}

impl Ripe<'_> {
    /// Takes some of what is wanted; none: there is no more, or all was taken.
    pub(super) fn next<const COUNT: usize>(&mut self) -> Array<Retired, COUNT> {
        let mut taken = Array::new();
        while self.wanted > 0 && taken.len() < COUNT {
            if self.bags.is_null() {
                self.bags = self.domain.take_ready();
            }
            if self.bags.is_null() {
                self.wanted = 0;
            }
            let room = self.wanted.min(COUNT - taken.len());
            let put = |some: &[Retired]| taken.extend(some.iter().copied());
            // SAFETY: the swaps of `Domain::ripen` and `Domain::take_ready` made the bags ours.
            self.wanted -= unsafe { take(&mut self.bags, room, put) };
        }
        taken
    }
}

impl Drop for Ripe<'_> {
    fn drop(&mut self) {
        if !self.bags.is_null() {
            // SAFETY: what is left of the list is ours.
            unsafe { push(&self.domain.ready, self.bags) };
        }
    }
}

impl Drop for Guard<'_> {
    #[inline]
    fn drop(&mut self) {
        let Some(line) = self.line else { return };
        // Relaxed: only the owning thread writes `pins` (L2).
        match line.pins.load(Ordering::Relaxed) {
            // Release: [unpin], [end].
            0 => line.epoch.store(IDLE, Ordering::Release),
            // Relaxed: as above.
            pins => line.pins.store(pins - 1, Ordering::Relaxed),
        }
    }
}

impl Line {
    /// One more pin, under one that is there.
    #[inline]
    fn nest(&self) {
        // Relaxed: only the owning thread writes `pins` (L2).
        let pins = self.pins.load(Ordering::Relaxed);
        // Relaxed: as above.
        self.pins.store(pins + 1, Ordering::Relaxed);
    }

    /// Has its pin keep something else. Behind the fence after [`Domain::pin_keeping`].
    #[inline]
    pub(super) fn settle(&self, kept: u64) {
        // Relaxed: the fence releases what was read under earlier pins: [end].
        self.kept.store(kept, Ordering::Relaxed);
    }

    /// What its pin keeps, if it keeps versions: as a snapshot's word says it.
    pub(crate) fn kept(&self) -> Option<u64> {
        // Acquire: [kept].
        let keeps = self.epoch.load(Ordering::Acquire) & KEEPS != 0;
        // Relaxed: as new as the pin is.
        keeps.then(|| self.kept.load(Ordering::Relaxed))
    }
}
