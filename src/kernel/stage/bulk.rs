//! Staging many new objects of a table at once: sorted, and into empty indexes as whole trees.
//!
//! What is put in place, and who holds it, is as for one write; only the order differs: first all
//! records are claimed, then they are put in key order, then the entries are made, index by index
//! linked, and at last the versions get their key sets. A panic of user code undoes what was done.

use smallvec::SmallVec;

use super::{Claimed, Compacted, INDEXES_INLINE};
use crate::kernel::Kernel;
use crate::kernel::barrier::prefetch;
use crate::kernel::column::AnyColumn;
use crate::kernel::commit::Write;
use crate::kernel::draft::Draft;
use crate::kernel::entry::EntryHeader;
use crate::kernel::key_set::KeySet;
use crate::kernel::node::VersionHeader;
use crate::kernel::ordered::Ordered;
use crate::kernel::prepared::Prepared;
use crate::kernel::reading::Reading;
use crate::kernel::reclaim::at;
use crate::kernel::record::Record;
use crate::kernel::table::{GarbageBin, KeyBounds, Table};
use crate::sync::Ordering;
use crate::version::Moment;

/// Records put in order under one pin, when it is done one by one.
const UNDER_ONE_PIN: usize = if cfg!(shuttle) { 2 } else { 64 };

/// So many objects ahead of the one at hand, another one is fetched: among many it lies far away.
const AHEAD: usize = 6;

/// A new object of a key that shows nothing at the reading's version.
#[derive(Debug)]
pub(crate) struct New<'w, K, T> {
    pub(crate) key: &'w K,
    pub(crate) hash: u64,
    pub(crate) draft: Draft<T>,
    pub(crate) created: Moment,
    pub(crate) updated: Moment,
}

/// A new object with its record.
struct Row<'k, K, T> {
    claimed: Claimed<'k>,
    record: &'k Record<K>,
    /// A tombstone, if there was an object before.
    old: Option<&'k VersionHeader>,
    hash: u64,
    draft: Draft<T>,
    times: (Moment, Moment),
}

/// A creation in place but not committed. Dropping it takes it back.
#[derive(Debug)]
pub(crate) struct Staged {
    kernel: *const Kernel,
    write: Write,
    compacted: Option<Box<Compacted>>,
}

