//! What the loom models need of the kernel's insides: records and versions made by hand, without a
//! table's indexes, and a transaction over them that is the real one but for its buffers.

pub(crate) mod logs;
mod proposed;

use std::any::Any;
use std::sync::{Arc, Mutex};

use super::chain;
use super::commit::{Unpublished, Write, signature_bit};
use super::entry::{Entry, EntryHeader};
use super::log::{Append, Slot};
use super::node::{self, VersionHeader};
use super::older::Older;
use super::pending::{Outcome, Payload, Pending};
use super::reading::{AnyHandle, LocalHold, Reading};
use super::reclaim::{Action, Domain, Garbage, Guard, allocate, at, free, free_all};
use super::record::{Record, RecordHeader, Unclaimed, Unlinking};
use super::session::Line;
use super::stage::Shortened;
use super::table::{AnyTable, GarbageBin};
use super::typed::downcast;
use super::{Horizon, Kernel, Kind, Limits};
use crate::sync::{AtomicU64, Ordering};

use self::proposed::make;

/// An object that tells on who reads it unsynchronized: that one sees 0.
#[derive(Debug)]
pub(crate) struct Value(AtomicU64);

impl Value {
    pub(crate) fn new(value: u64) -> Self {
        let made = Self(AtomicU64::new(0));
        // Relaxed: on purpose: the kernel is to publish it.
        made.0.store(value, Ordering::Relaxed);
        made
    }

    pub(crate) fn get(&self) -> u64 {
        // Relaxed: on purpose, as above.
        let value = self.0.load(Ordering::Relaxed);
        assert!(value != 0, "seen before it was filled");
        value
    }

    /// Leaves a mark, for who comes after all readers to find.
    pub(crate) fn mark(&self, mark: u64) {
        // Relaxed: on purpose, as above.
        self.0.store(mark, Ordering::Relaxed);
    }
}

/// A record that stands in no index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell(*const Record<u64>);

impl Cell {
    /// A record with one claim, of the table at 0.
    pub(crate) fn new(key: u64) -> Self {
        Self(allocate(Record::new(0, key << 58, key)))
    }

    pub(crate) fn header<'a>(self) -> &'a RecordHeader {
        // SAFETY: the models see to it, and `at` tells if they do not.
        &unsafe { at(self.0) }.header
    }

    pub(crate) fn record<'a>(self) -> &'a Record<u64> {
        // SAFETY: as above.
        unsafe { at(self.0) }
    }

    /// What it shows to a reading, with the version's own number.
    pub(crate) fn read(self, reading: Reading<'_>) -> Option<(u64, u64)> {
        let _guard = reading.pin();
        // SAFETY: pinned, and the reading's hold stands.
        let version = unsafe { chain::read(self.header(), reading.version()) }?;
        // SAFETY: of `make`.
        let object =
            (!version.is_tombstone()).then(|| unsafe { node::object::<Value>(version) })?;
        Some((version.number(), object.get()))
    }

    /// The numbers of the chain, newest first.
    pub(crate) fn chain(self, _: &Guard<'_>) -> Vec<u64> {
        let mut numbers = Vec::new();
        // Acquire: [head].
        let mut next = self.header().head.load(Ordering::Acquire);
        while !next.is_null() {
            // SAFETY: V3: reached under the guard.
            let version = unsafe { at(next.cast_const()) };
            numbers.push(version.number());
            next = match version.older() {
                Older::One(older) => older,
                Older::End => break,
                Older::List(list) => {
                    // SAFETY: V3: as above.
                    for &listed in unsafe { at(list.cast_const()) }.versions() {
                        // SAFETY: V5: the list's link.
                        numbers.push(unsafe { at(listed.cast_const()) }.number());
                    }
                    break;
                }
            };
        }
        numbers
    }

    /// Whether the record waits on the residual list.
    pub(crate) fn is_residual(self) -> bool {
        // Relaxed: asked when nobody else is left.
        self.header().residual.load(Ordering::Relaxed)
    }

    /// How many claims there are: found by giving up all.
    pub(crate) fn claims(self) -> u32 {
        assert!(self.header().claim(), "dead");
        let mut claims = 0;
        while self.header().unclaim() == Unclaimed::Kept {
            claims += 1;
        }
        claims
    }

