//! Collection, by committers, in slices: cut what nobody needs off the chains, trim the log, reap
//! dead records, free what is ripe.
//!
//! Collection is driven by the log: a commit at or below the horizon tells which chains got
//! longer, soon after it happened. When a long snapshot holds the horizon back, commits above it
//! are gone through all the same: what nobody needs right below the new version is passed by, and
//! where nobody needs anything below it, that is cut; else the record is put on the *residual* list
//! and looked at again when the horizon has moved. So the log never waits for a snapshot, and a
//! chain keeps what live snapshots need and a few links ([`super::stage`] compacts it where many
//! have piled up).
//!
//! ```text
//! trimmed <= cut <= visible     cut: up to here the chains have been seen to;
//!                               trimmed: up to here the commits are gone
//! ```
//!
//! # Who does what
//! Any committer, every [`EVERY`] commits: one claim of a range of the log, by CAS; nobody waits
//! for the range of another. A thread that stops inside its range keeps that range's work (and,
//! pinned, all freeing) to itself; commits and reads go on.
//!
//! # Orderings
//! - [residual]: fences on both sides: a cutter claims commits, fences, and loads a record's mark;
//!   a sweeper clears the mark, fences, and loads what is claimed. So the cutter finds the mark
//!   cleared and puts the record back, or the sweeper sees to what the cutter claimed.
//!
//! # No user code inside a pin
//! What is ripe is freed with the pin given up: a user's Drop may do what it likes, and its panics
//! end here.

use super::Kernel;
use super::barrier::fence;
use super::below::{any_needed, defer_older, give_up, part_from_trimmed, pass_by_unneeded};
use super::commit::Commit;
use super::cursor::Effort;
use super::horizon::{Active, LAG_LONG};
use super::node::VersionHeader;
use super::older::Older;
use super::pending::Outcome;
use super::reclaim::{Action, Garbage, Guard, Retired, Ripe, at};
use super::record::RecordHeader;
use super::release::{contain, fetch_ahead, release};
use super::session::Line;
use super::step::{Step, step};
use super::table::GarbageBin;
use crate::sync::Ordering;

/// A thread collects after this many commits of its own.
const EVERY: u32 = if cfg!(any(loom, shuttle)) { 1 } else { 32 };
/// Commits cut, and commits trimmed, in a slice: more than were made since the last one, so that
/// collection catches up.
const SLICE_COMMITS: u64 = if cfg!(any(loom, shuttle)) { 2 } else { 96 };
/// Residual records seen to in a slice.
const SLICE_RESIDUAL: usize = if cfg!(shuttle) { 1 } else { 64 };
/// Retired things freed in a slice, about.
const SLICE_FREED: usize = if cfg!(shuttle) { 4 } else { 256 };
/// Of which so many are taken at a time: without an allocation, which may take a lock.
const AT_ONCE: usize = if cfg!(any(loom, shuttle)) { 4 } else { 64 };
/// Pieces freed of each thing that goes by parts, the first ones of a slice: more than come to it,
/// one a commit, between the slices of one thread.
const PART: usize = if cfg!(any(loom, shuttle)) {
    1
} else {
    2 * EVERY as usize
};
/// So many things of a slice; where there are more, it is [`FRESH`], and a slice a commit.
const PARTS_WHOLE: usize = FRESH as usize / 2;
/// Pieces of each of the others.
const PART_OF_MANY: usize = if cfg!(any(loom, shuttle)) { 1 } else { 4 };
/// A thread tries to free between its collections when it has retired so many things.
const FRESH: u64 = if cfg!(shuttle) { 8 } else { 64 };
/// Things freed in a slice at most because the thread has retired as many.
const OWN_FREED_MAX: usize = 16_384;

/// What is to be done with something retired, when nobody can see it any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Give back a link of a version.
    Link,
    /// Give back a list and its links.
    List,
    /// Cut what is below a version whose successor lists what is needed, then give back the link
    /// that came with the work.
    CutBelow,
    /// Give back the images of a commit and free it.
    Commit,
    /// Free a segment of the log and what a stopped trimmer left in it.
    Segment,
    /// Give back a claim of a record.
    Unclaim,
}

impl Kernel {
    /// Notes a commit of this thread; now and then collects a slice.
    pub(crate) fn collect_sometimes(&self) {
        self.collect_sometimes_on(self.domain.registry().line());
    }