impl Staged {
    /// Adds it to what is to be committed.
    pub(crate) fn add_to(self, prepared: &mut Prepared<'_>) {
        let mut staged = std::mem::ManuallyDrop::new(self);
        prepared.add(staged.write);
        if let Some(compacted) = staged.compacted.take() {
            prepared.shorten(*compacted);
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // SAFETY: a Staged does not outlive the transaction, nor that the kernel.
        let kernel = unsafe { &*self.kernel };
        let compacted = self.compacted.take().map(|compacted| *compacted);
        // SAFETY: never appended: all of it is ours to take back.
        unsafe { kernel.unstage(self.write, compacted) };
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    /// Puts everything that the creation of these objects needs in place, as [`Table::stage`] does
    /// for one; in their order. How many there are comes with them. `Err`: a record has moved on
    /// since the snapshot.
    pub(crate) fn stage_new<'w>(
        &self,
        kernel: &Kernel,
        reading: Reading<'_>,
        (count, new): (usize, impl Iterator<Item = New<'w, K, T>>),
    ) -> Result<Vec<Staged>, u64> {
        let mut rows = Vec::with_capacity(count);
        for new in new {
            rows.push(self.claim_row(kernel, reading, new)?);
        }
        self.order_rows(kernel, &rows);
        let columns = self
            .secondary
            .iter()
            .map(|index| index.column(kernel, count));
        let mut columns: Vec<_> = columns.collect();
        for (place, row) in rows.iter().enumerate() {
            if let Some(ahead) = rows.get(place + AHEAD) {
                ahead.draft.prefetch();
                prefetch(ahead.record);
            }
            for column in &mut columns {
                column.add(row.record, &row.draft);
            }
        }
        let in_order = |pair: &[Row<'_, K, T>]| pair[0].record.key < pair[1].record.key;
        let ascending = rows.windows(2).all(in_order);
        for column in &mut columns {
            column.link(ascending);
        }
        let mut staged = Vec::with_capacity(rows.len());
        let mut rows = rows.into_iter();
        while let Some(row) = rows.next() {
            if let Some(ahead) = rows.as_slice().get(AHEAD) {
                ahead.draft.prefetch_beside();
            }
            let place = staged.len();
            staged.push(self.finish(kernel, row, place, &mut columns));
        }
        Ok(staged)
    }

    /// As [`Table::claim`], without putting the record in order.
    fn claim_row<'k>(
        &self,
        kernel: &'k Kernel,
        reading: Reading<'k>,
        new: New<'_, K, T>,
    ) -> Result<Row<'k, K, T>, u64> {
        let mut garbage = GarbageBin::new(kernel);
        let guard = reading.pin();
        let (key, hash) = (new.key, new.hash);
        let (record, claimed) = self.claim_record(kernel, &guard, &mut garbage.0, key, hash);
        // Acquire: [head].
        let head = record.header.head.load(Ordering::Acquire);
        // SAFETY: V3: reached under the guard; V4: newest at the reading's version, which its word
        // keeps.
        let old = (!head.is_null()).then(|| unsafe { at(head.cast_const()) });
        match old.map(VersionHeader::number) {
            Some(newer) if newer > reading.version() => Err(newer),
            _ => Ok(Row {
                claimed,
                record,
                old,
                hash: new.hash,
                draft: new.draft,
                times: (new.created, new.updated),
            }),
        }
    }

    /// Sees to it that all records stand in the key order.
    fn order_rows(&self, kernel: &Kernel, rows: &[Row<'_, K, T>]) {
        let new = rows.iter().filter(|row| !row.record.header.is_ordered());
        let new = new.map(|row| (row.record.hint(), row.record, row.claimed.putter));
        let mut new: Vec<_> = new.collect();
        new.sort_by(|(hint, record, _), (other_hint, other, _)| {
            hint.cmp(other_hint).then_with(|| record.compare(other))
        });
        let nodes = new.iter();
        let nodes: Vec<_> = nodes
            .map(|&(_, record, _)| std::ptr::from_ref(record).cast_mut())
            .collect();
        let mut garbage = GarbageBin::new(kernel);
        if self
            .order
            .fill(&kernel.domain.pin(), &mut garbage.0, &nodes)
        {
            for (_, record, putter) in new {
                record.header.set_ordered(Some(putter));
            }
            return;
        }
        for some in new.chunks(UNDER_ONE_PIN) {
            let mut garbage = GarbageBin::new(kernel);
            let guard = kernel.domain.pin();
            for &(_, record, putter) in some {
                self.order_record(&guard, &mut garbage.0, record, putter);
            }
            drop((guard, garbage));
            kernel.collect();
        }
    }

    fn finish(
        &self,
        kernel: &Kernel,
        row: Row<'_, K, T>,
        at: usize,
        columns: &mut [Box<dyn AnyColumn<K, T> + '_>],
    ) -> Staged {
        let mut entries = SmallVec::<[*const EntryHeader; INDEXES_INLINE]>::new();
        for column in columns.iter_mut() {
            entries.extend_from_slice(column.give(at));
        }
        let keys = if columns.is_empty() {
            std::ptr::null_mut()
        } else {
            KeySet::make(entries.into_iter())
        };
        let new = row.draft.into_node();
        // SAFETY: ours alone until the commit is appended.
        unsafe { (*new).set_keys(keys) };
        // SAFETY: as above.
        unsafe { (*new).set_times(row.times.0, row.times.1) };
        row.claimed.keep();
        let mut staged = Staged {
            kernel: std::ptr::from_ref(kernel),
            write: Write {
                record: &raw const row.record.header,
                new,
                old: std::ptr::null(),
                hash: row.hash,
                table: self.position,
                claimed: true,
            },
            compacted: None,
        };
        if let Some(old) = row.old {
            let (older, depth) =
                self.compact(kernel, old, |it| staged.compacted = Some(Box::new(it)));
            // SAFETY: as above.
            unsafe { (*new).link(older, depth) };
        }
        staged
    }
}
