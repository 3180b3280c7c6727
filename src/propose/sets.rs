//! What a proposal read and what it writes, as data: names, keys and ranges whose types a codec
//! knows by the table's name.

use std::fmt;
use std::ops::Bound;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::kernel::reading::AnyHandle;
use crate::table::object::Object;
use crate::table::value::Value;

/// All that a transaction read, table by table.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReadSet {
    /// The tables that were read.
    pub tables: Vec<TableReadSet>,
}

/// What a transaction read of one table.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TableReadSet {
    /// The table's name.
    pub table: &'static str,
    /// Keys that were read, whether there was an object or not. What is written was read.
    pub keys: Vec<Value>,
    /// Ranges of keys that were read whole.
    pub key_ranges: Vec<ReadRange>,
    /// Ranges of index values that were read whole.
    pub index_ranges: Vec<IndexReadRange>,
    /// Values that nobody else may have.
    pub claims: Vec<UniqueClaim>,
}

/// A range of keys or index values. `downcast_ref` of a bound's [`Value`] gives it with its type.
#[derive(Clone, Debug)]
pub struct ReadRange {
    /// Where it begins.
    pub lower: Bound<Value>,
    /// Where it ends.
    pub upper: Bound<Value>,
}

/// A range of the values of an index.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IndexReadRange {
    /// The index's name.
    pub index: &'static str,
    /// The range.
    pub range: ReadRange,
}

/// A value of a unique index that a transaction took.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct UniqueClaim {
    /// The index's name.
    pub index: &'static str,
    /// The value.
    pub value: Value,
    /// The key of the object that has it now.
    pub holder: Value,
}

/// All that a transaction writes, in the order of the first writes of the keys. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct WriteSet(Arc<[ProposedWrite]>);

impl WriteSet {
    /// The writes.
    #[must_use]
    pub fn writes(&self) -> &[ProposedWrite] {
        &self.0
    }
}

impl FromIterator<ProposedWrite> for WriteSet {
    fn from_iter<I: IntoIterator<Item = ProposedWrite>>(writes: I) -> Self {
        Self(writes.into_iter().collect())
    }
}

/// What becomes of one object. As an [`Action`](crate::Action) for another store:
/// [`Action::of_write`](crate::Action::of_write).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ProposedWrite {
    /// The table's name.
    pub table: &'static str,
    /// The object's key.
    pub key: Value,
    /// Whether there was an object before.
    pub replaces: bool,
    /// The object as it was. None although there was one: it is not known; watchers are then not
    /// told what came up to this write ([`Proposer::changes_between`](crate::Proposer)).
    pub old: Option<Image>,
    /// The object as it is to be; none if it is deleted.
    pub new: Option<Image>,
}

impl ProposedWrite {
    /// A write of an object `T`, for who reads it from elsewhere; see [`Image::with_times`] for
    /// its times. Without an old object it is a creation: one of which the old object is not at
    /// hand is made by [`ProposedWrite::of_action`].
    ///
    /// # Panics
    /// If there is neither an old object nor a new one.
    #[must_use]
    pub fn new<T: Object>(old: Option<T>, new: Option<T>) -> Self {
        let key = new.as_ref().or(old.as_ref()).map(T::key);
        Self {
            table: T::TABLE,
            key: Value::new(key.expect("an old object or a new one")),
            replaces: old.is_some(),
            old: old.map(Image::new),
            new: new.map(Image::new),
        }
    }
}

/// An object whose type the table's name tells. Cloning shares it.
#[derive(Clone)]
pub struct Image(AnyHandle);

impl Image {
    /// An image of an object that is in no store, and of which nothing else is known: its
    /// [`Meta`](crate::Meta) says version 0, and 1970.
    #[must_use]
    pub fn new<T: Object>(object: T) -> Self {
        Self::with_times(object, UNIX_EPOCH, UNIX_EPOCH)
    }

    /// As [`Image::new`], of an object of which is known when it was created and written last.
    #[must_use]
    pub fn with_times<T: Object>(object: T, created: SystemTime, updated: SystemTime) -> Self {
        Self(AnyHandle::apart(object, created.into(), updated.into()))
    }

    pub(crate) fn stored(handle: AnyHandle) -> Self {
        Self(handle)
    }

    pub(crate) fn handle(&self) -> &AnyHandle {
        &self.0
    }

    /// The object, if it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        self.0.object()
    }

    /// When it was created, and written last: as in its [`Meta`](crate::Meta), known before the
    /// proposal is accepted.
    #[must_use]
    pub fn times(&self) -> (SystemTime, SystemTime) {
        let meta = self.0.meta();
        (meta.created_at, meta.updated_at)
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Image")
    }
}
