//! Leaves: nodes in order, with their hints. A leaf takes the memory that its nodes need, and its
//! copy with one change is made in one pass.
//!
//! ```text
//! len | shared | hint 0 .. hint len-1 | node 0 .. node len-1 | up to the next size
//! ```
//!
//! # Who may touch what
//! Only this file knows how a leaf lies in memory; [`super::word`] frees and retires it.

use std::alloc::Layout;
use std::cmp::Ordering;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use smallvec::SmallVec;

use super::node::{TIES_FETCHED, partition, ties};
use super::{LEAF, Ordered, Probe, Shared};
use crate::kernel::barrier::{prefetch, prefetch_lines};
use crate::kernel::reclaim::{Block, Guard, allocate_block, at};

/// Leaves are of sizes that are multiples of this: allocators have such, and a copy mostly takes
/// the block that another leaf of about as many nodes has left.
const SIZE_STEP: usize = 128;

/// What stands before the hints.
#[repr(C)]
struct Head {
    len: u32,
    /// What the nodes share: hints begin after it (O9).
    shared: Shared,
}

/// Nodes in order, with their hints before them. Immutable once published (O1).
#[repr(C)]
pub(super) struct Leaf<N> {
    head: Head,
    kind: PhantomData<*mut N>,
    /// All hints, then all nodes.
    words: [MaybeUninit<u64>],
}

/// Words of so many nodes, without their hints.
const fn node_words<N>(len: usize) -> usize {
    (len * size_of::<*mut N>()).div_ceil(size_of::<u64>())
}

/// Hints and their nodes.
struct Run<'a, N> {
    hints: &'a [u64],
    nodes: &'a [*mut N],
}

/// Where the next ones of a leaf in the making go.
struct Rest<N> {
    hint: *mut u64,
    node: *mut *mut N,
}

impl<N> Rest<N> {
    /// # Safety
    /// There is room for them, which is the caller's.
    #[inline]
    unsafe fn put(&mut self, run: &Run<'_, N>) {
        let len = run.nodes.len();
        debug_assert_eq!(len, run.hints.len(), "a hint a node");
        // SAFETY: the caller's promise; what is copied is elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(run.hints.as_ptr(), self.hint, len) };
        // SAFETY: as above.
        unsafe { std::ptr::copy_nonoverlapping(run.nodes.as_ptr(), self.node, len) };
        self.hint = self.hint.wrapping_add(len);
        self.node = self.node.wrapping_add(len);
    }

    /// # Safety
    /// As [`Rest::put`].
    #[inline]
    unsafe fn put_one(&mut self, (hint, node): (u64, *mut N)) {
        // SAFETY: the caller's promise.
        unsafe { self.hint.write(hint) };
        // SAFETY: as above.
        unsafe { self.node.write(node) };
        self.hint = self.hint.wrapping_add(1);
        self.node = self.node.wrapping_add(1);
    }
}

/// A new leaf of these in a row.
#[inline]
fn leaf_of<N>(
    shared: Shared,
    before: &Run<'_, N>,
    one: Option<(u64, *mut N)>,
    after: &Run<'_, N>,
) -> *mut () {
    let len = before.nodes.len() + usize::from(one.is_some()) + after.nodes.len();
    assert!(len <= LEAF, "a leaf is not made larger than full");
    // No node is left to tell what an empty leaf's share.
    let shared = if len == 0 { Shared::NOTHING } else { shared };
    allocate_block(Leaf::<N>::layout_of(len), |block| {
        let head = block.cast::<Head>();
        // SAFETY: ours, and of the layout of so many nodes (at most LEAF).
        unsafe {
            head.write(Head {
                len: len as u32,
                shared,
            })
        };
        let hint = head.wrapping_add(1).cast::<u64>();
        let node = hint.wrapping_add(len).cast();
        let mut rest = Rest { hint, node };
        // SAFETY: as above: all of them together are so many.
        unsafe { rest.put(before) };
        if let Some(one) = one {
            // SAFETY: as above.
            unsafe { rest.put_one(one) };
        }
        // SAFETY: as above.
        unsafe { rest.put(after) };
    })
}

impl<N> Block for Leaf<N> {
    unsafe fn layout(block: *const ()) -> Layout {
        // SAFETY: the caller's promise: a leaf, which begins with its head (repr C).
        let head = unsafe { at(block.cast::<Head>()) };
        Self::layout_of(head.len as usize)
    }
}

impl<N> Leaf<N> {
    /// At what addresses leaves are.
    pub(super) const ALIGN: usize = align_of::<u64>();

    #[inline]
    fn layout_of(len: usize) -> Layout {
        let bytes = size_of::<Head>() + (len + node_words::<N>(len)) * size_of::<u64>();
        let size = bytes.next_multiple_of(SIZE_STEP);
        Layout::from_size_align(size, Self::ALIGN).expect("a leaf is small")
    }

