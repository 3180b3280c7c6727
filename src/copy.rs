//! What a store can do with a table whose type the caller does not know: follow another store's.

#![forbid(unsafe_code)]

use std::fmt;

use crate::action::Action;
use crate::snapshot::Snapshot;
use crate::table::object::Object;
use crate::table::query::keys;
use crate::txn::Transaction;
use crate::txn::restore::Stamp;
use crate::version::Version;
use crate::watch::event::AnyChange;

/// The functions of one type.
#[derive(Clone, Copy)]
pub(crate) struct TableCopy {
    /// What a change did, if it is one of this table, with all that is known of the object.
    pub(crate) action: fn(&AnyChange) -> Option<Action>,
    /// Makes the transaction's table equal to the snapshot's, where it was equal at the version
    /// given.
    pub(crate) follow: fn(&mut Transaction<'_>, &Snapshot, Version),
}

impl fmt::Debug for TableCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableCopy").finish_non_exhaustive()
    }
}

impl TableCopy {
    pub(crate) fn of<T: Object>() -> Self {
        Self {
            action: Action::copied::<T>,
            follow: follow::<T>,
        }
    }
}

/// What is newer than `equal_at` is put, and what is gone from the source goes.
fn follow<T: Object>(tx: &mut Transaction<'_>, source: &Snapshot, equal_at: Version) {
    tx.read_whole::<T>();
    let here = tx.stored::<T>().map(|entry| entry.key());
    let gone: Vec<T::Key> = here.filter(|key| source.get::<T>(key).is_none()).collect();
    for key in gone {
        tx.put_unjudged::<T>(key, None);
    }
    for entry in source.find(keys::<T>().all()).entries() {
        let meta = entry.meta();
        if meta.version > equal_at {
            let stamp = Stamp::of(&meta);
            tx.put_unjudged(entry.key(), Some((entry.get().clone(), Some(stamp))));
        }
    }
}
