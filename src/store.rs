//! The store: its builder and its handle.

#![forbid(unsafe_code)]

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::action::{Action, Divergence, DivergenceCause, apply};
use crate::copy::TableCopy;
use crate::error::{SnapshotError, UpdateError, WatchFromError};
use crate::kernel::history::HistoryLimits;
use crate::kernel::reading::SharedHold;
use crate::kernel::table::AnyTable;
use crate::kernel::wake::{LOOK_AGAIN, Waiting};
use crate::kernel::{Kernel, Kind, Limits};
use crate::propose::Proposer;
use crate::shared::{Config, Shared};
use crate::snapshot::{Snapshot, View};
use crate::stats::Stats;
use crate::sync::{thread, unique};
use crate::table::hash::hash_of;
use crate::table::object::Object;
use crate::table::schema::{Schema, make_table};
use crate::txn::Transaction;
use crate::txn::batch::{Batch, BatchError, BatchReport, batch};
use crate::txn::restore::update_whole;
use crate::txn::update::update;
use crate::version::Version;
use crate::watch::filter::Filter;
use crate::watch::watcher::Watcher;

/// Runs of an update's closure before it fails.
const ATTEMPTS_MAX: u32 = 64;
/// Commits that the log holds at most.
const LOG_COMMITS_MAX: u64 = 4 << 20;
/// What that may be set to: the log's ring of pointers then takes 8 MiB.
const LOG_COMMITS_CEILING: u64 = 1 << 30;
/// Commits that a watcher may lag.
const WATCH_COMMITS_MAX: u64 = 1 << 16;
/// Objects that one transaction may change.
const TRANSACTION_CHANGES_MAX: usize = 1 << 20;
/// Objects that one transaction of a batch changes, about.
const BATCH_CHANGES_MAX: usize = 200;
/// Bytes that one transaction of a batch changes, about.
const BATCH_BYTES_MAX: usize = 1 << 20;

/// Makes a table of a position and a seed.
type MakeTable = fn(u16, u64) -> Box<dyn AnyTable>;

/// Builds a [`Store`]: its tables and its limits.
#[derive(Clone)]
pub struct Builder {
    types: Vec<TypeId>,
    names: Vec<&'static str>,
    make: Vec<MakeTable>,
    copies: Vec<TableCopy>,
    limits: Limits,
    config: Config,
    proposer: Option<Arc<dyn Proposer>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("tables", &self.names)
            .field("limits", &self.limits)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Builder {
    fn new() -> Self {
        Self {
            types: Vec::new(),
            names: Vec::new(),
            make: Vec::new(),
            copies: Vec::new(),
            limits: Limits {
                retention: 0,
                log_commits: LOG_COMMITS_MAX,
                watch_commits: WATCH_COMMITS_MAX,
                history: HistoryLimits::NONE,
            },
            config: Config {
                attempts_max: ATTEMPTS_MAX,
                transaction_changes_max: TRANSACTION_CHANGES_MAX,
                batch_changes_max: BATCH_CHANGES_MAX,
                batch_bytes_max: BATCH_BYTES_MAX,
            },
            proposer: None,
        }
    }

    /// Adds the table of objects `T`. Naming a type twice is naming it once.
    ///
    /// # Panics
    /// If another type's table has the same name, or there are 65,535 already.
    #[must_use]
    pub fn table<T: Object>(mut self) -> Self {
        if self.types.contains(&TypeId::of::<T>()) {
            return self;
        }
        assert!(
            !self.names.contains(&T::TABLE),
            "two types have a table named {}",
            T::TABLE
        );
        assert!(self.types.len() < usize::from(u16::MAX), "too many tables");
        self.types.push(TypeId::of::<T>());
        self.names.push(T::TABLE);
        self.make.push(make_table::<T>);
        self.copies.push(TableCopy::of::<T>());
        self
    }

    /// How often an update's closure is run before it fails with [`UpdateError::Conflict`]; at
    /// least 1. Default: 64.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.config.attempts_max = attempts.max(1);
        self
    }

    /// How many commits back [`Store::snapshot_at`] may go. Default: 0. What is retained costs its
    /// memory: each version that one of these commits replaced.
    #[must_use]
    pub fn retention_commits(mut self, commits: u64) -> Self {
        self.limits.retention = commits;
        self
    }

    /// How many commits the log holds at most, and so how many may pass a transaction before it
    /// fails with `TooOld`. Default: 4,194,304. The log is as long only while an open
    /// transaction or a watcher needs it.
    #[must_use]
    pub fn log_commits_max(mut self, commits: u64) -> Self {
        self.limits.log_commits = commits.clamp(1, LOG_COMMITS_CEILING);
        self
    }

