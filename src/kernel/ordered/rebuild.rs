//! Rebuilding an inner node: its full children are split, its tiny ones merged.
//!
//! What is made depends on nothing but frozen cells and immutable lengths, so every thread that
//! rebuilds the same inner node wants the same children frozen. One of them wins the CAS; what the
//! others made is freed.
//!
//! Progress: a rebuild fails only because another thread's CAS on the same cell succeeded. It makes
//! an insert's leaf or one of the full nodes above it smaller, or a remove's sparse leaf or a lone
//! node above it larger or gone, so an operation rebuilds at most twice a level if nobody
//! interferes.

use std::ops::Range;

use smallvec::SmallVec;

use super::leaf::Leaf;
use super::node::{Bound, Inner, Part};
use super::path::{Path, Place};
use super::word::{Child, Fresh, Word};
use super::{FILLED, INNER, LEAF, Ordered, OrderedIndex, Shared, TINY};
use crate::kernel::reclaim::{Garbage, Guard, at};
use crate::kernel::step::{Step, step};

impl<N: Ordered> OrderedIndex<N> {
    /// Replaces the inner node of a path at a level, or one above it if that is frozen. The path is
    /// stale afterwards.
    pub(super) fn rebuild(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        path: &Path<'_, N>,
        mut level: usize,
    ) {
        loop {
            let old = path.inner(level);
            let slot = path.slot(self, level);
            let seen = slot.load();
            if !seen.is(old) {
                return;
            }
            if seen.is_frozen() {
                // Its parent is being rebuilt; the root's cell is never frozen.
                level = path.growable(level - 1);
                continue;
            }
            let mut rebuild = Rebuild::new(guard);
            rebuild.children(old);
            let new = match level {
                0 => rebuild.root(),
                _ => rebuild.inner(),
            };
            step(Step::Splitting);
            if slot.swing(seen, new) {
                rebuild.published(garbage, seen);
            }
            return;
        }
    }

    /// Puts an inner node with two leaves in the place of the root that is a full leaf.
    pub(super) fn split_root(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        place: &Place<'_, '_, N>,
    ) {
        let mut rebuild = Rebuild::new(guard);
        rebuild.leaves(None, &[place.leaf]);
        let new = rebuild.root();
        step(Step::Splitting);
        if self.root.swing(place.seen, new) {
            rebuild.published(garbage, place.seen);
        }
    }

    /// Puts nodes in all at once, if the index is empty: a tree of them is made
    /// in private, and the root swung to it. They must ascend, each above the one before. False: it
    /// is not empty, or they do not ascend, and nothing was done.
    ///
    /// As those of a `Choice::Put`, the nodes are alive until they are taken out again (O5). O(1) a
    /// node, and a copy of a leaf for each [`FILLED`] of them, where [`OrderedIndex::insert`] needs
    /// one a node. Wait-free.
    pub(crate) fn fill(&self, guard: &Guard<'_>, garbage: &mut Garbage, nodes: &[*mut N]) -> bool {
        let seen = self.root.load();
        match seen.child(guard) {
            Child::Leaf(leaf) if leaf.len() == 0 => {}
            _ => return false,
        }
        let ascend = |pair: &[*mut N]| {
            // SAFETY: O5: the caller's nodes are alive.
            let [below, above] = [pair[0], pair[1]].map(|node| unsafe { at::<N>(node) });
            below.compare(above).is_lt()
        };
        if !nodes.windows(2).all(ascend) {
            return false;
        }
        if nodes.is_empty() {
            return true;
        }
        let mut rebuild = Rebuild::new(guard);
        rebuild.spread(None, (nodes, None), FILLED);
        let new = rebuild.root();
        let swung = self.root.swing(seen, new);
        if swung {
            rebuild.published(garbage, seen);
        }
        swung
    }
}

/// A replacement in the making.
struct Rebuild<'g, N: Ordered> {
    guard: &'g Guard<'g>,
    /// The children of the replacement.
    parts: Vec<Part<N>>,
    fresh: Fresh<N>,
    /// The children of the old inner node that the replacement does without.
    consumed: SmallVec<[Word<N>; 4]>,
}

impl<'g, N: Ordered> Rebuild<'g, N> {
    fn new(guard: &'g Guard<'_>) -> Self {
        Self {
            guard,
            parts: Vec::new(),
            fresh: Fresh::new(),
            consumed: SmallVec::new(),
        }
    }

    /// Freezes an inner node and makes the parts that replace its children.
    fn children(&mut self, old: &Inner<N>) {
        let words: SmallVec<[Word<N>; INNER]> = (0..old.len())
            .map(|index| old.cell(index).freeze())
            .collect();
        let len = |word: &Word<N>| word.child(self.guard).len();
        let lens: SmallVec<[usize; INNER]> = words.iter().map(len).collect();
        let capacity = if words[0].is_leaf() { LEAF } else { INNER };
        for group in groups(&lens, capacity) {
            let low = old.low(group.start);
            if group.len() == 1 && lens[group.start] < capacity {
                let word = words[group.start];
                self.parts.push(Part { low, word });
                continue;
            }
            let members = &words[group.clone()];
            self.consumed.extend_from_slice(members);
            let mut leaves = SmallVec::<[&Leaf<N>; 4]>::new();
            let mut inners = SmallVec::<[(Option<Bound<N>>, &Inner<N>); 4]>::new();
            for (index, member) in group.zip(members) {
                match member.child(self.guard) {
                    Child::Leaf(leaf) => leaves.push(leaf),
                    Child::Inner(inner) => inners.push((old.low(index), inner)),
                }
            }
            if inners.is_empty() {
                self.leaves(low, &leaves);
            } else {
                self.inners(inners);
            }
        }
    }