    /// A new leaf without nodes.
    pub(super) fn empty() -> *mut () {
        leaf_of::<N>(Shared::NOTHING, &Run::EMPTY, None, &Run::EMPTY)
    }

    /// The leaf at an address.
    ///
    /// # Safety
    /// A whole leaf is there, which stays for `'a`.
    #[inline]
    pub(super) unsafe fn reach<'a>(leaf: *const ()) -> &'a Self {
        // SAFETY: the caller's promise; a leaf begins with its head (repr C).
        let len = unsafe { at(leaf.cast::<Head>()) }.len as usize;
        let words = len + node_words::<N>(len);
        let whole = std::ptr::slice_from_raw_parts(leaf.cast::<MaybeUninit<u64>>(), words);
        // SAFETY: as above, with the words of so many nodes.
        unsafe { at(whole as *const Self) }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.head.len as usize
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == LEAF
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> usize {
        Self::layout_of(self.len()).size()
    }

    #[inline]
    fn hints(&self) -> &[u64] {
        // SAFETY: `leaf_of` filled so many hints, from the first word on.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().cast(), self.len()) }
    }

    #[inline]
    pub(super) fn nodes(&self) -> &[*mut N] {
        let nodes = self.words.as_ptr().wrapping_add(self.len()).cast();
        // SAFETY: `leaf_of` filled so many nodes, right behind the hints.
        unsafe { std::slice::from_raw_parts(nodes, self.len()) }
    }

    #[inline]
    fn run(&self, range: Range<usize>) -> Run<'_, N> {
        Run {
            hints: &self.hints()[range.clone()],
            nodes: &self.nodes()[range],
        }
    }

    /// Has the processor fetch the hints, for a search: as many lines as there may be, so that the
    /// leaf's length need not have come.
    #[inline]
    pub(super) fn prefetch_hints(&self) {
        prefetch_lines(self.words.as_ptr().cast::<u64>(), LEAF);
    }

    /// Has the processor fetch all of it, for a copy with one change.
    #[inline]
    pub(super) fn prefetch(&self) {
        Self::prefetch_all(std::ptr::from_ref(self).cast());
    }

    /// The same of the leaf at an address: as many lines as there may be, so that its length need
    /// not have come.
    #[inline]
    pub(super) fn prefetch_all(leaf: *const ()) {
        let words = LEAF + node_words::<N>(LEAF);
        prefetch_lines(leaf.cast::<u64>(), words);
    }

    /// Has the processor fetch the nodes at these places.
    #[inline]
    pub(super) fn prefetch_at(&self, places: Range<usize>) {
        let nodes = &self.nodes()[places];
        nodes.iter().for_each(|&node| prefetch(node.cast_const()));
    }

    /// Has the processor fetch the pointers, for a scan.
    #[inline]
    pub(super) fn prefetch_nodes(&self) {
        let nodes = self.nodes();
        prefetch_lines(nodes.as_ptr(), nodes.len());
    }

    /// A copy with another node at `at`, in the place of its equal there.
    #[inline]
    pub(super) fn put_instead(&self, at: usize, node: *mut N) -> *mut () {
        let one = (self.hints()[at], node);
        let (before, after) = (self.run(0..at), self.run(at + 1..self.len()));
        leaf_of(self.head.shared, &before, Some(one), &after)
    }

    /// A copy without the node at `at`.
    #[inline]
    pub(super) fn take_out(&self, at: usize) -> *mut () {
        let (before, after) = (self.run(0..at), self.run(at + 1..self.len()));
        leaf_of(self.head.shared, &before, None, &after)
    }

    /// The node at `at`, as the leaf has it.
    #[inline]
    pub(super) fn pointer(&self, at: usize) -> *mut N {
        self.nodes()[at]
    }
}

/// Nodes in a row of a leaf that was loaded under a guard of this lifetime: only [`Leaf::batch`]
/// makes one of nodes.
pub(super) struct Batch<'g, N>(&'g [*mut N]);

impl<N> Clone for Batch<'_, N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Batch<'_, N> {}

impl<'g, N> Batch<'g, N> {
    pub(super) const EMPTY: Self = Self(&[]);

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    #[inline]
    pub(super) fn nodes(self) -> impl DoubleEndedIterator<Item = &'g N> + ExactSizeIterator {
        self.0.iter().map(|&node| reach(node))
    }
}

impl<N> Run<'_, N> {
    const EMPTY: Self = Self {
        hints: &[],
        nodes: &[],
    };
}

/// A node of a leaf that was loaded under a guard of this lifetime.
#[inline]
fn reach<'g, N>(node: *mut N) -> &'g N {
    // SAFETY: O5: a node of a leaf lives as long as the guard under which the leaf was loaded.
    unsafe { at(node) }
}

impl<N: Ordered> Leaf<N> {
    /// A new leaf of these, which are in order, and alive.
    pub(super) fn of(nodes: &[*mut N]) -> *mut () {
        Self::with_hints(nodes, None)
    }

