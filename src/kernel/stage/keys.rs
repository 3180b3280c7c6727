//! The key set of a new version: whatever is found by the same values as before keeps its entries.

use smallvec::SmallVec;

use crate::kernel::Kernel;
use crate::kernel::barrier::prefetch;
use crate::kernel::entry::{EntryHeader, KeySet};
use crate::kernel::reclaim::{allocate, at};
use crate::kernel::record::Record;
use crate::kernel::release::contain;
use crate::kernel::secondary::AnySecondary;
use crate::kernel::table::{KeyBounds, Table};

/// Indexes of a table up to which what has changed is noted without an allocation.
pub(crate) const INDEXES_INLINE: usize = 16;

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    /// The key set of a new version: the old one if nothing that is indexed changed.
    pub(super) fn stage_keys(
        &self,
        kernel: &Kernel,
        record: &Record<K>,
        object: &T,
        old: *mut KeySet,
    ) -> *mut KeySet {
        if self.secondary.is_empty() {
            return std::ptr::null_mut();
        }
        // SAFETY: E4: the old version is visible at our snapshot, so it and its key set stand.
        let old_keys = (!old.is_null()).then(|| unsafe { at(old.cast_const()) });
        let same = self.same(object, old_keys);
        if let Some(old_keys) = old_keys
            && same.iter().all(Option::is_some)
        {
            old_keys.share();
            return old;
        }
        let mut held = HeldEntries {
            kernel,
            entries: SmallVec::new(),
        };
        for (index, same) in self.secondary.iter().zip(same) {
            match same {
                Some(entries) => held.hold(entries),
                None => index.stage(kernel, record, object, &mut held.entries),
            }
        }
        let entries = std::mem::take(&mut held.entries);
        allocate(KeySet::new(entries.into_boxed_slice()))
    }

    /// Of each index the old entries, if the object has the same values. Runs the index functions.
    fn same<'k>(
        &self,
        object: &T,
        old: Option<&'k KeySet>,
    ) -> SmallVec<[Option<&'k [*const EntryHeader]>; INDEXES_INLINE]> {
        let mut rest = old.map(KeySet::entries);
        // All are looked at, and most are held: their lines are fetched side by side.
        rest.into_iter()
            .flatten()
            .for_each(|&entry| prefetch(entry));
        let indexes = self.secondary.iter();
        let same = indexes.map(|index| {
            let (own, others) = split(&**index, rest?);
            rest = Some(others);
            index.same(object, own).then_some(own)
        });
        same.collect()
    }
}

/// The entries of an index, which are the first ones, and those of the others.
fn split<'k, K: 'static, T: 'static>(
    index: &dyn AnySecondary<K, T>,
    entries: &'k [*const EntryHeader],
) -> (&'k [*const EntryHeader], &'k [*const EntryHeader]) {
    let own = entries.iter();
    // SAFETY: E3: the key set holds its entries.
    let own = own.take_while(|&&entry| unsafe { at(entry) }.index == index.position());
    entries.split_at(own.count())
}

/// Entries with a hold each; given back if user code panics before a key set has them.
struct HeldEntries<'k> {
    kernel: &'k Kernel,
    entries: SmallVec<[*const EntryHeader; INDEXES_INLINE]>,
}

impl HeldEntries<'_> {
    /// Holds entries that a key set of a version at our snapshot holds.
    fn hold(&mut self, entries: &[*const EntryHeader]) {
        for &entry in entries {
            // SAFETY: E3, E4: the old key set holds it.
            let held = unsafe { at(entry) }.hold();
            assert!(held, "E1: an entry died while a key set held it");
            self.entries.push(entry);
        }
    }
}

impl Drop for HeldEntries<'_> {
    fn drop(&mut self) {
        for &entry in &self.entries {
            // SAFETY: E3: each is ours.
            contain(|| unsafe { self.kernel.release_entry(entry) });
        }
    }
}
