//! Index entries and the key sets that hold them.
//!
//! An entry says: this record may have this value in this index. It is a hint; the truth is the
//! version, whose key set names the entries that it is found by. So a reader at an old snapshot is
//! not misled by entries of younger or unborn versions, and entries can be put in place before the
//! commit that needs them.
//!
//! # States
//! ```text
//! state = { dead: 1 | replaced: 1 | killed: 1 | holds: 29 }
//! live --hold--> holds + 1 --release--> ... --holds 0--> dead (CAS)
//!      --> unlinked, its claim on the record given back, retired
//! ```
//!
//! # Invariants
//! - E1: a dead entry is never held again; who meets it puts a new one in its place.
//! - E2: an entry owns one claim on its record, from before it is linked until after it is
//!   unlinked: who retires it gives the claim back, and nobody does if nobody may say that it is
//!   out of its tree ([`Unlinking`]). So the record of an entry that is reached in its tree under a
//!   guard outlives the guard.
//! - E3: each key set that names an entry owns one hold of it, or the base that it rests on does
//!   (E5); so an entry of a version that a snapshot can see stands in its tree.
//! - E4: a key set is freed by its last version, when that has no links left (V5).

use std::cmp::Ordering as Order;

use super::barrier::prefetch;
use super::hint::{self, Shared, hint};
use super::ordered::{Ordered, Probe};
use super::reclaim::at;
use super::record::{Record, Unlinking};
use super::release::Contained;
use crate::sync::Ordering;

const DEAD: u32 = 1 << 31;
/// The bits of the count of holds, and the most that there may be.
pub(super) const HOLDS: u32 = (1 << 29) - 1;

/// What every entry has.
#[derive(Debug)]
pub(crate) struct EntryHeader {
    /// Holds, whether it is dead, and who has then taken it out of its index so far.
    pub(super) state: Unlinking,
    /// The table of its record, and the index within the table.
    pub(crate) table: u16,
    pub(crate) index: u16,
}

/// A value of an index, with the record that has it. There are many: the key is looked up in the
/// record, since hints decide most comparisons.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) header: EntryHeader,
    pub(crate) value: V,
    pub(crate) record: *const Record<K>,
}

// SAFETY: E2: the record outlives the entry; keys and values are shared and dropped by any thread
// only if they may be.
unsafe impl<K: Send + Sync, V: Send + Sync> Send for Entry<K, V> {}
// SAFETY: as above.
unsafe impl<K: Send + Sync, V: Send + Sync> Sync for Entry<K, V> {}

impl EntryHeader {
    /// Holds the entry; false when it is dead.
    pub(crate) fn hold(&self) -> bool {
        // Relaxed: the CAS decides.
        let mut holds = self.state.0.load(Ordering::Relaxed);
        loop {
            if holds & DEAD != 0 {
                return false;
            }
            assert!(holds < HOLDS, "too many versions with one index entry");
            // Relaxed: a hold publishes nothing, and as a read-modify-write it hands on what those
            // before it released ([hold]). A failure is another thread's success.
            match self.state.0.compare_exchange(
                holds,
                holds + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(found) => holds = found,
            }
        }
    }

    /// Gives a hold back. True: the entry is dead by this, and the caller must unlink and retire
    /// it.
    #[must_use]
    pub(super) fn release(&self) -> bool {
        // AcqRel: [hold].
        let before = self.state.0.fetch_sub(1, Ordering::AcqRel);
        assert!(before & HOLDS > 0, "E3: a hold given back twice");
        if before != 1 {
            return false;
        }
        // AcqRel: [hold]: it fails when somebody held the entry again, who then releases it.
        let dead = self
            .state
            .0
            .compare_exchange(0, DEAD, Ordering::AcqRel, Ordering::Relaxed);
        dead.is_ok()
    }
}

impl<K, V> Entry<K, V> {
    /// An entry with one hold. The caller gives it a claim on the record (E2).
    pub(crate) fn new(table: u16, index: u16, value: V, record: &Record<K>) -> Self {
        let header = EntryHeader {
            state: Unlinking::new(1),
            table,
            index,
        };
        Self {
            header,
            value,
            record,
        }
    }

    /// The key of its record.
    #[inline]
    pub(crate) fn key(&self) -> &K {
        // SAFETY: E2: its claim keeps the record, or the guard under which the entry was reached;
        // of one that is not linked yet its maker's claim.
        &unsafe { at(self.record) }.key
    }
}

impl<K, V> Ordered for Entry<K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Ord + Clone + Send + Sync + 'static,
{
    type Separator = (Contained<V>, Contained<K>);

    #[inline]
    fn hint(&self) -> u64 {
        hint(&self.value)
    }

    fn compare(&self, other: &Self) -> Order {
        let values = self.value.cmp(&other.value);
        values.then_with(|| self.key().cmp(other.key()))
    }

    fn shared(first: &Self, last: &Self) -> Shared {
        hint::shared(&first.value, &last.value)
    }

