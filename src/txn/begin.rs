//! Begin: a snapshot, announced as a writer's.

use std::cell::OnceCell;

use smallvec::SmallVec;

use super::Transaction;
use crate::kernel::Kind;
use crate::kernel::reading::LocalHold;
use crate::shared::Shared;

impl<'s> Transaction<'s> {
    /// Wait-free, but for the thread's first use of the store.
    pub(crate) fn begin(shared: &'s Shared) -> Self {
        let kernel = shared.kernel();
        Self {
            shared,
            hold: LocalHold::begin(kernel, Kind::Writer),
            buffers: kernel
                .tables
                .all()
                .iter()
                .map(|_| OnceCell::new())
                .collect(),
            order: SmallVec::new(),
            bytes: 0,
        }
    }
}
