//! The point index: inserts, removals and lookups against the copying of a table.
//!
//! Tables begin with two groups of two words, and the third insert replaces them.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::point::testing::{Node, collect, empty, enter, get, leave};
use crate::kernel::point::{Point, PointIndex};
use crate::kernel::reclaim::{Domain, Garbage, Guard};

/// Keys below 16 share a home group and a tag, whatever the size of the table, so that each stands
/// in the others' way; those above stand elsewhere.
fn hash(key: u64) -> u64 {
    (key / 16) | (7 << 48)
}

/// Two keys that fill the first group.
const OLD: [u64; 2] = [1, 2];

struct Model {
    domain: Domain,
    index: PointIndex<Node>,
}

impl Model {
    /// With a node for each of these keys, which nobody claims.
    fn with(keys: &[u64]) -> Self {
        let model = Self {
            domain: Domain::new(),
            index: PointIndex::new(),
        };
        for key in keys {
            model.step(|guard, garbage| {
                let node = enter(&model.index, guard, garbage, *key, 0, hash);
                node.unclaim(garbage);
            });
        }
        model
    }

    /// Two slots of the first group used: by those of `OLD` that are to live, and by tombs.
    fn new(live: &[u64]) -> Arc<Self> {
        let model = Self::with(&OLD);
        for key in OLD.iter().filter(|key| !live.contains(key)) {
            let dead = model.kill(*key).expect("nobody claims it");
            model.remove(dead);
        }
        Arc::new(model)
    }

