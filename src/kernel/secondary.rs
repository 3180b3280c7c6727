//! A secondary index of a table: entries in order of value, then key.

use std::ops::ControlFlow;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Kernel;
use super::collect::Work;
use super::column::{AnyColumn, Column};
use super::entry::{Entry, EntryHeader, EntryProbe};
use super::ordered::{Choice, Course, Ends, OrderedIndex, Way};
use super::reading::{Reading, Stored};
use super::reclaim::{Garbage, Guard, allocate, at, free};
use super::record::{Record, RecordHeader};
use super::release::{Contained, contain};
use super::stage::keys::{INDEXES_INLINE, Slot, Slots};
use super::table::{GarbageBin, KeyBounds, Table};
use super::typed::Typed;

/// The values that an object has in an index: ascending, each once.
#[derive(PartialEq)]
pub(crate) struct Values<V>(SmallVec<[Contained<V>; 2]>);

impl<V> Values<V> {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|value| &**value)
    }

    pub(crate) fn contains(&self, value: &V) -> bool
    where
        V: PartialEq,
    {
        self.iter().any(|own| own == value)
    }
}

impl<V> IntoIterator for Values<V> {
    type Item = V;
    type IntoIter = std::iter::Map<smallvec::IntoIter<[Contained<V>; 2]>, fn(Contained<V>) -> V>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(Contained::into_inner)
    }
}

/// Passes an object's values on, in any order and perhaps more than once.
type ValuesOf<T, V> = Box<dyn Fn(&T, &mut dyn FnMut(V)) + Send + Sync>;

/// The values that are passed on.
pub(crate) fn collect_values<V: Ord>(values_of: impl FnOnce(&mut dyn FnMut(V))) -> Values<V> {
    let mut values = SmallVec::new();
    values_of(&mut |value| values.push(Contained::new(value)));
    if values.len() > 1 {
        values.sort_unstable();
        values.dedup();
    }
    Values(values)
}

/// An index of objects `T` with keys `K` by values `V`.
pub(crate) struct Secondary<K: KeyBounds, T, V: KeyBounds> {
    tree: OrderedIndex<Entry<K, V>>,
    table: u16,
    position: u16,
    pub(crate) name: &'static str,
    values_of: ValuesOf<T, V>,
    /// True: both objects have the same values.
    unchanged: Option<fn(&T, &T) -> bool>,
    /// By a seed.
    hash_of: fn(u64, &V) -> u64,
}

/// A secondary index whose value type the caller does not know.
pub(crate) trait AnySecondary<K, T>: Typed + Send + Sync {
    fn position(&self) -> u16;
    fn name(&self) -> &'static str;
    /// The hash of an entry's value, by a seed; of another index's entry 0. Runs the user's code.
    fn value_hash(&self, seed: u64, entry: &EntryHeader) -> u64;
    /// Whether both objects have the same values. Runs the user's functions.
    fn same(&self, old: &T, new: &T) -> bool;
    /// Makes an entry, with a hold, for each value of the object. Runs the user's function.
    fn make(&self, record: &Record<K>, object: &T, made: &mut Slots);
    /// A way to where an entry will be put.
    fn way<'g>(&'g self, guard: &'g Guard<'_>) -> Way<'g>;
    /// Takes a step on the way to an entry's place. Runs the order.
    ///
    /// # Safety
    /// The entry is this index's, and stays during the call; the way is from [`AnySecondary::way`]
    /// of this index.
    unsafe fn advance<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        way: &mut Way<'g>,
        entry: *const EntryHeader,
    );
    /// Puts an entry that was made in, unless a live one stands in its place, which then gets the
    /// hold; gives the one that stands now. With a way there it need not be looked for.
    ///
    /// # Safety
    /// It is from [`AnySecondary::make`] of this index, the caller's, and with a claim (E2), which
    /// is the caller's to give back if the entry was not put in. The way is from
    /// [`AnySecondary::way`] of this index.
    unsafe fn link<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        made: *mut EntryHeader,
        way: Option<&Way<'g>>,
    ) -> *const EntryHeader;
    /// Frees an entry that was made and not put in. Runs the user's Drop.
    ///
    /// # Safety
    /// As for [`AnySecondary::link`], and nobody uses it again.
    unsafe fn discard(&self, made: *mut EntryHeader);
    /// For the entries of so many new objects.
    fn column<'a>(&'a self, kernel: &'a Kernel, objects: usize) -> Box<dyn AnyColumn<K, T> + 'a>;
    /// As [`super::table::AnyTable::unlink_entry`].
    ///
    /// # Safety
    /// It is an entry of this index, dead, and the caller is who killed it. The way is from
    /// [`AnySecondary::way`] of this index.
    unsafe fn unlink<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        entry: *const EntryHeader,
        way: Option<&Way<'g>>,
    ) -> Option<*const RecordHeader>;
    fn drain(&mut self);
    fn bytes(&self, guard: &Guard<'_>) -> usize;
}

/// From so many entries on, the ways to their places are gone side by side.
pub(super) const WAYS_MIN: usize = if cfg!(any(loom, shuttle)) { 1 } else { 4 };

