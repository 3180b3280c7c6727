//! What differs between a file's table and a store's: both in key order, side by side. What is
//! equal is not even decoded.
//!
//! A plan holds what is to be changed; what is to stay is in the snapshot that it was made from.
//! When others commit before the plan is done, it is still the whole state: their changes are
//! undone from that snapshot.

use std::cmp::Ordering;
use std::rc::Rc;

use super::error::{Fault, ReadError};
use super::frame::SavedObject;
use super::read::Reader;
use super::restore::RestoredTable;
use super::saving::Progress;
use super::shared::{Encoder, Parts};
use crate::snapshot::Snapshot;
use crate::table::handle::Entry;
use crate::table::object::Object;
use crate::table::query::keys;
use crate::txn::Transaction;
use crate::txn::kept::Kept;
use crate::txn::restore::{Stamp, Times};
use crate::version::{Meta, Version};

/// So many objects ahead of the one that is written, another one is fetched.
const AHEAD: usize = 6;

/// The objects of a table of the file; none, if the file has no such table.
pub(super) struct Section<'r, 's> {
    pub(super) table: &'static str,
    pub(super) reader: &'r mut Reader<&'s mut dyn std::io::Read>,
    /// Whether the reader is at this table.
    pub(super) present: bool,
    pub(super) progress: &'r mut dyn FnMut(Progress),
    /// What objects decoded so far have in common with those to come; and those encoded.
    pub(super) parts: Rc<Parts>,
    pub(super) encoder: Rc<Encoder>,
    /// The proposer's version that the file is restored at, if it is.
    pub(super) accepted: Option<Version>,
    /// Up to where progress was told.
    pub(super) told: u64,
}

impl Section<'_, '_> {
    fn next(&mut self) -> Result<Option<SavedObject<'_>>, ReadError> {
        if !self.present {
            return Ok(None);
        }
        // Once a block, when all of it has been given.
        if self.reader.is_between_blocks() {
            self.tell();
        }
        self.reader.next_object()
    }

    /// Tells how far it is, unless that was told.
    pub(super) fn tell(&mut self) {
        if self.told != self.reader.offset() {
            self.told = self.reader.offset();
            (self.progress)(Progress {
                table: self.table,
                objects: self.reader.objects(),
                bytes: self.told,
            });
        }
    }
}

/// What is to be under a key: an object and what is known of it, or nothing.
type Wanted<T> = Option<(Kept<T>, Stamp)>;

/// What is to be done to a table.
struct Plan<T: Object> {
    /// By key, ascending.
    changes: Vec<(T::Key, Wanted<T>)>,
    /// Objects of the file.
    objects: u64,
}

/// A plan whose type the caller does not know.
pub(super) trait AnyPlan {
    /// Writes what is to be done. `base` is what the plan was made from.
    fn write(&self, base: &Snapshot, tx: &mut Transaction<'_>) -> RestoredTable;
}

/// Makes a table's plan.
pub(super) fn plan<T: Object>(
    base: &Snapshot,
    section: &mut Section<'_, '_>,
    encode: &dyn Fn(&T) -> bool,
    decode: &dyn Fn(&[u8]) -> Result<T, Fault>,
) -> Result<Box<dyn AnyPlan>, ReadError> {
    let mut plan = Plan::<T> {
        changes: Vec::new(),
        objects: 0,
    };
    let mut here = base.find(keys::<T>().all()).entries();
    let mut there = here.next();
    // Whether the object that is next here is the one that was encoded last.
    let mut encoded = false;
    let encoder = Rc::clone(&section.encoder);
    let accepted = section.accepted;
    let mut last: Option<T::Key> = None;
    while let Some(saved) = section.next()? {
        plan.objects += 1;
        let stamp = stamp(&saved, base, accepted);
        if accepted.is_some() && stamp.proposed > accepted {
            let newer = "an object is newer than the version it is restored at";
            return Err(section.reader.error(Fault::Malformed(newer)));
        }
        if let Some(entry) = &there {
            here.fetch_ahead();
            // One of other times is another one: it need not be encoded to see that.
            encoded = is_of(&entry.meta(), stamp) && (encoded || encode(entry.get()));
            if encoded && encoder.is_last(saved.bytes) {
                last = Some(entry.key());
                (there, encoded) = (here.next(), false);
                continue;
            }
        }
        let decoded = decode(saved.bytes);
        let equal = |entry: &Entry<'_, T>| {
            is_of(&entry.meta(), stamp) && encode(entry.get()) && encoder.is_last(saved.bytes)
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(fault) => return Err(section.reader.error(fault)),
        };
        let key = decoded.key();
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(section.reader.error(Fault::OutOfOrder));
        }
        let mut unchanged = false;
        while let Some(entry) = &there {
            let own = entry.key();
            match own.cmp(&key) {
                Ordering::Less => plan.changes.push((own, None)),
                Ordering::Equal => unchanged = equal(entry),
                Ordering::Greater => break,
            }
            (there, encoded) = (here.next(), false);
        }
        last = Some(key.clone());
        if !unchanged {
            plan.changes
                .push((key, Some((Kept::new(base.words(), decoded), stamp))));
        }
    }
    let rest = there.into_iter().chain(here);
    plan.changes.extend(rest.map(|entry| (entry.key(), None)));
    Ok(Box::new(plan))
}

