//! Append: the commit takes the first empty slot of the log. That is the moment it commits.

use super::Transaction;
use crate::error::CommitError;
use crate::kernel::figures::Figure;
use crate::kernel::prepared::{Attempt, Prepared};
use crate::latency::{Begun, Operation};
use crate::version::Version;

impl<'s> Transaction<'s> {
    /// Commits: all of its writes, or none.
    ///
    /// Without writes it commits without consuming a version, and never fails. Lock-free; see
    /// [`crate::docs::guarantees`].
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if another transaction changed what this one read; then beginning
    /// again shows that change. [`CommitError::Duplicate`] if another took a value of a unique
    /// index. [`CommitError::TooOld`], [`CommitError::TooLarge`], [`CommitError::TooManyBytes`],
    /// [`CommitError::TooManyReads`] and [`CommitError::TooManyObjects`] at the store's bounds.
    ///
    /// With a [proposer](crate::Builder::proposer) it blocks until that has decided, and may fail
    /// with [`CommitError::Refused`] or [`CommitError::LostLeadership`].
    pub fn commit(mut self) -> Result<Version, CommitError> {
        if self.shared.line.is_some() {
            return self.commit_proposed();
        }
        self.commit_changes()
    }

    /// What must hold before anything is put in place.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<(), CommitError> {
        self.settle_at_commit()?;
        let changes_max = self.shared.config.transaction_changes_max;
        if self.changes() > changes_max {
            return Err(CommitError::TooLarge {
                changes: self.changes(),
                changes_max,
            });
        }
        if let Some(bytes_max) = self.shared.config.transaction_bytes_max {
            self.check_bytes(bytes_max)?;
        }
        if self.reads_too_much() {
            return Err(CommitError::TooManyReads {
                reads_max: self.work.read_bound.reads_max(),
            });
        }
        match self.objects_max_exceeded() {
            Some(objects_max) => Err(CommitError::TooManyObjects { objects_max }),
            None => Ok(()),
        }
    }

    #[cold]
    fn check_bytes(&self, bytes_max: usize) -> Result<(), CommitError> {
        let bytes = self.bytes_written();
        match bytes > bytes_max {
            true => Err(CommitError::TooManyBytes { bytes, bytes_max }),
            false => Ok(()),
        }
    }

    /// The store's bound of objects, if there would be more.
    #[inline]
    pub(super) fn objects_max_exceeded(&self) -> Option<u64> {
        let objects_max = self.shared.config.objects_max;
        objects_max.filter(|&objects_max| self.makes_more_than(objects_max))
    }

    /// Whether there would be more objects than that. Those who create at once may all be the last.
    #[cold]
    fn makes_more_than(&self, objects_max: u64) -> bool {
        if self.objects <= 0 {
            return false;
        }
        let before = self.shared.kernel().objects();
        before.saturating_add_signed(self.objects) > objects_max
    }

    /// Whether it writes, and has read more than its commit can be validated by.
    #[inline]
    pub(super) fn reads_too_much(&self) -> bool {
        self.work.read_bound.is_over() && self.changes() > 0
    }

    pub(super) fn commit_changes(&mut self) -> Result<Version, CommitError> {
        if self.timed {
            return self.commit_timed(Self::commit_untimed);
        }
        self.commit_untimed()
    }

    #[inline(always)]
    fn commit_untimed(&mut self) -> Result<Version, CommitError> {
        self.check()?;
        self.commit_all()
    }

    /// Commits in a way, timed if something was written.
    #[cold]
    pub(super) fn commit_timed<R>(&mut self, commit: impl FnOnce(&mut Self) -> R) -> R {
        let begun = Begun::now_if(!self.work.order.is_empty());
        let committed = commit(self);
        begun.end(self.shared.clocks(), Operation::Commit);
        committed
    }

    /// Commits whatever there is, without a proposer.
    pub(super) fn commit_all(&mut self) -> Result<Version, CommitError> {
        if self.work.order.is_empty() {
            return Ok(self.version());
        }
        let lost = {
            let mut prepared = self.prepare();
            match self.stage(&mut prepared) {
                Ok(()) if prepared.is_empty() => return Ok(self.version()),
                Ok(()) => match self.append(&mut prepared) {
                    Ok(version) => return Ok(version),
                    Err(lost) => lost,
                },
                Err(lost) => lost,
            }
        };
        self.note_lost(&lost);
        Err(lost)
    }

    /// Sees to a commit that failed.
    #[cold]
    pub(super) fn note_lost(&self, error: &CommitError) {
        let kernel = self.shared.kernel();
        if let CommitError::Conflict { .. } | CommitError::Duplicate(_) = error {
            kernel.count(Figure::Conflicts);
        }
        if let CommitError::Conflict { with } = error {
            // Whoever begins again after this conflict sees its cause: nobody conflicts twice with
            // one stopped thread.
            kernel.advance_to(&kernel.domain.pin(), with.get());
        }
    }

    /// An attempt to commit, with nothing in place yet.
    #[inline(always)]
    pub(super) fn prepare(&self) -> Prepared<'s> {
        let line = self.hold.line();
        line.count(Figure::Attempts);
        Prepared::new(self.shared.kernel(), line)
    }

    /// Each turn of the loop follows another transaction's commit, or, at the log's bound, a slice
    /// of collection that somebody made.
    #[inline(always)]
    fn append(&mut self, prepared: &mut Prepared<'s>) -> Result<Version, CommitError> {
        let kernel = self.shared.kernel();
        let line = prepared.line();
        let mut position = self.version().get();
        loop {
            let guard = kernel.domain.pin_on(line);
            position = self.validate(&guard, position)?;
            let number = position + 1;
            match prepared.append(&guard, number) {
                Attempt::Appended(commit) => {
                    let mover = prepared.publish(&guard, commit);
                    drop(guard);
                    self.published(line, mover);
                    return Ok(Version::new(number));
                }
                Attempt::Taken => {}
                Attempt::Full => {
                    drop(guard);
                    // What stands in the way may be waiting for its installation.
                    kernel.advance_to(&kernel.domain.pin_on(line), position);
                    kernel.collect();
                }
            }
        }
    }
}
