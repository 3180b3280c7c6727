//! An order that contradicts itself: what it hides in an index is leaked, and not freed while scans
//! still come by; and what takes its place there has nothing of it.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skep::{Filter, Index, Indexes, Object, Store, keys};

/// What a comparison does before it compares.
type Act = Box<dyn FnOnce()>;

thread_local! {
    /// Runs once, in the next comparison of keys.
    static BEFORE: RefCell<Option<Act>> = const { RefCell::new(None) };
    /// Whether values turn round, and whether keys do.
    static REVERSED: Cell<bool> = const { Cell::new(false) };
    static KEYS_REVERSED: Cell<bool> = const { Cell::new(false) };
    /// Whether all keys and values below 2 are said to be the same.
    static BLURRED: Cell<bool> = const { Cell::new(false) };
}

fn blurred(number: u64) -> u64 {
    if BLURRED.get() { number.max(1) } else { number }
}

fn turned(is_reversed: bool, one: u64, other: u64) -> Ordering {
    let order = blurred(one).cmp(&blurred(other));
    if is_reversed { order.reverse() } else { order }
}

static KEYS_ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A key that counts itself.
#[derive(Debug, PartialEq, Eq)]
struct Key(u64);

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        let before = BEFORE.take();
        if let Some(act) = before {
            act();
        }
        turned(KEYS_REVERSED.get(), self.0, other.0)
    }
}

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
        turned(REVERSED.get(), self.0, other.0)
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

/// Held by each test: they count in common.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn create(store: &Store, number: u64) {
    let created = store.update(|tx| tx.create(Thing(number)));
    created.expect("a new key");
}

/// Deletes the first one, whose entry is not found any more when it is to go.
fn hide_first(store: &Store) {
    let deleted = store.update(|tx| tx.delete::<Thing>(&Key::new(1)));
    deleted.expect("it is there");
    REVERSED.set(true);
    store.reclaim();
    REVERSED.set(false);
}

#[test]
fn a_hidden_entry_keeps_its_record() {
    let _alone = alone();
    // Of keys, which this counts, a proposer has clones, and other threads drop them.
    let store = Store::builder().table::<Thing>().build();
    (1..=3).for_each(|number| create(&store, number));
    store.reclaim();
    let before = KEYS_ALIVE.load(Relaxed);
    hide_first(&store);
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

#[test]
fn what_takes_the_place_of_a_hidden_entry_keeps_its_own_record() {
    let _alone = alone();
    let store = Store::builder().table::<Thing>().build();
    (1..=3).for_each(|number| create(&store, number));
    hide_first(&store);
    BLURRED.set(true);
    create(&store, 0);
    BLURRED.set(false);
    store.reclaim();
    let before = KEYS_ALIVE.load(Relaxed);
    // For its sake the log keeps what is deleted, and what that is found by.
    let watcher = store.watch(Filter::of::<Thing>());
    let deleted = store.update(|tx| tx.delete::<Thing>(&Key::new(0)));
    deleted.expect("it is there");
    store.reclaim();
    let after = KEYS_ALIVE.load(Relaxed);
    assert_eq!(
        after, before,
        "the record of an entry in its tree was freed"
    );
    drop((watcher, store));
    assert_eq!(KEYS_ALIVE.load(Relaxed), 0);
}

/// A thing without indexes.
#[derive(Clone, Debug)]
struct Plain(u64);

impl Object for Plain {
    type Key = Key;
    const TABLE: &'static str = "plain";

    fn key(&self) -> Key {
        Key::new(self.0)
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

fn plain(store: &Store) -> Vec<u64> {
    let view = store.read();
    let found = view.find(keys::<Plain>().all());
    found.map(|plain| plain.0).collect()
}

/// A dead record that is not found when it is to go shows a tombstone to scans that come by.
#[test]
fn a_hidden_record_keeps_what_it_shows() {
    let _alone = alone();
    let store = Store::builder().table::<Plain>().build();
    let create = |number| store.update(|tx| tx.create(Plain(number)));
    (1..=3).for_each(|number| create(number).expect("a new key"));
    store.reclaim();
    assert_eq!(store.stats().versions, 3);
    let deleted = store.update(|tx| tx.delete::<Plain>(&Key::new(1)));
    deleted.expect("it is there");
    KEYS_REVERSED.set(true);
    store.reclaim();
    KEYS_REVERSED.set(false);
    let versions = store.stats().versions;
    assert_eq!(
        versions, 3,
        "what a record in the key order shows was freed"
    );
    assert_eq!(plain(&store), [2, 3]);
    // What takes its place has it freed; the end of the store, whatever is left there.
    create(1).expect("it was deleted");
    store.reclaim();
    assert_eq!(store.stats().versions, 3);
    assert_eq!(KEYS_ALIVE.load(Relaxed), 3);
    assert_eq!(plain(&store), [1, 2, 3]);
    store
        .update(|tx| tx.delete::<Plain>(&Key::new(1)))
        .expect("it is there");
    KEYS_REVERSED.set(true);
    store.reclaim();
    KEYS_REVERSED.set(false);
    drop(store);
    assert_eq!(KEYS_ALIVE.load(Relaxed), 0);
}

/// Two who create one key put its record in order, each without finding that the other has.
#[test]
fn a_record_that_stands_twice_is_not_freed() {
    let _alone = alone();
    let store = Store::builder().table::<Thing>().build();
    (1..=3).for_each(|number| create(&store, number));
    let other = store.clone();
    BEFORE.set(Some(Box::new(move || {
        create(&other, 5);
        KEYS_REVERSED.set(true);
    })));
    let created = store.update(|tx| {
        let created = tx.create(Thing(5));
        if created.is_err() {
            KEYS_REVERSED.set(false);
        }
        created
    });
    created.expect_err("the other one has created it");
    assert!(!KEYS_REVERSED.get(), "it was tried again");
    store.reclaim();
    let before = KEYS_ALIVE.load(Relaxed);
    let deleted = store.update(|tx| tx.delete::<Thing>(&Key::new(5)));
    deleted.expect("it is there");
    store.reclaim();
    let after = KEYS_ALIVE.load(Relaxed);
    assert_eq!(after, before, "a record that stands in order was freed");
    let view = store.read();
    let found = view.find(keys::<Thing>().all()).map(|thing| thing.0);
    assert_eq!(found.collect::<Vec<u64>>(), [1, 2, 3]);
    drop(view);
    drop(store);
    assert_eq!(KEYS_ALIVE.load(Relaxed), 0);
}
