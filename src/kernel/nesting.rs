//! How deep a thread is in what it does for others: it passes on for those who wait on a store
//! ([`super::passing`]), or carries a station on ([`super::station`]). The wakers that it calls for
//! that may do so again, for the same or for another, and so on: as deep as there are tasks that
//! are polled where they are woken.
//!
//! So for each thing that a thread is at it counts how deep it is, whatever it does for others in
//! between. From some depth on it leaves what is to be done to the call further up, which goes on.

use std::cell::Cell;

/// How deep a thread does something for the same thing. Not at the first: one may stop after that.
/// Models meet what is left at the second.
const DEPTH_MAX: u32 = if cfg!(loom) { 1 } else { 8 };
/// Things that a thread may be at, one within the other, and know how deep: a store has eight
/// stations. Those beyond are not counted.
const PLACES: usize = 24;

/// How far a thread is in one thing.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Which, as a number.
    of: usize,
    depth: u32,
    /// What calls further down have left.
    left: u64,
}

const NOWHERE: Place = Place {
    of: 0,
    depth: 0,
    left: 0,
};

/// All that a thread is at, the outermost first.
#[derive(Debug)]
pub(super) struct Nesting {
    places: [Cell<Place>; PLACES],
    used: Cell<usize>,
}

impl Nesting {
    pub(super) const fn new() -> Self {
        Self {
            places: [const { Cell::new(NOWHERE) }; PLACES],
            used: Cell::new(0),
        }
    }

    fn place(&self, of: usize) -> Option<&Cell<Place>> {
        let used = &self.places[..self.used.get()];
        used.iter().find(|place| place.get().of == of)
    }

    /// One deeper, until [`Nesting::leave`]; false: it is as deep as it may be.
    pub(super) fn enter(&self, of: usize) -> bool {
        let Some(place) = self.place(of) else {
            self.enter_new(of);
            return true;
        };
        let Place { depth, .. } = place.get();
        if depth < DEPTH_MAX {
            let depth = depth + 1;
            place.set(Place {
                depth,
                ..place.get()
            });
        }
        depth < DEPTH_MAX
    }

    fn enter_new(&self, of: usize) {
        let used = self.used.get();
        if let Some(place) = self.places.get(used) {
            let depth = 1;
            place.set(Place {
                of,
                depth,
                ..NOWHERE
            });
            self.used.set(used + 1);
        }
    }

    /// One less deep. What was entered last is left first.
    pub(super) fn leave(&self, of: usize) {
        let Some(place) = self.place(of) else {
            // It is not counted.
            return;
        };
        let depth = place.get().depth - 1;
        place.set(Place {
            depth,
            ..place.get()
        });
        if depth == 0 {
            self.used.set(self.used.get() - 1);
        }
    }

    /// Leaves something to the calls further up: so much, if it is not so much already.
    pub(super) fn leave_to(&self, of: usize, left: u64) {
        if let Some(place) = self.place(of) {
            let left = left.max(place.get().left);
            place.set(Place {
                left,
                ..place.get()
            });
        }
    }

    /// What calls further down have left.
    pub(super) fn left(&self, of: usize) -> u64 {
        self.place(of).map_or(0, |place| place.get().left)
    }

    /// The same, which the caller takes upon itself.
    pub(super) fn take_left(&self, of: usize) -> u64 {
        let taken = self.place(of).map(|place| {
            let now = place.get();
            place.set(Place { left: 0, ..now });
            now.left
        });
        taken.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_has_its_depth_whatever_lies_between() {
        let nesting = Nesting::new();
        for depth in 0..DEPTH_MAX {
            assert!(nesting.enter(1), "{depth}");
            assert!(nesting.enter(2), "{depth}");
        }
        assert!(!nesting.enter(1) && !nesting.enter(2));
        nesting.leave_to(1, 5);
        nesting.leave_to(1, 3);
        assert_eq!((nesting.left(1), nesting.left(2)), (5, 0));
        for _ in 0..DEPTH_MAX {
            nesting.leave(2);
            assert_eq!(nesting.left(1), 5);
            nesting.leave(1);
        }
        assert_eq!(nesting.left(1), 0, "it is at nothing");
        assert!(nesting.enter(1));
        assert_eq!(nesting.left(1), 0, "and begins anew");
    }

    #[test]
    fn what_is_left_is_taken_once() {
        let nesting = Nesting::new();
        assert!(nesting.enter(1));
        nesting.leave_to(1, 1);
        assert_eq!([nesting.take_left(1), nesting.take_left(1)], [1, 0]);
    }

    #[test]
    fn things_beyond_are_not_counted_and_disturb_nobody() {
        let nesting = Nesting::new();
        let many = 2 * PLACES;
        (1..=many).for_each(|of| assert!(nesting.enter(of)));
        for of in (1..=many).rev() {
            for _ in 1..DEPTH_MAX {
                assert!(nesting.enter(of));
            }
            assert_eq!(nesting.enter(of), of > PLACES);
            nesting.leave_to(of, 7);
            assert_eq!(nesting.left(of), if of > PLACES { 0 } else { 7 });
            (0..DEPTH_MAX).for_each(|_| nesting.leave(of));
        }
        assert_eq!(nesting.used.get(), 0);
    }
}