    #[inline]
    fn hint_after(&self, shared: Shared) -> u64 {
        match shared {
            // Entries with one value are told apart by their keys.
            Shared::ALL => hint(self.key()),
            _ => hint::hint_after(&self.value, shared),
        }
    }

    #[inline]
    fn compare_shared(&self, one: &Self, shared: Shared) -> Order {
        hint::compare_shared(&self.value, &one.value, shared)
    }

    fn separators_shared((first, _): &Self::Separator, (last, _): &Self::Separator) -> Shared {
        hint::shared(&**first, &**last)
    }

    fn separator_hint((value, key): &Self::Separator, shared: Shared) -> u64 {
        match shared {
            Shared::ALL => hint(&**key),
            _ => hint::hint_after(&**value, shared),
        }
    }

    #[inline]
    fn compare_shared_separator(&self, (one, _): &Self::Separator, shared: Shared) -> Order {
        hint::compare_shared(&self.value, &**one, shared)
    }

    #[inline]
    fn prefetch(&self) {
        prefetch(self.record);
    }

    #[inline]
    fn prefetch_next(&self) {
        // SAFETY: E2: an entry keeps its record.
        let header = &unsafe { at(self.record) }.header;
        header.prefetch_head();
        header.prefetch_keys();
    }

    fn separator(&self) -> Self::Separator {
        let value = Contained::new(self.value.clone());
        (value, Contained::new(self.key().clone()))
    }

    fn compare_separator(&self, (value, key): &Self::Separator) -> Order {
        self.value.cmp(value).then_with(|| self.key().cmp(key))
    }
}

/// A place in an index: at, just before or just after a value, or an entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryProbe<'a, K, V> {
    value: &'a V,
    key: Option<&'a K>,
    /// How the place compares with an entry that has the value, and the key if there is one.
    tie: Order,
}

impl<'a, K, V> EntryProbe<'a, K, V> {
    pub(crate) fn at(value: &'a V, key: &'a K) -> Self {
        Self {
            value,
            key: Some(key),
            tie: Order::Equal,
        }
    }

    /// Before all entries with the value, or before the one with the key, too.
    pub(crate) fn before(value: &'a V, key: Option<&'a K>) -> Self {
        Self {
            value,
            key,
            tie: Order::Less,
        }
    }

    /// After all entries with the value, or after the one with the key, too.
    pub(crate) fn after(value: &'a V, key: Option<&'a K>) -> Self {
        Self {
            value,
            key,
            tie: Order::Greater,
        }
    }

    fn compare_with<'e>(&self, value: &V, key: impl FnOnce() -> &'e K) -> Order
    where
        K: Ord + 'e,
        V: Ord,
    {
        let keys = || self.key.map_or(Order::Equal, |own| own.cmp(key()));
        self.value.cmp(value).then_with(keys).then(self.tie)
    }

    /// Relative to all entries that share so much with one that has this value.
    #[inline]
    fn compare_with_shared(&self, one: &V, shared: Shared) -> Order
    where
        V: Ord + 'static,
    {
        let side = hint::compare_shared(self.value, one, shared);
        match self.key {
            // Before or after all entries of the value.
            None if shared == Shared::ALL => side.then(self.tie),
            _ => side,
        }
    }
}

impl<K, V> Probe<Entry<K, V>> for EntryProbe<'_, K, V>
where
    K: Ord + Clone + Send + Sync + 'static,
    V: Ord + Clone + Send + Sync + 'static,
{
    fn hint(&self) -> Option<u64> {
        Some(hint(self.value))
    }

    fn compare(&self, node: &Entry<K, V>) -> Order {
        self.compare_with(&node.value, || node.key())
    }

    fn compare_separator(&self, (value, key): &(Contained<V>, Contained<K>)) -> Order {
        self.compare_with(value, || &**key)
    }

    #[inline]
    fn hint_after(&self, shared: Shared) -> Option<u64> {
        if shared == Shared::ALL {
            self.key.map(hint)
        } else {
            Some(hint::hint_after(self.value, shared))
        }
    }

    #[inline]
    fn compare_shared(&self, one: &Entry<K, V>, shared: Shared) -> Order {
        self.compare_with_shared(&one.value, shared)
    }

    #[inline]
    fn compare_shared_separator(
        &self,
        (one, _): &(Contained<V>, Contained<K>),
        shared: Shared,
    ) -> Order {
        self.compare_with_shared(one, shared)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// E1: no number of holds makes an entry dead.
    #[test]
    fn holds_that_there_is_no_room_for_are_refused() {
        let record = Record::new(0, 0, ());
        let Entry { header, .. } = Entry::new(0, 0, (), &record);
        // Relaxed: nobody else is there.
        header.state.0.store(HOLDS - 1, Ordering::Relaxed);
        let hold = || catch_unwind(AssertUnwindSafe(|| header.hold()));
        assert!(matches!(hold(), Ok(true)));
        for _ in 0..3 {
            assert!(hold().is_err());
        }
        assert!(!header.release(), "there are others");
        assert!(header.hold(), "it is not dead");
    }
}
