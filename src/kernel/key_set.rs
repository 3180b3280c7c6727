//! Key sets: the index entries by which a version is found. Consecutive versions with the same
//! values share one.
//!
//! Most writes change one value of many. What stays is then in a *base*, a key set of its own that
//! no version has: whatever comes rests on it as long as what it has stays, and holds by itself
//! only what came since. So a write counts one base, and not each entry that it leaves alone.
//!
//! ```text
//! created           whole { name, service, node: none, state: new }
//! node, state set   base  { name, service }  <-  { node: a, state: ready }
//! state set                 the same base    <-  { node: a, state: running }
//! ```
//!
//! # Invariants
//! E3 and E4 of [`super::entry`], and:
//! - E5: a key set that rests on a base names all of the base's entries, has one share of it, and
//!   gives that back when it is freed; a base rests on none.

use std::alloc::Layout;

use super::barrier::{LINE, prefetch, prefetch_lines};
use super::entry::EntryHeader;
use super::reclaim::{Block, allocate_block, at};
use crate::sync::{AtomicU32, Ordering};

/// Lines of a key set that are fetched: those of some ten entries.
const LINES_FETCHED: usize = 2;

/// What a key set begins with; its words stand behind it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Keys {
    /// Versions that share it; of a base, key sets.
    sharers: AtomicU32,
    shape: Shape,
}

/// How many words a key set has, and what they are.
#[derive(Clone, Copy, Debug)]
struct Shape(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Entries.
    Whole,
    /// The base; entries of its own; those of the base.
    Resting,
    /// The indexes ([`IndexSet`]) that it has entries of; these.
    Base,
}

/// The entries by which a version is found.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct KeySet {
    head: Keys,
    words: [*const EntryHeader],
}

/// Some of a table's first indexes, as many as a word has bits: others are in no base.
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

impl Shape {
    const RESTING: u32 = 1 << 31;
    const BASE: u32 = 1 << 30;

    fn new(form: Form, words: usize) -> Self {
        let words = u32::try_from(words).ok();
        let words = words.filter(|&words| words < Self::BASE);
        let words = words.expect("fewer entries than 2^30");
        Self(match form {
            Form::Whole => words,
            Form::Resting => words | Self::RESTING,
            Form::Base => words | Self::BASE,
        })
    }

    #[inline]
    fn form(self) -> Form {
        match self.0 & (Self::RESTING | Self::BASE) {
            0 => Form::Whole,
            Self::BASE => Form::Base,
            _ => Form::Resting,
        }
    }

    #[inline]
    fn words(self) -> usize {
        (self.0 & !(Self::RESTING | Self::BASE)) as usize
    }
}

impl KeySet {
    /// A new key set for one version; it takes over the holds of the entries.
    pub(super) fn make(entries: impl ExactSizeIterator<Item = *const EntryHeader>) -> *mut Keys {
        make(Shape::new(Form::Whole, entries.len()), entries)
    }

    /// A new base, with a share for the caller; it takes over the holds of the entries, which are
    /// of these indexes.
    pub(super) fn make_base(indexes: IndexSet, entries: &[*const EntryHeader]) -> *mut Keys {
        let indexes = std::ptr::without_provenance(indexes.0);
        let words = std::iter::once(indexes).chain(entries.iter().copied());
        make(Shape::new(Form::Base, 1 + entries.len()), words)
    }

    /// A new key set for one version that rests on a base; it takes over the holds of its own
    /// entries, and a share of the base.
    ///
    /// # Safety
    /// A whole base is there, and the share is the caller's.
    pub(super) unsafe fn make_on(
        base: *mut Keys,
        own: impl ExactSizeIterator<Item = *const EntryHeader>,
    ) -> *mut Keys {
        // SAFETY: E5: the caller's share keeps it.
        let stay = unsafe { Self::at(base) }.entries();
        let shape = Shape::new(Form::Resting, 1 + own.len() + stay.len());
        let words = std::iter::once(base.cast_const().cast()).chain(own);
        make(shape, words.chain(stay.iter().copied()))
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

    #[inline]
    fn form(&self) -> Form {
        self.head.shape.form()
    }

    /// Those of an index stand together, in the order of its values.
    #[inline]
    pub(crate) fn entries(&self) -> &[*const EntryHeader] {
        match self.form() {
            Form::Whole => &self.words,
            Form::Resting | Form::Base => &self.words[1..],
        }
    }

    /// What it rests on, if it does.
    pub(super) fn base(&self) -> Option<*mut Keys> {
        let rests = self.form() == Form::Resting;
        rests.then(|| self.words[0].cast::<Keys>().cast_mut())
    }

    /// The entries that it holds itself (E3).
    pub(super) fn own(&self) -> &[*const EntryHeader] {
        let Some(base) = self.base() else {
            return self.entries();
        };
        // SAFETY: E5: our share keeps it.
        let stay = unsafe { Self::at(base) }.entries().len();
        let entries = self.entries();
        &entries[..entries.len() - stay]
    }

    /// The indexes that a base has entries of.
    pub(super) fn indexes(&self) -> IndexSet {
        match self.form() {
            Form::Base => IndexSet(self.words[0].addr()),
            Form::Whole | Form::Resting => IndexSet::default(),
        }
    }

    /// Has the processor fetch what a write that replaces the version looks at: what the key set
    /// rests on, and what it most likely takes the place of. A hint.
    pub(super) fn prefetch_replaced(&self) {
        if self.form() == Form::Resting {
            self.words.iter().take(2).for_each(|&word| prefetch(word));
        }
    }

    #[inline]
    pub(crate) fn names(&self, entry: &EntryHeader) -> bool {
        let mut named = self.entries().iter();
        named.any(|&named| std::ptr::eq(named, entry))
    }

    /// One more version has it, or, of a base, one more key set rests on it.
    pub(super) fn share(&self) {
        // Relaxed: the caller's version is kept (V5), and it the key set, and that its base.
        self.head.sharers.fetch_add(1, Ordering::Relaxed);
    }

    /// True: it was the last one's.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        // AcqRel: [count].
        self.head.sharers.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

/// A key set with one share.
fn make(shape: Shape, words: impl Iterator<Item = *const EntryHeader>) -> *mut Keys {
    let block = allocate_block(layout_of(shape), |block| {
        let head = block.cast::<Keys>();
        let sharers = AtomicU32::new(1);
        // SAFETY: ours, and of the layout of so many words.
        unsafe { head.write(Keys { sharers, shape }) };
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
