//! The word of a cell: a pointer to a child with its kind and the mark of freezing.
//!
//! # Who may touch what
//! Only this file casts the pointer of a word back, frees and retires leaves and inner nodes.

use std::marker::PhantomData;

use smallvec::SmallVec;

use super::Ordered;
use super::leaf::Leaf;
use super::node::Inner;
use crate::kernel::barrier::prefetch;
use crate::kernel::reclaim::{Garbage, Guard, allocate, at, free, free_block};
use crate::kernel::release::contain;
use crate::sync::{AtomicPtr, Ordering};

/// Nobody changes this cell any more.
const FROZEN: usize = 1;
/// The pointer is to a leaf, not to an inner node.
const LEAF: usize = 2;
const MARKS: usize = FROZEN | LEAF;

/// What a cell holds at one moment.
pub(super) struct Word<N: Ordered> {
    pointer: *mut (),
    kind: PhantomData<*mut N>,
}

impl<N: Ordered> Clone for Word<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N: Ordered> Copy for Word<N> {}

/// A child, for as long as the guard.
pub(super) enum Child<'g, N: Ordered> {
    Leaf(&'g Leaf<N>),
    Inner(&'g Inner<N>),
}

impl<N: Ordered> Child<'_, N> {
    pub(super) fn len(&self) -> usize {
        match self {
            Child::Leaf(leaf) => leaf.len(),
            Child::Inner(inner) => inner.len(),
        }
    }
}

impl<N: Ordered> Word<N> {
    const ALIGNED: () = {
        assert!(
            Leaf::<N>::ALIGN > MARKS,
            "the marks fit below a leaf's address"
        );
        assert!(
            align_of::<Inner<N>>() > MARKS,
            "the marks fit below an inner node's address"
        );
    };

    fn from_pointer(pointer: *mut ()) -> Self {
        let () = Self::ALIGNED;
        Self {
            pointer,
            kind: PhantomData,
        }
    }

    /// A new leaf, one of those that `Leaf` makes.
    #[inline]
    pub(super) fn leaf(leaf: *mut ()) -> Self {
        Self::from_pointer(leaf.map_addr(|address| address | LEAF))
    }

    /// A new inner node.
    pub(super) fn inner(inner: Inner<N>) -> Self {
        Self::from_pointer(allocate(inner).cast())
    }

    pub(super) fn is_leaf(self) -> bool {
        self.pointer.addr() & LEAF != 0
    }

    pub(super) fn is_frozen(self) -> bool {
        self.pointer.addr() & FROZEN != 0
    }

    /// The same child in a cell that may change.
    pub(super) fn thawed(self) -> Self {
        Self::from_pointer(self.pointer.map_addr(|address| address & !FROZEN))
    }

    fn frozen(self) -> Self {
        Self::from_pointer(self.pointer.map_addr(|address| address | FROZEN))
    }

    /// Whether this is, frozen or not, the given inner node.
    pub(super) fn is(self, inner: &Inner<N>) -> bool {
        self.bare().addr() == std::ptr::from_ref(inner).addr()
    }

    fn bare(self) -> *mut () {
        self.pointer.map_addr(|address| address & !MARKS)
    }

    /// What the word points to; the word is from a cell, loaded under this guard.
    #[inline]
    pub(super) fn child<'g>(self, _guard: &'g Guard<'_>) -> Child<'g, N> {
        let bare = self.bare();
        if self.is_leaf() {
            // SAFETY: O4: loaded under the guard; the mark says that `Word::leaf` made it.
            Child::Leaf(unsafe { Leaf::reach(bare) })
        } else {
            // SAFETY: O4: as above; without the mark it is `Word::inner`'s.
            Child::Inner(unsafe { at(bare.cast::<Inner<N>>()) })
        }
    }

    /// Has the processor fetch what the leaf or inner node begins with.
    #[inline]
    pub(super) fn prefetch(self) {
        prefetch(self.bare().cast_const());
    }

    /// Has the processor fetch all of the leaf that it is, for a copy with one change.
    #[inline]
    pub(super) fn prefetch_leaf(self) {
        Leaf::<N>::prefetch_all(self.bare());
    }

    /// Retires the leaf or inner node.
    ///
    /// # Safety
    /// O4: the caller's CAS has taken it out of the tree, and the caller retires it once.
    pub(super) unsafe fn retire(self, garbage: &mut Garbage) {
        if self.is_leaf() {
            // SAFETY: the caller's promise; the mark says that it is a leaf.
            unsafe { garbage.retire_block::<Leaf<N>>(self.bare()) };
        } else {
            // SAFETY: as above, it is an inner node.
            unsafe { garbage.retire(self.bare().cast::<Inner<N>>()) };
        }
    }

