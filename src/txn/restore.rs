//! Restore: writes that bring their own times, and are checked together when they are all there: a
//! name may pass from one object to another, in whatever order they come. And commits of any size.

use super::Transaction;
use super::buffer::State;
use super::settle::WritePlace;
use super::submit::wait_past_pending;
use super::update::{back_off, exhausted};
use crate::error::{CommitError, UpdateError};
use crate::propose::decision::Decision;
use crate::propose::proposal::AnswerError;
use crate::shared::Shared;
use crate::table::condition::ByKey;
use crate::table::found::Entries;
use crate::table::found::Found;
use crate::table::object::Object;
use crate::table::query::keys;
use crate::version::{Meta, Moment, Version};

/// When an object was created and written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
}

/// What an object brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) times: Times,
    /// The proposer's version that it has, if not that of the commit.
    pub(crate) proposed: Option<Version>,
}

impl Stamp {
    /// All that another store tells of its object.
    pub(crate) fn of(meta: &Meta) -> Self {
        Self {
            times: Times {
                created: meta.created_at.into(),
                updated: meta.updated_at.into(),
            },
            proposed: meta.proposed,
        }
    }
}

impl Transaction<'_> {
    /// Whether there is an object with a key, as this transaction left it. Tracked.
    pub(crate) fn holds<T: Object>(&self, key: &T::Key) -> bool {
        self.see::<T>(key).0.present
    }

    /// Puts an object, or nothing, under its key. [`Transaction::settle_placed`] says whether
    /// all of it together may be.
    pub(crate) fn put_unjudged<T: Object>(
        &mut self,
        key: T::Key,
        object: Option<(T, Option<Stamp>)>,
    ) -> WritePlace {
        let (seen, _) = self.see::<T>(&key);
        let state = match object {
            None => (State::Nothing, None),
            Some((object, stamp)) => {
                let draft = self.draft(object);
                if let Some(version) = stamp.and_then(|stamp| stamp.proposed) {
                    draft.set_proposed(version);
                }
                let created = stamp.map(|stamp| stamp.times.created);
                let created = created.or(seen.created);
                let updated = stamp.map(|stamp| stamp.times.updated);
                (State::Object(draft, created), updated)
            }
        };
        WritePlace {
            table: self.table::<T>().position(),
            at: self.record(key, seen, state),
        }
    }

    /// Notes the whole table as read: every change of it by others is a conflict.
    pub(crate) fn read_whole<T: Object>(&self) {
        drop(self.find(keys::<T>().all()));
    }

    /// The objects of the snapshot, in key order, without this transaction's writes; untracked.
    pub(crate) fn stored<T: Object>(&self) -> Entries<'_, T, ByKey<T>> {
        Found::new(self.reader(), keys::<T>().all()).entries()
    }
}

/// As [`update`](super::update::update), without the bound of a transaction's changes, and never
/// proposed: what others reached is not for this store's proposer to decide.
pub(crate) fn update_whole<E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), E>,
) -> Result<Version, UpdateError<E>> {
    let updated = update_as(shared, run, |tx| match &shared.line {
        None => tx.commit_all().map(Ok),
        Some(line) => tx.commit_told(line, Decision::Unproposed),
    });
    updated.map(|told| told.expect("nobody else answers it"))
}

/// The same with another way to commit, which may fail for good.
pub(super) fn update_as<E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), E>,
    commit: impl Fn(&mut Transaction<'_>) -> Result<Result<Version, AnswerError>, CommitError>,
) -> Result<Result<Version, AnswerError>, UpdateError<E>> {
    let attempts = shared.config.attempts_max;
    for attempt in 0..attempts {
        let mut transaction = Transaction::begin(shared);
        transaction.work.read_bound.lift();
        run(&mut transaction).map_err(UpdateError::Closure)?;
        let committed = commit(&mut transaction);
        drop(transaction);
        match committed {
            Ok(Ok(version)) => {
                wait_past_pending(shared, version);
                return Ok(Ok(version));
            }
            Ok(Err(refused)) => return Ok(Err(refused)),
            Err(error) => {
                if let CommitError::Conflict { with } = error {
                    wait_past_pending(shared, with);
                }
                if let Some(error) = UpdateError::unless_retried(error) {
                    return Err(error);
                }
            }
        }
        back_off(shared, attempt);
    }
    Err(exhausted(shared))
}
