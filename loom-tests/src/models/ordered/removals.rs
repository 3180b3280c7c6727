//! Merges, dead nodes, and what is freed while others are on their way.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Key, Model, Node, SETUP, SPLITTING, THREAD, outcomes, outcomes_bounded, race, union};
use crate::kernel::ordered::Choice;
use crate::kernel::point::testing::collect;
use crate::kernel::reclaim::{Garbage, Guard};
use crate::sync::thread;

/// O3, O8: the last node of a leaf goes, so the leaf is merged with its neighbour, into which
/// another is put.
#[test]
fn ordered_merge_insert_scan() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            // [10 20] <30> [50]
            Model::with([10, 20, 30, 40, 50], &[30, 40]),
            vec![
                Box::new(|model, guard| {
                    model.remove(guard, 50);
                    vec![]
                }),
                Box::new(|model, guard| {
                    model.insert(guard, 15, THREAD);
                    vec![]
                }),
                Box::new(|model: &Model, guard: &Guard<'_>| model.keys(guard)),
            ],
        );
        assert_eq!(left, [10, 15, 20]);
        results[2].clone()
    });
    let expected = [&[][..], &[15], &[50], &[15, 50]];
    assert_eq!(
        seen,
        expected.iter().map(|more| union(&[10, 20], more)).collect()
    );
}

/// O3, O4: two leaves are merged from both sides.
#[test]
fn ordered_merge_by_two() {
    let seen = outcomes(|| {
        let (results, left) = race(
            // [20] <30> [50]
            Model::with([10, 20, 30, 40, 50], &[10, 30, 40]),
            vec![
                Box::new(|model, guard| {
                    model.remove(guard, 20);
                    model.has(guard, 50)
                }),
                Box::new(|model, guard| {
                    model.remove(guard, 50);
                    model.has(guard, 20)
                }),
            ],
        );
        assert!(left.is_empty());
        (results[0], results[1])
    });
    assert_eq!(
        seen,
        BTreeSet::from([(false, false), (false, true), (true, false)])
    );
}

/// O5: a dead node is taken out by its killer and replaced by an insert: exactly one of them does
/// it.
#[test]
fn ordered_dead_node_replaced() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            Model::with([10, 20, 30], &[]),
            vec![
                Box::new(|model, guard| {
                    let mut garbage = Garbage::new();
                    let mut replaced = None;
                    let new = Node::allocate(20, THREAD);
                    let node = model
                        .index
                        .insert(guard, &mut garbage, &Key(20), |standing| {
                            replaced = standing;
                            Choice::Put(new)
                        });
                    assert!(std::ptr::eq(node, new));
                    if let Some(replaced) = replaced {
                        // SAFETY: O5: our insert took it out.
                        unsafe { garbage.retire(std::ptr::from_ref(replaced).cast_mut()) };
                    }
                    model.later(garbage);
                    u64::from(replaced.is_some())
                }),
                Box::new(|model, guard| {
                    let mut garbage = Garbage::new();
                    let node = model
                        .index
                        .get(guard, &Key(20))
                        .expect("one of them stands");
                    if node.maker() == THREAD {
                        return 0;
                    }
                    let removed = model.index.remove(guard, &mut garbage, node);
                    if removed {
                        // SAFETY: O5: our remove took it out.
                        unsafe { garbage.retire(std::ptr::from_ref(node).cast_mut()) };
                    }
                    model.later(garbage);
                    u64::from(removed)
                }),
                Box::new(|model, guard| model.index.get(guard, &Key(20)).map_or(0, Node::maker)),
            ],
        );
        assert_eq!(left, [10, 20, 30]);
        (results[0], results[1], results[2])
    });
    let replaced = [(1, 0, SETUP), (1, 0, THREAD)];
    let removed = [(0, 1, SETUP), (0, 1, 0), (0, 1, THREAD)];
    assert_eq!(seen, replaced.into_iter().chain(removed).collect());
}

/// Runs one step under a guard of its own, then frees what nobody can see any more.
fn step<R>(model: &Model, run: impl FnOnce(&Guard<'_>) -> R) -> R {
    let guard = model.domain.pin();
    let result = run(&guard);
    drop(guard);
    let mine = std::mem::take(&mut *model.garbage.lock().expect("no panic"));
    for garbage in mine {
        model.domain.give(garbage);
    }
    for _ in 0..3 {
        collect(&model.domain);
    }
    result
}

/// O1, O5: a node is taken out and freed while its leaf is split, and then read over.
#[test]
fn ordered_free_split() {
    let seen = outcomes_bounded(|| {
        let model = Arc::new(Model::with(SPLITTING, &[]));
        let shared = Arc::clone(&model);
        let other = thread::spawn(move || step(&shared, |guard| shared.remove(guard, 40)));
        let guard = model.domain.pin();
        model.insert(&guard, 35, THREAD);
        let keys = model.keys(&guard);
        drop(guard);
        other.join().expect("no panic");
        let model = Arc::into_inner(model).expect("all threads are through");
        assert_eq!(model.finish(), [10, 20, 30, 35, 50, 60]);
        keys
    });
    let expected = [&[35][..], &[35, 40]].map(|more| union(&[10, 20, 30, 50, 60], more));
    assert_eq!(seen, BTreeSet::from(expected));
}

/// O4: a split retires and frees what a scan is on.
#[test]
fn ordered_split_frees_under_a_scan() {
    let seen = outcomes_bounded(|| {
        let model = Arc::new(Model::with(SPLITTING, &[]));
        let shared = Arc::clone(&model);
        let other = thread::spawn(move || step(&shared, |guard| shared.insert(guard, 35, THREAD)));
        let guard = model.domain.pin();
        let keys = model.keys(&guard);
        drop(guard);
        other.join().expect("no panic");
        let model = Arc::into_inner(model).expect("all threads are through");
        assert_eq!(model.finish(), union(&SPLITTING, &[35]));
        keys
    });
    assert_eq!(
        seen,
        BTreeSet::from([union(&SPLITTING, &[]), union(&SPLITTING, &[35])])
    );
}
