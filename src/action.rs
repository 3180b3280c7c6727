//! Actions: what a commit did to the objects of a store, for another store to do.

#![forbid(unsafe_code)]

use std::any::Any;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::error::{DeferredError, Duplicate, KeyError, UpdateError};
use crate::propose::sets::{Image, ProposedWrite};
use crate::shared::Shared;
use crate::table::object::Object;
use crate::table::proposed::Rejected;
use crate::table::value::Value;
use crate::txn::Transaction;
use crate::txn::restore::{Stamp, Times, update_whole};
use crate::txn::settle::WritePlace;
use crate::version::Version;
use crate::watch::event::{AnyChange, Change};

/// What happens to one object, of whatever table. Cloning shares the object.
///
/// A list of them is what a commit did, and what [`Store::apply`](crate::Store::apply) does to
/// another store.
///
/// ```
/// use skep::Action;
/// # use skep::{Id, Indexes, Object, Store};
/// # #[derive(Clone)] struct Task { id: Id }
/// # impl Object for Task {
/// #     type Key = Id;
/// #     const TABLE: &'static str = "task";
/// #     fn key(&self) -> Id { self.id }
/// #     fn indexes(_: &mut Indexes<Self>) {}
/// # }
/// let replica = Store::builder().table::<Task>().build();
/// let id = Id::from_u128(1);
/// replica.apply(&[Action::create(Task { id })])?;
/// // A second time there is something wrong, and nothing is done.
/// assert!(replica.apply(&[Action::create(Task { id })]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub enum Action {
    /// The object comes to be; there must be none with its key.
    Create(AnyObject),
    /// The object takes the place of the one with its key, which must be there.
    Update(AnyObject),
    /// The object with the key goes; it must be there.
    Delete(AnyKey),
}

/// An object of any table, with its times.
#[derive(Clone)]
pub struct AnyObject(Arc<dyn ErasedObject>);

/// The key of an object of any table.
#[derive(Clone)]
pub struct AnyKey(Arc<dyn ErasedKey>);

/// An action that does not fit the store that it was to be applied to: the two have diverged.
/// Nothing of its list was applied.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Divergence {
    /// The action's place in the list.
    pub position: usize,
    /// The action.
    pub action: Action,
    /// Why it does not fit.
    pub cause: DivergenceCause,
}

/// Why an action does not fit a store.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DivergenceCause {
    /// The store has no such table.
    NoTable,
    /// What is to be created is there.
    Exists(KeyError),
    /// What is to be updated or deleted is not there.
    NotFound(KeyError),
    /// After all actions of the list another object has its value of a unique index.
    Duplicate(Duplicate),
    /// A table's rules refuse it.
    Rejected(Rejected),
}

impl Action {
    /// The object comes to be. Without [`Action::at`] its times are those of the application.
    #[must_use]
    pub fn create<T: Object>(object: T) -> Self {
        Self::Create(AnyObject::new(object))
    }

    /// The object takes the place of the one with its key. Without [`Action::at`] it keeps the time
    /// of its creation, and its update is that of the application.
    #[must_use]
    pub fn update<T: Object>(object: T) -> Self {
        Self::Update(AnyObject::new(object))
    }

    /// The object with the key goes.
    #[must_use]
    pub fn delete<T: Object>(key: &T::Key) -> Self {
        Self::Delete(AnyKey(Arc::new(TypedKey::<T>(key.clone()))))
    }

    /// The same with the times that the object is to have: replicas then agree in these, too.
    #[must_use]
    pub fn at(self, created_at: SystemTime, updated_at: SystemTime) -> Self {
        let times = Times {
            created: created_at.into(),
            updated: updated_at.into(),
        };
        let proposed = None;
        self.with(Stamp { times, proposed })
    }

    fn with(self, stamp: Stamp) -> Self {
        let object = |object: AnyObject| AnyObject(object.0.with_stamp(stamp));
        match self {
            Self::Create(created) => Self::Create(object(created)),
            Self::Update(updated) => Self::Update(object(updated)),
            Self::Delete(key) => Self::Delete(key),
        }
    }

    /// What a change did, with its times; `None` if it is of another table.
    #[must_use]
    pub fn of<T: Object>(change: &AnyChange) -> Option<Self> {
        let stamp = Stamp::of(&change.meta()?);
        let proposed = None;
        Self::stamped::<T>(change, Stamp { proposed, ..stamp })
    }

    /// The same with the proposer's version of the object: for a copy of the store, and for nobody
    /// who may have a proposer of their own.
    pub(crate) fn copied<T: Object>(change: &AnyChange) -> Option<Self> {
        Self::stamped::<T>(change, Stamp::of(&change.meta()?))
    }