    /// As a reaper kills it: when an old tombstone shows, or nothing. The caller is pinned.
    pub(crate) fn kill(self, horizon: u64) -> bool {
        self.header().kill(|head| {
            if head.is_null() {
                return true;
            }
            // SAFETY: V3: reached under the caller's pin.
            let head = unsafe { at(head.cast_const()) };
            head.is_tombstone() && head.number() <= horizon && matches!(head.older(), Older::End)
        })
    }
}

/// The table of the cells: it frees what is unlinked, and all that is left at the end.
#[derive(Debug, Default)]
pub(crate) struct Cells(Mutex<Vec<usize>>);

impl AnyTable for Cells {
    unsafe fn unlink_record(
        &self,
        _: &Guard<'_>,
        garbage: &mut Garbage,
        record: *const RecordHeader,
    ) {
        let mut live = self.0.lock().expect("no panic");
        let found = live.iter().position(|&one| one == record.addr());
        live.swap_remove(found.expect("unlinked once"));
        let record = record.cast::<Record<u64>>().cast_mut();
        // SAFETY: R1: the caller killed it, and it stood nowhere else.
        unsafe { Record::retire(record, garbage) };
    }

    unsafe fn unlink_entry<'g>(
        &'g self,
        _: &'g Guard<'_>,
        garbage: &mut Garbage,
        entry: *const EntryHeader,
        _: Option<&super::ordered::Way<'g>>,
    ) -> Option<*const RecordHeader> {
        let entry = entry.cast::<Entry<u64, u64>>().cast_mut();
        // SAFETY: dead, and retired below.
        let record = unsafe { at(entry.cast_const()) }.record;
        // SAFETY: R1: the caller killed it.
        unsafe { garbage.retire(entry) };
        Some(record.cast())
    }

    fn forecast(&self, _: &Guard<'_>, _: &Write) {}

    fn rebuild(&self, _: &Guard<'_>, _: &mut Garbage) -> bool {
        false
    }

    fn drain(&mut self) {
        for record in std::mem::take(self.0.get_mut().expect("no panic")) {
            let record = std::ptr::with_exposed_provenance_mut::<Record<u64>>(record);
            // SAFETY: nobody is left.
            let header = &unsafe { at(record.cast_const()) }.header;
            // Relaxed: as above.
            let head = header.head.load(Ordering::Relaxed);
            if !head.is_null() {
                // SAFETY: as above: the head's link is ours.
                unsafe { super::release::tear_down(head) };
            }
            // SAFETY: as above.
            unsafe { free(record) };
        }
    }

    fn bytes(&self, _: &Guard<'_>) -> usize {
        0
    }

    fn name(&self) -> &'static str {
        "cells"
    }

    fn images(&self, _: &Guard<'_>, _: &Write) -> (Option<AnyHandle>, Option<AnyHandle>) {
        (None, None)
    }

    fn key(&self, _: &Guard<'_>, _: &Write) -> (Arc<dyn Any + Send + Sync>, &'static str) {
        (Arc::new(()), "()")
    }
}

/// A kernel whose one table is the cells'.
pub(crate) fn kernel(limits: Limits) -> Arc<Kernel> {
    Kernel::new(limits, vec![Box::new(Cells::default())])
}

/// A record of the kernel's, with no claim.
pub(crate) fn cell(kernel: &Kernel, key: u64) -> Cell {
    let cell = Cell::new(key);
    let _ = cell.header().unclaim();
    let cells = downcast::<Cells, _>(kernel.table(0));
    let cells = cells.expect("the kernel of `kernel`");
    let address = cell.0.expose_provenance();
    cells.0.lock().expect("no panic").push(address);
    cell
}

/// Gives a claim back, and reaps the cell's record if it was the last and the record is of no use.
pub(crate) fn unclaim(kernel: &Kernel, cell: Cell) {
    let mut garbage = GarbageBin::new(kernel);
    kernel.unclaim(cell.header(), &mut garbage.0);
}

/// A transaction on cells.
#[derive(Debug)]
pub(crate) struct Txn<'k> {
    kernel: &'k Kernel,
    hold: LocalHold<'k>,
    read: Vec<Cell>,
}

impl<'k> Txn<'k> {
    pub(crate) fn begin(kernel: &'k Kernel) -> Self {
        Self::begin_as(kernel, Kind::Writer)
    }

