//! The ordered index: a lock-free B+-tree whose leaves are copied on write.
//!
//! The tree orders nodes that it does not own: records by key, index entries by value and key. A
//! leaf is an immutable sorted array; putting a node in or taking one out makes a new leaf and
//! swings the one cell that held the old. An inner node has immutable separators and one atomic
//! cell a child. What does not fit is *rebuilt* one level up: the cells of the inner node are
//! frozen, so that nobody changes them any more, a replacement with its full children split and its
//! tiny children merged is made in private, and the one cell that holds the inner node is swung to
//! it. Whoever runs into a frozen cell makes that replacement as well, so nobody waits. Readers
//! ignore the mark and never retry: what is frozen is still the truth until the replacement stands.
//!
//! # States
//! ```text
//! cell:   child --insert, remove (CAS)--> child' --freeze (CAS)--> child' frozen, for good
//! node:   private --CAS--> in a cell --CAS of that cell, or of its frozen parent's--> retired
//!
//! leaves of 4, inner nodes of 4:
//! insert a b c d   [a b c d]
//! insert e         [a b] <c> [c d]   the root is split,
//!                  [a b] <c> [c d e]   then e is put in
//! remove c d       [a b] <c> [e]     separators are copies: the node of c is gone
//! remove e         [a b e]           a leaf is merged before its last node is taken out,
//!                  [a b]             then e is taken out
//! ```
//!
//! # Invariants
//! - O1: of a published leaf nothing changes, of a published inner node only its cells.
//! - O2: a cell changes only by CAS, from an unfrozen value that was loaded under the same guard
//!   (so it cannot have been recycled); a frozen cell never changes.
//! - O3: a rebuild freezes every cell that it copies before it copies it, parents before children.
//!   So when its CAS succeeds, nothing was put into or taken out of what it replaces since it was
//!   copied.
//! - O4: a leaf or inner node leaves the tree by one CAS, and the thread whose CAS it was retires
//!   it, once. It is linked again by nobody: an inner node whose cells are copied elsewhere is
//!   frozen and replaced by that very copy. So what is loaded from a cell under a guard lives as
//!   long as the guard.
//! - O5: a node that `Choice::Put` names is alive, and whoever took it out retires it no sooner
//!   than it is out (`remove` returned true, or `insert` put another in its place). No leaf that is
//!   in the tree has a node that was taken out. So the nodes of a leaf loaded under a guard live as
//!   long as the guard.
//! - O6: everything below child i is at or above separator i and below separator i + 1.
//! - O7: the root is never full, an inner node is rebuilt only while it is not full, and a rebuild
//!   makes at most two children of one. So an inner node has at most `WIDE` children.
//! - O8: no leaf is empty, except one that is the root.
//! - O9: the hints of a leaf or inner node are taken after what all its nodes or separators share;
//!   what that is, is written in it.
//!
//! Order is the caller's word. If a key's comparison lies, nodes are not found: `remove` then
//! returns false, and what it did not take out must not be retired. If a comparison or a clone
//! panics, no cell was swung for that operation; a node may stay frozen until the next writer there
//! rebuilds it.
//!
//! # Orderings
//! - [child]: a child is filled before its cell is swung: Release in the CAS; Acquire in every load
//!   of a cell. Freezing is a CAS of the same cell and so continues the release sequence of the
//!   swing before.
//!
//! # Why a scan misses nothing
//! A scan remembers the inner nodes on its way down and goes on from them, whatever became of them.
//! An inner node covers a fixed interval (O6), so what the scan reads next begins where the last
//! leaf ended: ascending, nothing twice. And what it reads of an interval is what stood there at
//! some moment of the scan: the cell is current, or it is frozen, and then it is what stood there
//! from the freezing until the replacement, which came after the scan had loaded the inner node.
//!
//! # Sources
//! Leaves copied on write behind one CAS and freezing before a copy are known from lock-free
//! B+-trees (Braginsky & Petrank, SPAA 2012) and from resizing in Ctries (Prokopec et al., PPoPP
//! 2012).

mod insert;
mod leaf;
mod node;
mod path;
mod rebuild;
mod scan;
mod way;
mod word;

#[cfg(all(test, not(loom)))]
mod tests;

use std::cmp::Ordering;
use std::marker::PhantomData;

pub(crate) use super::choice::Choice;
pub(crate) use super::hint::Shared;

use self::leaf::Leaf;
use self::node::Inner;
pub(crate) use self::way::Way;
use self::word::{Child, Slot, Word};
use super::reclaim::Guard;