    fn stamped<T: Object>(change: &AnyChange, stamp: Stamp) -> Option<Self> {
        let action = match change.of::<T>()? {
            Change::Created { new } => Self::create(new.clone()),
            Change::Updated { new, .. } => Self::update(new.clone()),
            Change::Deleted { old } => Self::delete::<T>(&old.key()),
        };
        Some(action.with(stamp))
    }

    /// What a proposed write does, with its times: so that members that apply it
    /// ([`Store::apply_accepted`](crate::Store::apply_accepted)) agree in these as well. `None` if
    /// it is of another table, or of no object. For tables known at run time only there is
    #[cfg_attr(
        feature = "save",
        doc = "[`Catalogue::action`](crate::save::Catalogue::action)."
    )]
    #[cfg_attr(not(feature = "save"), doc = "`save::Catalogue::action`.")]
    #[must_use]
    pub fn of_write<T: Object>(write: &ProposedWrite) -> Option<Self> {
        let Some(image) = &write.new else {
            let is_of = |old: &Image| old.downcast_ref::<T>().is_some();
            let is_of = write.table == T::TABLE && write.old.as_ref().is_none_or(is_of);
            let key = write.key.downcast_ref::<T::Key>().filter(|_| is_of);
            return key.filter(|_| write.replaces).map(Self::delete::<T>);
        };
        let new = image.downcast_ref::<T>()?.clone();
        let action = match write.replaces {
            false => Self::create(new),
            true => Self::update(new),
        };
        let (created, updated) = image.times();
        Some(action.at(created, updated))
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &'static str {
        match self {
            Self::Create(object) | Self::Update(object) => object.table(),
            Self::Delete(key) => key.table(),
        }
    }

    /// The object's key.
    #[must_use]
    pub fn key(&self) -> Value {
        match self {
            Self::Create(object) | Self::Update(object) => object.0.key(),
            Self::Delete(key) => key.0.key(),
        }
    }

    fn verb(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
        }
    }

    fn apply(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause> {
        match self {
            Self::Create(object) => object.0.create(tx),
            Self::Update(object) => object.0.update(tx),
            Self::Delete(key) => key.0.delete(tx),
        }
    }
}

impl ProposedWrite {
    /// What an action does, as a write: for a proposer whose log has actions, and gives
    /// [changes](crate::Proposer::changes_between) back. `old` is the object as it was, where that
    /// is known; of a creation it is not looked at. An object without times has those of
    /// [`Image::new`].
    ///
    /// Copies the objects.
    ///
    /// ```
    /// use skep::{Action, ProposedWrite};
    /// # use skep::{Id, Indexes, Object};
    /// # #[derive(Clone)] struct Task { id: Id }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// let id = Id::from_u128(1);
    /// let write = ProposedWrite::of_action(&Action::update(Task { id }), None);
    /// assert!(write.replaces && write.old.is_none());
    /// assert!(matches!(Action::of_write::<Task>(&write), Some(Action::Update(_))));
    /// ```
    #[must_use]
    pub fn of_action(action: &Action, old: Option<&AnyObject>) -> Self {
        let new = match action {
            Action::Create(new) | Action::Update(new) => Some(new.0.image()),
            Action::Delete(_) => None,
        };
        let replaces = !matches!(action, Action::Create(_));
        Self {
            table: action.table(),
            key: action.key(),
            replaces,
            old: old.filter(|_| replaces).map(|old| old.0.image()),
            new,
        }
    }
}

impl AnyObject {
    fn new<T: Object>(object: T) -> Self {
        let stamp = None;
        Self(Arc::new(TypedObject { object, stamp }))
    }

    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.0.table()
    }

    /// The object, if it is a `T`.
    #[must_use]
    pub fn of<T: Object>(&self) -> Option<&T> {
        let typed = self.0.as_any().downcast_ref::<TypedObject<T>>();
        typed.map(|typed| &typed.object)
    }

    /// When it was created and updated, if that is told.
    #[must_use]
    pub fn times(&self) -> Option<(SystemTime, SystemTime)> {
        let stamp = self.0.stamp();
        stamp.map(|Stamp { times, .. }| (times.created.into(), times.updated.into()))
    }
}

impl AnyKey {
    /// The table's name.
    #[must_use]
    pub fn table(&self) -> &'static str {
        self.0.table()
    }

    /// The key, if it is one of a `T`.
    #[must_use]
    pub fn of<T: Object>(&self) -> Option<&T::Key> {
        let typed = self.0.as_any().downcast_ref::<TypedKey<T>>();
        typed.map(|typed| &typed.0)
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb(), self.table(), self.key())
    }
}

impl fmt::Debug for AnyObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table(), self.0.key())
    }
}

