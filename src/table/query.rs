//! Queries: values that say what to find, in which order, and how much of it.
//!
//! A query is made from an index constant (`Task::BY_NODE.eq(node)`) or from [`keys`], and shaped
//! by methods. The condition's type says at compile time which objects and values it is about;
//! running it allocates nothing that grows with the result.

use std::fmt;
use std::ops::{Bound, RangeBounds};

use super::condition::{AnyKeyOf, AnyOf, ByIndex, ByKey, Sealed};
use super::joined::{And, Except, Or};
use super::object::{Index, Key, Object};
use super::span::{Prefix, Span};

/// What to find, in which order, and how much of it: a value, which does nothing by itself. Give it
/// to `find`, `first`, `count` or `exists` of a [`View`](crate::View),
/// [`Snapshot`](crate::Snapshot) or [`Transaction`](crate::Transaction), or to
/// [`TableFilter::meets`](crate::TableFilter::meets).
///
/// It is made from an index constant or from [`keys`], and shaped by methods. It walks the one
/// index that it names first, O(log n) to its beginning; there is no planner.
///
/// ```
/// use skep::{Id, Object, Store, keys};
///
/// #[derive(Clone, Debug, Object)]
/// struct Task {
///     #[object(key)]
///     id: Id,
///     #[object(index)]
///     node: u64,
///     #[object(index)]
///     state: u64,
/// }
///
/// let store = Store::builder().table::<Task>().build();
/// store.update(|tx| {
///     (0..9).try_for_each(|n| tx.create(Task { id: Id::random(), node: n % 3, state: n }))
/// })?;
/// let view = store.read();
/// assert_eq!(view.count(Task::BY_NODE.eq(1u64)), 3);
/// assert_eq!(view.count(Task::BY_NODE.any_of([0u64, 2])), 6);
/// // The newest states first, of node 1 or 2, two of them.
/// let query = Task::BY_STATE.range(4..).and(Task::BY_NODE.any_of([1u64, 2])).reversed().limit(2);
/// let states: Vec<u64> = view.find(query).map(|task| task.state).collect();
/// assert_eq!(states, [8, 7]);
/// assert_eq!(view.find(keys::<Task>().all()).count(), 9);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a query does nothing until it is given to find, count, exists or first"]
pub struct Query<T, C> {
    pub(crate) condition: C,
    pub(crate) reversed: bool,
    pub(crate) limit: usize,
    object: std::marker::PhantomData<fn() -> T>,
}

impl<T: Object, C: Condition<T>> Query<T, C> {
    fn new(condition: C) -> Self {
        Self {
            condition,
            reversed: false,
            limit: usize::MAX,
            object: std::marker::PhantomData,
        }
    }

    /// In the opposite order; reversed twice is not reversed. An object with several values that
    /// match comes where the walk meets it first: reversed, at its last value.
    pub fn reversed(self) -> Self {
        Self {
            reversed: !self.reversed,
            ..self
        }
    }

    /// At most `count` objects; the least of several limits counts.
    pub fn limit(self, count: usize) -> Self {
        Self {
            limit: self.limit.min(count),
            ..self
        }
    }

    /// Only the objects that `other` finds as well, in this query's order. It walks this query's
    /// index and checks the condition of `other` object by object: put the narrower query first.
    /// The order and limit of `other` do not matter.
    pub fn and<D: Condition<T>>(self, other: Query<T, D>) -> Query<T, And<C, D>> {
        self.with(|condition| And(condition, other.condition))
    }