    /// Deals the nodes of neighbouring leaves out to new ones.
    fn leaves(&mut self, low: Option<Bound<N>>, leaves: &[&Leaf<N>]) {
        let mut nodes = SmallVec::<[*mut N; 2 * LEAF]>::new();
        let mut hints = SmallVec::<[u64; 2 * LEAF]>::new();
        let shared = leaves[0].known().0;
        let mut alike = true;
        for leaf in leaves {
            let (own_shared, own_hints) = leaf.known();
            nodes.extend_from_slice(leaf.nodes());
            hints.extend_from_slice(own_hints);
            alike &= own_shared == shared;
        }
        let known = alike.then_some((shared, &hints[..]));
        self.spread(low, (&nodes, known), LEAF);
    }

    /// Deals nodes out to leaves that have fewer than `capacity`. What they share in their leaves
    /// of now comes with them, and their hints, if it is the same in all.
    fn spread(
        &mut self,
        mut low: Option<Bound<N>>,
        (nodes, known): (&[*mut N], Option<(Shared, &[u64])>),
        capacity: usize,
    ) {
        let mut done = 0;
        for size in pieces(nodes.len(), capacity) {
            let range = done..done + size;
            if done > 0 {
                // SAFETY: O5: a node of a leaf loaded under the guard, or alive by the caller's
                // word.
                let first = unsafe { at::<N>(nodes[done]) };
                low = Some(Bound(first.separator()));
            }
            let known = known.map(|(shared, hints)| (shared, &hints[range.clone()]));
            let leaf = Leaf::with_hints(&nodes[range], known);
            let word = self.fresh.keep(Word::leaf(leaf));
            let low = low.take();
            self.parts.push(Part { low, word });
            done += size;
        }
    }

    /// Deals the children of neighbouring inner nodes, each with the bound below it, out to new
    /// ones.
    fn inners(&mut self, inners: impl IntoIterator<Item = (Option<Bound<N>>, &'g Inner<N>)>) {
        let mut children = Vec::new();
        for (mut below, inner) in inners {
            for index in 0..inner.len() {
                let word = inner.cell(index).freeze();
                let low = inner.low(index).or_else(|| below.take());
                children.push(Part { low, word });
            }
        }
        self.deal(children);
    }

    /// Makes inner nodes of these children, as many as it takes, and parts of those.
    fn deal(&mut self, children: Vec<Part<N>>) {
        let sizes = pieces(children.len(), INNER);
        let mut children = children.into_iter();
        for size in sizes {
            let (low, inner) = Inner::of(children.by_ref().take(size));
            let word = self.fresh.keep(Word::inner(inner));
            self.parts.push(Part { low, word });
        }
    }

    /// One inner node of all parts.
    fn inner(&mut self) -> Word<N> {
        let (_, inner) = Inner::of(self.parts.drain(..));
        self.fresh.keep(Word::inner(inner))
    }

    /// A root of all parts: the only one itself, or an inner node that is not full.
    fn root(&mut self) -> Word<N> {
        while self.parts.len() >= INNER {
            let children = std::mem::take(&mut self.parts);
            self.deal(children);
        }
        match &self.parts[..] {
            [only] => only.word,
            _ => self.inner(),
        }
    }

    /// The replacement stands: what it does without is retired.
    fn published(self, garbage: &mut Garbage, old: Word<N>) {
        self.fresh.published();
        for word in self.consumed.into_iter().chain([old]) {
            // SAFETY: O4: our CAS has just taken the old node out, and with it those of its
            // children that the replacement does not have.
            unsafe { word.retire(garbage) };
        }
    }
}

/// Neighbours that are dealt out together: a tiny child goes with the one before it, or, when it is
/// the first, with the one after it; small ones go together as long as they fill half of one.
fn groups(lens: &[usize], capacity: usize) -> SmallVec<[Range<usize>; INNER]> {
    let mut groups = SmallVec::<[Range<usize>; INNER]>::new();
    let mut total = 0;
    for (index, &len) in lens.iter().enumerate() {
        let joins = len <= TINY || total <= TINY || total + len <= capacity / 2;
        match groups.last_mut() {
            Some(group) if joins => {
                group.end = index + 1;
                total += len;
            }
            _ => {
                groups.push(index..index + 1);
                total = len;
            }
        }
    }
    groups
}

/// The sizes of what `total` is dealt out to: one if it is not full, else even ones that are not
/// full.
fn pieces(total: usize, capacity: usize) -> impl Iterator<Item = usize> {
    let count = match total < capacity {
        true => 1,
        false => total.div_ceil(capacity - 1).max(2),
    };
    (0..count).map(move |piece| total / count + usize::from(piece < total % count))
}
