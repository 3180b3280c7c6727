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

/// Objects that meet at least one of the conditions.
#[derive(Clone, Debug)]
pub struct Or<A, B>(pub(super) A, pub(super) B);

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

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        self.0.order(left, right, reversed)
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        // Whatever comes to meet both comes through the first; the second is asked of the object
        // alone.
        self.0.note(table, reads);
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
        while page.is_empty() && !page.done {
            // Reversed, what only the second finds comes before.
            if *through == reversed {
                self.0.fill(reader, first, reversed, page);
            } else {
                self.1.fill(reader, second, reversed, page);
                page.retain(|object| !self.0.matches(object));
            }
            if page.done && !*through {
                (*through, page.done) = (true, false);
            }
        }
    }

    fn matches(&self, object: &T) -> bool {
        self.0.matches(object) || self.1.matches(object)
    }

    fn may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        self.0.may_match(table, image) || self.1.may_match(table, image)
    }

    fn routes(&self, table: &TableOf<T>, routes: &mut Vec<Route>) -> bool {
        self.0.routes(table, routes) && self.1.routes(table, routes)
    }

    fn each_index(&self, each: &mut dyn FnMut(&'static str)) {
        self.0.each_index(each);
        self.1.each_index(each);
    }

    fn comes(&self, object: &T, reversed: bool) -> bool {
        match self.0.matches(object) {
            true => self.0.comes(object, reversed),
            false => self.1.comes(object, reversed),
        }
    }

    fn order(&self, left: &T, right: &T, reversed: bool) -> Ordering {
        match (self.0.matches(left), self.0.matches(right)) {
            (true, true) => self.0.order(left, right, reversed),
            (false, false) => self.1.order(left, right, reversed),
            (left_first, right_first) => directed(right_first.cmp(&left_first), reversed),
        }
    }

    fn note(&self, table: &TableOf<T>, reads: &mut TableReads<T>) {
        self.0.note(table, reads);
        self.1.note(table, reads);
    }
}
