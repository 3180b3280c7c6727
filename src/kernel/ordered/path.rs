//! The way from the root to a leaf, remembered.

use std::cmp::Ordering;
use std::ops::Range;

use smallvec::SmallVec;

use super::leaf::{Batch, Leaf};
use super::node::Inner;
use super::word::{Child, Slot, Word};
use super::{Course, INNER, Ordered, OrderedIndex, Probe, Shared};
use crate::kernel::reclaim::Guard;

/// More levels than a tree can get: an inner node is made by at least `INNER / 4` new children of a
/// child of its parent, so that 10 levels take 2^40 inserts. A path within it never allocates.
const LEVELS: usize = 10;

/// One inner node on the way, and the child taken there.
struct Step<'g, N: Ordered> {
    inner: &'g Inner<N>,
    index: usize,
}

/// The way to a leaf.
pub(super) struct Path<'g, N: Ordered> {
    guard: &'g Guard<'g>,
    steps: SmallVec<[Step<'g, N>; LEVELS]>,
}

/// A leaf and the cell it was found in. The path is where its user has it: it is not moved.
pub(super) struct Place<'a, 'g, N: Ordered> {
    pub(super) path: &'a mut Path<'g, N>,
    /// What the cell held.
    pub(super) seen: Word<N>,
    pub(super) leaf: &'g Leaf<N>,
}

impl<'g, N: Ordered> Place<'_, 'g, N> {
    /// What the probe that led here is known to share with all nodes of the leaf.
    #[inline]
    pub(super) fn known(&self) -> Shared {
        let known = self.path.steps.iter();
        let known = known.map(|step| step.inner.known_at(step.index));
        known.fold(Shared::NOTHING, Shared::most)
    }

    /// The cell that leads to the leaf.
    #[inline]
    pub(super) fn cell<'s>(&'s self, index: &'s OrderedIndex<N>) -> &'s Slot<N> {
        self.path.slot(index, self.path.levels())
    }
}

impl<N: Ordered> OrderedIndex<N> {
    /// The way down, on a new path, at each inner node to the child that `route` names.
    #[inline]
    pub(super) fn place<'a, 'g>(
        &self,
        path: &'a mut Path<'g, N>,
        route: impl Fn(&Inner<N>) -> usize,
    ) -> Place<'a, 'g, N> {
        let (seen, leaf) = path.down(self.root.load(), route);
        Place { path, seen, leaf }
    }
}

impl<'g, N: Ordered> Path<'g, N> {
    #[inline]
    pub(super) fn new(guard: &'g Guard<'_>) -> Self {
        Self {
            guard,
            steps: SmallVec::new(),
        }
    }

    #[inline]
    fn down(
        &mut self,
        mut word: Word<N>,
        route: impl Fn(&Inner<N>) -> usize,
    ) -> (Word<N>, &'g Leaf<N>) {
        loop {
            match word.child(self.guard) {
                Child::Leaf(leaf) => return (word, leaf),
                Child::Inner(inner) => {
                    inner.prefetch_hints();
                    let index = route(inner);
                    self.steps.push(Step { inner, index });
                    word = inner.cell(index).load();
                }
            }
        }
    }

    /// How many inner nodes are on the way.
    pub(super) fn levels(&self) -> usize {
        self.steps.len()
    }

