//! What all handles of one store share.

#![forbid(unsafe_code)]

use crate::kernel::Kernel;
use crate::kernel::wake::Waiters;
use crate::sync::{AtomicBool, Ordering};
use crate::table::schema::Schema;

/// What a store allows; see the methods of [`Builder`](crate::Builder).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) attempts_max: u32,
    pub(crate) transaction_changes_max: usize,
    pub(crate) batch_changes_max: usize,
    pub(crate) batch_bytes_max: usize,
}

/// The shared state of a store's handles, snapshots, transactions and watchers.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) schema: Schema,
    pub(crate) config: Config,
    pub(crate) waiters: Waiters,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(schema: Schema, config: Config) -> Self {
        Self {
            schema,
            config,
            waiters: Waiters::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        self.schema.kernel()
    }

    /// The last handle is gone: nothing will be committed any more.
    pub(crate) fn close(&self) {
        // Release: [closed]: who sees it sees every commit made before.
        self.closed.store(true, Ordering::Release);
        self.waiters.wake();
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: [closed].
        self.closed.load(Ordering::Acquire)
    }
}
