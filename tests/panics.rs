//! Panics in every callback of the user: what was not committed is not there, the store stays
//! consistent and usable, and its memory comes back.

mod common;

use std::cell::Cell;
use std::cmp;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::{Task, put, task, wait_until};
use skep::{Filter, Index, Indexes, Object, Store, Version, keys};

/// The callbacks that can be told to panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seam {
    Compare,
    Equal,
    Hash,
    CloneKey,
    CloneObject,
    DropKey,
    DropObject,
    Extract,
    Unchanged,
}

thread_local! {
    /// Which callback of this thread panics, and at which of its coming calls.
    static ARMED: Cell<Option<(Seam, u32)>> = const { Cell::new(None) };
}

/// Called by each callback.
fn seam(seam: Seam) {
    if let Some((armed, calls)) = ARMED.get()
        && armed == seam
        && !std::thread::panicking()
    {
        ARMED.set((calls > 0).then(|| (seam, calls.saturating_sub(1))));
        if calls == 0 {
            panic!("the test's own panic in {seam:?}");
        }
    }
}

static KEYS_ALIVE: AtomicUsize = AtomicUsize::new(0);
static OBJECTS_ALIVE: AtomicUsize = AtomicUsize::new(0);

/// A key or index value that counts itself.
#[derive(Debug)]
struct Fragile(u64);

impl Fragile {
    fn new(value: u64) -> Self {
        KEYS_ALIVE.fetch_add(1, Ordering::Relaxed);
        Self(value)
    }
}

impl Clone for Fragile {
    fn clone(&self) -> Self {
        seam(Seam::CloneKey);
        Self::new(self.0)
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        KEYS_ALIVE.fetch_sub(1, Ordering::Relaxed);
        seam(Seam::DropKey);
    }
}

impl PartialEq for Fragile {
    fn eq(&self, other: &Self) -> bool {
        seam(Seam::Equal);
        self.0 == other.0
    }
}

impl Eq for Fragile {}

impl PartialOrd for Fragile {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fragile {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        seam(Seam::Compare);
        self.0.cmp(&other.0)
    }
}

impl Hash for Fragile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        seam(Seam::Hash);
        self.0.hash(state);
    }
}

/// An object whose every callback can be told to panic.
#[derive(Debug)]
struct Mine {
    key: u64,
    unique: u64,
    group: u64,
}

fn mine(key: u64, group: u64) -> Mine {
    OBJECTS_ALIVE.fetch_add(1, Ordering::Relaxed);
    let unique = key;
    Mine { key, unique, group }
}

impl Clone for Mine {
    fn clone(&self) -> Self {
        seam(Seam::CloneObject);
        OBJECTS_ALIVE.fetch_add(1, Ordering::Relaxed);
        let Self { key, unique, group } = *self;
        Self { key, unique, group }
    }
}

impl Drop for Mine {
    fn drop(&mut self) {
        OBJECTS_ALIVE.fetch_sub(1, Ordering::Relaxed);
        seam(Seam::DropObject);
    }
}

impl Mine {
    const BY_UNIQUE: Index<Self, Fragile> = Index::new("by_unique", |mine: &Self, keys| {
        seam(Seam::Extract);
        keys.add(Fragile::new(mine.unique));
    })
    .unique();
    const BY_GROUP: Index<Self, Fragile> = Index::new("by_group", |mine: &Self, keys| {
        seam(Seam::Extract);
        keys.add(Fragile::new(mine.group));
        keys.add(Fragile::new(mine.group + 100));
        // With so many entries an object goes to their places side by side.
        keys.add(Fragile::new(mine.group + 200));
    });
    /// With so many entries what stays is handed on together.
    const BY_ORIGIN: Index<Self, Fragile> = Index::new("by_origin", |mine: &Self, keys| {
        seam(Seam::Extract);
        (0..6).for_each(|origin| keys.add(Fragile::new(mine.key % 3 + origin)));
    })
    .unchanged_if(|old, new| (seam(Seam::Unchanged), old.key == new.key).1);
}

impl Object for Mine {
    type Key = Fragile;
    const TABLE: &'static str = "mine";

