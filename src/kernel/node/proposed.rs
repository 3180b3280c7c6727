//! A version that knows the proposer's version of its commit as well: in stores with a proposer, so
//! that the others do not pay for it.

use std::mem::offset_of;

use super::{Shape, VersionHeader, VersionNode, free_node};
use crate::kernel::memory::{allocate_filled, write_field};
use crate::sync::{AtomicU64, Ordering};

/// Which versions of their commit the versions of a store know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Words {
    /// Its number.
    #[default]
    Number,
    /// The proposer's version, too.
    Proposed,
}

#[derive(Debug)]
#[repr(C)]
pub(super) struct ProposedNode<T> {
    node: VersionNode<T>,
    /// 0: none is known.
    proposed: AtomicU64,
}

impl<T> ProposedNode<T> {
    const SHAPE: &'static Shape = &Shape {
        tail: offset_of!(VersionNode<T>, tail),
        size: size_of::<Self>(),
        proposed: offset_of!(Self, proposed),
        free: free_node::<Self>,
    };

    /// As [`VersionNode::make`].
    #[cold]
    pub(super) fn make(make: impl FnOnce() -> T) -> *mut VersionNode<T> {
        let fill = |node: *mut Self| {
            // The node first, in it the object: nothing after that can panic.
            // SAFETY: memory for a node, and ours, at its beginning (repr C).
            unsafe { VersionNode::fill(node.cast(), Self::SHAPE, make) };
            // SAFETY: as above.
            unsafe { write_field(node, offset_of!(Self, proposed), AtomicU64::new(0)) };
        };
        // SAFETY: each field is filled.
        let node = unsafe { allocate_filled(fill) };
        node.cast()
    }
}

impl VersionHeader {
    fn proposed_word(&self) -> Option<&AtomicU64> {
        let offset = self.shape().proposed;
        let start = std::ptr::from_ref(self).cast::<u8>();
        // SAFETY: V7: the header stands in a node of its shape, which has the word there.
        (offset != 0).then(|| unsafe { &*start.wrapping_add(offset).cast::<AtomicU64>() })
    }

    /// Says at which version its commit was accepted, unless its maker said another one: anybody
    /// may, who installs it (V1).
    pub(in crate::kernel) fn set_proposed(&self, version: u64) {
        // Relaxed: as in `set_number`; what its maker said stood there before it was published.
        if let Some(word) = self.proposed_word()
            && word.load(Ordering::Relaxed) == 0
        {
            // Relaxed: as above.
            word.store(version, Ordering::Relaxed);
        }
    }

    /// The proposer's version of the commit that wrote it; 0: none is known.
    pub(super) fn proposed(&self) -> u64 {
        let word = self.proposed_word();
        // Relaxed: as `number`.
        word.map_or(0, |word| word.load(Ordering::Relaxed))
    }
}
