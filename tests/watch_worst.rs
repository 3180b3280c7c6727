//! Memory at the worst: all watchers are stopped, and objects are much larger than themselves.

#[path = "common/allocated.rs"]
mod allocated;

use std::sync::atomic::{AtomicUsize, Ordering};

use allocated::bytes;
use skep::{Filter, Index, Indexes, Object, Overflow, Store, WatchError, Watcher};

/// An object that points to most of what it takes.
#[derive(Clone, Debug)]
struct Blob {
    id: u64,
    group: u64,
    data: Vec<u8>,
}

/// How often a blob was asked how large it is.
static ASKED: AtomicUsize = AtomicUsize::new(0);
/// A blob of this group panics when it is asked.
const HOSTILE: u64 = 99;

impl Blob {
    const BY_GROUP: Index<Self, u64> = Index::new("by_group", |blob, keys| keys.add(blob.group));
}

impl Object for Blob {
    type Key = u64;
    const TABLE: &'static str = "blob";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_GROUP);
    }

    fn bytes(&self) -> usize {
        ASKED.fetch_add(1, Ordering::Relaxed);
        assert_ne!(self.group, HOSTILE, "as the test wants it");
        size_of::<Self>() + self.data.capacity()
    }
}

fn put(store: &Store, id: u64, group: u64, length: usize) {
    let data = vec![id as u8; length];
    let put = store.update(|tx| {
        let data = data.clone();
        tx.upsert(Blob { id, group, data }).map(drop)
    });
    put.expect("nothing is in the way");
}

const KEYS: u64 = 24;
const BYTES_MAX: u64 = 192 << 10;
const LARGE: usize = 16 << 10;
/// Bytes that a mailbox has beside what its bound counts, at most: where its letters end, and what
/// it let go.
const MAILBOX: u64 = 256;

fn overflow(number: u64) -> Overflow {
    match number % 3 {
        0 => Overflow::Lag,
        1 => Overflow::Coalesce,
        _ => Overflow::Close,
    }
}

/// Watchers of each key and of each group, so that some share what they wait for and some do not;
/// with each overflow.
fn watch(store: &Store) -> Vec<Watcher> {
    let mut watchers = Vec::new();
    for key in 0..KEYS {
        let filter = Filter::of::<Blob>().key(&key).bytes_max(BYTES_MAX);
        watchers.push(store.watch(filter.overflow(overflow(key))));
    }
    for group in 0..KEYS / 4 {
        let filter = Filter::of::<Blob>().value(Blob::BY_GROUP, group);
        let filter = filter.bytes_max(BYTES_MAX).overflow(overflow(group));
        watchers.push(store.watch(filter));
    }
    watchers
}

fn put_all(store: &Store, rounds: usize) {
    for round in 0..rounds {
        for key in 0..KEYS {
            put(store, key, key / 4, LARGE / (1 + round % 4));
        }
    }
}

#[test]
fn what_is_kept_for_stopped_watchers_is_at_most_what_their_bounds_add_up_to() {
    // One test: another that runs beside it would be counted.
    all_of_them_stopped(0);
    all_of_them_stopped(1);
    the_bounds_are_made_use_of();
    each_change_is_measured_once();
    a_panic_counts_the_object_alone();
    a_change_of_much_is_let_go_for_the_next();
}

/// All are stopped; some of them with what they took.
fn all_of_them_stopped(with_taken: usize) {
    let store = Store::builder().table::<Blob>().build();
    let mut watchers = watch(&store);
    put_all(&store, 4);
    drop(watchers);
    store.reclaim();
    let before = bytes();
    watchers = watch(&store);
    put_all(&store, 60);
    let mut bounds = watchers.len() as u64 * (BYTES_MAX + MAILBOX);
    for watcher in watchers.iter_mut().step_by(2).take(with_taken * 8) {
        while !matches!(
            watcher.try_recv(),
            Ok(Some(_)) | Err(WatchError::Overflowed)
        ) {}
        bounds += BYTES_MAX;
    }
    put_all(&store, 60);
    store.reclaim();
    let waiting: u64 = store.watchers().iter().map(|own| own.waiting_bytes).sum();
    assert!(waiting <= watchers.len() as u64 * BYTES_MAX);
    let kept = u64::try_from(bytes() - before).expect("they keep something");
    println!("{kept} bytes are kept, {bounds} are the bounds");
    assert!(kept <= bounds, "{kept} of {bounds}");
    assert!(kept > bounds / 8, "{kept} of {bounds}");
    drop(watchers);
    store.reclaim();
    let left = bytes() - before;
    assert!(left < 64 << 10, "{left} bytes are left");
}