    /// As [`Leaf::of`]; of nodes that came from leaves whose nodes share so much, with the hints
    /// that they have there.
    pub(super) fn with_hints(nodes: &[*mut N], known: Option<(Shared, &[u64])>) -> *mut () {
        let shared = match nodes {
            [first, .., last] => N::shared(reach(*first), reach(*last)),
            _ => Shared::NOTHING,
        };
        if let Some((_, hints)) = known.filter(|(known, _)| *known == shared) {
            return leaf_of(shared, &Run { hints, nodes }, None, &Run::EMPTY);
        }
        let hints = nodes.iter().map(|&node| match shared {
            Shared::NOTHING => reach::<N>(node).hint(),
            _ => reach::<N>(node).hint_after(shared),
        });
        let hints = &hints.collect::<SmallVec<[u64; LEAF]>>()[..];
        leaf_of(shared, &Run { hints, nodes }, None, &Run::EMPTY)
    }

    /// What the nodes share, and their hints after that.
    pub(super) fn known(&self) -> (Shared, &[u64]) {
        (self.head.shared, self.hints())
    }

    /// A copy with one more node at `at`, of which it is known to share so much with those of the
    /// leaf; both it and they are alive.
    #[inline]
    pub(super) fn put(&self, at: usize, node: *mut N, known: Shared) -> *mut () {
        let (shared, own) = (self.head.shared, reach::<N>(node));
        let strange = || own.compare_shared(self.witness(at), shared).is_ne();
        if !known.covers(shared) && strange() {
            return self.put_stranger(at, node);
        }
        let one = (own.hint_after(shared), node);
        let (before, after) = (self.run(0..at), self.run(at..self.len()));
        leaf_of(shared, &before, Some(one), &after)
    }

    /// The same of a node that does not share what the others do.
    #[cold]
    fn put_stranger(&self, at: usize, node: *mut N) -> *mut () {
        let mut nodes = SmallVec::<[*mut N; LEAF]>::from_slice(self.nodes());
        nodes.insert(at, node);
        Self::of(&nodes)
    }

    /// The node at `at` of a leaf that was loaded under this guard.
    #[inline]
    pub(super) fn node<'g>(&self, _guard: &'g Guard<'_>, at: usize) -> &'g N {
        reach(self.nodes()[at])
    }

    /// A node that tells what all share: the one where a search arrives, which mostly is looked at
    /// anyway, so that no other line is waited for. Not of an empty leaf.
    #[inline]
    fn witness(&self, at: usize) -> &N {
        reach(self.nodes()[at.min(self.len() - 1)])
    }

    /// Nodes of a leaf that was loaded under this guard.
    #[inline]
    pub(super) fn batch<'g>(&'g self, _guard: &'g Guard<'_>, range: Range<usize>) -> Batch<'g, N> {
        Batch(&self.nodes()[range])
    }

    /// The places that the hints do not decide: all before are below the probe, all after above.
    #[inline]
    pub(super) fn ties(&self, probe: &impl Probe<N>) -> Range<usize> {
        self.ties_knowing(probe, Shared::NOTHING)
    }

    /// The same for a probe that is known to share so much with all nodes of the leaf.
    #[inline]
    fn ties_knowing(&self, probe: &impl Probe<N>, known: Shared) -> Range<usize> {
        let (len, shared) = (self.len(), self.head.shared);
        let ties = ties(self.hints(), probe.hint_after(shared));
        if TIES_FETCHED.contains(&ties.len()) {
            self.prefetch_at(ties.clone());
        }
        if !known.covers(shared) {
            match probe.compare_shared(self.witness(ties.start), shared) {
                Ordering::Less => return 0..0,
                Ordering::Greater => return len..len,
                Ordering::Equal => {}
            }
        }
        ties
    }

    /// Where the node that equals the probe stands, or would be put. The probe is known to share so
    /// much with all nodes of the leaf.
    #[inline]
    pub(super) fn find(
        &self,
        guard: &Guard<'_>,
        probe: &impl Probe<N>,
        known: Shared,
    ) -> Result<usize, usize> {
        let Range { start, end } = self.ties_knowing(probe, known);
        if TIES_FETCHED.contains(&(end - start)) {
            // Their keys decide, which a node may lead to.
            let nodes = self.nodes()[start..end].iter();
            nodes.for_each(|&node| reach::<N>(node).prefetch());
        }
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
        self.count_among(guard, self.ties(probe), probe, near)
    }

    /// The same, given the places that the hints do not decide.
    #[inline]
    pub(super) fn count_among(
        &self,
        guard: &Guard<'_>,
        ties: Range<usize>,
        probe: &impl Probe<N>,
        near: impl Fn(Ordering) -> bool,
    ) -> usize {
        partition(ties, |index| near(probe.compare(self.node(guard, index))))
    }
}