/// Nodes in a leaf.
pub(super) const LEAF: usize = if cfg!(any(loom, shuttle)) { 4 } else { 64 };
/// Children at which an inner node is full.
pub(super) const INNER: usize = if cfg!(any(loom, shuttle)) { 4 } else { 64 };
/// Children that an inner node has at most (O7): it grows past full and is split by the next
/// rebuild.
const WIDE: usize = 2 * INNER;
/// A child of at most this length is merged with its neighbour when their parent is rebuilt.
const TINY: usize = if cfg!(any(loom, shuttle)) { 1 } else { 8 };
/// A leaf of at most this length has its parent rebuilt before a node is taken out of it.
const SPARSE: usize = if cfg!(any(loom, shuttle)) { 1 } else { 4 };

/// Leaves of an index that is filled at once have fewer nodes than this: room for what comes.
const FILLED: usize = if cfg!(any(loom, shuttle)) { 3 } else { 49 };

/// What the tree points to: a record (key order) or an index entry (value, then record key).
pub(crate) trait Ordered: Sized + 'static {
    /// A copy of what orders a node, which outlives the node.
    type Separator: Clone + Send + Sync + 'static;

    /// Keeps the order as far as it goes: `a.hint() < b.hint()` implies a < b; equal hints say
    /// nothing.
    fn hint(&self) -> u64;

    /// The order. May run user code and panic.
    fn compare(&self, other: &Self) -> Ordering;

    /// What two nodes share, and with them all nodes between them.
    fn shared(_first: &Self, _last: &Self) -> Shared {
        Shared::NOTHING
    }

    /// As [`Ordered::hint`], among nodes that share so much.
    #[inline]
    fn hint_after(&self, _shared: Shared) -> u64 {
        self.hint()
    }

    /// This node relative to all that share so much with `one`: `Equal` if it does, too.
    #[inline]
    fn compare_shared(&self, _one: &Self, _shared: Shared) -> Ordering {
        Ordering::Equal
    }

    /// What two separators share, and with them all between them.
    fn separators_shared(_first: &Self::Separator, _last: &Self::Separator) -> Shared {
        Shared::NOTHING
    }

    /// The hint of a node that equals a separator, among those that share so much.
    fn separator_hint(separator: &Self::Separator, shared: Shared) -> u64;

    /// This node relative to all that share so much with a separator.
    #[inline]
    fn compare_shared_separator(&self, _one: &Self::Separator, _shared: Shared) -> Ordering {
        Ordering::Equal
    }

    /// Has the processor fetch what the node leads to. A hint.
    #[inline]
    fn prefetch(&self) {}

    /// Has the processor fetch what that leads to. A hint.
    #[inline]
    fn prefetch_next(&self) {}

    /// The separator that equals this node.
    fn separator(&self) -> Self::Separator;

    /// This node relative to a separator.
    fn compare_separator(&self, separator: &Self::Separator) -> Ordering;
}

/// How a scan goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) reversed: bool,
    /// About how many nodes are wanted: so many are fetched ahead at most.
    pub(crate) wanted: usize,
}

/// Where a scan begins and where it ends: at a probe, or at the index's own end.
#[derive(Debug)]
pub(crate) struct Ends<'p, P> {
    pub(crate) from: Option<&'p P>,
    pub(crate) until: Option<&'p P>,
}

#[cfg(any(test, loom))]
impl Course {
    /// All nodes upwards.
    pub(crate) const UP: Self = Self {
        reversed: false,
        wanted: usize::MAX,
    };
    /// All nodes downwards.
    pub(crate) const DOWN: Self = Self {
        reversed: true,
        wanted: usize::MAX,
    };
}

/// A place to look for, which need not be a node.
///
/// Along the order of nodes the answers must fall: first Greater, then Equal, then Less, each for
/// any number of nodes. So a probe that never answers Equal is a bound, and one that answers Equal
/// for all nodes with a prefix finds them from either side.
pub(crate) trait Probe<N: Ordered> {
    /// Decides where it differs from a node's; None leaves everything to the comparisons.
    fn hint(&self) -> Option<u64>;

    /// The probe relative to a node.
    fn compare(&self, node: &N) -> Ordering;

    /// The probe relative to a separator, the same as relative to a node that equals it.
    fn compare_separator(&self, separator: &N::Separator) -> Ordering;

