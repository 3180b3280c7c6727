//! Apply: what a commit of another store did, done here. Whether an object is there is checked
//! action by action; unique indexes and rules are asked
//! about the end ([`Transaction::settle_placed`]).

use super::Transaction;
use super::restore::Stamp;
use super::settle::WritePlace;
use super::write::key_error;
use crate::error::KeyError;
use crate::table::object::Object;

impl Transaction<'_> {
    /// Whether the store has a table of such objects.
    pub(crate) fn has_table<T: Object>(&self) -> bool {
        self.shared.kernel().tables.find::<T::Key, T>().is_some()
    }

    /// Creates an object, which must not be there.
    pub(crate) fn apply_create<T: Object>(
        &mut self,
        object: T,
        stamp: Option<Stamp>,
    ) -> Result<WritePlace, KeyError> {
        let key = object.key();
        if self.holds::<T>(&key) {
            return Err(key_error::<T>(key));
        }
        Ok(self.put_unjudged(key, Some((object, stamp))))
    }

    /// Replaces an object, which must be there.
    pub(crate) fn apply_update<T: Object>(
        &mut self,
        object: T,
        stamp: Option<Stamp>,
    ) -> Result<WritePlace, KeyError> {
        let key = object.key();
        if !self.holds::<T>(&key) {
            return Err(key_error::<T>(key));
        }
        Ok(self.put_unjudged(key, Some((object, stamp))))
    }

    /// Deletes an object, which must be there.
    pub(crate) fn apply_delete<T: Object>(&mut self, key: &T::Key) -> Result<WritePlace, KeyError> {
        if !self.holds::<T>(key) {
            return Err(key_error::<T>(key.clone()));
        }
        Ok(self.put_unjudged::<T>(key.clone(), None))
    }
}
