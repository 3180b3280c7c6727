//! Leaves and inner nodes, and the searches in them.

use std::cmp::Ordering;
use std::ops::Range;

use super::word::{Slot, Word};
use super::{LEAF, Ordered, Probe, WIDE};
use crate::kernel::barrier::{prefetch, prefetch_lines};
use crate::kernel::reclaim::{Guard, at};

/// Nodes in order, with their hints beside them. Immutable once published (O1).
pub(super) struct Leaf<N> {
    len: usize,
    hints: [u64; LEAF],
    nodes: [*mut N; LEAF],
}

impl<N> Clone for Leaf<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Leaf<N> {}

impl<N> Leaf<N> {
    pub(super) fn empty() -> Self {
        Self {
            len: 0,
            hints: [0; LEAF],
            nodes: [std::ptr::null_mut(); LEAF],
        }
    }

    /// A leaf of these, which are in order.
    pub(super) fn of(items: &[(u64, *mut N)]) -> Self {
        let mut leaf = Self::empty();
        for (at, &(hint, node)) in items.iter().enumerate() {
            leaf.hints[at] = hint;
            leaf.nodes[at] = node;
        }
        leaf.len = items.len();
        leaf
    }

    /// Has the processor fetch the hints, for a search.
    #[inline]
    pub(super) fn prefetch_hints(&self) {
        prefetch_lines(&raw const self.hints, 1);
    }

    /// Has the processor fetch the first pointers of a leaf, for a scan. A hint: nothing is read,
    /// and the leaf need not be there any more.
    #[inline]
    pub(super) fn prefetch_nodes(leaf: *const Self, count: usize) {
        prefetch(leaf);
        let nodes = leaf
            .cast::<u8>()
            .wrapping_add(std::mem::offset_of!(Self, nodes));
        prefetch_lines(nodes.cast::<*mut N>(), count.min(LEAF));
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == LEAF
    }

    pub(super) fn items(&self) -> impl Iterator<Item = (u64, *mut N)> {
        let hints = self.hints[..self.len].iter().copied();
        hints.zip(self.nodes[..self.len].iter().copied())
    }

    /// Puts one more node in at `at`.
    #[inline]
    pub(super) fn put(&mut self, at: usize, hint: u64, node: *mut N) {
        self.hints.copy_within(at..self.len, at + 1);
        self.nodes.copy_within(at..self.len, at + 1);
        self.len += 1;
        self.put_instead(at, hint, node);
    }

    /// Puts another node in at `at`, in the place of the one there.
    #[inline]
    pub(super) fn put_instead(&mut self, at: usize, hint: u64, node: *mut N) {
        self.hints[at] = hint;
        self.nodes[at] = node;
    }

    /// Takes the node at `at` out.
    #[inline]
    pub(super) fn take_out(&mut self, at: usize) {
        self.hints.copy_within(at + 1..self.len, at);
        self.nodes.copy_within(at + 1..self.len, at);
        self.len -= 1;
    }
}

/// A node of a leaf that was loaded under a guard of this lifetime.
#[inline]
fn reach<'g, N>(node: *mut N) -> &'g N {
    // SAFETY: O5: a node of a leaf lives as long as the guard under which the leaf was loaded.
    unsafe { at(node) }
}

impl<N: Ordered> Leaf<N> {
    /// The node at `at` of a leaf that was loaded under this guard.
    #[inline]
    pub(super) fn node<'g>(&self, _guard: &'g Guard<'_>, at: usize) -> &'g N {
        reach(self.nodes[..self.len][at])
    }

    /// The node at `at`, as the leaf has it.
    #[inline]
    pub(super) fn pointer(&self, at: usize) -> *mut N {
        self.nodes[at]
    }

    /// Where the node that equals the probe stands, or would be put.
    #[inline]
    pub(super) fn find(&self, guard: &Guard<'_>, probe: &impl Probe<N>) -> Result<usize, usize> {
        let Range { start, end } = ties(&self.hints[..self.len], probe.hint());
        let (mut low, mut high) = (start, end);
        while low < high {
            let middle = low.midpoint(high);
            match probe.compare(self.node(guard, middle)) {
                Ordering::Equal => return Ok(middle),
                Ordering::Greater => low = middle + 1,
                Ordering::Less => high = middle,
            }
        }
        Err(low)
    }

