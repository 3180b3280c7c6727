//! A draft: an object in the node of the version that it is to become, still its writer's alone.
//!
//! An object is copied once on its way from one version to the next: into its draft.

use std::ops::{Deref, DerefMut};

use super::node::{VersionHeader, VersionNode};
use super::reclaim::{at, free, own};

/// An object about to be written. Dropping it drops the object.
#[derive(Debug)]
pub(crate) struct Draft<T>(*mut VersionNode<T>);

impl<T> Draft<T> {
    /// A draft of what `make` gives, which is made in its place.
    pub(crate) fn new(make: impl FnOnce() -> T) -> Self {
        Self(VersionNode::make(make))
    }

    /// The node, whose owner is the caller now.
    pub(super) fn into_node(self) -> *mut VersionHeader {
        let node = std::mem::ManuallyDrop::new(self);
        node.0.cast()
    }
}

impl<T> Deref for Draft<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: V2: not published, so ours alone and whole.
        &unsafe { at(self.0.cast_const()) }.object
    }
}

impl<T> DerefMut for Draft<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: V2: as above.
        &mut unsafe { own(self.0) }.object
    }
}

impl<T> Drop for Draft<T> {
    fn drop(&mut self) {
        // SAFETY: V2: from `VersionNode::make`, never published, and not used again.
        unsafe { free(self.0) };
    }
}
