//! How queries are printed: what is asked, by values that can be printed; of the objects nothing is
//! needed.

use std::fmt::{self, Debug};

use super::condition::{AnyKeyOf, AnyOf, ByIndex, ByKey};
use super::object::Object;
use super::query::Query;

impl<T: Object, C: Debug> Debug for Query<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = f.debug_struct("Query");
        query.field("table", &T::TABLE);
        query.field("condition", &self.condition);
        query.field("reversed", &self.reversed);
        if self.limit < usize::MAX {
            query.field("limit", &self.limit);
        }
        query.finish()
    }
}

impl<T: Object<Key: Debug>, V: Debug> Debug for ByIndex<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut condition = f.debug_struct("ByIndex");
        condition.field("index", &self.index.name);
        condition.field("values", &self.span);
        ended(condition, self.after.as_ref())
    }
}

impl<T: Object<Key: Debug>, V: Debug> Debug for AnyOf<T, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut condition = f.debug_struct("AnyOf");
        condition.field("index", &self.index.name);
        condition.field("values", &self.values);
        ended(condition, self.after.as_ref())
    }
}

impl<T: Object<Key: Debug>> Debug for ByKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut condition = f.debug_struct("ByKey");
        condition.field("keys", &self.span);
        ended(condition, self.after.as_ref())
    }
}

impl<T: Object<Key: Debug>> Debug for AnyKeyOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut condition = f.debug_struct("AnyKeyOf");
        condition.field("keys", &self.keys);
        ended(condition, self.after.as_ref())
    }
}

/// The end of a condition, with the place after which its walk begins, if there is one.
fn ended(mut condition: fmt::DebugStruct<'_, '_>, after: Option<&impl Debug>) -> fmt::Result {
    if let Some(after) = after {
        condition.field("after", after);
    }
    condition.finish()
}
