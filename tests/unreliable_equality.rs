//! Keys whose equality contradicts itself: a commit that would write one record twice is none, and
//! nothing is freed twice.

use std::cell::Cell;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use skep::{Error, Indexes, Object, Store, Transaction, keys};

thread_local! {
    /// So many comparisons of equal keys to come say that they differ.
    static DENIED: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, Debug, PartialOrd, Ord)]
struct Key(u64);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let is_equal = self.0 == other.0;
        let denied = DENIED.get();
        if is_equal && denied > 0 {
            DENIED.set(denied - 1);
            return false;
        }
        is_equal
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

#[derive(Clone, Debug)]
struct Thing {
    number: u64,
    _alive: Arc<()>,
}

impl Object for Thing {
    type Key = Key;
    const TABLE: &'static str = "thing";

    fn key(&self) -> Key {
        Key(self.number)
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// What a transaction does with one key.
type Write = fn(&mut Transaction<'_>, Thing) -> Result<(), Error>;

/// Commits many other things, and one twice, by a key that is not its own in between.
fn write_twice(store: &Store, (thing, others): (&Thing, u64), write: Write) {
    let committed = store.update(|tx| {
        for number in 100..100 + others {
            tx.upsert(Thing {
                number,
                ..thing.clone()
            })?;
        }
        write(tx, thing.clone())?;
        DENIED.set(1);
        write(tx, thing.clone())
    });
    committed.expect("nobody is in the way");
}

/// With so many others that writes are found by a look through them, by a map, and put in place at
/// once.
fn contradict(write: Write, numbers: impl Iterator<Item = u64>) {
    let store = Store::builder().table::<Thing>().build();
    let alive = Arc::new(());
    let thing = |number| Thing {
        number,
        _alive: Arc::clone(&alive),
    };
    store
        .update(|tx| tx.create(thing(1)))
        .expect("the first one");
    for (number, others) in numbers.zip([0, 30, 100]) {
        let twice = || write_twice(&store, (&thing(number), others), write);
        let panicked = catch_unwind(AssertUnwindSafe(twice)).is_err();
        assert!(panicked, "it is committed, with {others} others");
        assert_eq!(DENIED.get(), 0, "nothing was asked");
        // Twice, so that what the first one replaced goes as well.
        for _ in 0..2 {
            store
                .update(|tx| tx.upsert(thing(1)))
                .expect("nobody is in the way");
        }
        store.reclaim();
        assert_eq!(store.read().count(keys::<Thing>().all()), 1);
        assert_eq!(Arc::strong_count(&alive), 2, "with {others} others");
    }
    drop(store);
    assert_eq!(Arc::strong_count(&alive), 1);
}

#[test]
fn an_object_is_not_replaced_twice_by_one_commit() {
    contradict(|tx, thing| Ok(tx.upsert(thing)?), [1; 3].into_iter());
    let modify: Write = |tx, thing| Ok(tx.modify::<Thing>(&thing.key(), |_| ())?);
    contradict(modify, [1; 3].into_iter());
}

#[test]
fn an_object_is_not_created_twice_by_one_commit() {
    contradict(|tx, thing| Ok(tx.upsert(thing)?), 2..5);
}
