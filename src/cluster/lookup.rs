//! One lookup of a table: the query that finds objects, and the check that tells one.

use std::fmt;
use std::sync::Arc;

use super::reads::{Reads, Results};
use crate::Condition;
use crate::Index;
use crate::Key;
use crate::Object;
use crate::Query;
use crate::Snapshot;
use crate::TableFilter;
use crate::Transaction;
use crate::View;
use crate::fold_case;
use crate::keys;

/// A lookup of a table, whatever index it goes by. Cloning shares it.
pub struct Lookup<T>(Arc<dyn AnyLookup<T>>);

impl<T> Clone for Lookup<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Object> fmt::Debug for Lookup<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup")
            .field("table", &T::TABLE)
            .finish_non_exhaustive()
    }
}

impl<T: Object> Lookup<T> {
    /// Of objects with an index value; `check` tells whether an object has it.
    pub fn exact<V: Key>(index: Index<T, V>, value: V, check: fn(&T, &V) -> bool) -> Self {
        Self::routed(index, value, check)
    }

    /// Of objects with a text, whatever its case, by an index that is [normalized](fold_case);
    /// `text` gives an object's.
    pub fn folded(index: Index<T, String>, value: &str, text: fn(&T) -> Option<&str>) -> Self {
        let value = fold_case(value.to_owned());
        Self::routed(index, value, move |object, value| {
            text(object).is_some_and(|text| fold_case(text.to_owned()) == *value)
        })
    }

    /// Of what a query finds, if its order and its limit are left alone; `check` tells whether it
    /// finds an object.
    pub fn of<C>(query: Query<T, C>, check: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self
    where
        C: Condition<T> + Send + Sync + 'static,
    {
        Self(Arc::new(Queried { query, check }))
    }

    /// Of the object with a key.
    pub fn keyed(key: T::Key) -> Self {
        let wanted = key.clone();
        Self::of(keys::<T>().eq(key), move |object| object.key() == wanted)
    }

    pub(super) fn routed<V: Key>(
        index: Index<T, V>,
        value: V,
        check: impl Fn(&T, &V) -> bool + Send + Sync + 'static,
    ) -> Self {
        let wanted = value.clone();
        Self::of(index.eq(value), move |object| check(object, &wanted))
    }

    /// Whether it finds an object.
    #[must_use]
    pub fn matches(&self, object: &T) -> bool {
        self.0.matches(object)
    }

    /// What it finds; of it, if there is a last one, what comes after that.
    pub(super) fn find<'r>(&self, reads: &'r impl Reads, last: Option<&T>) -> Results<'r, T> {
        reads.look_up(&*self.0, last)
    }

    /// The filter, narrowed to changes of what it finds.
    pub(super) fn narrow(&self, filter: TableFilter<T>) -> TableFilter<T> {
        self.0.narrow(filter)
    }
}

/// A lookup whose query's type the caller does not know.
pub trait AnyLookup<T>: Send + Sync {
    fn in_view<'r>(&self, view: &'r View<'_>, last: Option<&T>) -> Results<'r, T>;
    fn in_snapshot<'r>(&self, snapshot: &'r Snapshot, last: Option<&T>) -> Results<'r, T>;
    fn in_transaction<'r>(&self, tx: &'r Transaction<'_>, last: Option<&T>) -> Results<'r, T>;
    fn matches(&self, object: &T) -> bool;
    fn narrow(&self, filter: TableFilter<T>) -> TableFilter<T>
    where
        T: Object;
}

struct Queried<T, C, M> {
    query: Query<T, C>,
    check: M,
}

impl<T: Object, C: Condition<T>, M> Queried<T, C, M> {
    fn after(&self, last: Option<&T>) -> Query<T, C> {
        let query = self.query.clone();
        match last {
            Some(last) => query.after_object(last),
            None => query,
        }
    }
}

impl<T, C, M> AnyLookup<T> for Queried<T, C, M>
where
    T: Object,
    C: Condition<T> + Send + Sync + 'static,
    M: Fn(&T) -> bool + Send + Sync,
{
    fn in_view<'r>(&self, view: &'r View<'_>, last: Option<&T>) -> Results<'r, T> {
        Results::new(view.find(self.after(last)))
    }

    fn in_snapshot<'r>(&self, snapshot: &'r Snapshot, last: Option<&T>) -> Results<'r, T> {
        Results::new(snapshot.find(self.after(last)))
    }

    fn in_transaction<'r>(&self, tx: &'r Transaction<'_>, last: Option<&T>) -> Results<'r, T> {
        Results::new(tx.find(self.after(last)))
    }

    fn matches(&self, object: &T) -> bool {
        (self.check)(object)
    }

    fn narrow(&self, filter: TableFilter<T>) -> TableFilter<T> {
        filter.meets(self.query.clone())
    }
}
