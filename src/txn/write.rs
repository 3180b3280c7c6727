//! Write: into the transaction's own buffer, checked against what it sees.

use super::buffer::{Base, Buffer, Own, State};
use super::{Transaction, buffer_in};
use crate::error::{
    BoundError, CreateError, DeleteError, Duplicate, KeyError, OutOfSequence, ReplaceError,
    UpsertError,
};
use crate::kernel::draft::Draft;
use crate::shared::ObjectBounds;
use crate::table::hash::bytes_of;
use crate::table::object::Object;
use crate::table::proposed::{Proposed, Rejected};
use crate::table::schema::TableOf;
use crate::table::value::Value;
use crate::version::{Moment, Version};

/// What a transaction sees of a key about to be written.
pub(super) struct Seen<'s, T: Object> {
    table: &'s TableOf<T>,
    hash: u64,
    /// The version in the snapshot.
    base: Option<Base>,
    /// When the object that there is now was created; none also of one that this transaction
    /// creates, as of now.
    pub(super) created: Option<Moment>,
    /// Whether there is an object now.
    pub(super) present: bool,
    /// Where its own write of the key is.
    own: Option<usize>,
}

/// The version of an object that a write was decided on.
#[derive(Clone, Copy)]
enum Expected {
    /// By the store's own count.
    Own(Version),
    /// The proposer's.
    Proposed(Version),
}

pub(super) fn key_error<T: Object>(key: T::Key) -> KeyError {
    KeyError {
        table: T::TABLE,
        key: Value::new(key),
    }
}

impl<'s> Transaction<'s> {
    /// Puts a new object.
    ///
    /// # Errors
    /// In this order: [`CreateError::Rejected`] if the table's rules refuse it, or a bound of the
    /// store ([`object_bytes_max`](crate::Builder::object_bytes_max),
    /// [`key_bytes_max`](crate::Builder::key_bytes_max)); [`CreateError::Exists`] if there is one
    /// with its key, [`CreateError::Duplicate`] if a unique index refuses it. The transaction may
    /// go on.
    pub fn create<T: Object>(&mut self, mut object: T) -> Result<(), CreateError> {
        let key = object.key();
        let (seen, _) = self.see::<T>(&key);
        self.ask(None, &mut object)?;
        if seen.present {
            return Err(CreateError::Exists(key_error::<T>(key)));
        }
        Ok(self.put(key, seen, self.draft(object), None)?)
    }

    /// Replaces the object that has the new one's key.
    ///
    /// # Errors
    /// In this order: [`ReplaceError::NotFound`] if there is none, [`ReplaceError::Rejected`] if
    /// the table's rules, or the store's bound of an object's size, refuse the new one,
    /// [`ReplaceError::Duplicate`] if a unique index does.
    /// The transaction may go on.
    pub fn update<T: Object>(&mut self, object: T) -> Result<(), ReplaceError> {
        self.replace(object, None)
    }

    /// Replaces an object, if it is still at the version that the new one was made from
    /// ([`Meta::version`](crate::Meta), of [`Transaction::entry`] or a snapshot's). A version of
    /// another store says nothing here, also if this one was restored from what that one saved.
    ///
    /// # Errors
    /// As [`Transaction::update`], and, before the rules are asked, [`ReplaceError::OutOfSequence`]
    /// if the object has moved on: it has another version in the snapshot, or this transaction has
    /// written it itself. Such a write has no version before it commits, so none is right; `found`
    /// is the version in the snapshot, and may then be the one that was expected.
    pub fn update_at<T: Object>(
        &mut self,
        version: Version,
        object: T,
    ) -> Result<(), ReplaceError> {
        self.replace(object, Some(Expected::Own(version)))
    }

