//! Batch: many small atomic steps over as few transactions as the limits allow.

use std::error::Error as StdError;
use std::fmt;

use super::Transaction;
use super::update::{back_off, exhausted};
use crate::error::{CommitError, UpdateError};
use crate::latency::{Begun, Operation};
use crate::shared::Shared;
use crate::version::Version;

type Step<'b, E> = Box<dyn FnMut(&mut Transaction<'_>) -> Result<(), E> + 'b>;

/// Collects steps and commits them, many to a transaction; see
/// [`Store::batch`](crate::Store::batch).
pub struct Batch<'b, E> {
    shared: &'b Shared,
    open: Option<Transaction<'b>>,
    /// The steps in the open transaction, in case it must be run again.
    steps: Vec<Step<'b, E>>,
    report: BatchReport,
    /// Whether steps were lost that cannot be committed any more.
    stopped: bool,
}

/// How far a batch came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchReport {
    /// Steps that were committed; the first ones, if not all.
    pub applied: usize,
    /// Transactions that committed them.
    pub transactions: usize,
    /// The version of the last commit, or [`Version::ZERO`] if there was none.
    pub version: Version,
}

/// Why a batch stopped. What its report counts was committed and stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BatchError<E> {
    /// How far it came.
    pub report: BatchReport,
    /// What stopped it.
    pub error: UpdateError<E>,
}

impl<E: fmt::Display> fmt::Display for BatchError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "stopped after {} steps: {}",
            self.report.applied, self.error
        )
    }
}

impl<E: StdError + 'static> StdError for BatchError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.error)
    }
}

impl<E> fmt::Debug for Batch<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("report", &self.report)
            .field("pending", &self.steps.len())
            .finish_non_exhaustive()
    }
}

impl<'b, E> Batch<'b, E> {
    /// Runs a step: all of its writes are committed, or none. When the open transaction has become
    /// as large as it may be, it is committed.
    ///
    /// `run` may run again, when another transaction got in the way or the open one has become too
    /// old, so it must have no other effects.
    ///
    /// # Errors
    /// [`UpdateError::Closure`] with what `run` returned, or [`UpdateError::Rejected`] or
    /// [`UpdateError::Duplicate`] by checks that it has left
    /// [put off](Transaction::defer_checks): nothing of the step remains, and the batch may go on.
    /// Any other error, or that of an earlier step that failed when it was run again, ends the
    /// batch: every further step is [`UpdateError::Stopped`].
    pub fn step(
        &mut self,
        run: impl FnMut(&mut Transaction<'_>) -> Result<(), E> + 'b,
    ) -> Result<(), UpdateError<E>> {
        if self.stopped {
            return Err(UpdateError::Stopped);
        }
        let mut run: Step<'b, E> = Box::new(run);
        self.run(&mut run)?;
        if self.is_overfull() && !self.steps.is_empty() {
            // Too much together, perhaps not apart.
            self.replay()?;
            self.flush()?;
            self.run(&mut run)?;
        }
        self.steps.push(run);
        if self.is_full() { self.flush() } else { Ok(()) }
    }

    fn run(&mut self, run: &mut Step<'b, E>) -> Result<(), UpdateError<E>> {
        // Should the step panic, what it has written goes with the transaction.
        let mut open = self.take_open()?;
        match run_in(&mut open, run) {
            Ok(()) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) => {
                drop(open);
                // The step may have written before it failed: without it, from the beginning.
                self.replay()?;
                Err(error)
            }
        }
    }

