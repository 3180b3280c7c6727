//! Saving a version of a store to a file or a stream, and restoring it; with the feature `save`.
//!
//! A [`Catalogue`] names the tables that take part: the store itself knows nothing of
//! serialization. What is written is described byte by byte in `docs/save-format.md`.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use skep::save::Catalogue;
//! use skep::{Id, Indexes, Object, Store};
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! struct Task { id: Id }
//! # impl Object for Task {
//! #     type Key = Id;
//! #     const TABLE: &'static str = "task";
//! #     fn key(&self) -> Id { self.id }
//! #     fn indexes(_: &mut Indexes<Self>) {}
//! # }
//!
//! let catalogue = Catalogue::new().table::<Task>();
//! let store = Store::builder().table::<Task>().build();
//! store.update(|tx| tx.create(Task { id: Id::from_u128(1) }))?;
//! let mut file = Vec::new();
//! store.save(&catalogue, &mut file)?;
//!
//! store.update(|tx| tx.delete::<Task>(&Id::from_u128(1)))?;
//! let restored = store.restore(&catalogue, &file[..])?;
//! assert_eq!(restored.tables[0].created, 1);
//! assert!(store.read().get::<Task>(&Id::from_u128(1)).is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it is not
//! Not encrypted: secrets are in the file as they are. Not incremental: each file is whole.
//!
//! # Secrets
//! Memory of its own that objects pass through, encoded or compressed, is wiped before it is freed.
//! Not wiped are what the caller owns (target and source with their buffers, what
//! [`Catalogue::encode`] gives), the stack, and what an object's own `Serialize` and `Deserialize`
//! put aside. The compressor's table is not wiped either: it has places of bytes, and no bytes.
//!
//! # What it costs
//! Saving reads an owned snapshot: it stops nobody, and needs the memory of a block of
//! [`BLOCK_BYTES`] (or of the largest object) beyond what the snapshot keeps, and up to 4 MiB for
//! the encodings of [`shared`] parts. Restoring holds what is to be changed, and nothing of what
//! stays; parts that are [`shared`] once.
//!
//! | file | what |
//! |---|---|
//! | `catalogue.rs` | which tables take part |
//! | `format.rs`, `frame.rs` | the bytes: records, and objects within blocks |
//! | `write.rs`, `read.rs` | streams of them |
//! | `buffer.rs` | bytes that leave nothing behind |
//! | `saving.rs` | a snapshot to a stream |
//! | `shared.rs` | parts that objects share |
//! | `plan.rs`, `restore.rs` | a stream against a store: what differs; and doing it |
//! | `encoded.rs` | actions as bytes |
//! | `limits.rs`, `error.rs` | what is refused |

#![forbid(unsafe_code)]

mod buffer;
mod catalogue;
mod encoded;
mod error;
mod format;
mod frame;
mod limits;
mod plan;
mod read;
mod restore;
mod saving;
pub mod shared;
mod write;

pub use catalogue::Catalogue;
pub use error::{Fault, ReadError, RestoreError, SaveError};
pub use format::{BLOCK_BYTES, FORMAT_VERSION};
pub use frame::{SavedObject, decode};
pub use limits::Limits;
pub use read::{Reader, SavedTable};
pub use restore::{Restored, RestoredTable};
pub use saving::{Progress, Saved};

use std::io::{Read, Write};

use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::version::Version;

impl Store {
    /// Saves the newest version to a stream; see [`Snapshot::save`]. Stops no reader and no writer.
    ///
    /// # Errors
    /// See [`SaveError`].
    pub fn save(&self, catalogue: &Catalogue, target: impl Write) -> Result<Saved, SaveError> {
        self.snapshot().save(catalogue, target, |_| ())
    }

    /// Replaces the contents of the catalogue's tables by what was saved; see
    /// [`Store::restore_with`], which is told of progress as well.
    ///
    /// **The store's own versions do not come back.** An object that is put has the version of this
    /// store's commit, so in a new store versions begin anew, and a number that somebody read in
    /// the old store may come to stand for another state here: [`Store::restore_with`] says what to
    /// do. The versions of a [proposer](crate::Builder::proposer) do, if both stores have one
    /// ([`Meta::proposed`](crate::Meta)); what the whole file stands for is for
    /// [`Store::restore_accepted`].
    ///
    /// # Errors
    /// See [`RestoreError`].
    pub fn restore(
        &self,
        catalogue: &Catalogue,
        source: impl Read,
    ) -> Result<Restored, RestoreError> {
        self.restore_with(catalogue, source, |_| ())
    }

