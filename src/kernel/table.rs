//! A typed table over the kernel: its records by key, in key order, and its secondary indexes.
//!
//! # Invariants
//! - T1: a record, version or entry whose `table` is this table's position has this table's types;
//!   only this file makes them.
//! - T2: an entry whose `index` is a secondary index's position was made by that index.

use std::any::{Any, TypeId};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Kernel;
use super::chain;
use super::commit::Write;
use super::entry::EntryHeader;
use super::key_set::KeySet;
use super::node::VersionHeader;
use super::ordered::{Course, Ends, OrderedIndex, Way};
use super::point::PointIndex;
use super::reading::{AnyHandle, Reading, Stored};
use super::reclaim::{Garbage, Guard, at, free};
use super::record::{KeyProbe, Record, RecordHeader};
use super::release::{Contained, contain};
use super::secondary::{AnySecondary, Ways, ways_to};
use super::typed::Typed;
use crate::sync::{AtomicBool, Ordering};

/// What may be a key or an index value.
pub trait KeyBounds: Ord + Clone + Send + Sync + 'static {}
impl<K: Ord + Clone + Send + Sync + 'static> KeyBounds for K {}

/// Bytes of a version that are fetched ahead for a reader, who may look at one field only.
pub(super) const READ_AHEAD: usize = 64;
/// Bytes of a version that are fetched ahead for a writer at most: as many lines as a core fetches
/// at once.
pub(super) const WRITE_AHEAD_MAX: usize = 1024;

/// A table of objects `T` with keys `K`.
pub struct Table<K: KeyBounds, T> {
    pub(super) position: u16,
    pub(super) points: PointIndex<Record<K>>,
    pub(super) order: OrderedIndex<Record<K>>,
    /// Whether a dead record was ever left in the order.
    left_dead: AtomicBool,
    pub(super) secondary: Box<[Arc<dyn AnySecondary<K, T>>]>,
    /// Seeds the hash of keys.
    pub(crate) seed: u64,
    pub(crate) name: &'static str,
    /// What the layer above keeps with a table, if it does.
    pub(crate) face: Option<Box<dyn Typed + Send + Sync>>,
    /// Bytes of an object with all that it points to. The user's code.
    measure: fn(&T) -> usize,
}

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    pub(crate) fn new(
        (position, name): (u16, &'static str),
        seed: u64,
        secondary: Vec<Arc<dyn AnySecondary<K, T>>>,
        face: Option<Box<dyn Typed + Send + Sync>>,
        measure: fn(&T) -> usize,
    ) -> Self {
        Self {
            seed,
            name,
            face,
            position,
            points: PointIndex::new(),
            order: OrderedIndex::new(),
            left_dead: AtomicBool::new(false),
            secondary: secondary.into(),
            measure,
        }
    }

    pub(crate) fn position(&self) -> u16 {
        self.position
    }

    pub(crate) fn secondary(&self) -> &[Arc<dyn AnySecondary<K, T>>] {
        &self.secondary
    }

    /// The object with a key. Wait-free; nothing is written, nothing allocated.
    #[inline(always)]
    pub(crate) fn get<'s>(
        &self,
        reading: Reading<'s>,
        hash: u64,
        matches: impl Fn(&K) -> bool,
    ) -> Option<Stored<'s, T>> {
        let guard = reading.pin();
        let record = self
            .points
            .get(&guard, hash, READ_AHEAD, |record| matches(&record.key))?;
        self.read(reading, record)
    }

    /// What a record shows at the reading's version. The caller is pinned.
    #[inline]
    pub(super) fn read<'s>(
        &self,
        reading: Reading<'s>,
        record: &Record<K>,
    ) -> Option<Stored<'s, T>> {
        // SAFETY: V4: the reading's word stands for 's, and the caller is pinned.
        let version: &'s VersionHeader = unsafe { chain::read(&record.header, reading.version()) }?;
        // SAFETY: T1: a version of a record of ours.
        (!version.is_tombstone()).then(|| unsafe { Stored::new(version) })
    }

    /// Visits what the reading sees between two places, in key order, until `visit` breaks. The
    /// visitor runs pinned: it must be short. Where an `Ord` lies, it may get what is outside.
    pub(crate) fn scan<'s>(
        &self,
        reading: Reading<'s>,
        ends: Ends<'_, KeyProbe<'_, K>>,
        course: Course,
        mut visit: impl FnMut(&'s K, Stored<'s, T>) -> ControlFlow<()>,
    ) {
        let guard = reading.pin();
        let each = |record: &Record<K>| match self.read(reading, record) {
            // SAFETY: K4: the record shows an object at the reading's version, so it is not reaped
            // while the reading's word stands.
            Some(stored) => visit(unsafe { &*std::ptr::from_ref(&record.key) }, stored),
            None => ControlFlow::Continue(()),
        };
        self.order.scan_within(&guard, ends, course, each);
    }

    /// What the record of an index entry shows, if the version there is found by that entry. The
    /// caller is pinned.
    pub(super) fn read_entry<'s>(
        &self,
        reading: Reading<'s>,
        record: &Record<K>,
        entry: &EntryHeader,
    ) -> Option<Stored<'s, T>> {
        record.header.prefetch_keys();
        let stored = self.read(reading, record)?;
        let keys = stored.version().keys();
        if keys.is_null() {
            return None;
        }
        // SAFETY: E4: the version is in its chain, so its key set stands.
        unsafe { KeySet::at(keys) }.names(entry).then_some(stored)
    }

    /// The typed record of a write of this table, for as long as a writer that must be validated
    /// against it: nobody reaps what was written after a live writer's snapshot.
    pub(crate) fn key_of<'g>(&self, _: &'g Guard<'_>, write: &'g Write) -> Option<&'g K> {
        if write.table != self.position {
            return None;
        }
        // SAFETY: K4: written above a live writer's version, so not reaped.
        let record: &RecordHeader = unsafe { at(write.record) };
        let record = std::ptr::from_ref(record).cast::<Record<K>>();
        // SAFETY: T1, and the header is the record's first field (repr C).
        Some(unsafe { &(*record).key })
    }

    /// All bytes of the table's own structures, about.
    fn structure_bytes(&self, guard: &Guard<'_>) -> usize {
        let entries: usize = self.secondary.iter().map(|index| index.bytes(guard)).sum();
        self.points.bytes(guard) + self.order.bytes(guard) + entries
    }
}

