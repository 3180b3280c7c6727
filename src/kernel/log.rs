//! The commit log: appending is committing. One slot a version, dense, in segments that a ring of
//! pointers finds in O(1).
//!
//! # States
//! ```text
//! slot n:      EMPTY --append (CAS)--> commit --trim (swap)--> TRIMMED          never back
//! ring entry:  null --first append--> segment --all its slots trimmed--> null --> a later segment
//! ```
//!
//! # Invariants
//! - G1: slot n is filled after slot n - 1 and once; who fills it fixes the order of that commit
//!   for ever.
//! - G2: trimmed <= cut <= visible <= tail: what is trimmed has been cut, what is cut is visible.
//! - G3: a commit found in a slot under a pin is not freed before the pin ends: it is retired
//!   after the slot is TRIMMED.
//! - G4: a segment leaves the ring after its last slot is claimed for trimming, and is retired
//!   then.
//! - G5: a thread that stalled may place a segment whose numbers have come and gone. The null that
//!   it replaced was written by the unlinking, so it and everybody who finds the segment sees the
//!   trimmed position beyond it ([trimmed]), takes an empty slot of it for trimmed, and appends
//!   nothing; who needs the ring entry unlinks it.
//! - G6: a filled slot is changed by one thread alone: who claimed its position for trimming, under
//!   a pin that keeps the segment; or, when it has stopped before, who frees the segment later.
//! - G7: no commit has a number that a snapshot word has no room for.
//! - G8: a slot's signature is 0 while the slot is EMPTY, then for a moment, and then for good that
//!   of the commit that filled it.
//!
//! # Orderings
//! - [slot]: the appender's CAS (Release) and every load of the slot (Acquire): who finds a commit
//!   sees it whole. Then its store of the signature (Release), and every load of that (Acquire):
//!   who finds a signature finds the slot filled.
//! - [segment]: the same for ring entries.
//! - [trimmed]: the position is claimed before a segment leaves the ring (Release): who misses a
//!   segment because it is gone (Acquire) sees the position beyond it. The positions themselves
//!   order nothing here: whoever reads one only compares it, and commits are acquired from their
//!   slots. That a sweep which sees a claim for cutting frees nothing under the claimer's pin (K5)
//!   is the work of two fences: the pin's, before the claim, and the retirement's, after the
//!   sweep's load.

use std::ops::RangeInclusive;

use super::array::Array;
use super::collect::Work;
use super::commit::{Commit, Unpublished};
use super::history::{History, HistoryLimits};
use super::horizon::VERSION_MAX;
use super::reclaim::{Garbage, Guard, at};
use super::segment::{SLOTS, Segment, Segments, TRIMMED, base_of};
use crate::sync::{AtomicPtr, AtomicU64, Ordering, Padded};

/// The fewest segments that a ring can do with.
const SEGMENTS_MIN: usize = 4;
/// What stands at a position of the log.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slot<'g> {
    /// Nothing yet.
    Empty,
    Commit(&'g Commit),
    /// It was there, and is gone.
    Trimmed,
}

/// The commit log of a store.
#[derive(Debug)]
pub(crate) struct Log {
    ring: Box<[AtomicPtr<Segment>]>,
    /// Up to here the chains below the commits' versions have been cut, or claimed for it.
    cut: Padded<AtomicU64>,
    /// Up to here commits have been taken out, or claimed for it.
    trimmed: Padded<AtomicU64>,
    pub(super) history: History,
    /// Segments that were trimmed, to be placed again.
    pub(super) spare: Segments,
}

impl Log {
    /// A log that holds at least `commits_max` commits before it wraps.
    pub(crate) fn new(commits_max: u64) -> Self {
        let segments = usize::try_from(commits_max).unwrap_or(usize::MAX) / SLOTS + 2;
        // A power of two: positions are masked, which divides nothing on a commit's way.
        let segments = segments.max(SEGMENTS_MIN).next_power_of_two();
        Self {
            ring: (0..segments)
                .map(|_| AtomicPtr::new(std::ptr::null_mut()))
                .collect(),
            cut: Padded(AtomicU64::new(0)),
            trimmed: Padded(AtomicU64::new(0)),
            history: History::new(HistoryLimits::NONE),
            spare: Segments::new(),
        }
    }

