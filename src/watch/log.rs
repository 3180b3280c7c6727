//! Reading the commit log by a cursor of the watcher's own.

use std::sync::Arc;

use super::event::{AnyChange, Event};
use super::fetched::{EVENTS_A_RUN, Fetched};
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
const COMMITS_A_TURN: u64 = if cfg!(shuttle) { 2 } else { 256 };

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

    /// Reads a run of commits, none after `last`: until enough events are fetched that the filter
    /// may want, or a turn is over. False: there is nothing more to read now.
    ///
    /// A comparison of the user's that panics leaves what was fetched of the commits before, and
    /// the cursor behind these.
    pub(super) fn fetch(
        &mut self,
        schema: &Schema,
        filter: &Filter,
        last: u64,
        fetched: &mut Fetched,
    ) -> Result<bool, WatchError> {
        let kernel = schema.kernel();
        let visible = kernel.horizon.visible().min(last);
        let position = self.cursor.position();
        if position >= visible {
            return Ok(false);
        }
        debug_assert!(fetched.is_empty(), "all of the last run is received");
        let mut run = Run {
            whole: 0,
            position,
            until: visible.min(position + COMMITS_A_TURN),
            tables: self.tables,
            fetched,
            cursor: &mut self.cursor,
        };
        let guard = kernel.domain.pin();
        let trimmed = run.read(&guard, schema, filter);
        drop(guard);
        // What comes before the gap is received first.
        if trimmed && run.position == position {
            drop(run);
            return Err(self.lag(kernel, visible, last));
        }
        Ok(true)
    }

    /// Goes on where the log is, or after `last`, where something else has all.
    fn lag(&mut self, kernel: &Kernel, visible: u64, last: u64) -> WatchError {
        let resume_from = kernel.resume_position(visible).min(last);
        let missed = resume_from - self.cursor.position();
        self.cursor.move_to(resume_from);
        WatchError::Lagged {
            missed,
            resume_from: Version::new(resume_from),
        }
    }
}

/// Commits that are read under one pin. However it ends, whole commits are fetched, and the cursor
/// moves once, behind them.
struct Run<'r> {
    cursor: &'r mut Cursor,
    fetched: &'r mut Fetched,
    tables: u64,
    /// The last commit read.
    position: u64,
    until: u64,
    /// The events fetched of commits that are whole.
    whole: usize,
}

impl Run<'_> {
    /// True: the log is trimmed where it goes on.
    fn read(&mut self, guard: &Guard<'_>, schema: &Schema, filter: &Filter) -> bool {
        while self.position < self.until && self.whole < EVENTS_A_RUN {
            match schema.kernel().log.at(guard, self.position + 1) {
                Slot::Commit(commit) => self.read_commit(guard, (schema, filter), commit),
                // Not of a visible version.
                Slot::Empty => break,
                Slot::Trimmed => return true,
            }
            self.position += 1;
            self.whole = self.fetched.len();
        }
        false
    }

    fn read_commit(
        &mut self,
        guard: &Guard<'_>,
        (schema, filter): (&Schema, &Filter),
        commit: &Commit,
    ) {
        if commit.outcome() == Outcome::Refused {
            return;
        }
        let left = self.until - self.position;
        if commit.tables() & self.tables != 0 {
            for (at, write) in commit.writes().iter().enumerate() {
                if filter.may_match(guard, schema, write) {
                    let change = AnyChange(Arc::clone(&commit.post(guard, schema.kernel(), at)));
                    self.fetched.push(Event::Change(change), left);
                }
            }
        }
        let found = self.fetched.len() > self.whole;
        if (found && filter.wants_markers()) || filter.wants_every_commit() {
            let marker = Event::Commit(Version::new(commit.number()));
            self.fetched.push(marker, left);
        }
    }
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        self.fetched.truncate(self.whole);
        self.fetched.turn(self.cursor.position());
        if self.position > self.cursor.position() {
            self.cursor.move_to(self.position);
        }
    }
}