    /// Only the objects that `other` does not find, in this query's order; else as [`Query::and`].
    /// All objects of the table that a query does not find are `keys().all().except(query)`, which
    /// walks the whole table.
    ///
    /// A transaction that runs it is held to what this query finds, whether `other` finds it or
    /// not.
    ///
    /// ```
    /// use skep::{Id, Object, Store, keys};
    ///
    /// #[derive(Clone, Debug, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    ///     #[object(index)]
    ///     node: Option<u64>,
    ///     #[object(index)]
    ///     title: String,
    /// }
    ///
    /// let store = Store::builder().table::<Task>().build();
    /// for (node, title) in [(Some(1), "a"), (Some(2), "b"), (None, "c")] {
    ///     store.update(|tx| tx.create(Task { id: Id::random(), node, title: title.into() }))?;
    /// }
    /// let view = store.read();
    /// let elsewhere = Task::BY_TITLE.all().except(Task::BY_NODE.eq(1u64));
    /// let titles = view.find(elsewhere).map(|task| &*task.title);
    /// assert_eq!(titles.collect::<Vec<_>>(), ["b", "c"]);
    /// assert_eq!(view.count(keys::<Task>().all().except(Task::BY_NODE.all())), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn except<D: Condition<T>>(self, other: Query<T, D>) -> Query<T, Except<C, D>> {
        self.with(|condition| Except(condition, other.condition))
    }

    /// Also the objects that `other` finds, each once: first those of this query, then the rest in
    /// the order of `other`'s index (reversed: the other way round). The direction and limit of
    /// `other` do not matter.
    pub fn or<D: Condition<T>>(self, other: Query<T, D>) -> Query<T, Or<C, D>> {
        self.with(|first| Or {
            first,
            second: other.condition,
            leaves_out: false,
        })
    }

    /// Only what comes after an object that the query has found, in the query's order, so reverse
    /// it before; nothing after one that it does not find, as what comes before another object that
    /// the query begins after already: to go back, begin with the query as it was. As
    /// [`Query::after`], for whatever query: the object need not be there any more, but is to be as
    /// it was found.
    ///
    /// ```
    /// use skep::{Id, Object, Store, keys};
    ///
    /// #[derive(Clone, Debug, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    ///     #[object(index)]
    ///     title: String,
    /// }
    ///
    /// let store = Store::builder().table::<Task>().build();
    /// for title in ["a", "c", "b"] {
    ///     store.update(|tx| tx.create(Task { id: Id::random(), title: title.into() }))?;
    /// }
    /// let view = store.read();
    /// let query = Task::BY_TITLE.all();
    /// let first = view.first(query.clone()).expect("there are three");
    /// let rest = view.find(query.after_object(first)).map(|task| &*task.title);
    /// assert_eq!(rest.collect::<Vec<_>>(), ["b", "c"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after_object(mut self, object: &T) -> Self {
        let (condition, reversed) = (&mut self.condition, self.reversed);
        match condition.matches(object) && condition.comes(object, reversed) {
            true => condition.begin_after(object, reversed),
            false => self.limit = 0,
        }
        self
    }

    fn with<D>(self, wrap: impl FnOnce(C) -> D) -> Query<T, D> {
        Query {
            condition: wrap(self.condition),
            reversed: self.reversed,
            limit: self.limit,
            object: self.object,
        }
    }
}

impl<T: Object, V: Key> Index<T, V> {
    /// Objects with exactly this value; in key order.
    pub fn eq(self, value: impl Into<V>) -> Query<T, ByIndex<T, V>> {
        let value = self.normalize(value.into());
        self.query(Span::exactly(value))
    }

    /// Objects with a value in the range; by their first value in it, then by key.
    pub fn range(self, range: impl RangeBounds<V>) -> Query<T, ByIndex<T, V>> {
        let span = Span::of(range).map(|value| self.normalize(value));
        self.query(span)
    }

    /// Objects with any value; by their first value, then by key.
    pub fn all(self) -> Query<T, ByIndex<T, V>> {
        self.query(Span::all())
    }

    /// Objects with a value that begins with `prefix`; by that value, then by key. On a normalized
    /// index the prefix is normalized, too.
    pub fn prefix(self, prefix: &str) -> Query<T, ByIndex<T, V>>
    where
        V: Prefix,
    {
        let (lower, upper) = V::starting_with(prefix);
        // A bound is not a value: the prefix is normalized, then its bounds are taken.
        let (lower, upper) = match lower {
            Bound::Included(value) if self.is_normalized() => {
                V::starting_with(&self.normalize(value).text())
            }
            lower => (lower, upper),
        };
        self.query(Span { lower, upper })
    }

    /// Objects with any of these values, each object once; by value, then by key.
    pub fn any_of<I: Into<V>>(self, values: impl IntoIterator<Item = I>) -> Query<T, AnyOf<T, V>> {
        let values = values.into_iter().map(|value| self.normalize(value.into()));
        Query::new(AnyOf {
            index: self,
            values: sorted(values.collect()),
            after: None,
        })
    }

    fn query(self, span: Span<V>) -> Query<T, ByIndex<T, V>> {
        Query::new(ByIndex {
            index: self,
            span,
            after: None,
        })
    }
}