    /// As [`super::horizon::Horizon::start_at`].
    #[cfg(test)]
    pub(super) fn start_at(&self, number: u64) {
        for place in [&self.cut.0, &self.trimmed.0] {
            // Relaxed: nobody else is there yet.
            place.store(number, Ordering::Relaxed);
        }
    }

    /// The same, with a history.
    pub(super) fn keeping(self, limits: HistoryLimits) -> Self {
        Self {
            history: History::new(limits),
            ..self
        }
    }

    fn entry(&self, number: u64) -> &AtomicPtr<Segment> {
        let segment = (number / SLOTS as u64) as usize;
        &self.ring[segment & (self.ring.len() - 1)]
    }

    /// The segment of a position, if it is there.
    #[inline]
    pub(super) fn segment<'g>(&self, _: &'g Guard<'_>, number: u64) -> Option<&'g Segment> {
        // Acquire: [segment].
        let segment = self.entry(number).load(Ordering::Acquire);
        if segment.is_null() {
            return None;
        }
        // SAFETY: G4: found in the ring under the guard, so it is not freed before the guard ends.
        let segment = unsafe { at(segment) };
        (segment.base == base_of(number)).then_some(segment)
    }

    /// What stands at a position. Wait-free, O(1).
    #[inline]
    pub(crate) fn at<'g>(&self, guard: &'g Guard<'_>, number: u64) -> Slot<'g> {
        let commit = match self.segment(guard, number) {
            // Acquire: [slot].
            Some(segment) => segment.slot(number).commit.load(Ordering::Acquire),
            None => std::ptr::null_mut(),
        };
        if commit == TRIMMED || (commit.is_null() && number <= self.trimmed()) {
            Slot::Trimmed
        } else if commit.is_null() {
            Slot::Empty
        } else {
            // SAFETY: G3.
            Slot::Commit(unsafe { at(commit) })
        }
    }

    /// Whether the commit at a position certainly wrote nothing of what was read, of which the
    /// signature is asked then; then there is one. Wait-free, O(1).
    #[inline]
    pub(crate) fn is_stranger(
        &self,
        guard: &Guard<'_>,
        number: u64,
        read: impl FnOnce() -> u64,
    ) -> bool {
        let Some(segment) = self.segment(guard, number) else {
            return false;
        };
        let noted = &segment.slot(number).signature;
        // Acquire: [slot]: who passes the commit by finds it in its slot later (G1).
        let written = noted.load(Ordering::Acquire);
        written != 0 && written & read() == 0
    }

