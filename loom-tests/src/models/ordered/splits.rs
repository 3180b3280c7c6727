//! Splits against inserts, removals, lookups and scans.

use std::collections::BTreeSet;

use super::{Model, SPLITTING, THREAD, all_four, outcomes, outcomes_bounded, race, union};
use crate::kernel::reclaim::Guard;

/// O2, O3: one insert splits a leaf, one goes to its neighbour, which is frozen with it; a
/// reader looks.
#[test]
fn ordered_split_insert_lookup() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| (model.insert(guard, 35, THREAD) == THREAD, true)),
                Box::new(|model, guard| (model.insert(guard, 15, THREAD) == THREAD, true)),
                Box::new(|model, guard| {
                    let splitting = model.has(guard, 35);
                    (splitting, model.has(guard, 15))
                }),
            ],
        );
        assert_eq!(left, union(&SPLITTING, &[15, 35]));
        assert!(results[0].0 && results[1].0);
        results[2]
    });
    assert_eq!(seen, all_four());
}

/// O3: both put the same key into a full leaf: one of the two stands.
#[test]
fn ordered_split_by_two_inserts_of_one_key() {
    let seen = outcomes(|| {
        let (results, left) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| model.insert(guard, 35, THREAD)),
                Box::new(|model, guard| model.insert(guard, 35, THREAD + 1)),
            ],
        );
        assert_eq!(left, union(&SPLITTING, &[35]));
        assert_eq!(results[0], results[1], "two nodes stand for one key");
        results[0]
    });
    assert_eq!(seen, BTreeSet::from([THREAD, THREAD + 1]));
}

/// O3: a node is taken out of the leaf that is being split.
#[test]
fn ordered_remove_split() {
    let seen = outcomes(|| {
        let (results, left) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 35, THREAD);
                    model.has(guard, 40)
                }),
                Box::new(|model, guard| {
                    model.remove(guard, 40);
                    model.has(guard, 35)
                }),
            ],
        );
        assert_eq!(left, [10, 20, 30, 35, 50, 60]);
        (results[0], results[1])
    });
    // 35 and 40 share a leaf, so whose CAS is second has the other's before it.
    assert_eq!(
        seen,
        BTreeSet::from([(false, false), (false, true), (true, true)])
    );
}

/// O7: the root is a full leaf, and two inserts split it.
#[test]
fn ordered_root_split_by_two() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            Model::with([10, 20, 30, 40], &[]),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 5, THREAD);
                    vec![]
                }),
                Box::new(|model, guard| {
                    model.insert(guard, 45, THREAD);
                    vec![]
                }),
                Box::new(|model: &Model, guard: &Guard<'_>| model.keys(guard)),
            ],
        );
        assert_eq!(left, [5, 10, 20, 30, 40, 45]);
        results[2].clone()
    });
    let standing = [10, 20, 30, 40];
    let some = [&[][..], &[5], &[45], &[5, 45]];
    assert_eq!(
        seen,
        some.iter().map(|more| union(&standing, more)).collect()
    );
}

/// An empty index is filled while another node is put in: whoever is first, all are there.
#[test]
fn ordered_fill_insert_lookup() {
    let keys = [10, 20, 30, 40];
    let seen = outcomes_bounded(move || {
        let (results, left) = race(
            Model::with([], &[]),
            vec![
                Box::new(move |model, guard| (model.fill(guard, &keys, THREAD), true)),
                Box::new(|model, guard| (model.insert(guard, 25, THREAD) == THREAD, true)),
                Box::new(|model, guard| {
                    let filled = model.has(guard, 30);
                    (filled, model.has(guard, 25))
                }),
            ],
        );
        assert_eq!(left, union(&keys, &[25]));
        assert!(results[1].0);
        (results[0].0, results[2])
    });
    let pairs = [(false, false), (false, true), (true, false), (true, true)];
    let first = pairs.map(|pair| (true, pair));
    // One by one, 30 is put in after 25.
    let second = pairs.map(|pair| (false, pair)).into_iter();
    let second = second.filter(|&(_, pair)| pair != (true, false));
    assert_eq!(seen, first.into_iter().chain(second).collect());
}

/// A scan goes over two leaves while the second is split and the first is changed.
fn scan_during_split(scan: fn(&Model, &Guard<'_>) -> Vec<u64>) {
    let seen = outcomes_bounded(move || {
        let (results, _) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 35, THREAD);
                    vec![]
                }),
                Box::new(|model, guard| {
                    model.insert(guard, 15, THREAD);
                    vec![]
                }),
                Box::new(scan),
            ],
        );
        results[2].clone()
    });
    let some = [&[][..], &[15], &[35], &[15, 35]];
    assert_eq!(
        seen,
        some.iter().map(|more| union(&SPLITTING, more)).collect()
    );
}

#[test]
fn ordered_scan_split() {
    scan_during_split(Model::keys);
}

#[test]
fn ordered_scan_downwards_split() {
    scan_during_split(Model::keys_downwards);
}

/// root -> ([10 20] [30 40]) <50> ([50 60] [70 80] [90 100] [110 120 130 140]): the second inner
/// node is full, and so is its last leaf.
fn tall() -> Model {
    Model::with((1..=14).map(|key| 10 * key), &[])
}

/// O3, O7: an inner node is split for the sake of a leaf while an insert goes below it.
#[test]
fn ordered_inner_split_insert() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            tall(),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 115, THREAD);
                    model.has(guard, 55)
                }),
                Box::new(|model, guard| model.insert(guard, 55, THREAD) == THREAD),
            ],
        );
        let tens: Vec<u64> = (1..=14).map(|key| 10 * key).collect();
        assert_eq!(left, union(&tens, &[55, 115]));
        assert!(results[1]);
        results[0]
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

/// What the index does not promise: of two that insert in different leaves and then look for the
/// other's, both may miss it. The order of commits is the log's business.
#[test]
fn ordered_lookups_in_different_leaves() {
    let seen = outcomes(|| {
        let (results, left) = race(
            Model::with([10, 20, 30, 40, 50], &[]),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 15, THREAD);
                    model.has(guard, 45)
                }),
                Box::new(|model, guard| {
                    model.insert(guard, 45, THREAD);
                    model.has(guard, 15)
                }),
            ],
        );
        assert_eq!(left, [10, 15, 20, 30, 40, 45, 50]);
        (results[0], results[1])
    });
    assert_eq!(seen, all_four());
}

/// O6: a scan goes over an inner node that is split.
#[test]
fn ordered_inner_split_scan() {
    let seen = outcomes_bounded(|| {
        let (results, _) = race(
            tall(),
            vec![
                Box::new(|model, guard| {
                    model.insert(guard, 115, THREAD);
                    vec![]
                }),
                Box::new(|model: &Model, guard: &Guard<'_>| model.keys(guard)),
            ],
        );
        results[1].clone()
    });
    let tens: Vec<u64> = (1..=14).map(|key| 10 * key).collect();
    assert_eq!(
        seen,
        BTreeSet::from([union(&tens, &[]), union(&tens, &[115])])
    );
}
