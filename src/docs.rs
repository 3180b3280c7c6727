//! Longer texts: what the store guarantees, what it is limited to, and what things cost.

#![forbid(unsafe_code)]

/// What is wait-free, what is lock-free, and under which assumptions.
///
/// # Isolation
///
/// Update transactions are strictly serializable: each could have run alone at its own version, and
/// one that begins after another returned sees it. Point reads, index reads, ranges, prefixes and
/// "nothing there" reads are all validated. A transaction or snapshot that only reads is serialized at
/// its snapshot and never fails. [`Transaction::peek`](crate::Transaction::peek) reads the same
/// snapshot, but is not validated: with it, write skew and phantoms are possible.
///
/// # Progress
///
/// | operation | guarantee | bound |
/// |---|---|---|
/// | [`Store::read`](crate::Store::read), `view`, [`Store::begin`](crate::Store::begin) and their end | wait-free | two loads, two stores, one fence; no allocation for `read` |
/// | [`Store::snapshot`](crate::Store::snapshot) | wait-free | the same, the allocation of its handle, and one count shared by all threads |
/// | `get` | wait-free | a probe run of the hash, and the versions of that key newer than the snapshot |
/// | one step of a query | wait-free | the height of a tree; 64 results a descent |
/// | a commit, one attempt | lock-free | it fails only because another transaction committed since its snapshot |
/// | a commit after its append | wait-free | installs at most the commits in flight, with 64 pauses of courtesy each |
/// | index insertion, removal, growth | lock-free | a table's growth may fall to one inserter |
/// | collection | lock-free | in slices, by committers |
/// | `try_recv` of a watcher | wait-free up to 256 commits a turn | waiting itself is the operating system's |
///
/// Assumptions, and what they mean:
///
/// - *A thread's first use of a store* registers it: lock-free, once. So does holding more than seven
///   snapshots taken by one thread at a time, once for every seven more.
/// - *Allocation* is the allocator's: writers allocate; `get` and queries at a snapshot do not.
/// - *Epochs*: a thread that is stopped by the operating system while inside one of the store's own
///   operations keeps all memory retired after that from being freed. Commits and reads go on, and
///   memory grows until it runs again. Closures, matchers and iterations between results are not
///   inside: they stop no freeing.
/// - *Keys*: `Ord`, `Eq`, `Hash` and `Clone` of keys and index values run inside operations. They are
///   assumed to be short and total. If they lie, answers are wrong, but memory stays safe.
/// - *Starvation*: lock-free is not starvation-free. A long transaction that writes what short ones
///   keep writing may lose each time, and then fails with
///   [`UpdateError::Conflict`](crate::UpdateError::Conflict).
///
/// # Memory
///
/// A snapshot keeps, of each object, the version that it shows; versions between live snapshots go. A
/// key that is updated while a snapshot is held keeps at most four more links before its chain is
/// compacted. The commit log keeps what open transactions and watchers need, up to
/// [`Builder::log_commits_max`](crate::Builder::log_commits_max) and
/// [`Builder::watch_commits_max`](crate::Builder::watch_commits_max).
///
/// # Panics
///
/// A panic in a closure, matcher, index function, comparison, `Clone` or `Drop` of yours ends the
/// operation that it is in and leaves the store as it was, usable. A panic in `Drop` of an object that
/// the store frees is contained and goes no further than the panic hook.
pub mod guarantees {}

/// Every bound has a name and an answer.
///
/// | bound | default | set by | at the bound |
/// |---|---|---|---|
/// | attempts of an update | 64 | [`attempts_max`](crate::Builder::attempts_max) | `UpdateError::Conflict` |
/// | commits in the log | 4,194,304 | [`log_commits_max`](crate::Builder::log_commits_max) | a transaction older than that: `TooOld` |
/// | commits a watcher may lag | 65,536 | [`watch_commits_max`](crate::Builder::watch_commits_max) | `WatchError::Lagged` |
/// | commits kept for [`snapshot_at`](crate::Store::snapshot_at) | 0 | [`retention_commits`](crate::Builder::retention_commits) | `SnapshotError::Compacted` |
/// | objects a transaction may change | 1,048,576 | [`transaction_changes_max`](crate::Builder::transaction_changes_max) | `TooLarge` |
/// | objects, bytes a transaction of a batch changes | 200, 1 MiB | [`batch_changes_max`](crate::Builder::batch_changes_max), [`batch_bytes_max`](crate::Builder::batch_bytes_max) | the batch commits and goes on |
/// | tables of a store | 65,535 | - | a panic at build |
/// | handles of one object | 2,147,483,647 | - | a panic |
/// | versions | 2^61 | - | not reached: a million commits a second for 73,000 years |
///
/// What it is not: it does not persist, does not replicate, has no query planner (a query walks the one
/// index that it names), and gives a watcher no history before its start.
pub mod limits {}
