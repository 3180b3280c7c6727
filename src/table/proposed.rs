//! A change as a table's rules see it, and their refusal: see
//! [`Object::check`](super::object::Object::check).

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// A change that a transaction is about to make; see
/// [`Object::check`](crate::Object::check).
#[derive(Debug, PartialEq, Eq)]
pub enum Proposed<'a, T> {
    /// A new object.
    Create(&'a T),
    /// An object in the place of another with the same key.
    Update {
        /// The object that is there.
        old: &'a T,
        /// The object that replaces it.
        new: &'a T,
    },
    /// No object in the place of this one.
    Delete(&'a T),
}

impl<T> Clone for Proposed<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Proposed<'_, T> {}

impl<'a, T> Proposed<'a, T> {
    /// The object as it would be after the change, if it would be.
    #[must_use]
    pub fn after(&self) -> Option<&'a T> {
        match *self {
            Self::Create(new) | Self::Update { new, .. } => Some(new),
            Self::Delete(_) => None,
        }
    }

    /// The object as it is before the change, if it is.
    #[must_use]
    pub fn before(&self) -> Option<&'a T> {
        match *self {
            Self::Create(_) => None,
            Self::Update { old, .. } | Self::Delete(old) => Some(old),
        }
    }
}

/// The table's rules ([`Object::check`](crate::Object::check)) refuse a change, for a reason of the
/// table's own: [`Rejected::downcast_ref`] gives it back, and so does the
/// [source](StdError::source) of the error that it came in.
///
/// Equal to its clones and to nothing else: compare what it is downcast to.
#[derive(Clone)]
pub struct Rejected(Arc<dyn StdError + Send + Sync>);

impl Rejected {
    /// A refusal for a reason: an error, or a text.
    pub fn new(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(reason.into().into())
    }

    /// The reason, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The reason, whatever it is.
    #[must_use]
    pub fn reason(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl PartialEq for Rejected {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Rejected {}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rejected").field(&self.0).finish()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl StdError for Rejected {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.reason())
    }
}
