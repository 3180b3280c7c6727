//! Unique indexes: the check when an object is written, and what must still hold when it commits.

use std::any::Any;
use std::collections::HashMap;
use std::ops::ControlFlow;

use super::object::{Index, Key, Object};
use super::schema::TableOf;
use super::value::Value;
use crate::error::Duplicate;
use crate::kernel::entry::{EntryHeader, EntryProbe};
use crate::kernel::ordered::{Course, Ends};
use crate::kernel::reading::Reading;
use crate::kernel::secondary::Secondary;

/// What a transaction itself has under a key of the table.
pub(crate) enum OwnWrite<'a, T> {
    /// Nothing: the snapshot counts.
    Untouched,
    Deleted,
    Object(&'a T),
}

/// What a check needs to know of the transaction that writes.
pub(crate) struct Checking<'a, T: Object> {
    pub(crate) table: &'a TableOf<T>,
    pub(crate) reading: Reading<'a>,
    pub(crate) own: &'a dyn Fn(&T::Key) -> OwnWrite<'a, T>,
}

/// A value that a transaction took in a unique index: a read of "nobody else has it", as data.
pub(crate) trait AnyTaken<T: Object>: Send {
    /// The duplicate, if the write of another transaction under `key`, found by `entries`, has the
    /// value.
    fn taken_by(
        &self,
        table: &TableOf<T>,
        key: &T::Key,
        entries: &mut dyn Iterator<Item = &EntryHeader>,
    ) -> Option<Duplicate>;

    /// The name of the index, the value, and the key of who takes it.
    fn claim(&self) -> (&'static str, Value, Value);
}

/// A unique index of objects `T`, its value type unknown.
pub(crate) trait AnyUnique<T: Object>: Send + Sync {
    /// The index's position among the table's.
    fn position(&self) -> u16;

    /// The values that one transaction takes, by holder: empty.
    fn new_claims(&self) -> Box<dyn Any>;

    /// Checks an object about to be written, notes its values among the transaction's claims, and
    /// what must hold at the commit.
    fn check(
        &self,
        checking: &Checking<'_, T>,
        claims: &mut dyn Any,
        object: &T,
        taken: &mut Vec<Box<dyn AnyTaken<T>>>,
    ) -> Result<(), Duplicate>;
}

/// A unique index by `V`.
pub(crate) struct Unique<T, V> {
    index: Index<T, V>,
    position: u16,
}

impl<T: Object, V: Key> Unique<T, V> {
    pub(crate) fn new(index: Index<T, V>, position: u16) -> Self {
        Self { index, position }
    }

    fn secondary<'t>(&self, table: &'t TableOf<T>) -> &'t Secondary<T::Key, T, V> {
        secondary_at(table, self.position)
    }

    fn duplicate(&self, value: &V, holder: &T::Key, claimant: &T::Key) -> Duplicate {
        duplicate::<T, V>(self.index.name, value, (holder, claimant))
    }

    /// Who holds the value in the snapshot, unless the transaction has written that object itself.
    fn stored_holder(&self, checking: &Checking<'_, T>, key: &T::Key, value: &V) -> Option<T::Key> {
        let mut holder = None;
        self.secondary(checking.table).scan(
            checking.table,
            checking.reading,
            Ends {
                from: Some(&EntryProbe::before(value, None)),
                until: Some(&EntryProbe::after(value, None)),
            },
            Course {
                reversed: false,
                wanted: 1,
            },
            |found, found_key, _| {
                if found != value {
                    return ControlFlow::Break(());
                }
                let untouched = matches!((checking.own)(found_key), OwnWrite::Untouched);
                if found_key != key && untouched {
                    holder = Some(found_key.clone());
                    return ControlFlow::Break(());
                }
                ControlFlow::Continue(())
            },
        );
        holder
    }
}

fn secondary_at<T: Object, V: Key>(table: &TableOf<T>, at: u16) -> &Secondary<T::Key, T, V> {
    table.index_at(usize::from(at))
}

fn duplicate<T: Object, V: Key>(
    index: &'static str,
    value: &V,
    (holder, claimant): (&T::Key, &T::Key),
) -> Duplicate {
    Duplicate {
        table: T::TABLE,
        index,
        key: Value::new(value.clone()),
        holder: Value::new(holder.clone()),
        claimant: Value::new(claimant.clone()),
    }
}

/// Who took which value.
pub(crate) type Claims<V, K> = HashMap<V, K>;

impl<T: Object, V: Key> AnyUnique<T> for Unique<T, V> {
    fn position(&self) -> u16 {
        self.position
    }

    fn new_claims(&self) -> Box<dyn Any> {
        Box::new(Claims::<V, T::Key>::new())
    }

    fn check(
        &self,
        checking: &Checking<'_, T>,
        claims: &mut dyn Any,
        object: &T,
        taken: &mut Vec<Box<dyn AnyTaken<T>>>,
    ) -> Result<(), Duplicate> {
        let claims = claims
            .downcast_mut::<Claims<V, T::Key>>()
            .expect("made by new_claims");
        let key = object.key();
        let values = self.index.values_of(object);
        for value in values.iter() {
            // An earlier write of this transaction that took the value, and still has it.
            if let Some(holder) = claims.get(value)
                && *holder != key
                && let OwnWrite::Object(own) = (checking.own)(holder)
                && self.index.values_of(own).contains(value)
            {
                return Err(self.duplicate(value, holder, &key));
            }
            if let Some(holder) = self.stored_holder(checking, &key, value) {
                return Err(self.duplicate(value, &holder, &key));
            }
        }
        for value in values {
            if claims.get(&value) == Some(&key) {
                // It is noted already, by an earlier write of the object.
                continue;
            }
            taken.push(Box::new(Taken {
                name: self.index.name,
                position: self.position,
                value: value.clone(),
                key: key.clone(),
            }));
            claims.insert(value, key.clone());
        }
        Ok(())
    }
}

struct Taken<K, V> {
    name: &'static str,
    position: u16,
    value: V,
    key: K,
}

impl<T: Object, V: Key> AnyTaken<T> for Taken<T::Key, V> {
    fn taken_by(
        &self,
        table: &TableOf<T>,
        key: &T::Key,
        entries: &mut dyn Iterator<Item = &EntryHeader>,
    ) -> Option<Duplicate> {
        if *key == self.key {
            return None;
        }
        let secondary = secondary_at::<T, V>(table, self.position);
        let mut values = entries.filter_map(|entry| secondary.value_of(entry));
        let taken = values.any(|value| *value == self.value);
        taken.then(|| duplicate::<T, V>(self.name, &self.value, (key, &self.key)))
    }

    fn claim(&self) -> (&'static str, Value, Value) {
        let value = Value::new(self.value.clone());
        (self.name, value, Value::new(self.key.clone()))
    }
}