    /// Frees the leaf or inner node alone.
    ///
    /// # Safety
    /// Nobody else knows it, and nobody uses it again.
    pub(super) unsafe fn free(self) {
        if self.is_leaf() {
            // SAFETY: the caller's promise; the mark says that it is a leaf.
            unsafe { free_block::<Leaf<N>>(self.bare()) };
        } else {
            // SAFETY: as above, it is an inner node.
            unsafe { free(self.bare().cast::<Inner<N>>()) };
        }
    }

    /// Frees the whole subtree; `each` gets the nodes of its leaves.
    ///
    /// # Safety
    /// The subtree is the caller's alone and not used again.
    pub(super) unsafe fn take(self, each: &mut dyn FnMut(*mut N)) {
        if self.is_leaf() {
            // SAFETY: the caller's subtree, alive until the end of this call.
            let leaf = unsafe { Leaf::<N>::reach(self.bare()) };
            leaf.nodes().iter().for_each(|&node| each(node));
        } else {
            // SAFETY: as above.
            let inner = unsafe { at(self.bare().cast::<Inner<N>>()) };
            for index in 0..inner.len() {
                // SAFETY: a child is the caller's as well, and each is met once.
                unsafe { inner.cell(index).load().take(each) };
            }
        }
        // A separator's Drop is the user's. SAFETY: the caller's promise; its children are gone.
        contain(|| unsafe { self.free() });
    }
}

/// A cell: the root's or a child's.
pub(super) struct Slot<N: Ordered> {
    pointer: AtomicPtr<()>,
    kind: PhantomData<*mut N>,
}

// SAFETY: a cell is an atomic word; what it points to is shared only through `OrderedIndex`, which
// is Send and Sync as far as N is, and separators are Send and Sync.
unsafe impl<N: Ordered> Send for Slot<N> {}
// SAFETY: as above.
unsafe impl<N: Ordered> Sync for Slot<N> {}

impl<N: Ordered> Slot<N> {
    pub(super) fn new(word: Word<N>) -> Self {
        Self {
            pointer: AtomicPtr::new(word.pointer),
            kind: PhantomData,
        }
    }

    /// A cell beyond an inner node's length: never read.
    pub(super) fn unused() -> Self {
        Self {
            pointer: AtomicPtr::new(std::ptr::null_mut()),
            kind: PhantomData,
        }
    }

    #[inline]
    pub(super) fn load(&self) -> Word<N> {
        // Acquire: [child]: we see the child filled.
        Word::from_pointer(self.pointer.load(Ordering::Acquire))
    }

    /// Swings the cell from what was seen, unfrozen, to a new child.
    #[must_use]
    pub(super) fn swing(&self, seen: Word<N>, new: Word<N>) -> bool {
        debug_assert!(!seen.is_frozen(), "O2: a frozen cell is swung");
        let (seen, new) = (seen.pointer, new.pointer);
        // Release: [child]: who loads the new child sees it filled. Relaxed: a failure is told, not
        // followed.
        self.pointer
            .compare_exchange(seen, new, Ordering::Release, Ordering::Relaxed)
            .is_ok()
    }

    /// Freezes the cell and says what it holds for good. Lock-free: a failed CAS is another's
    /// insert, remove, rebuild or freezing of this cell.
    pub(super) fn freeze(&self) -> Word<N> {
        let mut seen = self.load();
        while !seen.is_frozen() {
            let (from, to) = (seen.pointer, seen.frozen().pointer);
            // Relaxed: continues the release sequence of [child]. Acquire: [child]: what was put in
            // meanwhile is what we shall copy.
            let frozen =
                self.pointer
                    .compare_exchange(from, to, Ordering::Relaxed, Ordering::Acquire);
            match frozen {
                Ok(_) => break,
                Err(found) => seen = Word::from_pointer(found),
            }
        }
        seen.thawed()
    }
}

/// Leaves and inner nodes made and not published yet: freed on the way out unless they are.
pub(super) struct Fresh<N: Ordered> {
    words: SmallVec<[Word<N>; 2]>,
}

impl<N: Ordered> Fresh<N> {
    pub(super) fn new() -> Self {
        Self {
            words: SmallVec::new(),
        }
    }

    /// Keeps what was just made.
    pub(super) fn keep(&mut self, word: Word<N>) -> Word<N> {
        self.words.push(word);
        word
    }

    /// The tree has them now.
    pub(super) fn published(mut self) {
        self.words.clear();
    }
}

impl<N: Ordered> Drop for Fresh<N> {
    fn drop(&mut self) {
        for word in self.words.drain(..) {
            // SAFETY: made by this operation and not published, so nobody else knows it.
            unsafe { word.free() };
        }
    }
}
