//! The versions of one record, newest first: read at a version, install, prune.
//!
//! ```text
//! put@1 put@4 put@6     head -> 6 -> 4 -> 1            a snapshot at 5 reads 4
//! horizon 6             head -> 6 -> END               4 and 1 are released after a grace period
//! snapshot held at 1, put@7, put@8, put@9:
//!                       head -> 9 -> LIST[8, 1]        what no snapshot needs (7, 6, 4)
//!                                                      is cut off below 8 after a grace period
//! ```
//!
//! # Who counts what
//! A version has *links*: one from above (the head, a younger version or a list), one for each
//! image that a commit of the log keeps. At zero links it has left the store: its index keys go,
//! and one *hold*, the store's. Every owned handle is a hold too; at zero holds it is freed.
//! Readers inside the store count nothing: a pin, or their snapshot's word, keeps what they look
//! at.
//!
//! # Invariants
//! - V1: numbers fall strictly from the head down.
//! - V2: `older` is written before the version is published; after that it changes once, to END.
//! - V3: a version is cut from its chain only when no live or announcing snapshot needs it, and
//!   released a grace period later.
//! - V4: whoever holds a snapshot's word at S finds, from the head, the newest version at or below
//!   S.
//! - V5: a version with a link or a hold is not freed.
//!
//! # Orderings
//! - [head]: the installer's AcqRel CAS and every reader's Acquire load: who sees a version sees
//!   its body and number.

use super::entry::{EntryHeader, KeySet};
use super::log::{Commit, Write};
use super::reclaim::at;
use super::record::RecordHeader;
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::version::{Meta, Moment};

/// The tag of an `older` pointer that leads to a list.
const LIST: usize = 1;

/// What every version has, whatever its object: one cache line.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct VersionHeader {
    number: AtomicU64,
    older: AtomicPtr<()>,
    keys: *mut KeySet,
    links: AtomicU32,
    holds: AtomicU32,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
    free: unsafe fn(*mut VersionHeader),
    depth: Depth,
    /// Bytes of the node with its object; of a tombstone 0.
    pub(super) size: u32,
}

/// How long a walk from a version may be.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    /// Single links below since the last list.
    pub(super) links: u16,
    /// With so many it is worth looking at the chain again.
    pub(super) look_at: u16,
}

impl Depth {
    /// Of the version above.
    pub(super) fn next(self) -> Self {
        let links = self.links.saturating_add(1);
        Self { links, ..self }
    }
}

/// A version with its object.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct VersionNode<T> {
    pub(crate) header: VersionHeader,
    pub(crate) object: T,
}

/// The versions that a compacted chain keeps below its newest, newest first.
#[derive(Debug)]
pub(crate) struct List(Box<[*mut VersionHeader]>);

/// Where `older` leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Older {
    End,
    One(*mut VersionHeader),
    List(*mut List),
}

impl Older {
    fn unpack(word: *mut ()) -> Self {
        if word.is_null() {
            Self::End
        } else if word.addr() & LIST == 0 {
            Self::One(word.cast())
        } else {
            Self::List(word.map_addr(|address| address & !LIST).cast())
        }
    }

    fn pack(self) -> *mut () {
        match self {
            Self::End => std::ptr::null_mut(),
            Self::One(version) => version.cast(),
            Self::List(list) => list.cast::<()>().map_addr(|address| address | LIST),
        }
    }
}

impl VersionHeader {
    pub(super) fn new(
        free: unsafe fn(*mut Self),
        created: Moment,
        updated: Moment,
        size: usize,
    ) -> Self {
        Self {
            number: AtomicU64::new(0),
            older: AtomicPtr::new(std::ptr::null_mut()),
            keys: std::ptr::null_mut(),
            // The link from above and the image in the log.
            links: AtomicU32::new(2),
            holds: AtomicU32::new(1),
            created,
            updated,
            free,
            depth: Depth::default(),
            size: u32::try_from(size).unwrap_or(u32::MAX),
        }
    }