    /// The same by the version of the [proposer](crate::Builder::proposer)
    /// ([`Meta::proposed`](crate::Meta)): one that was read on any member of the cluster is right
    /// on all of them, also after a restart from a saved version
    #[cfg_attr(
        feature = "save",
        doc = "([`Store::restore_accepted`](crate::Store::restore_accepted))."
    )]
    #[cfg_attr(not(feature = "save"), doc = "(`Store::restore_accepted`).")]
    ///
    /// # Errors
    /// As [`Transaction::update_at`], with the proposer's versions. An object whose version of the
    /// proposer's is not known is out of sequence for every version; `found` is then
    /// [`Version::ZERO`].
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use skep::{Action, Id, Indexes, Object, ReplaceError, Store, UpdateError, Version};
    /// # #[derive(Clone)] struct Task { id: Id, state: u8 }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// # struct Log;
    /// # impl skep::Proposer for Log {
    /// #     fn propose(&self, proposal: skep::Proposal) {
    /// #         let version = Version::new(proposal.number().get() * 10);
    /// #         proposal.ticket().accept(version).expect("open");
    /// #     }
    /// # }
    /// # let store = Store::builder().table::<Task>().proposer(Arc::new(Log)).build();
    /// let id = Id::from_u128(1);
    /// store.update(|tx| tx.create(Task { id, state: 0 }))?;
    /// let version = store.view(|view| view.entry::<Task>(&id).and_then(|it| it.meta().proposed));
    /// let version = version.expect("the proposer accepted it");
    /// store.update(|tx| tx.update_at_proposed(version, Task { id, state: 1 }))?;
    /// let again = store.update(|tx| tx.update_at_proposed(version, Task { id, state: 2 }));
    /// assert!(matches!(again, Err(UpdateError::Closure(ReplaceError::OutOfSequence { .. }))));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn update_at_proposed<T: Object>(
        &mut self,
        version: Version,
        object: T,
    ) -> Result<(), ReplaceError> {
        self.replace(object, Some(Expected::Proposed(version)))
    }

    fn replace<T: Object>(
        &mut self,
        mut object: T,
        expected: Option<Expected>,
    ) -> Result<(), ReplaceError> {
        let key = object.key();
        let (seen, old) = self.see::<T>(&key);
        if !seen.present {
            return Err(ReplaceError::NotFound(key_error::<T>(key)));
        }
        if let Some((expected, found)) = self.out_of_sequence(&seen, &key, expected) {
            return Err(OutOfSequence::new::<T>(key, expected, found).into());
        }
        self.ask(old, &mut object)?;
        let created = seen.created;
        Ok(self.put(key, seen, self.draft(object), created)?)
    }

    /// Puts an object, whether there is one with its key or not.
    ///
    /// # Errors
    /// [`UpsertError::Rejected`] if the table's rules or a bound of the store refuse it, as for
    /// [`Transaction::create`], [`UpsertError::Duplicate`] if a unique index does. The transaction
    /// may go on.
    pub fn upsert<T: Object>(&mut self, mut object: T) -> Result<(), UpsertError> {
        let key = object.key();
        let (seen, old) = self.see::<T>(&key);
        self.ask(old, &mut object)?;
        let created = seen.created;
        Ok(self.put(key, seen, self.draft(object), created)?)
    }

    /// Replaces an object by what `change` makes of a copy of it: get, clone, change and
    /// [`update`](Transaction::update) in one.
    ///
    /// # Errors
    /// As [`Transaction::update`].
    ///
    /// # Panics
    /// If `change` changes the object's key.
    pub fn modify<T: Object>(
        &mut self,
        key: &T::Key,
        change: impl FnOnce(&mut T),
    ) -> Result<(), ReplaceError> {
        let (seen, object) = self.see::<T>(key);
        let Some(object) = object else {
            return Err(ReplaceError::NotFound(key_error::<T>(key.clone())));
        };
        let mut draft = Draft::copy(self.shared.words(), object);
        change(&mut draft);
        assert!(
            draft.key() == *key,
            "modify must not change the key of a {}",
            T::TABLE
        );
        self.ask(Some(object), &mut draft)?;
        let created = seen.created;
        Ok(self.put(key.clone(), seen, draft, created)?)
    }

    /// Deletes the object with a key.
    ///
    /// # Errors
    /// [`DeleteError::NotFound`] if there is none, [`DeleteError::Rejected`] if the table's rules
    /// refuse the deletion. The transaction may go on.
    pub fn delete<T: Object>(&mut self, key: &T::Key) -> Result<(), DeleteError> {
        self.remove::<T>(key, None)
    }

    /// Deletes an object, if it is still at the version that this was decided on.
    ///
    /// # Errors
    /// As [`Transaction::delete`], and [`DeleteError::OutOfSequence`] as in
    /// [`Transaction::update_at`].
    pub fn delete_at<T: Object>(
        &mut self,
        version: Version,
        key: &T::Key,
    ) -> Result<(), DeleteError> {
        self.remove::<T>(key, Some(Expected::Own(version)))
    }

    /// The same by the version of the proposer: see [`Transaction::update_at_proposed`].
    ///
    /// # Errors
    /// As [`Transaction::delete_at`], with the proposer's versions.
    pub fn delete_at_proposed<T: Object>(
        &mut self,
        version: Version,
        key: &T::Key,
    ) -> Result<(), DeleteError> {
        self.remove::<T>(key, Some(Expected::Proposed(version)))
    }

    fn remove<T: Object>(
        &mut self,
        key: &T::Key,
        expected: Option<Expected>,
    ) -> Result<(), DeleteError> {
        let (seen, old) = self.see::<T>(key);
        let Some(old) = old else {
            return Err(DeleteError::NotFound(key_error::<T>(key.clone())));
        };
        if let Some((expected, found)) = self.out_of_sequence(&seen, key, expected) {
            return Err(OutOfSequence::new::<T>(key.clone(), expected, found).into());
        }
        if !self.checks_deferred() {
            T::check(Proposed::Delete(old), self).map_err(|refused| refused.about::<T>(key))?;
        }
        if let Some(bytes) = &mut self.bytes {
            *bytes += size_of::<T::Key>();
        }
        self.record::<T>(key.clone(), seen, (State::Nothing, None));
        Ok(())
    }

    /// What was expected, and found instead, unless it is that.
    #[inline]
    fn out_of_sequence<T: Object>(
        &self,
        seen: &Seen<'_, T>,
        key: &T::Key,
        expected: Option<Expected>,
    ) -> Option<(Version, Version)> {
        let (expected, found) = match expected? {
            Expected::Own(version) => (version, seen.base.map(|base| base.version)),
            Expected::Proposed(version) => {
                let stored = seen.table.find(self.hold.reading(), key);
                (version, stored.and_then(|stored| stored.meta().proposed))
            }
        };
        let is_it = found == Some(expected) && seen.own.is_none();
        (!is_it).then(|| (expected, found.unwrap_or_default()))
    }

    /// What there is of a key about to be written. Every write is a read: what others do to the key
    /// is a conflict.
    #[inline(always)]
    pub(super) fn see<T: Object>(&self, key: &T::Key) -> (Seen<'s, T>, Option<&T>) {
        let table = self.table::<T>();
        let hash = table.hash(key);
        let buffer = self.buffer_of::<T>(table);
        // Looked up before it is noted: its cache misses are waited for meanwhile.
        let seen = self.look_up(table, buffer, hash, key);
        buffer.reads.borrow_mut().note_point(hash, key);
        seen
    }

    /// The same in a table whose read is noted as a whole.
    #[cfg(feature = "save")]
    pub(super) fn see_untracked<T: Object>(&self, key: &T::Key) -> (Seen<'s, T>, Option<&T>) {
        let table = self.table::<T>();
        self.look_up(table, self.buffer_of::<T>(table), table.hash(key), key)
    }

    #[inline(always)]
    fn look_up<'a, T: Object>(
        &'a self,
        table: &'s TableOf<T>,
        buffer: &'a Buffer<T>,
        hash: u64,
        key: &T::Key,
    ) -> (Seen<'s, T>, Option<&'a T>) {
        if let Some(at) = buffer.position(hash, key) {
            return own_seen(table, at, &buffer.writes[at]);
        }
        let reading = self.hold.reading();
        let found = table.find_place(reading, key, hash);
        let base = found.map(|(stored, place)| Base {
            version: Version::new(stored.number()),
            place,
        });
        let seen = Seen {
            table,
            hash,
            base,
            created: found.map(|(stored, _)| stored.created()),
            present: found.is_some(),
            own: None,
        };
        (seen, found.map(|(stored, _)| stored.object()))
    }

    /// Lets the table complete an object and asks its rules, unless that is put off.
    #[inline(always)]
    fn ask<T: Object>(&self, old: Option<&T>, new: &mut T) -> Result<(), Rejected> {
        if self.checks_deferred() {
            return Ok(());
        }
        new.complete(old, self);
        let change = match old {
            None => Proposed::Create(new),
            Some(old) => Proposed::Update { old, new },
        };
        T::check(change, self).map_err(|refused| refused.about::<T>(&new.key()))?;
        match &self.shared.config.object_bounds {
            Some(bounds) => {
                within(bounds, old.is_none(), new).map_err(|refused| refused.about::<T>(&new.key()))
            }
            None => Ok(()),
        }
    }

    #[inline(always)]
    pub(super) fn draft<T: Object>(&self, object: T) -> Draft<T> {
        Draft::new(self.shared.words(), || object)
    }

    #[inline(always)]
    fn put<T: Object>(
        &mut self,
        key: T::Key,
        seen: Seen<'_, T>,
        draft: Draft<T>,
        created: Option<Moment>,
    ) -> Result<(), Duplicate> {
        if let Some(bytes) = &mut self.bytes {
            *bytes = bytes.saturating_add(draft.bytes());
        }
        let table = seen.table;
        if !self.checks_deferred() && !table.uniques().is_empty() {
            let reading = self.hold.reading();
            self.buffer_of::<T>(table)
                .take_unique(table, reading, &draft)?;
        }
        self.record(key, seen, (State::Object(draft, created), None));
        Ok(())
    }

    /// Notes a key's new state; gives the place of the write among the table's.
    #[inline(always)]
    pub(super) fn record<T: Object>(
        &mut self,
        key: T::Key,
        seen: Seen<'_, T>,
        (state, updated): (State<T>, Option<Moment>),
    ) -> usize {
        self.objects += i64::from(!matches!(state, State::Nothing)) - i64::from(seen.present);
        let table = seen.table;
        let buffer = buffer_in::<T>(&mut self.work, table);
        match seen.own {
            Some(at) => {
                (buffer.writes[at].state, buffer.writes[at].updated) = (state, updated);
                at
            }
            None => {
                let at = buffer.writes.push(Own {
                    key,
                    hash: seen.hash,
                    state,
                    base: seen.base,
                    updated,
                });
                self.work.order.push((table.position(), at));
                at
            }
        }
    }
}

