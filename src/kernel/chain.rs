//! The versions of one record, newest first: read at a version, install, prune.
//!
//! ```text
//! put@1 put@4 put@6     head -> 6 -> 4 -> 1            a snapshot at 5 reads 4
//! horizon 6             head -> 6 -> END               4 and 1 are released after a grace period
//! snapshot held at 1    head -> 6 -> 1                 4 is passed by, and released the same way
//! put@7, put@8, put@9 before that is done:
//!                       head -> 9 -> LIST[8, 1]        what no snapshot needs (7, 6, 4)
//!                                                      is cut off below 8 after a grace period
//! ```
//!
//! # Invariants
//! - V1: numbers fall strictly from the head down.
//! - V2: `older` is written before the version is published; after that it changes to a version
//!   further below, past one that nobody needs and whose link it takes over, and once to END.
//! - V3: a version is cut from its chain only when no live or announcing snapshot needs it, and
//!   released a grace period later.
//! - V4: whoever holds a snapshot's word at S finds, from the head, the newest version at or below
//!   S.
//! - V5: a version with a link or a hold is not freed.
//! - V6: a version with an object is replaced by one commit at most, in one write, and the link for
//!   its old image is that commit's from the append on; in a teardown it is the head's. Who cuts
//!   the chain right below that commit's version may leave the chain's link to it as well.
//! - V7: a version's shape is that of the node that it stands in.
//!
//! # Orderings
//! - [head]: the installer's AcqRel CAS and every reader's Acquire load: who sees a version sees
//!   its body and number.

use smallvec::SmallVec;

use super::commit::{Commit, Write};
use super::node::VersionHeader;
use super::older::Older;
use super::pending::Pending;
use super::reclaim::{allocate, at};
use super::record::RecordHeader;
use super::step::{Step, step};
use crate::sync::Ordering;

/// The versions that a compacted chain keeps below its newest, newest first.
///
/// On a line of its own, in a slab: another thread frees it than made it.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct List(SmallVec<[*mut VersionHeader; LISTED_INLINE]>);

/// So many versions a list has, or fewer, that needs no memory beside its line.
pub(super) const LISTED_INLINE: usize = 6;

impl List {
    pub(super) fn new(versions: SmallVec<[*mut VersionHeader; LISTED_INLINE]>) -> *mut Self {
        allocate(Self(versions))
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
    step(Step::Reading);
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
    let proposed = commit.pending().map_or(0, Pending::accepted_at);
    for write in commit.writes() {
        // SAFETY: the caller's pin, and the commit's image.
        unsafe { install_one(write, number, proposed) };
    }
}

/// # Safety
/// As [`install`].
unsafe fn install_one(write: &Write, number: u64, proposed: u64) {
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
    new.set_number(number);
    if proposed != 0 {
        new.set_proposed(proposed);
    }
    record.forecast_keys(new.keys());
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
