//! The entries of many new objects in one index: made first, linked all at once.
//!
//! Put in one by one, in the order of the objects, each entry copies a leaf that is cold. Sorted
//! they go leaf by leaf; and into an empty index as a whole tree.
//!
//! # States
//! ```text
//! add: made, with a hold and a claim on its record   (seen by nobody)
//! link: in the tree; or, where a live entry stood, that one held, and the made one freed
//! give: the hold is the key set's
//! ```
//! Dropping a column takes back what it still has, whatever user code broke off.

use super::Kernel;
use super::entry::{Entry, EntryHeader};
use super::ordered::{Ordered, Shared};
use super::reclaim::{at, free};
use super::record::Record;
use super::release::contain;
use super::secondary::Secondary;
use super::table::{GarbageBin, KeyBounds};

/// The column of an index whose value type the caller does not know.
pub(crate) trait AnyColumn<K, T> {
    /// Makes the entries of one more object. The caller's claim on the record lasts as long as the
    /// column. Runs the user's function.
    fn add(&mut self, record: &Record<K>, object: &T);
    /// Links all entries. Runs the order of values and keys. `ascending`: the objects were added in
    /// the order of their keys.
    fn link(&mut self, ascending: bool);
    /// The entries of an object, whose holds are the caller's now; each object once, in order.
    fn give(&mut self, object: usize) -> &[*const EntryHeader];
}

/// An entry that is being linked.
struct Sorted<K, V> {
    /// After what all values of the column share.
    hint: u64,
    entry: *mut Entry<K, V>,
    /// Its place among all of the column.
    place: u32,
}

impl<K, V> Sorted<K, V> {
    /// The entry, while it is not linked.
    fn get(&self) -> &Entry<K, V> {
        // SAFETY: made by the column, which frees or links it later.
        unsafe { at(self.entry.cast_const()) }
    }
}

/// The entries of many objects in an index.
pub(super) struct Column<'k, K: KeyBounds, T, V: KeyBounds> {
    kernel: &'k Kernel,
    index: &'k Secondary<K, T, V>,
    /// By place, until they are being linked.
    made: Vec<*mut Entry<K, V>>,
    /// In order, while they are being linked; so many of them are linked.
    sorted: Vec<Sorted<K, V>>,
    linked: usize,
    /// Linked entries with a hold of ours, by place; null before, and when they are given. In the
    /// memory of what was made.
    held: Vec<*mut Entry<K, V>>,
    /// Where the entries of each object end.
    ends: Vec<u32>,
    given: Vec<*const EntryHeader>,
}