    /// As [`Probe::hint`], among nodes that share so much. A probe that does not share it with them
    /// may answer anything.
    #[inline]
    fn hint_after(&self, _shared: Shared) -> Option<u64> {
        self.hint()
    }

    /// The probe relative to all nodes that share so much with `one`: `Equal` if it may be among
    /// them.
    #[inline]
    fn compare_shared(&self, _one: &N, _shared: Shared) -> Ordering {
        Ordering::Equal
    }

    /// The same of separators.
    #[inline]
    fn compare_shared_separator(&self, _one: &N::Separator, _shared: Shared) -> Ordering {
        Ordering::Equal
    }
}

#[cfg(loom)]
impl<P> Ends<'_, P> {
    /// Those of the index.
    pub(crate) const OPEN: Self = Self {
        from: None,
        until: None,
    };
}

/// The probe that no caller has: for scans from an edge, `None::<&Edge>`.
#[cfg(any(test, loom))]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Edge {}

#[cfg(any(test, loom))]
impl<N: Ordered> Probe<N> for Edge {
    fn hint(&self) -> Option<u64> {
        match *self {}
    }

    fn compare(&self, _: &N) -> Ordering {
        match *self {}
    }

    fn compare_separator(&self, _: &N::Separator) -> Ordering {
        match *self {}
    }
}

/// A lock-free ordered index; see the module's documentation.
pub(crate) struct OrderedIndex<N: Ordered> {
    root: Slot<N>,
    nodes: PhantomData<N>,
}

impl<N: Ordered> OrderedIndex<N> {
    /// An empty index: one empty leaf.
    pub(crate) fn new() -> Self {
        Self {
            root: Slot::new(Word::leaf(Leaf::<N>::empty())),
            nodes: PhantomData,
        }
    }

    /// The node that equals the probe. Wait-free: one load a level, then a search in one leaf.
    #[cfg(any(test, loom))]
    pub(crate) fn get<'g>(&self, guard: &'g Guard<'_>, probe: &impl Probe<N>) -> Option<&'g N> {
        self.find(guard, probe).map(|(_, node)| node)
    }

    /// The same, with the pointer that it was put in as: by that it is retired.
    pub(crate) fn find<'g>(
        &self,
        guard: &'g Guard<'_>,
        probe: &impl Probe<N>,
    ) -> Option<(*mut N, &'g N)> {
        let leaf = self.leaf(guard, |inner| inner.route(probe));
        let at = leaf.find(guard, probe, Shared::NOTHING).ok()?;
        Some((leaf.pointer(at), leaf.node(guard, at)))
    }

    /// The leaf at the end of a way down, at each inner node to the child that `route` names.
    #[inline]
    fn leaf<'g>(&self, guard: &'g Guard<'_>, route: impl Fn(&Inner<N>) -> usize) -> &'g Leaf<N> {
        let mut word = self.root.load();
        loop {
            match word.child(guard) {
                Child::Inner(inner) => word = inner.cell(route(inner)).load(),
                Child::Leaf(leaf) => return leaf,
            }
        }
    }

    /// About how many bytes the tree's own nodes take. Looks at each of them: for statistics.
    pub(crate) fn bytes(&self, guard: &Guard<'_>) -> usize {
        fn below<N: Ordered>(guard: &Guard<'_>, word: Word<N>) -> usize {
            let inner = match word.child(guard) {
                Child::Leaf(leaf) => return leaf.bytes(),
                Child::Inner(inner) => inner,
            };
            let own = size_of::<Inner<N>>() + inner.len() * size_of::<N::Separator>();
            let children = (0..inner.len()).map(|index| below(guard, inner.cell(index).load()));
            own + children.sum::<usize>()
        }
        below(guard, self.root.load())
    }

    /// Empties the tree and frees its own memory, for teardown; `each` gets every node, ascending.
    pub(crate) fn drain(&mut self, mut each: impl FnMut(*mut N)) {
        let root = std::mem::replace(&mut self.root, Slot::new(Word::leaf(Leaf::<N>::empty())));
        // SAFETY: O4, O5: `&mut self`: the whole tree is ours, and it is not reachable any more.
        unsafe { root.load().take(&mut each) };
    }
}

impl<N: Ordered> Drop for OrderedIndex<N> {
    fn drop(&mut self) {
        // SAFETY: O4, O5: the whole tree is ours, and `root` is not used again.
        unsafe { self.root.load().take(&mut |_| ()) };
    }
}

impl<N: Ordered> std::fmt::Debug for OrderedIndex<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderedIndex").finish_non_exhaustive()
    }
}
