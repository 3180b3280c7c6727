//! Ways down to places, a step at a time. Who goes down several trees takes a step in each in turn,
//! so that the cache misses of one are waited for together with those of the others; and at the
//! end of a way it changes the leaf there, without going down again.
//!
//! The cell at the end of a way stays the one of its place: what an inner node's cells are for does
//! not change (O6), and one that is replaced has all its cells frozen before (O3). So what is
//! loaded from it unfrozen stands in the tree; where it is frozen, or leads to an inner node by
//! now, the operation begins at the root, as without a way.

use std::marker::PhantomData;

use super::insert::Attempt;
use super::word::{Child, Slot};
use super::{Choice, Ordered, OrderedIndex, Probe, SPARSE, Shared};
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::{Garbage, Guard, at};

/// How far the way down to a place has come, in an index whose type its owner need not know.
#[derive(Debug)]
pub(crate) struct Way<'g> {
    /// That of what comes next: a `Slot<N>` of the index.
    cell: *const (),
    at: At,
    /// What the probe is known to share with all nodes below the cell.
    known: Shared,
    guard: PhantomData<&'g ()>,
}

/// What a way's last step had fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Cell,
    Inner,
    Leaf,
}

impl Way<'_> {
    /// Whether there is no further step.
    #[inline]
    pub(crate) fn has_arrived(&self) -> bool {
        self.at == At::Leaf
    }
}

impl<N: Ordered> OrderedIndex<N> {
    /// A way from the root.
    pub(crate) fn way<'g>(&self, _guard: &'g Guard<'_>) -> Way<'g> {
        Way {
            cell: std::ptr::from_ref(&self.root).cast(),
            at: At::Cell,
            known: Shared::NOTHING,
            guard: PhantomData,
        }
    }

    /// The cell that a way has come to.
    ///
    /// # Safety
    /// The way was begun in this index.
    unsafe fn cell<'a>(&'a self, way: &Way<'a>) -> &'a Slot<N> {
        // SAFETY: O4: the root's, or one of an inner node that was reached under the way's guard.
        unsafe { at(way.cell.cast()) }
    }

    /// Takes a step towards the probe's place. Runs the order.
    ///
    /// # Safety
    /// The way was begun in this index.
    #[inline]
    pub(crate) unsafe fn advance<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        way: &mut Way<'g>,
        probe: &impl Probe<N>,
    ) {
        // SAFETY: the caller's promise.
        let word = unsafe { self.cell(way) }.load();
        way.at = match (word.child(guard), way.at) {
            (Child::Leaf(_), _) => {
                word.prefetch_leaf();
                At::Leaf
            }
            (Child::Inner(inner), At::Cell) => {
                inner.prefetch_hints();
                At::Inner
            }
            (Child::Inner(inner), _) => {
                let index = inner.route(probe);
                way.known = way.known.most(inner.known_at(index));
                let cell = inner.cell(index);
                prefetch(cell);
                way.cell = std::ptr::from_ref(cell).cast();
                At::Cell
            }
        };
    }

    /// As [`OrderedIndex::insert`], at the end of the probe's way.
    ///
    /// # Safety
    /// The way was begun in this index.
    pub(crate) unsafe fn insert_at<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        way: &Way<'g>,
        probe: &impl Probe<N>,
        mut choose: impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> &'g N {
        // SAFETY: the caller's promise.
        let cell = unsafe { self.cell(way) };
        let seen = cell.load();
        if !seen.is_frozen()
            && let Child::Leaf(leaf) = seen.child(guard)
            && let Attempt::Done(node) = Self::put(
                guard,
                garbage,
                cell,
                (seen, leaf),
                (probe, way.known),
                &mut choose,
            )
        {
            return node;
        }
        self.insert(guard, garbage, probe, choose)
    }

    /// As [`OrderedIndex::remove`], at the end of the node's way.
    ///
    /// # Safety
    /// The way was begun in this index.
    pub(crate) unsafe fn remove_at<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        way: &Way<'g>,
        node: &N,
    ) -> bool {
        // SAFETY: the caller's promise.
        let cell = unsafe { self.cell(way) };
        let seen = cell.load();
        if !seen.is_frozen()
            && let Child::Leaf(leaf) = seen.child(guard)
            && let Attempt::Done(taken) =
                Self::take(guard, garbage, cell, (seen, leaf), node, SPARSE)
        {
            return taken;
        }
        self.remove(guard, garbage, node)
    }
}
