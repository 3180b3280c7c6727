//! Places whose memory comes and goes together (B7, B11). There are two, in one group.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn, with_world};
use crate::kernel::places::{PLACES, Places};
use crate::kernel::reclaim::at;
use crate::sync::Witness;

/// The places, and what stands at each.
struct World {
    places: Places,
    used: [Witness; PLACES],
}

// SAFETY: a model's threads are one of the system's, and loom watches the witnesses.
unsafe impl Send for World {}
// SAFETY: as above.
unsafe impl Sync for World {}

impl World {
    /// Takes a place and uses it, and its group's memory.
    fn take(&self) -> Option<usize> {
        let place = self.places.take()?;
        assert!(!self.places.at(place).is_null(), "its memory is there");
        self.used[place].write();
        // SAFETY: B11: it begins there, and stays.
        let _ = unsafe { at(self.places.at(0).cast_const()) };
        Some(place)
    }

    fn leave(&self, place: usize) {
        self.used[place].write();
        // SAFETY: B11: it begins there, and stays.
        let _ = unsafe { at(self.places.at(0).cast_const()) };
        // SAFETY: B7: the models leave what they have.
        if unsafe { self.places.leave(place) } {
            self.places.trim(place);
        }
    }
}

fn with_places<T>(run: impl FnOnce(&Arc<World>) -> T) -> T {
    let world = World {
        places: Places::together(),
        used: std::array::from_fn(|_| Witness::new()),
    };
    with_world(world, run)
}

/// B7, B11: two take a place each: one makes the memory, and the other finds it there, or passes by
/// while it is made.
#[test]
fn two_who_take_the_first_places() {
    let seen = outcomes(3, || {
        with_places(|world| {
            let other = spawn(world, |world| world.take());
            let mine = world.take();
            let others = other.join().expect("no panic");
            for place in mine.into_iter().chain(others) {
                world.leave(place);
            }
            (mine, others)
        })
    });
    let outcomes = [
        (Some(0), Some(1)),
        (Some(1), Some(0)),
        (Some(0), None),
        (None, Some(0)),
    ];
    assert_eq!(seen, BTreeSet::from(outcomes));
}

/// B11: two leave the last two places: the memory goes once, after both are done with it.
#[test]
fn two_who_leave_the_last_places() {
    let seen = outcomes(3, || {
        with_places(|world| {
            let (mine, others) = (world.take(), world.take());
            let (mine, others) = (mine.expect("free"), others.expect("free"));
            let other = spawn(world, move |world| world.leave(others));
            world.leave(mine);
            other.join().expect("no panic");
            let next = world.take().expect("all are free again");
            world.leave(next);
            next
        })
    });
    assert_eq!(seen, BTreeSet::from([0]));
}

/// B7, B11: one leaves the last place, and has its memory freed, while another takes one: that one,
/// of the same memory or of new memory, or the other one; or none, while the memory goes.
#[test]
fn a_place_taken_while_the_last_one_is_left() {
    let seen = outcomes(3, || {
        with_places(|world| {
            let mine = world.take().expect("free");
            let before = world.places.at(mine).addr();
            let other = spawn(world, move |world| {
                let place = world.take()?;
                let same = world.places.at(0).addr() == before;
                world.leave(place);
                Some((place, same))
            });
            world.leave(mine);
            other.join().expect("no panic")
        })
    });
    let outcomes = [None, Some((0, false)), Some((0, true)), Some((1, true))];
    assert_eq!(seen, BTreeSet::from(outcomes));
}
