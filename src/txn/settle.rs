//! Settle: rules and unique indexes that were put off while the transaction wrote are asked once,
//! about what it leaves.
//!
//! What a sequence of verbs does, one by one, cannot always be told from what it leaves: two
//! objects that swapped their names, an extension replaced by another while resources are of its
//! kind. Who copies the outcome of transactions (a replica, a restore) writes the difference, in
//! whatever order, and has it checked as a whole: by the same rules, against the same indexes.

use std::cell::Cell;
use std::convert::Infallible;

use super::buffer::AnyBuffer;
use super::{Checks, Transaction};
use crate::error::{CommitError, DeferredError, Duplicate, UpdateError};
use crate::table::proposed::Rejected;

/// Which write of a transaction: its table's position, and its place among the table's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WritePlace {
    pub(super) table: u16,
    pub(super) at: usize,
}

/// A write that does not pass.
#[derive(Debug)]
pub(crate) struct Unsettled {
    pub(crate) place: WritePlace,
    pub(crate) error: DeferredError<Infallible>,
}

/// While the rules are asked; over also when one panics.
struct Settling<'t> {
    checks: &'t Cell<Checks>,
    before: Checks,
}

impl<'t> Settling<'t> {
    fn begin(checks: &'t Cell<Checks>) -> Self {
        let before = checks.replace(Checks::Settling);
        Self { checks, before }
    }
}

impl Drop for Settling<'_> {
    fn drop(&mut self) {
        self.checks.set(self.before);
    }
}

impl Transaction<'_> {
    /// Runs `write` with the checks put off: what it creates, updates and deletes is not held
    /// against unique indexes and [rules](crate::Object::check), nor
    /// [completed](crate::Object::complete). At its end all that the transaction has written is
    /// checked, as it is then: each object once, as created, updated or deleted since the
    /// snapshot.
    ///
    /// For copies of states that others have reached: a swap of two names is one step here. The
    /// checks on keys are not put off.
    ///
    /// # Errors
    /// [`DeferredError::Duplicate`], then [`DeferredError::Rejected`], at the first object that
    /// does not pass; [`DeferredError::Closure`] with what `write` returned. The transaction then
    /// still has its writes: let it go, or put right what is wrong. Its checks stay put off, also
    /// at the end of further calls, and its commit makes them.
    pub fn defer_checks<R, E>(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<R, E>,
    ) -> Result<R, DeferredError<E>> {
        let within = self.checks_deferred();
        self.checks.set(Checks::Deferred);
        let answer = write(self).map_err(DeferredError::Closure)?;
        if !within {
            self.settle().map_err(DeferredError::widened)?;
            self.checks.set(Checks::AtOnce);
        }
        Ok(answer)
    }

    /// Whether the checks are put off. A rule that asks learns whether it is asked about one step
    /// (false), with the transaction as it is before that; or about all that the transaction
    /// changed (true), with the transaction as it is after it, and its unique indexes in order.
    #[inline]
    #[must_use]
    pub fn checks_deferred(&self) -> bool {
        self.checks.get() != Checks::AtOnce
    }

    /// Checks everything written: unique indexes first, so that rules may rely on them.
    pub(crate) fn settle(&self) -> Result<(), DeferredError<Infallible>> {
        self.settle_placed().map_err(|unsettled| unsettled.error)
    }

    /// The same for writes that came without checks of their own, telling which one is refused.
    pub(crate) fn settle_placed(&self) -> Result<(), Unsettled> {
        self.settle_each(|buffer, at| buffer.claim(at, self).map_err(DeferredError::Duplicate))?;
        let _settling = Settling::begin(&self.checks);
        self.settle_each(|buffer, at| buffer.check(at, self).map_err(DeferredError::Rejected))
    }

    /// Asks about each write, in the order of the first writes of keys.
    fn settle_each(
        &self,
        ask: impl Fn(&dyn AnyBuffer, usize) -> Result<(), DeferredError<Infallible>>,
    ) -> Result<(), Unsettled> {
        for &(table, at) in &self.work.order {
            let Some(buffer) = self.work.buffers[usize::from(table)].get() else {
                continue;
            };
            ask(&**buffer, at).map_err(|error| Unsettled {
                place: WritePlace { table, at },
                error,
            })?;
        }
        Ok(())
    }

    /// Makes the checks that an error has left put off, before a commit that is tried again if
    /// others get in its way: who is refused here would be so again.
    #[inline]
    pub(super) fn settle_once<E>(&self) -> Result<(), UpdateError<E>> {
        self.settle_left(UpdateError::Rejected, UpdateError::Duplicate)
    }

    /// The same of one that is not.
    #[inline]
    pub(super) fn settle_at_commit(&self) -> Result<(), CommitError> {
        self.settle_left(CommitError::Rejected, CommitError::Duplicate)
    }

    #[inline]
    fn settle_left<E>(
        &self,
        rejected: fn(Rejected) -> E,
        duplicate: fn(Duplicate) -> E,
    ) -> Result<(), E> {
        if self.checks_deferred() {
            self.settle()
                .map_err(|error| error.told_as(rejected, duplicate))?;
            self.checks.set(Checks::AtOnce);
        }
        Ok(())
    }
}

impl DeferredError<Infallible> {
    /// The same among other errors.
    pub(crate) fn told_as<E>(
        self,
        rejected: fn(Rejected) -> E,
        duplicate: fn(Duplicate) -> E,
    ) -> E {
        match self {
            Self::Closure(never) => match never {},
            Self::Rejected(error) => rejected(error),
            Self::Duplicate(error) => duplicate(error),
        }
    }

    /// The same among the errors of a closure.
    fn widened<E>(self) -> DeferredError<E> {
        self.told_as(DeferredError::Rejected, DeferredError::Duplicate)
    }
}
