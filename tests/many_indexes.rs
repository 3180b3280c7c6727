//! Objects with many indexes, of which a write changes a few, several or all: what stays is handed
//! on from version to version, and each snapshot goes on finding what it found.

#[path = "common/allocated.rs"]
mod allocated;
mod common;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use allocated::bytes;
use common::Random;
use skep::{Index, Indexes, Keys, Object, Snapshot, Store};

/// More than a word has bits: the last ones cannot be handed on together.
const INDEXES: usize = 70;
const OBJECTS: u64 = 8;
const VALUES: u64 = 3;
const TURNS: u64 = 1_500;
/// So many turns from one snapshot that is held to the next.
const TURNS_A_SNAPSHOT: u64 = 25;
const SNAPSHOTS_HELD: usize = 6;

/// How many times the values of an object were asked for, index by index.
static EXTRACTED: [AtomicU32; INDEXES] = [const { AtomicU32::new(0) }; INDEXES];

/// Held by each test: one counts the process's bytes, and one what is extracted.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Found by each of its values that is not 0; by an odd one of an even index under its double as
/// well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    id: u64,
    values: [u64; INDEXES],
}

impl Row {
    fn values_in(&self, index: usize) -> Vec<u64> {
        let value = self.values[index];
        let double = index.is_multiple_of(2) && !value.is_multiple_of(2);
        let values = [(value != 0).then_some(value), double.then_some(2 * value)];
        values.into_iter().flatten().collect()
    }
}

fn extract<const N: usize>(row: &Row, keys: &mut Keys<'_, u64>) {
    EXTRACTED[N].fetch_add(1, Ordering::Relaxed);
    row.values_in(N)
        .into_iter()
        .for_each(|value| keys.add(value));
}

/// Whether an index has a shorter way to see that it has not changed.
const fn is_told(index: usize) -> bool {
    index.is_multiple_of(3)
}

fn by<const N: usize>(name: &'static str) -> Index<Row, u64> {
    let index = Index::new(name, extract::<N>);
    match is_told(N) {
        true => index.unchanged_if(|old, new| old.values[N] == new.values[N]),
        false => index,
    }
}

macro_rules! indexes {
    ($($tens:literal)*) => {
        [$(
            by::<{ 10 * $tens }>(concat!("by_", $tens, 0)),
            by::<{ 10 * $tens + 1 }>(concat!("by_", $tens, 1)),
            by::<{ 10 * $tens + 2 }>(concat!("by_", $tens, 2)),
            by::<{ 10 * $tens + 3 }>(concat!("by_", $tens, 3)),
            by::<{ 10 * $tens + 4 }>(concat!("by_", $tens, 4)),
            by::<{ 10 * $tens + 5 }>(concat!("by_", $tens, 5)),
            by::<{ 10 * $tens + 6 }>(concat!("by_", $tens, 6)),
            by::<{ 10 * $tens + 7 }>(concat!("by_", $tens, 7)),
            by::<{ 10 * $tens + 8 }>(concat!("by_", $tens, 8)),
            by::<{ 10 * $tens + 9 }>(concat!("by_", $tens, 9)),
        )*]
    };
}

fn all() -> [Index<Row, u64>; INDEXES] {
    indexes!(0 1 2 3 4 5 6)
}

impl Object for Row {
    type Key = u64;
    const TABLE: &'static str = "row";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        for index in all() {
            indexes.add(index);
        }
    }
}

/// A snapshot, and the rows that it shows.
type Shown = (Snapshot, Vec<Row>);

/// What a snapshot finds by each value of each index is what a look at each row finds.
fn check((snapshot, rows): &Shown) {
    for (number, index) in all().into_iter().enumerate() {
        for value in 1..=2 * VALUES {
            let found: Vec<u64> = snapshot.find(index.eq(value)).map(|row| row.id).collect();
            let due = rows.iter();
            let due = due.filter(|row| row.values_in(number).contains(&value));
            let due: Vec<u64> = due.map(|row| row.id).collect();
            assert_eq!(found, due, "index {number}, value {value}");
        }
    }
}