    /// The open transaction, with all steps in it: also after a panic, which took it along.
    fn take_open(&mut self) -> Result<Transaction<'b>, UpdateError<E>> {
        if self.open.is_none() && !self.steps.is_empty() {
            self.replay()?;
        }
        let shared = self.shared;
        let open = self.open.take();
        Ok(open.unwrap_or_else(|| Transaction::begin(shared).measured()))
    }

    /// Whether the open transaction has more changes, bytes, reads, or new objects, than one may
    /// commit.
    fn is_overfull(&self) -> bool {
        let config = &self.shared.config;
        let mut open = self.open.iter();
        open.any(|open| {
            let too_many_bytes = |bytes_max: usize| {
                // What was counted has objects twice that were written twice.
                open.bytes.is_some_and(|bytes| bytes > bytes_max)
                    && open.bytes_written() > bytes_max
            };
            open.changes() > config.transaction_changes_max
                || config.transaction_bytes_max.is_some_and(too_many_bytes)
                || open.reads_too_much()
                || open.objects_max_exceeded().is_some()
        })
    }

    /// Steps count as well: those that write nothing are kept, and what they read, until the
    /// commit, and all of them are run again with one that fails or gets in a conflict.
    fn is_full(&self) -> bool {
        let config = &self.shared.config;
        self.open.as_ref().is_some_and(|open| {
            let (changes_max, bytes) = (config.batch_changes_max, open.bytes.unwrap_or(0));
            open.changes().max(self.steps.len()) >= changes_max || bytes >= config.batch_bytes_max
        })
    }

    /// Runs the steps of the open transaction on a new one.
    fn replay(&mut self) -> Result<(), UpdateError<E>> {
        self.open = None;
        let mut open = Transaction::begin(self.shared).measured();
        let mut steps = self.steps.iter_mut();
        match steps.try_for_each(|run| run_in(&mut open, run)) {
            Ok(()) => {
                self.open = Some(open);
                Ok(())
            }
            Err(error) => Err(self.stop(error)),
        }
    }

    /// Nothing more is committed.
    fn stop(&mut self, error: UpdateError<E>) -> UpdateError<E> {
        (self.stopped, self.open) = (true, None);
        self.steps.clear();
        error
    }

    fn flush(&mut self) -> Result<(), UpdateError<E>> {
        let attempts = self.shared.config.attempts_max;
        for attempt in 0..attempts {
            if self.steps.is_empty() {
                return Ok(());
            }
            let open = self.take_open()?;
            let read = open.version();
            match open.commit() {
                Ok(version) => {
                    self.report.applied += self.steps.len();
                    // Of a transaction that wrote nothing it is what that read.
                    if version > read {
                        self.report.transactions += 1;
                        self.report.version = version;
                    }
                    self.steps.clear();
                    return Ok(());
                }
                Err(error) => {
                    // The first attempt has stood open from step to step; the next one has not.
                    let may_be_young = attempt == 0 && attempts > 1;
                    let is_old = matches!(error, CommitError::TooOld { .. });
                    match UpdateError::unless_retried(error) {
                        Some(error) if !(is_old && may_be_young) => return Err(self.stop(error)),
                        Some(_) | None => {
                            back_off(self.shared, attempt);
                            self.replay()?;
                        }
                    }
                }
            }
        }
        Err(self.stop(exhausted(self.shared)))
    }
}

/// Runs a step in a transaction, and makes the checks that it has left put off: those after it have
/// theirs at once, and are not refused for it.
fn run_in<'b, E>(open: &mut Transaction<'b>, run: &mut Step<'b, E>) -> Result<(), UpdateError<E>> {
    run(open).map_err(UpdateError::Closure)?;
    open.settle_once()
}

/// Runs a batch.
pub(crate) fn batch<'b, E>(
    shared: &'b Shared,
    run: impl FnOnce(&mut Batch<'b, E>) -> Result<(), UpdateError<E>>,
) -> Result<BatchReport, BatchError<E>> {
    let begun = Begun::now(shared.clocks());
    let mut batch = Batch {
        shared,
        open: None,
        steps: Vec::new(),
        report: BatchReport::default(),
        stopped: false,
    };
    let ran = run(&mut batch);
    // What succeeded before an error is committed all the same: each step stands for itself.
    let flushed = batch.flush();
    begun.end(shared.clocks(), Operation::Batch);
    let report = batch.report;
    match ran.and(flushed) {
        // Steps that had been taken are lost, whatever the closure made of the error.
        Ok(()) if batch.stopped => Err(BatchError {
            report,
            error: UpdateError::Stopped,
        }),
        Ok(()) => Ok(report),
        Err(error) => Err(BatchError { report, error }),
    }
}
