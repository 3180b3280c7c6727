//! Giving back: claims, holds, links, and what was put in place for a write that is not to be.
//!
//! Everything shared is counted by somebody ([`super::chain`], [`super::entry`], [`super::record`]
//! say what by whom); here the counts go down, and what is left by the last one is taken apart.

use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::{SmallVec, smallvec};

use super::Kernel;
use super::barrier::prefetch;
use super::chain::List;
use super::collect::Work;
use super::commit::{Commit, Write};
use super::entry::EntryHeader;
use super::key_set::{Base, KeySet, Keys};
use super::node::{VersionHeader, release_hold};
use super::older::Older;
use super::pending::{Outcome, give_back};
use super::reclaim::{Action, Garbage, Guard, Retired, at, free, free_block};
use super::record::{RecordHeader, Unclaimed};
use super::secondary::{WAYS_MIN, Ways};
use super::segment::Segment;
use super::stage::Compacted;
use super::stage::keys::INDEXES_INLINE;
use super::step::{Step, step};
use super::table::GarbageBin;

impl Kernel {
    /// Gives a claim back, and reaps the record if it was the last and there is nothing to see.
    pub(super) fn unclaim(&self, record: &RecordHeader, garbage: &mut Garbage) {
        self.unclaim_times(record, 1, garbage);
    }

    /// Gives so many claims back at once, as [`Kernel::unclaim`] does.
    pub(super) fn unclaim_times(&self, record: &RecordHeader, count: u32, garbage: &mut Garbage) {
        if count == 0 {
            return;
        }
        // Pinned before the claims are gone, after which somebody else may reap the record.
        let guard = self.domain.pin();
        if record.unclaim_times(count) == Unclaimed::Last {
            self.reap(&guard, record, garbage);
        }
    }

    /// Makes a record dead and takes it out, if nobody claims it and all that it shows is an old
    /// tombstone, or nothing.
    pub(super) fn reap(&self, guard: &Guard<'_>, record: &RecordHeader, garbage: &mut Garbage) {
        let killed = record.kill(|head| {
            if head.is_null() {
                return true;
            }
            // SAFETY: V3: reached under the guard.
            let head = unsafe { at(head.cast_const()) };
            head.is_tombstone()
                && head.number() <= self.horizon.horizon()
                && matches!(head.older(), Older::End)
        });
        if !killed {
            return;
        }
        step(Step::Dead);
        let table = self.tables.at(usize::from(record.table));
        // A comparison of the user's that panics leaves the dead record linked for good, with what
        // it shows, and harmless. SAFETY: of that table (T1), dead, killed by us.
        contain(|| unsafe { table.unlink_record(guard, garbage, record) });
    }

    /// Gives back a hold of each of these entries; the last one takes an entry out of its index.
    ///
    /// # Safety
    /// The holds are the caller's.
    pub(super) unsafe fn release_entries(&self, entries: &[*const EntryHeader]) {
        let mut garbage = GarbageBin::new(self);
        // Pinned before a hold is gone, after which somebody else may retire the entry.
        let guard = self.domain.pin();
        // Entries of one key set are of one record, whose claims go together.
        let mut claims = (std::ptr::null(), 0);
        for entries in entries.chunks(INDEXES_INLINE) {
            let dead = entries.iter().copied();
            // SAFETY: E3: the hold, the caller's to give back, keeps it.
            let dead = dead.filter(|&entry| unsafe { at(entry) }.release());
            let dead: SmallVec<[_; INDEXES_INLINE]> = dead.collect();
            // SAFETY: killed by us.
            let records = unsafe { self.unlink_entries(&guard, &mut garbage.0, &dead) };
            for record in records {
                if !std::ptr::eq(record, claims.0) {
                    self.give_claims(claims, &mut garbage.0);
                    claims = (record, 0);
                }
                claims.1 += 1;
            }
        }
        self.give_claims(claims, &mut garbage.0);
    }

    /// Takes dead entries of one table out of their indexes; gives the records of which a claim is
    /// now the caller's to give back.
    ///
    /// # Safety
    /// The caller killed them.
    unsafe fn unlink_entries(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        dead: &[*const EntryHeader],
    ) -> SmallVec<[*const RecordHeader; INDEXES_INLINE]> {
        let mut records = SmallVec::new();
        let Some(&first) = dead.first() else {
            return records;
        };
        // SAFETY: E1: dead, and retired below.
        let table = self.tables.at(usize::from(unsafe { at(first) }.table));
        let mut ways = Ways::new();
        if dead.len() >= WAYS_MIN {
            // SAFETY: of that table (T2).
            contain(|| ways = unsafe { table.ways(guard, dead) });
        }
        for (place, &entry) in dead.iter().enumerate() {
            let way = ways.get(place);
            // SAFETY: of that table (T2), dead, killed by the caller, with its own way.
            contain(|| records.extend(unsafe { table.unlink_entry(guard, garbage, entry, way) }));
        }
        records
    }

