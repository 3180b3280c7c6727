//! What a transaction read of one table: keys and ranges, as data, so that another process could
//! check them too.

use std::ops::Bound;
use std::rc::Rc;

use super::noted::{Noted, empty};
use super::read_bound::ReadBound;
use crate::error::Duplicate;
use crate::kernel::commit::{Write, signature_bit};
use crate::kernel::entry::EntryHeader;
use crate::kernel::reclaim::Guard;
use crate::kernel::secondary::{AnySecondary, Secondary};
use crate::kernel::typed::{Typed, downcast};
use crate::propose::sets::{IndexReadRange, ReadRange, TableReadSet, UniqueClaim};
use crate::table::object::{Key, Object};
use crate::table::schema::TableOf;
use crate::table::span::Span;
use crate::table::unique::AnyTaken;
use crate::table::value::Value;

/// Reads up to which the memory of a read set is used again.
const READS_KEPT_MAX: usize = 1024;

/// The read set of one table.
pub struct TableReads<T: Object> {
    /// Keys read, present or absent, each once.
    points: Noted<(u64, T::Key), 4>,
    /// A bit a point: a write without one of them is no read point's.
    signature: u64,
    /// Each once: who asks the same again and again, as a scheduler asks of its nodes, has read one
    /// thing, which is looked at once for each write of others.
    key_spans: Noted<(u64, Span<T::Key>), 0>,
    index_spans: Noted<(u64, Box<dyn AnyIndexSpan<T>>), 0>,
    /// Values taken in unique indexes.
    pub(crate) taken: Vec<Box<dyn AnyTaken<T>>>,
    /// Counts points and spans, those of the other tables as well.
    read_bound: Rc<ReadBound>,
}

/// Why a transaction cannot stand beside a write.
#[derive(Debug)]
pub(crate) enum Clash {
    /// It read what the write changed.
    Read,
    /// Both took one value of a unique index.
    Duplicate(Duplicate),
}

/// A range of index values that was read.
trait AnyIndexSpan<T: Object>: Typed + Send {
    fn touched_by(&self, table: &TableOf<T>, entry: &EntryHeader) -> bool;
    /// The range with the name of its index.
    fn export(&self, table: &TableOf<T>) -> IndexReadRange;
}

#[derive(PartialEq, Hash)]
struct IndexSpan<V> {
    position: u16,
    span: Span<V>,
}

impl<T: Object, V: Key> AnyIndexSpan<T> for IndexSpan<V> {
    fn touched_by(&self, table: &TableOf<T>, entry: &EntryHeader) -> bool {
        let index = table.index_at::<V>(usize::from(self.position));
        let value = index.value_of(entry);
        value.is_some_and(|value| self.span.contains(value))
    }

    fn export(&self, table: &TableOf<T>) -> IndexReadRange {
        let index = table.index_at::<V>(usize::from(self.position));
        IndexReadRange {
            index: index.name,
            range: range_of(&self.span),
        }
    }
}

fn range_of<V: Key>(span: &Span<V>) -> ReadRange {
    let bound = |bound: &Bound<V>| bound.as_ref().map(|value| Value::new(value.clone()));
    ReadRange {
        lower: bound(&span.lower),
        upper: bound(&span.upper),
    }
}

impl<T: Object> TableReads<T> {
    pub(crate) fn new(read_bound: Rc<ReadBound>) -> Self {
        Self {
            points: Noted::new(),
            signature: 0,
            key_spans: Noted::new(),
            index_spans: Noted::new(),
            taken: Vec::new(),
            read_bound,
        }
    }

    /// Forgets all reads, whatever of them panics as it is dropped.
    pub(crate) fn clear(&mut self) {
        let ranges = self.key_spans.len() + self.index_spans.len() + self.taken.len();
        let is_kept = self.points.len().max(ranges) <= READS_KEPT_MAX;
        self.points.clear();
        self.signature = 0;
        if ranges > 0 {
            self.key_spans.clear();
            self.index_spans.clear();
            empty(&mut self.taken);
        }
        if !is_kept {
            *self = Self::new(Rc::clone(&self.read_bound));
        }
    }

