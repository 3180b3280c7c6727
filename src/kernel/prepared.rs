//! A transaction's writes from being in place to being visible.

use super::Kernel;
use super::clock::Mover;
use super::collect::Work;
use super::commit::{Commit, Unpublished, Write};
use super::log::{Append, Log};
use super::pending::{Payload, Pending};
use super::reclaim::{Garbage, Guard, at};
use super::session::Line;
use super::stage::{Compacted, Shortened};
use super::step::{Step, step};
use super::table::GarbageBin;

/// Writes in place, ready to be appended. Dropping it takes them back, unless they were.
#[derive(Debug)]
pub(crate) struct Prepared<'k> {
    kernel: &'k Kernel,
    /// The calling thread's.
    line: &'k Line,
    commit: Option<Unpublished>,
    compacted: Shortened,
}

/// What came of an attempt to append.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Attempt<'g> {
    /// The commit is in the log.
    Appended(&'g Commit),
    /// Another commit has the number: validate against it and try the next.
    Taken,
    /// The log is full: collect, and try again.
    Full,
}

impl<'k> Prepared<'k> {
    #[inline(always)]
    pub(crate) fn new(kernel: &'k Kernel, line: &'k Line) -> Self {
        Self {
            kernel,
            line,
            commit: Some(Unpublished::new()),
            compacted: Shortened::new(),
        }
    }

    /// The line that it was made with.
    pub(crate) fn line(&self) -> &'k Line {
        self.line
    }

    pub(crate) fn kernel(&self) -> &'k Kernel {
        self.kernel
    }

    /// Adds a write, which is in place, or is put there next: made where it stays, and not moved.
    #[inline(always)]
    pub(crate) fn add(&mut self, write: Write) {
        self.unpublished().add(write);
    }

    /// The write that was added last.
    #[inline(always)]
    pub(super) fn last(&mut self) -> &mut Write {
        self.unpublished().last()
    }

    /// Asserts that the write that was added last is the only one of its record: for keys that say
    /// now that they are one, and now that they are not. O(writes).
    #[cold]
    pub(crate) fn assert_apart(&self) {
        let commit = self.commit.as_ref().expect("not appended yet");
        let Some((last, before)) = commit.writes().split_last() else {
            return;
        };
        let mut before = before.iter();
        let is_apart = before.all(|write| !std::ptr::eq(write.record, last.record));
        assert!(
            is_apart,
            "V6: one key is written twice: its Eq contradicts itself"
        );
    }

    /// Notes that the write that was added last puts a list below its version.
    pub(super) fn shorten(&mut self, compacted: Compacted) {
        let last = self.unpublished().writes().len() - 1;
        self.compacted.push((last, compacted));
    }

    #[inline(always)]
    fn unpublished(&mut self) -> &mut Unpublished {
        self.commit.as_mut().expect("not appended yet")
    }

    /// Leaves the outcome to others: once appended, the commit waits for [`Kernel::decide`], and
    /// this is to be dropped.
    pub(crate) fn leave_to_others(&mut self, payload: Payload) {
        let compacted = std::mem::take(&mut self.compacted);
        self.unpublished()
            .set_pending(Pending::new(payload, compacted));
    }

    /// Whether there is nothing to append.
    pub(crate) fn is_empty(&self) -> bool {
        let commit = self.commit.as_ref();
        commit.is_none_or(|commit| commit.writes().is_empty())
    }

    /// Tries to append as `number`, whose predecessor was seen in the log under this guard.
    #[inline(always)]
    pub(crate) fn append<'g>(&mut self, guard: &'g Guard<'_>, number: u64) -> Attempt<'g> {
        // While all that is in place is still ours to take back.
        Log::expect_version(number);
        let commit = self.commit.take().expect("appended once");
        let appended = match self.kernel.log.segment(guard, number) {
            Some(segment) => self.kernel.log.fill(segment, number, commit),
            None => self.append_to_new(guard, number, commit),
        };
        match appended {
            Append::Done(commit) => {
                step(Step::Appended);
                Attempt::Appended(commit)
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

    /// The same, where a segment of the log is to be placed first.
    #[cold]
    fn append_to_new<'g>(
        &self,
        guard: &'g Guard<'_>,
        number: u64,
        commit: Unpublished,
    ) -> Append<'g> {
        let mut garbage = GarbageBin::new(self.kernel);
        let log = &self.kernel.log;
        log.append(guard, number, commit, &mut garbage.0)
    }

    /// Installs the appended commit and makes it visible; then settles what staging left.
    pub(crate) fn publish(&mut self, guard: &Guard<'_>, commit: &Commit) -> Mover {
        let kernel = self.kernel;
        let mover = kernel.publish(guard, commit);
        kernel.settle(guard, self.line, commit, &self.compacted);
        self.compacted.clear();
        mover
    }
}

impl Kernel {
    /// Settles, once, what staging left of a commit that is installed.
    #[inline(always)]
    pub(super) fn settle(
        &self,
        guard: &Guard<'_>,
        line: &Line,
        commit: &Commit,
        compacted: &[(usize, Compacted)],
    ) {
        let (mut bytes, mut objects) = (0, 0);
        let mut claimed = false;
        for write in commit.writes() {
            bytes += write.new_size(guard);
            let deletes = write.deletes(guard);
            objects += i64::from(!deletes) - i64::from(write.replaces());
            if !deletes {
                self.table(usize::from(write.table)).forecast(guard, write);
            }
            claimed |= write.claimed;
        }
        line.count_made(commit.writes().len() as i64, bytes as i64);
        line.count_objects(objects);
        if claimed || !compacted.is_empty() {
            self.give_up_staging(commit, compacted);
        }
    }

    /// Gives back what staging claimed, and what it shortened.
    fn give_up_staging(&self, commit: &Commit, compacted: &[(usize, Compacted)]) {
        let mut garbage = GarbageBin::new(self);
        for write in commit.writes().iter().filter(|write| write.claimed) {
            // SAFETY: K3: the commit's claim, ours to give back, keeps it.
            self.unclaim(unsafe { at(write.record) }, &mut garbage.0);
        }
        for (_, compacted) in compacted {
            cut_below(compacted, &mut garbage.0);
        }
    }
}

/// The new version's list is in place; whoever walks the old links is pinned.
fn cut_below(compacted: &Compacted, garbage: &mut Garbage) {
    for &version in &compacted.versions {
        garbage.defer(version.cast_mut(), Work::CutBelow);
    }
}

impl Prepared<'_> {
    /// Takes everything back.
    #[cold]
    fn undo(&mut self, mut commit: Unpublished) {
        let compacted = match commit.take_pending() {
            Some(pending) => pending.compacted,
            None => std::mem::take(&mut self.compacted),
        };
        let mut compacted = compacted.into_iter().peekable();
        for (at, &write) in commit.writes().iter().enumerate() {
            let own = compacted.next_if(|(of, _)| *of == at);
            // SAFETY: never appended: all of it is ours to take back.
            unsafe { self.kernel.unstage(write, own.map(|(_, own)| own)) };
        }
    }
}

impl Drop for Prepared<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        // Appended, it stays.
        if let Some(commit) = self.commit.take() {
            self.undo(commit);
        }
    }
}
