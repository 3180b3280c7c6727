//! The watermark and how it advances.
//!
//! A committer installs its own commit first, then sets the commit's flag, then moves the watermark
//! over the run of flagged commits. Is the next one not flagged, it waits a few pauses for its
//! owner and then installs it itself: nobody waits for a stopped thread, and many committers do not
//! all install one another's commits.
//!
//! # Invariants
//! - C1: the watermark only grows, and never passes a commit whose heads are not all installed,
//!   unless it was refused ([`super::pending`]). It stops before one that is pending.
//!
//! # Orderings
//! - [visible]: the watermark's AcqRel maximum, after an Acquire load of each flag it passes; a
//!   reader's Acquire load: who reads at n sees the heads of n and of all before.

use super::Kernel;
use super::barrier::fence;
use super::chain;
use super::commit::Commit;
use super::log::Slot;
use super::pending::Outcome;
use super::reclaim::Guard;
use super::step::{Step, step};
use crate::sync::{Ordering, pause};

/// Pauses that a committer grants the owner of the next commit.
const PATIENCE: u32 = if cfg!(any(loom, shuttle)) { 1 } else { 64 };
/// Commits that the watermark passes in one step at most.
const RUN_MAX: u64 = 64;

/// Who moved the watermark over a commit.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mover {
    /// Its committer, by the last read-modify-write that it made.
    Own,
    /// Perhaps another thread.
    Any,
}

impl Kernel {
    /// Moves the watermark to `number`, which is appended, installing what stands in the way, or up
    /// to a pending commit. Wait-free: bounded by the commits in flight.
    pub(crate) fn advance_to(&self, guard: &Guard<'_>, number: u64) {
        loop {
            let visible = self.horizon.visible();
            if visible >= number {
                return;
            }
            if self.log.is_installed(guard, visible + 1) {
                self.pass(guard, visible + 1);
            } else if !self.wait_for_owner(guard, visible + 1) && !self.install(guard, visible + 1)
            {
                // SeqCst: [decided].
                fence(Ordering::SeqCst);
                if !self.install(guard, visible + 1) {
                    return;
                }
            }
        }
    }

    /// Moves the watermark over `from`, which is installed and stands next to it, and over what
    /// follows and is installed as well.
    pub(super) fn pass(&self, guard: &Guard<'_>, from: u64) {
        let run = (from + 1..from + RUN_MAX).take_while(|&next| self.log.is_installed(guard, next));
        let end = run.last().unwrap_or(from);
        // AcqRel: [visible].
        self.horizon.visible.fetch_max(end, Ordering::AcqRel);
    }

    /// Installs a commit of one's own and makes it visible.
    pub(super) fn publish(&self, guard: &Guard<'_>, commit: &Commit) -> Mover {
        let number = commit.number();
        install_commit(guard, commit);
        step(Step::Installed);
        if self.horizon.visible() + 1 == number {
            self.pass(guard, number);
            step(Step::Visible);
            return Mover::Own;
        }
        self.advance_to(guard, number);
        step(Step::Visible);
        Mover::Any
    }

    /// Installs a commit and says so; of a refused one only the latter. False: there is no commit
    /// yet, or it is pending.
    pub(crate) fn install(&self, guard: &Guard<'_>, number: u64) -> bool {
        match self.log.at(guard, number) {
            Slot::Commit(commit) => match commit.outcome() {
                Outcome::Accepted => install_commit(guard, commit),
                Outcome::Refused => commit.set_installed(),
                Outcome::Pending => return false,
            },
            Slot::Empty => return false,
            // It has long been visible.
            Slot::Trimmed => {}
        }
        true
    }

    fn wait_for_owner(&self, guard: &Guard<'_>, number: u64) -> bool {
        (0..PATIENCE).any(|_| {
            pause();
            self.log.is_installed(guard, number) || self.horizon.visible() >= number
        })
    }
}

/// Installs an appended commit, which was found under the guard, and says so.
#[inline]
pub(super) fn install_commit(_: &Guard<'_>, commit: &Commit) {
    // SAFETY: appended, and found under the guard.
    unsafe { chain::install(commit) };
    commit.set_installed();
}
