//! Stress on threads of the system.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use super::{Index, Key, Random, ascending, audit, collect, descending, insert, remove};
use crate::kernel::reclaim::Domain;
use crate::sync::thread;

/// A scan among writers: in order, and no standing key missing.
fn scan_once(domain: &Domain, index: &Index<4>, random: &mut Random, keys: u64) {
    let guard = domain.pin();
    let from = random.below(keys);
    let up = ascending(&guard, index, Some(Key::At(from)), 3000);
    assert!(
        up.is_sorted_by(|one, other| one < other),
        "out of order upwards"
    );
    let last = *up.last().unwrap_or(&from);
    let standing = up.iter().filter(|&key| key % 4 == 0).copied();
    let expected = (from..=last).filter(|key| key % 4 == 0);
    assert!(standing.eq(expected), "a standing node was missed upwards");
    let down = descending(&guard, index, Some(Key::At(from)), 3000);
    assert!(
        down.is_sorted_by(|one, other| one > other),
        "out of order downwards"
    );
    let last = *down.last().unwrap_or(&from);
    let standing = down.iter().filter(|&key| key % 4 == 0).copied();
    let expected = (last..=from).rev().filter(|key| key % 4 == 0);
    assert!(
        standing.eq(expected),
        "a standing node was missed downwards"
    );
}

#[test]
fn scans_see_all_standing_nodes_while_four_threads_write() {
    const KEYS: u64 = 16_000;
    let domain = Domain::new();
    let index = Index::<4>::new();
    let alive = Arc::new(AtomicU64::new(0));
    for key in (0..KEYS).step_by(4) {
        insert(&domain, &index, key, &alive);
    }
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4_u64)
            .map(|writer| {
                let (domain, index, alive) = (&domain, &index, &alive);
                scope.spawn(move || write(domain, index, alive, writer, KEYS))
            })
            .collect();
        let (domain, index, done) = (&domain, &index, &done);
        scope.spawn(move || {
            let mut random = Random(99);
            while !done.load(SeqCst) {
                scan_once(domain, index, &mut random, KEYS);
            }
        });
        let results: Vec<_> = writers
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect();
        done.store(true, SeqCst);
        assert!(results.iter().all(Result::is_ok), "a writer failed");
    });
    audit(&domain.pin(), &index);
    let all: Vec<u64> = (0..KEYS).step_by(4).collect();
    assert_eq!(ascending(&domain.pin(), &index, None, usize::MAX), all);
    for key in all {
        remove(&domain, &index, key);
    }
    drop(index);
    drop(domain);
    assert_eq!(alive.load(SeqCst), 0);
}

/// Fills a stretch of keys between the standing ones and clears it again, in the way of the others.
fn write(domain: &Domain, index: &Index<4>, alive: &Arc<AtomicU64>, seed: u64, keys: u64) {
    let mut random = Random(seed + 1);
    for _ in 0..40 {
        let start = random.below(keys);
        let mut held = Vec::new();
        for _ in 0..1500 {
            let key = (start + random.below(keys / 8)) % keys;
            if !key.is_multiple_of(4) {
                insert(domain, index, key, alive);
                held.push(key);
            }
            if random.below(50) == 0 {
                collect(domain);
            }
        }
        for key in held {
            remove(domain, index, key);
        }
    }
}
