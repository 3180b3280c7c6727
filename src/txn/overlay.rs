//! What a query finds in a transaction: the snapshot's objects and the transaction's own, merged in
//! the query's order.

use std::cmp::Ordering;
use std::fmt;

use super::buffer::{Buffer, State};
use crate::kernel::reading::Stored;
use crate::table::found::Found;
use crate::table::object::Object;
use crate::table::query::{Condition, Query};
use crate::table::schema::{Reader, TableOf};

/// What a query finds in a transaction, lazily: an iterator of `&T`.
///
/// Own writes of the table that match are sorted once, when the iteration begins; the snapshot is
/// read page by page.
pub struct Overlaid<'t, T: Object, C: Condition<T>> {
    found: Found<'t, T, C>,
    /// The next object of the snapshot, if it has been looked at.
    next: Option<Stored<'t, T>>,
    /// Own objects that match, the next one last.
    own: Vec<&'t T>,
    table: &'t TableOf<T>,
    buffer: &'t Buffer<T>,
    condition: C,
    reversed: bool,
    left: usize,
}

impl<T: Object, C: Condition<T>> fmt::Debug for Overlaid<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlaid")
            .field("table", &T::TABLE)
            .finish_non_exhaustive()
    }
}

impl<'t, T: Object, C: Condition<T>> Overlaid<'t, T, C> {
    pub(super) fn new(
        reader: Reader<'t>,
        mut query: Query<T, C>,
        table: &'t TableOf<T>,
        buffer: &'t Buffer<T>,
    ) -> Self {
        let condition = query.condition.clone();
        let (reversed, left) = (query.reversed, query.limit);
        let mut own: Vec<&T> = buffer
            .writes
            .iter()
            .filter_map(|own| match &own.state {
                State::Object(object, _) => Some(&**object),
                State::Nothing | State::Staged => None,
            })
            .filter(|object| condition.matches(object) && condition.comes(object, reversed))
            .collect();
        own.sort_by(|left, right| condition.order(right, left, reversed));
        if !buffer.writes.is_empty() {
            // Objects of the snapshot may be covered by own writes: the limit counts what is left.
            query.limit = usize::MAX;
        }
        Self {
            found: Found::new(reader, query),
            next: None,
            own,
            table,
            buffer,
            condition,
            reversed,
            left,
        }
    }

    /// The next object of the snapshot that this transaction has not written itself.
    fn next_untouched(&mut self) -> Option<Stored<'t, T>> {
        loop {
            let stored = self.next.take().or_else(|| self.found.next_stored())?;
            if self.buffer.writes.is_empty() {
                return Some(stored);
            }
            let key = stored.object().key();
            if self.buffer.own(self.table.hash(&key), &key).is_none() {
                return Some(stored);
            }
        }
    }
}

impl<'t, T: Object, C: Condition<T>> Iterator for Overlaid<'t, T, C> {
    type Item = &'t T;

    fn next(&mut self) -> Option<&'t T> {
        if self.left == 0 {
            return None;
        }
        let stored = self.next_untouched();
        let Some(own) = self.own.last() else {
            self.left -= 1;
            return stored.map(Stored::object);
        };
        self.left -= 1;
        let own_first = stored.is_none_or(|stored| {
            let order = self.condition.order(own, stored.object(), self.reversed);
            order != Ordering::Greater
        });
        if own_first {
            self.next = stored;
            self.own.pop()
        } else {
            stored.map(Stored::object)
        }
    }
}
