//! A version: its layout and its counts.
//!
//! What a read needs stands before the object, so that it shares its line with the object's
//! beginning, the key set too: who comes by an index entry asks it; what only writers and
//! collectors need stands behind it ([`Tail`]), or above the address of its shape.
//! ```text
//! number | older | depth, shape | keys | object | links, holds | created | updated | below
//! ```
//! In a store with a proposer the proposer's version of the commit stands behind that
//! ([`ProposedNode`]); nobody else pays for it.
//!
//! # Who counts what
//! A version has *links*: one from above (the head, a younger version or a list) and one for each
//! image that a commit of the log keeps: its own commit's, and that of the commit that replaces it,
//! which has it from the start, so that replacing counts nothing (V6). At zero links it has left
//! the store: its index keys go, and one *hold*, the store's. Every owned handle is a hold too; at
//! zero holds it is freed. Readers inside the store count nothing: a pin, or their snapshot's word,
//! keeps what they look at.
//!
//! # Invariants
//! V2, V5, V6 and V7 of [`super::chain`].
//!
//! # Orderings
//! - [head]: as in [`super::chain`].
//! - [settled]: the claimer of a version's commit leads it past another with Release, after writing
//!   down the number of what is below; who takes that over loads the tag with Acquire.
//! - [count]: who gives the last link or hold back sees all that was done under the others.

mod proposed;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

use std::mem::offset_of;

use super::barrier::prefetch;
use super::depth::Depth;
use super::entry::EntryHeader;
use super::key_set::{KeySet, Keys};
use super::memory::{allocate_filled, write_field};
use super::older::{HANDED_ON, Older, Passed, SETTLED};
use super::reclaim::{allocate, at, free};
use super::tag::{pointer, tag, tagged};
use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Ordering, Standing};
use crate::version::{Meta, Moment};

use self::proposed::ProposedNode;
pub(crate) use self::proposed::Words;

/// Holds of a version at most: whoever comes at once beyond that has still room to be refused in.
const HOLDS_MAX: u32 = u32::MAX / 2;

/// What every version has in front of its object: what a read needs.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct VersionHeader {
    number: AtomicU64,
    older: AtomicPtr<()>,
    /// Its [`Shape`], tagged with its [`Depth`], which alone changes.
    shape: Standing<Shape>,
    keys: *mut Keys,
}

/// What every version has behind its object: what a read does not need.
#[derive(Debug)]
pub(super) struct Tail {
    links: AtomicU32,
    holds: AtomicU32,
    created: Moment,
    updated: Moment,
    /// The number of the version that `older` leads to, if to one; written by its maker, then by
    /// the claimer of its commit, before it is settled.
    below: AtomicU64,
}

/// What is the same for all versions of one type of object.
#[derive(Debug)]
struct Shape {
    /// Bytes from the header to the tail.
    tail: usize,
    /// Bytes of the node; 0 for a tombstone.
    size: usize,
    /// Bytes from the header to the proposer's version; 0: there is no room for it.
    proposed: usize,
    free: unsafe fn(*mut VersionHeader),
}

/// The shape of versions that say that there is no object. No other shape is like it: statics that
/// are the same may be one, and an object without a size would be none.
static TOMBSTONE: Shape = Shape {
    tail: offset_of!(VersionNode<()>, tail),
    size: 0,
    proposed: 0,
    free: free_node::<VersionNode<()>>,
};

/// A version with its object.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct VersionNode<T> {
    header: VersionHeader,
    pub(super) object: T,
    tail: Tail,
}

/// Bytes of a version of an object `T`.
pub(super) const fn bytes<T>() -> usize {
    size_of::<VersionNode<T>>()
}

/// # Safety
/// `version` is the header of an `N`, its first field, and nobody has it.
unsafe fn free_node<N>(version: *mut VersionHeader) {
    // SAFETY: the caller's promise; the nodes are repr C.
    unsafe { free(version.cast::<N>()) };
}

