//! The key set of a new version: whatever is found by the same values as before keeps its entries.
//!
//! Which values stay is seen by the objects alone: the entries, each on a line of its own, are left
//! alone where a base has them. First the other entries are made, by the user's index functions;
//! then, under one pin, all are held or linked.

use smallvec::SmallVec;

use crate::kernel::Kernel;
use crate::kernel::barrier::prefetch;
use crate::kernel::entry::EntryHeader;
use crate::kernel::key_set::{Base, IndexSet, KeySet, Keys};
use crate::kernel::reading::Stored;
use crate::kernel::reclaim::{at, free};
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

/// Of each index whether the new object has the same values. It stays where it is made: it is
/// large.
type Same = SmallVec<[bool; INDEXES_INLINE]>;

/// So many entries that stay are worth a base; fewer are held each time.
const BASE_MIN: usize = if cfg!(any(loom, shuttle)) { 1 } else { 4 };

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
        old: Option<Stored<'_, T>>,
    ) -> *mut Keys {
        if self.secondary.is_empty() {
            return std::ptr::null_mut();
        }
        let mut same = Same::new();
        let old_keys = old.map(|old| {
            // SAFETY: E4: the old version is visible at our snapshot, so it and its key set stand.
            let keys = unsafe { KeySet::at(old.version().keys()) };
            keys.prefetch_replaced();
            self.compare(old.object(), object, &mut same);
            keys
        });
        if let (Some(old), Some(old_keys)) = (old, old_keys)
            && same.iter().all(|&same| same)
        {
            old_keys.share();
            return old.version().keys();
        }
        let mut entries = Entries::of(kernel, self, record);
        match old_keys {
            Some(old_keys) => entries.keep(old_keys, &same),
            None => same.resize(self.secondary.len(), false),
        }
        let changed = self.secondary.iter().zip(&same).filter(|(_, same)| !**same);
        changed.for_each(|(index, _)| index.make(record, object, &mut entries.slots));
        entries.link();
        entries.give()
    }

    /// Compares the values of both objects, index by index. Runs the index functions.
    fn compare(&self, old: &T, new: &T, same: &mut Same) {
        let indexes = self.secondary.iter();
        same.extend(indexes.map(|index| index.same(old, new)));
    }
}

/// The entries of a key set in the making; taken back if user code panics before it is made.
struct Entries<'k, K: KeyBounds, T: Send + Sync + 'static> {
    kernel: &'k Kernel,
    table: &'k Table<K, T>,
    record: &'k Record<K>,
    slots: Slots,
    /// With a share of ours, or null; and the entries that it holds.
    base: *const Base,
    staying: Held,
    /// Made, but others stand in their places.
    unused: SmallVec<[*mut EntryHeader; 2]>,
    /// Claims of the record that no entry has.
    claims: u32,
}

impl<'k, K: KeyBounds, T: Send + Sync + 'static> Entries<'k, K, T> {
    fn of(kernel: &'k Kernel, table: &'k Table<K, T>, record: &'k Record<K>) -> Self {
        Self {
            kernel,
            table,
            record,
            slots: SmallVec::new(),
            base: std::ptr::null(),
            staying: Held::new(),
            unused: SmallVec::new(),
            claims: 0,
        }
    }

    /// Keeps the old entries of the indexes whose values are the same.
    fn keep(&mut self, old: &KeySet, same: &Same) {
        let (own, staying) = old.parts();
        // SAFETY: E5: the old key set's share keeps it, if there is one.
        let Some(base) = (unsafe { old.base().as_ref() }) else {
            return self.rest_on(own, same);
        };
        if changed(same).meets(base.indexes()) {
            self.rest_on(staying, same);
        } else {
            base.share();
            self.base = old.base();
            self.staying.extend_from_slice(staying);
        }
        self.hold_each(own.iter().copied().filter(|&entry| stays(entry, same)));
    }

    fn hold_each(&mut self, staying: impl Iterator<Item = *const EntryHeader>) {
        self.slots.extend(staying.map(Slot::old));
    }

    /// Makes a base for those of these entries that stay, if they are many.
    fn rest_on(&mut self, old: &[*const EntryHeader], same: &Same) {
        old.iter().for_each(|&entry| prefetch(entry));
        let mut indexes = IndexSet::default();
        let mut staying = Held::new();
        for &entry in old.iter().filter(|&&entry| stays(entry, same)) {
            // SAFETY: E3: the old key set, or its base, keeps it.
            match indexes.add(unsafe { at(entry) }.index) {
                true => staying.push(entry),
                false => self.slots.push(Slot::old(entry)),
            }
        }
        if staying.len() < BASE_MIN {
            return self.hold_each(staying.into_iter());
        }
        // First: what is held is the base's, also where one can be held no more.
        self.base = Base::make(indexes, staying.len());
        for entry in staying {
            // SAFETY: E3: as above.
            hold(unsafe { at(entry) });
            self.staying.push(entry);
        }
    }

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
                hold(header);
                slot.state = State::Held;
                continue;
            }
            let index = &self.table.secondary[usize::from(header.index)];
            let made = slot.entry.cast_mut();
            // SAFETY: T2: made by that index, ours alone, and with one of our claims.
            let entry = unsafe { index.link(&guard, &mut garbage.0, made, ways.next()) };
            match std::ptr::eq(entry, made) {
                true => self.claims -= 1,
                false => self.unused.push(made),
            }
            let state = State::Held;
            *slot = Slot { entry, state };
        }
    }

    /// The key set, whose the holds are now.
    fn give(mut self) -> *mut Keys {
        let slots = std::mem::take(&mut self.slots);
        let own = slots.iter().map(|slot| slot.entry);
        match std::mem::replace(&mut self.base, std::ptr::null()) {
            base if base.is_null() => KeySet::make(own),
            base => KeySet::make_on(base, own, &self.staying),
        }
    }

    /// Gives back a share of the base, and what only that held.
    fn leave_base(&self) {
        // SAFETY: E5: our share keeps it, if there is one.
        let Some(base) = (unsafe { self.base.as_ref() }) else {
            return;
        };
        if base.release() {
            // SAFETY: E5: the base's holds, now ours.
            unsafe { self.kernel.release_entries(&self.staying) };
            // SAFETY: ours alone, not used again.
            unsafe { free(self.base.cast_mut()) };
        }
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
        let held: Held = held.map(|slot| slot.entry).collect();
        self.leave_base();
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

type Held = SmallVec<[*const EntryHeader; INDEXES_INLINE]>;

/// Holds an entry that a key set of ours holds.
fn hold(entry: &EntryHeader) {
    assert!(entry.hold(), "E1: an entry died while a key set held it");
}

/// Whether an entry is of an index whose values are the same.
fn stays(entry: *const EntryHeader, same: &Same) -> bool {
    // SAFETY: E3: the old key set, or its base, keeps it.
    same[usize::from(unsafe { at(entry) }.index)]
}

/// The indexes whose values are not the same, but for those that no base has.
fn changed(same: &Same) -> IndexSet {
    let mut changed = IndexSet::default();
    let others = (0..).zip(same).filter(|(_, same)| !**same);
    others.for_each(|(index, _)| {
        changed.add(index);
    });
    changed
}
