//! A reader does nobody else's work: what others replaced, deleted or left behind is not destroyed
//! inside of its operations, however much of it has piled up, and even when its own snapshot was
//! all that kept it. Counted, not timed.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use skep::{Index, Indexes, Object, Snapshot, Store, keys};

/// Destructors of others' objects that run inside of a reader's operations.
const FOREIGN_DESTRUCTORS: u64 = 0;
/// Objects in the store, all of them replaced between two looks of the reader.
const OBJECTS: u64 = 64;
/// How often that happens.
const ROUNDS: u64 = 64;
/// Groups that they are in.
const GROUPS: u64 = 8;

thread_local! {
    /// Whether this thread is inside of an operation of a reader.
    static READING: Cell<bool> = const { Cell::new(false) };
}

/// Destructors that ran.
#[derive(Default)]
struct Counts {
    all: AtomicU64,
    inside: AtomicU64,
}

/// Tells where it is destroyed.
struct Witness(Arc<Counts>);

impl Clone for Witness {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.all.fetch_add(1, Ordering::Relaxed);
        if READING.get() {
            self.0.inside.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[derive(Clone)]
struct Thing {
    id: u64,
    group: u64,
    #[expect(dead_code, reason = "it is there to be dropped")]
    witness: Witness,
}

impl Thing {
    const BY_GROUP: Index<Self, u64> =
        Index::new("by_group", |thing: &Self, keys| keys.add(thing.group));
}

impl Object for Thing {
    type Key = u64;
    const TABLE: &'static str = "thing";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_GROUP);
    }
}

fn filled(counts: &Arc<Counts>) -> Store {
    let store = Store::builder()
        .table::<Thing>()
        .attempts_max(u32::MAX)
        .build();
    let created =
        store.update(|tx| (0..OBJECTS).try_for_each(|id| tx.create(thing(id, 0, counts))));
    created.expect("a new store");
    store
}

fn thing(id: u64, round: u64, counts: &Arc<Counts>) -> Thing {
    Thing {
        id,
        group: (id + round) % GROUPS,
        witness: Witness(Arc::clone(counts)),
    }
}

/// Replaces every object, a commit each, so that versions, entries and leaves are left behind; and
/// deletes some, and puts them in again.
fn replace_all(store: &Store, round: u64, counts: &Arc<Counts>) {
    for id in 0..OBJECTS {
        let replaced = store.update(|tx| tx.update(thing(id, round, counts)));
        replaced.expect("it is there");
        if (id + round).is_multiple_of(7) {
            let deleted = store.update(|tx| tx.delete::<Thing>(&id));
            deleted.expect("it is there");
            let created = store.update(|tx| tx.create(thing(id, round, counts)));
            created.expect("it was deleted");
        }
    }
}

/// Does something as a reader.
fn reading<R>(operation: impl FnOnce() -> R) -> R {
    READING.set(true);
    let result = operation();
    READING.set(false);
    result
}

/// Everything that a reader can do at once, each of it once, and drops a snapshot of before.
fn every_operation(store: &Store, old: &mut Option<Snapshot>) {
    let id = 3;
    reading(|| drop(store.read()));
    reading(|| drop(store.snapshot()));
    reading(|| {
        let view = store.read();
        assert!(view.get::<Thing>(&id).is_some());
        assert!(view.entry::<Thing>(&id).is_some());
        assert_eq!(view.count(keys::<Thing>().all()), OBJECTS as usize);
        assert_eq!(
            view.count(Thing::BY_GROUP.eq(1u64)),
            (OBJECTS / GROUPS) as usize
        );
        assert!(view.exists(Thing::BY_GROUP.range(2..5)));
        assert!(view.first(keys::<Thing>().range(5..).reversed()).is_some());
        assert_eq!(view.find(keys::<Thing>().all().limit(9)).count(), 9);
    });
    reading(|| store.view(|view| view.object::<Thing>(&id).map(drop)));
    if let Some(old) = old {
        reading(|| assert_eq!(old.count(keys::<Thing>().all()), OBJECTS as usize));
        reading(|| assert!(old.get::<Thing>(&id).is_some()));
    }
    // It was all that kept what has been replaced since.
    reading(|| drop(old.take()));
    *old = Some(reading(|| store.snapshot()));
}

fn check(store: Store, counts: &Counts, made: u64) {
    let inside = counts.inside.load(Ordering::Relaxed);
    assert_eq!(inside, FOREIGN_DESTRUCTORS, "of {made} in a reader");
    // Somebody did the work, so there was some to be done.
    store.reclaim();
    let all = counts.all.load(Ordering::Relaxed);
    assert!(
        all + 2 * OBJECTS > made / 2,
        "{all} of {made} were destroyed"
    );
    drop(store);
}

/// The reader's own thread writes between its reads: what it has retired itself waits there, ripe.
#[test]
fn of_ones_own_writes_nothing_is_destroyed_in_a_read() {
    let counts = Arc::new(Counts::default());
    let store = filled(&counts);
    let mut old = None;
    for round in 0..ROUNDS {
        replace_all(&store, round, &counts);
        every_operation(&store, &mut old);
    }
    drop(old);
    check(store, &counts, ROUNDS * OBJECTS);
}

/// Another thread writes, and a third collects, in turns with the reader; and both go on while it
/// is inside of a view.
#[test]
fn of_others_writes_nothing_is_destroyed_in_a_read() {
    let counts = Arc::new(Counts::default());
    let store = filled(&counts);
    std::thread::scope(|scope| {
        let (ask, asked) = mpsc::channel::<u64>();
        let (tell, told) = mpsc::channel();
        let (store, counts) = (&store, &counts);
        scope.spawn(move || {
            for round in asked {
                replace_all(store, round, counts);
                if round.is_multiple_of(3) {
                    store.reclaim();
                }
                tell.send(()).expect("the reader waits");
            }
        });
        let mut old = None;
        for round in 0..ROUNDS {
            ask.send(round).expect("the writer waits");
            told.recv().expect("it has written");
            every_operation(store, &mut old);
            // Written and collected while a view is open.
            let view = reading(|| store.read());
            ask.send(round + 1).expect("the writer waits");
            told.recv().expect("it has written");
            reading(|| assert!(view.get::<Thing>(&5).is_some()));
            reading(|| drop(view));
        }
    });
    check(store, &counts, 2 * ROUNDS * OBJECTS);
}

/// So many readers that end with their threads, each having held a snapshot.
#[test]
fn readers_that_come_and_go_leave_the_work_to_writers() {
    let counts = Arc::new(Counts::default());
    let store = filled(&counts);
    for round in 0..ROUNDS {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut old = Some(reading(|| store.snapshot()));
                replace_all(&store, round, &counts);
                every_operation(&store, &mut old);
                reading(|| drop(old));
            });
        });
    }
    check(store, &counts, ROUNDS * OBJECTS);
}

/// The witness sees what it is to see: what a reader destroys of its own is counted.
#[test]
fn a_destructor_in_a_reader_would_be_counted() {
    let counts = Arc::new(Counts::default());
    let own = Witness(Arc::clone(&counts));
    reading(|| drop(own));
    drop(Witness(Arc::clone(&counts)));
    assert_eq!(counts.inside.load(Ordering::Relaxed), 1);
    assert_eq!(counts.all.load(Ordering::Relaxed), 2);
}