/// Asks the store's bounds of an object, and of its key if that is new.
#[cold]
fn within<T: Object>(bounds: &ObjectBounds, is_new: bool, object: &T) -> Result<(), Rejected> {
    let key = object.key();
    let key_bytes = if is_new { bytes_of(&key) } else { 0 };
    if key_bytes > bounds.key_bytes {
        return Err(Rejected::new(BoundError::KeyTooLong {
            table: T::TABLE,
            key: Value::new(key),
            bytes: key_bytes,
            bytes_max: bounds.key_bytes,
        }));
    }
    let bytes = object.bytes();
    if bytes > bounds.object_bytes {
        return Err(Rejected::new(BoundError::ObjectTooLarge {
            table: T::TABLE,
            key: Value::new(key),
            bytes,
            bytes_max: bounds.object_bytes,
        }));
    }
    Ok(())
}

/// What there is of a key that the transaction has written itself.
fn own_seen<'s, 'a, T: Object>(
    table: &'s TableOf<T>,
    at: usize,
    own: &'a Own<T>,
) -> (Seen<'s, T>, Option<&'a T>) {
    let (object, created) = match &own.state {
        State::Object(object, created) => (Some(&**object), *created),
        State::Nothing | State::Staged => (None, None),
    };
    let seen = Seen {
        table,
        hash: own.hash,
        base: own.base,
        created,
        present: object.is_some(),
        own: Some(at),
    };
    (seen, object)
}