/// What the file says of an object, as far as the store has room for it. One that no version is
/// known of has that of the whole file: on every member, whatever was there.
fn stamp(saved: &SavedObject<'_>, base: &Snapshot, accepted: Option<Version>) -> Stamp {
    let proposed = saved.proposed.or(accepted);
    Stamp {
        times: Times {
            created: saved.created_at.into(),
            updated: saved.updated_at.into(),
        },
        proposed: proposed.filter(|_| base.knows_proposed()),
    }
}

/// Whether an object here may be the one that the file says that of. A file that says nothing of
/// the proposer's version fits any.
fn is_of(meta: &Meta, saved: Stamp) -> bool {
    let own = Stamp::of(meta);
    own.times == saved.times && (saved.proposed.is_none() || saved.proposed == own.proposed)
}

fn as_it_is<T: Object>(base: &Snapshot, entry: Entry<'_, T>) -> (Kept<T>, Stamp) {
    (
        Kept::new(base.words(), entry.get().clone()),
        Stamp::of(&entry.meta()),
    )
}

impl<T: Object> Plan<T> {
    fn changes(&self, key: &T::Key) -> bool {
        let found = self.changes.binary_search_by(|(own, _)| own.cmp(key));
        found.is_ok()
    }

    /// What others have done since `base`, undone; but for what the plan changes anyway.
    fn undo(&self, base: &Snapshot, tx: &Transaction<'_>) -> Vec<(T::Key, Wanted<T>)> {
        let mut undone = Vec::new();
        let as_it_is = |entry| as_it_is(base, entry);
        for entry in tx.stored::<T>() {
            let key = entry.key();
            if entry.meta().version > base.version() && !self.changes(&key) {
                undone.push((key.clone(), base.entry::<T>(&key).map(as_it_is)));
            }
        }
        for entry in base.find(keys::<T>().all()).entries() {
            let key = entry.key();
            if !tx.holds::<T>(&key) && !self.changes(&key) {
                undone.push((key, Some(as_it_is(entry))));
            }
        }
        undone
    }
}

impl<T: Object> AnyPlan for Plan<T> {
    fn write(&self, base: &Snapshot, tx: &mut Transaction<'_>) -> RestoredTable {
        tx.read_whole::<T>();
        let undone = if tx.version() == base.version() {
            Vec::new()
        } else {
            self.undo(base, tx)
        };
        let mut table = RestoredTable::new(T::TABLE);
        for (place, (key, wanted)) in undone.iter().chain(&self.changes).enumerate() {
            // What was decoded long ago lies far away.
            if let Some((_, Some((kept, _)))) = self.changes.get(place + AHEAD) {
                kept.prefetch();
            }
            let wanted = wanted.as_ref().map(|(kept, stamp)| (kept, *stamp));
            match (tx.put_kept::<T>(key, wanted), wanted) {
                (true, Some(_)) => table.updated += 1,
                (false, Some(_)) => table.created += 1,
                (true, None) => table.deleted += 1,
                // Somebody else has deleted it, too.
                (false, None) => {}
            }
        }
        table.unchanged = self.objects - table.created - table.updated;
        table
    }
}
