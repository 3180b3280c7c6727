//! Putting nodes in and taking them out: a new leaf and one CAS.
//!
//! All user code (comparisons, clones of separators, the caller's choice) runs before the CAS that
//! decides, so a panic leaves the tree as it was.

use std::cmp::Ordering;

use super::leaf::Leaf;
use super::path::{Path, Place};
use super::word::{Slot, Word};
use super::{Choice, Ordered, OrderedIndex, Probe, SPARSE, Shared};
use crate::kernel::reclaim::{Garbage, Guard, at};

/// What an attempt at one leaf came to.
pub(super) enum Attempt<T> {
    Done(T),
    /// The leaf is frozen, or cannot have one more or one less.
    Unfit,
    /// Another thread's change came first.
    Lost,
}

impl<N: Ordered> OrderedIndex<N> {
    /// Asks `choose` what is to stand at the probe's place, and sees to it. Lock-free.
    ///
    /// `choose` gets the node that equals the probe, if there is one, and may be asked again when
    /// the place changed meanwhile; only the last answer counts. The node of a Put equals the probe
    /// and is alive until it is taken out again (O5). Where it replaced a node, it is the caller
    /// who took that one out. Returns the node that stands there now.
    ///
    /// # Panics
    /// When `choose` keeps what is not there.
    pub(crate) fn insert<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        probe: &impl Probe<N>,
        mut choose: impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> &'g N {
        loop {
            let mut path = Path::new(guard);
            let place = self.place(&mut path, |inner| inner.route(probe));
            let (cell, leaf) = (place.cell(self), (place.seen, place.leaf));
            match Self::put(
                guard,
                garbage,
                cell,
                leaf,
                (probe, place.known()),
                &mut choose,
            ) {
                Attempt::Done(node) => return node,
                Attempt::Unfit => self.make_room(guard, garbage, &place),
                Attempt::Lost => {}
            }
        }
    }

    /// One attempt of an insert, at the leaf that a cell was seen to lead to. The probe is known to
    /// share so much with all nodes of the leaf.
    #[inline]
    pub(super) fn put<'g>(
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        cell: &Slot<N>,
        (seen, leaf): (Word<N>, &'g Leaf<N>),
        (probe, known): (&impl Probe<N>, Shared),
        choose: &mut impl FnMut(Option<&'g N>) -> Choice<N>,
    ) -> Attempt<&'g N> {
        leaf.prefetch_hints();
        let found = leaf.find(guard, probe, known);
        let frozen = seen.is_frozen();
        if found.is_err() && (frozen || leaf.is_full()) {
            return Attempt::Unfit;
        }
        let standing = found.ok().map(|at| leaf.node(guard, at));
        let node = match (choose(standing), standing) {
            (Choice::Put(node), _) => node,
            (Choice::Keep, Some(node)) => return Attempt::Done(node),
            (Choice::Keep, None) => panic!("nothing stands there to be kept"),
        };
        if frozen {
            return Attempt::Unfit;
        }
        // SAFETY: O5: the node is alive; once in the tree it is retired only after it was taken
        // out, which is after this guard was pinned.
        let put = unsafe { at::<'g, N>(node) };
        let changed = match found {
            Ok(at) => leaf.put_instead(at, node),
            Err(at) => leaf.put(at, node, known),
        };
        match Self::swing(garbage, cell, seen, Word::leaf(changed)) {
            true => Attempt::Done(put),
            false => Attempt::Lost,
        }
    }

    /// Takes exactly this node out; false when it is not there (any more). Lock-free.
    ///
    /// Only who took a node out may retire it.
    pub(crate) fn remove(&self, guard: &Guard<'_>, garbage: &mut Garbage, node: &N) -> bool {
        let probe = Itself(node);
        loop {
            let mut path = Path::new(guard);
            let place = self.place(&mut path, |inner| inner.route(&probe));
            let levels = place.path.levels();
            // O8: a leaf is merged with a neighbour before its last node goes, but for the root.
            let left_min = if levels > 0 { SPARSE } else { 0 };
            let (cell, leaf) = (place.cell(self), (place.seen, place.leaf));
            match Self::take(guard, garbage, cell, leaf, node, left_min) {
                Attempt::Done(taken) => return taken,
                Attempt::Lost => {}
                Attempt::Unfit if place.seen.is_frozen() => {
                    self.make_room(guard, garbage, &place);
                }
                Attempt::Unfit => {
                    let level = place.path.shrinkable();
                    self.rebuild(guard, garbage, place.path, level);
                }
            }
        }
    }

    /// One attempt of a removal, at the leaf that a cell was seen to lead to; a leaf keeps so many
    /// nodes.
    #[inline]
    pub(super) fn take<'g>(
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        cell: &Slot<N>,
        (seen, leaf): (Word<N>, &'g Leaf<N>),
        node: &N,
        left_min: usize,
    ) -> Attempt<bool> {
        leaf.prefetch_hints();
        let found = leaf.find(guard, &Itself(node), Shared::NOTHING).ok();
        let found = found.filter(|&at| std::ptr::eq(leaf.node(guard, at), node));
        let Some(at) = found else {
            return Attempt::Done(false);
        };
        if seen.is_frozen() || leaf.len() <= left_min {
            return Attempt::Unfit;
        }
        match Self::swing(garbage, cell, seen, Word::leaf(leaf.take_out(at))) {
            true => Attempt::Done(true),
            false => Attempt::Lost,
        }
    }

    /// Swings a cell from the leaf that was seen there to a new copy of it with one change.
    #[inline]
    pub(super) fn swing(
        garbage: &mut Garbage,
        cell: &Slot<N>,
        seen: Word<N>,
        changed: Word<N>,
    ) -> bool {
        let swung = cell.swing(seen, changed);
        if swung {
            // SAFETY: O4: our CAS has just taken the old leaf out.
            unsafe { seen.retire(garbage) };
        } else {
            // SAFETY: just made, and not published.
            unsafe { changed.free() };
        }
        swung
    }

    /// Splits what is full, or finishes what is frozen, around a place.
    fn make_room(&self, guard: &Guard<'_>, garbage: &mut Garbage, place: &Place<'_, '_, N>) {
        match place.path.levels().checked_sub(1) {
            None => self.split_root(guard, garbage, place),
            Some(lowest) => {
                let level = place.path.growable(lowest);
                self.rebuild(guard, garbage, place.path, level);
            }
        }
    }
}

/// A node as the probe for itself.
struct Itself<'a, N>(&'a N);

impl<N: Ordered> Probe<N> for Itself<'_, N> {
    fn hint(&self) -> Option<u64> {
        Some(self.0.hint())
    }

    fn compare(&self, node: &N) -> Ordering {
        if std::ptr::eq(self.0, node) {
            return Ordering::Equal;
        }
        self.0.compare(node)
    }

    fn compare_separator(&self, separator: &N::Separator) -> Ordering {
        self.0.compare_separator(separator)
    }

    fn hint_after(&self, shared: Shared) -> Option<u64> {
        Some(self.0.hint_after(shared))
    }

    fn compare_shared(&self, one: &N, shared: Shared) -> Ordering {
        self.0.compare_shared(one, shared)
    }

    fn compare_shared_separator(&self, one: &N::Separator, shared: Shared) -> Ordering {
        self.0.compare_shared_separator(one, shared)
    }
}
