//! Key sets: the index entries by which a version is found. Consecutive versions with the same
//! values share one.
//!
//! # Invariants
//! E3 and E4 of [`super::entry`].

use std::alloc::Layout;

use super::barrier::{LINE, prefetch_lines};
use super::entry::EntryHeader;
use super::reclaim::{Block, allocate_block, at};
use crate::sync::{AtomicU32, Ordering};

/// Lines of a key set that are fetched: those of some ten entries.
const LINES_FETCHED: usize = 2;

/// What a key set begins with; its entries stand behind it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Keys {
    versions: AtomicU32,
    count: u32,
}

/// The entries by which a version is found.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct KeySet {
    head: Keys,
    entries: [*const EntryHeader],
}

impl KeySet {
    /// A new key set for one version; it takes over the holds of the entries.
    pub(super) fn make(entries: impl ExactSizeIterator<Item = *const EntryHeader>) -> *mut Keys {
        let count = u32::try_from(entries.len()).expect("fewer entries than 2^32");
        let block = allocate_block(layout_of(count), |block| {
            let head = block.cast::<Keys>();
            let versions = AtomicU32::new(1);
            // SAFETY: ours, and of the layout of so many entries.
            unsafe { head.write(Keys { versions, count }) };
            let first = head.wrapping_add(1).cast::<*const EntryHeader>();
            let mut made = 0;
            for (at, entry) in entries.take(count as usize).enumerate() {
                // SAFETY: as above.
                unsafe { first.wrapping_add(at).write(entry) };
                made += 1;
            }
            assert_eq!(made, count, "as many entries as were promised");
        });
        block.cast()
    }

    /// The key set that a version names.
    ///
    /// # Safety
    /// A whole key set is there, which stays for `'a`.
    #[inline]
    pub(super) unsafe fn at<'a>(keys: *const Keys) -> &'a Self {
        // SAFETY: the caller's promise.
        let count = unsafe { at(keys) }.count as usize;
        let whole = std::ptr::slice_from_raw_parts(keys.cast::<*const EntryHeader>(), count);
        // SAFETY: as above, with so many entries.
        unsafe { at(whole as *const Self) }
    }

    /// Has the processor fetch a key set, if one is there, for who goes through all of it. A hint.
    #[inline]
    pub(super) fn prefetch(keys: *const Keys) {
        prefetch_lines(keys.cast::<[u8; LINE]>(), LINES_FETCHED);
    }

    /// What the key set names; of none, nothing.
    ///
    /// # Safety
    /// A whole key set is there, if it is not null, which stays for `'a` (E4).
    #[inline]
    pub(super) unsafe fn entries_of<'a>(
        keys: *const Keys,
    ) -> impl Iterator<Item = &'a EntryHeader> {
        let entries: &'a [*const EntryHeader] = match keys.is_null() {
            true => &[],
            // SAFETY: the caller's promise.
            false => unsafe { Self::at(keys) }.entries(),
        };
        // SAFETY: E3: the key set's hold.
        entries.iter().map(|&entry| unsafe { at(entry) })
    }

    #[inline]
    pub(crate) fn entries(&self) -> &[*const EntryHeader] {
        &self.entries
    }

    #[inline]
    pub(crate) fn names(&self, entry: &EntryHeader) -> bool {
        self.entries.iter().any(|&named| std::ptr::eq(named, entry))
    }

    pub(super) fn share(&self) {
        // Relaxed: the caller's version is kept (V5), and it the key set.
        self.head.versions.fetch_add(1, Ordering::Relaxed);
    }

    /// True: it was the last version's.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        // AcqRel: [count].
        self.head.versions.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

fn layout_of(count: u32) -> Layout {
    let entries = Layout::array::<*const EntryHeader>(count as usize);
    let whole = entries.and_then(|entries| Layout::new::<Keys>().extend(entries));
    whole.expect("entries that are there").0.pad_to_align()
}

impl Block for KeySet {
    unsafe fn layout(block: *const ()) -> Layout {
        // SAFETY: the caller's promise: it begins with its head (repr C).
        layout_of(unsafe { at(block.cast::<Keys>()) }.count)
    }
}

/// A key set for the models.
#[cfg(loom)]
pub(crate) mod testing {
    use super::{KeySet, Keys};
    use crate::kernel::reclaim::free_block;

    /// A key set of no entries, shared by two versions.
    #[derive(Debug)]
    pub(crate) struct SharedKeys(*mut Keys);

    // SAFETY: what it names is changed by atomics alone.
    unsafe impl Send for SharedKeys {}
    // SAFETY: as above.
    unsafe impl Sync for SharedKeys {}

    impl SharedKeys {
        pub(crate) fn new() -> Self {
            let keys = Self(KeySet::make(std::iter::empty()));
            keys.set().share();
            keys
        }

        fn set(&self) -> &KeySet {
            // SAFETY: ours until we are dropped.
            unsafe { KeySet::at(self.0) }
        }

        /// A version gives its share back; true: it was the last.
        pub(crate) fn release(&self) -> bool {
            self.set().release()
        }
    }

    impl Drop for SharedKeys {
        fn drop(&mut self) {
            // SAFETY: ours, and not used again.
            unsafe { free_block::<KeySet>(self.0.cast()) };
        }
    }
}
