//! How conditions are walked, a page at a time, matched against one object, and noted as read.

use std::cmp::Ordering;
use std::ops::Bound;

use super::found::Page;
use super::image::Image;
use super::object::{Index, Key, Object};
use super::schema::{Reader, TableOf};
use super::span::Span;
use super::walk::{Seen, walk_index, walk_keys};
use crate::kernel::routes::Route;
use crate::txn::reads::TableReads;

/// What conditions do for iterations. A page is filled under a pin and without user code but
/// comparisons; matching runs index functions and is done between pages.
#[doc(hidden)]
pub trait Sealed<T: Object> {
    /// Where an iteration stands.
    type Place<'s>: Default;

    /// Fills a page with what comes next.
    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        place: &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    );

    /// Whether an object meets the condition.
    fn matches(&self, object: &T) -> bool;

    /// False: an object with this image in the log does not meet the condition. Under a pin, and
    /// without user code but comparisons and hashes.
    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool;

    /// True: an object with this image in the log meets the condition. As [`Sealed::may_match`];
    /// of keys, whose hashes do not tell it, nothing is said.
    fn must_match(&self, _table: &TableOf<T>, _image: Image<'_>) -> bool {
        false
    }

    /// Whether what is found by its routes meets it, but for hashes that are the same.
    const EXACT: bool = false;

    /// Adds routes of which each object that meets it is found by one, before or after a write;
    /// false: there are no such, and what was added is of no use.
    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool;

    /// Tells the names of its indexes.
    fn each_index(&self, each: &mut dyn FnMut(&'static str));

    /// Whether an object that meets it comes in a walk, and not before where that begins.
    fn comes(&self, _object: &T, _reversed: bool) -> bool {
        true
    }

    /// Has a walk in a direction begin after an object that meets it.
    fn begin_after(&mut self, object: &T, reversed: bool);

    /// How two objects that meet it follow one another.
    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering;

    /// Notes the condition as read.
    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>);
}

/// Objects with an index value in a span.
#[derive(Clone)]
pub struct ByIndex<T: Object, V> {
    pub(super) index: Index<T, V>,
    pub(super) span: Span<V>,
    /// The entry after which a walk begins. Where it begins is not what the condition is about:
    /// what comes before meets it, too.
    pub(super) after: Option<(V, T::Key)>,
}

/// Objects with one of some index values.
#[derive(Clone)]
pub struct AnyOf<T: Object, V> {
    pub(super) index: Index<T, V>,
    /// Ascending, each once.
    pub(super) values: Vec<V>,
    /// As in [`ByIndex`].
    pub(super) after: Option<(V, T::Key)>,
}

fn place_of<V, K>(after: &Option<(V, K)>) -> Option<(&V, &K)> {
    after.as_ref().map(|(value, key)| (value, key))
}

/// Objects with a key in a span.
#[derive(Clone)]
pub struct ByKey<T: Object> {
    pub(super) span: Span<T::Key>,
    /// As in [`ByIndex`].
    pub(super) after: Option<T::Key>,
}

/// Objects with one of some keys.
#[derive(Clone)]
pub struct AnyKeyOf<T: Object> {
    /// Ascending, each once.
    pub(super) keys: Vec<T::Key>,
    /// As in [`ByIndex`].
    pub(super) after: Option<T::Key>,
}

/// Whether an object comes after the one with a key.
fn comes_after_key<T: Object>(after: Option<&T::Key>, object: &T, reversed: bool) -> bool {
    after.is_none_or(|after| directed(object.key().cmp(after), reversed).is_gt())
}

/// Whether an object that is shown by a value comes after an entry.
fn comes_after<T: Object, V: Ord>(
    after: Option<(&V, &T::Key)>,
    (shown_by, object): (Option<&V>, &T),
    reversed: bool,
) -> bool {
    let (Some((value, key)), Some(own)) = (after, shown_by) else {
        return true;
    };
    let order = own.cmp(value).then_with(|| object.key().cmp(key));
    directed(order, reversed).is_gt()
}

impl<T: Object, V: Key> ByIndex<T, V> {
    /// The value by which an object is shown: the first of its values in the span, in the walk's
    /// direction.
    fn shown_by<'v>(
        &self,
        values: impl DoubleEndedIterator<Item = &'v V>,
        reversed: bool,
    ) -> Option<&'v V> {
        let mut inside = values.filter(|value| self.span.contains(value));
        if reversed {
            inside.next_back()
        } else {
            inside.next()
        }
    }
}

