//! An order that panics while a dead entry is looked for: the entry stays where it is, and is freed
//! when another takes its place, or with the store.

use std::cell::Cell;
use std::cmp::Ordering;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use skep::{Index, Indexes, Object, Store};

thread_local! {
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

static VALUES_ALIVE: AtomicI64 = AtomicI64::new(0);

/// A value that counts itself.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Value(u64);

impl Value {
    fn new(number: u64) -> Self {
        VALUES_ALIVE.fetch_add(1, Relaxed);
        Self(number)
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        VALUES_ALIVE.fetch_sub(1, Relaxed);
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        if PANICS.get() {
            // Without the message of a panic.
            resume_unwind(Box::new("the order panics"));
        }
        self.0.cmp(&other.0)
    }
}

#[derive(Clone, Debug)]
struct Thing {
    key: u64,
    value: u64,
}

impl Thing {
    const BY_VALUE: Index<Self, Value> = Index::new("by_value", |thing: &Self, keys| {
        keys.add(Value::new(thing.value))
    });
}

impl Object for Thing {
    type Key = u64;
    const TABLE: &'static str = "thing";

    fn key(&self) -> u64 {
        self.key
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_VALUE);
    }
}

fn reclaim(store: &Store, panics: bool) {
    PANICS.set(panics);
    (0..8).for_each(|_| store.reclaim());
    PANICS.set(false);
}

#[test]
fn an_entry_whose_removal_panics_is_freed_later() {
    // Threads of a proposer would free values as well.
    let store = Store::builder().table::<Thing>().build();
    for key in 0..5 {
        let created = store.update(|tx| {
            tx.create(Thing {
                key,
                value: 10 * key,
            })
        });
        created.expect("a new key");
    }
    for _ in 0..20 {
        for (value, panics) in [(1_000, true), (10, false)] {
            let moved = store.update(|tx| tx.modify::<Thing>(&1, |it| it.value = value));
            moved.expect("it is there");
            reclaim(&store, panics);
        }
    }
    for key in 0..5 {
        let deleted = store.update(|tx| tx.delete::<Thing>(&key));
        deleted.expect("it is there");
    }
    reclaim(&store, false);
    assert_eq!(store.stats().versions, 0);
    drop(store);
    assert_eq!(VALUES_ALIVE.load(Relaxed), 0);
}
