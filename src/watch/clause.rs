//! A clause of a filter: conditions on the changes of one table's objects.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::asked::{HasValue, ImageCondition, OfImage, position_of, table_of};
use super::coalescing::Coalescing;
use super::event::{AnyChange, Change, Kind};
use super::filter::{AnyClause, Filter};
use super::member::Overflow;
use super::one_key::HasKey;
use crate::kernel::commit::Write;
use crate::kernel::reclaim::Guard;
use crate::kernel::routes::Route;
use crate::table::image::Image;
use crate::table::object::{Index, Indexes, Key, Object};
use crate::table::query::{Condition, Query};
use crate::table::schema::{Schema, TableOf};

/// Which changes of objects `T` a watcher gives: those that meet all of its conditions.
///
/// A kind and a key given several times are met by any of them. So are the values of
/// [`TableFilter::value`], also those of different indexes; what must hold together is said by
/// [`TableFilter::meets`].
///
/// Values, `meets` and [`TableFilter::when_object`] are asked of one image of the object, and must
/// all hold of it: of which is said by [`TableFilter::images`].
///
/// ```
/// use std::ops::Bound;
/// use skep::{Filter, Id, Images, Object, Store};
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
/// // Tasks of a node that came farther than state 4: both, and of the object as it is.
/// let mut watcher = store.watch(
///     Filter::of::<Task>()
///         .meets(Task::BY_NODE.eq(7u64))
///         .meets(Task::BY_STATE.range((Bound::Excluded(4), Bound::Unbounded)))
///         .images(Images::Last),
/// );
/// let task = Task { id: Id::random(), node: 7, state: 4 };
/// store.update(|tx| tx.create(task.clone()))?;
/// assert!(watcher.try_recv()?.is_none());
/// store.update(|tx| tx.modify::<Task>(&task.id, |task| task.state = 5))?;
/// assert!(watcher.try_recv()?.is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a filter does nothing until a watcher is made of it"]
pub struct TableFilter<T: Object> {
    kinds: Vec<Kind>,
    keys: Vec<T::Key>,
    values: Vec<Arc<dyn ImageCondition<T>>>,
    conditions: Vec<Arc<dyn ImageCondition<T>>>,
    /// Whether images are asked of `checks`, which may be with the watcher alone.
    is_checked: bool,
    checks: Vec<Check<T>>,
    matchers: Vec<Matcher<T>>,
    images: Images,
}

type Check<T> = Arc<dyn Fn(&T) -> bool + Send + Sync>;
type Matcher<T> = Arc<dyn Fn(&Change<'_, T>) -> bool + Send + Sync>;

/// Which image of an object the conditions of a filter are asked of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Images {
    /// As it was before the commit, or as it is after it: an object that comes to meet the
    /// conditions is seen, and one that ceases to.
    #[default]
    Either,
    /// As it is, or as it was last if it is deleted: an object that ceases to meet the conditions
    /// is not seen.
    Last,
    /// As it was before the commit: an object that comes to meet the conditions is not seen, nor is
    /// one that is created.
    Before,
}

impl Images {
    /// Whether one of the images that count meets the conditions.
    pub(super) fn met<I>(self, old: Option<I>, new: Option<I>, meets: impl Fn(I) -> bool) -> bool {
        match self {
            Self::Either => new.is_some_and(&meets) || old.is_some_and(&meets),
            Self::Last => new.or(old).is_some_and(meets),
            Self::Before => old.is_some_and(meets),
        }
    }
}

impl<T: Object> fmt::Debug for TableFilter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFilter")
            .field("table", &T::TABLE)
            .field("kinds", &self.kinds)
            .field("images", &self.images)
            .finish_non_exhaustive()
    }
}

impl<T: Object> TableFilter<T> {
    pub(super) fn new() -> Self {
        Self {
            kinds: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            conditions: Vec::new(),
            is_checked: false,
            checks: Vec::new(),
            matchers: Vec::new(),
            images: Images::default(),
        }
    }

    /// Creations (and other kinds, if named).
    pub fn created(self) -> Self {
        self.kind(Kind::Created)
    }

    /// Updates (and other kinds, if named).
    pub fn updated(self) -> Self {
        self.kind(Kind::Updated)
    }

    /// Deletions (and other kinds, if named).
    pub fn deleted(self) -> Self {
        self.kind(Kind::Deleted)
    }

    /// Changes of a kind (and other kinds, if named).
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Changes of the object with a key (or other keys, if named). Costs a hash for a change that
    /// does not match.
    pub fn key(mut self, key: &T::Key) -> Self {
        self.keys.push(key.clone());
        self
    }

