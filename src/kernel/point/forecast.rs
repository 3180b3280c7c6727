//! Forecasts: beside each word of a large table, about where the reader of its node goes on.
//!
//! A lookup that misses the cache waits three times in a row: for the word, for the node that it
//! leads to, and for what that leads to (a record's newest version). A forecast is the distance
//! from the node to the latter. It is found as soon as the word is, and both are fetched at once.
//!
//! It is a guess: nothing is read through it, it is only prefetched. So it may be of another time
//! or another node, it needs no order, and models do without it.

use crate::kernel::barrier::{LINE, prefetch};
use crate::sync::{Guess, Ordering};

/// A smaller table is in the cache with all that it leads to, and a forecast would only be one more
/// line that writers take away from readers.
const SLOTS_MIN: usize = 8192;
/// Distances are counted in steps of so many bytes, so that 32 bits reach 32 GiB either way.
const STEP: isize = 16;

/// A forecast for each slot; none of a small table.
pub(super) struct Forecasts(Box<[Guess]>);

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
        Self(unsafe { Box::from_raw(distances as *mut [Guess]) })
    }

    /// Whether the table is too small for any.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.0)
    }

    /// Notes where the reader of a slot's node goes on.
    #[inline]
    pub(super) fn note<N>(&self, slot: usize, node: *const N, onward: *const ()) {
        if let Some(forecast) = self.0.get(slot) {
            let distance = onward.addr().wrapping_sub(node.addr()) as isize / STEP;
            // Too far: the node itself.
            let distance = i32::try_from(distance).unwrap_or(0);
            // Relaxed: a guess.
            forecast.store(distance.cast_unsigned(), Ordering::Relaxed);
        }
    }

    /// Has the processor fetch a slot's forecast, which is to be noted soon.
    #[inline]
    pub(super) fn prepare(&self, slot: usize) {
        if let Some(forecast) = self.0.get(slot) {
            prefetch(forecast);
        }
    }

    /// Where the reader of a slot's node goes on, perhaps; not to be read.
    #[inline]
    pub(super) fn guess<N>(&self, slot: usize, node: *const N) -> Option<*const u8> {
        // Relaxed: a guess.
        let distance = self.0.get(slot)?.load(Ordering::Relaxed).cast_signed();
        Some(node.cast::<u8>().wrapping_offset(distance as isize * STEP))
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
    fn a_forecast_leads_where_it_was_noted_and_too_far_leads_to_the_node() {
        let memory = [0u64; 64];
        let forecasts = Forecasts::new(SLOTS_MIN);
        let (node, onward) = (&raw const memory[32], &raw const memory[2]);
        assert_eq!(forecasts.guess(7, node), Some(node.cast()));
        forecasts.note(7, node, onward.cast());
        assert_eq!(forecasts.guess(7, node), Some(onward.cast()));
        forecasts.note(7, onward, node.cast());
        assert_eq!(forecasts.guess(7, onward), Some(node.cast()));
        let far = node.wrapping_byte_add(1 << 40);
        forecasts.note(7, node, far.cast());
        assert_eq!(forecasts.guess(7, node), Some(node.cast()));
    }

    #[test]
    fn a_small_table_has_no_forecasts() {
        let forecasts = Forecasts::new(SLOTS_MIN / 2);
        let node = 5u64;
        forecasts.note(0, &raw const node, std::ptr::null());
        assert_eq!(forecasts.guess(0, &raw const node), None);
    }
}
