//! Write: into the transaction's own buffer, checked against what it sees.

use super::buffer::{Own, State};
use super::{Transaction, buffer_in};
use crate::error::{CreateError, DeleteError, Duplicate, KeyError, ReplaceError, UpsertError};
use crate::table::object::Object;
use crate::table::value::Value;
use crate::version::{Moment, Version};

/// What a transaction sees of a key about to be written.
struct Seen {
    hash: u64,
    /// The version in the snapshot; what the object was created at, so far; whether there is an
    /// object now.
    base: Option<Version>,
    created: Option<Moment>,
    present: bool,
    /// Where its own write of the key is.
    own: Option<usize>,
}

fn key_error<T: Object>(key: T::Key) -> KeyError {
    KeyError {
        table: T::TABLE,
        key: Value::new(key),
    }
}

impl Transaction<'_> {
    /// Puts a new object.
    ///
    /// # Errors
    /// [`CreateError::Exists`] if there is one with its key, [`CreateError::Duplicate`] if a unique
    /// index refuses it. The transaction may go on.
    pub fn create<T: Object>(&mut self, object: T) -> Result<(), CreateError> {
        let key = object.key();
        let seen = self.see::<T>(&key);
        if seen.present {
            return Err(CreateError::Exists(key_error::<T>(key)));
        }
        Ok(self.put(key, seen, object, None)?)
    }

    /// Replaces an object by one with the same key.
    ///
    /// # Errors
    /// [`ReplaceError::NotFound`] if there is none, [`ReplaceError::Duplicate`] if a unique index
    /// refuses the new one. The transaction may go on.
    pub fn update<T: Object>(&mut self, object: T) -> Result<(), ReplaceError> {
        self.replace(object, None)
    }

    /// Replaces an object, if it is still at the version that the new one was made from.
    ///
    /// # Errors
    /// As [`Transaction::update`], and [`ReplaceError::OutOfSequence`] if the object has moved on;
    /// also if this transaction itself wrote it since, which is not a version yet (`found` is
    /// then the version that its write replaces).
    pub fn update_at<T: Object>(
        &mut self,
        version: Version,
        object: T,
    ) -> Result<(), ReplaceError> {
        self.replace(object, Some(version))
    }

    fn replace<T: Object>(
        &mut self,
        object: T,
        expected: Option<Version>,
    ) -> Result<(), ReplaceError> {
        let key = object.key();
        let seen = self.see::<T>(&key);
        if !seen.present {
            return Err(ReplaceError::NotFound(key_error::<T>(key)));
        }
        if let Some((expected, found)) = out_of_sequence(&seen, expected) {
            return Err(ReplaceError::OutOfSequence { expected, found });
        }
        let created = seen.created;
        Ok(self.put(key, seen, object, created)?)
    }

    /// Puts an object, whether there is one with its key or not.
    ///
    /// # Errors
    /// [`UpsertError::Duplicate`] if a unique index refuses it. The transaction may go on.
    pub fn upsert<T: Object>(&mut self, object: T) -> Result<(), UpsertError> {
        let key = object.key();
        let seen = self.see::<T>(&key);
        let created = seen.created.filter(|_| seen.present);
        Ok(self.put(key, seen, object, created)?)
    }

    /// Replaces an object by what `change` makes of a copy of it.
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
        let Some(object) = self.get::<T>(key) else {
            return Err(ReplaceError::NotFound(key_error::<T>(key.clone())));
        };
        let mut object = object.clone();
        change(&mut object);
        assert!(
            object.key() == *key,
            "modify must not change the key of a {}",
            T::TABLE
        );
        self.update(object)
    }

    /// Deletes the object with a key.
    ///
    /// # Errors
    /// [`DeleteError::NotFound`] if there is none. The transaction may go on.
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
        self.remove::<T>(key, Some(version))
    }

    fn remove<T: Object>(
        &mut self,
        key: &T::Key,
        expected: Option<Version>,
    ) -> Result<(), DeleteError> {
        let seen = self.see::<T>(key);
        if !seen.present {
            return Err(DeleteError::NotFound(key_error::<T>(key.clone())));
        }
        if let Some((expected, found)) = out_of_sequence(&seen, expected) {
            return Err(DeleteError::OutOfSequence { expected, found });
        }
        self.record::<T>(key.clone(), seen, State::Nothing);
        Ok(())
    }

    /// What there is of a key about to be written. Every write is a read: what others do to the key
    /// is a conflict.
    fn see<T: Object>(&mut self, key: &T::Key) -> Seen {
        let hash = self.table::<T>().hash(key);
        let buffer = self.buffer::<T>();
        buffer.reads.borrow_mut().note_point(hash, key);
        if let Some(at) = buffer.position(hash, key) {
            let own = &buffer.writes[at];
            let (present, created) = match &own.state {
                State::Object(_, created) => (true, *created),
                State::Nothing | State::Staged => (false, None),
            };
            return Seen {
                hash,
                base: own.base,
                created,
                present,
                own: Some(at),
            };
        }
        let stored = self.reader().get::<T>(key);
        Seen {
            hash,
            base: stored.map(|stored| Version::new(stored.number())),
            created: stored.map(|stored| stored.created()),
            present: stored.is_some(),
            own: None,
        }
    }

    fn put<T: Object>(
        &mut self,
        key: T::Key,
        seen: Seen,
        object: T,
        created: Option<Moment>,
    ) -> Result<(), Duplicate> {
        let table = self.table::<T>();
        let reading = self.hold.reading();
        buffer_in::<T>(&mut self.buffers, table).take_unique(table, reading, &object)?;
        self.record(key, seen, State::Object(object, created));
        Ok(())
    }

    fn record<T: Object>(&mut self, key: T::Key, seen: Seen, state: State<T>) {
        self.bytes += size_of::<T>();
        let position = self.table::<T>().position();
        let buffer = buffer_in::<T>(&mut self.buffers, self.shared.schema.table::<T>());
        match seen.own {
            Some(at) => buffer.writes[at].state = state,
            None => {
                let at = buffer.push(Own {
                    key,
                    hash: seen.hash,
                    state,
                    base: seen.base,
                });
                self.order.push((position, at));
            }
        }
    }
}

fn out_of_sequence(seen: &Seen, expected: Option<Version>) -> Option<(Version, Version)> {
    let expected = expected?;
    let found = seen.base.unwrap_or_default();
    (expected != found || seen.own.is_some()).then_some((expected, found))
}
