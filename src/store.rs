//! The store: its face and its handle.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::builder::Builder;
use crate::copy::TableCopy;
use crate::error::{SnapshotError, UpdateError, WatchFromError};
use crate::kernel::reading::SharedHold;
use crate::kernel::wake::{LOOK_AGAIN, Waiting};
use crate::kernel::{Kernel, Kind};
use crate::latency::{Begun, Clocks, Latencies, Operation};
use crate::shared::Shared;
use crate::snapshot::{Snapshot, View};
use crate::stats::Stats;
use crate::sync::thread;
use crate::txn::Transaction;
use crate::txn::batch::{Batch, BatchError, BatchReport, batch};
use crate::txn::update::update;
use crate::version::Version;
use crate::watch::figures::{self, WatchQueueStats, WatcherStats};
use crate::watch::filter::Filter;
use crate::watch::threads;
use crate::watch::watcher::Watcher;

/// The last one dropped closes the store.
struct Handle {
    shared: Arc<Shared>,
    /// What the store was built from.
    builder: Builder,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// A store of typed tables, in memory.
///
/// A `Store` is a handle: a clone of it is the same store, costs one reference count, and may be
/// used on any thread. Dropping the last handle closes the store: watchers get what has been
/// committed, and then [`WatchError::Closed`](crate::WatchError::Closed). Snapshots and watchers
/// may outlive it.
///
/// | to | call |
/// |---|---|
/// | read the newest version, for a short time | [`Store::view`], [`Store::read`] |
/// | read one version for long, or on other threads | [`Store::snapshot`] |
/// | write, and be retried on a conflict | [`Store::update`] |
/// | write, and commit or roll back by hand | [`Store::begin`] |
/// | write more than one transaction may | [`Store::batch`] |
/// | follow what changes from now on | [`Store::watch`] |
/// | copy the state, and follow what changes after it | [`Store::snapshot_and_watch`] |
/// | follow what changed after an older version | [`Store::watch_from`] |
///
/// See the crate's documentation for an example, and [`crate::docs`] for guarantees and limits.
#[derive(Clone)]
pub struct Store(Arc<Handle>);

// A panic of the user's leaves the store as it was: docs/guarantees.md, Panics.
impl UnwindSafe for Store {}
impl RefUnwindSafe for Store {}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("tables", &self.0.shared.schema)
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The store, empty.
    ///
    /// # Panics
    /// As [`Object::indexes`](crate::Object::indexes) does, through
    /// [`Indexes::add`](crate::Indexes::add). If [`Delivery::Threads`](crate::Delivery) is asked
    /// for and the system has no thread to give.
    #[must_use]
    pub fn build(self) -> Store {
        let store = Store(Arc::new(Handle {
            shared: self.make(),
            builder: self,
        }));
        // With a handle: should the system have too few threads to give, those that began end.
        threads::start(store.shared());
        store
    }
}

impl Store {
    /// A builder without tables.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// A builder of a store like this one, but with nobody else to decide its commits.
    pub(crate) fn like(&self) -> Builder {
        self.0.builder.without_proposer()
    }

