//! Validate: the reads hold against every commit since the snapshot.

use super::Transaction;
use super::reads::Clash;
use crate::error::CommitError;
use crate::kernel::commit::{Commit, table_bit};
use crate::kernel::log::Slot;
use crate::kernel::pending::Outcome;
use crate::kernel::reclaim::Guard;
use crate::kernel::step::{Step, step};
use crate::version::Version;

impl Transaction<'_> {
    /// Goes through the log after `position` to its end; gives the last position, up to which all
    /// reads hold.
    #[inline(always)]
    pub(super) fn validate(
        &self,
        guard: &Guard<'_>,
        mut position: u64,
    ) -> Result<u64, CommitError> {
        let log = &self.shared.kernel().log;
        loop {
            if log.is_stranger(guard, position + 1, || self.signature()) {
                position += 1;
                continue;
            }
            match log.at(guard, position + 1) {
                Slot::Empty => {
                    step(Step::Validated);
                    return Ok(position);
                }
                Slot::Commit(commit) => self.validate_against(guard, commit)?,
                Slot::Trimmed => {
                    return Err(CommitError::TooOld {
                        snapshot: self.version(),
                        oldest: Version::new(log.trimmed()),
                    });
                }
            }
            position += 1;
        }
    }

    /// A bit a key read; all bits, if more than keys was read.
    fn signature(&self) -> u64 {
        let buffers = self.work.buffers.iter().filter_map(|buffer| buffer.get());
        let read = buffers.map(|buffer| buffer.points_signature().unwrap_or(u64::MAX));
        read.fold(0, |all, one| all | one)
    }

    fn validate_against(&self, guard: &Guard<'_>, commit: &Commit) -> Result<(), CommitError> {
        let kernel = self.shared.kernel();
        for (position, buffer) in (0..).zip(&self.work.buffers) {
            let Some(buffer) = buffer.get() else { continue };
            if commit.tables() & table_bit(position) == 0 {
                continue;
            }
            let strangers = |read: u64| read & commit.signature() == 0;
            if buffer.points_signature().is_some_and(strangers) {
                continue;
            }
            let table = kernel.table(usize::from(position));
            let mut writes = commit.writes_in_the_way().iter();
            let writes = writes.by_ref().filter(|write| write.table == position);
            for write in writes {
                if let Some(clash) = buffer.clash(guard, table, write) {
                    return self.clash_with(guard, commit, clash);
                }
            }
        }
        Ok(())
    }

    #[cold]
    fn clash_with(
        &self,
        guard: &Guard<'_>,
        commit: &Commit,
        clash: Clash,
    ) -> Result<(), CommitError> {
        let outcome = commit.outcome();
        if outcome == Outcome::Refused {
            // Meanwhile: it is in nobody's way.
            return Ok(());
        }
        let kernel = self.shared.kernel();
        if let Clash::Duplicate(duplicate) = clash
            && outcome == Outcome::Accepted
        {
            // Whoever begins again sees the holder, even if its thread has stopped.
            kernel.advance_to(guard, commit.number());
            if kernel.horizon.visible() >= commit.number() {
                return Err(CommitError::Duplicate(duplicate));
            }
        }
        // Also with who takes a value and may be refused it yet, or is not visible yet.
        Err(CommitError::Conflict {
            with: Version::new(commit.number()),
        })
    }
}