    fn key(&self) -> Fragile {
        Fragile::new(self.key)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_UNIQUE).add(Self::BY_GROUP);
        indexes.add(Self::BY_ORIGIN);
    }
}

fn key(value: u64) -> Fragile {
    Fragile::new(value)
}

/// One commit of each sort of write, with reads of each sort.
fn work(store: &Store, round: u64) {
    let new = 100 + round % 10;
    let done = store.update(|tx| {
        let _ = tx.get::<Mine>(&key(round % 7));
        let _ = tx.count(Mine::BY_GROUP.range(key(0)..key(3)));
        let _ = tx.first(keys::<Mine>().range(key(2)..).reversed());
        tx.upsert(mine(new, round % 4))?;
        tx.modify::<Mine>(&key(3), |mine| mine.group = round % 5)?;
        tx.delete::<Mine>(&key(5))?;
        tx.create(mine(5, round % 3))?;
        Ok::<_, skep::Error>(())
    });
    done.expect("nothing is in the way");
    let deleted = store.update(|tx| tx.delete::<Mine>(&key(new)));
    deleted.expect("it is there");
}

/// What every version must show: indexes and keys agree, and the law of `work`.
fn check(store: &Store) {
    let read = store.read();
    let mut all: Vec<u64> = read
        .find(keys::<Mine>().all())
        .map(|mine| mine.key)
        .collect();
    assert!(all.is_sorted());
    all.retain(|&key| key < 100);
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
    for mine in read.find(keys::<Mine>().all()) {
        assert_eq!(
            read.get::<Mine>(&key(mine.key)).unwrap().unique,
            mine.unique
        );
        assert_eq!(read.count(Mine::BY_UNIQUE.eq(key(mine.unique))), 1);
        let of_group = read.find(Mine::BY_GROUP.eq(key(mine.group)));
        assert_eq!(of_group.filter(|other| other.key == mine.key).count(), 1);
        let of_origin = read.find(Mine::BY_ORIGIN.eq(key(mine.key % 3 + 5)));
        assert_eq!(of_origin.filter(|other| other.key == mine.key).count(), 1);
    }
    let all = read.count(keys::<Mine>().all());
    assert_eq!(read.count(Mine::BY_UNIQUE.all()), all);
    assert_eq!(read.count(Mine::BY_GROUP.all()), all);
}

/// Runs `work` with the n-th call of a seam panicking, for n from 0 until none is reached.
fn fail_every_call(seam: Seam) {
    let (builder, kept) = common::builder_and_kept();
    let store = builder.table::<Mine>().table::<Task>().build();
    let created = store.update(|tx| (0..7).try_for_each(|key| tx.create(mine(key, key % 3))));
    created.unwrap();
    let held = store.snapshot();
    let mut panics = 0;
    for round in 0.. {
        ARMED.set(Some((seam, round as u32)));
        let caught = catch_unwind(AssertUnwindSafe(|| work(&store, round)));
        let reached = ARMED.take().is_none();
        panics += usize::from(caught.is_err());
        check(&store);
        if !reached || round > 400 {
            break;
        }
        // Whatever was left half-way does not stop the same keys from being written.
        for key in 100..110 {
            let _ = store.update(|tx| tx.delete::<Mine>(&Fragile::new(key)));
        }
        work(&store, round);
        check(&store);
    }
    assert!(
        panics > 0 || seam == Seam::DropObject,
        "{seam:?} was never called"
    );
    assert_eq!(held.count(keys::<Mine>().all()), 7);
    drop(held);
    store.reclaim();
    for key in 100..110 {
        let _ = store.update(|tx| tx.delete::<Mine>(&Fragile::new(key)));
    }
    kept.forget();
    wait_until(|| {
        store.reclaim();
        store.stats().versions == 7 && OBJECTS_ALIVE.load(Ordering::Relaxed) == 7
    });
    assert_eq!(store.stats().versions, 7, "{seam:?}: {:?}", store.stats());
    assert_eq!(store.stats().snapshots, 0);
    assert_eq!(
        OBJECTS_ALIVE.load(Ordering::Relaxed),
        7,
        "{seam:?}: objects"
    );
    drop((store, kept));
    wait_until(|| {
        OBJECTS_ALIVE.load(Ordering::Relaxed) == 0 && KEYS_ALIVE.load(Ordering::Relaxed) == 0
    });
    assert_eq!(
        OBJECTS_ALIVE.load(Ordering::Relaxed),
        0,
        "{seam:?}: objects"
    );
    assert_eq!(
        KEYS_ALIVE.load(Ordering::Relaxed),
        0,
        "{seam:?}: keys and values"
    );
}

