//! The stores compared, each behind [`Peer`]: what a workload asks of a store, in the store's own
//! best way.

mod concread;
mod dashmap;
mod imbl;
mod locked;
#[cfg(feature = "mvcc-core")]
mod mvcc_core;
mod papaya;
mod redb;
mod skep;
mod skep_rows;
mod skipdb;
mod skiplist;
mod surrealmx;

use std::ops::Index;

use crate::task::{Task, TextKey, id, text};

/// A snapshot held open.
pub trait Held {
    /// The counter of a task, as the snapshot shows it.
    fn count(&self, pick: u32) -> u64;
}

/// A transaction left open while others commit.
pub trait Open {
    /// Commits it; whether that worked.
    fn commit(self: Box<Self>) -> bool;
}

/// What a full scan saw.
#[derive(Default)]
pub struct Scanned {
    /// How many tasks.
    pub tasks: u64,
    /// The sum of their counters: whoever wants it has to read every task.
    pub count: u64,
}

impl Extend<u64> for Scanned {
    fn extend<I: IntoIterator<Item = u64>>(&mut self, counts: I) {
        counts.into_iter().for_each(|count| {
            self.tasks += 1;
            self.count += count;
        });
    }
}

impl FromIterator<u64> for Scanned {
    fn from_iter<I: IntoIterator<Item = u64>>(counts: I) -> Self {
        let mut scanned = Self::default();
        scanned.extend(counts);
        scanned
    }
}

/// What workloads ask of a store that holds tasks `0..records`. A pick is a task's number; a method
/// does one operation a pick, so that the
/// call through the vtable is paid for thousands of operations. `None`: the store has no such
/// operation.
#[expect(
    unused_variables,
    reason = "a store that has no such operation looks at nothing"
)]
pub trait Peer: Send + Sync {
    /// A snapshot and its end, nothing read: so many times.
    fn begin_each(&self, count: usize) -> Option<()> {
        None
    }

    /// Point reads inside one open snapshot (or guard, or lock): the sum of the counters read.
    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        None
    }

    /// A snapshot, one read, end: for each pick.
    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        None
    }

    /// Scans everything in key order, and reads each task's counter.
    fn scan_all(&self) -> Option<Scanned> {
        None
    }

    /// Scans `count` tasks from each pick on.
    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        None
    }

    /// Read-modify-write of one task, a transaction for each pick; the most attempts that one took.
    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        None
    }

    /// Read-modify-write of all picks in one transaction; the attempts.
    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        None
    }

    /// Puts a new task.
    fn insert(&self, number: u64) -> Option<()> {
        None
    }

    /// Takes a task out.
    fn remove(&self, number: u64) -> Option<()> {
        None
    }

    /// Gives memory back, as far as the store has a call for it.
    fn reclaim(&self) {}

    /// A snapshot to be held.
    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        None
    }

    /// A transaction that has read and changed one task, and is left open.
    fn open(&self, pick: u32) -> Option<Box<dyn Open + '_>> {
        None
    }
}

/// A kind of store.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Its name.
    pub name: &'static str,
    /// Makes one with tasks `0..records`.
    pub load: fn(records: u32) -> Box<dyn Peer>,
    /// Bytes a task of the list of keys that is kept for picks, and is not the store's.
    pub key_bytes: usize,
}

/// Ourselves.
pub const SKEP: &str = "skep";
/// A hash map without locks.
pub const PAPAYA: &str = "papaya";
/// An MVCC key-value store.
pub const SURREALMX: &str = "surrealmx";
/// A typed MVCC store, serializable.
pub const MVCC_CORE: &str = "mvcc-core";
/// The same at snapshot level, which lets write skew pass.
pub const MVCC_CORE_SNAPSHOT: &str = "mvcc-core, snapshot level";
/// A hash map in locked shards.
pub const DASHMAP: &str = "dashmap";
/// The standard library's B-tree behind its lock.
pub const BTREE: &str = "RwLock<BTreeMap>";

const fn peer(name: &'static str, load: fn(u32) -> Box<dyn Peer>) -> Kind {
    let key_bytes = size_of::<TextKey>();
    Kind {
        name,
        load,
        key_bytes,
    }
}

/// All of them, ourselves first.
pub const KINDS: &[Kind] = &[
    Kind {
        name: SKEP,
        load: skep::load,
        key_bytes: size_of::<::skep::Id>(),
    },
    peer(PAPAYA, papaya::load),
    peer(DASHMAP, dashmap::load),
    peer(BTREE, locked::load_tree),
    peer("RwLock<HashMap>", locked::load_hash),
    peer(SURREALMX, surrealmx::load),
    #[cfg(feature = "mvcc-core")]
    Kind {
        name: MVCC_CORE,
        load: mvcc_core::load,
        key_bytes: size_of::<String>() + size_of::<TextKey>(),
    },
    peer("skipdb", skipdb::load),
    peer("concread", concread::load),
    peer("redb", redb::load),
    peer("ArcSwap<imbl>", imbl::load),
    peer("SkipMap", skiplist::load),
];

/// A tiny row under an integer key: what mvcc-core's own bench stores.
#[derive(Clone, Debug)]
pub struct Row {
    id: u64,
    value: u64,
}

/// The stores of tiny rows, ourselves first. Keys are the picks themselves.
pub const ROW_KINDS: &[Kind] = &[
    peer(SKEP, skep_rows::load),
    #[cfg(feature = "mvcc-core")]
    peer(MVCC_CORE, mvcc_core::load_rows_serializable),
    #[cfg(feature = "mvcc-core")]
    peer(MVCC_CORE_SNAPSHOT, mvcc_core::load_rows_snapshot),
];

/// The numbers of `records` tasks in the order in which they are put in: mixed, so that nobody's
/// memory lies in key order by chance.
fn numbers(records: u32) -> impl Iterator<Item = u64> {
    // Keys are well mixed already: the numbers' order is not theirs.
    (0..records).map(u64::from)
}

/// The keys of a store's tasks as texts, by pick.
struct TextKeys(Vec<TextKey>);

impl TextKeys {
    /// Of tasks `0..records`.
    fn of(records: u32) -> Self {
        Self(numbers(records).map(|number| text(id(number))).collect())
    }
}

impl Index<u32> for TextKeys {
    type Output = TextKey;

    fn index(&self, pick: u32) -> &TextKey {
        &self.0[pick as usize]
    }
}

/// Task `number` with its key as a text.
fn keyed(number: u64) -> (TextKey, Task) {
    (text(id(number)), Task::new(number))
}
