//! The word of a slot: a node's address with a tag of its key's hash and the mark of the frozen.
//!
//! # States
//! ```text
//! EMPTY --put--> node --replace (the old one is DEAD)--> node --remove--> TOMB          (one way)
//!   |              |                                      |                |
//!   +---freeze-----+--------------------------------------+----------------+--> the same, frozen
//!                                       frozen node --remove--> frozen TOMB
//! ```
//! Layout: `tag:16 | address:46 | TOMB:1 | FROZEN:1`. A tag is never 0, so that EMPTY and TOMB have
//! none. Where addresses are not of 64 bits there is no room for tags, and every node is looked at.

/// A table of which this word is a part is being copied: the word takes no insert any more.
const FROZEN: usize = 1;
/// A node stood here.
const TOMB: usize = 2;
const FLAGS: usize = FROZEN | TOMB;

const TAG_BITS: u32 = if usize::BITS == 64 { 16 } else { 0 };
/// The bits of an address: user space ends at 47 or 48 bits unless a mapping asks for more.
const ADDRESS: usize = usize::MAX >> TAG_BITS;

/// The bits of a hash that a word keeps above the address. Positions come from the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tag(usize);

impl Tag {
    #[inline]
    pub(super) fn of(hash: u64) -> Self {
        match TAG_BITS {
            0 => Self(0),
            bits => Self((hash >> (64 - bits)).max(1) as usize),
        }
    }

    #[inline]
    fn in_place(self) -> usize {
        self.0.unbounded_shl(usize::BITS - TAG_BITS)
    }
}

/// What a slot holds at one moment.
#[derive(Debug)]
pub(super) struct Word<N>(pub(super) *mut N);

impl<N> Clone for Word<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Word<N> {}

impl<N> Word<N> {
    #[cfg(any(loom, shuttle))]
    pub(super) const EMPTY: Self = Self(std::ptr::null_mut());

    /// The word of a node. Panics on an address of more than 48 bits, which has no room for a tag.
    #[inline]
    pub(super) fn of(node: *mut N, tag: Tag) -> Self {
        const { assert!(align_of::<N>() > FLAGS, "P7: no room for the flags") };
        assert_eq!(node.addr() & !ADDRESS, 0, "P7: no room for a tag");
        Self(node.map_addr(|address| address | tag.in_place()))
    }

    /// What is left when the node of this word is taken out.
    #[inline]
    pub(super) fn tomb(self) -> Self {
        Self(std::ptr::without_provenance_mut(
            self.0.addr() & FROZEN | TOMB,
        ))
    }

    #[inline]
    pub(super) fn frozen(self) -> Self {
        Self(self.0.map_addr(|address| address | FROZEN))
    }

    #[inline]
    pub(super) fn is_frozen(self) -> bool {
        self.0.addr() & FROZEN != 0
    }

    /// Whether the run ends here, frozen or not.
    #[inline]
    pub(super) fn is_empty(self) -> bool {
        self.0.addr() & !FROZEN == 0
    }

    #[inline]
    fn is_node(self) -> bool {
        self.0.addr() > FLAGS
    }

    /// The node, if there is one.
    #[inline]
    pub(super) fn node(self) -> Option<*mut N> {
        let pointer = self.0.map_addr(|address| address & ADDRESS & !FLAGS);
        self.is_node().then_some(pointer)
    }

    /// The node, if there is one and its tag is `tag`: another's is not worth a look at its memory.
    #[inline]
    pub(super) fn tagged(self, tag: Tag) -> Option<*mut N> {
        let own = self.0.addr().unbounded_shr(usize::BITS - TAG_BITS);
        if own != tag.0 {
            return None;
        }
        // A word with a tag is a node's; without tags one must look.
        let is_node = TAG_BITS > 0 || self.is_node();
        let node = self.0.map_addr(|address| address & ADDRESS & !FLAGS);
        is_node.then_some(node)
    }
}
