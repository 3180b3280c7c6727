//! A transaction's writes from being in place to being visible.

use smallvec::SmallVec;

use super::Kernel;
use super::collect::Work;
use super::log::{Append, Commit};
use super::reclaim::{Garbage, Guard};
use super::stage::Staged;
use super::step::{Step, step};
use super::table::GarbageBin;

/// Writes in place, ready to be appended. Dropping it takes them back, unless they were.
#[derive(Debug)]
pub(crate) struct Prepared<'k> {
    kernel: &'k Kernel,
    staged: SmallVec<[Staged; 2]>,
    commit: Option<Box<Commit>>,
}

/// What came of an attempt to append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    /// The commit is in the log.
    Appended,
    /// Another commit has the number: validate against it and try the next.
    Taken,
    /// The log is full: collect, and try again.
    Full,
}

impl<'k> Prepared<'k> {
    pub(crate) fn new(kernel: &'k Kernel, staged: SmallVec<[Staged; 2]>) -> Self {
        step(Step::Staged);
        let writes = staged.iter().map(|staged| staged.write).collect();
        let commit = Some(Box::new(Commit::new(writes)));
        Self {
            kernel,
            staged,
            commit,
        }
    }

    /// Tries to append as `number`, whose predecessor was seen in the log under this guard.
    pub(crate) fn append(&mut self, guard: &Guard<'_>, number: u64) -> Attempt {
        let mut garbage = GarbageBin::new(self.kernel);
        let commit = self.commit.take().expect("appended once");
        match self
            .kernel
            .log
            .append(guard, number, commit, &mut garbage.0)
        {
            Append::Done => {
                for staged in &mut self.staged {
                    staged.kernel = std::ptr::null();
                }
                step(Step::Appended);
                Attempt::Appended
            }
            Append::Taken(commit) => {
                self.commit = Some(commit);
                Attempt::Taken
            }
            Append::Full(commit) => {
                self.commit = Some(commit);
                Attempt::Full
            }
        }
    }

    /// Installs the appended commit and makes it visible; then settles what staging left.
    pub(crate) fn publish(self, guard: &Guard<'_>, number: u64) {
        let kernel = self.kernel;
        kernel.install(guard, number);
        step(Step::Installed);
        kernel.advance_to(guard, number);
        step(Step::Visible);
        let mut garbage = GarbageBin::new(kernel);
        for staged in &self.staged {
            settle(kernel, guard, staged, &mut garbage.0);
        }
    }
}

fn settle(kernel: &Kernel, guard: &Guard<'_>, staged: &Staged, garbage: &mut Garbage) {
    kernel.count_made(1, staged.bytes(guard));
    for version in &staged.compacted {
        // The new version's list is in place; whoever walks the old links is pinned.
        garbage.defer(version.cast_mut(), Work::CutBelow);
    }
    if staged.claimed {
        kernel.unclaim(staged.record(guard), garbage);
    }
}