    /// Changes of objects with an index value (or other values, if named, of whatever index).
    /// Costs no user code but comparisons for a change that does not match.
    ///
    /// # Panics
    /// If [`Object::indexes`] does not name the index.
    pub fn value<V: Key>(mut self, index: Index<T, V>, value: impl Into<V>) -> Self {
        Indexes::<T>::assert_named(index.name);
        let asks = HasValue::new(index, value.into());
        self.values.push(Arc::new(OfImage::new(asks)));
        self
    }

    /// Changes of objects that a query finds (and meet what else is asked): values, ranges,
    /// prefixes, of indexes or keys, joined as queries are. The query's order, its limit and what
    /// it begins after do not matter. Costs no user code but comparisons and hashes for a change
    /// that does not match.
    ///
    /// # Panics
    /// If [`Object::indexes`] does not name an index of the query.
    pub fn meets<C>(mut self, query: Query<T, C>) -> Self
    where
        C: Condition<T> + Send + Sync + 'static,
    {
        assert_indexes(&query);
        self.conditions
            .push(Arc::new(OfImage::new(query.condition)));
        self
    }

    /// Changes of objects that `check` accepts. As for [`TableFilter::when`].
    pub fn when_object(mut self, check: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        self.is_checked = true;
        self.checks.push(Arc::new(check));
        self
    }

    /// Which image of an object `value`, `meets` and `when_object` are asked of. Default:
    /// [`Images::Either`].
    pub fn images(self, images: Images) -> Self {
        Self { images, ..self }
    }

    /// Changes that `matcher` accepts. It runs on the watcher's thread, without any pin; its panic
    /// reaches whoever receives, and the change is skipped.
    pub fn when(
        mut self,
        matcher: impl Fn(&Change<'_, T>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.matchers.push(Arc::new(matcher));
        self
    }

    /// What this or `other` gives; each change once.
    pub fn or(self, other: impl Into<Filter>) -> Filter {
        Filter::from(self).or(other)
    }

    /// As [`Filter::events_max`].
    pub fn events_max(self, events: u32) -> Filter {
        Filter::from(self).events_max(events)
    }

    /// As [`Filter::bytes_max`].
    pub fn bytes_max(self, bytes: u64) -> Filter {
        Filter::from(self).bytes_max(bytes)
    }

    /// As [`Filter::overflow`].
    pub fn overflow(self, overflow: Overflow) -> Filter {
        Filter::from(self).overflow(overflow)
    }

    /// As [`Filter::timeout`].
    pub fn timeout(self, timeout: Duration) -> Filter {
        Filter::from(self).timeout(timeout)
    }

    /// As [`Filter::progress`].
    pub fn progress(self, interval: Duration) -> Filter {
        Filter::from(self).progress(interval)
    }

    /// As [`Filter::every_commit`].
    pub fn every_commit(self) -> Filter {
        Filter::from(self).every_commit()
    }

    /// As [`Filter::changes_only`].
    pub fn changes_only(self) -> Filter {
        Filter::from(self).changes_only()
    }

    /// As what a filter keeps: what asks one thing of the images alone is that thing.
    pub(super) fn into_clause(mut self) -> Arc<dyn AnyClause> {
        let is_one = [
            self.kinds.is_empty(),
            !self.calls(),
            self.images == Images::Either,
            self.keys.len() + self.values.len() + self.conditions.len() == 1,
        ];
        if is_one.contains(&false) {
            return Arc::new(self);
        }
        if let Some(key) = self.keys.pop() {
            return Arc::new(HasKey::<T>(key));
        }
        let only = self.values.pop().or_else(|| self.conditions.pop());
        only.expect("there is one")
    }

    /// Whether it calls closures of the user's.
    fn calls(&self) -> bool {
        !(self.checks.is_empty() && self.matchers.is_empty())
    }

    /// Whether something is asked of images: that there was one before, if nothing else.
    fn asks_images(&self) -> bool {
        let conditions = !(self.values.is_empty() && self.conditions.is_empty());
        self.is_checked || conditions || self.images == Images::Before
    }

    fn image_may_match(&self, table: &TableOf<T>, image: Image<'_>) -> bool {
        none_or(&self.values, |value| value.image_may_match(table, image))
            && self
                .conditions
                .iter()
                .all(|condition| condition.image_may_match(table, image))
    }

    fn object_matches(&self, object: &T) -> bool {
        none_or(&self.values, |value| value.object_matches(object))
            && self
                .conditions
                .iter()
                .all(|condition| condition.object_matches(object))
            && self.checks.iter().all(|check| check(object))
    }
}

/// # Panics
/// If the table does not have an index of the query.
fn assert_indexes<T: Object, C: Condition<T>>(query: &Query<T, C>) {
    let mut assert_named = Indexes::<T>::assert_named;
    query.condition.each_index(&mut assert_named);
}

fn none_or<A>(asked: &[A], met: impl FnMut(&A) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(met)
}

impl<T: Object> AnyClause for TableFilter<T> {
    fn table_name(&self) -> &'static str {
        T::TABLE
    }

