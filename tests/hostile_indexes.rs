//! An index function that is slow, or drops the last handle of another store: it is its own
//! transaction's business alone. (One that panics: `panics`; one that commits: `reentrancy`.)

mod common;
#[path = "common/within.rs"]
mod within;

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::put;
use skep::{Filter, Index, Indexes, Object, Store, keys};
use within::{ends, two};

/// What the index function of a slow object does, once: says that it has begun, and waits.
static WAIT: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);
/// What it drops, once.
static OTHER: Mutex<Option<Store>> = Mutex::new(None);

#[derive(Clone, Debug)]
struct Slow {
    id: u64,
    group: u64,
    /// Whether this one is slow.
    slow: bool,
}

impl Slow {
    const BY_GROUP: Index<Self, u64> = Index::new("by_group", |object: &Self, keys| {
        if object.slow {
            let wait = WAIT.lock().expect("nobody panics under the lock").take();
            if let Some((begun, let_go)) = wait {
                let _ = begun.send(());
                let _ = let_go.recv();
            }
            drop(OTHER.lock().expect("as above").take());
        }
        keys.add(object.group);
    });
}

impl Object for Slow {
    type Key = u64;
    const TABLE: &'static str = "slow";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_GROUP);
    }
}

fn object(id: u64, group: u64) -> Slow {
    let slow = false;
    Slow { id, group, slow }
}

#[test]
fn a_slow_index_function_holds_up_its_own_transaction_alone() {
    ends(|| {
        const TURNS: u64 = 500;
        let store = common::builder().table::<Slow>().build();
        put(&store, [object(1, 0), object(2, 0)]);
        let mut watcher = store.watch(Filter::of::<Slow>().key(&1));
        let (begun, begins) = channel();
        let (let_go, waits) = channel::<()>();
        *WAIT.lock().unwrap() = Some((begun, waits));
        *OTHER.lock().unwrap() = Some(two());
        let slow = Slow {
            slow: true,
            ..object(2, 9)
        };
        thread::scope(|scope| {
            let held = scope.spawn(|| store.update(|tx| tx.upsert(slow.clone())));
            begins.recv().expect("it is in the index function");
            for turn in 1..=TURNS {
                // The same table, index and groups, and once the very key.
                put(&store, [object(1, turn % 10), object(100 + turn, 9)]);
                assert!(store.snapshot().get::<Slow>(&1).is_some());
                let of_nine = store.read().count(Slow::BY_GROUP.eq(9u64));
                assert_eq!(of_nine as u64, turn + u64::from(turn % 10 == 9));
            }
            put(&store, [object(2, 5)]);
            assert_eq!(common::events(&mut watcher).len() as u64, 2 * TURNS);
            assert!(!held.is_finished());
            drop(let_go);
            assert_eq!(held.join().expect("no panic"), Ok(()));
        });
        // It was run again after the other's write of its key.
        let read = store.read();
        assert_eq!(read.get::<Slow>(&2).map(|it| it.group), Some(9));
        assert_eq!(read.count(Slow::BY_GROUP.eq(5u64)), 0);
        assert_eq!(read.count(keys::<Slow>().all()) as u64, 2 + TURNS);
        assert!(OTHER.lock().unwrap().is_none(), "it was dropped in there");
        drop(read);
        store.reclaim();
        assert_eq!(store.stats().versions, 2 + TURNS);
    });
}
