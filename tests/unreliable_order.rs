//! An order that contradicts itself: what it hides in an index is leaked, and not freed while scans
//! still come by.

use std::cell::Cell;
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use skep::{Index, Indexes, Object, Store};

thread_local! {
    static REVERSED: Cell<bool> = const { Cell::new(false) };
}

static KEYS_ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A key that counts itself.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key(u64);

impl Key {
    fn new(number: u64) -> Self {
        KEYS_ALIVE.fetch_add(1, Relaxed);
        Self(number)
    }
}

impl Clone for Key {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        KEYS_ALIVE.fetch_sub(1, Relaxed);
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A value whose order turns round.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Turning(u64);

impl PartialOrd for Turning {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Turning {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = self.0.cmp(&other.0);
        if REVERSED.get() {
            order.reverse()
        } else {
            order
        }
    }
}

#[derive(Clone, Debug)]
struct Thing(u64);

impl Thing {
    const BY_VALUE: Index<Self, Turning> =
        Index::new("by_value", |thing: &Self, keys| keys.add(Turning(thing.0)));
}

impl Object for Thing {
    type Key = Key;
    const TABLE: &'static str = "thing";

    fn key(&self) -> Key {
        Key::new(self.0)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_VALUE);
    }
}

#[test]
fn a_hidden_entry_keeps_its_record() {
    // Of keys, which this counts, a proposer has clones, and other threads drop them.
    let store = Store::builder().table::<Thing>().build();
    for number in 1..=3 {
        let created = store.update(|tx| tx.create(Thing(number)));
        created.expect("a new key");
    }
    store.reclaim();
    let before = KEYS_ALIVE.load(Relaxed);
    let deleted = store.update(|tx| tx.delete::<Thing>(&Key::new(1)));
    deleted.expect("it is there");
    // Its entry is not found any more when it is to go.
    REVERSED.set(true);
    store.reclaim();
    REVERSED.set(false);
    let after = KEYS_ALIVE.load(Relaxed);
    assert_eq!(
        after, before,
        "the record of an entry in its tree was freed"
    );
    let view = store.read();
    let found: Vec<u64> = view
        .find(Thing::BY_VALUE.all())
        .map(|thing| thing.0)
        .collect();
    assert_eq!(found, [2, 3]);
}