/// Garbage that reaches the domain however the operation ends.
pub(crate) struct GarbageBin<'k>(pub(crate) Garbage, &'k Kernel);

impl<'k> GarbageBin<'k> {
    pub(crate) fn new(kernel: &'k Kernel) -> Self {
        Self(Garbage::new(), kernel)
    }

    #[inline(never)]
    fn give(&mut self) {
        self.1.note_given(self.0.len());
        self.1.domain.give(std::mem::take(&mut self.0));
    }
}

impl Drop for GarbageBin<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.0.is_empty() {
            self.give();
        }
    }
}

/// What the kernel asks of a table whose types it does not know.
pub(crate) trait AnyTable: Typed + Send + Sync {
    /// Takes a dead record out of the hash and the order.
    ///
    /// # Safety
    /// It is a record of this table, dead, and the caller is who killed it.
    unsafe fn unlink_record(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        record: *const RecordHeader,
    );
    /// The ways to the places of entries, gone side by side; none, if the table has none. Runs the
    /// order.
    ///
    /// # Safety
    /// The entries are of this table, and stay during the call.
    unsafe fn ways<'g>(&'g self, _: &'g Guard<'_>, _: &[*const EntryHeader]) -> Ways<'g> {
        Ways::new()
    }
    /// Takes a dead entry out of its index, and gives its record if the entry's claim on it is now
    /// the caller's to give back. With a way there it need not be looked for.
    ///
    /// # Safety
    /// It is an entry of this table, dead, and the caller is who killed it; the way is of
    /// [`AnyTable::ways`] for it.
    unsafe fn unlink_entry<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        entry: *const EntryHeader,
        way: Option<&Way<'g>>,
    ) -> Option<*const RecordHeader>;
    /// Notes where the record of an installed write leads now, for lookups to come.
    fn forecast(&self, guard: &Guard<'_>, write: &Write);
    /// Goes on with a rebuild of the hash that inserts have begun; false: there is none.
    fn rebuild(&self, guard: &Guard<'_>, garbage: &mut Garbage) -> bool;
    /// Frees everything; the log and the limbo are empty and nobody is left.
    fn drain(&mut self);
    fn bytes(&self, guard: &Guard<'_>) -> usize;
    fn name(&self) -> &'static str;
    /// How many indexes it has.
    fn indexes(&self) -> usize {
        0
    }
    /// The hash of the value of an entry of this table. Runs the user's code.
    fn value_hash(&self, _entry: &EntryHeader) -> u64 {
        0
    }
    /// Owned shares of a write's old and new object.
    fn images(&self, guard: &Guard<'_>, write: &Write) -> (Option<AnyHandle>, Option<AnyHandle>);
    /// Bytes that are kept with an object: its version, and what it says that it points to. Asks
    /// the user's code, and contains its panic: then it points to nothing.
    fn bytes_with(&self, _object: &AnyHandle) -> u64 {
        0
    }
    /// Whether its objects are of the type of this one.
    fn is_of(&self, _object: &AnyHandle) -> bool {
        false
    }
    /// The key of a write whose commit is pending, in a [`Contained`], and its type's name.
    fn key(&self, guard: &Guard<'_>, write: &Write) -> (Arc<dyn Any + Send + Sync>, &'static str);
}

impl<K: KeyBounds, T: Send + Sync + 'static> AnyTable for Table<K, T> {
    unsafe fn unlink_record(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        record: *const RecordHeader,
    ) {
        let record = record.cast::<Record<K>>().cast_mut();
        // SAFETY: T1; dead, and not retired before this function does it.
        let dead: &Record<K> = unsafe { at(record.cast_const()) };
        self.points.remove(guard, garbage, dead);
        let (ordered, twice) = dead.header.was_ordered();
        // Never put in order: its creator gave up before.
        let mut removed = !ordered;
        if ordered {
            // As for an entry: where a comparison panics, it stays for who replaces it.
            contain(|| removed = self.order.remove(guard, garbage, dead));
        }
        // One that an `Ord` that lies had put there twice is never freed: it may stand there still.
        if !twice && (removed || dead.header.unlinking.killed()) {
            // SAFETY: R1: unlinked from both, dead (K2), and ours to retire.
            unsafe { Record::retire(record, garbage) };
        } else {
            // Relaxed: asked when nobody is left.
            self.left_dead.store(true, Ordering::Relaxed);
        }
    }

    unsafe fn ways<'g>(&'g self, guard: &'g Guard<'_>, entries: &[*const EntryHeader]) -> Ways<'g> {
        // SAFETY: the caller's promise.
        unsafe { ways_to(&self.secondary, guard, entries.iter().copied()) }
    }

    unsafe fn unlink_entry<'g>(
        &'g self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        entry: *const EntryHeader,
        way: Option<&Way<'g>>,
    ) -> Option<*const RecordHeader> {
        // SAFETY: dead, and not retired before the index does it.
        let index = unsafe { at(entry) }.index;
        // SAFETY: T2; the caller's promise.
        unsafe { self.secondary[usize::from(index)].unlink(guard, garbage, entry, way) }
    }

    fn forecast(&self, guard: &Guard<'_>, write: &Write) {
        // SAFETY: K3, K4: as for its installation; T1, and the header is the record's first field
        // (repr C).
        self.points
            .forecast(guard, unsafe { at(write.record.cast()) });
    }

    fn rebuild(&self, guard: &Guard<'_>, garbage: &mut Garbage) -> bool {
        self.points.rebuild(guard, garbage)
    }

    fn drain(&mut self) {
        for index in &mut self.secondary {
            if let Some(index) = Arc::get_mut(index) {
                index.drain();
            }
        }
        let take_apart = |record: *mut Record<K>| {
            // SAFETY: nobody is left, and nobody has freed it.
            let owned = unsafe { &mut *record };
            // Relaxed: as above.
            let head = owned.header.head.load(Ordering::Relaxed);
            if !head.is_null() {
                // SAFETY: as above: the head's link is ours.
                unsafe { super::release::tear_down(head) };
            }
            // A key's Drop is the user's. SAFETY: as above.
            contain(|| unsafe { free(record) });
        };
        let mut left = Vec::new();
        // Relaxed: as above.
        let left_dead = self.left_dead.load(Ordering::Relaxed);
        self.order.drain(|record| {
            // SAFETY: as above.
            let is_left = left_dead && unsafe { at(record.cast_const()) }.header.is_dead();
            left.extend(is_left.then_some(record));
        });
        // Perhaps twice.
        left.sort_unstable();
        left.dedup();
        left.into_iter().for_each(take_apart);
        // Each live record stands in the hash once.
        self.points.drain(take_apart);
    }

    fn bytes(&self, guard: &Guard<'_>) -> usize {
        self.structure_bytes(guard)
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn indexes(&self) -> usize {
        self.secondary.len()
    }

    fn value_hash(&self, entry: &EntryHeader) -> u64 {
        self.secondary[usize::from(entry.index)].value_hash(self.seed, entry)
    }

    fn images(&self, guard: &Guard<'_>, write: &Write) -> (Option<AnyHandle>, Option<AnyHandle>) {
        assert_eq!(write.table, self.position, "T1: a write of another table");
        // SAFETY: V5: the commit's images, under the guard that found the commit; T1.
        let image = |version| unsafe { AnyHandle::new(version, TypeId::of::<T>()) };
        let old = write.replaces().then(|| image(write.old));
        let new = (!write.deletes(guard)).then(|| image(write.new));
        (old, new)
    }

    fn bytes_with(&self, object: &AnyHandle) -> u64 {
        let mut beyond = 0;
        if let Some(typed) = object.object::<T>() {
            contain(|| beyond = (self.measure)(typed).saturating_sub(size_of::<T>()));
        }
        object.size().saturating_add(beyond) as u64
    }

    fn is_of(&self, object: &AnyHandle) -> bool {
        object.is::<T>()
    }

    fn key(&self, guard: &Guard<'_>, write: &Write) -> (Arc<dyn Any + Send + Sync>, &'static str) {
        // D2: a pending commit's records stand.
        let key = self.key_of(guard, write).expect("a write of this table");
        let key = Contained::new(key.clone());
        (Arc::new(key), std::any::type_name::<K>())
    }
}
