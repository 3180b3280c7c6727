//! The key set of a new version: whatever is found by the same values as before keeps its entries.
//!
//! First the other entries are made, by the user's index functions; then, under one pin, all are
//! held or linked.

use smallvec::SmallVec;

use crate::kernel::Kernel;
use crate::kernel::barrier::prefetch;
use crate::kernel::entry::EntryHeader;
use crate::kernel::key_set::{KeySet, Keys};
use crate::kernel::reclaim::at;
use crate::kernel::record::Record;
use crate::kernel::release::contain;
use crate::kernel::secondary::{WAYS_MIN, Ways, ways_to};
use crate::kernel::table::{GarbageBin, KeyBounds, Table};

/// Indexes of a table up to which what has changed is noted without an allocation.
pub(crate) const INDEXES_INLINE: usize = 16;

/// An entry of the key set to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    entry: *const EntryHeader,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The key set before holds it.
    Old,
    /// Made, and not linked.
    Made,
    /// With a hold of ours.
    Held,
}

pub(crate) type Slots = SmallVec<[Slot; INDEXES_INLINE]>;

/// Of each index the old entries, if the new object has the same values. It stays where it is made:
/// it is large.
type Same<'k> = SmallVec<[Option<&'k [*const EntryHeader]>; INDEXES_INLINE]>;

impl Slot {
    pub(crate) fn made(entry: *mut EntryHeader) -> Self {
        Self {
            entry,
            state: State::Made,
        }
    }

    fn old(entry: *const EntryHeader) -> Self {
        Self {
            entry,
            state: State::Old,
        }
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    /// The key set of a new version: the old one if nothing that is indexed changed.
    pub(super) fn stage_keys(
        &self,
        kernel: &Kernel,
        record: &Record<K>,
        object: &T,
        old: *mut Keys,
    ) -> *mut Keys {
        if self.secondary.is_empty() {
            return std::ptr::null_mut();
        }
        // SAFETY: E4: the old version is visible at our snapshot, so it and its key set stand.
        let old_keys = (!old.is_null()).then(|| unsafe { KeySet::at(old) });
        let mut same = Same::new();
        match old_keys {
            Some(old) => self.compare(object, old.entries(), &mut same),
            None => same.resize(self.secondary.len(), None),
        }
        if let Some(old_keys) = old_keys
            && same.iter().all(Option::is_some)
        {
            old_keys.share();
            return old;
        }
        let mut entries = Entries {
            kernel,
            table: self,
            record,
            slots: SmallVec::new(),
            unused: SmallVec::new(),
            claims: 0,
        };
        for (index, same) in self.secondary.iter().zip(&same) {
            match same {
                Some(old) => old
                    .iter()
                    .for_each(|&old| entries.slots.push(Slot::old(old))),
                None => index.make(record, object, &mut entries.slots),
            }
        }
        entries.link();
        entries.give()
    }

    /// Compares the object's values with those of the old entries, index by index. Runs the index
    /// functions.
    fn compare<'k>(&self, object: &T, old: &'k [*const EntryHeader], same: &mut Same<'k>) {
        // All are looked at, and most are held: their lines are fetched side by side, then what
        // their values lead to.
        old.iter().for_each(|&entry| prefetch(entry));
        let mut rest = old;
        for (position, index) in (0..).zip(&self.secondary) {
            let own = own_count(rest, position);
            let (own, others) = rest.split_at(own);
            index.prefetch_values(own);
            same.push(Some(own));
            rest = others;
        }
        for (index, same) in self.secondary.iter().zip(same) {
            *same = same.filter(|own| index.same(object, own));
        }
    }
}

/// How many of these entries, the first ones, are of the index at a position.
#[inline]
fn own_count(entries: &[*const EntryHeader], position: u16) -> usize {
    let own = entries.iter();
    // SAFETY: E3: the key set holds its entries.
    own.take_while(|&&entry| unsafe { at(entry) }.index == position)
        .count()
}

/// The entries of a key set in the making; taken back if user code panics before it is made.
struct Entries<'k, K: KeyBounds, T: Send + Sync + 'static> {
    kernel: &'k Kernel,
    table: &'k Table<K, T>,
    record: &'k Record<K>,
    slots: Slots,
    /// Made, but others stand in their places.
    unused: SmallVec<[*mut EntryHeader; 2]>,
    /// Claims of the record that no entry has.
    claims: u32,
}

impl<K: KeyBounds, T: Send + Sync + 'static> Entries<'_, K, T> {
    /// Those that are not linked yet.
    fn made(&self) -> impl Iterator<Item = *const EntryHeader> + Clone {
        let made = self.slots.iter().filter(|slot| slot.state == State::Made);
        made.map(|slot| slot.entry)
    }

    /// Holds the old entries, and links those that were made.
    fn link(&mut self) {
        let made = u32::try_from(self.made().count()).expect("fewer entries than 2^32");
        // The caller's own claim, or the version that it reads, keeps the record alive.
        let claimed = made == 0 || self.record.header.claim_times(made);
        assert!(claimed, "K2: entries for a dead record");
        self.claims = made;
        let mut garbage = GarbageBin::new(self.kernel);
        let guard = self.kernel.domain.pin();
        let ways = match made as usize >= WAYS_MIN {
            // SAFETY: T2: made by these indexes, and ours.
            true => unsafe { ways_to(&self.table.secondary, &guard, self.made()) },
            false => Ways::new(),
        };
        let mut ways = ways.iter();
        for slot in &mut self.slots {
            // SAFETY: E3, E4: the old key set, or our hold, keeps it; or it was just made.
            let header = unsafe { at(slot.entry) };
            if slot.state == State::Old {
                assert!(header.hold(), "E1: an entry died while a key set held it");
                slot.state = State::Held;
                continue;
            }
            let index = &self.table.secondary[usize::from(header.index)];
            let made = slot.entry.cast_mut();
            // SAFETY: T2: made by that index, ours alone, and with one of our claims.
            let linked = unsafe { index.link(&guard, &mut garbage.0, made, ways.next()) };
            // Its own claim, or, if it gets back more, one of another's.
            self.claims = self.claims - 1 + linked.claims;
            if !std::ptr::eq(linked.entry, made) {
                self.unused.push(made);
            }
            *slot = Slot {
                entry: linked.entry,
                state: State::Held,
            };
        }
    }

    /// The key set, whose the holds are now.
    fn give(mut self) -> *mut Keys {
        let slots = std::mem::take(&mut self.slots);
        KeySet::make(slots.iter().map(|slot| slot.entry))
    }

    fn discard(&self, made: *mut EntryHeader) {
        // SAFETY: made by us, and not linked.
        let index = unsafe { at(made.cast_const()) }.index;
        let index = &self.table.secondary[usize::from(index)];
        // SAFETY: T2: made by that index, and not used again.
        contain(|| unsafe { index.discard(made) });
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static> Drop for Entries<'_, K, T> {
    fn drop(&mut self) {
        self.made().for_each(|made| self.discard(made.cast_mut()));
        self.unused.iter().for_each(|&made| self.discard(made));
        let held = self.slots.iter().filter(|slot| slot.state == State::Held);
        let held: Slotted = held.map(|slot| slot.entry).collect();
        if !held.is_empty() {
            // SAFETY: E3: the holds are ours.
            unsafe { self.kernel.release_entries(&held) };
        }
        if self.claims > 0 {
            let mut garbage = GarbageBin::new(self.kernel);
            let record = &self.record.header;
            self.kernel
                .unclaim_times(record, self.claims, &mut garbage.0);
        }
    }
}

type Slotted = SmallVec<[*const EntryHeader; INDEXES_INLINE]>;
