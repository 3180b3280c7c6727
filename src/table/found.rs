//! The lazy results of a query.

use std::fmt;

use super::handle::Entry;
use super::object::Object;
use super::query::{Condition, Query};
use super::schema::Reader;
use crate::kernel::array::{Array, Room};
use crate::kernel::ordered::Course;
use crate::kernel::reading::Stored;

/// Results fetched under one pin at most.
const PAGE: usize = 128;
/// Results fetched first when no limit says how many are wanted: who wants few pays for few.
const PAGE_FIRST: usize = 16;

/// So many objects ahead of one that is read whole another one's parts are fetched, and twice as
/// many ahead the object.
#[cfg(feature = "save")]
const AHEAD: usize = 2;

/// Results fetched and not yet handed out.
pub struct Page<'s, T> {
    items: Array<Stored<'s, T>, PAGE>,
    wanted: usize,
    /// What is wanted of this page and those after it: so much is fetched ahead.
    left: usize,
    /// The condition leaves out some of what it fetches: then more than is left is.
    leaves_out: bool,
    /// Nothing comes after these.
    pub(super) done: bool,
}

impl<'s, T> Page<'s, T> {
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= self.wanted
    }

    /// How a scan goes that fills the page: what the next page begins with is on its way then.
    pub(super) fn course(&self, reversed: bool) -> Course {
        // A page may hold more than is left: its condition may leave out most of it.
        let wanted = self.wanted.max(self.left).saturating_sub(self.items.len());
        Course { reversed, wanted }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn push(&mut self, stored: Stored<'s, T>) {
        self.items.push(stored);
    }

    /// Adds what `fill` puts into the room that is left; unless it is full then, nothing comes
    /// after it.
    pub(super) fn fill(&mut self, fill: impl FnOnce(&mut Room<'_, Stored<'s, T>>)) {
        self.done = !self.items.fill_to(self.wanted, fill);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let fetched = self.items.len();
        self.items.retain(|stored| keep(stored.object()));
        self.leaves_out |= self.items.len() < fetched;
        self.want();
    }

    /// Says how many the next page is to have.
    fn want(&mut self) {
        self.wanted = match self.leaves_out {
            true => PAGE,
            false => self.left.clamp(1, PAGE),
        };
    }
}

/// What a query finds: a lazy iterator of `&T`, or of [`Entry`] by [`Found::entries`]. Made by
/// `find` of a [`View`](crate::View) or a [`Snapshot`](crate::Snapshot).
///
/// All of it sees one version. It allocates nothing: it has room for 128 results in itself, and
/// fetches up to as many at a time. Between these it holds no pin of its own, so it may be kept for
/// as long as what it borrows from.
pub struct Found<'s, T: Object, C: Condition<T>> {
    reader: Reader<'s>,
    query: Query<T, C>,
    place: C::Place<'s>,
    page: Page<'s, T>,
    next: usize,
    left: usize,
}

impl<T: Object, C: Condition<T>> fmt::Debug for Found<'_, T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Found")
            .field("table", &T::TABLE)
            .finish_non_exhaustive()
    }
}

impl<'s, T: Object, C: Condition<T>> Found<'s, T, C> {
    #[inline]
    pub(crate) fn new(reader: Reader<'s>, query: Query<T, C>) -> Self {
        let left = match query.limit {
            usize::MAX => PAGE_FIRST,
            limit => limit,
        };
        let page = Page {
            items: Array::new(),
            wanted: left.clamp(1, PAGE),
            left,
            leaves_out: false,
            done: query.limit == 0,
        };
        Self {
            reader,
            left: query.limit,
            query,
            place: C::Place::default(),
            page,
            next: 0,
        }
    }

    /// The same, with what the store knows of each object: its version and times.
    pub fn entries(self) -> Entries<'s, T, C> {
        Entries(self)
    }

    /// Has the processor fetch all of the objects that come some places after the next one, if they
    /// are at hand: for who reads all of each.
    #[cfg(feature = "save")]
    pub(crate) fn fetch_ahead(&self) {
        if let Some(stored) = self.page.items.get(self.next + 2 * AHEAD) {
            stored.prefetch();
        }
        if let Some(stored) = self.page.items.get(self.next + AHEAD) {
            stored.prefetch_parts();
        }
    }

    pub(crate) fn next_stored(&mut self) -> Option<Stored<'s, T>> {
        if self.left == 0 {
            return None;
        }
        if self.next == self.page.items.len() && !self.fetch() {
            return None;
        }
        let stored = self.page.items[self.next];
        self.next += 1;
        self.left -= 1;
        Some(stored)
    }

    /// Fetches the next page; false: there is none.
    fn fetch(&mut self) -> bool {
        self.page.items.clear();
        self.next = 0;
        while self.page.is_empty() && !self.page.done {
            let Query {
                condition,
                reversed,
                ..
            } = &self.query;
            condition.fill(self.reader, &mut self.place, *reversed, &mut self.page);
        }
        self.page.left = self.left.saturating_sub(self.page.items.len());
        self.page.want();
        !self.page.is_empty()
    }
}

impl<'s, T: Object, C: Condition<T>> Iterator for Found<'s, T, C> {
    type Item = &'s T;

    #[inline]
    fn next(&mut self) -> Option<&'s T> {
        self.next_stored().map(Stored::object)
    }

    /// The same as by `next`, page by page.
    fn fold<B, F: FnMut(B, &'s T) -> B>(mut self, first: B, mut each: F) -> B {
        let mut sum = first;
        while self.left > 0 && (self.next < self.page.items.len() || self.fetch()) {
            let fetched = &self.page.items[self.next..];
            let fetched = &fetched[..fetched.len().min(self.left)];
            sum = fetched
                .iter()
                .fold(sum, |sum, stored| each(sum, stored.object()));
            self.left -= fetched.len();
            self.next = self.page.items.len();
        }
        sum
    }
}

/// [`Found`] with each object's meta.
#[derive(Debug)]
pub struct Entries<'s, T: Object, C: Condition<T>>(Found<'s, T, C>);

impl<T: Object, C: Condition<T>> Entries<'_, T, C> {
    /// As [`Found::fetch_ahead`].
    #[cfg(feature = "save")]
    pub(crate) fn fetch_ahead(&self) {
        self.0.fetch_ahead();
    }
}

impl<'s, T: Object, C: Condition<T>> Iterator for Entries<'s, T, C> {
    type Item = Entry<'s, T>;

    fn next(&mut self) -> Option<Entry<'s, T>> {
        self.0.next_stored().map(Entry::stored)
    }
}