    /// The same, with the calling thread's line at hand.
    pub(crate) fn collect_sometimes_on(&self, line: &Line) {
        // Relaxed: only the owning thread touches `commits` (L2).
        let commits = line.commits.load(Ordering::Relaxed) + 1;
        // Relaxed: as above.
        line.commits.store(commits % EVERY, Ordering::Relaxed);
        if commits >= EVERY {
            self.collect_with(Effort::Fair);
        } else {
            self.free_if_much_on(line);
        }
    }

    /// Frees some of what is ripe if this thread has retired much of late. Not pinned: runs users'
    /// Drop.
    pub(crate) fn free_if_much(&self) {
        self.free_if_much_on(self.domain.registry().line());
    }

    fn free_if_much_on(&self, line: &Line) {
        if cfg!(not(loom)) && self.retired_much(line) {
            self.free();
        }
    }

    /// One slice of collection; tells whether it found anything to do.
    pub(crate) fn collect(&self) -> bool {
        self.collect_with(Effort::Full)
    }

    fn collect_with(&self, effort: Effort) -> bool {
        // Also for a user's Drop that commits amid a collection: the log must not fill up.
        let cut = self.cut_and_trim(effort);
        let freed = self.free();
        cut || freed
    }

    /// Frees some of what is ripe, unless that is what this thread is about anyway: if nobody is
    /// pinned, what it has retired last, too. Looks at every thread's line.
    pub(crate) fn free(&self) -> bool {
        let line = self.domain.registry().line();
        // Relaxed: only the owning thread touches the flag (L2).
        if line.collecting.swap(true, Ordering::Relaxed) {
            // The freeing that a user's Drop interrupts goes on when it returns.
            return false;
        }
        let _done = Collecting(&line.collecting);
        self.free_ripe(line)
    }

    /// Whether this thread has retired so much since it last tried to free that it is worth while
    /// to try again: what is freed soon is used again while it is in the cache.
    fn retired_much(&self, line: &Line) -> bool {
        // Relaxed: only the owning thread touches the count (L2).
        let fresh = line.fresh.load(Ordering::Relaxed);
        // Trying looks at every line: seldom where there are many.
        fresh >= FRESH && fresh >= self.domain.registry().count()
    }

    fn cut_and_trim(&self, effort: Effort) -> bool {
        let mut garbage = GarbageBin::new(self);
        // Pinned before anything is claimed: what the range leads to stays until we are through.
        let guard = self.domain.pin();
        let active = self.scan();
        let visible = self.horizon.visible();
        let bound = visible.saturating_sub(self.limits.log_commits);
        let reachable = if visible - active.horizon.min(visible) > LAG_LONG {
            active.boundary
        } else {
            active.horizon
        };
        // Looked up before the claim: once it is ours, others may trim the range, and only what we
        // found under the pin is then still to be had.
        let commits = self
            .log
            .uncut::<{ SLICE_COMMITS as usize }>(&guard, reachable.max(bound));
        let mut busy = self.log.claim_cut(&commits);
        if busy {
            step(Step::CutClaimed);
            // SeqCst: [residual].
            fence(Ordering::SeqCst);
            for &commit in &*commits {
                self.cut_commit(&guard, commit, &active, &mut garbage.0);
            }
            part_from_trimmed(&commits, &self.log, &mut garbage.0);
        }
        busy |= self.sweep_residual(&guard, &active, &mut garbage.0);
        busy |= self.log.history.count(&guard, self, visible);
        let kept = self.log.history.begin(&guard, &self.log, visible);
        let lag = self.log.history.lag_begin(&guard, &self.log);
        let lag = lag.max(visible.saturating_sub(self.limits.watch_commits));
        let wanted = active.writers.min(kept).max(bound);
        // Up to where neither writers nor watchers within their lag need the log.
        let unread = self.cursors.unread(wanted, lag, visible, effort);
        let range = self.log.claim_trim(unread.max(bound), SLICE_COMMITS);
        if !range.is_empty() {
            busy = true;
            step(Step::TrimClaimed);
        }
        self.log.trim(&guard, range, &mut garbage.0);
        busy
    }

    fn cut_commit(
        &self,
        guard: &Guard<'_>,
        commit: &Commit,
        active: &Active,
        garbage: &mut Garbage,
    ) {
        if commit.outcome() == Outcome::Refused {
            // Never installed.
            return;
        }
        for place in 0..commit.writes().len() {
            if commit.number() <= active.horizon {
                self.cut_write(guard, commit, place, garbage);
            } else {
                self.cut_write_above(guard, commit, place, active, garbage);
            }
        }
    }

