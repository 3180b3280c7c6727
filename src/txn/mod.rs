//! A transaction's life, a file a step, in reading order.
//!
//! ```text
//! begin -> read, write (-> settle) -> stage -> validate -> append -> publish
//! ```
//! - begin: a snapshot, announced as a writer's
//! - read: from the snapshot, under the transaction's own writes; noted in the read set
//! - write: into the transaction's own buffer
//! - settle: rules and unique indexes that were put off while it wrote are asked
//! - stage: records, versions and index entries are put in place, seen by nobody
//! - validate: the reads hold against every commit since the snapshot
//! - append: the commit takes the log's first empty slot: it is committed
//! - publish: the heads are installed, the watermark moves, watchers are woken
//!
//! With a proposer the commit is appended as pending, and published when that accepts it: submit.
//!
//! # Guarantees
//! Strictly serializable, phantoms included. When the append succeeds, nothing lies in the log
//! between what was validated and the commit itself, so the transaction could have run whole at
//! its own version; it returns when that version is visible, so who begins later sees it. A
//! transaction that only reads is serialized at its snapshot and never fails.
//!
//! # Progress
//! Lock-free from begin to the return of commit: an attempt fails only because another commit
//! succeeded since its snapshot, and no step waits for another thread ([`crate::kernel::clock`]).
//! Not starvation-free: a long transaction that writes what short ones write may lose each time.

#![forbid(unsafe_code)]

pub(crate) mod accepted;
pub(crate) mod append;
pub(crate) mod apply;
pub(crate) mod batch;
pub(crate) mod begin;
pub(crate) mod buffer;
#[cfg(feature = "save")]
pub(crate) mod kept;
mod noted;
pub(crate) mod overlay;
mod positions;
pub(crate) mod publish;
pub(crate) mod read;
pub(crate) mod read_bound;
pub(crate) mod reads;
pub(crate) mod restore;
pub(crate) mod settle;
pub(crate) mod stage;
pub(crate) mod submit;
pub(crate) mod update;
pub(crate) mod validate;
mod workspace;
pub(crate) mod write;

use std::any::Any;
use std::cell::Cell;
use std::fmt;

use self::buffer::Buffer;
use self::workspace::{Lent, Workspace};
use crate::kernel::reading::LocalHold;
use crate::kernel::typed::{downcast, downcast_mut};
use crate::shared::Shared;
use crate::table::object::Object;
use crate::table::schema::{Reader, TableOf};
use crate::version::Version;

/// A transaction: it reads one snapshot and writes into a buffer of its own, which its later reads
/// see and nobody else does until it commits. Dropping it rolls back.
///
/// Made by [`Store::update`](crate::Store::update), which runs a closure on it and commits, or by
/// [`Store::begin`](crate::Store::begin). It stays on its thread.
///
/// | to | call |
/// |---|---|
/// | read an object | `get`, `entry`, `object`; `get_by`, by a value of a unique index |
/// | read what a query finds | `find`, `first`, `count`, `exists` |
/// | read without being held to it | `peek`, `peek_find` |
/// | write | `create`, `update`, `upsert`, `modify`, `delete` |
/// | write only if the object is still at a version | `update_at`, `delete_at` |
/// | copy a state, checked as a whole | `defer_checks` |
/// | end | `commit`, `submit`, or drop it |
///
/// What it reads, but by `peek` and `peek_find`, must still hold when it commits: else the commit
/// is a conflict, which [`Store::update`](crate::Store::update) retries. A write is a read of its
/// key, too. A verb that fails has written nothing, and the transaction may go on.
///
/// # Panics
/// Every verb does if the store has no table of its type
/// ([`Builder::table`](crate::Builder::table)).
pub struct Transaction<'s> {
    shared: &'s Shared,
    hold: LocalHold<'s>,
    work: Lent,
    /// Bytes of the objects written, if somebody asks for them: a batch.
    bytes: Option<usize>,
    /// Objects created, less those deleted.
    objects: i64,
    checks: Cell<Checks>,
    /// Its look-ups and its commit are timed.
    timed: bool,
}

/// When unique indexes and rules are asked about what a transaction writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checks {
    /// At each write.
    AtOnce,
    /// Later, about all of it.
    Deferred,
    /// Now: the unique indexes have been, the rules are being asked.
    Settling,
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("snapshot", &self.version())
            .field("changes", &self.changes())
            .finish_non_exhaustive()
    }
}

impl<'s> Transaction<'s> {
    /// The version of the snapshot that it reads.
    #[must_use]
    pub fn version(&self) -> Version {
        Version::new(self.reader().reading.version())
    }

    /// What the store was built with of a type ([`Builder::setting`](crate::Builder::setting)), if
    /// anything. O(settings).
    #[must_use]
    pub fn setting<S: Any>(&self) -> Option<&'s S> {
        self.shared.settings.get()
    }

    /// How many objects it has written so far.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.work.order.len()
    }

    /// Bytes of what it is to write, each object once.
    fn bytes_written(&self) -> usize {
        let buffers = self.work.buffers.iter();
        let bytes = buffers.filter_map(|buffer| Some(buffer.get()?.bytes()));
        bytes.fold(0, usize::saturating_add)
    }

    /// From now on counts the bytes of what it writes.
    fn measured(mut self) -> Self {
        self.bytes = Some(0);
        self
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            schema: &self.shared.schema,
            reading: self.hold.reading(),
        }
    }

    fn table<T: Object>(&self) -> &'s TableOf<T> {
        self.shared.schema.table::<T>()
    }

    fn buffer<T: Object>(&self) -> &Buffer<T> {
        self.buffer_of(self.table::<T>())
    }

    fn buffer_of<T: Object>(&self, table: &TableOf<T>) -> &Buffer<T> {
        let place = &self.work.buffers[usize::from(table.position())];
        let buffer = place.get_or_init(|| Box::new(Buffer::<T>::new(&self.work.read_bound)));
        downcast(&**buffer).expect("made with this type")
    }
}

fn buffer_in<'b, T: Object>(work: &'b mut Workspace, table: &TableOf<T>) -> &'b mut Buffer<T> {
    let place = &mut work.buffers[usize::from(table.position())];
    place.get_or_init(|| Box::new(Buffer::<T>::new(&work.read_bound)));
    let buffer = place.get_mut().expect("made above");
    downcast_mut(&mut **buffer).expect("made with this type")
}
