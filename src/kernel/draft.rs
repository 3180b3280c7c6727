//! A draft: an object in the node of the version that it is to become, still its writer's alone.
//!
//! An object is copied once on its way from one version to the next: into its draft.

use std::ops::{Deref, DerefMut};

use super::barrier::{prefetch_lines, prefetch_parts};
use super::node::{VersionHeader, VersionNode, Words, release_hold};
#[cfg(feature = "save")]
use super::reading::Handle;
use super::reclaim::{at, own};
use super::release::contain;
use crate::version::Moment;

/// An object about to be written. Dropping it drops the object, unless it is shared: should that
/// panic, it is not the trouble of who gives up several, or one since something else has panicked.
#[derive(Debug)]
pub(crate) struct Draft<T> {
    node: *mut VersionNode<T>,
    /// Whether others may look at the object, which then changes no more.
    shared: bool,
}

impl<T> Draft<T> {
    /// A draft of what `make` gives, which is made in its place.
    pub(crate) fn new(words: Words, make: impl FnOnce() -> T) -> Self {
        Self {
            node: VersionNode::make(words, make),
            shared: false,
        }
    }

    /// A draft of a copy. The object's parts are fetched at once: the copy goes from one to the
    /// next.
    pub(crate) fn copy(words: Words, object: &T) -> Self
    where
        T: Clone,
    {
        prefetch_parts(object);
        Self::new(words, || object.clone())
    }

    /// Says which version of the proposer's it has, if there is room for that: another one than
    /// that of the commit it will be in.
    pub(crate) fn set_proposed(&self, version: crate::version::Version) {
        // SAFETY: V2: not published, and whole.
        unsafe { at(self.node.cast_const().cast::<VersionHeader>()) }.set_proposed(version.get());
    }

    /// A share of the object, which has it still when the draft has gone, or was written. The draft
    /// does not change any more.
    #[cfg(feature = "save")]
    pub(crate) fn share(&mut self) -> Handle<T> {
        self.shared = true;
        // SAFETY: V2: whole, and with the object of its type.
        unsafe { Handle::of(self.node.cast_const().cast()) }
    }

    /// Has the processor fetch all of it, for who reads the object: a hint, of many drafts.
    pub(super) fn prefetch(&self) {
        prefetch_lines(self.node.cast_const(), 1);
    }

    /// Has the processor fetch what stands beside the object.
    pub(crate) fn prefetch_beside(&self) {
        VersionNode::prefetch_beside(self.node);
    }

    /// A version that no chain will lead to, whose hold the caller has now.
    pub(super) fn into_version(self, created: Moment, updated: Moment) -> *const VersionHeader {
        let node = self.into_node();
        // SAFETY: V2: not published, so the caller's alone and whole.
        unsafe { own(node) }.set_times(created, updated);
        node
    }

    /// The node, whose owner is the caller now.
    pub(super) fn into_node(self) -> *mut VersionHeader {
        let node = std::mem::ManuallyDrop::new(self);
        node.node.cast()
    }
}

impl<T> Deref for Draft<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: V2: not published, so ours alone and whole.
        &unsafe { at(self.node.cast_const()) }.object
    }
}

impl<T> DerefMut for Draft<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        assert!(!self.shared, "V2: a shared draft does not change");
        // SAFETY: V2: as above, and not shared.
        &mut unsafe { own(self.node) }.object
    }
}

impl<T> Drop for Draft<T> {
    fn drop(&mut self) {
        // SAFETY: V5: from `VersionNode::make`, whose hold is ours; never published, so without
        // links.
        contain(|| unsafe { release_hold(self.node.cast_const().cast()) });
    }
}
