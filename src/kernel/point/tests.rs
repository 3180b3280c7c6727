//! Stress on threads of the system, and what one thread can show of resizes.

use super::testing::{collect, empty, enter, get, leave};
use super::{Point, PointIndex};
use crate::kernel::reclaim::{Domain, Garbage};
use crate::sync::thread;

fn mixed(key: u64) -> u64 {
    (key ^ key >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ key.wrapping_mul(0xbf58_476d)
}

/// A bad hash: the homes of all keys are few.
fn crowded(key: u64) -> u64 {
    mixed(key) & !0xffff | key & 1
}

/// P2, P9.
#[test]
fn what_is_inserted_is_found_across_resizes_by_any_hash() {
    for hash in [mixed, crowded, |_| 0, |key| key] as [fn(u64) -> u64; 4] {
        let domain = Domain::new();
        let index = PointIndex::new();
        for key in 0..1500 {
            let guard = domain.pin();
            let mut garbage = Garbage::new();
            assert_eq!(enter(&index, &guard, &mut garbage, key, 1, hash).maker, 1);
            assert_eq!(enter(&index, &guard, &mut garbage, key, 2, hash).maker, 1);
            domain.give(garbage);
            let known = if key % 97 == 0 { 0 } else { key };
            for key in known..=key {
                assert!(get(&index, &guard, key, hash).is_some_and(|node| node.key == key));
            }
            assert!(get(&index, &guard, key + 1, hash).is_none());
        }
        assert!(
            index.slots(&domain.pin()) <= 1 << 17,
            "a bad hash has a price, and a limit"
        );
        assert_eq!(empty(index), (0..1500).collect::<Vec<_>>());
    }
}

#[test]
fn a_forecast_is_carried_to_a_larger_table() {
    let domain = Domain::new();
    let index = PointIndex::new();
    let guard = domain.pin();
    let mut garbage = Garbage::new();
    for key in 0..20_000 {
        let node = enter(&index, &guard, &mut garbage, key, 1, mixed);
        index.forecast(&guard, node);
    }
    let forecast = (0..20_000).filter(|key| {
        let node = get(&index, &guard, *key, mixed).expect("it was put in");
        let mut tables = index.tables(&guard);
        tables.any(|table| table.forecast_of(node) == Some(node.onward().cast()))
    });
    assert_eq!(forecast.count(), 20_000);
    drop(guard);
    domain.give(garbage);
    empty(index);
}

#[test]
fn a_rebuild_that_inserts_have_begun_is_finished_without_them() {
    let domain = Domain::new();
    let index = PointIndex::new();
    let mut garbage = Garbage::new();
    let guard = domain.pin();
    let mut keys = 0;
    // Not the first: that one is of a single chunk.
    while index.tables(&guard).count() < 2 || keys < 1_000 {
        enter(&index, &guard, &mut garbage, keys, 1, mixed);
        keys += 1;
    }
    let next = index.tables(&guard).last().map(super::Table::slots);
    let mut parts = 0;
    while index.rebuild(&guard, &mut garbage) {
        parts += 1;
    }
    assert!(parts > 1, "it was far from over: {parts}");
    assert_eq!(Some(index.slots(&guard)), next, "the old one is gone");
    assert!((0..keys).all(|key| get(&index, &guard, key, mixed).is_some()));
    drop(guard);
    domain.give(garbage);
    assert_eq!(empty(index), (0..keys).collect::<Vec<_>>());
}

#[test]
fn a_churned_table_is_cleaned_and_a_deserted_one_shrinks() {
    let domain = Domain::new();
    let index = PointIndex::new();
    for key in 0..200_000 {
        let guard = domain.pin();
        let mut garbage = Garbage::new();
        enter(&index, &guard, &mut garbage, key, 1, mixed);
        let old = key.checked_sub(if key < 50_000 { 10_000 } else { 100 });
        if let Some(node) = old.and_then(|old| get(&index, &guard, old, mixed)) {
            leave(&index, &guard, &mut garbage, node);
        }
        drop(guard);
        domain.give(garbage);
        if key % 16 == 0 {
            collect(&domain);
        }
        if key == 49_999 {
            let slots = index.slots(&domain.pin());
            assert!(slots <= 1 << 17, "10,000 nodes in {slots} slots");
        }
    }
    // What the change of pace left behind.
    let slots = index.slots(&domain.pin());
    assert!(slots <= 1 << 17, "10,000 nodes in {slots} slots");
    assert_eq!(empty(index).len(), 9_900 + 100);
}

/// P8.
#[test]
fn a_panicking_comparison_leaves_the_index_whole() {
    let domain = Domain::new();
    let index = PointIndex::new();
    for key in 0..300 {
        let guard = domain.pin();
        let mut garbage = Garbage::new();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let known = key / 2;
            let _ = index.insert(
                &guard,
                &mut Garbage::new(),
                mixed(known),
                |_| panic!("a user's comparison"),
                |_| panic!("a user's choice"),
            );
        }));
        assert!(panicked.is_err());
        enter(&index, &guard, &mut garbage, key, 1, mixed);
        domain.give(garbage);
    }
    assert_eq!(empty(index), (0..300).collect::<Vec<_>>());
}