/// Where nothing is shared, what is counted is what is kept.
fn the_bounds_are_made_use_of() {
    let store = Store::builder().table::<Blob>().build();
    let begin = |group: u64| {
        let filter = Filter::of::<Blob>().created().value(Blob::BY_GROUP, group);
        store.watch(filter.bytes_max(BYTES_MAX))
    };
    put_all(&store, 1);
    store.reclaim();
    let before = bytes();
    let watchers: Vec<Watcher> = (0..KEYS).map(begin).collect();
    for id in 1_000..1_000 + KEYS * 40 {
        put(&store, id, id % KEYS, 4_000);
        let deleted = store.update(|tx| tx.delete::<Blob>(&id).map(drop));
        deleted.expect("nothing is in the way");
    }
    store.reclaim();
    let kept = u64::try_from(bytes() - before).expect("they keep something");
    let waiting: u64 = store.watchers().iter().map(|own| own.waiting_bytes).sum();
    let bounds = KEYS * (BYTES_MAX + MAILBOX);
    println!("{kept} bytes are kept, {waiting} are counted, {bounds} are the bounds");
    assert!(kept <= bounds, "{kept} of {bounds}");
    assert!(waiting > bounds / 2, "{waiting} of {bounds}");
    let beyond = kept.abs_diff(waiting);
    assert!(beyond < waiting / 20, "{kept} where {waiting} are counted");
    drop(watchers);
}

/// However many watch it; and not at all if no mailbox gets it.
fn each_change_is_measured_once() {
    let store = Store::builder().table::<Blob>().build();
    let asked = |put: &dyn Fn()| {
        let before = ASKED.load(Ordering::Relaxed);
        put();
        ASKED.load(Ordering::Relaxed) - before
    };
    let reading = store.watch(Filter::of::<Blob>());
    assert_eq!(asked(&|| put(&store, 1, 1, 10)), 0, "nobody counts");
    let watchers: Vec<Watcher> = (0..10)
        .map(|_| store.watch(Filter::of::<Blob>().key(&1)))
        .collect();
    assert_eq!(
        asked(&|| put(&store, 1, 1, 10)),
        0,
        "the first of a large bound"
    );
    let bounded = store.watch(Filter::of::<Blob>().key(&1).bytes_max(BYTES_MAX));
    assert_eq!(asked(&|| put(&store, 1, 1, 10)), 2, "what was and what is");
    drop(bounded);
    for _ in 2..64 {
        assert_eq!(asked(&|| put(&store, 1, 1, 10)), 0);
    }
    assert_eq!(asked(&|| put(&store, 1, 1, 10)), 2, "many wait");
    assert_eq!(asked(&|| put(&store, 2, 1, 10)), 0, "of no mailbox");
    drop((reading, watchers));
}

fn a_panic_counts_the_object_alone() {
    let store = Store::builder().table::<Blob>().build();
    let mut watcher = store.watch(Filter::of::<Blob>().key(&1).bytes_max(BYTES_MAX));
    put(&store, 1, HOSTILE, 1 << 20);
    let waiting = store.watchers()[0].waiting_bytes;
    let own = size_of::<Blob>() as u64;
    // Its version, the change, and its place.
    assert!(waiting > own && waiting <= own + 64 + 136 + 64, "{waiting}");
    assert!(watcher.try_recv().expect("no lag").is_some());
}

/// What is made of several changes has what is before the first and after the last.
fn a_change_of_much_is_let_go_for_the_next() {
    let store = Store::builder().table::<Blob>().build();
    put(&store, 1, 1, 100);
    let filter = Filter::of::<Blob>()
        .key(&1)
        .events_max(2)
        .bytes_max(8 << 20);
    let watcher = store.watch(filter.overflow(Overflow::Coalesce));
    put(&store, 1, 1, 1 << 20);
    let first = store.watchers()[0].waiting_bytes;
    put(&store, 1, 1, 1 << 20);
    put(&store, 1, 1, 200);
    let own = store.watchers()[0];
    assert_eq!((own.waiting, own.missed), (1, 0));
    assert_eq!(own.waiting_bytes, first - (1 << 20) + 200);
    drop(watcher);
}