/// Ways in the indexes of one table.
pub(super) type Ways<'g> = SmallVec<[Way<'g>; INDEXES_INLINE]>;

/// The ways to the places of entries, gone side by side. Runs the order.
///
/// # Safety
/// The entries are of these indexes, and stay during the call.
pub(super) unsafe fn ways_to<'g, K: 'static, T: 'static>(
    indexes: &'g [Arc<dyn AnySecondary<K, T>>],
    guard: &'g Guard<'_>,
    entries: impl Iterator<Item = *const EntryHeader> + Clone,
) -> Ways<'g> {
    let entries = entries.map(|entry| {
        // SAFETY: the caller's promise.
        let index = usize::from(unsafe { at(entry) }.index);
        (&*indexes[index], entry)
    });
    let ways = entries.clone().map(|(index, _)| index.way(guard));
    let mut ways: Ways<'g> = ways.collect();
    while !ways.iter().all(Way::has_arrived) {
        let under_way = ways.iter_mut().zip(entries.clone());
        for (way, (index, entry)) in under_way.filter(|(way, _)| !way.has_arrived()) {
            // SAFETY: the caller's promise; T2: it is that index's entry, and its way.
            unsafe { index.advance(guard, way, entry) };
        }
    }
    ways
}

impl<K: KeyBounds, T: Send + Sync + 'static, V: KeyBounds> Secondary<K, T, V> {
    pub(crate) fn new(
        table: u16,
        position: u16,
        name: &'static str,
        values_of: impl Fn(&T, &mut dyn FnMut(V)) + Send + Sync + 'static,
    ) -> Self {
        Self {
            tree: OrderedIndex::new(),
            table,
            position,
            name,
            values_of: Box::new(values_of),
            unchanged: None,
            hash_of: |_, _| 0,
        }
    }

    /// The same, with a shorter way to see that two objects have the same values.
    pub(crate) fn unchanged_if(self, unchanged: Option<fn(&T, &T) -> bool>) -> Self {
        Self { unchanged, ..self }
    }

    /// The same, with a hash for values.
    pub(crate) fn hashed_by(self, hash_of: fn(u64, &V) -> u64) -> Self {
        Self { hash_of, ..self }
    }

    /// The values of an object. Runs the user's function.
    pub(crate) fn values_of(&self, object: &T) -> Values<V> {
        collect_values(|add| (self.values_of)(object, add))
    }

    /// Visits the entries that the reading sees between two places, by value, then key, until
    /// `visit` breaks. The visitor runs pinned: it must be short. Where an `Ord` lies, it may get
    /// what is outside.
    pub(crate) fn scan<'s>(
        &self,
        table: &Table<K, T>,
        reading: Reading<'s>,
        ends: Ends<'_, EntryProbe<'_, K, V>>,
        course: Course,
        mut visit: impl FnMut(&'s V, &'s K, Stored<'s, T>) -> ControlFlow<()>,
    ) {
        let guard = reading.pin();
        let each = |entry: &Entry<K, V>| {
            // SAFETY: E2: an entry that stands in the tree keeps its record, and so does our pin
            // for one that just left.
            let record = unsafe { at(entry.record) };
            match table.read_entry(reading, record, &entry.header) {
                Some(stored) => {
                    // SAFETY: E3: named by a version that the reading's word keeps, so the entry
                    // stands for 's.
                    let entry: &'s Entry<K, V> = unsafe { &*std::ptr::from_ref(entry) };
                    visit(&entry.value, entry.key(), stored)
                }
                None => ControlFlow::Continue(()),
            }
        };
        self.tree.scan_within(&guard, ends, course, each);
    }

    /// The value of an entry, if the entry is this index's.
    pub(crate) fn value_of<'g>(&self, entry: &'g EntryHeader) -> Option<&'g V> {
        if (entry.table, entry.index) != (self.table, self.position) {
            return None;
        }
        let entry = std::ptr::from_ref(entry).cast::<Entry<K, V>>();
        // SAFETY: T2, and the header is the entry's first field (repr C).
        Some(unsafe { &(*entry).value })
    }

    /// The values that a stored object has in this index, ascending.
    pub(crate) fn stored_values<'s>(&self, stored: Stored<'s, T>) -> impl Iterator<Item = &'s V> {
        stored.entries().filter_map(|entry| self.value_of(entry))
    }

    /// An entry that is not linked yet, with a hold.
    pub(super) fn make_entry(&self, record: &Record<K>, value: V) -> *mut Entry<K, V> {
        allocate(Entry::new(self.table, self.position, value, record))
    }

    /// Puts all of these entries in; see [`OrderedIndex::fill`]. Each has a claim
    /// on its record (E2).
    pub(super) fn fill(&self, kernel: &Kernel, entries: &[*mut Entry<K, V>]) -> bool {
        let mut garbage = GarbageBin::new(kernel);
        let guard = kernel.domain.pin();
        self.tree.fill(&guard, &mut garbage.0, entries)
    }

    /// As [`AnySecondary::link`].
    ///
    /// # Safety
    /// As there.
    pub(super) unsafe fn put_entry<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        fresh: *mut Entry<K, V>,
        way: Option<&Way<'g>>,
    ) -> *const EntryHeader {
        // SAFETY: the caller's alone until it is put.
        let made: &Entry<K, V> = unsafe { &*fresh };
        let probe = EntryProbe::at(&made.value, made.key());
        let mut replaced = None;
        let choose = |found: Option<&'g Entry<K, V>>| {
            if found.is_some_and(|entry| entry.header.hold()) {
                replaced = None;
                return Choice::Keep;
            }
            replaced = found;
            Choice::Put(fresh)
        };
        let chosen = match way {
            // SAFETY: the caller's promise.
            Some(way) => unsafe { self.tree.insert_at(guard, garbage, way, &probe, choose) },
            None => self.tree.insert(guard, garbage, &probe, choose),
        };
        if let Some(dead) = replaced
            && dead.header.state.replaced()
        {
            // The record's own claim: where an `Ord` lies it may be another one than the caller's.
            let record = dead.record.cast::<RecordHeader>().cast_mut();
            // SAFETY: R1: out of the index by us, and its killer is done with it.
            unsafe { garbage.retire(std::ptr::from_ref(dead).cast_mut()) };
            garbage.defer(record, Work::Unclaim);
        }
        std::ptr::from_ref(chosen).cast()
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static, V: KeyBounds> AnySecondary<K, T>
    for Secondary<K, T, V>
{
    fn position(&self) -> u16 {
        self.position
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn value_hash(&self, seed: u64, entry: &EntryHeader) -> u64 {
        self.value_of(entry)
            .map_or(0, |value| (self.hash_of)(seed, value))
    }

    fn same(&self, old: &T, new: &T) -> bool {
        if self.unchanged.is_some_and(|unchanged| unchanged(old, new)) {
            return true;
        }
        let values = self.values_of(old);
        // As they are passed on they are mostly in order: then none need be kept.
        let (mut rest, mut same, mut added) = (values.iter(), true, 0_usize);
        (self.values_of)(new, &mut |value| {
            let value = Contained::new(value);
            same = same && rest.next() == Some(&*value);
            added += 1;
        });
        if added < 2 || same {
            return same && rest.next().is_none();
        }
        values == self.values_of(new)
    }

    fn make(&self, record: &Record<K>, object: &T, made: &mut Slots) {
        for value in self.values_of(object) {
            made.push(Slot::made(self.make_entry(record, value).cast()));
        }
    }

    fn way<'g>(&'g self, guard: &'g Guard<'_>) -> Way<'g> {
        self.tree.way(guard)
    }

    unsafe fn advance<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        way: &mut Way<'g>,
        entry: *const EntryHeader,
    ) {
        // SAFETY: T2, and the caller's promise; the header is its first field (repr C).
        let entry: &Entry<K, V> = unsafe { at(entry.cast()) };
        let probe = EntryProbe::at(&entry.value, entry.key());
        // SAFETY: the caller's promise.
        unsafe { self.tree.advance(guard, way, &probe) }
    }

    unsafe fn link<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        made: *mut EntryHeader,
        way: Option<&Way<'g>>,
    ) -> *const EntryHeader {
        // SAFETY: T2, and the caller's promise.
        unsafe { self.put_entry(guard, garbage, made.cast(), way) }
    }

    unsafe fn discard(&self, made: *mut EntryHeader) {
        // SAFETY: T2, and the caller's promise.
        unsafe { free(made.cast::<Entry<K, V>>()) };
    }

    fn column<'a>(&'a self, kernel: &'a Kernel, objects: usize) -> Box<dyn AnyColumn<K, T> + 'a> {
        Box::new(Column::new(kernel, self, objects))
    }

    unsafe fn unlink<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        entry: *const EntryHeader,
        way: Option<&Way<'g>>,
    ) -> Option<*const RecordHeader> {
        let entry = entry.cast::<Entry<K, V>>().cast_mut();
        // SAFETY: T2; dead, and retired only below.
        let dead: &Entry<K, V> = unsafe { at(entry.cast_const()) };
        let mut removed = false;
        // Where a comparison of the user's panics it stays, as if it were not found: who replaces
        // it, or the end of the store, frees it.
        contain(|| {
            removed = match way {
                // SAFETY: the caller's promise.
                Some(way) => unsafe { self.tree.remove_at(guard, garbage, way, dead) },
                None => self.tree.remove(guard, garbage, dead),
            }
        });
        if !removed && !dead.header.state.killed() {
            // Whoever replaced it retires it, or nobody may.
            return None;
        }
        // SAFETY: R1: unlinked, dead (E1), and ours to retire.
        unsafe { garbage.retire(entry) };
        Some(dead.record.cast())
    }

    fn drain(&mut self) {
        self.tree.drain(|entry| {
            // A value's Drop is the user's. SAFETY: nobody is left; each live entry stands in the
            // tree once.
            contain(|| unsafe { free(entry) });
        });
    }

    fn bytes(&self, guard: &Guard<'_>) -> usize {
        self.tree.bytes(guard)
    }
}
