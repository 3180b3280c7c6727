//! Key sets: the index entries by which a version is found. Consecutive versions with the same
//! values share one.
//!
//! Most writes change one value of many. What stays is then held together, by a *base*: whatever
//! comes rests on it as long as what it holds stays, and holds by itself only what came since. So a
//! write counts one base, and not each entry that it leaves alone.
//!
//! ```text
//! created           { name, service, node: none, state: new }
//! node, state set   { node: a, state: ready | name, service }    -> base, which holds these two
//! state set         { node: a, state: running | name, service }  -> the same base
//! ```
//!
//! # Invariants
//! E3 and E4 of [`super::entry`], and:
//! - E5: a base has one hold of each entry that the key sets resting on it name behind their own,
//!   the same ones in all of them. Each has one share of it, and the last gives the holds back.

use std::alloc::Layout;

use super::barrier::{LINE, prefetch, prefetch_lines};
use super::entry::EntryHeader;
use super::reclaim::{Block, allocate, allocate_block, at};
use crate::sync::{AtomicU32, Ordering};

/// Sharers of a key set, or of a base, at most: whoever comes at once beyond that has still room to
/// be refused in.
const SHARERS_MAX: u32 = u32::MAX / 2;
/// Lines of a key set that are fetched: those of some ten entries.
const LINES_FETCHED: usize = 2;

/// What a key set begins with; its words stand behind it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Keys {
    versions: AtomicU32,
    shape: Shape,
}

/// How many words a key set has, and whether the first one is its base and not an entry.
#[derive(Clone, Copy, Debug)]
struct Shape(u32);

/// The entries by which a version is found.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct KeySet {
    head: Keys,
    words: [*const EntryHeader],
}

/// The hold of entries that stay from version to version.
#[derive(Debug)]
pub(crate) struct Base {
    /// Key sets that rest on it.
    sharers: AtomicU32,
    /// How many entries it holds.
    count: u32,
    /// The indexes that these are of.
    indexes: IndexSet,
}

/// Some of a table's first indexes, as many as a word has bits: entries of others are in no base.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct IndexSet(usize);

impl IndexSet {
    /// False: there is no room for such an index.
    pub(super) fn add(&mut self, index: u16) -> bool {
        let bit = 1_usize.checked_shl(u32::from(index)).unwrap_or(0);
        self.0 |= bit;
        bit != 0
    }

    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

impl Base {
    /// A base with a share for the caller; it takes over the holds of so many entries, which are of
    /// these indexes.
    pub(super) fn make(indexes: IndexSet, count: usize) -> *mut Self {
        allocate(Self {
            sharers: AtomicU32::new(1),
            count: u32::try_from(count).expect("fewer entries than 2^32"),
            indexes,
        })
    }

    pub(super) fn indexes(&self) -> IndexSet {
        self.indexes
    }

    /// One more key set rests on it.
    pub(super) fn share(&self) {
        share(&self.sharers);
    }

    /// True: it was the last one's, whose holds are now the caller's.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        // AcqRel: [count].
        self.sharers.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl Shape {
    const RESTING: u32 = 1 << 31;

    fn new(words: usize, resting: bool) -> Self {
        let words = u32::try_from(words).ok();
        let words = words.filter(|&words| words < Self::RESTING);
        let words = words.expect("fewer entries than 2^31");
        Self(if resting {
            words | Self::RESTING
        } else {
            words
        })
    }

    #[inline]
    fn rests(self) -> bool {
        self.0 & Self::RESTING != 0
    }

    #[inline]
    fn words(self) -> usize {
        (self.0 & !Self::RESTING) as usize
    }
}

impl KeySet {
    /// A new key set for one version; it takes over the holds of the entries.
    pub(super) fn make(entries: impl ExactSizeIterator<Item = *const EntryHeader>) -> *mut Keys {
        make(Shape::new(entries.len(), false), entries)
    }

    /// A new key set for one version that rests on a base; it takes over the holds of its own
    /// entries, and a share of the base, which holds those that stay.
    pub(super) fn make_on(
        base: *const Base,
        own: impl ExactSizeIterator<Item = *const EntryHeader>,
        staying: &[*const EntryHeader],
    ) -> *mut Keys {
        let shape = Shape::new(1 + own.len() + staying.len(), true);
        let words = std::iter::once(base.cast()).chain(own);
        make(shape, words.chain(staying.iter().copied()))
    }