    fn position(&self, schema: &Schema) -> Option<u16> {
        position_of::<T>(schema)
    }

    fn is_exact(&self) -> bool {
        let asked = [
            !self.keys.is_empty(),
            !self.values.is_empty(),
            !self.conditions.is_empty(),
        ];
        let groups = asked.iter().filter(|asked| **asked).count();
        let all_exact = self
            .conditions
            .iter()
            .chain(&self.values)
            .all(|it| it.is_exact());
        let one = groups <= 1 && self.conditions.len() <= 1;
        one && all_exact && self.kinds.is_empty() && self.images == Images::Either
    }

    fn coalescing(&self) -> Coalescing {
        let all_kinds = [Kind::Created, Kind::Updated, Kind::Deleted];
        let asks_kinds =
            !self.kinds.is_empty() && all_kinds.iter().any(|kind| !self.kinds.contains(kind));
        let asks_images = self.asks_images();
        let of_either = !asks_images || self.images == Images::Either;
        match asks_kinds {
            _ if !self.matchers.is_empty() || !of_either => Coalescing::Never,
            false => Coalescing::Always,
            true if asks_images => Coalescing::Never,
            true => Coalescing::Alone,
        }
    }

    fn without_calls(&self) -> Option<Arc<dyn AnyClause>> {
        if !self.calls() {
            return None;
        }
        Some(Arc::new(Self {
            kinds: self.kinds.clone(),
            keys: self.keys.clone(),
            values: self.values.clone(),
            conditions: self.conditions.clone(),
            is_checked: self.is_checked,
            checks: Vec::new(),
            matchers: Vec::new(),
            images: self.images,
        }))
    }

    /// Of what must all hold one thing is enough, the first that is of any use; of values any.
    fn routes(&self, schema: &Schema, routes: &mut Vec<Route>) -> bool {
        let Some(table) = schema.kernel().tables.find::<T::Key, T>() else {
            // Of no table of the store: nothing will ever match.
            return true;
        };
        let before = routes.len();
        if !self.keys.is_empty() {
            routes.extend(self.keys.iter().map(|key| table.route_of_key(key)));
            return true;
        }
        if !self.values.is_empty()
            && self
                .values
                .iter()
                .all(|value| value.image_routes(table, routes))
        {
            return true;
        }
        self.conditions.iter().any(|condition| {
            routes.truncate(before);
            condition.image_routes(table, routes)
        })
    }

    fn broad_routes(&self, schema: &Schema, routes: &mut Vec<Route>) {
        let Some(table) = self.position(schema) else {
            return;
        };
        let kinds = self
            .kinds
            .iter()
            .map(|kind| Route::kind(table, *kind as u16));
        match self.kinds.is_empty() {
            true => routes.push(Route::table(table)),
            false => routes.extend(kinds),
        }
    }

    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        let Some(table) = table_of::<T>(schema, write) else {
            return false;
        };
        let (old, new) = (Image::old(guard, write), Image::new(guard, write));
        none_or(&self.kinds, |kind| *kind == Kind::of(guard, write))
            && none_or(&self.keys, |key| write.hash == table.hash(key))
            && (!self.asks_images()
                || self
                    .images
                    .met(old, new, |image| self.image_may_match(table, image)))
    }

    fn matches(&self, change: &AnyChange) -> bool {
        let Some(typed) = change.of::<T>() else {
            return false;
        };
        let (old, new) = (typed.old(), typed.new());
        let image = new.or(old);
        none_or(&self.kinds, |kind| *kind == typed.kind())
            && none_or(&self.keys, |key| image.is_some_and(|it| it.key() == *key))
            && (!self.asks_images()
                || self
                    .images
                    .met(old, new, |object| self.object_matches(object)))
            && self.matchers.iter().all(|matcher| matcher(&typed))
    }
}
