//! Scans in both directions. Wait-free a step: each cell is loaded once, and nothing is allocated.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::path::Walk;
use super::{Course, Ends, Ordered, OrderedIndex, Probe};
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::{Guard, at};
use crate::kernel::step::{Step, step};

/// How many nodes ahead of the visitor a node's own line is fetched, then what it leads to, then
/// what that leads to: so that the cache misses of a scan overlap.
const FAR: usize = 32;
const NEAR: usize = 12;
const NEXT: usize = 8;
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
        let mut walk = self.walk(guard, ends, course);
        let wanted = walk
            .left()
            .map_or(course.wanted, |left| left.min(course.wanted));
        let mut ahead = Ahead::new(&walk, Course { wanted, ..course });
        step(Step::Scanning);
        while let Some(node) = walk.go(course.reversed) {
            if let Some(ahead) = &mut ahead {
                ahead.step(course.reversed);
            }
            // SAFETY: O5: of a leaf that was loaded under the guard.
            if visit(unsafe { at(node) }).is_break() {
                return;
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
        Course { reversed, wanted }: Course,
    ) -> Walk<'g, 'p, N, P> {
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
        if from.is_some() {
            leaf.prefetch_hints();
        }
        if wanted >= WANTED_MIN {
            leaf.prefetch_nodes();
        }
        let rest = match (from.map(|probe| leaf.count(guard, probe, near)), reversed) {
            (count, false) => count.unwrap_or(0)..leaf.len(),
            (count, true) => 0..count.unwrap_or(leaf.len()),
        };
        Walk::new(place.path, (leaf, rest), until, reversed)
    }
}

/// A walk that runs ahead of a scan and only fetches.
struct Ahead<'g, 'p, N: Ordered, P: Probe<N>> {
    far: Walk<'g, 'p, N, P>,
    /// Node i of the scan is at i modulo `FAR`, from when it is far until it is visited.
    nodes: [*mut N; FAR],
    /// Nodes that are in place or were.
    known: usize,
    visited: usize,
    /// Nodes still to be fetched: what is not wanted is not worth it.
    left: usize,
}

impl<'g, 'p, N: Ordered, P: Probe<N>> Ahead<'g, 'p, N, P> {
    fn new(walk: &Walk<'g, 'p, N, P>, Course { reversed, wanted }: Course) -> Option<Self> {
        if wanted < WANTED_MIN || cfg!(loom) {
            return None;
        }
        let mut ahead = Self {
            far: walk.clone(),
            nodes: [std::ptr::null_mut(); FAR],
            known: 0,
            visited: 0,
            left: wanted,
        };
        (0..FAR).for_each(|_| ahead.fetch_far(reversed));
        (0..NEAR).for_each(|place| ahead.fetch(place, N::prefetch));
        (0..NEXT).for_each(|place| ahead.fetch(place, N::prefetch_next));
        Some(ahead)
    }

    /// A node is visited.
    #[inline]
    fn step(&mut self, reversed: bool) {
        let at = self.visited;
        self.visited += 1;
        self.fetch_far(reversed);
        self.fetch(at + NEAR, N::prefetch);
        self.fetch(at + NEXT, N::prefetch_next);
    }

    #[inline]
    fn fetch_far(&mut self, reversed: bool) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        match self.far.go(reversed) {
            Some(node) => {
                prefetch(node.cast_const());
                self.nodes[self.known % FAR] = node;
                self.known += 1;
            }
            None => self.left = 0,
        }
    }

    /// A node that is on its way already.
    #[inline]
    fn node(&self, place: usize) -> Option<&'g N> {
        // SAFETY: O5: as for the scan.
        (place < self.known).then(|| unsafe { at(self.nodes[place % FAR]) })
    }

    #[inline]
    fn fetch(&self, place: usize, fetch: impl Fn(&N)) {
        if let Some(node) = self.node(place) {
            fetch(node);
        }
    }
}
