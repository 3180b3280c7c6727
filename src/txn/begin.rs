//! Begin: a snapshot, announced as a writer's.

use super::workspace::Lent;
use std::cell::Cell;

use super::{Checks, Transaction};
use crate::kernel::Kind;
use crate::kernel::reading::LocalHold;
use crate::latency::Begun;
use crate::shared::Shared;

impl<'s> Transaction<'s> {
    /// Wait-free, but for the thread's first use of the store.
    pub(crate) fn begin(shared: &'s Shared) -> Self {
        let hold = LocalHold::begin(shared.kernel(), Kind::Writer);
        let timed = match shared.clocks() {
            None => false,
            Some(clocks) => {
                hold.note_begin();
                Begun::now(Some(clocks)).is_timed()
            }
        };
        Self {
            shared,
            hold,
            work: Lent::new(shared),
            bytes: None,
            objects: 0,
            checks: Cell::new(Checks::AtOnce),
            timed,
        }
    }
}