#[test]
fn the_nth_call_of_each_callback_panics() {
    // One test, since they count in common.
    for seam in [
        Seam::Compare,
        Seam::Equal,
        Seam::Hash,
        Seam::CloneKey,
        Seam::CloneObject,
        Seam::Extract,
        Seam::Unchanged,
        Seam::DropObject,
    ] {
        fail_every_call(seam);
    }
    drop_panics_in_a_committer_and_in_a_handle();
    drop_panics_at_the_end_of_a_store();
    a_reader_survives_a_panicking_comparison();
}

fn drop_panics_in_a_committer_and_in_a_handle() {
    // With a proposer other threads free, too, and the handle may not be the last.
    let store = Store::builder().table::<Mine>().build();
    store.update(|tx| tx.create(mine(1, 1))).unwrap();
    let object = store.read().object::<Mine>(&key(1)).unwrap();
    store
        .update(|tx| tx.modify::<Mine>(&key(1), |mine| mine.group = 2))
        .unwrap();
    store.reclaim();
    // The handle is the object's last holder: its panic is the dropper's.
    ARMED.set(Some((Seam::DropObject, 0)));
    let caught = catch_unwind(AssertUnwindSafe(|| drop(object)));
    assert!(caught.is_err() && ARMED.take().is_none());
    // In collection it is nobody's: neither the committer's nor who calls reclaim.
    store
        .update(|tx| tx.modify::<Mine>(&key(1), |mine| mine.group = 3))
        .unwrap();
    for seam in 0..3 {
        ARMED.set(Some((Seam::DropObject, seam)));
        store.update(|tx| tx.delete::<Mine>(&key(1))).unwrap();
        store.reclaim();
        ARMED.take();
        store.update(|tx| tx.create(mine(1, 1))).unwrap();
    }
    assert_eq!(store.stats().versions, 1);
    drop(store);
    assert_eq!(OBJECTS_ALIVE.load(Ordering::Relaxed), 0);
}

fn drop_panics_at_the_end_of_a_store() {
    for seam in [Seam::DropKey, Seam::DropObject] {
        for calls in 0.. {
            let store = Store::builder().table::<Mine>().table::<Task>().build();
            store
                .update(|tx| (0..70).try_for_each(|key| tx.create(mine(key, key % 3))))
                .unwrap();
            store.update(|tx| tx.delete::<Mine>(&key(8))).unwrap();
            ARMED.set(Some((seam, calls)));
            // Nor is it the trouble of who has the last handle; and all the rest goes.
            drop(store);
            assert_eq!(OBJECTS_ALIVE.load(Ordering::Relaxed), 0, "{seam:?} {calls}");
            assert_eq!(KEYS_ALIVE.load(Ordering::Relaxed), 0, "{seam:?} {calls}");
            if ARMED.take().is_some() {
                break;
            }
        }
    }
}

fn a_reader_survives_a_panicking_comparison() {
    let (builder, kept) = common::builder_and_kept();
    let store = builder.table::<Mine>().build();
    store
        .update(|tx| (0..200).try_for_each(|key| tx.create(mine(key, key % 3))))
        .unwrap();
    for seam in [Seam::Compare, Seam::Equal, Seam::Hash] {
        for calls in 0..20 {
            ARMED.set(Some((seam, calls)));
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let read = store.read();
                assert!(read.get::<Mine>(&key(77)).is_some());
                read.count(Mine::BY_GROUP.range(key(1)..=key(2)))
            }));
            ARMED.take();
            assert!(caught.is_err() || caught.unwrap() == 133);
        }
    }
    assert_eq!(store.stats().snapshots, 0);
    store
        .update(|tx| (0..200).try_for_each(|id| tx.delete::<Mine>(&key(id))))
        .unwrap();
    kept.forget();
    wait_until(|| {
        store.reclaim();
        store.stats().versions == 0 && OBJECTS_ALIVE.load(Ordering::Relaxed) == 0
    });
    // No pin was left behind: everything is freed.
    assert_eq!(store.stats().versions, 0);
    assert_eq!(OBJECTS_ALIVE.load(Ordering::Relaxed), 0);
}

