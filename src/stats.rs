//! Figures of a store.

#![forbid(unsafe_code)]

use std::time::{Duration, SystemTime};

use crate::kernel::Kernel;
use crate::kernel::figures::Figure;
use crate::kernel::horizon::Horizon;
use crate::kernel::log::Slot;
use crate::kernel::pending::Outcome;
use crate::version::Version;

/// Figures of a store; counted apart by threads, so only about right while others work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The newest version.
    pub version: Version,
    /// The oldest version at which a snapshot may be taken now.
    pub oldest: Version,
    /// Objects in the store.
    pub objects: u64,
    /// Versions of objects in the store: current ones and those that snapshots or retention keep.
    pub versions: u64,
    /// Bytes of these versions, without what the objects point to.
    pub version_bytes: u64,
    /// Bytes of the indexes and the commit log.
    pub structure_bytes: u64,
    /// Commits in the log.
    pub log_commits: u64,
    /// The oldest version that a watcher may begin at now, about: see
    /// [`watch_from`](crate::Store::watch_from).
    pub history_oldest: Version,
    /// Bytes that the commits in the log keep, about; counted only if they are bounded by
    /// [`history_bytes`](crate::Builder::history_bytes) or
    /// [`watch_log_bytes_max`](crate::Builder::watch_log_bytes_max).
    pub history_bytes: u64,
    /// Snapshots, views and transactions open.
    pub snapshots: usize,
    /// The oldest version at which one of them reads: it keeps what was replaced since. `None`:
    /// there are none.
    pub oldest_snapshot: Option<Version>,
    /// The oldest version at which a transaction reads: it keeps the log since. `None`: there are
    /// none.
    ///
    /// One that is left open, or whose thread has stopped, stops nobody; that it falls behind is
    /// seen here, and by [`Stats::transaction_lag`]; where nobody commits meanwhile, by
    /// [`Stats::transaction_age`].
    pub oldest_transaction: Option<Version>,
    /// How long the transaction has been open that has been for longest, to some microseconds, by
    /// the system's clock: 0, if that was put back meanwhile. `None`: there are none, or the store
    /// was not built with [`Builder::latencies`](crate::Builder::latencies), of however few, since
    /// each transaction would take longer by a look at the clock.
    ///
    /// Nothing is told by itself: a program that wants to know of transactions that are open for
    /// too long, 30 s say, looks here now and then.
    pub transaction_age: Option<Duration>,
    /// Commits that transactions tried so far, of something written.
    pub attempts: u64,
    /// Of these, those that another transaction was in the way of: it had changed what they had
    /// read, or taken a value of a unique index. With a [proposer](crate::Proposer), what waits for
    /// its decision may be in the way, too.
    pub conflicts: u64,
    /// Closures of updates, and of batches, that were run once more after such a commit.
    pub retries: u64,
    /// Updates and batches that failed for good after as many conflicts as
    /// [`attempts_max`](crate::Builder::attempts_max) says.
    pub exhausted: u64,
    /// Watchers alive.
    pub watchers: usize,
    /// Proposals in flight: commits that a [proposer](crate::Proposer) has not answered yet, of at
    /// most 32,768. Each of them costs this figure a look.
    pub proposals: u64,
    /// The version that the oldest of them makes if it is accepted: nothing from it on is visible
    /// before it is answered. One that stays here while others are proposed is forgotten. `None`:
    /// there are none.
    pub oldest_proposal: Option<Version>,
}

/// How many commits wait for a proposer's answer, and which is the oldest.
fn proposals(kernel: &Kernel) -> (u64, Option<Version>) {
    let guard = kernel.domain.pin();
    let (mut count, mut oldest) = (0, None);
    for number in kernel.horizon.visible() + 1.. {
        match kernel.log.at(&guard, number) {
            Slot::Empty => break,
            Slot::Commit(commit) if commit.outcome() == Outcome::Pending => {
                count += 1;
                oldest = oldest.or(Some(Version::new(number)));
            }
            Slot::Commit(_) | Slot::Trimmed => {}
        }
    }
    (count, oldest)
}

impl Stats {
    pub(crate) fn of(kernel: &Kernel) -> Self {
        let (versions, version_bytes) = kernel.counts();
        let (proposals, oldest_proposal) = proposals(kernel);
        let (oldest_snapshot, oldest_transaction) = kernel.oldest_held();
        // After those that read at or below it.
        let version = kernel.horizon.visible();
        Self {
            version: Version::new(version),
            oldest: Version::new(kernel.horizon.oldest()),
            objects: kernel.objects(),
            versions,
            version_bytes,
            structure_bytes: kernel.structure_bytes() as u64,
            log_commits: version.saturating_sub(kernel.log.trimmed()),
            history_oldest: Version::new(kernel.oldest_position()),
            history_bytes: kernel.history_bytes(),
            snapshots: kernel.snapshots(),
            oldest_snapshot: oldest_snapshot.map(Version::new),
            oldest_transaction: oldest_transaction.map(Version::new),
            transaction_age: Horizon::longest_open(kernel.domain.registry())
                .map(|began| began.ago(SystemTime::now()).unwrap_or_default()),
            attempts: kernel.counted(Figure::Attempts),
            conflicts: kernel.counted(Figure::Conflicts),
            retries: kernel.counted(Figure::Retries),
            exhausted: kernel.counted(Figure::Exhausted),
            watchers: kernel.watchers(),
            proposals,
            oldest_proposal,
        }
    }

    /// How many versions behind the newest one the oldest snapshot, view or transaction reads; 0:
    /// there are none.
    #[must_use]
    pub fn snapshot_lag(&self) -> u64 {
        self.lag(self.oldest_snapshot)
    }

    /// How many versions behind the newest one the oldest transaction reads; 0: there are none.
    ///
    /// ```
    /// # use skep::{Id, Object, Store};
    /// # #[derive(Clone, Object)]
    /// # struct Task { #[object(key)] id: Id }
    /// let store = Store::builder().table::<Task>().build();
    /// let forgotten = store.begin();
    /// for _ in 0..3 {
    ///     store.update(|tx| tx.create(Task { id: Id::random() }))?;
    /// }
    /// assert_eq!(store.stats().transaction_lag(), 3);
    /// drop(forgotten);
    /// assert_eq!(store.stats().transaction_lag(), 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn transaction_lag(&self) -> u64 {
        self.lag(self.oldest_transaction)
    }

    fn lag(&self, oldest: Option<Version>) -> u64 {
        oldest.map_or(0, |oldest| self.version.get().saturating_sub(oldest.get()))
    }
}
