//! Read: from the snapshot, under the transaction's own writes; noted in the read set, or not
//! (`peek`).

use super::buffer::{Buffer, Own, State};
use super::overlay::Overlaid;
use super::reads::TableReads;
use super::{Checks, Transaction};
use crate::kernel::ahead::Purpose;
use crate::kernel::reading::Stored;
use crate::latency::{Begun, Operation};
use crate::table::found::Found;
use crate::table::handle::{Entry, Obj};
use crate::table::object::{Index, Key, Object};
use crate::table::query::{Condition, Query};
use crate::table::schema::TableOf;
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
        if self.timed {
            return self.time_look_up(|| self.see_entry(key));
        }
        self.see_entry(key)
    }

    #[inline]
    fn see_entry<T: Object>(&self, key: &T::Key) -> Option<Entry<'_, T>> {
        let table = self.table::<T>();
        let (hash, buffer) = (table.hash(key), self.buffer_of::<T>(table));
        // Looked up before it is noted: its cache misses are waited for meanwhile.
        let entry = self.look(table, buffer, hash, key);
        buffer.reads.borrow_mut().note_point(hash, key);
        entry
    }

    /// Looks for one object, timed.
    #[cold]
    #[inline(never)]
    fn time_look_up<R>(&self, look: impl FnOnce() -> R) -> R {
        let begun = Begun::now_if(true);
        let found = look();
        begun.end(self.shared.clocks(), Operation::LookUp);
        found
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
        let look = || {
            let table = self.table::<T>();
            self.look(table, self.buffer_of::<T>(table), table.hash(key), key)
        };
        let entry: Option<Entry<'_, T>> = if self.timed {
            self.time_look_up(look)
        } else {
            look()
        };
        entry.map(Entry::get)
    }

    /// Has the processor fetch what writes of these keys go to, so that their cache misses are
    /// waited for together: for a transaction that changes many objects whose keys it knows,
    /// where most of them are in no cache. A hint: nothing is read, or tracked. Some hundred keys
    /// at once, or else the first ones are gone again when they are written. O(keys); wait-free.
    ///
    /// ```
    /// # use skep::{Id, Indexes, Object, ReplaceError, Store};
    /// # #[derive(Clone)] struct Task { id: Id, state: u8 }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// # let store = Store::builder().table::<Task>().build();
    /// # let ids: Vec<Id> = (0..100).map(Id::from_u128).collect();
    /// # store.update(|tx| ids.iter().try_for_each(|&id| tx.create(Task { id, state: 0 })))?;
    /// store.update(|tx| {
    ///     tx.prefetch::<Task>(&ids);
    ///     ids.iter().try_for_each(|id| tx.modify::<Task>(id, |task| task.state = 1))
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefetch<'k, T: Object>(&self, keys: impl IntoIterator<Item = &'k T::Key>) {
        self.reader().prefetch::<T>(keys, Purpose::Write);
    }

    /// The object with a key as the snapshot has it, whatever this transaction has written since:
    /// what its commit changes. Tracked as by [`Transaction::get`].
    #[must_use]
    pub fn before<T: Object>(&self, key: &T::Key) -> Option<&T> {
        let hash = self.table::<T>().hash(key);
        self.buffer::<T>().reads.borrow_mut().note_point(hash, key);
        self.reader().entry(key).map(Entry::get)
    }

    /// What a query finds, with this transaction's own writes. The query's whole ranges are
    /// tracked, however far the iteration goes: a commit that changes an object in one, or
    /// brings one into it, is a conflict.
    pub fn find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Overlaid<'_, T, C> {
        let (table, buffer) = (self.table::<T>(), self.buffer::<T>());
        note(&query, table, &mut buffer.reads.borrow_mut());
        self.peek_find(query)
    }

    /// What a query finds, untracked.
    pub fn peek_find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Overlaid<'_, T, C> {
        Overlaid::new(self.reader(), query, self.table::<T>(), self.buffer::<T>())
    }

    /// The object with a value of a unique index: what `first(index.eq(value))` finds, tracked as
    /// that is, but at the cost of one look-up also where the transaction itself has written much.
    pub fn get_by<T: Object, V: Key>(&self, index: Index<T, V>, value: impl Into<V>) -> Option<&T> {
        let value: V = value.into();
        if !index.is_unique() || self.checks.get() == Checks::Deferred {
            return self.first(index.eq(value));
        }
        if self.timed {
            return self.time_look_up(|| self.look_by(index, value));
        }
        self.look_by(index, value)
    }

    /// As [`Transaction::get_by`], of a unique index that what was written is judged by already.
    fn look_by<T: Object, V: Key>(&self, index: Index<T, V>, value: V) -> Option<&T> {
        let (table, buffer) = (self.table::<T>(), self.buffer::<T>());
        let query = index.eq(value.clone());
        note(&query, table, &mut buffer.reads.borrow_mut());
        if let Some(own) = buffer.claimant(table, index, &index.normalize(value)) {
            return Some(own);
        }
        let mut found = Found::new(self.reader(), query);
        let untouched = |stored: &Stored<'_, T>| {
            let key = stored.object().key();
            buffer.own(table.hash(&key), &key).is_none()
        };
        let mut stored = std::iter::from_fn(|| found.next_stored());
        stored.find(untouched).map(Stored::object)
    }

    /// How many objects a query finds; tracked as by [`Transaction::find`].
    pub fn count<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> usize {
        self.find(query).count()
    }

    /// Whether a query finds anything; tracked as by [`Transaction::find`].
    pub fn exists<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> bool {
        self.first(query).is_some()
    }

    /// The first object that a query finds; tracked as by [`Transaction::find`].
    pub fn first<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Option<&T> {
        let look = || self.find(query.limit(1)).next();
        if self.timed {
            self.time_look_up(look)
        } else {
            look()
        }
    }

    #[inline]
    fn look<'a, T: Object>(
        &'a self,
        table: &TableOf<T>,
        buffer: &'a Buffer<T>,
        hash: u64,
        key: &T::Key,
    ) -> Option<Entry<'a, T>> {
        if let Some(own) = buffer.own(hash, key) {
            return own_entry(own);
        }
        let stored = table.get(self.hold.reading(), hash, |found| found == key);
        stored.map(Entry::stored)
    }
}

/// Notes what a query asks.
fn note<T: Object, C: Condition<T>>(
    query: &Query<T, C>,
    table: &TableOf<T>,
    reads: &mut TableReads<T>,
) {
    query.condition.note(table, reads);
}

pub(super) fn own_entry<T: Object>(own: &Own<T>) -> Option<Entry<'_, T>> {
    match &own.state {
        State::Object(object, created) => {
            let now = Moment::now();
            let version = own.base.map_or(Version::ZERO, |base| base.version);
            let created = created.unwrap_or(now);
            let meta = Meta::new(version.get(), created, now.max(created));
            Some(Entry::own(object, meta))
        }
        State::Nothing | State::Staged => None,
    }
}