    fn step<R>(&self, run: impl FnOnce(&Guard<'_>, &mut Garbage) -> R) -> R {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let result = run(&guard, &mut garbage);
        drop(guard);
        self.domain.give(garbage);
        result
    }

    /// Claims the node of `key`, or puts one; gives its maker.
    fn enter(&self, key: u64, maker: u64) -> u64 {
        self.step(|guard, garbage| {
            let node = enter(&self.index, guard, garbage, key, maker, hash);
            assert_eq!(node.key, key);
            assert!(!node.is_dead(), "a claimed node is dead");
            node.maker
        })
    }

    /// The same; then a lookup has to find it.
    fn enter_and_look(&self, key: u64, maker: u64) -> u64 {
        self.step(|guard, garbage| {
            let node = enter(&self.index, guard, garbage, key, maker, hash);
            let found = get(&self.index, guard, key, hash).expect("a claimed node is missing");
            assert!(std::ptr::eq(found, node), "a claimed node is hidden");
            node.maker
        })
    }

    /// Kills the node of `key` if nobody claims it, and takes it out.
    fn reap(&self, key: u64) -> bool {
        let dead = self.kill(key).is_some_and(|node| {
            self.remove(node);
            true
        });
        for _ in 0..3 {
            collect(&self.domain);
        }
        dead
    }

    fn kill(&self, key: u64) -> Option<usize> {
        self.step(|guard, _| {
            let node = get(&self.index, guard, key, hash).filter(|node| node.kill())?;
            Some(std::ptr::from_ref(node).expose_provenance())
        })
    }

    fn remove(&self, node: usize) {
        self.step(|guard, garbage| {
            let node = std::ptr::with_exposed_provenance_mut::<Node>(node);
            // SAFETY: we killed it, so only we retire it.
            let dead = unsafe { crate::kernel::reclaim::at(node) };
            self.index.remove(guard, garbage, dead);
            // SAFETY: as above; it is removed.
            unsafe { garbage.retire(node) };
        });
    }

    /// The keys that are left when all threads are through.
    fn finish(self: Arc<Self>) -> Vec<u64> {
        let model = Arc::into_inner(self).expect("all threads are through");
        empty(model.index)
    }
}

/// P2, P3: both insert the same key; whoever fills the table replaces it.
#[test]
fn unique_insert_during_a_resize() {
    let seen = outcomes(3, || {
        let model = Model::new(&[]);
        let other = spawn(&model, |model| model.enter(3, 20));
        let mine = model.enter(3, 10);
        let outcome = (mine, other.join().expect("no panic"));
        assert_eq!(model.finish(), [3]);
        outcome
    });
    assert_eq!(seen, BTreeSet::from([(10, 10), (20, 20)]));
}

/// P3: the same when the table is replaced for another key's sake.
#[test]
fn unique_insert_after_a_resize() {
    let seen = outcomes(1, || {
        let model = Model::new(&[]);
        let other = spawn(&model, |model| model.enter_and_look(3, 20));
        model.enter(4, 10);
        let mine = model.enter(3, 10);
        let outcome = (mine, other.join().expect("no panic"));
        assert_eq!(model.finish(), [3, 4]);
        outcome
    });
    assert_eq!(seen, BTreeSet::from([(10, 10), (20, 20)]));
}

/// P4, P6: a node dies and is removed and freed while its table is copied, which is left half done.
#[test]
fn removal_during_a_copy() {
    let seen = outcomes(2, || {
        let model = Model::new(&[1]);
        let other = spawn(&model, |model| model.reap(1));
        model.enter(3, 10);
        let dead = other.join().expect("no panic");
        let left = model.finish();
        assert_eq!(left.contains(&1), !dead, "a removed node stands somewhere");
        (dead, left)
    });
    assert_eq!(seen, BTreeSet::from([(true, vec![3]), (false, vec![1, 3])]));
}

/// P4, P6: the same when it was copied already by another.
#[test]
fn removal_during_two_copies() {
    let seen = outcomes(1, || {
        let model = Model::new(&[1]);
        let other = spawn(&model, |model| {
            model.enter(4, 20);
            model.reap(1)
        });
        model.enter(3, 10);
        let dead = other.join().expect("no panic");
        let left = model.finish();
        assert_eq!(left.contains(&1), !dead, "a removed node stands somewhere");
        (dead, left)
    });
    assert_eq!(
        seen,
        BTreeSet::from([(true, vec![3, 4]), (false, vec![1, 3, 4])])
    );
}

/// P1: two replace the same dead node while it is removed.
#[test]
fn a_dead_node_replaced_by_two() {
    let seen = outcomes(2, || {
        let model = Model::new(&[1]);
        let dead = model.kill(1).expect("nobody claims it");
        let other = spawn(&model, |model| model.enter(1, 20));
        let third = spawn(&model, move |model| model.remove(dead));
        let mine = model.enter(1, 10);
        let outcome = (mine, other.join().expect("no panic"));
        third.join().expect("no panic");
        assert_eq!(model.finish(), [1]);
        outcome
    });
    assert_eq!(seen, BTreeSet::from([(10, 10), (20, 20)]));
}

/// P3: a dead node that is still in a frozen word must not hide the one put after it. `enter`
/// looks.
#[test]
fn a_dead_node_replaced_during_a_resize() {
    let seen = outcomes(3, || {
        let model = Model::new(&[1]);
        let dead = model.kill(1).expect("nobody claims it");
        let other = spawn(&model, |model| model.enter(3, 20));
        let mine = model.enter_and_look(1, 10);
        other.join().expect("no panic");
        // Whoever looks now sees the new one, wherever the dead one stands.
        let found = model.step(|guard, _| {
            let node = get(&model.index, guard, 1, hash).expect("put");
            node.maker
        });
        model.remove(dead);
        assert_eq!(model.finish(), [1, 3]);
        (mine, found)
    });
    assert_eq!(seen, BTreeSet::from([(10, 10)]));
}

/// P4: a node dies, perhaps copied already, and a new one is put in its place.
#[test]
fn a_copied_node_replaced() {
    let seen = outcomes(2, || {
        let model = Model::new(&[1]);
        let other = spawn(&model, |model| {
            let dead = model.kill(1);
            let maker = model.enter_and_look(1, 20);
            if let Some(dead) = dead {
                model.remove(dead);
            }
            (dead.is_some(), maker)
        });
        model.enter(3, 10);
        let outcome = other.join().expect("no panic");
        assert_eq!(model.finish(), [1, 3]);
        outcome
    });
    assert_eq!(seen, BTreeSet::from([(false, 0), (true, 20)]));
}

/// P3, P5: a lookup finds a claimed node at every moment, and no table is freed under it.
#[test]
fn lookup_during_a_resize() {
    let seen = outcomes(2, || {
        let model = Model::new(&OLD);
        model.enter(2, 0);
        let other = spawn(&model, |model| {
            model.enter(3, 20);
            model.enter(16, 20);
            for _ in 0..3 {
                collect(&model.domain);
            }
        });
        let found = [2, 4].map(|key| {
            model.step(|guard, _| get(&model.index, guard, key, hash).map(|node| node.key))
        });
        other.join().expect("no panic");
        assert_eq!(model.finish(), [1, 2, 3, 16]);
        found
    });
    assert_eq!(seen, BTreeSet::from([[Some(2), None]]));
}

/// P5, [copied]: the table is unlinked by one that copied nothing, for it finds no chunk left, and
/// then looks for what the other copied last. The third key has the table replaced, and its first
/// group copied, before the threads begin; 50 stands in the last word of the second one, after the
/// EMPTY word that both come to.
#[test]
fn unlinking_of_what_another_copied() {
    let seen = outcomes(2, || {
        let model = Arc::new(Model::with(&[3, 17, 50]));
        let other = spawn(&model, |model| {
            // In one pin: the fence of a second one would order more than the index does. Far from
            // 50 in either table: whoever sees its words has seen the copy.
            model.step(|guard, garbage| {
                enter(&model.index, guard, garbage, 64, 20, hash);
                get(&model.index, guard, 50, hash).map(|node| node.key)
            })
        });
        model.enter(4, 10);
        let found = other.join().expect("no panic");
        assert_eq!(model.finish(), [3, 4, 17, 50, 64]);
        found
    });
    assert_eq!(seen, BTreeSet::from([Some(50)]));
}

/// A lookup of a key that is being put and given up again, while the table is replaced.
#[test]
fn lookup_of_a_key_that_comes_and_goes() {
    let seen = outcomes(3, || {
        let model = Model::new(&[]);
        let other = spawn(&model, |model| {
            model.step(|guard, garbage| {
                let node = enter(&model.index, guard, garbage, 3, 20, hash);
                leave(&model.index, guard, garbage, node);
            });
        });
        let found =
            [3, 3].map(|key| model.step(|guard, _| get(&model.index, guard, key, hash).is_some()));
        other.join().expect("no panic");
        assert_eq!(model.finish(), [0; 0]);
        found
    });
    let expected = [[false, false], [false, true], [true, false], [true, true]];
    assert_eq!(seen, BTreeSet::from(expected));
}