    /// How many nodes are on the near side: those for which `near` holds of the probe's answer.
    pub(super) fn count(
        &self,
        guard: &Guard<'_>,
        probe: &impl Probe<N>,
        near: impl Fn(Ordering) -> bool,
    ) -> usize {
        let ties = ties(&self.hints[..self.len], probe.hint());
        partition(ties, |index| near(probe.compare(self.node(guard, index))))
    }
}

/// A separator with its hint.
pub(super) struct Bound<N: Ordered> {
    hint: u64,
    pub(super) separator: N::Separator,
}

impl<N: Ordered> Bound<N> {
    pub(super) fn at(node: &N) -> Self {
        Self {
            hint: node.hint(),
            separator: node.separator(),
        }
    }
}

/// A child to be, with what is below it; the first child of an inner node has no bound there.
pub(super) struct Part<N: Ordered> {
    pub(super) low: Option<Bound<N>>,
    pub(super) word: Word<N>,
}

/// Children and what separates them. Only the cells change once it is published (O1).
pub(super) struct Inner<N: Ordered> {
    len: usize,
    /// Of the separators.
    hints: [u64; WIDE],
    cells: [Slot<N>; WIDE],
    /// Between child i and child i + 1.
    separators: Box<[N::Separator]>,
}

impl<N: Ordered> Inner<N> {
    /// An inner node of these children, and the bound below the first of them.
    pub(super) fn of(parts: impl Iterator<Item = Part<N>>) -> (Option<Bound<N>>, Self) {
        let mut below = None;
        let mut hints = [0; WIDE];
        let mut words = parts
            .enumerate()
            .map(|(index, part)| (index, part.low, part.word));
        let mut separators = Vec::with_capacity(WIDE - 1);
        let mut len = 0;
        let cells = std::array::from_fn(|_| {
            let Some((index, low, word)) = words.next() else {
                return Slot::unused();
            };
            match (index, low) {
                (0, low) => below = low,
                (_, None) => unreachable!("only a first child has no bound"),
                (_, Some(low)) => {
                    hints[index - 1] = low.hint;
                    separators.push(low.separator);
                }
            }
            len = index + 1;
            Slot::new(word)
        });
        assert!(
            words.next().is_none(),
            "O7: an inner node grows past its bound"
        );
        let inner = Self {
            len,
            hints,
            cells,
            separators: separators.into_boxed_slice(),
        };
        (below, inner)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn cell(&self, index: usize) -> &Slot<N> {
        &self.cells[..self.len][index]
    }

    /// The bound below a child; None for the first.
    pub(super) fn low(&self, index: usize) -> Option<Bound<N>> {
        let before = index.checked_sub(1)?;
        Some(Bound {
            hint: self.hints[before],
            separator: self.separators[before].clone(),
        })
    }

    /// The child below which a node that equals the probe is, if there is one.
    #[inline]
    pub(super) fn route(&self, probe: &impl Probe<N>) -> usize {
        self.count(probe, Ordering::is_ge)
    }

    /// How many separators are on the near side: those for which `near` holds of the probe's
    /// answer.
    #[inline]
    pub(super) fn count(&self, probe: &impl Probe<N>, near: impl Fn(Ordering) -> bool) -> usize {
        let ties = ties(&self.hints[..self.separators.len()], probe.hint());
        partition(ties, |index| {
            near(probe.compare_separator(&self.separators[index]))
        })
    }
}

/// The places that the hints do not decide: all before are below, all after are above.
#[inline]
fn ties(hints: &[u64], hint: Option<u64>) -> Range<usize> {
    let Some(hint) = hint else {
        return 0..hints.len();
    };
    let start = hints.partition_point(|&other| other < hint);
    if hints.get(start) != Some(&hint) {
        return start..start;
    }
    start..start + hints[start..].partition_point(|&other| other == hint)
}

/// The first place of the range for which `near` does not hold; it holds for all before.
#[inline]
fn partition(range: Range<usize>, mut near: impl FnMut(usize) -> bool) -> usize {
    let Range { start, end } = range;
    let (mut low, mut high) = (start, end);
    while low < high {
        let middle = low.midpoint(high);
        if near(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}