    /// Nobody reads below the write: everything older goes, and the record with it if the write
    /// deleted.
    fn cut_write(&self, guard: &Guard<'_>, commit: &Commit, place: usize, garbage: &mut Garbage) {
        let write = &commit.writes()[place];
        // SAFETY: V5: the commit's image, and the commit is pinned (G3).
        let new = unsafe { at(write.new) };
        let older = new.cut();
        if matches!(older, Older::End) {
            // A residual sweep was here before us, and saw to the record: it may be gone.
            return;
        }
        match older {
            Older::One(version) => give_up(commit, place, version, garbage),
            Older::End | Older::List(_) => defer_older(older, garbage),
        }
        if new.is_tombstone() {
            // SAFETY: K5: the commit was claimed for cutting by us, pinned since before.
            let record = unsafe { at(write.record) };
            record.touch();
            self.reap(guard, record, garbage);
        }
    }

    /// A snapshot below the write is alive: cut if it needs nothing of this chain, else leave the
    /// record for later.
    fn cut_write_above(
        &self,
        guard: &Guard<'_>,
        commit: &Commit,
        place: usize,
        active: &Active,
        garbage: &mut Garbage,
    ) {
        let (write, number) = (&commit.writes()[place], commit.number());
        // SAFETY: K5: as above.
        let record = unsafe { at(write.record) };
        // SAFETY: V5: as above.
        let new = unsafe { at(write.new) };
        pass_by_unneeded(guard, commit, place, active, garbage);
        if matches!(new.older(), Older::End) {
            return;
        }
        // Relaxed: ordered by the fence after the claim: [residual]. It waits already.
        let waits = record.residual.load(Ordering::Relaxed);
        if (new.is_tombstone() || !waits) && !any_needed(guard, new, number, active) {
            defer_older(new.cut(), garbage);
            if !new.is_tombstone() {
                return;
            }
            // The record itself goes when the horizon has passed its tombstone.
        }
        if !waits {
            self.leave_residual(record);
        }
    }

    /// Puts a record on the residual list, with a claim, unless it is there.
    fn leave_residual(&self, record: &RecordHeader) {
        // Relaxed: of several one pushes, and the list publishes.
        if record.residual.swap(true, Ordering::Relaxed) {
            return;
        }
        if !record.claim() {
            // The snapshot ended since our scan, and a sweep that saw it end reaped the record.
            return;
        }
        self.residual.put_away(record);
    }

    /// Goes on with the residual records, when the horizon has moved since they were put away.
    fn sweep_residual(&self, guard: &Guard<'_>, active: &Active, garbage: &mut Garbage) -> bool {
        self.residual
            .start_sweep(active, self.horizon.visible(), self.log.cut());
        let mut seen = 0;
        while seen < SLICE_RESIDUAL
            && let Some(record) = self.residual.pop(guard, garbage)
        {
            step(Step::Sweeping);
            // SAFETY: K3: the list's claim keeps it.
            self.sweep_record(guard, unsafe { at(record) }, active, garbage);
            seen += 1;
        }
        seen > 0
    }

    /// A sweep alone, for the models.
    #[cfg(loom)]
    pub(crate) fn sweep(&self) {
        let mut garbage = GarbageBin::new(self);
        let guard = self.domain.pin();
        self.sweep_residual(&guard, &self.scan(), &mut garbage.0);
    }

    fn sweep_record(
        &self,
        _: &Guard<'_>,
        record: &RecordHeader,
        active: &Active,
        garbage: &mut Garbage,
    ) {
        // Relaxed: ordered by the fence. A swap, as marking is: each follows another in one order.
        record.residual.swap(false, Ordering::Relaxed);
        // SeqCst: [residual].
        fence(Ordering::SeqCst);
        let mut later = false;
        // K5: not beyond what is claimed for cutting. What is above is cut by its own commit.
        let claimed = self.log.cut();
        // Acquire: [head].
        let mut next = record.head.load(Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: V3: reached under the guard.
            let version = unsafe { at(next.cast_const()) };
            if version.number() <= active.horizon.min(claimed) {
                let older = version.cut();
                if !matches!(older, Older::End) {
                    record.touch();
                }
                defer_older(older, garbage);
                break;
            }
            next = match version.older() {
                Older::One(older) => older,
                Older::List(_) => {
                    later = true;
                    break;
                }
                Older::End => {
                    later |= version.is_tombstone() && version.number() <= claimed;
                    break;
                }
            };
            later |= !next.is_null() && version.number() <= claimed;
        }
        if later {
            self.leave_residual(record);
        }
        self.unclaim(record, garbage);
    }

