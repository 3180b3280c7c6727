//! Versions of cells, which know at which version of the proposer's they were accepted.

use super::{Cell, Txn, Value};
use crate::kernel::chain;
use crate::kernel::draft::Draft;
use crate::kernel::node::{self, VersionHeader, Words};
use crate::version::Version;

pub(super) fn make(value: Option<u64>) -> *mut VersionHeader {
    match value {
        Some(value) => Draft::new(Words::Proposed, || Value::new(value)).into_node(),
        None => node::tombstone(),
    }
}

impl Txn<'_> {
    /// What a cell shows, and the proposer's version of it.
    pub(crate) fn proposed(&self, cell: Cell) -> (u64, Option<u64>) {
        let _guard = self.hold.reading().pin();
        // SAFETY: pinned, and the hold is ours.
        let version = unsafe { chain::read(cell.header(), self.version()) };
        let version = version.expect("it shows something");
        // SAFETY: of `make`, and the model deletes nothing.
        let object = unsafe { node::object::<Value>(version) };
        (object.get(), version.meta().proposed.map(Version::get))
    }
}
