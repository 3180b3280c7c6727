//! The builder of a store: its tables and its limits.

#![forbid(unsafe_code)]

mod watching;

use std::any::{Any, TypeId};
use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use crate::copy::TableCopy;
use crate::kernel::history::HistoryLimits;
use crate::kernel::node::Words;
use crate::kernel::table::AnyTable;
use crate::kernel::{Kernel, Limits};
use crate::propose::Proposer;
use crate::shared::{Config, ObjectBounds, Settings, Shared};
use crate::sync::unique;
use crate::table::hash::hash_of;
use crate::table::object::Object;
use crate::table::schema::{Schema, make_table};
use crate::watch::config::{BYTES_MAX, Delivery, WatchConfig};

/// Runs of an update's closure before it fails.
const ATTEMPTS_MAX: u32 = 64;
/// Commits that the log holds at most.
const LOG_COMMITS_MAX: u64 = 4 << 20;
/// What that may be set to: the log's ring of pointers then takes 8 MiB.
const LOG_COMMITS_CEILING: u64 = 1 << 30;
/// Commits that a watcher may lag.
const WATCH_COMMITS_MAX: u64 = 1 << 16;
/// Changes that may wait for a watcher in its mailbox.
const WATCH_EVENTS_MAX: u32 = 1 << 16;
/// Watchers of one store.
const WATCHERS_MAX: u64 = 1 << 20;
/// Parts in which watchers are delivered to.
const WATCH_SHARDS: usize = 1;
/// Objects that one transaction may change.
const TRANSACTION_CHANGES_MAX: usize = 1 << 20;
/// Keys and ranges that one transaction may read before it writes.
const TRANSACTION_READS_MAX: usize = 4 << 20;
/// Objects that one transaction of a batch changes, about.
const BATCH_CHANGES_MAX: usize = 200;
/// Bytes that one transaction of a batch changes, about.
const BATCH_BYTES_MAX: usize = 9 << 17;

/// Makes a table of a position and a seed.
type MakeTable = fn(u16, u64) -> Box<dyn AnyTable>;