    fn give_claims(&self, (record, count): (*const RecordHeader, u32), garbage: &mut Garbage) {
        if count > 0 {
            // SAFETY: E2: the entries' claims, now ours, keep it.
            self.unclaim_times(unsafe { at(record) }, count, garbage);
        }
    }

    /// Takes back what was put in place for a write that is not to be.
    ///
    /// # Safety
    /// All of it is the caller's: the write was never installed, and nobody sees it.
    pub(super) unsafe fn unstage(&self, write: Write, compacted: Option<Compacted>) {
        let mut garbage = GarbageBin::new(self);
        if let Some(Compacted { versions, list }) = compacted {
            // SAFETY: never published; its links, but for the first, which is the head's, are ours.
            for &version in &unsafe { at(list.cast_const()) }.versions()[1..] {
                garbage.0.defer(version, Work::Link);
            }
            // SAFETY: as above.
            unsafe { free(list) };
            for version in versions {
                garbage.0.defer(version.cast_mut(), Work::Link);
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
        if write.claimed {
            // SAFETY: K3: our claim keeps it.
            self.unclaim(unsafe { at(write.record) }, &mut garbage.0);
        }
    }
}

/// Runs what may run a user's Drop: its panic must not reach whoever happens to collect.
pub(crate) fn contain(drop: impl FnOnce()) {
    // A model's or scenario's failure is not a user's.
    #[cfg(any(loom, shuttle))]
    return drop();
    #[cfg(not(any(loom, shuttle)))]
    contain_panic(drop);
}

/// The same, also in a model: for what panics in one on purpose.
pub(crate) fn contain_panic(drop: impl FnOnce()) {
    // The panic's payload is dropped the same way, once; a payload that panics again is leaked.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(drop)) {
        let _ =
            catch_unwind(AssertUnwindSafe(|| std::mem::drop(payload))).map_err(std::mem::forget);
    }
}

/// A key or a value of the user's, of which several go together: each of them goes, and no panic of
/// its Drop reaches whoever lets them go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contained<T>(ManuallyDrop<T>);

impl<T> Contained<T> {
    #[inline]
    pub(crate) fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }

    /// What is in it, whose Drop is not contained any more.
    #[inline]
    pub(crate) fn into_inner(self) -> T {
        let mut own = ManuallyDrop::new(self);
        // SAFETY: taken once: it is not dropped, and not used again.
        unsafe { ManuallyDrop::take(&mut own.0) }
    }
}

impl<T> Deref for Contained<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Drop for Contained<T> {
    #[inline]
    fn drop(&mut self) {
        if std::mem::needs_drop::<T>() {
            // SAFETY: it goes here alone, and is not used again.
            contain(|| unsafe { ManuallyDrop::drop(&mut self.0) });
        }
    }
}

/// Things between a fetch and what it is for: first of a thing itself, then of what it leads to.
const AHEAD: usize = if cfg!(loom) { 1 } else { 6 };

/// Has the processor fetch what the work that follows will touch: long unused, it lies far away,
/// and what counts links down waits for each line.
///
/// # Safety
/// R3 holds for all the work, and the caller is the only one who has it.
#[inline]
pub(super) unsafe fn fetch_ahead(work: &[Retired]) {
    if let Some(far) = work.get(2 * AHEAD) {
        prefetch(far.pointer);
    }
    let Some(&Retired { pointer, action }) = work.get(AHEAD) else {
        return;
    };
    match action {
        Action::Kernel(Work::Link) => {
            let version = pointer.cast::<VersionHeader>().cast_const();
            // SAFETY: V5: the link that came with the work keeps it.
            unsafe { at(version) }.prefetch_counts();
        }
        Action::Kernel(Work::Commit) => {
            // SAFETY: the caller's promise.
            let commit = unsafe { at(pointer.cast::<Commit>().cast_const()) };
            if commit.outcome() != Outcome::Accepted {
                // It has no link to what it was to replace, which may be gone.
                return;
            }
            // SAFETY: V5: the commit's link.
            commit.each_image(|image, _| unsafe { at(image) }.prefetch_counts());
        }
        _ => {}
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
            let seen = unsafe { at(commit.cast_const()) };
            if seen.outcome() == Outcome::Accepted {
                seen.each_image(|image, links| {
                    // SAFETY: the commit's links.
                    unsafe { release_links(kernel, image.cast_mut(), links) };
                });
            } else {
                // SAFETY: ours alone, and `release`'s caller saw to the grace period.
                unsafe { give_back(kernel, pointer.cast()) };
            }
            // Changes that watchers were given go with it.
            // SAFETY: allocated by its maker, ours alone, not used again.
            contain(|| unsafe { free(commit) });
        }
        Work::Segment => {
            let segment = pointer.cast::<Segment>();
            // SAFETY: ours alone by now.
            for commit in unsafe { at(segment.cast_const()) }.leftovers() {
                if let Some(kernel) = kernel {
                    // SAFETY: not freed before the next line does it.
                    kernel
                        .log
                        .history
                        .forget(unsafe { at(commit.cast_const()) });
                }
                // SAFETY: a grace period has passed for the segment and so for what only it led to.
                unsafe { release(kernel, Work::Commit, commit.cast()) };
            }
            match kernel {
                // SAFETY: ours alone, not used again.
                Some(kernel) => unsafe { kernel.log.spare.give_back(segment) },
                // SAFETY: as above.
                None => unsafe { free(segment) },
            }
        }
        // Both need a kernel; a teardown has neither chains to cut nor records to keep.
        Work::CutBelow => {
            // SAFETY: the link came with the work.
            unsafe { release_link(kernel, pointer.cast()) };
        }
        Work::Unclaim => {}
    }
}