    /// Notes that this thread has retired so many things.
    pub(super) fn note_given(&self, count: usize) {
        let line = self.domain.registry().line();
        for counter in [&line.given, &line.fresh] {
            // Relaxed: only the owning thread touches the counts (L2).
            let before = counter.load(Ordering::Relaxed);
            // Relaxed: as above.
            counter.store(before + count as u64, Ordering::Relaxed);
        }
    }

    /// Frees some of what nobody can see any more. Not pinned: runs users' Drop.
    fn free_ripe(&self, line: &Line) -> bool {
        // Relaxed: only the owning thread touches the count (L2).
        let own = line.given.load(Ordering::Relaxed);
        // Twice as many as this thread has retired, so that nobody retires faster than is freed.
        let wanted = usize::try_from(own.saturating_mul(2)).unwrap_or(OWN_FREED_MAX);
        let mut ripe = self.take_ripe(line, SLICE_FREED.max(wanted.min(OWN_FREED_MAX)));
        let mut some = ripe.next::<AT_ONCE>();
        if some.is_empty() {
            return false;
        }
        step(Step::Reclaiming);
        let mut garbage = GarbageBin::new(self);
        let mut freed = 0;
        while !some.is_empty() {
            freed += some.len() as u64;
            for (place, &retired) in some.iter().enumerate() {
                // SAFETY: R3: ripe, taken by us alone, and not executed yet.
                unsafe { fetch_ahead(&some[place..]) };
                // SAFETY: R3: as above.
                unsafe { self.execute(retired, &mut garbage.0) };
                if cfg!(not(loom)) && self.retired_much(line) {
                    // What releasing retires takes the memory of what it retired before.
                    freed += self.free_fresh(line, &mut garbage.0);
                }
            }
            some = ripe.next();
        }
        // Relaxed: as above.
        let own = line.given.load(Ordering::Relaxed);
        // Relaxed: as above.
        line.given
            .store(own.saturating_sub(freed), Ordering::Relaxed);
        true
    }

    /// Frees some of what was retired since this thread last freed some; how many.
    fn free_fresh(&self, line: &Line, garbage: &mut Garbage) -> u64 {
        let mut freed = 0;
        let mut ripe = self.take_ripe(line, 2 * FRESH as usize);
        loop {
            let some = ripe.next::<AT_ONCE>();
            if some.is_empty() {
                return freed;
            }
            for &retired in &*some {
                // SAFETY: R3: ripe, taken by us alone, and not executed yet.
                unsafe { self.execute(retired, garbage) };
            }
            freed += some.len() as u64;
        }
    }

    /// Some of what is ripe, for the thread of this line.
    fn take_ripe(&self, line: &Line, wanted: usize) -> Ripe<'_> {
        // Relaxed: only the owning thread touches the count (L2).
        line.fresh.store(0, Ordering::Relaxed);
        self.domain.ripe(wanted)
    }

    /// # Safety
    /// R3 holds for it, and the caller is the only one who has it.
    unsafe fn execute(&self, retired: Retired, garbage: &mut Garbage) {
        match retired.action {
            // SAFETY: the caller's promise.
            Action::Free(free) => contain(|| unsafe { free(retired.pointer) }),
            Action::Part(part) => {
                let pieces = match garbage.len() < PARTS_WHOLE {
                    true => PART,
                    false => PART_OF_MANY,
                };
                // SAFETY: the caller's promise.
                let left = unsafe { part(retired.pointer, pieces) };
                if !left.is_null() {
                    // SAFETY: R1: it went with what was retired, and is ours alone.
                    unsafe { garbage.retire_by_parts(left, part) };
                }
            }
            Action::Kernel(Work::Unclaim) => {
                // SAFETY: K3: the garbage's claim keeps it.
                let record = unsafe { at(retired.pointer.cast::<RecordHeader>().cast_const()) };
                self.unclaim(record, garbage);
            }
            Action::Kernel(Work::CutBelow) => {
                let version = retired.pointer.cast::<VersionHeader>();
                // SAFETY: V5: the work's link keeps it. A grace period has passed since its
                // successor came with a list, so nobody walks on below it; only the
                // releasing is left.
                defer_older(unsafe { at(version.cast_const()) }.cut(), garbage);
                garbage.defer(version, Work::Link);
            }
            // SAFETY: the caller's promise.
            Action::Kernel(work) => unsafe { release(Some(self), work, retired.pointer) },
        }
    }
}

/// Clears the thread's mark when the slice is over, also by a panic.
struct Collecting<'a>(&'a crate::sync::AtomicBool);

impl Drop for Collecting<'_> {
    fn drop(&mut self) {
        // Relaxed: only the owning thread touches the flag (L2).
        self.0.store(false, Ordering::Relaxed);
    }
}
