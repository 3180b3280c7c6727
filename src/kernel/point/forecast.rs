//! Forecasts: beside each word of a large table, about where the reader of its node goes on.
//!
//! A lookup that misses the cache waits three times in a row: for the word, for the node that it
//! leads to, and for what that leads to (a record's newest version). A forecast is the distance
//! from the node to the latter; where that is too far, since an allocator has its memory in several
//! places of the address space, the distance from a place that is far from the nodes. It is found
//! as soon as the word is, and both are fetched at once.
//!
//! It is a guess: nothing is read through it, it is only prefetched. So it may be of another time
//! or another node, it needs no order, and models do without it.

use crate::kernel::barrier::{LINE, prefetch};
use crate::sync::{Guess, Ordering, Standing};

/// A smaller table is in the cache with all that it leads to, and a forecast would only be one more
/// line that writers take away from readers.
const SLOTS_MIN: usize = 8192;
/// Distances are counted in steps of so many bytes, so that 31 bits reach 16 GiB either way.
const STEP: isize = 16;
/// The bit of a forecast that says that it is the distance from the far place.
const FAR: i32 = 1;

/// A forecast for each slot; none of a small table.
pub(super) struct Forecasts {
    distances: Box<[Guess]>,
    /// Where the reader of some node goes on that is far from it; the first that was noted.
    far: Standing<()>,
}

/// The distance between two addresses, with room for a bit; none: they are too far apart.
fn distance(from: usize, to: usize) -> Option<i32> {
    let distance = to.wrapping_sub(from).cast_signed() / STEP;
    i32::try_from(distance).ok()?.checked_mul(2)
}

impl Forecasts {
    /// Of a table of so many slots, none known yet.
    pub(super) fn new(slots: usize) -> Self {
        let slots = if slots < SLOTS_MIN || cfg!(loom) {
            0
        } else {
            slots
        };
        // Zero pages from the allocator, not written one by one.
        let distances: *mut [u32] = Box::into_raw(vec![0; slots].into_boxed_slice());
        // SAFETY: B2: of one size, alignment and representation, and the box was the only owner.
        let distances = unsafe { Box::from_raw(distances as *mut [Guess]) };
        let far = Standing::new(std::ptr::null_mut());
        Self { distances, far }
    }

    /// Whether the table is too small for any.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.distances.is_empty()
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.distances)
    }

    /// Notes where the reader of a slot's node goes on.
    #[inline]
    pub(super) fn note<N>(&self, slot: usize, node: *const N, onward: *const ()) {
        if let Some(forecast) = self.distances.get(slot) {
            let distance = distance(node.addr(), onward.addr());
            let noted = distance.unwrap_or_else(|| self.distance_far(onward) | FAR);
            // Relaxed: a guess.
            forecast.store(noted.cast_unsigned(), Ordering::Relaxed);
        }
    }

    /// The distance from the far place, which is there if that one is far from here.
    #[cold]
    fn distance_far(&self, onward: *const ()) -> i32 {
        // Relaxed: a guess.
        let far = self.far.load(Ordering::Relaxed);
        if far.is_null() {
            // Relaxed: a guess.
            self.far.store(onward.cast_mut(), Ordering::Relaxed);
            return 0;
        }
        // Too far from both: the far place itself.
        distance(far.addr(), onward.addr()).unwrap_or(0)
    }

    /// Has the processor fetch a slot's forecast, which is to be noted soon.
    #[inline]
    pub(super) fn prepare(&self, slot: usize) {
        if let Some(forecast) = self.distances.get(slot) {
            prefetch(forecast);
        }
    }

    /// Where the reader of a slot's node goes on, perhaps; not to be read.
    #[inline]
    pub(super) fn guess<N>(&self, slot: usize, node: *const N) -> Option<*const u8> {
        // Relaxed: a guess.
        let noted = self
            .distances
            .get(slot)?
            .load(Ordering::Relaxed)
            .cast_signed();
        // Relaxed: a guess.
        let far = self.far.load(Ordering::Relaxed).addr();
        // Without a branch, which would be foretold wrong where both kinds are many.
        let is_far = ((noted & FAR) as usize).wrapping_neg();
        let from = node
            .cast::<u8>()
            .map_addr(|near| near ^ (near ^ far) & is_far);
        Some(from.wrapping_offset((noted >> 1) as isize * STEP))
    }

    /// Has the processor fetch the first `reach` bytes of where the reader of a slot's node goes
    /// on.
    #[inline]
    pub(super) fn fetch<N>(&self, slot: usize, node: *const N, reach: usize) {
        if let Some(onward) = self.guess(slot, node) {
            for offset in (0..reach).step_by(LINE) {
                prefetch(onward.wrapping_add(offset));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_forecast_leads_where_it_was_noted() {
        let memory = [0u64; 64];
        let forecasts = Forecasts::new(SLOTS_MIN);
        let (node, onward) = (&raw const memory[32], &raw const memory[2]);
        assert_eq!(forecasts.guess(7, node), Some(node.cast()));
        forecasts.note(7, node, onward.cast());
        assert_eq!(forecasts.guess(7, node), Some(onward.cast()));
        forecasts.note(7, onward, node.cast());
        assert_eq!(forecasts.guess(7, onward), Some(node.cast()));
    }

    #[test]
    fn what_is_far_from_its_node_is_noted_from_a_far_place() {
        let memory = [0u64; 64];
        let forecasts = Forecasts::new(SLOTS_MIN);
        let node = &raw const memory[32];
        for far in [1 << 40, (1 << 40) + 4096, (1 << 40) - (15 << 30)] {
            let far = node.wrapping_byte_add(far);
            forecasts.note(7, node, far.cast());
            assert_eq!(forecasts.guess(7, node), Some(far.cast()));
        }
        let near = node.wrapping_byte_add(64);
        forecasts.note(9, node, near.cast());
        assert_eq!(forecasts.guess(9, node), Some(near.cast()));
        // There is one far place.
        let elsewhere = node.wrapping_byte_add(2 << 40);
        forecasts.note(8, node, elsewhere.cast());
        let far = node.wrapping_byte_add(1 << 40);
        assert_eq!(forecasts.guess(8, node), Some(far.cast()));
    }

    #[test]
    fn a_small_table_has_no_forecasts() {
        let forecasts = Forecasts::new(SLOTS_MIN / 2);
        let node = 5u64;
        forecasts.note(0, &raw const node, std::ptr::null());
        assert_eq!(forecasts.guess(0, &raw const node), None);
    }
}
