//! Memory comes back: after churn with held snapshots and lagging watchers the store holds what a
//! fresh one with the same objects holds, by its own count and by the allocator's.

#[path = "common/allocated.rs"]
mod allocated;
mod common;

use allocated::bytes;
use common::{Random, Task, put, task};
use skep::{Error, Filter, Store, keys};

const OBJECTS: u64 = 2_000;
const TURNS: u64 = 30_000;

fn fill(store: &Store) {
    put(store, (0..OBJECTS).map(task));
    store.reclaim();
}

/// Updates, deletes and inserts at random, beside snapshots of all ages and a watcher that never
/// reads.
fn churn(store: &Store, random: &mut Random) {
    let _lagging = store.watch(Filter::all());
    let mut held = Vec::new();
    for turn in 0..TURNS {
        let id = random.below(OBJECTS);
        let done = store.update(|tx| {
            match turn % 3 {
                0 => tx.delete::<Task>(&id).map_or((), |()| ()),
                1 => tx.upsert(task(id))?,
                _ => tx.upsert(Task {
                    node: Some(turn % 5),
                    ..task(id)
                })?,
            }
            Ok::<_, Error>(())
        });
        done.expect("nobody is in the way");
        if turn % 500 == 0 {
            held.push(store.snapshot());
        }
        if held.len() > 8 {
            held.swap_remove(random.below(8) as usize);
        }
    }
}

#[test]
fn churn_comes_back_to_its_baseline() {
    let store = Store::builder().table::<Task>().build();
    let mut random = Random::new(1);
    fill(&store);
    // Once before the baseline, so that tables and trees have the size that churn gives them.
    churn(&store, &mut random);
    fill(&store);
    let (versions, before) = (store.stats().versions, bytes());
    assert_eq!(versions, OBJECTS);
    for _ in 0..3 {
        churn(&store, &mut random);
        fill(&store);
    }
    assert_eq!(store.stats().versions, OBJECTS);
    assert_eq!(store.read().count(keys::<Task>().all()) as u64, OBJECTS);
    let now = bytes();
    assert!(
        now <= before + before / 20,
        "{now} bytes in use, {before} before"
    );
    drop(store);
    let left = bytes();
    assert!(left < before / 20, "{left} bytes left of {before}");
}