    /// How many commits a watcher may lag before it is told
    /// [`WatchError::Lagged`](crate::WatchError::Lagged). Default: 65,536.
    #[must_use]
    pub fn watch_commits_max(mut self, commits: u64) -> Self {
        self.limits.watch_commits = commits;
        self
    }

    /// How many commits the log keeps for [`Store::watch_from`], whether anybody watches or not; at
    /// most what the log may hold. Default: none. With [`Builder::history_bytes`] the history ends
    /// where the first of both bounds is reached.
    ///
    /// A retained commit keeps the objects that it replaced or deleted, and what they were found by
    /// in the indexes.
    #[must_use]
    pub fn history_commits(mut self, commits: u64) -> Self {
        self.limits.history.commits = Some(commits);
        self
    }

    /// How many bytes the log keeps for [`Store::watch_from`], whether anybody watches or not.
    /// Default: none. With [`Builder::history_commits`] the history ends where the first of both
    /// bounds is reached.
    ///
    /// Counted are the commits, and the objects that they replaced or deleted, without what these
    /// point to. It is done by collection, in slices: some hundreds of commits may be there beyond
    /// the bound, or be gone within it.
    #[must_use]
    pub fn history_bytes(mut self, bytes: u64) -> Self {
        self.limits.history.bytes = Some(bytes);
        self
    }

    /// How many objects one transaction may change. Default: 1,048,576.
    #[must_use]
    pub fn transaction_changes_max(mut self, changes: usize) -> Self {
        self.config.transaction_changes_max = changes.max(1);
        self
    }

    /// From how many changed objects on a batch commits what it has. Default: 200. A step is never
    /// split.
    #[must_use]
    pub fn batch_changes_max(mut self, changes: usize) -> Self {
        self.config.batch_changes_max = changes.max(1);
        self
    }

    /// From how many written bytes on a batch commits what it has: the objects' own sizes, without
    /// what they point to. Default: 1 MiB.
    #[must_use]
    pub fn batch_bytes_max(mut self, bytes: usize) -> Self {
        self.config.batch_bytes_max = bytes.max(1);
        self
    }

    /// Has every commit decided by a proposer; see [`Proposer`] for the contract. Without one a
    /// commit is decided by being appended, and pays nothing for this.
    #[must_use]
    pub fn proposer(mut self, proposer: Arc<dyn Proposer>) -> Self {
        self.proposer = Some(proposer);
        self
    }

    /// The store, empty.
    ///
    /// # Panics
    /// As [`Object::indexes`] does, through [`Indexes::add`](crate::Indexes::add).
    #[must_use]
    pub fn build(self) -> Store {
        let Self {
            mut limits,
            config,
            ref proposer,
            ..
        } = self;
        // A watcher cannot be kept commits that the log does not hold.
        limits.watch_commits = limits.watch_commits.min(limits.log_commits);
        let history = &mut limits.history.commits;
        *history = history.map(|commits| commits.min(limits.log_commits));
        let make = (0..).zip(&self.make);
        let tables = make.map(|(position, make)| make(position, seed(position)));
        let kernel = Kernel::new(limits, tables.collect());
        let schema = Schema::new(kernel);
        let shared = Shared::new(schema, config, proposer.clone());
        Store(Arc::new(Handle {
            shared,
            builder: self,
        }))
    }
}

/// A seed that another process cannot guess, nor another table has.
fn seed(position: u16) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    hash_of(RandomState::new().hash_one(unique()), &position)
}

/// The last one dropped closes the store.
#[derive(Debug)]
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

