//! Slabs given back and taken (B5 to B8). A slab has two blocks here, and a chunk two places.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::depot::{Depot, Taken};
use crate::kernel::reclaim::quarantine;
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
    /// Both blocks of a slab.
    fn take(&self) -> Taken {
        let taken = self.depot.take(LINES);
        self.write(taken.blocks);
        taken
    }

    /// Uses blocks as their holder may.
    fn write(&self, blocks: u64) {
        for (place, block) in self.blocks.iter().enumerate() {
            if blocks >> place & 1 == 1 {
                block.write();
            }
        }
    }

    fn give(&self, taken: Taken) {
        self.write(taken.blocks);
        // SAFETY: B5: the models give what they have.
        unsafe { self.depot.give(taken) };
    }
}

/// One block of those.
fn one(taken: Taken, place: u32) -> Part {
    assert_eq!(taken.blocks >> place & 1, 1, "it is free");
    Part(Taken {
        blocks: 1 << place,
        ..taken
    })
}

#[derive(Clone, Copy)]
struct Part(Taken);

// SAFETY: as for `World`.
unsafe impl Send for Part {}

fn with_depot<T>(run: impl FnOnce(&Arc<World>) -> T) -> T {
    let world = Arc::new(World {
        depot: Depot::new(),
        blocks: [Witness::new(), Witness::new()],
    });
    let outcome = run(&world);
    drop(world);
    quarantine::clear();
    outcome
}

/// B5, B6: two give the last two blocks of a slab back: it goes, once, after both have used them;
/// or it stays on the list, with both. Whoever asks next gets two blocks.
#[test]
fn two_who_give_the_last_blocks_back() {
    let seen = outcomes(3, || {
        with_depot(|world| {
            let slab = world.take();
            let (mine, others) = (one(slab, 0), one(slab, 1));
            let other = spawn(world, move |world| world.give({ others }.0));
            world.give(mine.0);
            other.join().expect("no panic");
            let next = world.take();
            assert_eq!(next.blocks, 0b11, "all of a slab");
            world.give(next);
            std::ptr::eq(next.slab, slab.slab)
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
            let slab = world.take();
            let (mine, others) = (one(slab, 0), one(slab, 1));
            let other = spawn(world, move |world| world.give({ others }.0));
            let next = world.depot.take(LINES);
            let same = std::ptr::eq(next.slab, slab.slab);
            if same {
                assert_eq!(next.blocks, 0b10, "the one that was given back");
                world.write(next.blocks);
            }
            other.join().expect("no panic");
            world.give(next);
            world.give(mine.0);
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
            let slab = world.take();
            let (mine, others) = (one(slab, 0), one(slab, 1));
            world.give(mine.0);
            let other = spawn(world, move |world| world.give({ others }.0));
            let third = spawn(world, |world| {
                let taken = world.depot.take(LINES);
                // SAFETY: B5: just taken.
                unsafe { world.depot.give(taken) };
                taken.blocks.count_ones()
            });
            let next = world.depot.take(LINES);
            let first = next.blocks.count_ones();
            // SAFETY: B5: just taken.
            unsafe { world.depot.give(next) };
            other.join().expect("no panic");
            (first, third.join().expect("no panic"))
        })
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// B5: a block comes back to a slab that is just being taken off the list: whoever gets it does so
/// after it was used.
#[test]
fn a_block_given_to_a_slab_that_is_being_taken() {
    let seen = outcomes(3, || {
        with_depot(|world| {
            let slab = world.take();
            let (mine, others) = (one(slab, 0), one(slab, 1));
            world.give(mine.0);
            let other = spawn(world, move |world| world.give({ others }.0));
            let next = world.depot.take(LINES);
            let same = std::ptr::eq(next.slab, slab.slab);
            if same {
                world.write(next.blocks);
            }
            other.join().expect("no panic");
            // SAFETY: B5: just taken.
            unsafe { world.depot.give(next) };
            (same, next.blocks)
        })
    });
    assert_eq!(
        seen,
        BTreeSet::from([(true, 0b01), (true, 0b11), (false, 0b11)])
    );
}

/// B7, B8: two who need two slabs each at once get their own, in chunks that they reach whole: four
/// at once need two, and one more is made by who looked through all before the other added one.
#[test]
fn two_who_need_new_slabs() {
    fn take_two(world: &World) {
        let taken = [world.depot.take(LINES), world.depot.take(LINES)];
        for taken in taken {
            // SAFETY: B5: just taken.
            unsafe { world.depot.give(taken) };
        }
    }

    let seen = outcomes(2, || {
        with_depot(|world| {
            let other = spawn(world, |world| take_two(world));
            take_two(world);
            other.join().expect("no panic");
            world.depot.chunks_count()
        })
    });
    assert_eq!(seen, BTreeSet::from([1, 2, 3]));
}
