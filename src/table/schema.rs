//! The tables of a store, found by the type of their objects.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use smallvec::SmallVec;

use super::handle::Entry;
use super::hash::hash_of;
use super::object::{Indexes, Key, Object};
use super::unique::AnyUnique;
use crate::kernel::Kernel;
use crate::kernel::ahead::{GROUP, Purpose};
use crate::kernel::reading::{Reading, Stored};
use crate::kernel::routes::Route;
use crate::kernel::secondary::{AnySecondary, Secondary};
use crate::kernel::table::{AnyTable, Table};
use crate::kernel::typed::downcast;

/// The kernel's table of a type.
pub type TableOf<T> = Table<<T as Object>::Key, T>;

/// What this layer keeps with a table.
pub(crate) struct Face<T> {
    pub(crate) uniques: Vec<Box<dyn AnyUnique<T>>>,
}

/// Makes a table with all that its type names.
///
/// # Panics
/// As [`Object::indexes`] does.
pub(crate) fn make_table<T: Object>(position: u16, seed: u64) -> Box<dyn AnyTable> {
    let indexes = Indexes::<T>::of();
    let secondary = (0..).zip(indexes.secondary);
    let secondary = secondary.map(|(at, make)| make(position, at)).collect();
    let uniques = indexes.uniques;
    let face = (!uniques.is_empty()).then(|| Box::new(Face::<T> { uniques }) as _);
    let table: TableOf<T> = Table::new((position, T::TABLE), seed, secondary, face, T::bytes);
    Box::new(table)
}

/// The tables of a store.
pub(crate) struct Schema {
    kernel: Arc<Kernel>,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.kernel.tables.all().iter().map(|table| table.name());
        f.debug_list().entries(names).finish()
    }
}

impl Schema {
    pub(crate) fn new(kernel: Arc<Kernel>) -> Self {
        Self { kernel }
    }

    pub(crate) fn kernel(&self) -> &Arc<Kernel> {
        &self.kernel
    }

    /// The table of a type.
    ///
    /// # Panics
    /// If the store was built without it.
    #[inline]
    pub(crate) fn table<T: Object>(&self) -> &TableOf<T> {
        let table = self.kernel.tables.find::<T::Key, T>();
        table.unwrap_or_else(|| no_table::<T>())
    }
}

#[cold]
fn no_table<T: Object>() -> ! {
    panic!(
        "the store has no table {}: add .table::<{}>() to its builder",
        T::TABLE,
        std::any::type_name::<T>()
    )
}

impl<K: Key, T: Object<Key = K>> Table<K, T> {
    #[inline]
    pub(crate) fn hash(&self, key: &K) -> u64 {
        hash_of(self.seed, key)
    }

    /// The hash of something else about the table, under its seed as well.
    #[inline]
    pub(crate) fn hash_of(&self, what: &impl Hash) -> u64 {
        hash_of(self.seed, what)
    }

    pub(crate) fn uniques(&self) -> &[Box<dyn AnyUnique<T>>] {
        let face = self.face.as_deref().and_then(downcast::<Face<T>, _>);
        face.map_or(&[], |face| &face.uniques)
    }

    #[inline(always)]
    pub(crate) fn find<'s>(&self, reading: Reading<'s>, key: &K) -> Option<Stored<'s, T>> {
        self.get(reading, self.hash(key), |found| found == key)
    }

    /// The route of writes of an object's.
    pub(crate) fn route_of_key(&self, key: &K) -> Route {
        Route::key(self.position(), self.hash(key))
    }

    /// The route of writes of objects with an index value.
    pub(crate) fn route_of<V: Key>(&self, name: &'static str, value: &V) -> Route {
        let index = self.index::<V>(name).position();
        Route::value(self.position(), index, hash_of(self.seed, value))
    }

    /// The index with a name and a value type.
    ///
    /// # Panics
    /// If [`Object::indexes`] does not name it.
    pub(crate) fn index<V: Key>(&self, name: &'static str) -> &Secondary<K, T, V> {
        self.position_of(name)
            .map_or_else(|| no_index::<T, V>(name), |at| self.index_at(at))
    }

    /// The position of the index with a name, if [`Object::indexes`] names one.
    pub(crate) fn position_of(&self, name: &'static str) -> Option<usize> {
        let mut indexes = self.secondary().iter();
        indexes.position(|index| index.name() == name)
    }

    /// The index at a position, whose value type the caller knows.
    ///
    /// # Panics
    /// If the type is another: two constants share the index's name.
    pub(crate) fn index_at<V: Key>(&self, position: usize) -> &Secondary<K, T, V> {
        let index = &self.secondary()[position];
        let typed = downcast(&**index);
        typed.unwrap_or_else(|| no_index::<T, V>(index.name()))
    }
}

#[cold]
fn no_index<T: Object, V>(name: &str) -> ! {
    panic!(
        "table {}: no index {name} by {}: add it in Object::indexes",
        T::TABLE,
        std::any::type_name::<V>()
    )
}

/// Reads a store at a version: what views, snapshots and transactions share.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'s> {
    pub(crate) schema: &'s Schema,
    pub(crate) reading: Reading<'s>,
}

impl<'s> Reader<'s> {
    #[inline]
    pub(crate) fn table<T: Object>(self) -> &'s TableOf<T> {
        self.schema.table::<T>()
    }

    #[inline(always)]
    pub(crate) fn get<T: Object>(self, key: &T::Key) -> Option<Stored<'s, T>> {
        self.table::<T>().find(self.reading, key)
    }

    /// Has the processor fetch what reads, or writes, of some keys go to. A hint.
    pub(crate) fn prefetch<'k, T: Object>(
        self,
        keys: impl IntoIterator<Item = &'k T::Key>,
        purpose: Purpose,
    ) {
        let table = self.table::<T>();
        let mut hashes = keys.into_iter().map(|key| table.hash(key));
        loop {
            // The user's code runs here, and the store's pin only after it.
            let group: SmallVec<[u64; GROUP]> = hashes.by_ref().take(GROUP).collect();
            table.prefetch(self.reading, &group, purpose);
            if group.len() < GROUP {
                return;
            }
        }
    }

    pub(crate) fn entry<T: Object>(self, key: &T::Key) -> Option<Entry<'s, T>> {
        self.get(key).map(Entry::stored)
    }
}
