//! Leaves and inner nodes, and the searches in them.

use std::cmp::Ordering;
use std::ops::Range;

use super::word::{Slot, Word};
use super::{LEAF, Ordered, Probe, Shared, WIDE};
use crate::kernel::barrier::{prefetch, prefetch_lines};
use crate::kernel::reclaim::{Guard, at};

/// Nodes in order, with their hints beside them. Immutable once published (O1).
pub(super) struct Leaf<N> {
    len: u32,
    /// What the nodes share: hints begin after it (O9).
    shared: Shared,
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
            shared: Shared::NOTHING,
            hints: [0; LEAF],
            nodes: [std::ptr::null_mut(); LEAF],
        }
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
        self.len as usize
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == LEAF
    }

    pub(super) fn nodes(&self) -> &[*mut N] {
        &self.nodes[..self.len()]
    }

    /// Puts another node in at `at`, in the place of its equal there.
    #[inline]
    pub(super) fn put_instead(&mut self, at: usize, node: *mut N) {
        self.nodes[at] = node;
    }

    /// Takes the node at `at` out.
    #[inline]
    pub(super) fn take_out(&mut self, at: usize) {
        let len = self.len();
        self.hints.copy_within(at + 1..len, at);
        self.nodes.copy_within(at + 1..len, at);
        self.len -= 1;
        if self.len == 0 {
            // No node is left to tell what is shared.
            self.shared = Shared::NOTHING;
        }
    }
}

/// A node of a leaf that was loaded under a guard of this lifetime.
#[inline]
fn reach<'g, N>(node: *mut N) -> &'g N {
    // SAFETY: O5: a node of a leaf lives as long as the guard under which the leaf was loaded.
    unsafe { at(node) }
}

impl<N: Ordered> Leaf<N> {
    /// A leaf of these, which are in order, and alive.
    pub(super) fn of(nodes: &[*mut N]) -> Self {
        let mut leaf = Self::empty();
        leaf.nodes[..nodes.len()].copy_from_slice(nodes);
        // At most LEAF.
        leaf.len = nodes.len() as u32;
        leaf.set_hints();
        leaf
    }

    /// Sees what all nodes share, and takes the hints after it.
    fn set_hints(&mut self) {
        let [first, .., last] = self.nodes() else {
            self.shared = Shared::NOTHING;
            if let Some(&only) = self.nodes().first() {
                self.hints[0] = reach::<N>(only).hint();
            }
            return;
        };
        self.shared = N::shared(reach(*first), reach(*last));
        for at in 0..self.len() {
            self.hints[at] = reach::<N>(self.nodes[at]).hint_after(self.shared);
        }
    }

    /// Puts one more node in at `at`; both it and those of the leaf are alive.
    #[inline]
    pub(super) fn put(&mut self, at: usize, node: *mut N) {
        let len = self.len();
        self.hints.copy_within(at..len, at + 1);
        self.nodes.copy_within(at..len, at + 1);
        self.nodes[at] = node;
        self.len += 1;
        let (shared, own) = (self.shared, reach::<N>(node));
        // The new node itself may be first.
        let other = self.nodes[usize::from(at == 0)];
        if shared == Shared::NOTHING || own.compare_shared(reach(other), shared).is_eq() {
            self.hints[at] = own.hint_after(shared);
        } else {
            self.set_hints();
        }
    }

    /// The node at `at` of a leaf that was loaded under this guard.
    #[inline]
    pub(super) fn node<'g>(&self, _guard: &'g Guard<'_>, at: usize) -> &'g N {
        reach(self.nodes()[at])
    }

    /// The places that the hints do not decide: all before are below the probe, all after above.
    #[inline]
    fn ties(&self, probe: &impl Probe<N>) -> Range<usize> {
        let len = self.len();
        if self.shared != Shared::NOTHING {
            match probe.compare_shared(reach(self.nodes[0]), self.shared) {
                Ordering::Less => return 0..0,
                Ordering::Greater => return len..len,
                Ordering::Equal => {}
            }
        }
        ties(&self.hints[..len], probe.hint_after(self.shared))
    }

    /// The node at `at`, as the leaf has it.
    #[inline]
    pub(super) fn pointer(&self, at: usize) -> *mut N {
        self.nodes[at]
    }

    /// Where the node that equals the probe stands, or would be put.
    #[inline]
    pub(super) fn find(&self, guard: &Guard<'_>, probe: &impl Probe<N>) -> Result<usize, usize> {
        let Range { start, end } = self.ties(probe);
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
        partition(self.ties(probe), |index| {
            near(probe.compare(self.node(guard, index)))
        })
    }
}

/// What all below a child are at or above.
pub(super) struct Bound<N: Ordered>(pub(super) N::Separator);

/// A child to be, with what is below it; the first child of an inner node has no bound there.
pub(super) struct Part<N: Ordered> {
    pub(super) low: Option<Bound<N>>,
    pub(super) word: Word<N>,
}

/// Children and what separates them. Only the cells change once it is published (O1).
pub(super) struct Inner<N: Ordered> {
    len: u32,
    /// What the separators share: hints begin after it (O9).
    shared: Shared,
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
        let mut words = parts
            .enumerate()
            .map(|(index, part)| (index, part.low, part.word));
        let mut separators = Vec::with_capacity(WIDE - 1);
        let mut len = 0u32;
        let cells = std::array::from_fn(|_| {
            let Some((index, low, word)) = words.next() else {
                return Slot::unused();
            };
            match (index, low) {
                (0, low) => below = low,
                (_, None) => unreachable!("only a first child has no bound"),
                (_, Some(Bound(separator))) => separators.push(separator),
            }
            len += 1;
            Slot::new(word)
        });
        assert!(
            words.next().is_none(),
            "O7: an inner node grows past its bound"
        );
        let shared = match &separators[..] {
            [first, .., last] => N::separators_shared(first, last),
            _ => Shared::NOTHING,
        };
        let mut hints = [0; WIDE];
        for (hint, separator) in hints.iter_mut().zip(&separators) {
            *hint = N::separator_hint(separator, shared);
        }
        let inner = Self {
            len,
            shared,
            hints,
            cells,
            separators: separators.into_boxed_slice(),
        };
        (below, inner)
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    #[inline]
    pub(super) fn cell(&self, index: usize) -> &Slot<N> {
        &self.cells[..self.len()][index]
    }

    /// The bound below a child; None for the first.
    pub(super) fn low(&self, index: usize) -> Option<Bound<N>> {
        let before = index.checked_sub(1)?;
        Some(Bound(self.separators[before].clone()))
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
        if self.shared != Shared::NOTHING {
            let side = probe.compare_shared_separator(&self.separators[0], self.shared);
            if side.is_ne() {
                return if near(side) { self.separators.len() } else { 0 };
            }
        }
        let hint = probe.hint_after(self.shared);
        let ties = ties(&self.hints[..self.separators.len()], hint);
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
