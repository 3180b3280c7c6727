//! Conditions made of two.

use std::cmp::Ordering;

use super::condition::{Sealed, directed};
use super::found::Page;
use super::image::Image;
use super::object::Object;
use super::schema::{Reader, TableOf};
use crate::kernel::routes::Route;
use crate::txn::reads::TableReads;

/// Objects that meet both conditions.
#[derive(Clone, Debug)]
pub struct And<A, B>(pub(super) A, pub(super) B);

/// Objects that meet the first condition and not the second.
#[derive(Clone, Debug)]
pub struct Except<A, B>(pub(super) A, pub(super) B);

/// Objects that meet at least one of the conditions.
#[derive(Clone, Debug)]
pub struct Or<A, B> {
    pub(super) first: A,
    pub(super) second: B,
    /// A walk leaves out the part that it would begin with.
    pub(super) leaves_out: bool,
}

impl<T: Object, A: Sealed<T>, B: Sealed<T>> Sealed<T> for And<A, B> {
    type Place<'s> = A::Place<'s>;

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        place: &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        while page.is_empty() && !page.done {
            self.0.fill(reader, place, reversed, page);
            page.retain(|object| self.1.matches(object));
        }
    }

    fn matches(&self, object: &T) -> bool {
        self.0.matches(object) && self.1.matches(object)
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.0.may_match(table, image) && self.1.may_match(table, image)
    }

    fn must_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.0.must_match(table, image) && self.1.must_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        let before = routes.len();
        self.0.routes(table, routes) || {
            routes.truncate(before);
            self.1.routes(table, routes)
        }
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        self.0.each_index(each);
        self.1.each_index(each);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        self.0.comes(object, reversed)
    }

    fn begin_after(&mut self, object: &T, reversed: bool) {
        self.0.begin_after(object, reversed);
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        self.0.order(left, right, reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        // Whatever comes to meet both comes through the first; the second is asked of the object
        // alone.
        self.0.note(table, reads);
    }
}

impl<T: Object, A: Sealed<T>, B: Sealed<T>> Sealed<T> for Except<A, B> {
    type Place<'s> = A::Place<'s>;

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        place: &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        while page.is_empty() && !page.done {
            self.0.fill(reader, place, reversed, page);
            page.retain(|object| !self.1.matches(object));
        }
    }

    fn matches(&self, object: &T) -> bool {
        self.0.matches(object) && !self.1.matches(object)
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.0.may_match(table, image) && !self.1.must_match(table, image)
    }

    fn must_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.0.must_match(table, image) && !self.1.may_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        self.0.routes(table, routes)
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        self.0.each_index(each);
        self.1.each_index(each);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        self.0.comes(object, reversed)
    }

    fn begin_after(&mut self, object: &T, reversed: bool) {
        self.0.begin_after(object, reversed);
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        self.0.order(left, right, reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        // Whatever ceases to meet the second is of the first, as it was before.
        self.0.note(table, reads);
    }
}

impl<A, B> Or<A, B> {
    /// Whether a walk leaves out what the first part finds.
    fn leaves_out_first(&self, reversed: bool) -> bool {
        self.leaves_out && !reversed
    }

    /// Whether it leaves out what only the second part finds.
    fn leaves_out_second(&self, reversed: bool) -> bool {
        self.leaves_out && reversed
    }
}

impl<T: Object, A: Sealed<T>, B: Sealed<T>> Sealed<T> for Or<A, B> {
    const EXACT: bool = A::EXACT && B::EXACT;
    /// Whether the first part is through, and where both stand.
    type Place<'s> = (bool, A::Place<'s>, B::Place<'s>);

    fn fill<'s>(
        &self,
        reader: Reader<'s>,
        (through, first, second): &mut Self::Place<'s>,
        reversed: bool,
        page: &mut Page<'s, T>,
    ) {
        *through |= self.leaves_out;
        while page.is_empty() && !page.done {
            // Reversed, what only the second finds comes before.
            if *through == reversed {
                self.first.fill(reader, first, reversed, page);
            } else {
                self.second.fill(reader, second, reversed, page);
                page.retain(|object| !self.first.matches(object));
            }
            if page.done && !*through {
                (*through, page.done) = (true, false);
            }
        }
    }

    fn matches(&self, object: &T) -> bool {
        self.first.matches(object) || self.second.matches(object)
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.first.may_match(table, image) || self.second.may_match(table, image)
    }

    fn must_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.first.must_match(table, image) || self.second.must_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        self.first.routes(table, routes) && self.second.routes(table, routes)
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        self.first.each_index(each);
        self.second.each_index(each);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        match self.first.matches(object) {
            true => !self.leaves_out_first(reversed) && self.first.comes(object, reversed),
            false => !self.leaves_out_second(reversed) && self.second.comes(object, reversed),
        }
    }

    fn begin_after(&mut self, object: &T, reversed: bool) {
        let by_first = self.first.matches(object);
        if by_first {
            self.first.begin_after(object, reversed);
        } else {
            self.second.begin_after(object, reversed);
        }
        self.leaves_out = by_first == reversed;
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        match (self.first.matches(left), self.first.matches(right)) {
            (true, true) => self.first.order(left, right, reversed),
            (false, false) => self.second.order(left, right, reversed),
            (left_first, right_first) => directed(right_first.cmp(&left_first), reversed),
        }
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        self.first.note(table, reads);
        self.second.note(table, reads);
    }
}