/// A store of typed tables: a shared handle, cheap to clone. Snapshots and watchers may outlive
/// it.
///
/// See the crate's documentation for an example, and [`crate::docs`] for guarantees and limits.
#[derive(Clone, Debug)]
pub struct Store(Arc<Handle>);

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
        Builder {
            proposer: None,
            ..self.0.builder.clone()
        }
    }

    /// What can be done with each table, whatever its type.
    pub(crate) fn copies(&self) -> impl Iterator<Item = &TableCopy> {
        self.0.builder.copies.iter()
    }

    /// Makes this store equal to the snapshot, where it was equal at the version given: all tables
    /// in one transaction.
    pub(crate) fn follow(
        &self,
        source: &Snapshot,
        equal_at: Version,
    ) -> Result<Version, UpdateError<DivergenceCause>> {
        update_whole(self.shared(), &mut |tx| {
            for table in self.copies() {
                (table.follow)(tx, source, equal_at);
            }
            tx.settle_placed()
                .map_err(|unsettled| unsettled.error.into())
        })
    }

    fn kernel(&self) -> &Arc<Kernel> {
        self.shared().schema.kernel()
    }

    /// The newest version. Wait-free.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(self.kernel().horizon.visible())
    }

    /// Runs a closure on the newest version. Wait-free but for the closure; see [`Store::read`].
    pub fn view<R>(&self, run: impl FnOnce(&View<'_>) -> R) -> R {
        run(&self.read())
    }

    /// The newest version, to be read while the guard lives. Wait-free; the guard stays on its
    /// thread. For short reads: see [`View`].
    #[must_use]
    pub fn read(&self) -> View<'_> {
        View::new(self.shared())
    }

    /// The newest version, owned: may be sent, shared, cloned, and held for hours. It keeps, of
    /// each object, the version that it shows and no other. Wait-free but for the allocation of
    /// its handle.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let hold = SharedHold::begin(self.kernel(), Kind::Reader);
        Snapshot::new(Arc::clone(self.shared()), hold)
    }

    /// An older version, owned, if it is within the store's retention
    /// ([`Builder::retention_commits`]).
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

    /// Runs a closure on a transaction and commits it; on a conflict again, up to the store's
    /// bound of attempts, with back-off between.
    ///
    /// The closure may run several times, so it must have no other effects. If it returns an error
    /// or panics, nothing is written.
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub fn update<R, E>(
        &self,
        run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, UpdateError<E>> {
        self.update_versioned(run).map(|(answer, _)| answer)
    }

    /// As [`Store::update`], with the version of the commit (of the snapshot, if nothing was
    /// written).
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub fn update_versioned<R, E>(
        &self,
        mut run: impl FnMut(&mut Transaction<'_>) -> Result<R, E>,
    ) -> Result<(R, Version), UpdateError<E>> {
        update(self.shared(), &mut run)
    }

    /// A transaction on the newest version, to be committed by hand. Dropping it rolls back.
    #[must_use]
    pub fn begin(&self) -> Transaction<'_> {
        Transaction::begin(self.shared())
    }

    /// Runs many small atomic steps over as few transactions as the limits allow.
    ///
    /// Each [`step`](Batch::step) is committed whole or not at all; steps are committed in order.
    /// What was committed before an error stays, and the report counts it.
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

    /// Does what a commit of another store did: all of the actions, in order, in one transaction of
    /// any size; gives its version. The path of a replica: the same actions on the same state make
    /// the same state. Whether an object is there is checked action by action, unique indexes
    /// judge the end.
    ///
    /// # Errors
    /// [`UpdateError::Closure`] with the action that does not fit, and why: the stores have
    /// diverged. Others if this store is written to by somebody else. Nothing is applied then.
    pub fn apply(&self, actions: &[Action]) -> Result<Version, UpdateError<Divergence>> {
        apply(self.shared(), actions)
    }

    /// Follows the changes that commits make from now on.
    #[must_use]
    pub fn watch(&self, filter: impl Into<Filter>) -> Watcher {
        Watcher::new(self.shared(), filter.into())
    }

    /// Follows the changes that commits made after an older version, and goes on with those to
    /// come: in order, each once, with the objects before and after. Locks nothing and stops no
    /// writer.
    ///
    /// It reaches back as far as the store keeps its log: for that much history as
    /// [`Builder::history_commits`] and [`Builder::history_bytes`] say. Once begun it is a watcher
    /// like any other, that is kept what comes after its position, within its lag or the history.
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
    /// [`WatchFromError::Future`] if the version has not been committed.
    pub fn watch_from(
        &self,
        version: Version,
        filter: impl Into<Filter>,
    ) -> Result<Watcher, WatchFromError> {
        let newest = self.version();
        if version > newest {
            return Err(WatchFromError::Future { newest });
        }
        let watcher = Watcher::from(self.shared(), filter.into(), version.get());
        watcher.map_err(|oldest| WatchFromError::Compacted {
            oldest: Version::new(oldest),
        })
    }

    /// A snapshot, and a watcher of exactly the changes after it. Locks nothing and stops no
    /// writer.
    ///
    /// Other stores call it `view_and_watch`. A view is pinned here, and short; what is to be
    /// rebuilt from a copy and the changes after it takes its time, so a snapshot comes with it.
    #[doc(alias = "view_and_watch")]
    #[must_use]
    pub fn snapshot_and_watch(&self, filter: impl Into<Filter>) -> (Snapshot, Watcher) {
        // The cursor first: the log is kept from a position at or below the snapshot's.
        let mut watcher = self.watch(filter);
        let snapshot = self.snapshot();
        watcher.start_at(snapshot.version().get());
        (snapshot, watcher)
    }

    /// Blocks until there is a version after `after`, or the time is over; gives the newest
    /// version.
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

    /// Collects garbage until nothing more can go: else committers do it, in slices, and what the
    /// last commits left waits for the next ones.
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
            idle = if self.kernel().collect() { 0 } else { idle + 1 };
        }
        self.kernel().release_spare();
    }
}
