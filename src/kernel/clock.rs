//! The watermark and how it advances.
//!
//! A committer installs its own commit first, then sets the commit's flag, then moves the watermark
//! over it, if that stands right before it. Else it moves it over the run of flagged commits that
//! begins there. Is the next one not flagged, it waits a few pauses for its owner and then installs
//! it itself: nobody waits for a stopped thread, and many committers do not all install one
//! another's commits.
//!
//! # Invariants
//! - C1: the watermark only grows, and never passes a commit whose heads are not all installed,
//!   unless it was refused ([`super::pending`]). It stops before one that is pending.
//!
//! # Orderings
//! - [visible]: the watermark's AcqRel maximum, after an Acquire load of each flag it passes, or
//!   its AcqRel step over the mover's own commit; a reader's Acquire load: who reads at n sees the
//!   heads of n and of all before.

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
            } else if !self.wait_for_owner(visible + 1) && !self.install(guard, visible + 1) {
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

    /// Moves the watermark over one commit, which is installed, if it stands right before it.
    #[inline]
    fn follow(&self, number: u64) -> bool {
        let visible = &self.horizon.visible;
        // AcqRel: [visible].
        let moved =
            visible.compare_exchange(number - 1, number, Ordering::AcqRel, Ordering::Relaxed);
        moved.is_ok()
    }

    /// Installs a commit of one's own and makes it visible.
    pub(super) fn publish(&self, guard: &Guard<'_>, commit: &Commit) -> Mover {
        let number = commit.number();
        install_commit(guard, commit);
        step(Step::Installed);
        // The usual case, by one access to the watermark's line, which other committers want, too.
        let own = self.follow(number);
        if !own {
            self.advance_to(guard, number);
        }
        step(Step::Visible);
        if own { Mover::Own } else { Mover::Any }
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

    fn wait_for_owner(&self, number: u64) -> bool {
        (0..PATIENCE).any(|_| {
            pause();
            self.horizon.visible() >= number
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