    /// The commit that wrote it. Meaningful once it stands in a chain.
    #[inline]
    pub(crate) fn number(&self) -> u64 {
        // Relaxed: written before the CAS of [head] by which we got here, and by everybody with the
        // same value.
        self.number.load(Ordering::Relaxed)
    }

    /// Whether it says that there is no object.
    #[inline]
    pub(crate) fn is_tombstone(&self) -> bool {
        self.size == 0
    }

    pub(crate) fn meta(&self) -> Meta {
        Meta::new(self.number(), self.created, self.updated)
    }

    #[inline]
    pub(super) fn older(&self) -> Older {
        // Acquire: [head]: the older versions' bodies, for who came here by a link made before.
        Older::unpack(self.older.load(Ordering::Acquire))
    }

    /// Sets what only its maker may, before it is published (V2).
    pub(super) fn link(&mut self, older: Older, depth: Depth) {
        self.older = AtomicPtr::new(older.pack());
        self.depth = depth;
    }

    pub(super) fn set_keys(&mut self, keys: *mut KeySet) {
        self.keys = keys;
    }

    pub(super) fn keys(&self) -> *mut KeySet {
        self.keys
    }

    /// The entries of its key set.
    ///
    /// # Safety
    /// The version keeps a link for `'a` (E4).
    pub(super) unsafe fn entries<'a>(&self) -> impl Iterator<Item = &'a EntryHeader> + use<'a> {
        let entries: &'a [*const EntryHeader] = if self.keys.is_null() {
            &[]
        } else {
            // SAFETY: the caller's promise.
            unsafe { at(self.keys.cast_const()) }.entries()
        };
        // SAFETY: E3: the key set's hold.
        entries.iter().map(|&entry| unsafe { at(entry) })
    }

    pub(super) fn depth(&self) -> Depth {
        self.depth
    }

    /// Forgets what an unpublished version leads to, since none of that was given to it; tells its
    /// keys.
    pub(super) fn forget_older(&mut self) -> *mut KeySet {
        self.older = AtomicPtr::new(std::ptr::null_mut());
        self.keys
    }

    /// Cuts off everything older; the caller gets what was there, once (V2), and must release it
    /// after a grace period.
    pub(super) fn cut(&self) -> Older {
        if matches!(self.older(), Older::End) {
            return Older::End;
        }
        // AcqRel: [head]: of several cutters one gets the rest, with the bodies in it.
        Older::unpack(self.older.swap(std::ptr::null_mut(), Ordering::AcqRel))
    }

    pub(super) fn add_link(&self) {
        // Relaxed: the caller has a link or is protected (V5); only giving back orders.
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    /// True: it was the last link; the version has left the store.
    #[must_use]
    pub(super) fn remove_link(&self) -> bool {
        // AcqRel: [count]: all uses under other links happened before.
        self.links.fetch_sub(1, Ordering::AcqRel) == 1
    }

    pub(crate) fn add_hold(&self) {
        // Relaxed: the caller has a hold, or the store's stands (V5); only giving back orders.
        let before = self.holds.fetch_add(1, Ordering::Relaxed);
        assert!(before < u32::MAX / 2, "too many handles of one object");
    }
}

/// Gives back a hold; the last one frees the version, and drops the user's object.
///
/// # Safety
/// The caller owns the hold.
pub(crate) unsafe fn release_hold(version: *const VersionHeader) {
    // SAFETY: V5: our hold keeps it.
    let header = unsafe { at(version) };
    // AcqRel: [count]: all uses under other holds happened before the freeing.
    if header.holds.fetch_sub(1, Ordering::AcqRel) == 1 {
        let free = header.free;
        // SAFETY: V5: no link, no hold: nobody has it. `free` is the one of its type.
        unsafe { free(version.cast_mut()) };
    }
}

impl List {
    pub(super) fn new(versions: Box<[*mut VersionHeader]>) -> *mut Self {
        super::reclaim::allocate(Self(versions))
    }

    pub(super) fn versions(&self) -> &[*mut VersionHeader] {
        &self.0
    }

