//! Some copies in a row, in place: room for so many, and no more.
//!
//! # Invariants
//! - B10: the first `len` are filled.

use std::mem::MaybeUninit;

/// At most `N` of them.
pub(crate) struct Array<T, const N: usize> {
    len: usize,
    items: [MaybeUninit<T>; N],
}

impl<T: Copy, const N: usize> Array<T, N> {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            len: 0,
            items: [const { MaybeUninit::uninit() }; N],
        }
    }

    /// Adds one. Panics if there is no room.
    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        self.items[self.len].write(item);
        self.len += 1;
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Leaves out those of which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        let mut kept = 0;
        for place in 0..self.len {
            let item = self[place];
            if keep(&item) {
                self.items[kept].write(item);
                kept += 1;
            }
        }
        self.len = kept;
    }
}

impl<T: Copy, const N: usize> std::ops::Deref for Array<T, N> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        let filled = &self.items[..self.len];
        // SAFETY: B10; a MaybeUninit is laid out as what is in it.
        unsafe { &*(std::ptr::from_ref(filled) as *const [T]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// B10.
    #[test]
    fn what_was_added_is_there_in_its_order() {
        let mut array = Array::<u64, 8>::new();
        assert!(array.is_empty());
        (0..8).for_each(|item| array.push(item));
        assert_eq!(*array, [0, 1, 2, 3, 4, 5, 6, 7]);
        array.retain(|item| item % 3 == 1);
        assert_eq!(*array, [1, 4, 7]);
        array.push(9);
        assert_eq!(*array, [1, 4, 7, 9]);
        array.clear();
        assert!(array.is_empty());
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn no_more_are_added_than_there_is_room_for() {
        let mut array = Array::<u64, 2>::new();
        (0..3).for_each(|item| array.push(item));
    }
}
