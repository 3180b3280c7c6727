//! Scans in both directions. Wait-free a step: each cell is loaded once, and nothing is allocated.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::leaf::Batch;
use super::path::Walk;
use super::{Course, Ends, Ordered, OrderedIndex, Probe};
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::Guard;
use crate::kernel::step::{Step, step};

/// Nodes that are fetched together: a batch.
const BATCH: usize = 8;
/// A node is fetched so many batches before it is visited, what it leads to one batch later, what
/// that leads to another one later: so that the cache misses of a scan overlap.
const COMING: usize = 3;
/// A scan for fewer nodes does without.
const WANTED_MIN: usize = 4;

impl<N: Ordered> OrderedIndex<N> {
    /// Visits nodes until `visit` breaks: upwards from the first one that is not below the probe
    /// (the first for which its answer is Equal or Less) or from the start; reversed, downwards
    /// from the last one that is not above it (the last for which its answer is Equal or Greater)
    /// or from the end. See [`super::Edge`] for None.
    #[inline]
    pub(crate) fn scan<'g, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        from: Option<&P>,
        course: Course,
        visit: impl FnMut(&'g N) -> ControlFlow<()>,
    ) {
        self.scan_within(guard, Ends { from, until: None }, course, visit);
    }

    /// The same up to the other end: what is beyond it is not looked at, nor fetched, where hints
    /// tell. That end is a bound: a probe that never answers Equal.
    #[inline]
    pub(crate) fn scan_within<'g, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        ends: Ends<'_, P>,
        course: Course,
        mut visit: impl FnMut(&'g N) -> ControlFlow<()>,
    ) {
        let mut batches = Batches::of(self.walk(guard, ends, course));
        step(Step::Scanning);
        loop {
            let batch = batches.next();
            if batch.len() == 0 {
                return;
            }
            for place in 0..batch.len() {
                let place = match course.reversed {
                    false => place,
                    true => batch.len() - 1 - place,
                };
                if visit(batch.node(place)).is_break() {
                    return;
                }
            }
        }
    }

    /// As [`OrderedIndex::scan_within`] upwards, for all nodes that have the hint of the first end
    /// and nothing else: mostly they are few and in one leaf, and no way is to be remembered.
    #[inline]
    pub(crate) fn scan_hint<'g, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        (from, until): (&P, &P),
        mut visit: impl FnMut(&'g N) -> ControlFlow<()>,
    ) {
        let leaf = self.leaf(guard, |inner| inner.count(from, Ordering::is_gt));
        leaf.prefetch_hints();
        let found = leaf.ties(from);
        if found.end == leaf.len() {
            let (from, until) = (Some(from), Some(until));
            let course = Course {
                reversed: false,
                wanted: usize::MAX,
            };
            return self.scan_within(guard, Ends { from, until }, course, visit);
        }
        if found.len() > 1 {
            found.clone().for_each(|at| prefetch(leaf.pointer(at)));
            found.clone().for_each(|at| leaf.node(guard, at).prefetch());
        }
        for at in found {
            if visit(leaf.node(guard, at)).is_break() {
                return;
            }
        }
    }

    /// A walk that has not taken a step yet.
    fn walk<'g, 'p, P: Probe<N>>(
        &self,
        guard: &'g Guard<'_>,
        Ends { from, until }: Ends<'p, P>,
        course: Course,
    ) -> Walk<'g, 'p, N, P> {
        let reversed = course.reversed;
        // Upwards, at an equal separator to the left: the probe may equal nodes on both sides.
        let near = |order: Ordering| match reversed {
            false => order.is_gt(),
            true => order.is_ge(),
        };
        let place = self.place(guard, |inner| match (from, reversed) {
            (Some(probe), _) => inner.count(probe, near),
            (None, false) => 0,
            (None, true) => inner.len() - 1,
        });
        let leaf = place.leaf;
        if course.wanted >= WANTED_MIN {
            leaf.prefetch();
        } else if from.is_some() {
            leaf.prefetch_hints();
        }
        let rest = match (from.map(|probe| leaf.count(guard, probe, near)), reversed) {
            (count, false) => count.unwrap_or(0)..leaf.len(),
            (count, true) => 0..count.unwrap_or(leaf.len()),
        };
        Walk::new(place.path, (leaf, rest), until, course)
    }
}

/// A walk's nodes, a batch at a time, while those to come are being fetched.
struct Batches<'g, 'p, N: Ordered, P> {
    walk: Walk<'g, 'p, N, P>,
    /// Those on their way, the next one first. All empty, unless so many are wanted.
    coming: [Batch<'g, N>; COMING],
}

impl<'g, 'p, N: Ordered, P: Probe<N>> Batches<'g, 'p, N, P> {
    #[inline]
    fn of(walk: Walk<'g, 'p, N, P>) -> Self {
        let mut batches = Self {
            walk,
            coming: [Batch::EMPTY; COMING],
        };
        if batches.walk.wanted() >= WANTED_MIN {
            (0..COMING).for_each(|_| batches.advance());
        }
        batches
    }

    /// The next one, in the leaf's order; empty at the end.
    #[inline]
    fn next(&mut self) -> Batch<'g, N> {
        let next = self.coming[0];
        if next.len() == 0 {
            // No more than these were wanted: whoever goes on takes one by one.
            return self.walk.take(1);
        }
        self.advance();
        next
    }

    #[inline]
    fn advance(&mut self) {
        let new = self.walk.take(self.walk.wanted().min(BATCH));
        let [_, near, far] = self.coming;
        self.coming = [near, far, new];
        if cfg!(loom) {
            return;
        }
        new.prefetch();
        far.nodes().for_each(N::prefetch);
        near.nodes().for_each(N::prefetch_next);
    }
}
