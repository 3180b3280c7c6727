//! Read: from the snapshot, under the transaction's own writes; noted in the read set, or not
//! (`peek`).

use super::Transaction;
use super::buffer::{Own, State};
use super::overlay::Overlaid;
use crate::table::handle::{Entry, Obj};
use crate::table::object::Object;
use crate::table::query::{Condition, Query};
use crate::version::{Meta, Moment, Version};

impl<'s> Transaction<'s> {
    /// The object with a key, as this transaction left it. The read is tracked: a commit that
    /// changes the object is a conflict; so is one that creates it, if there is none.
    #[must_use]
    pub fn get<T: Object>(&self, key: &T::Key) -> Option<&T> {
        self.entry(key).map(Entry::get)
    }

    /// The same with the object's meta.
    #[must_use]
    pub fn entry<T: Object>(&self, key: &T::Key) -> Option<Entry<'_, T>> {
        let hash = self.table::<T>().hash(key);
        self.buffer::<T>().reads.borrow_mut().note_point(hash, key);
        self.look(key, hash)
    }

    /// An owned share of the object; `None` also for an object that this transaction itself wrote.
    #[must_use]
    pub fn object<T: Object>(&self, key: &T::Key) -> Option<Obj<T>> {
        self.entry(key)
            .and_then(|entry: Entry<'_, T>| entry.share())
    }

    /// The object with a key, untracked: what other transactions do with it is no conflict. Weaker
    /// than serializable.
    #[must_use]
    pub fn peek<T: Object>(&self, key: &T::Key) -> Option<&T> {
        self.look(key, self.table::<T>().hash(key)).map(Entry::get)
    }

    /// What a query finds, with this transaction's own writes. The query's whole ranges are
    /// tracked, however far the iteration goes: a commit that changes an object in one, or
    /// brings one into it, is a conflict.
    pub fn find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Overlaid<'_, T, C> {
        let mut reads = self.buffer::<T>().reads.borrow_mut();
        query.condition.note(self.table::<T>(), &mut reads);
        drop(reads);
        self.peek_find(query)
    }

    /// What a query finds, untracked.
    pub fn peek_find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Overlaid<'_, T, C> {
        Overlaid::new(self.reader(), query, self.table::<T>(), self.buffer::<T>())
    }

    /// How many objects a query finds; tracked as by [`Transaction::find`].
    pub fn count<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> usize {
        self.find(query).count()
    }

    /// Whether a query finds anything; tracked as by [`Transaction::find`].
    pub fn exists<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> bool {
        self.find(query.limit(1)).next().is_some()
    }

    /// The first object that a query finds; tracked as by [`Transaction::find`].
    pub fn first<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Option<&T> {
        self.find(query.limit(1)).next()
    }

    pub(super) fn look<T: Object>(&self, key: &T::Key, hash: u64) -> Option<Entry<'_, T>> {
        match self.buffer::<T>().own(hash, key) {
            Some(own) => own_entry(own),
            None => self.reader().entry(key),
        }
    }
}

pub(super) fn own_entry<T: Object>(own: &Own<T>) -> Option<Entry<'_, T>> {
    match &own.state {
        State::Object(object, created) => {
            let now = Moment::now();
            let version = own.base.map_or(Version::ZERO, |base| base.version);
            let meta = Meta::new(version.get(), created.unwrap_or(now), now);
            Some(Entry::own(object, meta))
        }
        State::Nothing | State::Staged => None,
    }
}