impl<T> VersionNode<T> {
    const SHAPE: &'static Shape = &Shape {
        tail: offset_of!(Self, tail),
        size: size_of::<Self>(),
        proposed: 0,
        free: free_node::<Self>,
    };

    /// Has the processor fetch what stands beside the object.
    pub(super) fn prefetch_beside(node: *const Self) {
        prefetch(node);
        let tail = node.cast::<u8>().wrapping_add(offset_of!(Self, tail));
        prefetch(tail);
        prefetch(tail.wrapping_add(size_of::<Tail>() - 1));
    }

    /// A node whose object `make` puts in its place, so that it is not moved there.
    #[inline]
    pub(super) fn make(words: Words, make: impl FnOnce() -> T) -> *mut Self {
        if words == Words::Proposed {
            return ProposedNode::make(make);
        }
        // SAFETY: memory for a node, and the caller's.
        let fill = |node: *mut Self| unsafe { Self::fill(node, Self::SHAPE, make) };
        // SAFETY: each field is filled.
        unsafe { allocate_filled(fill) }
    }

    /// # Safety
    /// `node` is memory for one of that shape, and the caller's.
    #[inline(always)]
    unsafe fn fill(node: *mut Self, shape: &'static Shape, make: impl FnOnce() -> T) {
        // The object first: nothing after it can panic.
        // SAFETY: the caller's promise.
        unsafe { write_field(node, offset_of!(Self, object), make()) };
        let header = VersionHeader::new(shape);
        // SAFETY: as above.
        unsafe { write_field(node, offset_of!(Self, header), header) };
        // The link from above, the image in its own commit, and that in its successor's.
        // SAFETY: as above.
        unsafe { write_field(node, offset_of!(Self, tail), Tail::new(3)) };
    }
}

/// A version that says that there is no object.
pub(super) fn tombstone() -> *mut VersionHeader {
    let node = VersionNode {
        header: VersionHeader::new(&TOMBSTONE),
        object: (),
        // The link from above and the image in its commit: it is in nobody's as the old one.
        tail: Tail::new(2),
    };
    allocate(node).cast()
}

impl Tail {
    fn new(links: u32) -> Self {
        Self {
            links: AtomicU32::new(links),
            holds: AtomicU32::new(1),
            created: Moment::default(),
            updated: Moment::default(),
            below: AtomicU64::new(0),
        }
    }
}

impl VersionHeader {
    #[inline]
    fn new(shape: &'static Shape) -> Self {
        let shape = std::ptr::from_ref(shape).cast_mut();
        Self {
            number: AtomicU64::new(0),
            older: AtomicPtr::new(std::ptr::null_mut()),
            shape: Standing::new(tagged(shape, Depth::default().0)),
            keys: std::ptr::null_mut(),
        }
    }