    /// Replaces the contents of the catalogue's tables by what was saved: in one transaction, by
    /// difference.
    ///
    /// An object that is there just as it was saved is left alone: it makes no event, and keeps its
    /// version and times. One that is put has the times that were saved, and the version of this
    /// commit. A table that the catalogue has and the file lacks is emptied. Unique indexes and
    /// rules are asked once, about the end. Nothing shows before the commit, and the commit is made
    /// only when the whole file has been read and is sound.
    ///
    /// What others commit to these tables while the file is read is undone by it. If others commit
    /// so often that it never gets its turn, that is an error. `progress` is told after each block,
    /// and once more when all of the file has been read, which is before the commit.
    ///
    /// # Versions are a store's own
    /// Over the store that was saved, no object's version comes twice: the commit is its next one.
    /// A *new* store counts from 1, whatever the file's objects had. A client that holds a version
    /// from before may then pass a guard that should have stopped it: its
    /// [`update_at`](crate::Transaction::update_at) or
    /// [`delete_at`](crate::Transaction::delete_at) with version 7 of the old store meets version 7
    /// of the new one, which is another state. Versions of specs (`spec_version` of the objects of
    /// a cluster) are in the file and go on from there, but may meet again as well: numbers that
    /// the old store gave after it was saved, and those of an object that is deleted and created
    /// again under its ID, for which the new store's smaller numbers begin. These may meet again
    /// over one store, too, if it was such a new one itself.
    ///
    /// So whoever holds a version, or [watches from](crate::Store::watch_from) one, reads again
    /// after a restore into a new store. Never carry a version from one store to another; where
    /// clients outlive stores, let what they hold name the store as well.
    ///
    /// # Errors
    /// See [`RestoreError`]. The store is as it was then.
    ///
    /// # Panics
    /// If the store lacks a table of the catalogue.
    pub fn restore_with(
        &self,
        catalogue: &Catalogue,
        source: impl Read,
        progress: impl FnMut(Progress),
    ) -> Result<Restored, RestoreError> {
        restore::restore(self, catalogue, None, source, progress)
    }

    /// As [`Store::restore`], of what a member of a cluster saved: the state that the
    /// [proposer](crate::Builder::proposer) had accepted up to `version`
    /// ([`Store::proposed_version`] of the [snapshot](Snapshot::save) there). The path of a member
    /// that begins from a snapshot, or is so far behind that the log goes no further back.
    ///
    /// Objects keep the proposer's versions that they were saved with
    /// ([`Meta::proposed`](crate::Meta)); one that was saved without has `version`, also where it
    /// is there already. The commit stands for `version`, though there be nothing to change, so
    /// that [`Store::apply_accepted`] goes on behind it, and [`Store::version_of`] knows it; of
    /// what led there it knows nothing, and says so.
    ///
    /// Waits for the proposals in flight: who answers them on the thread that restores answers
    /// first.
    ///
    /// # Errors
    /// See [`RestoreError`]: [`RestoreError::Version`] if the store is at that version or past it,
    /// and a fault of the file if it has an object that is newer. The store is as it was then.
    ///
    /// # Panics
    /// If the store lacks a table of the catalogue.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use skep::save::Catalogue;
    /// # use skep::{Id, Indexes, Object, Store};
    /// # #[derive(Clone, Serialize, Deserialize)] struct Task { id: Id }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// # struct Journal;
    /// # impl skep::Proposer for Journal {
    /// #     fn propose(&self, _: skep::Proposal) {}
    /// # }
    /// use skep::{Action, Version};
    ///
    /// let member = || {
    ///     let builder = Store::builder().table::<Task>();
    ///     builder.proposer(std::sync::Arc::new(Journal)).build()
    /// };
    /// let catalogue = Catalogue::new().table::<Task>();
    /// let (one, other) = (member(), member());
    /// let id = Id::from_u128(1);
    /// one.apply_accepted(Version::new(12), &[Action::create(Task { id })])?;
    /// let mut file = Vec::new();
    /// one.save(&catalogue, &mut file)?;
    ///
    /// let restored = other.restore_accepted(Version::new(12), &catalogue, &file[..])?;
    /// assert_eq!(other.proposed_version(restored.version), Some(Version::new(12)));
    /// let view = other.read();
    /// let meta = view.entry::<Task>(&id).map(|task| task.meta());
    /// assert_eq!(meta.and_then(|meta| meta.proposed), Some(Version::new(12)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restore_accepted(
        &self,
        version: Version,
        catalogue: &Catalogue,
        source: impl Read,
    ) -> Result<Restored, RestoreError> {
        restore::restore(self, catalogue, Some(version), source, |_| ())
    }
}

impl Snapshot {
    /// Writes the catalogue's tables, as they are at this version, to a stream. Stops no reader and
    /// no writer. Beside the snapshot it needs the memory of a block: see [`crate::save`].
    ///
    /// `progress` is told after each block, and once more when all is written; its panic ends the
    /// saving. To replace a file safely, write another one beside it, and rename that when this has
    /// returned.
    ///
    /// # Errors
    /// See [`SaveError`]. What was written so far is no sound file then.
    ///
    /// # Panics
    /// If the store lacks a table of the catalogue.
    pub fn save(
        &self,
        catalogue: &Catalogue,
        target: impl Write,
        progress: impl FnMut(Progress),
    ) -> Result<Saved, SaveError> {
        saving::save(self, catalogue, target, progress)
    }
}
