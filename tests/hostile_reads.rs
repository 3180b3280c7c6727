//! Keys, ranges and values that a transaction has noted, and whose Drop panics as it ends: all of
//! them go, the panics reach nobody, and the thread's next transaction begins with nothing.

#[path = "common/brittle.rs"]
mod brittle;

use brittle::{BREAKS, Brittle, alive};
use skep::{Index, Indexes, Object, Store, Transaction, keys};

const LEADER: u64 = 10_000;

#[derive(Clone, Debug)]
struct Thing {
    id: u64,
    count: u64,
}

impl Thing {
    const BY_COUNT: Index<Self, Brittle> = Index::new("by_count", |thing: &Self, keys| {
        keys.add(Brittle::new(thing.count))
    });
    /// Of one object alone: what both an object's key and its value were of, or two keys were of,
    /// would panic twice at once, which ends a process.
    const LEADS: Index<Self, u64> = Index::new("leads", |thing: &Self, keys| {
        if thing.id == LEADER {
            keys.add(0);
        }
    })
    .unique();
}

impl Object for Thing {
    type Key = Brittle;
    const TABLE: &'static str = "thing";

    fn key(&self) -> Brittle {
        Brittle::new(self.id)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_COUNT).add(Self::LEADS);
    }
}

/// Reads keys and ranges, and writes, so many of each.
fn read_and_write(tx: &mut Transaction<'_>, each: u64) {
    for number in 0..each {
        let _ = tx.get::<Thing>(&Brittle::new(number));
        let _ = tx.count(keys::<Thing>().range(Brittle::new(number)..));
        let _ = tx.count(Thing::BY_COUNT.range(Brittle::new(number)..));
        let thing = Thing {
            id: LEADER + number,
            count: number,
        };
        tx.create(thing).expect("a new key");
    }
}

/// Few, as are looked through; as many as have a table of their positions; and more than are kept.
const EACH: [u64; 3] = [3, 40, 1_100];

#[test]
fn all_that_was_read_and_written_goes() {
    // Threads of a proposer would drop some of it as well.
    let store = Store::builder().table::<Thing>().build();
    for each in EACH {
        let before = alive();
        let mut tx = store.begin();
        read_and_write(&mut tx, each);
        BREAKS.set(true);
        drop(tx);
        BREAKS.set(false);
        assert_eq!(alive(), before, "{each}");
        // It has what it reads itself, and so has nothing in its way.
        let mut tx = store.begin();
        assert!(tx.get::<Thing>(&Brittle::new(0)).is_none());
        let new = |id| Thing { id, count: id };
        let others = store.update(|tx| tx.create(new(50_000 + each)));
        others.expect("a new key");
        tx.create(new(60_000 + each)).expect("a new key");
        tx.commit().expect("nothing that it read has changed");
    }
    assert_eq!(
        store.read().find(keys::<Thing>().all()).count(),
        2 * EACH.len()
    );
    drop(store);
    assert_eq!(alive(), 0);
}