/// Of which indexes the values are set anew.
fn chosen(random: &mut Random) -> Vec<usize> {
    let some = match random.below(12) {
        0 => return (0..INDEXES).collect(),
        1 => return Vec::new(),
        2..=3 => random.below(INDEXES as u64),
        // Mostly the same ones: a row has a status, and what hardly changes.
        4..=8 => return vec![random.below(3) as usize, 5],
        _ => 1 + random.below(4),
    };
    (0..some)
        .map(|_| random.below(INDEXES as u64) as usize)
        .collect()
}

fn write(store: &Store, random: &mut Random, id: u64) {
    let chosen = chosen(random);
    let mut changed = store.read().get::<Row>(&id).cloned();
    if changed.is_some() && random.below(20) == 0 {
        return store
            .update(|tx| tx.delete::<Row>(&id))
            .expect("it is there");
    }
    let values = [0; INDEXES];
    let row = changed.get_or_insert(Row { id, values });
    for index in chosen {
        row.values[index] = random.below(VALUES + 1);
    }
    store
        .update(|tx| tx.upsert(row.clone()))
        .expect("nobody is in the way");
}

fn shown(store: &Store) -> Shown {
    let snapshot = store.snapshot();
    let rows = (0..OBJECTS).filter_map(|id| snapshot.get::<Row>(&id).cloned());
    let rows = rows.collect();
    (snapshot, rows)
}

fn churn(store: &Store, seed: u64) {
    let mut random = Random::new(seed);
    let mut held: Vec<Shown> = Vec::new();
    for turn in 0..TURNS {
        let id = random.below(OBJECTS);
        write(store, &mut random, id);
        if turn % TURNS_A_SNAPSHOT == 0 {
            held.push(shown(store));
        }
        if held.len() > SNAPSHOTS_HELD {
            check(&held.swap_remove(random.below(SNAPSHOTS_HELD as u64) as usize));
        }
    }
    held.iter().for_each(check);
}

fn empty(store: &Store) {
    for id in 0..OBJECTS {
        // It may be gone already.
        let _ = store.update(|tx| tx.delete::<Row>(&id));
    }
    store.reclaim();
}

#[test]
fn snapshots_find_by_what_stayed_and_by_what_changed() {
    let _alone = alone();
    let store = Store::builder().table::<Row>().build();
    (1..4).for_each(|seed| churn(&store, seed));
}

#[test]
fn an_index_that_tells_what_is_unchanged_is_asked_for_no_values() {
    let _alone = alone();
    let store = Store::builder().table::<Row>().build();
    let mut values = [1; INDEXES];
    let put = |values| store.update(|tx| tx.upsert(Row { id: 1, values }));
    put(values).expect("nobody is in the way");
    let (told, changed) = (3, 4);
    for value in 2..4 {
        for extracted in &EXTRACTED {
            extracted.store(0, Ordering::Relaxed);
        }
        values[changed] = value;
        values[told] = value;
        put(values).expect("nobody is in the way");
        for (index, extracted) in EXTRACTED.iter().enumerate() {
            let asked = extracted.load(Ordering::Relaxed) > 0;
            assert_eq!(asked, index == told || !is_told(index), "index {index}");
        }
    }
    check(&shown(&store));
}

#[test]
fn what_was_handed_on_goes_with_the_last_who_has_it() {
    let _alone = alone();
    let store = Store::builder().table::<Row>().build();
    // Once before, so that tables and trees have their sizes.
    churn(&store, 1);
    empty(&store);
    let before = bytes();
    for seed in 2..5 {
        churn(&store, seed);
    }
    empty(&store);
    let now = bytes();
    assert!(now <= before + before / 20, "{now} bytes, {before} before");
}

#[test]
fn rows_of_several_threads_beside_who_finds() {
    let _alone = alone();
    let store = Arc::new(Store::builder().table::<Row>().build());
    let writers = (0..2).map(|thread| {
        let store = Arc::clone(&store);
        thread::spawn(move || {
            let mut random = Random::new(7 + thread);
            for _ in 0..TURNS {
                // Each has rows of its own.
                let id = 2 * random.below(OBJECTS / 2) + thread;
                write(&store, &mut random, id);
            }
        })
    });
    let writers: Vec<_> = writers.collect();
    while !writers.iter().all(thread::JoinHandle::is_finished) {
        check(&shown(&store));
    }
    writers
        .into_iter()
        .for_each(|writer| writer.join().expect("no panic"));
    check(&shown(&store));
}
