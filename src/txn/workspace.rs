//! What a transaction keeps of its reads and writes, used again by the thread's next one: a short
//! transaction then allocates what it writes, and nothing to remember it by.

use std::cell::{Cell, OnceCell};
use std::ops::{Deref, DerefMut};
use std::rc::Rc;

use smallvec::SmallVec;

use super::buffer::AnyBuffer;
use super::read_bound::ReadBound;
use crate::shared::Shared;
use crate::sync::local;

/// Writes up to which a workspace is kept: memory of a large transaction goes with it.
const KEPT_WRITES_MAX: usize = 1024;

/// A place a table, filled when the table is touched.
pub(super) type Buffers = SmallVec<[OnceCell<Box<dyn AnyBuffer>>; 12]>;

/// A transaction's reads and writes.
pub(super) struct Workspace {
    /// Of which store.
    store: u64,
    pub(super) buffers: Buffers,
    /// The first writes of keys, in the order they were made: which table, which write of it.
    pub(super) order: SmallVec<[(u16, usize); 4]>,
    pub(super) read_bound: Rc<ReadBound>,
}

local!(SPARE: Cell<Option<Box<Workspace>>> = Cell::new(None));

/// A workspace while a transaction has it; dropping it leaves it to the thread's next one.
pub(super) struct Lent(Option<Box<Workspace>>);

impl Lent {
    /// The workspace that this thread left, if it was this store's; else a new one.
    #[inline]
    pub(super) fn new(shared: &Shared) -> Self {
        let store = shared.kernel().domain.registry().id();
        // None, too, when the thread's locals are gone.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        Self(Some(match spare {
            Some(spare) if spare.store == store => spare,
            _ => made(shared, store),
        }))
    }
}

/// A new workspace, when there is none, or another store's.
#[cold]
fn made(shared: &Shared, store: u64) -> Box<Workspace> {
    Box::new(Workspace::new(shared, store))
}

impl Deref for Lent {
    type Target = Workspace;

    #[inline]
    fn deref(&self) -> &Workspace {
        self.0.as_ref().expect("lent until it is dropped")
    }
}

impl DerefMut for Lent {
    #[inline]
    fn deref_mut(&mut self) -> &mut Workspace {
        self.0.as_mut().expect("lent until it is dropped")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(mut work) = self.0.take()
            && work.clear()
        {
            // Without locals, at the thread's end, it is dropped.
            let _ = SPARE.try_with(|spare| spare.set(Some(work)));
        }
    }
}

impl Workspace {
    fn new(shared: &Shared, store: u64) -> Self {
        let tables = shared.kernel().tables.all().iter();
        Self {
            store,
            buffers: tables.map(|_| OnceCell::new()).collect(),
            order: SmallVec::new(),
            read_bound: Rc::new(ReadBound::new(shared.config.transaction_reads_max)),
        }
    }

    /// Empties it; false: it has grown too large to be kept. Drops what was written and not
    /// committed, which is the user's code: should that panic, nothing is left of it.
    fn clear(&mut self) -> bool {
        let kept = self.order.len() <= KEPT_WRITES_MAX;
        self.order.clear();
        self.read_bound.clear();
        for buffer in self.buffers.iter_mut().filter_map(OnceCell::get_mut) {
            buffer.clear();
        }
        kept
    }
}