impl<T: Object, V: Key> Sealed<T> for ByIndex<T, V> {
    const EXACT: bool = true;
    type Place<'s> = Seen<'s, V, T::Key>;

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        place: &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        let secondary = reader.table::<T>().index::<V>(self.index.name);
        let exact = self.span.only().is_some();
        let mut after = place_of(&self.after);
        if let Some((value, _)) = after.filter(|(value, _)| !self.span.contains(value)) {
            if self.span.ends_before(value, reversed) {
                page.done = true;
                return;
            }
            after = None;
        }
        walk_index(
            reader,
            secondary,
            (self.span.borrowed(), after),
            (place, reversed),
            page,
            |value, stored| {
                exact || {
                    let mut own = secondary.stored_values(stored);
                    let mut inside = own.by_ref().filter(|own| self.span.contains(own));
                    let shown_by = if reversed {
                        inside.last()
                    } else {
                        inside.next()
                    };
                    shown_by == Some(value)
                }
            },
        );
    }

    fn matches(&self, object: &T) -> bool {
        let values = self.index.values_of(object);
        values.iter().any(|value| self.span.contains(value))
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        image.any_value::<T, V>(table, self.index.name, |value| self.span.contains(value))
    }

    fn must_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.may_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        let only = self.span.only();
        routes.extend(only.map(|value| table.route_of(self.index.name, value)));
        only.is_some()
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        each(self.index.name);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        let values = self.index.values_of(object);
        let shown_by = self.shown_by(values.iter(), reversed);
        comes_after(place_of(&self.after), (shown_by, object), reversed)
    }

    fn begin_after(&mut self, object: &T, reversed: bool) {
        let values = self.index.values_of(object);
        let shown_by = self.shown_by(values.iter(), reversed).cloned();
        self.after = shown_by.map(|value| (value, object.key()));
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        let (left_values, right_values) = (self.index.values_of(left), self.index.values_of(right));
        let values = self
            .shown_by(left_values.iter(), reversed)
            .cmp(&self.shown_by(right_values.iter(), reversed));
        directed(values.then_with(|| left.key().cmp(&right.key())), reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        reads.note_index(table, table.index::<V>(self.index.name), self.span.clone());
    }
}

pub(super) fn directed(order: Ordering, reversed: bool) -> Ordering {
    if reversed { order.reverse() } else { order }
}

impl<T: Object, V: Key> AnyOf<T, V> {
    fn value_at(&self, step: usize, reversed: bool) -> Option<&V> {
        if reversed {
            self.values.iter().nth_back(step)
        } else {
            self.values.get(step)
        }
    }

    fn asked(&self, value: &V) -> bool {
        self.values.binary_search(value).is_ok()
    }

    /// As for [`ByIndex`].
    fn shown_by(&self, object: &T, reversed: bool) -> Option<V> {
        let values = self.index.values_of(object);
        let mut asked = values.into_iter().filter(|value| self.asked(value));
        if reversed { asked.last() } else { asked.next() }
    }

    /// How many values a walk leaves out at its beginning.
    fn steps_left_out(&self, reversed: bool) -> usize {
        let Some((after, _)) = &self.after else {
            return 0;
        };
        match reversed {
            false => self.values.partition_point(|value| value < after),
            true => self.values.len() - self.values.partition_point(|value| value <= after),
        }
    }
}