    /// The key set that a version names.
    ///
    /// # Safety
    /// A whole key set is there, which stays for `'a`.
    #[inline]
    pub(super) unsafe fn at<'a>(keys: *const Keys) -> &'a Self {
        // SAFETY: the caller's promise.
        let words = unsafe { at(keys) }.shape.words();
        let whole = std::ptr::slice_from_raw_parts(keys.cast::<*const EntryHeader>(), words);
        // SAFETY: as above, with so many words.
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

    /// Those of an index stand together, in the order of its values.
    #[inline]
    pub(crate) fn entries(&self) -> &[*const EntryHeader] {
        match self.head.shape.rests() {
            true => &self.words[1..],
            false => &self.words,
        }
    }

    /// What it rests on; null, if on nothing. By this it is freed, too.
    pub(super) fn base(&self) -> *const Base {
        match self.head.shape.rests() {
            true => self.words[0].cast(),
            false => std::ptr::null(),
        }
    }

    /// The entries that it holds itself, and those that its base holds (E3).
    pub(super) fn parts(&self) -> (&[*const EntryHeader], &[*const EntryHeader]) {
        let entries = self.entries();
        // SAFETY: E5: our share keeps it, if there is one.
        let base = unsafe { self.base().as_ref() };
        let staying = base.map_or(0, |base| base.count as usize);
        entries.split_at(entries.len() - staying)
    }

    /// Has the processor fetch what a write that replaces the version looks at: what the key set
    /// rests on, and what it most likely takes the place of. A hint.
    pub(super) fn prefetch_replaced(&self) {
        if self.head.shape.rests() {
            self.words.iter().take(2).for_each(|&word| prefetch(word));
        }
    }

    #[inline]
    pub(crate) fn names(&self, entry: &EntryHeader) -> bool {
        let mut named = self.entries().iter();
        named.any(|&named| std::ptr::eq(named, entry))
    }

    pub(super) fn share(&self) {
        share(&self.head.versions);
    }

    /// True: it was the last version's.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        // AcqRel: [count].
        self.head.versions.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// One more shares what has so many sharers.
fn share(sharers: &AtomicU32) {
    // Relaxed: the caller's version is kept (V5), and it the key set, which has a share (E5).
    if sharers.fetch_add(1, Ordering::Relaxed) >= SHARERS_MAX {
        // Those who are refused must not add up to 2^32, either.
        // Relaxed: as above.
        sharers.fetch_sub(1, Ordering::Relaxed);
        panic!("too many versions with the same index entries");
    }
}

/// A key set for one version.
fn make(shape: Shape, words: impl Iterator<Item = *const EntryHeader>) -> *mut Keys {
    let block = allocate_block(layout_of(shape), |block| {
        let head = block.cast::<Keys>();
        let versions = AtomicU32::new(1);
        // SAFETY: ours, and of the layout of so many words.
        unsafe { head.write(Keys { versions, shape }) };
        let first = head.wrapping_add(1).cast::<*const EntryHeader>();
        let mut made = 0;
        for (at, word) in words.take(shape.words()).enumerate() {
            // SAFETY: as above.
            unsafe { first.wrapping_add(at).write(word) };
            made += 1;
        }
        assert_eq!(made, shape.words(), "as many entries as were promised");
    });
    block.cast()
}

fn layout_of(shape: Shape) -> Layout {
    let words = Layout::array::<*const EntryHeader>(shape.words());
    let whole = words.and_then(|words| Layout::new::<Keys>().extend(words));
    whole.expect("entries that are there").0.pad_to_align()
}

impl Block for KeySet {
    unsafe fn layout(block: *const ()) -> Layout {
        // SAFETY: the caller's promise: it begins with its head (repr C).
        layout_of(unsafe { at(block.cast::<Keys>()) }.shape)
    }
}

/// A key set for the models.
#[cfg(loom)]
pub(crate) mod testing {
    use super::{Base, IndexSet, KeySet, Keys};
    use crate::kernel::reclaim::{at, free, free_block};

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

    /// A base of no entries, on which two key sets rest.
    #[derive(Debug)]
    pub(crate) struct SharedBase(*mut Base);

    // SAFETY: as above.
    unsafe impl Send for SharedBase {}
    // SAFETY: as above.
    unsafe impl Sync for SharedBase {}

    impl SharedBase {
        pub(crate) fn new() -> Self {
            let base = Self(Base::make(IndexSet::default(), 0));
            base.get().share();
            base
        }

        fn get(&self) -> &Base {
            // SAFETY: ours until we are dropped.
            unsafe { at(self.0.cast_const()) }
        }

        /// A key set gives its share back; true: it was the last.
        pub(crate) fn release(&self) -> bool {
            self.get().release()
        }
    }

    impl Drop for SharedBase {
        fn drop(&mut self) {
            // SAFETY: ours, and not used again.
            unsafe { free(self.0) };
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// E4, E5: those who are refused do not add up.
    #[test]
    fn sharers_that_there_is_no_room_for_are_refused() {
        let sharers = AtomicU32::new(SHARERS_MAX - 1);
        let share = || catch_unwind(AssertUnwindSafe(|| share(&sharers)));
        assert!(share().is_ok());
        for _ in 0..3 {
            assert!(share().is_err());
            // Relaxed: nobody else is there.
            assert_eq!(sharers.load(Ordering::Relaxed), SHARERS_MAX);
        }
    }
}