    /// The inner node at a level; 0 is the root.
    pub(super) fn inner(&self, level: usize) -> &'g Inner<N> {
        self.steps[level].inner
    }

    /// The cell that holds the child at a level (the leaf's is the last level).
    pub(super) fn slot<'s>(&'s self, index: &'s OrderedIndex<N>, level: usize) -> &'s Slot<N> {
        match level.checked_sub(1) {
            None => &index.root,
            Some(above) => self.steps[above].inner.cell(self.steps[above].index),
        }
    }

    /// The lowest level, at or above the given one, that may be rebuilt: the root's, or one not
    /// full (O7).
    pub(super) fn growable(&self, from: usize) -> usize {
        let mut levels = (1..=from).rev();
        levels
            .find(|&level| self.inner(level).len() < INNER)
            .unwrap_or(0)
    }

    /// The lowest level that may be rebuilt and where a child has a neighbour to be merged with.
    pub(super) fn shrinkable(&self) -> usize {
        let mut levels = (1..self.levels()).rev();
        let fits = |&level: &usize| (2..INNER).contains(&self.inner(level).len());
        levels.find(fits).unwrap_or(0)
    }

    /// Goes on to the next leaf.
    #[inline]
    pub(super) fn next(&mut self) -> Option<&'g Leaf<N>> {
        loop {
            let step = self.steps.last_mut()?;
            step.index += 1;
            if step.index < step.inner.len() {
                let word = step.inner.cell(step.index).load();
                return Some(self.down(word, |_| 0).1);
            }
            self.steps.pop();
        }
    }

    /// What the cell of a leaf further on holds, if that has the same parent.
    #[inline]
    fn ahead(&self, leaves: usize, reversed: bool) -> Option<Word<N>> {
        let step = self.steps.last()?;
        let index = match reversed {
            false => step.index + leaves,
            true => step.index.wrapping_sub(leaves),
        };
        (cfg!(not(loom)) && index < step.inner.len()).then(|| step.inner.cell(index).load())
    }

    /// Has the processor fetch what the leaf further on begins with: that says where its pointers
    /// are.
    #[inline]
    pub(super) fn prefetch_head(&self, leaves: usize, reversed: bool) {
        if let Some(word) = self.ahead(leaves, reversed) {
            word.prefetch();
        }
    }

    /// Has the processor fetch the next leaf's pointers.
    #[inline]
    fn prefetch_nodes(&self, reversed: bool) {
        let next = self.ahead(1, reversed).map(|word| word.child(self.guard));
        if let Some(Child::Leaf(leaf)) = next {
            leaf.prefetch_nodes();
        }
    }

    /// Goes on to the leaf before.
    #[inline]
    pub(super) fn previous(&mut self) -> Option<&'g Leaf<N>> {
        loop {
            let step = self.steps.last_mut()?;
            if let Some(before) = step.index.checked_sub(1) {
                step.index = before;
                let word = step.inner.cell(before).load();
                return Some(self.down(word, |inner| inner.len() - 1).1);
            }
            self.steps.pop();
        }
    }
}

/// A scan's way through the leaves, some nodes at a time.
pub(super) struct Walk<'a, 'g, 'p, N: Ordered, P> {
    path: &'a mut Path<'g, N>,
    leaf: &'g Leaf<N>,
    /// What is left of the leaf.
    rest: Range<usize>,
    /// A bound of what is walked, where it ends.
    until: Option<&'p P>,
    /// Nothing beyond this leaf is before that bound.
    last: bool,
    course: Course,
}

impl<'a, 'g, 'p, N: Ordered, P: Probe<N>> Walk<'a, 'g, 'p, N, P> {
    #[inline(always)]
    pub(super) fn new(
        path: &'a mut Path<'g, N>,
        (leaf, rest): (&'g Leaf<N>, Range<usize>),
        until: Option<&'p P>,
        course: Course,
    ) -> Self {
        let mut walk = Self {
            path,
            leaf,
            rest,
            until,
            last: false,
            course,
        };
        walk.enter();
        walk
    }

    #[inline]
    pub(super) fn is_reversed(&self) -> bool {
        self.course.reversed
    }

    /// How many nodes are wanted, or are there, as far as is known.
    #[inline]
    pub(super) fn wanted(&self) -> usize {
        match self.last {
            true => self.course.wanted.min(self.rest.len()),
            false => self.course.wanted,
        }
    }

    /// Leaves out of this leaf what is beyond the bound, and fetches the next one if it is wanted.
    #[inline(always)]
    fn enter(&mut self) {
        if let Some(until) = self.until {
            self.end(until);
        }
        if !self.last && self.course.wanted > self.rest.len() {
            self.path.prefetch_head(2, self.course.reversed);
            self.path.prefetch_nodes(self.course.reversed);
        }
    }

    #[inline]
    fn end(&mut self, until: &P) {
        let guard = self.path.guard;
        if self.course.reversed {
            let outside = self.leaf.count(guard, until, Ordering::is_ge);
            self.rest.start = self.rest.start.max(outside);
            self.last = outside > 0;
        } else {
            let inside = self.leaf.count(guard, until, Ordering::is_gt);
            self.rest.end = self.rest.end.min(inside);
            self.last = inside < self.leaf.len();
        }
    }

    /// The next nodes, all of one leaf and in its order: so many at most, none at the end.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Batch<'g, N> {
        while self.rest.is_empty() {
            if count == 0 || self.turn().is_none() {
                return Batch::EMPTY;
            }
        }
        let Range { start, end } = self.rest;
        let count = count.min(end - start);
        let taken = match self.course.reversed {
            false => start..start + count,
            true => end - count..end,
        };
        self.rest = match self.course.reversed {
            false => taken.end..end,
            true => start..taken.start,
        };
        self.course.wanted = self.course.wanted.saturating_sub(count);
        self.leaf.batch(self.path.guard, taken)
    }

    /// Goes on to the next leaf.
    #[inline(never)]
    fn turn(&mut self) -> Option<()> {
        if self.last {
            return None;
        }
        self.leaf = match self.course.reversed {
            false => self.path.next()?,
            true => self.path.previous()?,
        };
        self.rest = 0..self.leaf.len();
        self.enter();
        Some(())
    }
}