    /// What can be done with each table, whatever its type.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &TableCopy> {
        self.0.builder.copies.iter()
    }

    pub(crate) fn kernel(&self) -> &Arc<Kernel> {
        self.shared().schema.kernel()
    }

    /// The newest version. Wait-free.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(self.kernel().horizon.visible())
    }

    /// Runs a closure on a view of the newest version, and gives what it returns. The view lives
    /// as long as the closure runs: keep it short (see [`View`]). Wait-free but for the closure.
    pub fn view<R>(&self, run: impl FnOnce(&View<'_>) -> R) -> R {
        let begun = Begun::now(self.shared().clocks());
        let answer = run(&self.read());
        begun.end(self.shared().clocks(), Operation::View);
        answer
    }

    /// A view of the newest version, which is read while the view lives. For short reads: see
    /// [`View`]. Wait-free, without an allocation.
    #[must_use]
    pub fn read(&self) -> View<'_> {
        View::new(self.shared())
    }

    /// A snapshot of the newest version: owned, so that it may be sent, shared, cloned, and held
    /// for hours. It keeps, of each object, the version that it shows and no other. Wait-free but
    /// for the allocation of its handle.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        snapshot(self.shared())
    }

    /// A snapshot of an older version, if the store still retains it
    /// ([`Builder::retention_commits`], by default 0: only the newest version is there).
    ///
    /// # Errors
    /// [`SnapshotError::Compacted`] if it is older than that, [`SnapshotError::Future`] if it has
    /// not been committed.
    pub fn snapshot_at(&self, version: Version) -> Result<Snapshot, SnapshotError> {
        let oldest = Version::new(self.kernel().horizon.oldest());
        if version < oldest {
            return Err(SnapshotError::Compacted { oldest });
        }
        let newest = self.version();
        if version > newest {
            return Err(SnapshotError::Future { newest });
        }
        let hold = SharedHold::begin_at(self.kernel(), version.get());
        let hold = hold.map_err(|oldest| SnapshotError::Compacted {
            oldest: Version::new(oldest),
        })?;
        Ok(Snapshot::new(Arc::clone(self.shared()), hold))
    }

    /// Runs a closure on a transaction, commits it, and gives what the closure returned.
    ///
    /// If another commit is in conflict with it, the closure is run again on a new transaction, up
    /// to [`Builder::attempts_max`] attempts, with a bounded pause between. So it must have no
    /// effects but those on the transaction. If it returns an error or panics, nothing is written.
    ///
    /// A closure that uses several verbs with `?` returns [`Error`](crate::Error), or an error of
    /// the program's own; what fails with `Box<dyn Error>` is passed on by
    /// [`UpdateError::flatten`].
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub fn update<R, E>(
        &self,
        run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, UpdateError<E>> {
        self.update_versioned(run).map(|(answer, _)| answer)
    }

    /// As [`Store::update`], and gives the version of the commit as well (the version that was
    /// read, if nothing was written).
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub fn update_versioned<R, E>(
        &self,
        mut run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<(R, Version), UpdateError<E>> {
        update(self.shared(), &mut run)
    }

    /// A transaction on the newest version, to be committed by hand
    /// ([`Transaction::commit`]). Dropping it rolls back. Wait-free.
    #[must_use]
    pub fn begin(&self) -> Transaction<'_> {
        Transaction::begin(self.shared())
    }

    /// Runs many small steps in as few transactions as the limits allow
    /// ([`Builder::batch_changes_max`], [`Builder::batch_bytes_max`]).
    ///
    /// Each [`step`](Batch::step) is committed whole or not at all, and steps are committed in
    /// order; the batch as a whole is not atomic. What was committed before an error stays, and the
    /// report counts it.
    ///
    /// # Errors
    /// What the closure returned, or why a transaction could not be committed, with how far the
    /// batch came.
    pub fn batch<'b, E>(
        &'b self,
        run: impl FnOnce(&mut Batch<'b, E>) -> Result<(), UpdateError<E>>,
    ) -> Result<BatchReport, BatchError<E>> {
        batch(self.shared(), run)
    }

    /// A watcher of the changes that commits make from now on. O(log n) of the watchers.
    ///
    /// One more than [`Builder::watchers_max`] is made as well, but gets nothing except
    /// [`WatchError::TooManyWatchers`](crate::WatchError::TooManyWatchers).
    #[must_use]
    pub fn watch(&self, filter: impl Into<Filter>) -> Watcher {
        let mut watcher = Watcher::new(self.shared(), filter.into());
        watcher.start_at(watcher.position().get());
        watcher
    }

    /// A watcher of the changes that commits made after an older version, and then of those to
    /// come: in order, each once, with the objects before and after. Locks nothing and stops no
    /// writer.
    ///
    /// It can begin as far back as the store keeps its log for this:
    /// [`Builder::history_commits`] and [`Builder::history_bytes`] say how much, by default
    /// nothing. Once begun it is a watcher like any other: what comes after its position is kept
    /// for it, within the bounds of a watcher's lag or of the history.
    ///
    /// Where the log does not reach, the store's [`Proposer`](crate::Proposer), if it has one, is
    /// asked for what it still has ([`changes_between`](crate::Proposer::changes_between)): once,
    /// by this call. The watcher keeps the answer until it is received. The answer is used if it
    /// is, commit for commit, just what was accepted here, at most 65,536 commits and none of them
    /// by [`Store::apply`]; else the history ends where the log begins. Old objects, and the
    /// [`Meta`](crate::Meta) of objects that the proposer has read from elsewhere, are what it
    /// gives ([`Image`](crate::Image)); versions of events are the store's.
    ///
    /// ```
    /// use skep::{Event, Filter, Id, Object, Store, WatchFromError};
    ///
    /// #[derive(Clone, Debug, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    /// }
    ///
    /// let store = Store::builder().table::<Task>().history_commits(1000).build();
    /// let before = store.version();
    /// let task = Task { id: Id::random() };
    /// store.update(|tx| tx.create(task.clone()))?;
    ///
    /// // An agent comes back, and says what it has seen last.
    /// let mut watcher = store.watch_from(before, Filter::of::<Task>())?;
    /// let Event::Change(change) = watcher.recv()? else { panic!("a change comes first") };
    /// assert_eq!(change.new_object::<Task>().map(|new| new.id), Some(task.id));
    /// assert_eq!(watcher.recv()?.version(), store.version());
    /// assert!(matches!(
    ///     store.watch_from(store.version().next(), Filter::all()),
    ///     Err(WatchFromError::Future { .. })
    /// ));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`WatchFromError::Compacted`] if what came after the version is not all kept,
    /// [`WatchFromError::Future`] if the version has not been committed,
    /// [`WatchFromError::TooManyWatchers`] at the bound of
    /// [`Builder::watchers_max`].
    pub fn watch_from(
        &self,
        version: Version,
        filter: impl Into<Filter>,
    ) -> Result<Watcher, WatchFromError> {
        let newest = self.version();
        if version > newest {
            return Err(WatchFromError::Future { newest });
        }
        Watcher::from(self.shared(), filter.into(), version.get())
    }

    /// A snapshot, and a watcher of exactly the changes after it: nothing is missed between the
    /// two, and nothing comes twice. Locks nothing and stops no writer.
    ///
    /// Other stores call it `view_and_watch`. Here a [`View`] is for short reads only, and copying
    /// a state takes a while: so this gives a [`Snapshot`].
    #[doc(alias = "view_and_watch")]
    #[must_use]
    pub fn snapshot_and_watch(&self, filter: impl Into<Filter>) -> (Snapshot, Watcher) {
        snapshot_and_watch(self.shared(), filter.into())
    }

    /// Blocks until there is a version after `after`, or `timeout` is over; gives the newest
    /// version then, which is `after` or an older one if the time was over.
    pub fn wait(&self, after: Version, timeout: Duration) -> Version {
        let deadline = Instant::now().checked_add(timeout);
        let mut waiting = Waiting::on(&self.shared().waiters);
        loop {
            let version = self.version();
            let now = Instant::now();
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            if version > after || left == Some(Duration::ZERO) {
                return version;
            }
            waiting.enqueue();
            if self.version() > after {
                continue;
            }
            thread::park_timeout(left.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN));
        }
    }

    /// Figures of the store. O(threads), and a walk over table structures' counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats::of(self.kernel())
    }

    /// How long what was done in the store has taken, if it was built to time that
    /// ([`Builder::latencies`]). O(cores).
    ///
    /// ```
    /// use skep::{Id, Object, Store};
    ///
    /// #[derive(Clone, Object)]
    /// struct Task {
    ///     #[object(key)]
    ///     id: Id,
    /// }
    ///
    /// let store = Store::builder().table::<Task>().latencies(1).build();
    /// store.update(|tx| tx.create(Task { id: Id::random() }))?;
    /// let latencies = store.latencies().expect("it was asked for");
    /// let p99 = latencies.updates.quantile(0.99).expect("there was one");
    /// println!("{} updates, p99 {p99:?}", latencies.updates.count());
    /// # assert_eq!(latencies.updates.count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn latencies(&self) -> Option<Latencies> {
        self.shared().clocks().map(Clocks::read)
    }

    /// What each watcher does: how far it is, what waits for it. O(watchers, and what waits for
    /// them).
    #[must_use]
    pub fn watchers(&self) -> Vec<WatcherStats> {
        figures::watchers(self.shared())
    }

    /// How far the delivery to watchers is, and what those that it delivers to do together, for
    /// each part that it is done in ([`Builder::watch_shards`]). O(watchers, and what waits for
    /// them).
    #[must_use]
    pub fn watch_queues(&self) -> Vec<WatchQueueStats> {
        figures::queues(self.shared())
    }

    /// Collects garbage until nothing more can go. No program needs to call it: committers collect,
    /// in slices. But what the last commits left waits for the next ones, so it helps where no
    /// commits follow.
    ///
    /// It also finishes rebuilds of hash tables, which inserts have begun and would go on with
    /// (O(objects) if there is one), and gives back the memory that is kept for the next writes:
    /// this thread's, and what no thread has.
    pub fn reclaim(&self) {
        /// Slices without a find after which there is nothing more: garbage takes three moves of
        /// the epoch to ripen.
        const IDLE_SLICES: u32 = 8;
        /// Slices at most: beside committers that never rest there would be no end.
        const SLICES_MAX: u32 = 1 << 20;
        let mut idle = 0;
        for _ in 0..SLICES_MAX {
            if idle == IDLE_SLICES {
                break;
            }
            // A table that is being replaced stays until all of it is copied.
            let busy = self.kernel().rebuild() | self.kernel().collect();
            idle = if busy { 0 } else { idle + 1 };
        }
        self.kernel().release_spare();
    }
}

