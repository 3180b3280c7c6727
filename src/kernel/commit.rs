//! A commit: a transaction's writes, as the log keeps them.
//!
//! # Invariants
//! G3 of [`super::log`] and V5, V6 of [`super::chain`]: what a commit leads to stands as long as
//! it does.
//!
//! # Orderings
//! - [installed]: the flag's Release store after the heads were moved, its Acquire load before the
//!   watermark passes.

use smallvec::SmallVec;

use super::entry::EntryHeader;
use super::key_set::KeySet;
use super::memory::allocate_struct;
use super::node::VersionHeader;
use super::pending::{Outcome, Pending};
use super::post::Posts;
use super::reclaim::{Guard, at, free, own};
use super::record::RecordHeader;
use crate::sync::{AtomicBool, AtomicU64, Ordering};
use crate::version::Moment;

/// One object's change in a commit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Write {
    pub(crate) record: *const RecordHeader,
    /// The version that it makes; the commit holds a link.
    pub(crate) new: *const VersionHeader,
    /// The version that it replaces, unless that is a tombstone or nothing; the commit holds a
    /// link.
    pub(crate) old: *const VersionHeader,
    pub(crate) hash: u64,
    pub(crate) table: u16,
    /// Whether the writer claims the record: it shows nothing at the writer's version.
    pub(super) claimed: bool,
}

/// A transaction's writes, as the log keeps them. On lines of its own: by two threads, neighbours
/// would drive one another's out.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Commit {
    number: AtomicU64,
    /// Whether the watermark may pass it. Here, and not beside the log's slots: it is written by
    /// whoever wrote the rest of the commit, most often.
    installed: AtomicBool,
    /// A bit a table written (tables from 64 on share bits).
    tables: u64,
    /// A bit a key written: quick proof that a commit and a read set are strangers.
    signature: u64,
    /// What it counts for in the retained history: see [`super::history`].
    pub(super) kept: AtomicU64,
    writes: SmallVec<[Write; 2]>,
    /// A bit a write (of the first 64) whose chain's link to what it replaced has been left to the
    /// commit.
    left: AtomicU64,
    /// Of a commit that others decide. Set before it is published.
    pending: Option<Box<Pending>>,
    posts: Posts,
}

impl Write {
    /// The index entries that the new version is found by; none for a deletion.
    pub(crate) fn new_entries<'g>(
        &'g self,
        _: &'g Guard<'_>,
    ) -> impl Iterator<Item = &'g EntryHeader> {
        // SAFETY: V5: the commit's image keeps the version, and the guard the commit (G3).
        let new: &'g VersionHeader = unsafe { at(self.new) };
        // SAFETY: as above.
        unsafe { new.entries() }
    }

    /// The version that it replaces; none for a creation. Not of a commit that was refused when the
    /// caller found it.
    #[inline]
    fn replaced<'g>(&'g self, _: &'g Guard<'_>) -> Option<&'g VersionHeader> {
        // SAFETY: V5: as above; while the commit is pending, and till the guard ends, D3 keeps it.
        self.replaces().then(|| unsafe { at(self.old) })
    }

    /// The index entries that the replaced version was found by; none for a creation. Not of a
    /// commit that was refused when the caller found it.
    pub(crate) fn old_entries<'g>(
        &'g self,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = &'g EntryHeader> {
        let old = self.replaced(guard);
        let keys = old.map_or(std::ptr::null_mut(), VersionHeader::keys);
        // SAFETY: V5, D3: as above.
        unsafe { KeySet::entries_of(keys) }
    }

    /// The index entries that either version is or was found by; once, if they share them all. Not
    /// of a commit that was refused when the caller found it.
    #[inline]
    pub(crate) fn entries<'g>(
        &'g self,
        guard: &'g Guard<'_>,
    ) -> impl Iterator<Item = &'g EntryHeader> {
        // SAFETY: V5: as above.
        let new = unsafe { at(self.new) }.keys();
        let old = self.replaced(guard);
        let replaced = old.map(VersionHeader::keys).filter(|&keys| keys != new);
        // SAFETY: V5, D3: as above, for each of them.
        let entries = |keys| unsafe { KeySet::entries_of(keys) };
        entries(replaced.unwrap_or(std::ptr::null_mut())).chain(entries(new))
    }

    /// Bytes of the new version; of a deletion 0.
    pub(super) fn new_size(&self, _: &Guard<'_>) -> usize {
        // SAFETY: V5: as above.
        unsafe { at(self.new) }.size()
    }

    /// When it was written.
    pub(crate) fn written_at(&self, _: &Guard<'_>) -> Moment {
        // SAFETY: V5: as above.
        unsafe { at(self.new) }.updated()
    }

    /// Whether it deletes.
    pub(crate) fn deletes(&self, _: &Guard<'_>) -> bool {
        // SAFETY: V5: as above.
        unsafe { at(self.new) }.is_tombstone()
    }

    /// Whether there was an object before.
    pub(crate) fn replaces(&self) -> bool {
        !self.old.is_null()
    }
}

// SAFETY: V5 and G3: what the pointers lead to is kept by the commit's own links; all of it is
// Send
// + Sync (the tables' bounds).
unsafe impl Send for Commit {}
// SAFETY: as above; a published commit is only read.
unsafe impl Sync for Commit {}

/// The bit of a key in a signature.
#[inline]
pub(crate) fn signature_bit(hash: u64) -> u64 {
    1 << (hash >> 58)
}

/// The bit of a table in a mask.
#[inline]
pub(crate) fn table_bit(table: u16) -> u64 {
    1 << (table % 64)
}

