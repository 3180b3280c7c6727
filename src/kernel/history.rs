//! History: what the log keeps for watchers that are still to come, by count and by bytes; and how
//! many bytes it keeps for those that lag.
//!
//! Committers count nothing: collection does, in slices, and only if there is a bound in bytes. A
//! commit's bytes are what it keeps alive in the log: its own, and those of the versions that it
//! replaced, with all that they say they point to. The versions that it made are current, or
//! replaced by another commit.
//!
//! # States
//! ```text
//! commit.kept:  0 --counted (CAS)--> bytes + 1 --taken out (swap)--> GONE
//!               0 ----------------taken out (swap)----------------> GONE
//! ```
//!
//! # Invariants
//! - Y1: the sum has the bytes of each commit that is counted and not taken out, once: who moves a
//!   commit's word to a count, or away from one, moves the sum. So no number of threads that count
//!   and trim at once, or stop amid it, count anything twice.
//! - Y2: every commit up to `counted` is counted, or was taken out before.

use super::Kernel;
use super::commit::Commit;
use super::log::{Log, Slot};
use super::pending::Outcome;
use super::reclaim::Guard;
use crate::sync::{AtomicU64, Ordering};

/// Commits counted, and commits let go for their bytes, in a slice.
const SLICE: u64 = if cfg!(any(loom, shuttle)) { 2 } else { 96 };

/// What a commit counts for at most: so that the sum of as many as the log may hold (2^30) is a
/// number, whatever objects say of themselves.
const COMMIT_BYTES_MAX: u64 = (1 << 33) - 1;

/// In a commit's word: it is counted no more.
const GONE: u64 = u64::MAX;

/// What is kept for watchers to come, as long as it is within each bound that there is; nothing, if
/// there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HistoryLimits {
    pub(crate) commits: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// Bytes that are kept for a watcher that lags, at most.
    pub(crate) lag_bytes: Option<u64>,
}

impl HistoryLimits {
    pub(crate) const NONE: Self = Self {
        commits: None,
        bytes: None,
        lag_bytes: None,
    };

    fn are_of_bytes(self) -> bool {
        self.bytes.is_some() || self.lag_bytes.is_some()
    }
}

/// What is in the sum for a commit.
fn counted_bytes(kept: u64) -> u64 {
    if kept == GONE {
        0
    } else {
        kept.saturating_sub(1)
    }
}

impl Kernel {
    /// Bytes that are alive because the log has a commit. Asks the user's code what objects point
    /// to; its panic is contained, and what it did not tell not counted.
    fn kept_bytes(&self, guard: &Guard<'_>, commit: &Commit) -> u64 {
        if commit.outcome() == Outcome::Refused {
            return commit.own_bytes();
        }
        let replaced = commit.writes().iter().map(|write| {
            let table = self.table(usize::from(write.table));
            let (old, _) = table.images(guard, write);
            old.map_or(0, |old| table.bytes_with(&old))
        });
        replaced.fold(commit.own_bytes(), u64::saturating_add)
    }
}

/// The retained part of a log.
#[derive(Debug)]
pub(super) struct History {
    limits: HistoryLimits,
    /// Up to here commits have been counted.
    counted: AtomicU64,
    /// Their bytes, a wrapping sum: what is counted and taken out at once may be missing before it
    /// is there.
    bytes: AtomicU64,
}

impl History {
    pub(super) fn new(limits: HistoryLimits) -> Self {
        Self {
            limits,
            counted: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Counts what is new; whether there was something.
    pub(super) fn count(&self, guard: &Guard<'_>, kernel: &Kernel, visible: u64) -> bool {
        if !self.limits.are_of_bytes() {
            return false;
        }
        let log = &kernel.log;
        // Relaxed: a hint: what is counted already stays as it is (Y1).
        let from = self.counted.load(Ordering::Relaxed).max(log.trimmed());
        let to = visible.min(from + SLICE);
        for number in from + 1..=to {
            if let Slot::Commit(commit) = log.at(guard, number) {
                self.count_commit(commit, kernel.kept_bytes(guard, commit));
            }
        }
        // Relaxed: as above.
        self.counted.fetch_max(to, Ordering::Relaxed);
        to > from
    }

    fn count_commit(&self, commit: &Commit, bytes: u64) {
        let bytes = bytes.min(COMMIT_BYTES_MAX);
        // Relaxed: a figure, and the CAS decides whose it is to add (Y1).
        let counted =
            commit
                .kept
                .compare_exchange(0, bytes + 1, Ordering::Relaxed, Ordering::Relaxed);
        if counted.is_ok() {
            // Relaxed: a figure.
            self.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }

    /// A commit is taken out of the log.
    pub(super) fn forget(&self, commit: &Commit) {
        if !self.limits.are_of_bytes() {
            return;
        }
        // Relaxed: as for counting.
        let kept = commit.kept.swap(GONE, Ordering::Relaxed);
        // Relaxed: a figure.
        self.bytes.fetch_sub(counted_bytes(kept), Ordering::Relaxed);
    }

    /// Bytes that the retained commits keep, about.
    pub(super) fn bytes(&self) -> u64 {
        // Relaxed: a figure.
        let sum = self.bytes.load(Ordering::Relaxed).cast_signed();
        u64::try_from(sum).unwrap_or(0)
    }

    /// From where on commits are retained; what is at or below it may be trimmed.
    pub(super) fn begin(&self, guard: &Guard<'_>, log: &Log, visible: u64) -> u64 {
        let by_commits = self
            .limits
            .commits
            .map(|commits| visible.saturating_sub(commits));
        let by_bytes = self
            .limits
            .bytes
            .map(|bytes_max| self.begin_by_bytes(guard, log, bytes_max));
        by_commits.max(by_bytes).unwrap_or(visible).min(visible)
    }

    /// From where on what is kept for watchers that lag is within its bound in bytes.
    pub(super) fn lag_begin(&self, guard: &Guard<'_>, log: &Log) -> u64 {
        let lag_bytes = self.limits.lag_bytes;
        lag_bytes.map_or(0, |bytes_max| self.begin_by_bytes(guard, log, bytes_max))
    }

    /// What must go for the rest to be within the bound, the oldest first, up to a slice.
    fn begin_by_bytes(&self, guard: &Guard<'_>, log: &Log, bytes_max: u64) -> u64 {
        let mut begin = log.trimmed();
        let mut bytes = self.bytes();
        // Relaxed: Y2, and a hint.
        let until = self
            .counted
            .load(Ordering::Relaxed)
            .min(begin.saturating_add(SLICE));
        while bytes > bytes_max && begin < until {
            begin += 1;
            if let Slot::Commit(commit) = log.at(guard, begin) {
                // Relaxed: a figure.
                let kept = commit.kept.load(Ordering::Relaxed);
                bytes = bytes.saturating_sub(counted_bytes(kept));
            }
        }
        begin
    }
}