/// Gives back a link.
///
/// # Safety
/// The link is the caller's.
unsafe fn release_link(kernel: Option<&Kernel>, version: *mut VersionHeader) {
    // SAFETY: the caller's promise.
    unsafe { release_links(kernel, version, 1) };
}

/// Gives back links, one at least; a version without links leaves the store, and gives back what it
/// leads to.
///
/// # Safety
/// The links are the caller's.
unsafe fn release_links(kernel: Option<&Kernel>, version: *mut VersionHeader, count: u32) {
    // SAFETY: V5: the links that we are about to give back keep it.
    if unsafe { at(version.cast_const()) }.remove_links(count) {
        // SAFETY: it was the last one.
        unsafe { leave(kernel, version) };
    }
}

/// What a version leads to, given back with it.
///
/// # Safety
/// The version has no link left, and the caller is who gave the last one back.
unsafe fn leave(kernel: Option<&Kernel>, version: *mut VersionHeader) {
    let mut left: SmallVec<[*mut VersionHeader; 8]> = smallvec![version];
    while let Some(version) = left.pop() {
        // SAFETY: the store's hold keeps it.
        let header = unsafe { at(version.cast_const()) };
        let mut give_back = |older: *mut VersionHeader| {
            // SAFETY: V5: the link from the version above.
            if unsafe { at(older.cast_const()) }.remove_links(1) {
                left.push(older);
            }
        };
        match header.left_below() {
            Older::End => {}
            Older::One(older) => give_back(older),
            Older::List(list) => {
                // SAFETY: the version's list, ours with it; nobody walks a version without links.
                let versions = unsafe { at(list.cast_const()) }.versions();
                versions.iter().for_each(|&older| give_back(older));
                // SAFETY: as above.
                unsafe { free(list) };
            }
        }
        if let Some(kernel) = kernel {
            kernel.count_made(-1, -(header.size() as i64));
        }
        // SAFETY: E4: the version had the last use of its share.
        unsafe { release_keys(kernel, header.keys()) };
        // SAFETY: the store's hold goes with the last link.
        contain(|| unsafe { release_hold(version) });
    }
}

/// # Safety
/// The share of the key set is the caller's.
pub(super) unsafe fn release_keys(kernel: Option<&Kernel>, keys: *mut Keys) {
    // SAFETY: E4: our share keeps it.
    if keys.is_null() || !unsafe { KeySet::at(keys) }.release() {
        return;
    }
    // SAFETY: ours alone by now.
    let released = unsafe { KeySet::at(keys) };
    // Before its share of the base is gone, which may then go at once.
    let (own, _) = released.parts();
    let base = released.base();
    // SAFETY: E5: its share, ours now, keeps the base, if there is one.
    let last = unsafe { base.as_ref() }.is_some_and(Base::release);
    if let Some(kernel) = kernel {
        let left = if last { released.entries() } else { own };
        left.iter().for_each(|&entry| prefetch(entry));
        // SAFETY: E3, E5: the key set's holds, and the base's.
        unsafe { kernel.release_entries(left) };
    }
    if last {
        // SAFETY: E5: ours alone, not used again.
        unsafe { free(base.cast_mut()) };
    }
    // SAFETY: ours alone, not used again.
    unsafe { free_block::<KeySet>(keys.cast()) };
}

/// Gives back a record's head in a teardown.
///
/// # Safety
/// Nobody else is left.
pub(super) unsafe fn tear_down(head: *mut VersionHeader) {
    // SAFETY: V5: the head's link.
    if !unsafe { at(head.cast_const()) }.is_tombstone() {
        // SAFETY: V6: the link for its old image, which no commit has taken.
        unsafe { release_link(None, head) };
    }
    // SAFETY: the head's link, for good.
    unsafe { release_link(None, head) };
}
