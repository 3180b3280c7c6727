//! Slabs given back and taken (B5, B6, B8, B12). A slab has two blocks here, each in a word of its
//! own, and a chunk two places.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn, with_world};
use crate::kernel::depot::{Depot, Taken};
use crate::sync::Witness;

/// Lines of a block.
const LINES: usize = 7;

/// A depot, and what stands in the blocks of its slabs: one for each, whichever slab it is of, so
/// that of two slabs only one is to be used at a time.
struct World {
    depot: Depot,
    blocks: [Witness; 2],
}

// SAFETY: a model's threads are one of the system's, and loom watches the witnesses.
unsafe impl Send for World {}
// SAFETY: as above.
unsafe impl Sync for World {}

impl World {
    /// A block.
    fn take(&self) -> Part {
        let taken = self.depot.take(LINES);
        assert_eq!(taken.blocks.bits, 1, "a word has one");
        Part(taken)
    }

    /// Both blocks of a slab.
    fn take_slab(&self) -> [Part; 2] {
        let both = [self.take(), self.take()];
        assert!(both[0].is_of(both[1]), "one slab's");
        assert_ne!(both[0].0.blocks.word, both[1].0.blocks.word);
        both.into_iter().for_each(|block| self.write(block));
        both
    }

    /// Uses a block as its holder may.
    fn write(&self, block: Part) {
        self.blocks[block.0.blocks.word].write();
    }

    fn give(&self, block: Part) {
        self.write(block);
        self.give_unused(block);
    }

    fn give_unused(&self, block: Part) {
        // SAFETY: B5: the models give what they have.
        unsafe { self.depot.give(block.0) };
    }
}

/// One block.
#[derive(Clone, Copy)]
struct Part(Taken);

// SAFETY: as for `World`.
unsafe impl Send for Part {}

impl Part {
    fn is_of(self, other: Self) -> bool {
        std::ptr::eq(self.0.slab, other.0.slab)
    }
}

fn with_depot<T>(run: impl FnOnce(&Arc<World>) -> T) -> T {
    let world = World {
        depot: Depot::new(),
        blocks: [Witness::new(), Witness::new()],
    };
    with_world(world, run)
}

/// B5, B6, B12: two give the last two blocks of a slab back: it goes, once, after both have used
/// them; or it stays on the list, with both. Whoever asks next gets both blocks of one slab.
#[test]
fn two_who_give_the_last_blocks_back() {
    let seen = outcomes(3, || {
        with_depot(|world| {
            let [mine, others] = world.take_slab();
            let other = spawn(world, move |world| world.give(others));
            world.give(mine);
            other.join().expect("no panic");
            let next = world.take_slab();
            next.into_iter().for_each(|block| world.give(block));
            next[0].is_of(mine)
        })
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

/// B5: one gives a block back, another asks for some: it gets that one, after it was used, or a new
/// slab's.
#[test]
fn a_block_given_while_another_is_asked_for() {
    let seen = outcomes(3, || {
        with_depot(|world| {
            let [mine, others] = world.take_slab();
            let other = spawn(world, move |world| world.give(others));
            let next = world.take();
            let same = next.is_of(mine);
            if same {
                assert_eq!(next.0.blocks.word, others.0.blocks.word);
                world.write(next);
            }
            other.join().expect("no panic");
            world.give_unused(next);
            world.give(mine);
            same
        })
    });
    assert_eq!(seen, BTreeSet::from([false, true]));
}

/// B6, B7: a slab goes or is taken while its last block comes back, and another slab may have got
/// its place by then: that one is left whole.
#[test]
fn a_slab_that_goes_while_others_come() {
    let seen = outcomes(2, || {
        with_depot(|world| {
            let [mine, others] = world.take_slab();
            world.give(mine);
            let other = spawn(world, move |world| world.give(others));
            let third = spawn(world, move |world| {
                let taken = world.take();
                world.give_unused(taken);
                taken.is_of(mine)
            });
            let next = world.take();
            let first = next.is_of(mine);
            world.give_unused(next);
            other.join().expect("no panic");
            (first, third.join().expect("no panic"))
        })
    });
    assert_eq!(
        seen,
        BTreeSet::from([(false, false), (false, true), (true, false), (true, true)])
    );
}

/// B5, B12: a block comes back to a slab that is just being taken off the list: whoever gets it,
/// counted or not, does so after it was used.
#[test]
fn a_block_given_to_a_slab_that_is_being_taken() {
    let seen = outcomes(3, || {
        with_depot(|world| {
            // Its word is looked through first.
            let [others, mine] = world.take_slab();
            world.give(mine);
            let other = spawn(world, move |world| world.give(others));
            let next = [world.take(), world.take()];
            let same = next.map(|block| block.is_of(mine));
            for (block, same) in next.into_iter().zip(same) {
                if same {
                    world.write(block);
                }
            }
            other.join().expect("no panic");
            next.into_iter().for_each(|block| world.give_unused(block));
            (same, next[0].0.blocks.word)
        })
    });
    let (both, one, none) = ([true, true], [true, false], [false, false]);
    let words = [(both, 0), (both, 1), (one, 0), (one, 1), (none, 0)];
    assert_eq!(seen, BTreeSet::from(words));
}

/// B7, B8: two who need two blocks each at once get their own, in chunks that they reach whole:
/// four slabs at once need two, and one more is made by who looked through all before the other
/// added one.
#[test]
fn two_who_need_new_slabs() {
    fn take_two(world: &World) {
        let taken = [world.take(), world.take()];
        taken.into_iter().for_each(|block| world.give_unused(block));
    }

    let seen = outcomes(1, || {
        with_depot(|world| {
            let other = spawn(world, |world| take_two(world));
            take_two(world);
            other.join().expect("no panic");
            world.depot.chunks_count()
        })
    });
    assert_eq!(seen, BTreeSet::from([1, 2, 3]));
}
