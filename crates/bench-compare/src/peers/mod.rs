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

use std::hash::Hash;
use std::ops::Index;

use ::skep::Id;

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

    /// A read of what is newest, for each pick: without a snapshot, where the store has such reads.
    fn read_newest(&self, picks: &[u32]) -> Option<u64> {
        self.read_each(picks)
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

/// One that is given the keys that skep is given, which is no store of targets: those are asked
/// beside texts.
const fn by_id(name: &'static str, load: fn(u32) -> Box<dyn Peer>) -> Kind {
    let key_bytes = size_of::<Id>();
    Kind {
        name,
        load,
        key_bytes,
    }
}

/// All of them, ourselves first.
pub const KINDS: &[Kind] = &[
    by_id(SKEP, skep::load),
    peer(PAPAYA, papaya::load::<TextKey>),
    by_id("papaya by Id", papaya::load::<Id>),
    peer(DASHMAP, dashmap::load::<TextKey>),
    by_id("dashmap by Id", dashmap::load::<Id>),
    peer(BTREE, locked::load_tree::<TextKey>),
    by_id("RwLock<BTreeMap> by Id", locked::load_tree::<Id>),
    peer("RwLock<HashMap>", locked::load_hash::<TextKey>),
    by_id("RwLock<HashMap> by Id", locked::load_hash::<Id>),
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

/// What a map may have as its key.
trait Key: Copy + Eq + Hash + Ord + Send + Sync + 'static {
    /// An identity as such a key.
    fn of(id: Id) -> Self;
}

impl Key for TextKey {
    fn of(id: Id) -> Self {
        text(id)
    }
}

impl Key for Id {
    fn of(id: Id) -> Self {
        id
    }
}

/// The keys of a store's tasks, by pick.
struct Keys<K>(Vec<K>);

/// The same as texts.
type TextKeys = Keys<TextKey>;

impl<K: Key> Keys<K> {
    /// Of tasks `0..records`.
    fn of(records: u32) -> Self {
        Self(numbers(records).map(key).collect())
    }
}

impl<K> Index<u32> for Keys<K> {
    type Output = K;

    fn index(&self, pick: u32) -> &K {
        &self.0[pick as usize]
    }
}

/// The key of task `number`.
fn key<K: Key>(number: u64) -> K {
    K::of(id(number))
}

/// Task `number` with its key.
fn keyed<K: Key>(number: u64) -> (K, Task) {
    (key(number), Task::new(number))
}