impl<T: Object, V: Key> Query<T, ByIndex<T, V>> {
    /// Only what comes after a place in the query's order: that of the object with this `key`, as
    /// found by this `value`. (If the query is reversed, that is what the index has before it.)
    /// The object need not be there any more: so a page begins where another one, of whatever
    /// version, has ended. O(log n).
    ///
    /// Like the limit, it does not matter in a query that is the second one of [`Query::and`]. A
    /// transaction that runs the query is held to all of its range, not only to what comes after.
    ///
    /// ```
    /// use skep::{Id, Object, Store};
    ///
    /// #[derive(Clone, Debug, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    ///     #[object(index)]
    ///     service: u64,
    /// }
    ///
    /// let store = Store::builder().table::<Task>().build();
    /// store.update(|tx| {
    ///     (0..250).try_for_each(|_| tx.create(Task { id: Id::random(), service: 7 }))
    /// })?;
    /// // Pages of 100, each of the newest version when it is asked for.
    /// let mut sizes = Vec::new();
    /// let mut last = None;
    /// loop {
    ///     let query = Task::BY_SERVICE.eq(7u64).limit(100);
    ///     let query = match last {
    ///         Some(id) => query.after(7u64, id),
    ///         None => query,
    ///     };
    ///     let page: Vec<Id> = store.read().find(query).map(|task| task.id).collect();
    ///     sizes.push(page.len());
    ///     match page.last() {
    ///         Some(id) => last = Some(*id),
    ///         None => break,
    ///     }
    /// }
    /// assert_eq!(sizes, [100, 100, 50, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn after(mut self, value: impl Into<V>, key: impl Into<T::Key>) -> Self {
        let value = self.condition.index.normalize(value.into());
        self.condition.after = Some((value, key.into()));
        self
    }
}

impl<T: Object, V: Key> Query<T, AnyOf<T, V>> {
    /// Only what comes after the object with this key, as found by this value: see
    /// [`Query::after`]. The value need not be one of those asked for.
    pub fn after(mut self, value: impl Into<V>, key: impl Into<T::Key>) -> Self {
        let value = self.condition.index.normalize(value.into());
        self.condition.after = Some((value, key.into()));
        self
    }
}

fn sorted<V: Ord>(mut values: Vec<V>) -> Vec<V> {
    values.sort_unstable();
    values.dedup();
    values
}

/// The primary keys of a table, to be queried as an index is: `keys::<Task>().prefix("4f")`.
#[must_use]
pub fn keys<T: Object>() -> Keyed<T> {
    Keyed(std::marker::PhantomData)
}

/// The primary keys of a table; see [`keys`].
pub struct Keyed<T>(std::marker::PhantomData<fn() -> T>);

impl<T> Clone for Keyed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Keyed<T> {}

impl<T: Object> fmt::Debug for Keyed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keyed").field(&T::TABLE).finish()
    }
}

impl<T: Object> Keyed<T> {
    /// The object with this key, or none.
    pub fn eq(self, key: impl Into<T::Key>) -> Query<T, ByKey<T>> {
        Self::query(Span::exactly(key.into()))
    }

    /// All objects; in key order.
    pub fn all(self) -> Query<T, ByKey<T>> {
        Self::query(Span::all())
    }

    /// Objects with a key in the range; in key order.
    pub fn range(self, range: impl RangeBounds<T::Key>) -> Query<T, ByKey<T>> {
        Self::query(Span::of(range))
    }

    /// Objects whose key begins with `prefix`; in key order.
    pub fn prefix(self, prefix: &str) -> Query<T, ByKey<T>>
    where
        T::Key: Prefix,
    {
        let (lower, upper) = T::Key::starting_with(prefix);
        Self::query(Span { lower, upper })
    }

    /// Objects with any of these keys; in key order.
    pub fn any_of<I: Into<T::Key>>(
        self,
        keys: impl IntoIterator<Item = I>,
    ) -> Query<T, AnyKeyOf<T>> {
        let keys = keys.into_iter().map(Into::into).collect();
        Query::new(AnyKeyOf {
            keys: sorted(keys),
            after: None,
        })
    }

    fn query(span: Span<T::Key>) -> Query<T, ByKey<T>> {
        Query::new(ByKey { span, after: None })
    }
}

/// What a query asks; made by index constants, [`keys`] and their methods. Not to be implemented
/// outside.
pub trait Condition<T: Object>: Clone + Sealed<T> {}

impl<T: Object, C: Clone + Sealed<T>> Condition<T> for C {}
