//! What a clause asks of one image of an object, and a clause that asks nothing else: most have one
//! value of one index, and need no more room than that.

use std::marker::PhantomData;

use super::clause::Images;
use super::event::AnyChange;
use super::filter::AnyClause;
use crate::kernel::commit::Write;
use crate::kernel::reclaim::Guard;
use crate::kernel::routes::Route;
use crate::table::image::Image;
use crate::table::object::{Extract, Index, Key, Object};
use crate::table::query::Condition;
use crate::table::schema::{Schema, TableOf};

/// A condition on an image, whatever index it is about.
pub(super) trait Asks<T: Object>: Send + Sync {
    /// Whether what is found by its routes meets it, but for hashes that are the same.
    const EXACT: bool;
    /// False: it does not match. Under a pin.
    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool;
    fn matches(&self, object: &T) -> bool;
    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool;
}

impl<T: Object, C: Condition<T> + Send + Sync> Asks<T> for C {
    const EXACT: bool = C::EXACT;

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        C::may_match(self, table, image)
    }

    fn matches(&self, object: &T) -> bool {
        C::matches(self, object)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        C::routes(self, table, routes)
    }
}

/// Objects with one value of an index: as a query for it, in half the room. Values are the same if
/// their order says so, as in the index.
pub(super) struct HasValue<T, V> {
    /// The index's name.
    index: &'static str,
    values: Extract<T, V>,
    value: V,
}

impl<T: Object, V: Key> HasValue<T, V> {
    pub(super) fn new(index: Index<T, V>, value: V) -> Self {
        Self {
            index: index.name,
            values: index.extract(),
            value: index.normalize(value),
        }
    }
}

impl<T: Object, V: Key> Asks<T> for HasValue<T, V> {
    const EXACT: bool = true;

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        image.any_value::<T, V>(table, self.index, |value| value.cmp(&self.value).is_eq())
    }

    fn matches(&self, object: &T) -> bool {
        let values = self.values.of(object);
        values.iter().any(|value| value.cmp(&self.value).is_eq())
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        routes.push(table.route_of(self.index, &self.value));
        true
    }
}

/// A condition whose type its clause does not know; also a clause by itself, of either image.
pub(super) trait ImageCondition<T: Object>: AnyClause {
    /// As [`Asks::may_match`].
    fn image_may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool;
    fn object_matches(&self, object: &T) -> bool;
    fn image_routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool;
}

/// Objects one image of which meets a condition.
pub(super) struct OfImage<T, C> {
    asks: C,
    object: PhantomData<fn(&T)>,
}

impl<T: Object, C: Asks<T>> OfImage<T, C> {
    pub(super) fn new(asks: C) -> Self {
        Self {
            asks,
            object: PhantomData,
        }
    }
}

impl<T: Object, C: Asks<T>> ImageCondition<T> for OfImage<T, C> {
    fn image_may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.asks.may_match(table, image)
    }

    fn object_matches(&self, object: &T) -> bool {
        self.asks.matches(object)
    }

    fn image_routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        self.asks.routes(table, routes)
    }
}

impl<T: Object, C: Asks<T>> AnyClause for OfImage<T, C> {
    fn table_name(&self) -> &'static str {
        T::TABLE
    }

    fn position(&self, schema: &Schema) -> Option<u16> {
        position_of::<T>(schema)
    }

    fn is_exact(&self) -> bool {
        C::EXACT
    }

    fn routes(&self, schema: &Schema, routes: &mut Vec<Route>) -> bool {
        // Of no table of the store: nothing will ever match.
        let table = schema.kernel().tables.find::<T::Key, T>();
        table.is_none_or(|table| self.asks.routes(table, routes))
    }

    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        table_of::<T>(schema, write).is_some_and(|table| {
            let (old, new) = (Image::old(guard, write), Image::new(guard, write));
            let met = |image| self.asks.may_match(table, image);
            Images::Either.met(old, new, met)
        })
    }

    fn matches(&self, change: &AnyChange) -> bool {
        change.of::<T>().is_some_and(|typed| {
            let met = |object: &T| self.asks.matches(object);
            Images::Either.met(typed.old(), typed.new(), met)
        })
    }
}

/// The position of a table, if the store has it.
pub(super) fn position_of<T: Object>(schema: &Schema) -> Option<u16> {
    let table = schema.kernel().tables.find::<T::Key, T>();
    table.map(TableOf::<T>::position)
}

/// The table of a write, if it is that of objects `T`; the store need not have such.
pub(super) fn table_of<'s, T: Object>(schema: &'s Schema, write: &Write) -> Option<&'s TableOf<T>> {
    let table = schema.kernel().tables.find::<T::Key, T>();
    table.filter(|table| table.position() == write.table)
}
