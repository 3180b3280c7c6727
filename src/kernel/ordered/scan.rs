//! Scans in both directions. Wait-free a step: each cell is loaded once, and nothing is allocated.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::{Ordered, OrderedIndex, Probe};
use crate::kernel::reclaim::Guard;

/// Nodes that are fetched before they are visited, so that their cache misses overlap.
const AHEAD: usize = 8;

impl<N: Ordered> OrderedIndex<N> {
    /// Visits nodes upwards, from the first one that is not below the probe (the first for which
    /// its answer is Equal or Less) or from the start, until `visit` breaks. See [`super::Edge`]
    /// for None.
    #[inline]
    pub(crate) fn ascend<'g, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        from: Option<&P>,
        mut visit: impl FnMut(&'g N) -> ControlFlow<()>,
    ) {
        // At an equal separator to the left: the probe may equal nodes on both sides of it.
        let mut place = self.place(guard, |inner| match from {
            Some(probe) => inner.count(probe, Ordering::is_gt),
            None => 0,
        });
        let mut leaf = place.leaf;
        let mut start = from.map_or(0, |probe| leaf.count(guard, probe, Ordering::is_gt));
        loop {
            let mut ahead = leaf.range(guard, start..leaf.len());
            ahead.by_ref().take(AHEAD).for_each(N::prefetch);
            for node in leaf.range(guard, start..leaf.len()) {
                if let Some(node) = ahead.next() {
                    node.prefetch();
                }
                if visit(node).is_break() {
                    return;
                }
            }
            let Some(next) = place.path.next() else {
                return;
            };
            leaf = next;
            start = 0;
        }
    }

    /// Visits nodes downwards, from the last one that is not above the probe (the last for which
    /// its answer is Equal or Greater) or from the end, until `visit` breaks. See [`super::Edge`]
    /// for None.
    #[inline]
    pub(crate) fn descend<'g, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        from: Option<&P>,
        mut visit: impl FnMut(&'g N) -> ControlFlow<()>,
    ) {
        let mut place = self.place(guard, |inner| match from {
            Some(probe) => inner.count(probe, Ordering::is_ge),
            None => inner.len() - 1,
        });
        let mut leaf = place.leaf;
        let mut end = from.map_or(leaf.len(), |probe| {
            leaf.count(guard, probe, Ordering::is_ge)
        });
        loop {
            let mut ahead = leaf.range(guard, 0..end).rev();
            ahead.by_ref().take(AHEAD).for_each(N::prefetch);
            for node in leaf.range(guard, 0..end).rev() {
                if let Some(node) = ahead.next() {
                    node.prefetch();
                }
                if visit(node).is_break() {
                    return;
                }
            }
            let Some(previous) = place.path.previous() else {
                return;
            };
            leaf = previous;
            end = leaf.len();
        }
    }
}