    #[inline]
    fn shape(&self) -> &'static Shape {
        // Relaxed: the address in it stands since the version was made.
        let shape = pointer(self.shape.load(Ordering::Relaxed));
        // SAFETY: V7: it is the address of a static.
        unsafe { &*shape }
    }

    #[inline]
    fn tail_address(&self) -> *const Tail {
        let start = std::ptr::from_ref(self).cast::<u8>();
        start.wrapping_add(self.shape().tail).cast()
    }

    #[inline]
    fn tail(&self) -> &Tail {
        // SAFETY: V7: the header stands in a node of its shape, which is there as long as it.
        unsafe { &*self.tail_address() }
    }

    /// Has the processor fetch the counts.
    #[inline]
    pub(super) fn prefetch_counts(&self) {
        let counts = offset_of!(Tail, links);
        prefetch(self.tail_address().cast::<u8>().wrapping_add(counts));
    }

    /// The tail of a version that nobody else knows.
    fn tail_mut(&mut self) -> &mut Tail {
        // SAFETY: V7, and the version is the caller's alone.
        unsafe { &mut *self.tail_address().cast_mut() }
    }

    /// Says which commit wrote it: anybody may, who installs it (V1).
    pub(super) fn set_number(&self, number: u64) {
        if self.number() != number {
            // Relaxed: published by the CAS of [head]; every helper stores the same value.
            self.number.store(number, Ordering::Relaxed);
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
        std::ptr::eq(self.shape(), &TOMBSTONE)
    }

    /// Bytes of the node with its object; of a tombstone 0.
    pub(super) fn size(&self) -> usize {
        self.shape().size
    }

    pub(crate) fn meta(&self) -> Meta {
        let tail = self.tail();
        Meta::new(self.number(), tail.created, tail.updated).proposed_at(self.proposed())
    }

    pub(crate) fn created(&self) -> Moment {
        self.tail().created
    }

    pub(crate) fn updated(&self) -> Moment {
        self.tail().updated
    }

    #[inline]
    pub(super) fn older(&self) -> Older {
        // Relaxed: V2: it leads to what was linked before the head that led here was published, and
        // later further down the same chain: that head was acquired ([head]).
        Older::unpack(self.older.load(Ordering::Relaxed))
    }

    /// Sets what only its maker may, before it is published (V2).
    pub(super) fn link(&mut self, older: Older, depth: Depth) {
        if let Older::One(below) = older {
            // SAFETY: V5: the link that the caller hands over keeps it.
            let number = unsafe { at(below.cast_const()) }.number();
            self.tail_mut().below = AtomicU64::new(number);
        }
        self.older = AtomicPtr::new(older.pack());
        self.set_depth(depth);
    }

    /// The number of the version that `older` leads to, if to one, without looking at that. For the
    /// claimer of its commit.
    pub(super) fn below(&self) -> u64 {
        // Relaxed: the claimer's own word, or its maker's.
        self.tail().below.load(Ordering::Relaxed)
    }

    /// When it and its object were made; set by its maker, before it is published.
    pub(super) fn set_times(&mut self, created: Moment, updated: Moment) {
        let tail = self.tail_mut();
        (tail.created, tail.updated) = (created, updated);
    }

    pub(super) fn set_keys(&mut self, keys: *mut Keys) {
        self.keys = keys;
    }

    #[inline]
    pub(super) fn keys(&self) -> *mut Keys {
        self.keys
    }

    /// The entries of its key set.
    ///
    /// # Safety
    /// The version keeps a link for `'a` (E4).
    #[inline]
    pub(super) unsafe fn entries<'a>(&self) -> impl Iterator<Item = &'a EntryHeader> + use<'a> {
        // SAFETY: the caller's promise.
        unsafe { KeySet::entries_of(self.keys()) }
    }

    pub(super) fn depth(&self) -> Depth {
        // Relaxed: a hint of when to look at the chain.
        Depth(tag(self.shape.load(Ordering::Relaxed)))
    }

    /// For its maker, before it is published, then for the claimer of its commit.
    fn set_depth(&self, depth: Depth) {
        let shape = std::ptr::from_ref(self.shape()).cast_mut();
        // Relaxed: a hint; and the address stays what it is.
        self.shape.store(tagged(shape, depth.0), Ordering::Relaxed);
    }

    /// Forgets what an unpublished version leads to, since none of that was given to it; tells its
    /// keys.
    pub(super) fn forget_older(&mut self) -> *mut Keys {
        self.older = AtomicPtr::new(std::ptr::null_mut());
        self.keys()
    }

    /// Cuts off everything older; the caller gets what was there, once (V2), unless it was
    /// handed on, and must release it after a grace period.
    pub(super) fn cut(&self) -> Older {
        if matches!(self.older(), Older::End) {
            return Older::End;
        }
        // Relaxed: of several cutters one gets the rest; its bodies are seen as in `older`.
        let word = self.older.swap(std::ptr::null_mut(), Ordering::Relaxed);
        Older::left(word)
    }

    /// What is cut off with a version that has no link left. For who gave the last one back, a
    /// grace period after it left its chain: nobody else is at it, so there is nothing to write.
    pub(super) fn left_below(&self) -> Older {
        // Relaxed: what others did under their links happened before ([count]), and so did what a
        // collector did who came by pinned (R3).
        let word = self.older.load(Ordering::Relaxed);
        Older::left(word)
    }

    /// Says that the collection of its own commit is done with where it leads, but for cutting.
    pub(super) fn settle(&self) {
        // Relaxed: only the claimer of its commit changes it, but for cutting.
        let word = self.older.load(Ordering::Relaxed);
        if word.addr() & SETTLED == 0 && !word.is_null() {
            let settled = word.map_addr(|address| address | SETTLED);
            // Relaxed: it continues the release sequence of the passing by, if there was one:
            // [settled]. A failure: it was cut.
            let _ =
                self.older
                    .compare_exchange(word, settled, Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// Leads past the version right below to where that one leads, and takes its link over; settled
    /// with it, if a version of the number that it then leads to `stays`. For the claimer of its
    /// commit.
    pub(super) fn pass_by(&self, below: &Self, stays: impl FnOnce(u64) -> bool) -> Passed {
        // Acquire: [settled].
        let settled = below.older.load(Ordering::Acquire);
        // Relaxed: as in `settle`.
        let mine = self.older.load(Ordering::Relaxed);
        let leads_there = matches!(Older::unpack(mine), Older::One(it) if std::ptr::eq(it, below));
        if settled.addr() & (SETTLED | HANDED_ON) != SETTLED || !leads_there {
            return Passed::Not;
        }
        let handed_on = settled.map_addr(|address| address | HANDED_ON);
        // Relaxed: it decides whose the link is, for this word alone.
        let taken =
            below
                .older
                .compare_exchange(settled, handed_on, Ordering::Relaxed, Ordering::Relaxed);
        if taken.is_err() {
            return Passed::Not;
        }
        let (own, passed) = (self.tail(), below.tail());
        // What was counted anew, when the one above was made, is less.
        if below.depth().links() < self.depth().links() {
            self.set_depth(below.depth());
        }
        // Relaxed: ordered by [settled].
        let number = passed.below.load(Ordering::Relaxed);
        // Relaxed: published by [settled].
        own.below.store(number, Ordering::Relaxed);
        let stays = match Older::unpack(settled) {
            Older::One(_) => stays(number),
            Older::End | Older::List(_) => true,
        };
        // What does not stay is to be passed by, too, before the version above may take it over.
        let next = match stays {
            true => settled,
            false => settled.map_addr(|address| address & !SETTLED),
        };
        // Release: [settled]. Nothing for who comes here by [head]: what stands below stood there
        // before this version did. Who cuts gives the link back a grace period after our pin.
        let passed = self
            .older
            .compare_exchange(mine, next, Ordering::Release, Ordering::Relaxed);
        match passed {
            Ok(_) => Passed::By { settled: stays },
            Err(_) => Passed::Cut(Older::unpack(settled)),
        }
    }

    pub(super) fn add_link(&self) {
        // Relaxed: the caller has a link or is protected (V5); only giving back orders.
        self.tail().links.fetch_add(1, Ordering::Relaxed);
    }

    /// True: these were the last links; the version has left the store.
    #[must_use]
    pub(super) fn remove_links(&self, count: u32) -> bool {
        let links = &self.tail().links;
        // Acquire: [count]: all uses under other links happened before. If there are only ours,
        // nobody else is there to add one: no need to write.
        if links.load(Ordering::Acquire) == count {
            return true;
        }
        // AcqRel: [count]: as above.
        links.fetch_sub(count, Ordering::AcqRel) == count
    }

    pub(crate) fn add_hold(&self) {
        let holds = &self.tail().holds;
        // Relaxed: the caller has a hold, or the store's stands (V5); only giving back orders.
        if holds.fetch_add(1, Ordering::Relaxed) >= HOLDS_MAX {
            // Those who are refused one must not add up to 2^32, either.
            // Relaxed: as above.
            holds.fetch_sub(1, Ordering::Relaxed);
            panic!("too many handles of one object");
        }
    }
}

/// Gives back a hold; the last one frees the version, and drops the user's object.
///
/// # Safety
/// The caller owns the hold.
pub(crate) unsafe fn release_hold(version: *const VersionHeader) {
    // SAFETY: V5: our hold keeps it.
    let header = unsafe { at(version) };
    let holds = &header.tail().holds;
    // Acquire: [count]: all uses under other holds happened before the freeing. The only one there
    // is is ours: no need to write.
    let alone = holds.load(Ordering::Acquire) == 1;
    // AcqRel: [count]: as above.
    if alone || holds.fetch_sub(1, Ordering::AcqRel) == 1 {
        let free = header.shape().free;
        // SAFETY: V5: no link, no hold: nobody has it. `free` is the one of its type.
        unsafe { free(version.cast_mut()) };
    }
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
