//! Collection, by committers, in slices: cut what nobody needs off the chains, trim the log, reap
//! dead records, free what is ripe.
//!
//! Collection is driven by the log: a commit at or below the horizon tells which chains got longer,
//! soon after it happened. When a long snapshot holds the horizon back, commits above it are gone
//! through all the same: where the snapshot needs nothing below the new version, that is cut; where
//! it does, the record is put on the *residual* list and looked at again when the horizon has
//! moved. So the log never waits for a snapshot, and a chain keeps what live snapshots need and a
//! few links ([`super::table`] compacts it).
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
//! # No user code inside a pin
//! What is ripe is freed with the pin given up: a user's Drop may do what it likes, and its panics
//! end here.

#[cfg(not(loom))]
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::{SmallVec, smallvec};

use super::chain::{List, Older, VersionHeader, release_hold};
use super::entry::{EntryHeader, KeySet};
use super::horizon::Active;
use super::log::{Commit, Log, Segment, Write};
use super::reclaim::{Action, Garbage, Guard, Retired, allocate, at, free};
use super::record::{RecordHeader, Unclaimed};
use super::step::{Step, step};
use super::table::{GarbageBin, LAG_LONG};
use super::{Kernel, Residual};
use crate::sync::Ordering;

/// A thread collects after this many commits of its own.
const EVERY: u32 = if cfg!(loom) { 1 } else { 32 };
/// Commits cut, and commits trimmed, in a slice: more than were made since the last one, so that
/// collection catches up.
const SLICE_COMMITS: u64 = if cfg!(loom) { 2 } else { 96 };
/// Residual records seen to in a slice.
const SLICE_RESIDUAL: usize = 64;
/// Retired things freed in a slice, about.
const SLICE_FREED: usize = 256;

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
        let line = self.domain.registry().line();
        // Relaxed: only the owning thread touches `commits` (L2).
        let commits = line.commits.load(Ordering::Relaxed) + 1;
        // Relaxed: as above.
        line.commits.store(commits % EVERY, Ordering::Relaxed);
        if commits >= EVERY {
            self.collect();
        }
    }

    /// One slice of collection; tells whether it found anything to do.
    pub(crate) fn collect(&self) -> bool {
        // Also for a user's Drop that commits amid a collection: the log must not fill up.
        let cut = self.cut_and_trim();
        let line = self.domain.registry().line();
        // Relaxed: only the owning thread touches the flag (L2).
        if line.collecting.swap(true, Ordering::Relaxed) {
            // The freeing that the Drop interrupts goes on when it returns.
            return cut;
        }
        let _done = Collecting(&line.collecting);
        let freed = self.free_ripe();
        cut || freed
    }

    fn cut_and_trim(&self) -> bool {
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
        let commits = self.log.uncut(&guard, reachable.max(bound), SLICE_COMMITS);
        let mut busy = self.log.claim_cut(&commits);
        if busy {
            step(Step::CutClaimed);
            for commit in commits {
                self.cut_commit(&guard, commit, &active, &mut garbage.0);
            }
        }
        busy |= self.sweep_residual(&guard, &active, &mut garbage.0);
        let unread = active.writers.min(self.oldest_cursor(visible));
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
        for write in commit.writes() {
            if commit.number() <= active.horizon {
                self.cut_write(guard, write, garbage);
            } else {
                self.cut_write_above(guard, write, commit.number(), active, garbage);
            }
        }
    }

    /// Nobody reads below the write: everything older goes, and the record with it if the write
    /// deleted.
    fn cut_write(&self, guard: &Guard<'_>, write: &Write, garbage: &mut Garbage) {
        // SAFETY: V5: the commit's image, and the commit is pinned (G3).
        let new = unsafe { at(write.new) };
        let older = new.cut();
        if matches!(older, Older::End) {
            // A residual sweep was here before us, and saw to the record: it may be gone.
            return;
        }
        defer_older(older, garbage);
        if new.tombstone {
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
        write: &Write,
        number: u64,
        active: &Active,
        garbage: &mut Garbage,
    ) {
        // SAFETY: V5: as above.
        let new = unsafe { at(write.new) };
        if matches!(new.older(), Older::End) {
            return;
        }
        if !new.tombstone && !any_needed(guard, new, number, active) {
            defer_older(new.cut(), garbage);
            return;
        }
        // SAFETY: K5: as above.
        self.leave_residual(unsafe { at(write.record) });
    }

    /// Puts a record on the residual list, with a claim, unless it is there.
    fn leave_residual(&self, record: &RecordHeader) {
        // AcqRel: [residual]: of several one pushes; the sweeper clears it before it looks at the
        // chain.
        if record.residual.swap(true, Ordering::AcqRel) {
            return;
        }
        if !record.claim() {
            // The snapshot ended since our scan, and a sweep that saw it end reaped the record.
            return;
        }
        let node = allocate(Residual::new(record));
        // SAFETY: ours until pushed.
        unsafe { Residual::push(&self.residual.waiting, node) };
    }

    /// Goes on with the residual records, when the horizon has moved since they were put away.
    fn sweep_residual(&self, guard: &Guard<'_>, active: &Active, garbage: &mut Garbage) -> bool {
        self.residual
            .start_sweep(active, self.horizon.visible(), self.log.cut());
        let mut seen = 0;
        while seen < SLICE_RESIDUAL
            && let Some(record) = self.residual.pop(guard, garbage)
        {
            // SAFETY: K3: the list's claim keeps it.
            self.sweep_record(guard, unsafe { at(record) }, active, garbage);
            seen += 1;
        }
        seen > 0
    }

    fn sweep_record(
        &self,
        _: &Guard<'_>,
        record: &RecordHeader,
        active: &Active,
        garbage: &mut Garbage,
    ) {
        // AcqRel: [residual]: of us and a cutter that marks the record the later sees the earlier: it
        // puts the record back, or we see its claim below.
        record.residual.swap(false, Ordering::AcqRel);
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
                Older::End => break,
            };
            later |= !next.is_null() && version.number() <= claimed;
        }
        if later {
            self.leave_residual(record);
        }
        self.unclaim(record, garbage);
    }

    /// Frees some of what nobody can see any more. Not pinned: runs users' Drop.
    fn free_ripe(&self) -> bool {
        let ripe = self.domain.ripe(SLICE_FREED);
        if ripe.is_empty() {
            return false;
        }
        step(Step::Reclaiming);
        let mut garbage = GarbageBin::new(self);
        for retired in ripe {
            // SAFETY: R3: ripe, and taken by us alone.
            unsafe { self.execute(retired, &mut garbage.0) };
        }
        true
    }

    /// # Safety
    /// R3 holds for it, and the caller is the only one who has it.
    unsafe fn execute(&self, retired: Retired, garbage: &mut Garbage) {
        match retired.action {
            // SAFETY: the caller's promise.
            Action::Free(free) => contain(|| unsafe { free(retired.pointer) }),
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

    /// Gives a claim back, and reaps the record if it was the last and there is nothing to see.
    pub(super) fn unclaim(&self, record: &RecordHeader, garbage: &mut Garbage) {
        // Pinned before the claim is gone, after which somebody else may reap the record.
        let guard = self.domain.pin();
        if record.unclaim() == Unclaimed::Last {
            self.reap(&guard, record, garbage);
        }
    }

    /// Makes a record dead and takes it out, if nobody claims it and all that it shows is an old
    /// tombstone, or nothing.
    fn reap(&self, guard: &Guard<'_>, record: &RecordHeader, garbage: &mut Garbage) {
        let mut tombstone = std::ptr::null_mut();
        let killed = record.kill(|head| {
            tombstone = head;
            if head.is_null() {
                return true;
            }
            // SAFETY: V3: reached under the guard.
            let head = unsafe { at(head.cast_const()) };
            head.tombstone
                && head.number() <= self.horizon.horizon()
                && matches!(head.older(), Older::End)
        });
        if !killed {
            return;
        }
        step(Step::Dead);
        let table = &self.tables[usize::from(record.table)];
        // A comparison of the user's that panics leaves the dead record linked for good, and harmless.
        // SAFETY: of that table (T1), dead, killed by us.
        contain(|| unsafe { table.unlink_record(guard, garbage, record) });
        if !tombstone.is_null() {
            garbage.defer(tombstone, Work::Link);
        }
    }

    /// Gives back a hold of an entry; the last one takes it out of its index.
    ///
    /// # Safety
    /// The hold is the caller's.
    pub(super) unsafe fn release_entry(&self, entry: *const EntryHeader) {
        let mut garbage = GarbageBin::new(self);
        // Pinned before the hold is gone, after which somebody else may retire the entry.
        let guard = self.domain.pin();
        // SAFETY: E3: the hold keeps it; then the pin.
        let header = unsafe { at(entry) };
        if header.release() {
            let table = &self.tables[usize::from(header.table)];
            // SAFETY: of that table (T2), dead, killed by us.
            let record = unsafe { table.unlink_entry(&guard, &mut garbage.0, entry) };
            // SAFETY: E2: the entry's claim, now ours, keeps it.
            self.unclaim(unsafe { at(record) }, &mut garbage.0);
        }
    }

    /// Takes back what was put in place for a write that is not to be.
    ///
    /// # Safety
    /// All of it is the caller's, and the write was never appended.
    pub(super) unsafe fn unstage(
        &self,
        write: Write,
        claimed: bool,
        compacted: &[*const VersionHeader],
        list: *mut List,
    ) {
        let mut garbage = GarbageBin::new(self);
        if !list.is_null() {
            // SAFETY: never published; its links, but for the first, which is the head's, are ours.
            for &version in &unsafe { at(list.cast_const()) }.versions()[1..] {
                garbage.0.defer(version, Work::Link);
            }
            // SAFETY: as above.
            unsafe { free(list) };
        }
        for &linked in compacted.iter().chain([&write.old]) {
            if !linked.is_null() {
                garbage.0.defer(linked.cast_mut(), Work::Link);
            }
        }
        if !write.new.is_null() {
            let new = write.new.cast_mut();
            // SAFETY: never published: ours alone.
            let keys = unsafe { (*new).forget_older() };
            // SAFETY: V5: no link was published; E4: the key set's share is ours.
            unsafe { release_keys(Some(self), keys) };
            // SAFETY: the store's hold is ours.
            contain(|| unsafe { release_hold(new) });
        }
        if claimed {
            // SAFETY: K3: our claim keeps it.
            self.unclaim(unsafe { at(write.record) }, &mut garbage.0);
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

/// Runs what may run a user's Drop: its panic must not reach whoever happens to collect.
pub(super) fn contain(drop: impl FnOnce()) {
    // A model's failure is not a user's.
    #[cfg(loom)]
    return drop();
    #[cfg(not(loom))]
    contain_panic(drop);
}

#[cfg(not(loom))]
fn contain_panic(drop: impl FnOnce()) {
    // The panic's payload is dropped the same way, once; a payload that panics again is leaked.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(drop)) {
        let _ =
            catch_unwind(AssertUnwindSafe(|| std::mem::drop(payload))).map_err(std::mem::forget);
    }
}

fn defer_older(older: Older, garbage: &mut Garbage) {
    match older {
        Older::End => {}
        Older::One(version) => garbage.defer(version, Work::Link),
        Older::List(list) => garbage.defer(list, Work::List),
    }
}

/// Whether some snapshot needs anything below `new`.
fn any_needed(_: &Guard<'_>, new: &VersionHeader, number: u64, active: &Active) -> bool {
    let mut until = number;
    let mut needed = |version: &VersionHeader| {
        let from = version.number();
        active.needs(from, std::mem::replace(&mut until, from))
    };
    let mut older = new.older();
    loop {
        match older {
            Older::End => return false,
            Older::One(version) => {
                // SAFETY: V3: reached under the guard.
                let version = unsafe { at(version.cast_const()) };
                if needed(version) {
                    return true;
                }
                older = version.older();
            }
            Older::List(list) => {
                // SAFETY: V3: as above.
                let listed = unsafe { at(list.cast_const()) }.versions();
                // SAFETY: V5: the list's links.
                return listed
                    .iter()
                    .any(|&version| needed(unsafe { at(version.cast_const()) }));
            }
        }
    }
}

/// Does one piece of releasing work. Without a kernel (the store is being torn down) entries are
/// left to their trees.
///
/// # Safety
/// R3 holds for the pointer, it is of the work's type, and the caller is the only one who has it.
pub(super) unsafe fn release(kernel: Option<&Kernel>, work: Work, pointer: *mut ()) {
    match work {
        // SAFETY: the link came with the work.
        Work::Link => unsafe { release_link(kernel, pointer.cast()) },
        Work::List => {
            let list = pointer.cast::<List>();
            // SAFETY: ours alone by now.
            for &version in unsafe { at(list.cast_const()) }.versions() {
                // SAFETY: the list's link.
                unsafe { release_link(kernel, version) };
            }
            // SAFETY: ours alone, not used again.
            unsafe { free(list) };
        }
        Work::Commit => {
            let commit = pointer.cast::<Commit>();
            // SAFETY: ours alone by now.
            for write in unsafe { at(commit.cast_const()) }.writes() {
                for image in [write.old, write.new] {
                    if !image.is_null() {
                        // SAFETY: the commit's link.
                        unsafe { release_link(kernel, image.cast_mut()) };
                    }
                }
            }
            // SAFETY: boxed by its maker, ours alone, not used again.
            unsafe { free(commit) };
        }
        Work::Segment => {
            let segment = pointer.cast::<Segment>();
            // SAFETY: ours alone by now.
            for commit in Log::leftovers(unsafe { at(segment.cast_const()) }) {
                // SAFETY: a grace period has passed for the segment and so for what only it led to.
                unsafe { release(kernel, Work::Commit, commit.cast()) };
            }
            // SAFETY: ours alone, not used again.
            unsafe { free(segment) };
        }
        // Both need a kernel; a teardown has neither chains to cut nor records to keep.
        Work::CutBelow => {
            // SAFETY: the link came with the work.
            unsafe { release_link(kernel, pointer.cast()) };
        }
        Work::Unclaim => {}
    }
}

/// Gives back a link; a version without links leaves the store, and gives back what it leads to.
///
/// # Safety
/// The link is the caller's.
unsafe fn release_link(kernel: Option<&Kernel>, version: *mut VersionHeader) {
    let mut stack: SmallVec<[*mut VersionHeader; 8]> = smallvec![version];
    while let Some(version) = stack.pop() {
        // SAFETY: V5: the link that we are about to give back keeps it.
        let header = unsafe { at(version.cast_const()) };
        if !header.remove_link() {
            continue;
        }
        match header.cut() {
            Older::End => {}
            Older::One(older) => stack.push(older),
            Older::List(list) => {
                // SAFETY: the version's list, ours by the cut; nobody walks a version without
                // links.
                stack.extend_from_slice(unsafe { at(list.cast_const()) }.versions());
                // SAFETY: as above.
                unsafe { free(list) };
            }
        }
        if let Some(kernel) = kernel {
            kernel.count_made(-1, -i64::from(header.size));
        }
        // SAFETY: E4: the version had the last use of its share.
        unsafe { release_keys(kernel, header.keys()) };
        // SAFETY: the store's hold goes with the last link.
        contain(|| unsafe { release_hold(version) });
    }
}

/// # Safety
/// The share of the key set is the caller's.
unsafe fn release_keys(kernel: Option<&Kernel>, keys: *mut KeySet) {
    // SAFETY: E4: our share keeps it.
    if keys.is_null() || !unsafe { at(keys.cast_const()) }.release() {
        return;
    }
    if let Some(kernel) = kernel {
        // SAFETY: ours alone by now.
        for &entry in unsafe { at(keys.cast_const()) }.entries() {
            // SAFETY: E3: the key set's hold.
            contain(|| unsafe { kernel.release_entry(entry) });
        }
    }
    // SAFETY: ours alone, not used again.
    unsafe { free(keys) };
}

/// Gives back a record's head in a teardown.
///
/// # Safety
/// Nobody else is left.
pub(super) unsafe fn tear_down(head: *mut VersionHeader) {
    // SAFETY: the head's link, for good.
    unsafe { release_link(None, head) };
}
