//! What the scenarios put into a store: items that certify themselves and are counted while they
//! live.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use skep::{Builder, Index, Indexes, Object, Snapshot, Store, UpdateError, View, keys};

/// What an item's seal is made with.
const SEAL: u64 = 0x5EA1_5EA1_5EA1_5EA1;

/// How many items are alive, in all stores of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Living(Arc<AtomicI64>);

/// One living item.
#[derive(Debug)]
struct Token {
    living: Living,
    seal: u64,
}

/// An item, with a plain index and a unique one.
#[derive(Clone, Debug)]
pub struct Item {
    pub key: u64,
    pub amount: i64,
    pub group: u64,
    pub name: u64,
    /// What its writer wants to know it by.
    pub stamp: u64,
    token: Token,
}

impl Living {
    /// An item that nothing tells from others but its key.
    pub fn item(&self, key: u64, amount: i64) -> Item {
        Item {
            key,
            amount,
            group: 0,
            name: key,
            stamp: 0,
            token: Token::new(self, key ^ SEAL),
        }
    }

    fn add(&self, count: i64) {
        // The threads of an execution are one thread of the system.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Asserts that all is dropped: nothing leaked, and nothing was dropped twice.
    pub fn assert_none(&self) {
        assert_eq!(self.0.load(Ordering::Relaxed), 0, "items that still live");
    }

    /// The same, when the store's own threads have ended. If something leaked, the execution is too
    /// long, and fails.
    pub fn wait_for_none(&self) {
        while self.0.load(Ordering::Relaxed) != 0 {
            shuttle::thread::yield_now();
        }
    }
}

impl Token {
    fn new(living: &Living, seal: u64) -> Self {
        living.add(1);
        let living = living.clone();
        Self { living, seal }
    }
}

impl Clone for Token {
    fn clone(&self) -> Self {
        Self::new(&self.living, self.seal)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        assert_ne!(self.seal, 0, "dropped twice");
        self.seal = 0;
        self.living.add(-1);
    }
}

impl Item {
    pub const BY_NAME: Index<Self, u64> =
        Index::new("by_name", |item: &Self, keys| keys.add(item.name)).unique();
    pub const BY_GROUP: Index<Self, u64> =
        Index::new("by_group", |item: &Self, keys| keys.add(item.group));

    /// The same, of another group.
    pub fn of_group(mut self, group: u64) -> Self {
        self.group = group;
        self
    }

    /// Asserts that it is whole.
    pub fn certify(&self) -> &Self {
        assert_eq!(self.token.seal, self.key ^ SEAL, "not an item, or no more");
        self
    }
}

impl Object for Item {
    type Key = u64;
    const TABLE: &'static str = "item";

    fn key(&self) -> u64 {
        self.key
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_NAME).add(Self::BY_GROUP);
    }
}

/// Commits in the log: it wraps in the longer scenarios, and is soon gone through at the end.
const LOG_COMMITS: u64 = 32;

/// A builder with the table of items.
pub fn builder() -> Builder {
    Store::builder()
        .table::<Item>()
        .log_commits_max(LOG_COMMITS)
}

/// Puts items, in one commit.
pub fn put(store: &Store, items: impl IntoIterator<Item = Item>) {
    let items: Vec<Item> = items.into_iter().collect();
    let done = store.update(|tx| items.iter().try_for_each(|it| tx.upsert(it.clone())));
    done.expect("nothing is in the way");
}

/// Moves an amount from one item to another, and puts both into the group.
pub fn transfer(store: &Store, from: u64, to: u64, amount: i64, group: u64) {
    let moved: Result<(), UpdateError<skep::Error>> = store.update(|tx| {
        tx.modify::<Item>(&from, |item| {
            item.amount -= amount;
            item.group = group;
        })?;
        tx.modify::<Item>(&to, |item| {
            item.amount += amount;
            item.group = group;
        })?;
        Ok(())
    });
    moved.expect("both are there, and nobody is passed over 64 times");
}

/// What there is to see of an item.
pub type Shown = (u64, i64, u64, u64, u64);

pub fn show(item: &Item) -> Shown {
    (item.key, item.amount, item.group, item.name, item.stamp)
}

/// All that a snapshot or a view shows.
macro_rules! all_of {
    ($reader:expr) => {{
        let reader = $reader;
        let all = || reader.find(keys::<Item>().all());
        let items: Vec<Shown> = all().map(|item| show(item.certify())).collect();
        let mut by_group: Vec<Shown> = reader.find(Item::BY_GROUP.all()).map(show).collect();
        by_group.sort_unstable();
        assert_eq!(items, by_group, "the index shows something else");
        let mut by_name: Vec<Shown> = reader.find(Item::BY_NAME.all()).map(show).collect();
        by_name.sort_unstable();
        assert_eq!(items, by_name, "the unique index shows something else");
        for item in all() {
            let looked_up = reader.get::<Item>(&item.key).map(show);
            assert_eq!(looked_up, Some(show(item)), "a lookup shows something else");
        }
        items
    }};
}

/// All that a snapshot shows, by the keys; the indexes and lookups must show the same.
pub fn shown(snapshot: &Snapshot) -> Vec<Shown> {
    all_of!(snapshot)
}

/// The same of a view.
pub fn viewed(view: &View<'_>) -> Vec<Shown> {
    all_of!(view)
}

/// The sum of all amounts in a snapshot.
pub fn sum(snapshot: &Snapshot) -> i64 {
    shown(snapshot).iter().map(|(_, amount, ..)| amount).sum()
}
