//! Changes at the end of a way that was gone before others changed the tree.

use std::collections::BTreeSet;

use super::{Key, Model, SPLITTING, THREAD, all_four, outcomes, outcomes_bounded, race, union};
use crate::kernel::ordered::Way;
use crate::kernel::reclaim::Guard;

impl Model {
    /// The whole way to a key.
    fn way_to<'g>(&'g self, guard: &'g Guard<'_>, key: u64) -> Way<'g> {
        let mut way = self.index.way(guard);
        while !way.has_arrived() {
            // SAFETY: begun in this index.
            unsafe { self.index.advance(guard, &mut way, &Key(key)) };
        }
        way
    }
}

/// O2, O3: the leaf at the end of the way is split, or its cell frozen, before the insert comes.
#[test]
fn ordered_way_insert_split() {
    let seen = outcomes(|| {
        let (results, left) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| {
                    let way = model.way_to(guard, 15);
                    model.insert_at(guard, &way, 15, THREAD);
                    model.has(guard, 35)
                }),
                Box::new(|model, guard| {
                    model.insert(guard, 35, THREAD);
                    model.has(guard, 15)
                }),
            ],
        );
        assert_eq!(left, union(&SPLITTING, &[15, 35]));
        (results[0], results[1])
    });
    // In two leaves, behind two cells: neither needs to have the other before it.
    assert_eq!(seen, all_four());
}

/// O3: the root is a full leaf when the way is gone, and an inner node when the insert comes.
#[test]
fn ordered_way_insert_root_split() {
    let seen = outcomes(|| {
        let (results, left) = race(
            Model::with([10, 20, 30, 40], &[]),
            vec![
                Box::new(|model, guard| {
                    let way = model.way_to(guard, 15);
                    model.insert_at(guard, &way, 15, THREAD)
                }),
                Box::new(|model, guard| model.insert(guard, 15, THREAD + 1)),
            ],
        );
        assert_eq!(left, [10, 15, 20, 30, 40]);
        assert_eq!(results[0], results[1], "two nodes stand for one key");
        results[0]
    });
    assert_eq!(seen, BTreeSet::from([THREAD, THREAD + 1]));
}

/// O3, O8: the leaf at the end of the way is merged with its neighbour before its node is taken
/// out.
#[test]
fn ordered_way_remove_merge() {
    let seen = outcomes(|| {
        let (results, left) = race(
            // [10 20] <30> [50 60]
            Model::with([10, 20, 30, 40, 50, 60], &[30, 40]),
            vec![
                Box::new(|model, guard| {
                    let way = model.way_to(guard, 50);
                    model.remove_at(guard, &way, 50);
                    model.has(guard, 60)
                }),
                Box::new(|model, guard| {
                    model.remove(guard, 60);
                    model.has(guard, 50)
                }),
            ],
        );
        assert_eq!(left, [10, 20]);
        (results[0], results[1])
    });
    assert_eq!(
        seen,
        BTreeSet::from([(false, false), (false, true), (true, false)])
    );
}

/// O3: what is put in and what is taken out go by ways into a leaf that a third one splits.
#[test]
fn ordered_way_insert_remove_split() {
    let seen = outcomes_bounded(|| {
        let (results, left) = race(
            Model::with(SPLITTING, &[]),
            vec![
                Box::new(|model, guard| {
                    let way = model.way_to(guard, 55);
                    model.insert_at(guard, &way, 55, THREAD) == THREAD
                }),
                Box::new(|model, guard| {
                    let way = model.way_to(guard, 40);
                    model.remove_at(guard, &way, 40);
                    model.has(guard, 55)
                }),
            ],
        );
        assert_eq!(left, [10, 20, 30, 50, 55, 60]);
        (results[0], results[1])
    });
    assert_eq!(seen, BTreeSet::from([(true, false), (true, true)]));
}