impl<'k, K: KeyBounds, T: Send + Sync + 'static, V: KeyBounds> Column<'k, K, T, V> {
    pub(super) fn new(kernel: &'k Kernel, index: &'k Secondary<K, T, V>, objects: usize) -> Self {
        Self {
            kernel,
            index,
            made: Vec::with_capacity(objects),
            sorted: Vec::new(),
            linked: 0,
            held: Vec::new(),
            ends: Vec::with_capacity(objects),
            given: Vec::new(),
        }
    }

    /// Puts what was made in order. Names that begin alike, and the one value that all objects
    /// have, would make each comparison follow pointers: hints are taken after what all share.
    fn sort(&mut self, ascending: bool) {
        let Some(first) = self.sorted.first().map(Sorted::get) else {
            return;
        };
        let values = self.sorted.iter().map(Sorted::get);
        let shared = values.fold(Shared::ALL, |shared, entry| match shared {
            Shared::NOTHING => shared,
            _ => shared.least(Entry::shared(first, entry)),
        });
        for sorted in &mut self.sorted {
            sorted.hint = sorted.get().hint_after(shared);
        }
        self.sorted.sort_by(|one, other| {
            let hints = one.hint.cmp(&other.hint);
            hints.then_with(|| match ascending {
                // The sort is stable: those with one value stay in the order of their keys, which
                // lie far away.
                true => one.get().value.cmp(&other.get().value),
                false => one.get().compare(other.get()),
            })
        });
    }

    /// Links one by one.
    fn link_each(&mut self) {
        while let Some(next) = self.sorted.get(self.linked) {
            let (fresh, place) = (next.entry, next.place as usize);
            let mut garbage = GarbageBin::new(self.kernel);
            let guard = self.kernel.domain.pin();
            // SAFETY: made by us, ours until it is linked, and with its claim.
            let linked = unsafe { self.index.put_entry(&guard, &mut garbage.0, fresh, None) };
            drop(guard);
            // From here on its hold is among the held, or it is not linked and goes.
            self.linked += 1;
            self.held[place] = linked.cast::<Entry<K, V>>().cast_mut();
            if !std::ptr::eq(linked, fresh.cast()) {
                // SAFETY: another stands in its place, so it was not linked; it is not looked at
                // again.
                unsafe { take_back(self.kernel, fresh) };
            }
            drop(garbage);
            // Leaves would pile up, else: one an entry.
            self.kernel.collect_sometimes();
        }
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static, V: KeyBounds> AnyColumn<K, T> for Column<'_, K, T, V> {
    fn add(&mut self, record: &Record<K>, object: &T) {
        for value in self.index.values_of(object) {
            let entry = self.index.make_entry(record, value);
            let claimed = record.header.claim();
            assert!(claimed, "K2: an entry for a dead record");
            self.made.push(entry);
        }
        let end = u32::try_from(self.made.len()).expect("fewer entries than 2^32");
        self.ends.push(end);
    }

    fn link(&mut self, ascending: bool) {
        let made = (0..).zip(&self.made);
        let sorted = made.map(|(place, &entry)| Sorted {
            hint: 0,
            entry,
            place,
        });
        self.sorted = sorted.collect();
        self.held = std::mem::take(&mut self.made);
        self.held.fill(std::ptr::null_mut());
        self.sort(ascending);
        let nodes = self.sorted.iter().map(|sorted| sorted.entry);
        if self.index.fill(self.kernel, &nodes.collect::<Vec<_>>()) {
            self.linked = self.sorted.len();
            for sorted in &self.sorted {
                self.held[sorted.place as usize] = sorted.entry;
            }
        } else {
            self.link_each();
        }
        self.sorted = Vec::new();
        self.linked = 0;
    }

    fn give(&mut self, object: usize) -> &[*const EntryHeader] {
        let before = object.checked_sub(1);
        let start = before.map_or(0, |before| self.ends[before] as usize);
        let own = &mut self.held[start..self.ends[object] as usize];
        self.given.clear();
        let given = own.iter_mut();
        self.given.extend(given.map(|entry| {
            let given = std::mem::replace(entry, std::ptr::null_mut());
            given.cast_const().cast::<EntryHeader>()
        }));
        &self.given
    }
}

impl<K: KeyBounds, T, V: KeyBounds> Drop for Column<'_, K, T, V> {
    fn drop(&mut self) {
        let sorted = self.sorted[self.linked..].iter().map(|it| it.entry);
        for entry in self.made.drain(..).chain(sorted) {
            // SAFETY: made by us, not linked, and not looked at again.
            unsafe { take_back(self.kernel, entry) };
        }
        let held = self.held.iter().filter(|entry| !entry.is_null());
        let held: Vec<_> = held.map(|entry| entry.cast_const().cast()).collect();
        // SAFETY: E3: the holds are ours.
        unsafe { self.kernel.release_entries(&held) };
    }
}

/// Frees an entry that was not linked, and gives its claim back.
///
/// # Safety
/// It is from `make_entry`, with its claim, and nobody else knows it.
unsafe fn take_back<K, V>(kernel: &Kernel, entry: *mut Entry<K, V>) {
    let mut garbage = GarbageBin::new(kernel);
    // SAFETY: the caller's promise.
    let record = unsafe { at(entry.cast_const()) }.record;
    // SAFETY: as above.
    contain(|| unsafe { free(entry) });
    // SAFETY: E2: the claim, ours to give back, keeps it.
    kernel.unclaim(&unsafe { at(record) }.header, &mut garbage.0);
}