impl Commit {
    /// Adds a write, before the commit is published.
    #[inline(always)]
    pub(super) fn add(&mut self, write: Write) {
        self.tables |= table_bit(write.table);
        self.signature |= signature_bit(write.hash);
        self.writes.push(write);
    }

    /// The write that was added last, before the commit is published.
    #[inline(always)]
    pub(super) fn last(&mut self) -> &mut Write {
        self.writes.last_mut().expect("a write was added")
    }

    /// Leaves the outcome to others, before the commit is published.
    pub(super) fn set_pending(&mut self, pending: Box<Pending>) {
        self.pending = Some(pending);
    }

    /// Takes back what [`Commit::set_pending`] gave, from a commit that is the caller's alone.
    pub(super) fn take_pending(&mut self) -> Option<Box<Pending>> {
        self.pending.take()
    }

    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.pending.as_deref()
    }

    /// What became of it; one that nobody else decides is accepted.
    #[inline]
    pub(crate) fn outcome(&self) -> Outcome {
        let pending = self.pending.as_ref();
        pending.map_or(Outcome::Accepted, |pending| pending.outcome())
    }

    #[inline]
    pub(crate) fn number(&self) -> u64 {
        // Relaxed: written before the slot's Release, read after its Acquire: [slot].
        self.number.load(Ordering::Relaxed)
    }

    /// Notes that its heads are installed, or never will be.
    #[inline]
    pub(super) fn set_installed(&self) {
        // Release: [installed].
        self.installed.store(true, Ordering::Release);
    }

    #[inline]
    pub(super) fn is_installed(&self) -> bool {
        // Acquire: [installed].
        self.installed.load(Ordering::Acquire)
    }

    /// Bytes of it and its writes.
    pub(super) fn own_bytes(&self) -> u64 {
        (size_of::<Self>() + size_of_val(self.writes())) as u64
    }

    pub(crate) fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// Those that are in the way of who read what they change: none of a commit that is refused,
    /// of which what was to be replaced may be gone (D3).
    #[inline]
    pub(crate) fn writes_in_the_way(&self) -> &[Write] {
        match self.outcome() {
            Outcome::Refused => &[],
            Outcome::Pending | Outcome::Accepted => &self.writes,
        }
    }

    /// Leaves the link from the chain to what a write replaced to the commit, which has one to it
    /// as well: so both are given back at once. False: it has no room for it. For the claimer of
    /// the commit's cutting, pinned since before, who takes it back if the commit is trimmed by
    /// then ([cut/trim], [`super::below`]).
    pub(super) fn leave_link(&self, place: usize) -> bool {
        let Some(bit) = u32::try_from(place)
            .ok()
            .and_then(|at| 1u64.checked_shl(at))
        else {
            return false;
        };
        // Relaxed: nobody else writes it, and who reads it does so a grace period later (R3).
        let left = self.left.load(Ordering::Relaxed);
        // Relaxed: as above.
        self.left.store(left | bit, Ordering::Relaxed);
        true
    }

    /// Takes back what was left to the commit, link by link. For the claimer of its cutting, pinned
    /// since before.
    pub(super) fn take_links(&self, mut each: impl FnMut(*const VersionHeader)) {
        // Relaxed: as in `leave_link`.
        let mut left = self.left.load(Ordering::Relaxed);
        // Relaxed: as there.
        self.left.store(0, Ordering::Relaxed);
        for write in &self.writes {
            if left & 1 != 0 {
                each(write.old);
            }
            left >>= 1;
        }
    }

    /// The versions that it has links to if it is accepted, and how many. For who frees it.
    #[inline]
    pub(super) fn each_image(&self, mut each: impl FnMut(*const VersionHeader, u32)) {
        // Relaxed: written before the grace period.
        let mut left = self.left.load(Ordering::Relaxed);
        for write in &self.writes {
            if !write.old.is_null() {
                each(write.old, 1 + (left & 1) as u32);
            }
            each(write.new, 1);
            left >>= 1;
        }
    }

    pub(super) fn posts(&self) -> &Posts {
        &self.posts
    }

    pub(crate) fn tables(&self) -> u64 {
        self.tables
    }

    pub(crate) fn signature(&self) -> u64 {
        self.signature
    }
}

/// A commit that is its writer's alone.
#[derive(Debug)]
pub(crate) struct Unpublished(*mut Commit);

impl Unpublished {
    /// What [`Unpublished::into_raw`] gave, and was not published.
    ///
    /// # Safety
    /// It is the caller's.
    pub(super) unsafe fn from_raw(commit: *mut Commit) -> Self {
        Self(commit)
    }

    pub(crate) fn new() -> Self {
        // Its room for writes need not be copied.
        Self(allocate_struct!(Commit {
            number: AtomicU64::new(0),
            installed: AtomicBool::new(false),
            tables: 0,
            signature: 0,
            kept: AtomicU64::new(0),
            writes: SmallVec::new(),
            left: AtomicU64::new(0),
            pending: None,
            posts: Posts::new(),
        }))
    }

    /// With its number, which is published with it. The caller owns it.
    pub(super) fn into_raw(self, number: u64) -> *mut Commit {
        // Relaxed: published by the CAS of [slot].
        self.number.store(number, Ordering::Relaxed);
        std::mem::ManuallyDrop::new(self).0
    }
}

impl std::ops::Deref for Unpublished {
    type Target = Commit;

    fn deref(&self) -> &Commit {
        // SAFETY: from `allocate_struct`, and not published.
        unsafe { at(self.0) }
    }
}

impl std::ops::DerefMut for Unpublished {
    fn deref_mut(&mut self) -> &mut Commit {
        // SAFETY: as above.
        unsafe { own(self.0) }
    }
}

impl Drop for Unpublished {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { free(self.0) };
    }
}