impl fmt::Debug for AnyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table(), self.0.key())
    }
}

impl fmt::Display for DivergenceCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTable => f.write_str("the store has no such table"),
            Self::Exists(key) => write!(f, "{key} exists"),
            Self::NotFound(key) => write!(f, "{key} not found"),
            Self::Duplicate(duplicate) => duplicate.fmt(f),
            Self::Rejected(rejected) => rejected.fmt(f),
        }
    }
}

impl StdError for DivergenceCause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(rejected) => rejected.source(),
            _ => None,
        }
    }
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            position,
            action,
            cause,
        } = self;
        write!(
            f,
            "diverged at action {position} of its list, {action:?}: {cause}"
        )
    }
}

impl StdError for Divergence {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.cause)
    }
}

/// An object whose type the caller does not know.
trait ErasedObject: Send + Sync {
    fn table(&self) -> &'static str;
    fn key(&self) -> Value;
    fn stamp(&self) -> Option<Stamp>;
    fn with_stamp(self: Arc<Self>, stamp: Stamp) -> Arc<dyn ErasedObject>;
    fn as_any(&self) -> &dyn Any;
    fn image(&self) -> Image;
    fn create(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause>;
    fn update(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause>;
}

struct TypedObject<T> {
    object: T,
    stamp: Option<Stamp>,
}

fn needs_table<T: Object>(tx: &Transaction<'_>) -> Result<(), DivergenceCause> {
    if tx.has_table::<T>() {
        Ok(())
    } else {
        Err(DivergenceCause::NoTable)
    }
}

impl<T: Object> ErasedObject for TypedObject<T> {
    fn table(&self) -> &'static str {
        T::TABLE
    }

    fn key(&self) -> Value {
        Value::new(self.object.key())
    }

    fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    fn with_stamp(self: Arc<Self>, stamp: Stamp) -> Arc<dyn ErasedObject> {
        // Shared objects are copied: the other one keeps its times.
        let object =
            Arc::try_unwrap(self).map_or_else(|shared| shared.object.clone(), |own| own.object);
        Arc::new(Self {
            object,
            stamp: Some(stamp),
        })
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn image(&self) -> Image {
        let object = self.object.clone();
        match self.stamp {
            None => Image::new(object),
            Some(Stamp { times, .. }) => {
                Image::with_times(object, times.created.into(), times.updated.into())
            }
        }
    }

    fn create(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause> {
        needs_table::<T>(tx)?;
        let created = tx.apply_create(self.object.clone(), self.stamp);
        created.map_err(DivergenceCause::Exists)
    }

    fn update(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause> {
        needs_table::<T>(tx)?;
        let updated = tx.apply_update(self.object.clone(), self.stamp);
        updated.map_err(DivergenceCause::NotFound)
    }
}

/// A key whose type the caller does not know.
trait ErasedKey: Send + Sync {
    fn table(&self) -> &'static str;
    fn key(&self) -> Value;
    fn as_any(&self) -> &dyn Any;
    fn delete(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause>;
}

struct TypedKey<T: Object>(T::Key);

impl<T: Object> ErasedKey for TypedKey<T> {
    fn table(&self) -> &'static str {
        T::TABLE
    }

    fn key(&self) -> Value {
        Value::new(self.0.clone())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn delete(&self, tx: &mut Transaction<'_>) -> Result<WritePlace, DivergenceCause> {
        needs_table::<T>(tx)?;
        tx.apply_delete::<T>(&self.0)
            .map_err(DivergenceCause::NotFound)
    }
}

impl From<DeferredError<Infallible>> for DivergenceCause {
    fn from(error: DeferredError<Infallible>) -> Self {
        error.told_as(Self::Rejected, Self::Duplicate)
    }
}

/// Does all actions in one transaction, or none.
pub(crate) fn apply(
    shared: &Shared,
    actions: &[Action],
) -> Result<Version, UpdateError<Divergence>> {
    update_whole(shared, &mut |tx| apply_to(tx, actions))
}

/// Does all actions in a transaction.
pub(crate) fn apply_to(tx: &mut Transaction<'_>, actions: &[Action]) -> Result<(), Divergence> {
    let diverged = |position: usize, cause| Divergence {
        position,
        action: actions[position].clone(),
        cause,
    };
    let mut places = Vec::with_capacity(actions.len());
    for (position, action) in actions.iter().enumerate() {
        let place = action.apply(tx);
        places.push(place.map_err(|cause| diverged(position, cause))?);
    }
    tx.settle_placed().map_err(|unsettled| {
        let position = places.iter().rposition(|place| *place == unsettled.place);
        let position = position.expect("each write is an action's");
        diverged(position, unsettled.error.into())
    })
}