/// Builds a [`Store`](crate::Store): names its tables, and sets its limits, each of which has a
/// default. Made by [`Store::builder`](crate::Store::builder); [`Builder::build`] gives the store.
///
/// | what is bounded | set by |
/// |---|---|
/// | attempts of an update | `attempts_max` |
/// | what a transaction changes, and reads | `transaction_changes_max`, `transaction_reads_max` |
/// | bytes that a transaction writes | `transaction_bytes_max` |
/// | a batch's transactions | `batch_changes_max`, `batch_bytes_max` |
/// | the store, an object, a key | `objects_max`, `object_bytes_max`, `key_bytes_max` |
/// | older versions that are kept | `retention_commits`; `history_commits`, `history_bytes` |
/// | the log | `log_commits_max` |
/// | watchers that read the log | `watchers_max`, `watch_commits_max`, `watch_log_bytes_max` |
/// | watchers with mailboxes | `watchers_max`, `watch_events_max`, `watch_bytes_max` |
///
/// What happens at each bound is in [`crate::docs::limits`].
///
/// ```
/// use skep::{Object, Store};
///
/// #[derive(Clone, Debug, Object)]
/// struct Node {
///     #[object(key)]
///     number: u64,
/// }
///
/// let store = Store::builder()
///     .table::<Node>()
///     .history_commits(10_000) // for watchers that come back
///     .objects_max(1_000_000)
///     .build();
/// assert!(store.read().get::<Node>(&1).is_none());
/// ```
#[derive(Clone)]
pub struct Builder {
    types: Vec<TypeId>,
    names: Vec<&'static str>,
    make: Vec<MakeTable>,
    pub(crate) copies: Vec<TableCopy>,
    limits: Limits,
    config: Config,
    settings: Settings,
    watch: WatchConfig,
    proposer: Option<Arc<dyn Proposer>>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("tables", &self.names)
            .field("limits", &self.limits)
            .field("config", &self.config)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
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
                transaction_bytes_max: None,
                transaction_reads_max: TRANSACTION_READS_MAX,
                batch_changes_max: BATCH_CHANGES_MAX,
                batch_bytes_max: BATCH_BYTES_MAX,
                objects_max: None,
                object_bounds: None,
                timed_one_in: None,
                words: Words::Number,
            },
            settings: Settings::default(),
            watch: WatchConfig {
                shards: WATCH_SHARDS,
                delivery: Delivery::default(),
                events_max: WATCH_EVENTS_MAX,
                bytes_max: BYTES_MAX,
                watchers_max: WATCHERS_MAX,
            },
            proposer: None,
        }
    }

    /// Adds the table of objects `T`. A store has the tables that are named here and no others: a
    /// read or write of another type panics. Naming a type twice is naming it once.
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

    /// How often an update's closure is run before it fails with
    /// [`UpdateError::Conflict`](crate::UpdateError::Conflict); at
    /// least 1. Default: 64.
    ///
    /// With a [proposer](crate::Proposer) an update that has lost waits until what was in its way
    /// is decided, and then goes before those that have lost less often: one of N writers
    /// of the same object needs about N attempts.
    #[must_use]
    pub fn attempts_max(mut self, attempts: u32) -> Self {
        self.config.attempts_max = attempts.max(1);
        self
    }

    /// How many commits back [`snapshot_at`](crate::Store::snapshot_at) may go. Default: 0. It
    /// costs the memory of each object version that one of these commits replaced or deleted.
    #[must_use]
    pub fn retention_commits(mut self, commits: u64) -> Self {
        self.limits.retention = commits;
        self
    }

    /// How many commits the log holds at most, and so how many may be made while a transaction is
    /// open before it fails with [`CommitError::TooOld`](crate::CommitError::TooOld); at least 1,
    /// and more than 1,073,741,824 is that. Default: 4,194,304. The log is that long only while an
    /// open transaction, a watcher or the history needs it.
    #[must_use]
    pub fn log_commits_max(mut self, commits: u64) -> Self {
        self.limits.log_commits = commits.clamp(1, LOG_COMMITS_CEILING);
        self
    }

    /// How many objects one transaction may change; at least 1. Default: 1,048,576. Beyond it the
    /// transaction fails with [`CommitError::TooLarge`](crate::CommitError::TooLarge).
    #[must_use]
    pub fn transaction_changes_max(mut self, changes: usize) -> Self {
        self.config.transaction_changes_max = changes.max(1);
        self
    }

    /// How many bytes one transaction may write: those of the objects as they will be, each once,
    /// as [`Object::bytes`](crate::Object::bytes) tells, and those of the keys that it deletes.
    /// Default: without bound. Beyond it the transaction fails with
    /// [`CommitError::TooManyBytes`](crate::CommitError::TooManyBytes), before anything is put in
    /// place or proposed.
    ///
    /// It is there for a [proposer](crate::Proposer) that takes no larger proposals: leave room for
    /// what its encoding adds to an object. Costs a look at each object written. Restores, applied
    /// changes and forks are not bounded by it.
    #[must_use]
    pub fn transaction_bytes_max(mut self, bytes: usize) -> Self {
        self.config.transaction_bytes_max = Some(bytes);
        self
    }

    /// How many keys and ranges one transaction may read, if it also writes: what it reads is kept,
    /// and looked through for each commit since its snapshot. Beyond it the transaction fails with
    /// [`CommitError::TooManyReads`](crate::CommitError::TooManyReads). Default: 4,194,304; never
    /// less than the objects that it may change, since a write is a read of its key.
    ///
    /// A key counts once, and a query as one range for each value that it asks for, however often
    /// it is asked and however much it finds. What [`peek`](crate::Transaction::peek) and
    /// `peek_find` read is not kept and not counted. A transaction that only reads is not bounded:
    /// what it reads beyond is not kept.
    #[must_use]
    pub fn transaction_reads_max(mut self, reads: usize) -> Self {
        self.config.transaction_reads_max = reads;
        self
    }

    /// How many objects the store may have, of all tables. Default: as many as memory has room for.
    /// Beyond it a transaction that creates more than it deletes fails with
    /// [`CommitError::TooManyObjects`](crate::CommitError::TooManyObjects).
    ///
    /// The bound is not exact: each thread counts for itself, so that no commit waits for
    /// another's. Transactions that commit at the same moment may each find the last place, and
    /// together exceed the bound by what they create. Where a number must hold exactly, let a
    /// table's rule ([`Object::check`](crate::Object::check)) count. A restore, an applied change
    /// and a fork are not bounded: they copy what is elsewhere. A transaction that creates more
    /// than it deletes pays a look at each thread that uses the store.
    #[must_use]
    pub fn objects_max(mut self, objects: u64) -> Self {
        self.config.objects_max = Some(objects);
        self
    }

    /// How large an object may be, in bytes, as [`Object::bytes`](crate::Object::bytes) tells:
    /// unless its type says otherwise, the size of the type itself. Default: without bound. A
    /// larger object is refused by the verb that writes it, with a [`Rejected`](crate::Rejected)
    /// whose reason is [`BoundError::ObjectTooLarge`](crate::BoundError::ObjectTooLarge). Not asked
    /// of what is restored, applied, or written with its checks
    /// [deferred](crate::Transaction::defer_checks).
    #[must_use]
    pub fn object_bytes_max(mut self, bytes: usize) -> Self {
        let bounds = self.config.object_bounds.get_or_insert(ObjectBounds::NONE);
        bounds.object_bytes = bytes;
        self
    }

    /// How long the key of a new object may be, in the bytes that it feeds a hasher: one more than
    /// its length for a text, eight for a `u64`. Default: without bound. A longer key is refused
    /// for [`BoundError::KeyTooLong`](crate::BoundError::KeyTooLong), in the same way as too large
    /// an object ([`Builder::object_bytes_max`]).
    #[must_use]
    pub fn key_bytes_max(mut self, bytes: usize) -> Self {
        let bounds = self.config.object_bounds.get_or_insert(ObjectBounds::NONE);
        bounds.key_bytes = bytes;
        self
    }

    /// From how many changed objects on a [batch](crate::Store::batch) commits what it has, or from
    /// as many steps on, whatever these change; at least 1. Default: 200, as in SwarmKit. A step is
    /// never split, so a transaction may change more.
    #[must_use]
    pub fn batch_changes_max(mut self, changes: usize) -> Self {
        self.config.batch_changes_max = changes.max(1);
        self
    }

    /// From how many written bytes on a [batch](crate::Store::batch) commits what it has: those of
    /// its objects, as [`Object::bytes`](crate::Object::bytes) tells, each time that one is
    /// written, and those of the keys that it deletes. At least 1. Default: 1.125 MiB, as in
    /// SwarmKit.
    #[must_use]
    pub fn batch_bytes_max(mut self, bytes: usize) -> Self {
        self.config.batch_bytes_max = bytes.max(1);
        self
    }

    /// Times what is done in the store, by chance one in `one_in` of it: views, updates, commits,
    /// batches and proposals, and all look-ups in one in `one_in` transactions.
    /// [`Store::latencies`](crate::Store::latencies) then tells, and
    /// [`Stats::transaction_age`](crate::Stats::transaction_age) how long transactions have been
    /// open. 1 times all; 0, the default, nothing.
    ///
    /// What is timed takes two looks at the clock longer; what is not, the drawing of a number, or
    /// nothing where nothing is timed. It takes some 13 KiB for each core, for 64 at most.
    #[must_use]
    pub fn latencies(mut self, one_in: u32) -> Self {
        self.config.timed_one_in = NonZero::new(one_in);
        self
    }

    /// Tells the rules of the store's tables something: a value of a type of the program's own,
    /// which [`Transaction::setting`](crate::Transaction::setting) gives them. One of each type,
    /// the last. It is the same for the store's life, and no part of what is saved; a
    /// [`Fork`](crate::Fork) has it, too.
    ///
    /// ```
    /// use skep::{Indexes, Object, Proposed, Rejected, Store, Transaction};
    ///
    /// #[derive(Clone)]
    /// struct Node {
    ///     id: u64,
    ///     slots: u32,
    /// }
    ///
    /// struct SlotsMax(u32);
    ///
    /// impl Object for Node {
    ///     type Key = u64;
    ///     const TABLE: &'static str = "node";
    ///
    ///     fn key(&self) -> u64 {
    ///         self.id
    ///     }
    ///
    ///     fn indexes(_: &mut Indexes<Self>) {}
    ///
    ///     fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
    ///         match (change.after(), tx.setting::<SlotsMax>()) {
    ///             (Some(node), Some(max)) if node.slots > max.0 => {
    ///                 Err(Rejected::new("too many slots"))
    ///             }
    ///             _ => Ok(()),
    ///         }
    ///     }
    /// }
    ///
    /// let store = Store::builder().table::<Node>().setting(SlotsMax(8)).build();
    /// assert!(store.update(|tx| tx.create(Node { id: 1, slots: 8 })).is_ok());
    /// assert!(store.update(|tx| tx.create(Node { id: 2, slots: 9 })).is_err());
    /// ```
    #[must_use]
    pub fn setting<S: Any + Send + Sync>(mut self, setting: S) -> Self {
        self.settings.add(setting);
        self
    }

    /// Has every commit decided by a proposer; see [`Proposer`] for the contract. Default: none; a
    /// commit is decided by being appended to the log, and pays nothing for this.
    #[must_use]
    pub fn proposer(mut self, proposer: Arc<dyn Proposer>) -> Self {
        self.proposer = Some(proposer);
        self.config.words = Words::Proposed;
        self
    }

    /// The same without the proposer, but with room for its versions: for a copy, which has them
    /// from its original.
    pub(crate) fn without_proposer(&self) -> Self {
        Self {
            proposer: None,
            ..self.clone()
        }
    }

    /// What the handles of a new store share.
    pub(crate) fn make(&self) -> Arc<Shared> {
        let mut limits = self.limits;
        // A watcher cannot be kept commits that the log does not hold.
        limits.watch_commits = limits.watch_commits.min(limits.log_commits);
        let history = &mut limits.history.commits;
        *history = history.map(|commits| commits.min(limits.log_commits));
        let mut config = self.config;
        let reads_max = &mut config.transaction_reads_max;
        *reads_max = config.transaction_changes_max.max(*reads_max);
        let make = (0..).zip(&self.make);
        let tables = make.map(|(position, make)| make(position, seed(position)));
        let kernel = Kernel::new(limits, tables.collect());
        let proposer = self.proposer.clone();
        let settings = self.settings.clone();
        Shared::new(
            Schema::new(kernel),
            (config, settings),
            proposer,
            self.watch,
        )
    }
}

/// A seed that another process cannot guess, nor another table has. Under shuttle always the same:
/// a schedule that is run again must meet the same tables.
fn seed(position: u16) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    let chance = match cfg!(shuttle) {
        true => 0,
        false => RandomState::new().hash_one(unique()),
    };
    hash_of(chance, &position)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::object::Indexes;

    #[derive(Clone)]
    struct One;

    impl Object for One {
        type Key = u64;
        const TABLE: &'static str = "one";

        fn key(&self) -> u64 {
            1
        }

        fn indexes(_: &mut Indexes<Self>) {}
    }

    #[test]
    fn tables_are_bounded() {
        let mut builder = Builder::new();
        builder.types = vec![TypeId::of::<()>(); usize::from(u16::MAX) - 1];
        let full = builder.table::<One>();
        assert_eq!(full.types.len(), 65_535);
        let mut full = full.table::<One>();
        full.types[65_534] = TypeId::of::<()>();
        full.names.clear();
        let more = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| full.table::<One>()));
        assert!(more.is_err(), "a table beyond the numbers of tables");
    }
}