    /// Notes a key as read, whether there was an object or not.
    pub(crate) fn note_point(&mut self, hash: u64, key: &T::Key) {
        if self.signature & signature_bit(hash) != 0 && self.has_point(hash) {
            return;
        }
        if !self.read_bound.note() {
            return;
        }
        self.signature |= signature_bit(hash);
        self.points.push((hash, key.clone()));
    }

    /// Whether a key with the hash was read. Two keys with one hash of 64 bits are taken for one: a
    /// conflict too many, never one too few.
    fn has_point(&self, hash: u64) -> bool {
        self.points.find(hash, |_| true).is_some()
    }

    /// Notes a range of keys as read, once.
    pub(crate) fn note_keys(&mut self, table: &TableOf<T>, span: Span<T::Key>) {
        let hash = table.hash_of(&span);
        let known = self.key_spans.find(hash, |(_, own)| *own == span);
        if known.is_none() && self.read_bound.note() {
            self.key_spans.push((hash, span));
        }
    }

    /// Notes a range of index values as read, once.
    pub(crate) fn note_index<V: Key>(
        &mut self,
        table: &TableOf<T>,
        index: &Secondary<T::Key, T, V>,
        span: Span<V>,
    ) {
        let position = index.position();
        let read = IndexSpan { position, span };
        let hash = table.hash_of(&read);
        let known = self.index_spans.find(hash, |(_, own)| {
            downcast(&**own).is_some_and(|own: &IndexSpan<V>| *own == read)
        });
        if known.is_none() && self.read_bound.note() {
            self.index_spans.push((hash, Box::new(read)));
        }
    }

    /// All of it as data that others can read.
    pub(crate) fn export(&self, table: &TableOf<T>) -> TableReadSet {
        let keys = self.points.iter();
        let keys = keys.map(|(_, key)| Value::new(key.clone()));
        let key_ranges = self.key_spans.iter().map(|(_, span)| range_of(span));
        let index_ranges = self.index_spans.iter().map(|(_, span)| span.export(table));
        let claims = self.taken.iter().map(|taken| {
            let (index, value, holder) = taken.claim();
            UniqueClaim {
                index,
                value,
                holder,
            }
        });
        TableReadSet {
            table: T::TABLE,
            keys: keys.collect(),
            key_ranges: key_ranges.collect(),
            index_ranges: index_ranges.collect(),
            claims: claims.collect(),
        }
    }

    /// Whether commits that write other keys than these are no matter.
    pub(crate) fn is_points_only(&self) -> bool {
        self.key_spans.is_empty() && self.index_spans.is_empty() && self.taken.is_empty()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.points.is_empty() && self.is_points_only()
    }

    pub(crate) fn signature(&self) -> u64 {
        self.signature
    }

    /// Whether a write of another transaction, later than our snapshot, changed what we read: by
    /// key, or by a value that the object had before or has now.
    pub(crate) fn clash(
        &self,
        guard: &Guard<'_>,
        table: &TableOf<T>,
        write: &Write,
    ) -> Option<Clash> {
        let point = self.signature & signature_bit(write.hash) != 0 && self.has_point(write.hash);
        if self.is_points_only() {
            return point.then_some(Clash::Read);
        }
        let key = table.key_of(guard, write)?;
        // First, so that a duplicate is told as one.
        let mut taken = self.taken.iter();
        let duplicate =
            taken.find_map(|taken| taken.taken_by(table, key, &mut write.new_entries(guard)));
        if let Some(duplicate) = duplicate {
            return Some(Clash::Duplicate(duplicate));
        }
        let mut entries = write.entries(guard);
        let read = point
            || self.key_spans.iter().any(|(_, span)| span.contains(key))
            || entries.any(|entry| {
                let mut spans = self.index_spans.iter();
                spans.any(|(_, span)| span.touched_by(table, entry))
            });
        read.then_some(Clash::Read)
    }
}
