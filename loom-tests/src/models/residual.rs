//! The residual lists (X1, X2): each node goes to one sweeper, who sees it whole.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::reclaim::{Domain, Garbage};
use crate::kernel::residual::testing::Lists;
use crate::kernel::testing::reclaim;

struct World {
    lists: Lists,
    /// Goes last: it empties the quarantine.
    domain: Domain,
}

impl World {
    /// With these nodes put away, and a sweep of them begun.
    fn sweeping(nodes: &[usize]) -> Arc<Self> {
        let world = Self {
            lists: Lists::new(),
            domain: Domain::new(),
        };
        nodes.iter().for_each(|&node| world.lists.put(node));
        world.lists.sweep(1);
        Arc::new(world)
    }

    /// Takes up to `most` nodes off the list, in one pin: the fence of a second one would order
    /// more than the list does.
    fn pop(&self, most: usize) -> Vec<usize> {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let popped = (0..most).map_while(|_| self.lists.pop(&guard, &mut garbage));
        let popped = popped.collect();
        drop(guard);
        self.domain.give(garbage);
        popped
    }
}

/// I1: a node is put away while a sweep takes the list.
#[test]
fn put_during_a_sweep() {
    let seen = outcomes(3, || {
        let world = World::sweeping(&[]);
        let cutter = spawn(&world, |world| world.lists.put(1));
        world.lists.sweep(2);
        let popped = world.pop(1);
        cutter.join().expect("no panic");
        popped
    });
    assert_eq!(seen, BTreeSet::from([vec![], vec![1]]));
}

/// I1: a node is put before another while a sweep takes the list.
#[test]
fn put_before_another_during_a_sweep() {
    let seen = outcomes(3, || {
        let world = World::sweeping(&[]);
        world.lists.put(1);
        let cutter = spawn(&world, |world| world.lists.put(2));
        world.lists.sweep(2);
        let popped = world.pop(2);
        cutter.join().expect("no panic");
        popped
    });
    assert_eq!(seen, BTreeSet::from([vec![1], vec![2, 1]]));
}

/// X2: a sweep begins while another goes on.
#[test]
fn pop_during_the_beginning_of_a_sweep() {
    let seen = outcomes(3, || {
        let world = World::sweeping(&[1]);
        let other = spawn(&world, |world| {
            world.lists.put(2);
            world.lists.sweep(2);
        });
        let popped = world.pop(2);
        other.join().expect("no panic");
        popped
    });
    assert_eq!(seen, BTreeSet::from([vec![1], vec![1, 2], vec![2, 1]]));
}

/// X2: two sweep at once: each node goes to one of them, and is freed after the other has looked at
/// it.
#[test]
fn two_sweepers() {
    let seen = outcomes(1, || {
        let world = World::sweeping(&[1, 2]);
        let pop = |world: &World| {
            let popped = world.pop(1);
            for _ in 0..3 {
                reclaim(&world.domain, |_| {});
            }
            popped[0]
        };
        let other = spawn(&world, move |world| pop(world));
        let mine = pop(&world);
        (mine, other.join().expect("no panic"))
    });
    assert_eq!(seen, BTreeSet::from([(1, 2), (2, 1)]));
}
