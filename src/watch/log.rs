//! Reading the commit log by a cursor of the watcher's own.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::{AnyChange, Event};
use super::filter::Filter;
use crate::error::WatchError;
use crate::kernel::Kernel;
use crate::kernel::commit::Commit;
use crate::kernel::cursor::Cursor;
use crate::kernel::log::Slot;
use crate::kernel::pending::Outcome;
use crate::kernel::reclaim::Guard;
use crate::table::schema::Schema;
use crate::version::Version;

/// Commits read under one pin at most.
const COMMITS_A_TURN: u64 = 256;

/// A cursor, and what it reads of the log.
#[derive(Debug)]
pub(super) struct FromLog {
    cursor: Cursor,
    /// The tables that the filter is about.
    tables: u64,
}

impl FromLog {
    /// From now on.
    pub(super) fn new(schema: &Schema, filter: &Filter) -> Self {
        Self::reading(schema, filter, Cursor::new(schema.kernel()))
    }

    /// What comes after an older version; `Err`: the log is kept from there on only.
    pub(super) fn from(schema: &Schema, filter: &Filter, version: u64) -> Result<Self, u64> {
        let cursor = Cursor::at(schema.kernel(), version)?;
        Ok(Self::reading(schema, filter, cursor))
    }

    fn reading(schema: &Schema, filter: &Filter, cursor: Cursor) -> Self {
        Self {
            cursor,
            tables: filter.tables(schema),
        }
    }

    pub(super) fn move_to(&mut self, version: u64) {
        self.cursor.move_to(version);
    }

    pub(super) fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Reads the log up to and with the next commit that may have something to give, none after
    /// `last`; false: there is nothing more to read now.
    pub(super) fn fetch(
        &mut self,
        schema: &Schema,
        filter: &Filter,
        last: u64,
        fetched: &mut VecDeque<Event>,
    ) -> Result<bool, WatchError> {
        let kernel: &Arc<Kernel> = schema.kernel();
        let visible = kernel.horizon.visible().min(last);
        let mut position = self.cursor.position();
        if position >= visible {
            return Ok(false);
        }
        let guard = kernel.domain.pin();
        let until = visible.min(position + COMMITS_A_TURN);
        while position < until && fetched.is_empty() {
            match kernel.log.at(&guard, position + 1) {
                Slot::Commit(commit) => {
                    position += 1;
                    self.fetch_commit(&guard, (schema, filter), commit, fetched);
                }
                // Not of a visible version.
                Slot::Empty => break,
                Slot::Trimmed => {
                    let resume_from = kernel.resume_position(visible);
                    let missed = resume_from - position;
                    self.cursor.move_to(resume_from);
                    return Err(WatchError::Lagged {
                        missed,
                        resume_from: Version::new(resume_from),
                    });
                }
            }
        }
        drop(guard);
        self.cursor.move_to(position);
        Ok(true)
    }

    fn fetch_commit(
        &self,
        guard: &Guard<'_>,
        (schema, filter): (&Schema, &Filter),
        commit: &Commit,
        into: &mut VecDeque<Event>,
    ) {
        if commit.outcome() == Outcome::Refused {
            return;
        }
        let version = Version::new(commit.number());
        let partial = Partial(into);
        let fetched = &mut *partial.0;
        if commit.tables() & self.tables != 0 {
            for write in commit.writes() {
                if filter.may_match(guard, schema, write) {
                    let table = schema.kernel().table(usize::from(write.table));
                    let (old, new) = table.images(guard, write);
                    fetched.push_back(Event::Change(AnyChange {
                        table: table.name(),
                        since: version,
                        version,
                        old,
                        new,
                    }));
                }
            }
        }
        if !fetched.is_empty() || filter.wants_every_commit() {
            fetched.push_back(Event::Commit(version));
        }
        std::mem::forget(partial);
    }
}

/// Events of a commit, kept only when the commit is through: a comparison of the user's may panic,
/// and the commit is then read again.
struct Partial<'f>(&'f mut VecDeque<Event>);

impl Drop for Partial<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}