    /// Fills the slot `number` with a commit: the linearization point of an update. Lock-free: it
    /// fails only when another commit took the slot, and then gives the commit back; or when
    /// the ring is full here, to be trimmed first.
    ///
    /// The caller saw slot `number - 1` filled, under this guard (G1).
    pub(crate) fn append<'g>(
        &self,
        guard: &'g Guard<'_>,
        number: u64,
        commit: Unpublished,
        garbage: &mut Garbage,
    ) -> Append<'g> {
        if let Some(segment) = self.segment(guard, number) {
            return self.fill(segment, number, commit);
        }
        match self.segment_or_place(guard, number, garbage) {
            Some(segment) => self.fill(segment, number, commit),
            None => Append::Full(commit),
        }
    }

    /// The same with the segment that was found for the number under the guard: its own, or a later
    /// one, if it is trimmed.
    #[inline]
    pub(super) fn fill<'g>(
        &self,
        segment: &'g Segment,
        number: u64,
        commit: Unpublished,
    ) -> Append<'g> {
        // A segment that was placed when its numbers had come and gone already (G5) is not to be
        // written: its finder sees [trimmed].
        if number <= self.trimmed() {
            return Append::Taken(commit);
        }
        let place = segment.slot(number);
        let signature = commit.signature();
        let commit = commit.into_raw(number);
        // AcqRel: [slot]: Release our commit; a failure only tells that the slot is taken.
        let appended = place.commit.compare_exchange(
            std::ptr::null_mut(),
            commit,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        match appended {
            Ok(_) => {
                // Release: [slot].
                place.signature.store(signature, Ordering::Release);
                // SAFETY: G3: it stands in the log, where the guard keeps it.
                Append::Done(unsafe { at(commit) })
            }
            // SAFETY: not published: still ours alone.
            Err(_) => Append::Taken(unsafe { Unpublished::from_raw(commit) }),
        }
    }

    /// The segment of `number`, placed in the ring if it is not there; `None` while an older one
    /// that is in use has its place. A retry follows another thread's placing or unlinking.
    fn segment_or_place<'g>(
        &self,
        guard: &'g Guard<'_>,
        number: u64,
        garbage: &mut Garbage,
    ) -> Option<&'g Segment> {
        let base = base_of(number);
        loop {
            // Acquire: [segment].
            let found = self.entry(number).load(Ordering::Acquire);
            if found.is_null() {
                self.place(number);
                continue;
            }
            // SAFETY: G4, under the guard.
            let found: &'g Segment = unsafe { at(found) };
            if found.base == base {
                return Some(found);
            }
            if found.base > base {
                // Its ring entry went on: `number` is trimmed. Any segment will do to be told so.
                return Some(found);
            }
            if found.base + SLOTS as u64 - 1 > self.trimmed() {
                return None;
            }
            // All its slots are claimed for trimming; who should unlink it may have stopped.
            self.unlink(guard, found.base, garbage);
        }
    }

    /// Panics beyond the last version there is, of which nobody could say that he reads at it (G7).
    #[inline]
    pub(super) fn expect_version(number: u64) {
        assert!(number <= VERSION_MAX, "G7: there are no more versions");
    }

    /// Places the segment of `number`, unless another thread has.
    fn place(&self, number: u64) {
        let fresh = self.spare.make(base_of(number));
        // AcqRel: [segment]; Acquire: [trimmed], should the entry be null because a segment of this
        // number went already (G5).
        let placed = self.entry(number).compare_exchange(
            std::ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if placed.is_err() {
            // SAFETY: never published.
            unsafe { self.spare.give_back(fresh) };
        }
    }

    /// Whether the watermark may pass a position, or has passed it.
    #[inline]
    pub(super) fn is_installed(&self, guard: &Guard<'_>, number: u64) -> bool {
        match self.at(guard, number) {
            Slot::Commit(commit) => commit.is_installed(),
            // G2.
            Slot::Trimmed => true,
            Slot::Empty => false,
        }
    }

    pub(crate) fn trimmed(&self) -> u64 {
        // Relaxed: [trimmed].
        self.trimmed.load(Ordering::Relaxed)
    }

    pub(super) fn cut(&self) -> u64 {
        // Relaxed: only compared with: [trimmed].
        self.cut.load(Ordering::Relaxed)
    }

    /// The next commits to be cut, up to `COUNT`, none above `until`.
    pub(super) fn uncut<'g, const COUNT: usize>(
        &self,
        guard: &'g Guard<'_>,
        until: u64,
    ) -> Array<&'g Commit, COUNT> {
        let from = self.cut();
        let to = until.min(from.saturating_add(COUNT as u64));
        let slots = (from + 1..=to).map(|number| self.at(guard, number));
        // Trimmed: somebody else has claimed it since.
        let commits = slots.map_while(|slot| match slot {
            Slot::Commit(commit) => Some(commit),
            Slot::Empty | Slot::Trimmed => None,
        });
        let mut uncut = Array::new();
        commits.for_each(|commit| uncut.push(commit));
        uncut
    }

    /// Claims commits of [`Log::uncut`] for cutting; false: there are none, or somebody else has
    /// claimed them.
    pub(super) fn claim_cut(&self, commits: &[&Commit]) -> bool {
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else {
            return false;
        };
        let from = first.number() - 1;
        // Relaxed: a claim publishes nothing: [trimmed].
        let claimed =
            self.cut
                .compare_exchange(from, last.number(), Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok()
    }

    /// Claims up to `commits_max` positions for trimming, none above `until`; the empty range when
    /// there is nothing to claim, or another thread claimed first and works already.
    pub(super) fn claim_trim(&self, until: u64, commits_max: u64) -> RangeInclusive<u64> {
        let nothing = RangeInclusive::new(1, 0);
        // Relaxed: the CAS decides.
        let from = self.trimmed.load(Ordering::Relaxed);
        let to = until.min(self.cut()).min(from.saturating_add(commits_max));
        if to <= from {
            return nothing;
        }
        // Release: [lost] of the stations; [trimmed] is the unlinking's.
        let claimed = self
            .trimmed
            .compare_exchange(from, to, Ordering::Release, Ordering::Relaxed);
        claimed.map_or(nothing, |_| from + 1..=to)
    }

    /// Takes out the commits of a claimed range, and the segments that it ends.
    pub(super) fn trim(
        &self,
        guard: &Guard<'_>,
        range: RangeInclusive<u64>,
        garbage: &mut Garbage,
    ) {
        for number in range {
            let Some(segment) = self.segment(guard, number) else {
                // Another trimmer was ahead of us and ended the segment: it retired what it found,
                // the rest went with ours.
                continue;
            };
            let slot = &segment.slot(number).commit;
            // Relaxed: the watermark was acquired, and has passed the commit. No RMW: the slot is
            // ours by the claim (G6).
            let commit = slot.load(Ordering::Relaxed);
            // Release: [slot]: who finds TRIMMED also sees the position moved.
            slot.store(TRIMMED, Ordering::Release);
            if !commit.is_null() && commit != TRIMMED {
                // SAFETY: G3: under the guard, and not even retired yet.
                self.history.forget(unsafe { at(commit.cast_const()) });
                garbage.defer(commit, Work::Commit);
            }
            if number % SLOTS as u64 == SLOTS as u64 - 1 {
                self.unlink(guard, base_of(number), garbage);
            }
        }
    }

    /// Takes a segment whose slots are all claimed for trimming out of the ring. Its laggards (a
    /// trimmer that stopped between its claim and its swaps) have it pinned.
    fn unlink(&self, guard: &Guard<'_>, base: u64, garbage: &mut Garbage) {
        let Some(segment) = self.segment(guard, base) else {
            return;
        };
        let segment = std::ptr::from_ref(segment).cast_mut();
        // AcqRel: [segment], [trimmed].
        let unlinked = self.entry(base).compare_exchange(
            segment,
            std::ptr::null_mut(),
            Ordering::AcqRel,
            Ordering::Relaxed,
        );
        if let Ok(segment) = unlinked {
            garbage.defer(segment, Work::Segment);
        }
    }

    /// Takes every segment out; nobody else is left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = *mut Segment> {
        self.ring.iter_mut().filter_map(|entry| {
            // Relaxed: nobody else is left.
            let segment = entry.swap(std::ptr::null_mut(), Ordering::Relaxed);
            (!segment.is_null()).then_some(segment)
        })
    }

    /// Bytes of the segments, for statistics.
    pub(crate) fn bytes(&self) -> usize {
        let live = self.ring.iter().filter(|entry| {
            // Relaxed: a figure.
            !entry.load(Ordering::Relaxed).is_null()
        });
        live.count() * size_of::<Segment>() + self.ring.len() * size_of::<usize>()
    }
}

/// What came of an append.
#[derive(Debug)]
pub(crate) enum Append<'g> {
    Done(&'g Commit),
    /// Another commit has the number.
    Taken(Unpublished),
    /// The ring holds as much as it may.
    Full(Unpublished),
}
