//! A few objects that nobody has, kept to be used again: what is large, is made seldom, and is
//! freed by another thread than made it, for which an allocator may take a lock that a stopped
//! thread holds.
//!
//! # Invariants
//! - B14: an object in a place is nobody's; who takes it out of there has it.
//!
//! # Orderings
//! - [kept]: keeping one (Release) and taking it (Acquire): who takes it does so after all that
//!   others did with it.

use super::memory::free;
use crate::sync::{AtomicPtr, Ordering};

/// Objects kept at most.
const PLACES: usize = if cfg!(loom) { 1 } else { 4 };

/// Places for spare objects.
#[derive(Debug)]
pub(crate) struct Spares<T>([AtomicPtr<T>; PLACES]);

impl<T> Spares<T> {
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(
            |_| AtomicPtr::new(std::ptr::null_mut()),
        ))
    }

    /// One of them, which is the caller's now. Wait-free.
    pub(crate) fn take(&self) -> Option<*mut T> {
        self.0.iter().find_map(|place| {
            // Acquire: [kept].
            let object = place.swap(std::ptr::null_mut(), Ordering::Acquire);
            (!object.is_null()).then_some(object)
        })
    }

    /// Keeps one; false: there is no room. Wait-free.
    ///
    /// # Safety
    /// It was allocated ([`super::memory::allocate`]), and is the caller's alone, who does not use
    /// it again unless it is not kept.
    pub(crate) unsafe fn keep(&self, object: *mut T) -> bool {
        self.0.iter().any(|place| {
            // Release: [kept].
            let kept = place.compare_exchange(
                std::ptr::null_mut(),
                object,
                Ordering::Release,
                Ordering::Relaxed,
            );
            kept.is_ok()
        })
    }

    /// Frees all of them.
    pub(crate) fn empty(&self) {
        while let Some(object) = self.take() {
            // SAFETY: B14, and it was allocated.
            unsafe { free(object) };
        }
    }
}

impl<T> Drop for Spares<T> {
    fn drop(&mut self) {
        self.empty();
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::kernel::memory::allocate;

    /// B14.
    #[test]
    fn as_many_are_kept_as_there_is_room_for() {
        let spares = Spares::new();
        assert_eq!(spares.take(), None);
        let mut objects: Vec<_> = (0..=PLACES).map(allocate).collect();
        // SAFETY: ours alone.
        objects.retain(|&object| !unsafe { spares.keep(object) });
        assert_eq!(objects.len(), 1, "the last one finds no room");
        let taken = spares.take().expect("one of those that were kept");
        // SAFETY: B14.
        assert_eq!(unsafe { taken.read() }, 0);
        // SAFETY: ours alone.
        assert!(unsafe { spares.keep(objects[0]) }, "there is room again");
        // SAFETY: ours alone.
        unsafe { free(taken) };
        spares.empty();
        assert_eq!(spares.take(), None);
    }
}
