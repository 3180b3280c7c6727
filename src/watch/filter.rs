//! What a watcher is asked for: an or-combination of clauses, each about one table.

use std::fmt;
use std::sync::Arc;

use super::event::{AnyChange, Change, Kind};
use crate::kernel::commit::{Write, table_bit};
use crate::kernel::reclaim::Guard;
use crate::table::object::{Index, Indexes, Key, Object};
use crate::table::schema::{Schema, TableOf};

/// Which changes a watcher gives. Made by [`Filter::all`] or [`Filter::of`], joined by `or`.
#[derive(Clone, Debug)]
pub struct Filter {
    clauses: Clauses,
    every_commit: bool,
}

#[derive(Clone)]
enum Clauses {
    All,
    Any(Vec<Arc<dyn AnyClause>>),
}

impl fmt::Debug for Clauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Any(clauses) => {
                let tables = clauses.iter().map(|clause| clause.table_name());
                f.debug_list().entries(tables).finish()
            }
        }
    }
}

impl Filter {
    /// Every change of every table.
    #[must_use]
    pub fn all() -> Self {
        Self {
            clauses: Clauses::All,
            every_commit: false,
        }
    }

    /// Changes of objects `T`: all of them, until narrowed.
    #[must_use]
    pub fn of<T: Object>() -> TableFilter<T> {
        TableFilter {
            kinds: Vec::new(),
            keys: Vec::new(),
            values: Vec::new(),
            matchers: Vec::new(),
        }
    }

    /// What this or `other` gives; each change once.
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let clauses = match (self.clauses, other.clauses) {
            (Clauses::Any(mut own), Clauses::Any(more)) => {
                own.extend(more);
                Clauses::Any(own)
            }
            _ => Clauses::All,
        };
        Self {
            clauses,
            every_commit: self.every_commit || other.every_commit,
        }
    }

    /// Also the markers of commits of which no change matches: so the watcher is known to be
    /// current up to that version.
    #[must_use]
    pub fn every_commit(self) -> Self {
        Self {
            every_commit: true,
            ..self
        }
    }

    pub(super) fn wants_every_commit(&self) -> bool {
        self.every_commit
    }

    /// The tables that it is about, as a commit's mask.
    pub(super) fn tables(&self, schema: &Schema) -> u64 {
        match &self.clauses {
            Clauses::All => u64::MAX,
            Clauses::Any(clauses) => {
                let tables = clauses.iter().filter_map(|clause| clause.position(schema));
                tables.fold(0, |bits, table| bits | table_bit(table))
            }
        }
    }

    /// Whether a write may match, as far as can be said without running user code but comparisons.
    /// Called under a pin.
    pub(super) fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        match &self.clauses {
            Clauses::All => true,
            Clauses::Any(clauses) => {
                let mut clauses = clauses.iter();
                clauses.any(|clause| clause.may_match(guard, schema, write))
            }
        }
    }

    /// Whether a change matches. Runs the users' matchers.
    pub(super) fn matches(&self, change: &AnyChange) -> bool {
        match &self.clauses {
            Clauses::All => true,
            Clauses::Any(clauses) => clauses.iter().any(|clause| clause.matches(change)),
        }
    }
}

/// Which changes of objects `T` a watcher gives: those that meet each of its conditions. A
/// condition of one sort given several times is met by any of them, but matchers, which must all
/// agree.
pub struct TableFilter<T: Object> {
    kinds: Vec<Kind>,
    keys: Vec<T::Key>,
    values: Vec<Arc<dyn AnyValue<T>>>,
    matchers: Vec<Matcher<T>>,
}

