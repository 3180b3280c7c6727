//! A change as a table's rules see it, and their refusal: see
//! [`Object::check`](super::object::Object::check).

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use super::object::Object;
use super::value::Value;
use crate::error::KeyError;

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
/// It says what the reason says. Of which object is not added to that, since reasons mostly tell it
/// in their own words, but can be [asked](Rejected::object).
///
/// Equal to its clones and to nothing else: compare what it is downcast to.
#[derive(Clone)]
pub struct Rejected(Arc<Refusal>);

/// Behind one pointer, so that what no rule refuses is answered in a register.
struct Refusal {
    reason: Arc<dyn StdError + Send + Sync>,
    object: Option<KeyError>,
}

impl Rejected {
    /// A refusal for a reason: an error, or a text.
    pub fn new(reason: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let (reason, object) = (reason.into().into(), None);
        Self(Arc::new(Refusal { reason, object }))
    }

    /// The same refusal, of the object with this key.
    #[cold]
    pub(crate) fn about<T: Object>(self, key: &T::Key) -> Self {
        let object = KeyError {
            table: T::TABLE,
            key: Value::new(key.clone()),
        };
        Self(Arc::new(Refusal {
            reason: Arc::clone(&self.0.reason),
            object: Some(object),
        }))
    }

    /// The object that was not to be written: told by the store in every refusal that one of its
    /// verbs gives, `None` in what a rule has made and not given it yet.
    #[must_use]
    pub fn object(&self) -> Option<&KeyError> {
        self.0.object.as_ref()
    }

    /// The reason, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.reason.downcast_ref()
    }

    /// The reason, whatever it is.
    #[must_use]
    pub fn reason(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.reason
    }
}

impl PartialEq for Rejected {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0.reason, &other.0.reason)
    }
}

impl Eq for Rejected {}

impl fmt::Debug for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rejected").field(&self.0.reason).finish()
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.reason.fmt(f)
    }
}

impl StdError for Rejected {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(self.reason())
    }
}