impl<T: Object, V: Key> Sealed<T> for AnyOf<T, V> {
    const EXACT: bool = true;
    type Place<'s> = (usize, Seen<'s, V, T::Key>);

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        (step, seen): &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        let secondary = reader.table::<T>().index::<V>(self.index.name);
        *step = (*step).max(self.steps_left_out(reversed));
        while let Some(asked) = self.value_at(*step, reversed) {
            let after = place_of(&self.after).filter(|(value, _)| *value == asked);
            walk_index(
                reader,
                secondary,
                (Span::exactly(asked), after),
                (seen, reversed),
                page,
                |value, stored| {
                    // Shown already by another value that was asked for.
                    !secondary.stored_values(stored).any(|other| {
                        let before = directed(other.cmp(value), reversed).is_lt();
                        before && self.asked(other)
                    })
                },
            );
            if !page.done {
                return;
            }
            (*step, *seen) = (*step + 1, None);
        }
        page.done = true;
    }

    fn matches(&self, object: &T) -> bool {
        let values = self.index.values_of(object);
        values.iter().any(|value| self.asked(value))
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        image.any_value::<T, V>(table, self.index.name, |value| self.asked(value))
    }

    fn must_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.may_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        let values = self.values.iter();
        routes.extend(values.map(|value| table.route_of(self.index.name, value)));
        true
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        each(self.index.name);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        let shown_by = self.shown_by(object, reversed);
        comes_after(place_of(&self.after), (shown_by.as_ref(), object), reversed)
    }

    fn begin_after(&mut self, object: &T, reversed: bool) {
        let shown_by = self.shown_by(object, reversed);
        self.after = shown_by.map(|value| (value, object.key()));
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        let shown_by = |object| self.shown_by(object, reversed);
        let values = shown_by(left).cmp(&shown_by(right));
        directed(values.then_with(|| left.key().cmp(&right.key())), reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        for value in &self.values {
            let index = table.index::<V>(self.index.name);
            reads.note_index(table, index, Span::exactly(value.clone()));
        }
    }
}

impl<T: Object> ByKey<T> {
    /// The span from where a walk begins: after a key of the span, since it is only begun after
    /// what meets the condition.
    fn walked(&self, reversed: bool) -> Span<&T::Key> {
        let mut walked = self.span.borrowed();
        if let Some(after) = &self.after {
            let begin = if reversed {
                &mut walked.upper
            } else {
                &mut walked.lower
            };
            *begin = Bound::Excluded(after);
        }
        walked
    }
}

impl<T: Object> Sealed<T> for ByKey<T> {
    const EXACT: bool = true;
    type Place<'s> = Option<&'s T::Key>;

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        seen: &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        walk_keys(reader, self.walked(reversed), (seen, reversed), page);
    }

    fn matches(&self, object: &T) -> bool {
        self.span.contains(&object.key())
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        image.may_have_key_in::<T>(table, &self.span)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        let only = self.span.only();
        routes.extend(only.map(|key| table.route_of_key(key)));
        only.is_some()
    }

    fn each_index(&self, _: &mut dyn FnMut(&'static str)) {}

    fn comes(&self, object: &T, reversed: bool) -> bool {
        comes_after_key(self.after.as_ref(), object, reversed)
    }

    fn begin_after(&mut self, object: &T, _: bool) {
        self.after = Some(object.key());
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        directed(left.key().cmp(&right.key()), reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        reads.note_keys(table, self.span.clone());
    }
}

impl<T: Object> AnyKeyOf<T> {
    /// How many keys a walk leaves out at its beginning.
    fn steps_left_out(&self, reversed: bool) -> usize {
        let Some(after) = &self.after else {
            return 0;
        };
        match reversed {
            false => self.keys.partition_point(|key| key <= after),
            true => self.keys.len() - self.keys.partition_point(|key| key < after),
        }
    }
}

impl<T: Object> Sealed<T> for AnyKeyOf<T> {
    const EXACT: bool = true;
    type Place<'s> = usize;

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        step: &mut usize,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        *step = (*step).max(self.steps_left_out(reversed));
        while !page.is_full() {
            let key = if reversed {
                self.keys.iter().nth_back(*step)
            } else {
                self.keys.get(*step)
            };
            let Some(key) = key else {
                page.done = true;
                return;
            };
            *step += 1;
            if let Some(stored) = reader.get::<T>(key) {
                page.push(stored);
            }
        }
    }

    fn matches(&self, object: &T) -> bool {
        self.keys.binary_search(&object.key()).is_ok()
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| image.may_have_key::<T>(table, key))
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        routes.extend(self.keys.iter().map(|key| table.route_of_key(key)));
        true
    }

    fn each_index(&self, _: &mut dyn FnMut(&'static str)) {}

    fn comes(&self, object: &T, reversed: bool) -> bool {
        comes_after_key(self.after.as_ref(), object, reversed)
    }

    fn begin_after(&mut self, object: &T, _: bool) {
        self.after = Some(object.key());
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        directed(left.key().cmp(&right.key()), reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        for key in &self.keys {
            reads.note_point(table.hash(key), key);
        }
    }
}
