//! Putting nodes in and taking them out: a new leaf and one CAS.
//!
//! All user code (comparisons, clones of separators, the caller's choice) runs before the CAS that
//! decides, so a panic leaves the tree as it was.

use std::cmp::Ordering;

use super::path::{Path, Place};
use super::word::Word;
use super::{Choice, Ordered, OrderedIndex, Probe, SPARSE, Shared};
use crate::kernel::reclaim::{Garbage, Guard, at};

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
            place.leaf.prefetch_hints();
            let found = place.leaf.find(guard, probe);
            let frozen = place.seen.is_frozen();
            if found.is_err() && (frozen || place.leaf.is_full()) {
                self.make_room(guard, garbage, &place);
                continue;
            }
            let standing = found.ok().map(|at| place.leaf.node(guard, at));
            let node = match (choose(standing), standing) {
                (Choice::Put(node), _) => node,
                (Choice::Keep, Some(node)) => return node,
                (Choice::Keep, None) => panic!("nothing stands there to be kept"),
            };
            if frozen {
                self.make_room(guard, garbage, &place);
                continue;
            }
            // SAFETY: O5: the node is alive; once in the tree it is retired only after it was taken
            // out, which is after this guard was pinned.
            let put = unsafe { at::<'g, N>(node) };
            let changed = match found {
                Ok(at) => place.leaf.put_instead(at, node),
                Err(at) => place.leaf.put(at, node),
            };
            if self.swing(garbage, &place, Word::leaf(changed)) {
                return put;
            }
        }
    }

    /// Has the processor fetch what the probe's insertion will copy. Several may be fetched at
    /// once, where insertions, one after the other, wait for each. Runs the order.
    pub(crate) fn prefetch(&self, guard: &Guard<'_>, probe: &impl Probe<N>) {
        self.leaf(guard, |inner| inner.route(probe)).prefetch();
    }

    /// Takes exactly this node out; false when it is not there (any more). Lock-free.
    ///
    /// Only who took a node out may retire it.
    pub(crate) fn remove(&self, guard: &Guard<'_>, garbage: &mut Garbage, node: &N) -> bool {
        let probe = Itself(node);
        loop {
            let mut path = Path::new(guard);
            let place = self.place(&mut path, |inner| inner.route(&probe));
            place.leaf.prefetch_hints();
            let Ok(at) = place.leaf.find(guard, &probe) else {
                return false;
            };
            if !std::ptr::eq(place.leaf.node(guard, at), node) {
                return false;
            }
            if place.seen.is_frozen() {
                self.make_room(guard, garbage, &place);
            } else if place.leaf.len() <= SPARSE && place.path.levels() > 0 {
                // O8: it is merged with a neighbour before its last node goes.
                let level = place.path.shrinkable();
                self.rebuild(guard, garbage, place.path, level);
            } else if self.swing(garbage, &place, Word::leaf(place.leaf.take_out(at))) {
                return true;
            }
        }
    }

    /// Replaces the leaf of a place by a new copy with one change, if it still stands there.
    #[inline]
    fn swing(&self, garbage: &mut Garbage, place: &Place<'_, '_, N>, changed: Word<N>) -> bool {
        let slot = place.path.slot(self, place.path.levels());
        let swung = slot.swing(place.seen, changed);
        if swung {
            // SAFETY: O4: our CAS has just taken the old leaf out.
            unsafe { place.seen.retire(garbage) };
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
