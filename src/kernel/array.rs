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

/// Room for some more, which is filled from the front.
pub(crate) struct Room<'a, T>(std::slice::IterMut<'a, MaybeUninit<T>>);

impl<T> Room<'_, T> {
    /// Adds one, if there is room; true: there is room for another.
    #[inline]
    pub(crate) fn push(&mut self, item: T) -> bool {
        if let Some(slot) = self.0.next() {
            slot.write(item);
        }
        self.0.len() > 0
    }
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

    /// Adds all of these. Panics, and adds none, if there is no room for all.
    #[inline]
    pub(crate) fn extend(&mut self, items: impl ExactSizeIterator<Item = T>) {
        let added = items.len();
        let room = &mut self.items[self.len..][..added];
        for (slot, item) in room.iter_mut().zip(items) {
            slot.write(item);
        }
        self.len += added;
    }

    /// Adds what `fill` puts into the room that is left up to a length. True: there is none now.
    #[inline]
    pub(crate) fn fill_to(&mut self, len: usize, fill: impl FnOnce(&mut Room<'_, T>)) -> bool {
        let mut room = Room(self.items[self.len..len].iter_mut());
        fill(&mut room);
        self.len = len - room.0.len();
        self.len == len
    }

    /// How many more can be added.
    #[inline]
    pub(crate) fn room(&self) -> usize {
        N - self.len
    }

    #[inline]
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Takes out so many from the front.
    #[inline]
    pub(crate) fn drop_first(&mut self, count: usize) {
        self.items.copy_within(count..self.len, 0);
        self.len -= count;
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
        assert_eq!((array.room(), &*array), (0, &[0, 1, 2, 3, 4, 5, 6, 7][..]));
        array.retain(|item| item % 3 == 1);
        assert_eq!(*array, [1, 4, 7]);
        array.push(9);
        assert_eq!(*array, [1, 4, 7, 9]);
        array.clear();
        assert!(array.is_empty());
    }

    /// B10.
    #[test]
    fn some_are_added_behind_and_taken_out_in_front() {
        let mut array = Array::<u64, 8>::new();
        array.extend([0, 1, 2].into_iter());
        array.extend([4, 3].into_iter().rev());
        assert_eq!(*array, [0, 1, 2, 3, 4]);
        array.drop_first(3);
        assert_eq!((array.room(), &*array), (6, &[3, 4][..]));
        let full = array.fill_to(4, |room| {
            assert!(room.push(5));
        });
        assert!(!full);
        let full = array.fill_to(4, |room| {
            assert!(!room.push(6), "there is no room for another");
            assert!(!room.push(7), "nor is one added");
        });
        assert!(full);
        assert_eq!(*array, [3, 4, 5, 6]);
        array.drop_first(4);
        assert!(array.is_empty());
    }

    #[test]
    fn of_too_many_none_is_added() {
        let mut array = Array::<u64, 2>::new();
        array.push(1);
        let added = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            array.extend([2, 3].into_iter());
        }));
        assert!(added.is_err());
        assert_eq!(*array, [1]);
    }

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn no_more_are_added_than_there_is_room_for() {
        let mut array = Array::<u64, 2>::new();
        (0..3).for_each(|item| array.push(item));
    }
}
