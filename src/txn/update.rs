//! Update: a closure on a transaction, committed, again if others got in the way.

use super::Transaction;
use super::submit::update_proposed;
use crate::error::{CommitError, UpdateError};
use crate::kernel::figures::Figure;
use crate::latency::{Begun, Operation};
use crate::shared::Shared;
use crate::sync::{pause, thread};
use crate::version::Version;

/// Attempts after which a losing transaction also gives its core away.
const PATIENT_ATTEMPTS: u32 = 6;
/// Pauses after the first lost attempt; they double each time.
const PAUSES_FIRST: u32 = 4;
/// Doublings of the pauses at most.
const DOUBLINGS_MAX: u32 = 8;

/// Turns that who has lost for the first time gives to others, where all wait for what was in their
/// way.
const TURNS_FIRST: u32 = 16;

/// Waits a bounded while before the next attempt, longer each time: not for anybody, only out of
/// the way. With a proposer shorter each time: see [`turns_to_give`].
pub(crate) fn back_off(shared: &Shared, attempt: u32) {
    note_retry(shared, attempt);
    if shared.line.is_some() {
        for _ in 0..turns_to_give(attempt) {
            thread::yield_now();
        }
        return;
    }
    for _ in 0..PAUSES_FIRST << attempt.min(DOUBLINGS_MAX) {
        pause();
    }
    if attempt >= PATIENT_ATTEMPTS {
        thread::yield_now();
    }
}

/// How often who has lost lets others go before it tries again. All that one commit was in the way
/// of have waited for it, and wake at once: those who lost more often are to come first, or the
/// same ones lose each time. To wait longer each time, as where nobody waits, would see to that.
pub(super) fn turns_to_give(attempt: u32) -> u32 {
    TURNS_FIRST.saturating_sub(attempt)
}

/// Counts that a closure is to run again, if it is.
pub(super) fn note_retry(shared: &Shared, attempt: u32) {
    if attempt + 1 < shared.config.attempts_max {
        shared.kernel().count(Figure::Retries);
    }
}

/// All attempts are spent.
pub(super) fn exhausted<E>(shared: &Shared) -> UpdateError<E> {
    shared.kernel().count(Figure::Exhausted);
    UpdateError::Conflict {
        attempts: shared.config.attempts_max,
    }
}

impl<E> UpdateError<E> {
    /// The error of a commit that is of no use to try again; `None` for one that is.
    pub(super) fn unless_retried(error: CommitError) -> Option<Self> {
        match error {
            // The closure, run again, sees who has the value, and decides.
            CommitError::Conflict { .. } | CommitError::Duplicate(_) => None,
            CommitError::Rejected(rejected) => Some(Self::Rejected(rejected)),
            CommitError::TooOld { snapshot, oldest } => Some(Self::TooOld { snapshot, oldest }),
            CommitError::TooLarge {
                changes,
                changes_max,
            } => Some(Self::TooLarge {
                changes,
                changes_max,
            }),
            CommitError::TooManyBytes { bytes, bytes_max } => {
                Some(Self::TooManyBytes { bytes, bytes_max })
            }
            CommitError::TooManyReads { reads_max } => Some(Self::TooManyReads { reads_max }),
            CommitError::TooManyObjects { objects_max } => {
                Some(Self::TooManyObjects { objects_max })
            }
            CommitError::Refused { reason } => Some(Self::Refused { reason }),
            CommitError::LostLeadership => Some(Self::LostLeadership),
        }
    }
}

/// Runs `run` on transactions until one commits.
pub(crate) fn update<R, E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    if shared.clocks().is_some() {
        return update_timed(shared, run);
    }
    try_update(shared, run)
}

/// Apart, so that a store in which nothing is timed pays no more than a look at a word.
#[cold]
fn update_timed<R, E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    let begun = Begun::now(shared.clocks());
    let updated = try_update(shared, run);
    begun.end(shared.clocks(), Operation::Update);
    updated
}

#[inline(always)]
fn try_update<R, E>(
    shared: &Shared,
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<R, E>,
) -> Result<(R, Version), UpdateError<E>> {
    if shared.line.is_some() {
        return update_proposed(shared, run);
    }
    let attempts = shared.config.attempts_max;
    for attempt in 0..attempts {
        let mut transaction = Transaction::begin(shared);
        let answer = run(&mut transaction).map_err(UpdateError::Closure)?;
        transaction.settle_once()?;
        match transaction.commit_changes() {
            Ok(version) => return Ok((answer, version)),
            Err(error) => {
                if let Some(error) = UpdateError::unless_retried(error) {
                    return Err(error);
                }
            }
        }
        drop(transaction);
        back_off(shared, attempt);
    }
    Err(exhausted(shared))
}
