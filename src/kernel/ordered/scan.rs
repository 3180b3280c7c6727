//! Scans in both directions. Wait-free a step: each cell is loaded once, and nothing is allocated.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::leaf::Batch;
use super::path::{Path, Walk};
use super::{Course, Ends, LEAF, Ordered, OrderedIndex, Probe};
use crate::kernel::array::Array;
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::Guard;
use crate::kernel::step::{Step, step};

/// A node is fetched so many nodes before it is visited, what it leads to so many before, and what
/// that leads to: so that the cache misses of a scan overlap. A model's scan is short.
const NODE_AHEAD: usize = if cfg!(loom) { 0 } else { 40 };
const ONWARD_AHEAD: usize = 24;
const NEXT_AHEAD: usize = 12;
/// So many nodes are fetched as soon as it is known about where a scan begins.
const FIRST: usize = 16;
/// So many are taken at a time after those that were wanted: most often there are few.
const MORE: usize = if cfg!(any(loom, shuttle)) { 1 } else { 8 };
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
        let (mut path, mut nodes) = (Path::new(guard), Array::new());
        let walk = self.walk(&mut path, guard, ends, course);
        let mut coming = Coming::of(walk, &mut nodes);
        step(Step::Scanning);
        loop {
            let ready = coming.fill();
            if ready == 0 {
                return;
            }
            let nodes = coming.nodes();
            for place in 0..ready {
                fetch_ahead(nodes, place);
                if visit(nodes[place]).is_break() {
                    return;
                }
            }
            coming.visited += ready;
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

    /// A walk that has not taken a step yet, on a new path.
    #[inline(always)]
    fn walk<'a, 'g, 'p, P: Probe<N>>(
        &self,
        path: &'a mut Path<'g, N>,
        guard: &'g Guard<'_>,
        Ends { from, until }: Ends<'p, P>,
        course: Course,
    ) -> Walk<'a, 'g, 'p, N, P> {
        let reversed = course.reversed;
        // Upwards, at an equal separator to the left: the probe may equal nodes on both sides.
        let near = |order: Ordering| match reversed {
            false => order.is_gt(),
            true => order.is_ge(),
        };
        let place = self.place(path, |inner| match (from, reversed) {
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
        // Not if a bound may leave few of them, nor in a model.
        let many = course.wanted >= WANTED_MIN && until.is_none() && cfg!(not(loom));
        let first = if many { FIRST.min(course.wanted) } else { 0 };
        if first > 0 {
            place.path.prefetch_head(1, reversed);
        }
        let begin = from.map(|probe| {
            let ties = leaf.ties(probe);
            leaf.prefetch_at(match reversed {
                false => ties.start..leaf.len().min(ties.start + first),
                true => ties.end.saturating_sub(first)..ties.end,
            });
            leaf.count_among(guard, ties, probe, near)
        });
        let rest = match (begin, reversed) {
            (count, false) => count.unwrap_or(0)..leaf.len(),
            (count, true) => 0..count.unwrap_or(leaf.len()),
        };
        Walk::new(place.path, (leaf, rest), until, course)
    }
}

/// Room for the nodes that are kept, and for some leaves' more: they are moved to its front when it
/// is full.
type Window<'g, N> = Array<&'g N, { NODE_AHEAD + LEAVES * LEAF }>;
const LEAVES: usize = if cfg!(any(loom, shuttle)) { 1 } else { 4 };

/// A walk's nodes in the order in which they are visited, while those further on are being fetched.
struct Coming<'a, 'g, 'p, N: Ordered, P> {
    walk: Walk<'a, 'g, 'p, N, P>,
    nodes: &'a mut Window<'g, N>,
    /// So many of them were.
    visited: usize,
    /// So many are kept, to be fetched ahead; none if too few are wanted.
    ahead: usize,
}

impl<'a, 'g, 'p, N: Ordered, P: Probe<N>> Coming<'a, 'g, 'p, N, P> {
    #[inline(always)]
    fn of(walk: Walk<'a, 'g, 'p, N, P>, nodes: &'a mut Window<'g, N>) -> Self {
        let ahead = match walk.wanted() >= WANTED_MIN {
            true => NODE_AHEAD,
            false => 0,
        };
        Self {
            walk,
            nodes,
            visited: 0,
            ahead,
        }
    }

    /// Those to be visited.
    #[inline]
    fn nodes(&self) -> &[&'g N] {
        &self.nodes[self.visited..]
    }

    /// Takes more from the walk; how many may be visited then, none at the end.
    #[inline]
    fn fill(&mut self) -> usize {
        while self.nodes().len() <= self.ahead {
            // Whoever goes on after what was wanted takes some at a time.
            const { assert!(MORE <= LEAF) };
            let least = if self.nodes().is_empty() { MORE } else { 0 };
            let batch = self.walk.take(self.walk.wanted().clamp(least, LEAF));
            if batch.is_empty() {
                return self.nodes().len();
            }
            self.append(batch);
        }
        self.nodes().len() - self.ahead
    }

    #[inline]
    fn append(&mut self, batch: Batch<'g, N>) {
        if batch.len() > self.nodes.room() {
            self.nodes.drop_first(self.visited);
            self.visited = 0;
        }
        let before = self.nodes().len();
        match self.walk.is_reversed() {
            false => self.nodes.extend(batch.nodes()),
            true => self.nodes.extend(batch.nodes().rev()),
        }
        if self.ahead == 0 {
            return;
        }
        let nodes = self.nodes();
        let new = |ahead: usize| &nodes[before.min(ahead)..nodes.len().min(ahead)];
        new(NODE_AHEAD).iter().for_each(|&node| prefetch(node));
        new(ONWARD_AHEAD).iter().for_each(|node| node.prefetch());
        new(NEXT_AHEAD).iter().for_each(|node| node.prefetch_next());
    }
}

/// Has the processor fetch what is visited so far after the node at `place`.
#[inline]
fn fetch_ahead<N: Ordered>(nodes: &[&N], place: usize) {
    if let Some(&node) = nodes.get(place + NODE_AHEAD) {
        prefetch(node);
    }
    if let Some(node) = nodes.get(place + ONWARD_AHEAD) {
        node.prefetch();
    }
    if let Some(node) = nodes.get(place + NEXT_AHEAD) {
        node.prefetch_next();
    }
}