    /// The newest at or below `version`.
    fn find<'a>(&self, version: u64) -> Option<&'a VersionHeader> {
        let newer = self.0.partition_point(|&listed| {
            // SAFETY: V5: the list's link keeps it, and the caller's pin or word the list.
            unsafe { at(listed) }.number() > version
        });
        let found = self.0.get(newer)?;
        // SAFETY: as above.
        Some(unsafe { at(*found) })
    }
}

/// The newest version at or below `version`, tombstones included. Wait-free: as many steps as there
/// are newer versions on the chain.
///
/// # Safety
/// The caller is pinned, and holds a snapshot's word at `version` for `'a` (V4): the result lives
/// as long as the word.
#[inline]
pub(crate) unsafe fn read<'a>(record: &RecordHeader, version: u64) -> Option<&'a VersionHeader> {
    // Acquire: [head].
    let mut next = record.head.load(Ordering::Acquire);
    loop {
        if next.is_null() {
            return None;
        }
        // SAFETY: V3: reached under the caller's pin, so not released before it ends; V4 for the
        // one that is returned.
        let found = unsafe { at(next) };
        if found.number() <= version {
            return Some(found);
        }
        match found.older() {
            Older::End => return None,
            Older::One(older) => next = older,
            Older::List(list) => {
                // SAFETY: V3: as above, a list is released as its versions are.
                return unsafe { at(list) }.find(version);
            }
        }
    }
}

/// Puts the new versions of an appended commit at the heads of their records. Idempotent: anybody
/// may do it, any number of times. Wait-free: one step a write.
///
/// # Safety
/// The caller is pinned since before it learned of the commit, and the commit is appended.
pub(crate) unsafe fn install(commit: &Commit) {
    let number = commit.number();
    for write in commit.writes() {
        // SAFETY: the caller's pin, and the commit's image.
        unsafe { install_one(write, number) };
    }
}

/// # Safety
/// As [`install`].
unsafe fn install_one(write: &Write, number: u64) {
    // SAFETY: K3, K4: the writer claimed the record, or holds a word at which it is present; after
    // that V1 keeps our pin's record.
    let record = unsafe { at(write.record) };
    // Acquire: [head]. Loaded under the pin, so that what we expect is not freed and its address
    // not reused: no ABA.
    let head = record.head.load(Ordering::Acquire);
    if !head.is_null() {
        // SAFETY: V3: reached under the pin.
        let installed = unsafe { at(head) }.number();
        if installed >= number {
            return;
        }
    }
    // SAFETY: V5: the commit's image keeps it.
    let new = unsafe { at(write.new) };
    if new.number() != number {
        // Relaxed: published by the CAS below; every helper stores the same value.
        new.number.store(number, Ordering::Relaxed);
    }
    super::step::step(super::step::Step::BeforeHeadCas);
    // AcqRel: [head]. A failure means that another thread installed this commit: nobody else may
    // write the record before it is visible.
    let _ = record.head.compare_exchange(
        head,
        write.new.cast_mut(),
        Ordering::AcqRel,
        Ordering::Relaxed,
    );
}

/// The object of a version that is not a tombstone.
///
/// # Safety
/// The version is a `VersionNode<T>`'s and no tombstone.
#[inline]
pub(crate) unsafe fn object<T>(version: &VersionHeader) -> &T {
    debug_assert!(!version.is_tombstone(), "a tombstone has no object");
    let node = std::ptr::from_ref(version).cast::<VersionNode<T>>();
    // SAFETY: the caller's promise; the header is the node's first field (repr C).
    unsafe { &(*node).object }
}

/// Has the processor fetch what a read of a version begins with. A hint: nothing is read.
#[inline]
pub(super) fn prefetch(version: *const VersionHeader) {
    #[cfg(all(target_arch = "x86_64", not(loom), not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch takes any address.
        unsafe { _mm_prefetch(version.cast::<i8>(), _MM_HINT_T0) };
        // SAFETY: as above.
        unsafe { _mm_prefetch(version.wrapping_add(1).cast::<i8>(), _MM_HINT_T0) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(loom), not(miri))))]
    let _ = version;
}
