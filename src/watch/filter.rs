//! What a watcher is asked for: an or-combination of clauses, each about one table.

use std::fmt;
use std::sync::Arc;

use super::clause::TableFilter;
use super::event::AnyChange;
use crate::kernel::commit::{Write, table_bit};
use crate::kernel::reclaim::Guard;
use crate::table::object::Object;
use crate::table::schema::Schema;

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
    pub fn of<T: Object>() -> TableFilter<T> {
        TableFilter::new()
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

impl<T: Object> From<TableFilter<T>> for Filter {
    fn from(clause: TableFilter<T>) -> Self {
        Self {
            clauses: Clauses::Any(vec![Arc::new(clause)]),
            every_commit: false,
        }
    }
}

/// A clause whose table's types the caller does not know.
pub(super) trait AnyClause: Send + Sync {
    fn table_name(&self) -> &'static str;
    fn position(&self, schema: &Schema) -> Option<u16>;
    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool;
    fn matches(&self, change: &AnyChange) -> bool;
}