type Matcher<T> = Arc<dyn Fn(&Change<'_, T>) -> bool + Send + Sync>;

impl<T: Object> fmt::Debug for TableFilter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableFilter")
            .field("table", &T::TABLE)
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

impl<T: Object> TableFilter<T> {
    /// Creations (and other kinds, if named).
    #[must_use]
    pub fn created(self) -> Self {
        self.kind(Kind::Created)
    }

    /// Updates (and other kinds, if named).
    #[must_use]
    pub fn updated(self) -> Self {
        self.kind(Kind::Updated)
    }

    /// Deletions (and other kinds, if named).
    #[must_use]
    pub fn deleted(self) -> Self {
        self.kind(Kind::Deleted)
    }

    /// Changes of a kind (and other kinds, if named).
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kinds.push(kind);
        self
    }

    /// Changes of the object with a key (or other keys, if named).
    #[must_use]
    pub fn key(mut self, key: &T::Key) -> Self {
        self.keys.push(key.clone());
        self
    }

    /// Changes of objects with an index value (or other values, if named), before the commit or
    /// after it: so both entering and leaving are seen. Costs no user code for a change that
    /// does not match.
    ///
    /// # Panics
    /// If [`Object::indexes`] does not name the index.
    #[must_use]
    pub fn value<V: Key>(mut self, index: Index<T, V>, value: impl Into<V>) -> Self {
        let value = index.normalize(value.into());
        let position = Indexes::<T>::of().position(index.name);
        self.values.push(Arc::new(IndexValue {
            index,
            value,
            position,
        }));
        self
    }

    /// Changes that `matcher` accepts. It runs on the watcher's thread, without any pin; its panic
    /// reaches whoever receives, and the change is skipped.
    #[must_use]
    pub fn when(
        mut self,
        matcher: impl Fn(&Change<'_, T>) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.matchers.push(Arc::new(matcher));
        self
    }

    /// What this or `other` gives; each change once.
    #[must_use]
    pub fn or(self, other: impl Into<Filter>) -> Filter {
        Filter::from(self).or(other)
    }

    /// As [`Filter::every_commit`].
    #[must_use]
    pub fn every_commit(self) -> Filter {
        Filter::from(self).every_commit()
    }
}

impl<T: Object> From<TableFilter<T>> for Filter {
    fn from(clause: TableFilter<T>) -> Self {
        Self {
            clauses: Clauses::Any(vec![Arc::new(clause)]),
            every_commit: false,
        }
    }
}

/// A clause whose table's types the caller does not know.
trait AnyClause: Send + Sync {
    fn table_name(&self) -> &'static str;
    fn position(&self, schema: &Schema) -> Option<u16>;
    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool;
    fn matches(&self, change: &AnyChange) -> bool;
}

/// An index value that is asked for.
trait AnyValue<T: Object>: Send + Sync {
    fn may_match(&self, guard: &Guard<'_>, table: &TableOf<T>, write: &Write) -> bool;
    fn matches(&self, object: &T) -> bool;
}

struct IndexValue<T, V> {
    index: Index<T, V>,
    value: V,
    /// The index's position in its table: the same in every store.
    position: usize,
}

impl<T: Object, V: Key> AnyValue<T> for IndexValue<T, V> {
    fn may_match(&self, guard: &Guard<'_>, table: &TableOf<T>, write: &Write) -> bool {
        let index = table.index_at::<V>(self.position);
        let mut entries = write.new_entries(guard).chain(write.old_entries(guard));
        entries.any(|entry| index.value_of(entry) == Some(&self.value))
    }

    fn matches(&self, object: &T) -> bool {
        self.index.values_of(object).contains(&self.value)
    }
}

impl<T: Object> TableFilter<T> {
    fn kind_of(guard: &Guard<'_>, write: &Write) -> Kind {
        if !write.replaces() {
            Kind::Created
        } else if write.deletes(guard) {
            Kind::Deleted
        } else {
            Kind::Updated
        }
    }
}

fn none_or<A>(asked: &[A], met: impl FnMut(&A) -> bool) -> bool {
    asked.is_empty() || asked.iter().any(met)
}

impl<T: Object> AnyClause for TableFilter<T> {
    fn table_name(&self) -> &'static str {
        T::TABLE
    }

    fn position(&self, schema: &Schema) -> Option<u16> {
        let table = schema.kernel().tables.find::<T::Key, T>();
        table.map(TableOf::<T>::position)
    }

    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        let table = schema.table::<T>();
        write.table == table.position()
            && none_or(&self.kinds, |kind| *kind == Self::kind_of(guard, write))
            && none_or(&self.values, |value| value.may_match(guard, table, write))
    }

    fn matches(&self, change: &AnyChange) -> bool {
        let Some(typed) = change.of::<T>() else {
            return false;
        };
        let images = || typed.old().into_iter().chain(typed.new());
        none_or(&self.kinds, |kind| *kind == typed.kind())
            && none_or(&self.keys, |key| images().any(|image| image.key() == *key))
            && none_or(&self.values, |value| {
                images().any(|image| value.matches(image))
            })
            && self.matchers.iter().all(|matcher| matcher(&typed))
    }
}