    pub(crate) fn begin_as(kernel: &'k Kernel, kind: Kind) -> Self {
        Self {
            kernel,
            hold: LocalHold::begin(kernel, kind),
            read: Vec::new(),
        }
    }

    pub(crate) fn version(&self) -> u64 {
        self.hold.reading().version()
    }

    /// What a cell shows, with the version's own number.
    pub(crate) fn read(&mut self, cell: Cell) -> Option<(u64, u64)> {
        self.read.push(cell);
        cell.read(self.hold.reading())
    }

    /// Writes and commits; `Err`: the commit in the way. The cells written are validated, too.
    pub(crate) fn commit(self, changes: &[(Cell, Option<u64>)]) -> Result<u64, u64> {
        self.commit_as(changes, false)
    }

    /// The same, with the outcome left to others.
    pub(crate) fn propose(self, changes: &[(Cell, Option<u64>)]) -> Result<u64, u64> {
        self.commit_as(changes, true)
    }

    fn commit_as(mut self, changes: &[(Cell, Option<u64>)], pending: bool) -> Result<u64, u64> {
        let mut writes: Vec<Write> = Vec::new();
        let mut staged = Ok(());
        for &(cell, value) in changes {
            let absent = self.read(cell).is_none();
            assert!(!absent || cell.header().claim(), "a dead cell is written");
            match self.stage(cell, value, absent) {
                Ok(write) => writes.push(write),
                Err(newer) => {
                    if absent {
                        let mut garbage = GarbageBin::new(self.kernel);
                        self.kernel.unclaim(cell.header(), &mut garbage.0);
                    }
                    staged = Err(newer);
                    break;
                }
            }
        }
        let mut commit = Unpublished::new();
        writes.iter().for_each(|&write| commit.add(write));
        if pending {
            commit.set_pending(Pending::new(Arc::new(()), Shortened::new()));
        }
        let appended = staged.and_then(|()| self.append(commit));
        match appended {
            // Its claims are its own until it is decided.
            Ok(number) if pending => Ok(number),
            Ok(number) => {
                let mut garbage = GarbageBin::new(self.kernel);
                for write in writes.iter().filter(|write| write.claimed) {
                    // SAFETY: K3: the claim keeps it.
                    self.kernel
                        .unclaim(unsafe { at(write.record) }, &mut garbage.0);
                }
                Ok(number)
            }
            Err(with) => {
                for write in writes {
                    // SAFETY: ours, and never appended.
                    unsafe { self.kernel.unstage(write, None) };
                }
                self.kernel.advance_to(&self.kernel.domain.pin(), with);
                Err(with)
            }
        }
    }

    fn stage(&self, cell: Cell, value: Option<u64>, claimed: bool) -> Result<Write, u64> {
        let _guard = self.kernel.domain.pin();
        // Acquire: [head].
        let head = cell.header().head.load(Ordering::Acquire);
        // SAFETY: V3: reached under the guard.
        let old = (!head.is_null()).then(|| unsafe { at(head.cast_const()) });
        if let Some(old) = old
            && old.number() > self.version()
        {
            return Err(old.number());
        }
        let new = make(value);
        let mut write = Write {
            record: cell.header(),
            new,
            old: std::ptr::null(),
            hash: cell.header().hash,
            table: 0,
            claimed,
        };
        if let Some(old) = old {
            // SAFETY: ours until it is appended.
            unsafe { (*new).link(Older::One(head), old.depth().next()) };
            if !old.is_tombstone() {
                write.old = old;
            }
        }
        Ok(write)
    }

    fn signature(&self) -> u64 {
        self.read
            .iter()
            .fold(0, |all, cell| all | signature_bit(cell.header().hash))
    }