fn snapshot(shared: &Arc<Shared>) -> Snapshot {
    let hold = SharedHold::begin(shared.schema.kernel(), Kind::Reader);
    Snapshot::new(Arc::clone(shared), hold)
}

/// As [`Store::snapshot_and_watch`], of who has no handle.
pub(crate) fn snapshot_and_watch(shared: &Arc<Shared>, filter: Filter) -> (Snapshot, Watcher) {
    // The watcher first: it misses nothing from a position at or below the snapshot's on.
    let mut watcher = Watcher::new(shared, filter);
    let snapshot = snapshot(shared);
    watcher.start_at(snapshot.version().get());
    (snapshot, watcher)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::error::WatchError;
    use crate::table::object::{Indexes, Object};
    use crate::watch::member::Overflow;

    #[derive(Clone, Debug)]
    struct Item(u64);

    impl Object for Item {
        type Key = u64;
        const TABLE: &'static str = "item";

        fn key(&self) -> u64 {
            self.0
        }

        fn indexes(_: &mut Indexes<Self>) {}
    }

    /// Others commit more than its mailbox holds while it is not known yet what is wanted of that:
    /// before the snapshot, and after it.
    #[test]
    fn one_that_closes_and_is_full_where_it_begins_ends_there() {
        for (before, after, is_full) in [(0, 5, true), (1, 5, true), (5, 5, true), (5, 1, false)] {
            let store = Store::builder().table::<Item>().build();
            let put = |key: u64| {
                let done = store.update(|tx| tx.upsert(Item(key)));
                done.expect("nobody is in the way");
            };
            let filter = Filter::all().events_max(2).overflow(Overflow::Close);
            let mut watcher = Watcher::new(store.shared(), filter);
            (0..before).for_each(put);
            let snapshot = snapshot(store.shared());
            (0..after).for_each(put);
            watcher.start_at(snapshot.version().get());
            let figures = || {
                let own = store.watchers()[0];
                assert_eq!((own.missed, own.untold), (0, 0), "{own:?}");
                own.waiting
            };
            assert!(figures() > 0);
            if !is_full {
                assert!(watcher.try_recv().unwrap().is_some());
                continue;
            }
            for _ in 0..2 {
                assert_eq!(watcher.try_recv().unwrap_err(), WatchError::Overflowed);
                assert_eq!(watcher.position(), snapshot.version());
                put(0);
                assert_eq!(figures(), 0);
            }
        }
    }
}