#[test]
fn a_key_has_one_node_though_four_threads_insert_it_across_resizes() {
    const KEYS: u64 = 40_000;
    for round in 0..6 {
        let domain = Domain::new();
        let index = PointIndex::new();
        let insert = |maker: u64| {
            let mut seen = Vec::new();
            for step in 0..KEYS {
                // Each thread in an order of its own, close to the others'.
                let key = step ^ ((maker * 3 + round) % 16);
                let guard = domain.pin();
                let mut garbage = Garbage::new();
                let node = enter(&index, &guard, &mut garbage, key, maker, mixed);
                assert_eq!(node.key, key);
                seen.push((key, node.maker));
                assert!(get(&index, &guard, key / 2, mixed).is_none_or(|n| n.key == key / 2));
                assert!(get(&index, &guard, key, mixed).is_some_and(|n| std::ptr::eq(n, node)));
                drop(guard);
                domain.give(garbage);
                collect(&domain);
            }
            seen.sort_unstable();
            seen
        };
        let seen = thread::scope(|scope| {
            let threads = [0, 1, 2, 3].map(|maker| scope.spawn(move || insert(maker)));
            threads.map(|thread| thread.join().expect("no thread panics"))
        });
        assert!(
            seen.iter().all(|other| *other == seen[0]),
            "two nodes of a key"
        );
        assert_eq!(empty(index), (0..KEYS).collect::<Vec<_>>());
    }
}

#[test]
fn churn_by_four_threads_neither_loses_nor_resurrects_a_node() {
    const STEPS: u64 = 150_000;
    // Few keys: threads meet on nodes that die; more: tables are rebuilt.
    for keys in [3, 40, 3_000] {
        let domain = Domain::new();
        let index = PointIndex::new();
        let churn = |maker: u64| {
            let mut random = maker + 1;
            let mut held: Vec<u64> = Vec::new();
            for _ in 0..STEPS {
                random = mixed(random.wrapping_add(0x1234_5678_9abc));
                let guard = domain.pin();
                let mut garbage = Garbage::new();
                let key = random % keys;
                if held.len() < 8 {
                    let node = enter(&index, &guard, &mut garbage, key, maker, mixed);
                    assert_eq!(node.key, key, "a freed node was found");
                    held.push(key);
                } else {
                    let key = held.swap_remove(random as usize / 8 % 8);
                    // Held by us: it must be found, at every moment.
                    let node = get(&index, &guard, key, mixed).expect("a held node is missing");
                    assert_eq!(node.key, key);
                    leave(&index, &guard, &mut garbage, node);
                }
                for key in &held {
                    let found = get(&index, &guard, *key, mixed);
                    assert!(
                        found.is_some_and(|node| node.key == *key),
                        "a held node is missing"
                    );
                }
                drop(guard);
                domain.give(garbage);
                collect(&domain);
            }
            for key in held {
                let guard = domain.pin();
                let mut garbage = Garbage::new();
                let node = get(&index, &guard, key, mixed).expect("a held node is missing");
                leave(&index, &guard, &mut garbage, node);
                drop(guard);
                domain.give(garbage);
            }
        };
        thread::scope(|scope| {
            for maker in 0..4 {
                let churn = &churn;
                scope.spawn(move || churn(maker));
            }
        });
        // A node that a copier had claimed when its last owner gave it up still stands.
        for key in 0..keys {
            let guard = domain.pin();
            let mut garbage = Garbage::new();
            let node = enter(&index, &guard, &mut garbage, key, 4, mixed);
            leave(&index, &guard, &mut garbage, node);
            drop(guard);
            domain.give(garbage);
        }
        assert_eq!(empty(index), [], "every node was given up");
    }
}