    fn append(&self, mut commit: Unpublished) -> Result<u64, u64> {
        let (log, mut position) = (&self.kernel.log, self.version());
        loop {
            let guard = self.kernel.domain.pin();
            loop {
                let is_stranger = log.is_stranger(&guard, position + 1, || self.signature());
                match log.at(&guard, position + 1) {
                    Slot::Empty => {
                        assert!(!is_stranger, "G8: passed by what is not there");
                        break;
                    }
                    Slot::Trimmed => panic!("trimmed under a writer"),
                    Slot::Commit(_) if is_stranger => {}
                    Slot::Commit(other) => {
                        assert_eq!(other.number(), position + 1);
                        let mut theirs = other.writes().iter().map(|write| write.record);
                        let clash = theirs.any(|theirs| {
                            let mut mine = self.read.iter();
                            mine.any(|mine| std::ptr::eq(mine.header(), theirs))
                        });
                        if clash && other.outcome() != Outcome::Refused {
                            return Err(position + 1);
                        }
                    }
                }
                position += 1;
            }
            let number = position + 1;
            let mut garbage = GarbageBin::new(self.kernel);
            match log.append(&guard, number, commit, &mut garbage.0) {
                Append::Done(commit) if commit.pending().is_some() => {
                    self.kernel.advance_to(&guard, number);
                    return Ok(number);
                }
                Append::Done(commit) => {
                    let _ = self.kernel.publish(&guard, commit);
                    return Ok(number);
                }
                Append::Taken(back) => commit = back,
                Append::Full(_) => panic!("the models' logs are long enough"),
            }
        }
    }
}

/// Puts a commit into the log of a kernel, behind strangers', and leaves the rest to whoever comes;
/// with a payload it is for others to decide.
pub(crate) fn append_only(txn: Txn<'_>, cell: Cell, value: u64, payload: Option<Payload>) -> u64 {
    let write = txn.stage(cell, Some(value), false);
    let mut commit = Unpublished::new();
    commit.add(write.expect("nobody else writes it"));
    if let Some(payload) = payload {
        commit.set_pending(Pending::new(payload, Shortened::new()));
    }
    let log = &txn.kernel.log;
    let mut garbage = GarbageBin::new(txn.kernel);
    let guard = txn.kernel.domain.pin();
    let mut number = txn.version() + 1;
    // Each turn follows another thread's append.
    while let Append::Taken(back) = log.append(&guard, number, commit, &mut garbage.0) {
        (commit, number) = (back, number + 1);
    }
    let appended = matches!(log.at(&guard, number), Slot::Commit(_));
    assert!(appended, "the models' logs are long enough");
    number
}

/// One try to move the epoch on; frees what is ripe, after showing it. Gives how much it was.
pub(crate) fn reclaim(domain: &Domain, mut each: impl FnMut(*mut ())) -> usize {
    let ripe = domain.ripe(256).next::<256>();
    ripe.iter().for_each(|retired| match retired.action {
        Action::Free(free) => {
            each(retired.pointer);
            // SAFETY: R3.
            unsafe { free(retired.pointer) };
        }
        // SAFETY: R3.
        Action::Part(part) => unsafe { free_all(retired.pointer, part) },
        // SAFETY: R3.
        Action::Kernel(work) => unsafe {
            super::release::release(None, work, retired.pointer);
        },
    });
    ripe.len()
}

/// Finds what is ripe, and leaves it to others.
pub(crate) fn leave_ripe(domain: &Domain) {
    drop(domain.ripe(0));
}

/// Moves a watermark without a log.
pub(crate) fn show(horizon: &Horizon, version: u64) {
    // AcqRel: [visible].
    horizon.visible.fetch_max(version, Ordering::AcqRel);
}

/// Whether a line shows itself pinned.
pub(crate) fn is_pinned(line: &Line) -> bool {
    // Relaxed: asked by its owner.
    line.epoch.load(Ordering::Relaxed) != 0
}

/// Marks the entry dead if this was its last hold.
pub(crate) fn release_entry(entry: &EntryHeader) -> bool {
    entry.release()
}

/// A version outside of any chain, to be given back link by link: as made, it has two.
pub(crate) fn version() -> *const VersionHeader {
    make(Some(1)).cast_const()
}

/// Looks at a version and gives a link of it back.
pub(crate) fn use_link(version: *const VersionHeader) {
    // SAFETY: the caller's link keeps it.
    let _ = unsafe { at(version) }.number();
    // SAFETY: the link is the caller's.
    unsafe { super::release::release(None, super::collect::Work::Link, version.cast_mut().cast()) };
}

/// A dead node that stands in two places, of which its killer sees to one and who replaces it to
/// the other.
#[derive(Debug)]
pub(crate) struct Doubled(Unlinking);

impl Doubled {
    pub(crate) fn new() -> Self {
        Self(Unlinking::new(0))
    }

    /// True: the node is the caller's to retire.
    pub(crate) fn killed(&self) -> bool {
        self.0.killed()
    }

    /// True: the node is the caller's to retire.
    pub(crate) fn replaced(&self) -> bool {
        self.0.replaced()
    }
}
