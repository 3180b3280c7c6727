//! A clause that asks for one key and nothing else: who watches one object needs no more room.

use super::asked::{position_of, table_of};
use super::event::{AnyChange, Change};
use super::filter::AnyClause;
use crate::kernel::commit::Write;
use crate::kernel::reclaim::Guard;
use crate::kernel::routes::Route;
use crate::table::object::Object;
use crate::table::schema::Schema;

/// Changes of the object with a key.
pub(super) struct HasKey<T: Object>(pub(super) T::Key);

impl<T: Object> AnyClause for HasKey<T> {
    fn table_name(&self) -> &'static str {
        T::TABLE
    }

    fn position(&self, schema: &Schema) -> Option<u16> {
        position_of::<T>(schema)
    }

    fn routes(&self, schema: &Schema, routes: &mut Vec<Route>) -> bool {
        // Of no table of the store: nothing will ever match.
        let table = schema.kernel().tables.find::<T::Key, T>();
        routes.extend(table.map(|table| table.route_of_key(&self.0)));
        true
    }

    fn is_exact(&self) -> bool {
        true
    }

    fn may_match(&self, _: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        table_of::<T>(schema, write).is_some_and(|table| write.hash == table.hash(&self.0))
    }

    fn matches(&self, change: &AnyChange) -> bool {
        let typed = change.of::<T>();
        let image = typed.and_then(|typed: Change<'_, T>| typed.new().or(typed.old()));
        image.is_some_and(|object| object.key() == self.0)
    }
}