#[test]
fn panicking_closures_roll_back() {
    let store = common::builder().table::<Task>().build();
    put(&store, [task(1)]);
    let update = catch_unwind(AssertUnwindSafe(|| {
        store.update(|tx| {
            tx.create(task(2)).unwrap();
            tx.delete::<Task>(&1).unwrap();
            if tx.get::<Task>(&1).is_none() {
                panic!("the test's own panic");
            }
            Ok::<_, skep::Error>(())
        })
    }));
    assert!(update.is_err());
    let mut tx = store.begin();
    let modify = catch_unwind(AssertUnwindSafe(|| {
        tx.modify::<Task>(&1, |task| {
            task.count = 7;
            panic!("the test's own panic");
        })
    }));
    assert!(modify.is_err());
    // The transaction may go on, and the modification is not in it.
    assert_eq!(tx.get::<Task>(&1).unwrap().count, 0);
    tx.create(task(3)).unwrap();
    tx.commit().unwrap();
    let view = catch_unwind(AssertUnwindSafe(|| {
        store.view(|_| panic!("the test's own panic"))
    }));
    assert!(view.is_err());
    let read = store.read();
    let ids: Vec<u64> = read
        .find(keys::<Task>().all())
        .map(|task| task.id)
        .collect();
    assert_eq!((ids, store.version()), (vec![1, 3], Version::new(2)));
    drop(read);
    store.reclaim();
    assert_eq!((store.stats().snapshots, store.stats().versions), (0, 2));
}

/// A value whose comparison panics when both are told.
#[derive(Clone, Debug)]
struct Touchy {
    id: u64,
    value: TouchyValue,
}

#[expect(
    clippy::derived_hash_with_manual_eq,
    reason = "equal as derived, when it does not panic"
)]
#[derive(Clone, Debug, PartialOrd, Ord, Hash)]
struct TouchyValue(u64);

thread_local! {
    static TOUCHY: Cell<bool> = const { Cell::new(false) };
}

impl PartialEq for TouchyValue {
    fn eq(&self, other: &Self) -> bool {
        assert!(
            !(TOUCHY.get() && self.0.max(other.0) == 13),
            "the test's own panic"
        );
        self.0 == other.0
    }
}

impl Eq for TouchyValue {}

impl Touchy {
    const BY_VALUE: Index<Self, TouchyValue> = Index::new("by_value", |touchy: &Self, keys| {
        keys.add(touchy.value.clone())
    });
}

impl Object for Touchy {
    type Key = u64;
    const TABLE: &'static str = "touchy";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_VALUE);
    }
}

#[test]
fn a_watchers_comparison_panics_and_no_change_comes_twice() {
    let store = common::builder().table::<Touchy>().build();
    let mut watcher = store.watch(Filter::of::<Touchy>().value(Touchy::BY_VALUE, TouchyValue(5)));
    store
        .update(|tx| {
            (0..).zip([5, 13, 5]).try_for_each(|(id, value)| {
                tx.create(Touchy {
                    id,
                    value: TouchyValue(value),
                })
            })
        })
        .unwrap();
    TOUCHY.set(true);
    for _ in 0..3 {
        let caught = catch_unwind(AssertUnwindSafe(|| watcher.try_recv()));
        assert!(!matches!(caught, Ok(Ok(None))), "it is not through");
    }
    TOUCHY.set(false);
    let seen = common::events(&mut watcher);
    let ids: Vec<u64> = seen
        .iter()
        .filter_map(|event| Some(event.change()?.of::<Touchy>()?.new()?.id))
        .collect();
    assert!(ids.is_sorted_by(|left, right| left < right), "{ids:?}");
    drop(watcher);
    drop(store);
}
