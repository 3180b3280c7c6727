//! What all handles of one store share.

#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::num::NonZero;
use std::sync::{Arc, Weak};

use crate::kernel::Kernel;
use crate::kernel::clock::Mover;
use crate::kernel::node::Words;
use crate::kernel::wake::Waiters;
use crate::latency::{Begun, Clocks, Operation};
use crate::propose::Proposer;
use crate::propose::decision::Decision;
use crate::propose::line::Line;
use crate::propose::numbering::Neighbours;
use crate::propose::proposal::{AnswerError, Decides};
use crate::sync::{AtomicBool, Ordering};
use crate::table::schema::Schema;
use crate::version::Version;
use crate::watch::config::WatchConfig;
use crate::watch::shard::Shards;

/// What a store allows; see the methods of [`Builder`](crate::Builder).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) attempts_max: u32,
    pub(crate) transaction_changes_max: usize,
    /// `None`: not bounded, and not asked for.
    pub(crate) transaction_bytes_max: Option<usize>,
    pub(crate) transaction_reads_max: usize,
    pub(crate) batch_changes_max: usize,
    pub(crate) batch_bytes_max: usize,
    pub(crate) objects_max: Option<u64>,
    /// `None`: neither is bounded, which nothing is asked for.
    pub(crate) object_bounds: Option<ObjectBounds>,
    /// `None`: nothing is timed.
    pub(crate) timed_one_in: Option<NonZero<u32>>,
    /// Which versions of their commit objects know.
    pub(crate) words: Words,
}

/// How large objects may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectBounds {
    pub(crate) object_bytes: usize,
    pub(crate) key_bytes: usize,
}

impl ObjectBounds {
    pub(crate) const NONE: Self = Self {
        object_bytes: usize::MAX,
        key_bytes: usize::MAX,
    };
}

/// What the rules of a store's tables are told of it: values of the program's own types, one of
/// each.
#[derive(Clone, Default)]
pub(crate) struct Settings(Vec<Arc<dyn Any + Send + Sync>>);

impl Settings {
    /// Adds a value, in the place of one of its type.
    pub(crate) fn add<S: Any + Send + Sync>(&mut self, setting: S) {
        self.0.retain(|held| !held.is::<S>());
        self.0.push(Arc::new(setting));
    }

    pub(crate) fn get<S: Any>(&self) -> Option<&S> {
        self.0.iter().find_map(|held| held.downcast_ref())
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} settings", self.0.len())
    }
}

/// The shared state of a store's handles, snapshots, transactions and watchers.
pub(crate) struct Shared {
    pub(crate) schema: Schema,
    /// Of a store that times what is done in it.
    clocks: Option<Box<Clocks>>,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) waiters: Waiters,
    pub(crate) shards: Shards,
    /// Of a store with a proposer.
    pub(crate) line: Option<Line>,
    /// Itself.
    own: Weak<Self>,
    closed: AtomicBool,
}

impl Shared {
    pub(crate) fn new(
        schema: Schema,
        (config, settings): (Config, Settings),
        proposer: Option<Arc<dyn Proposer>>,
        watch: WatchConfig,
    ) -> Arc<Self> {
        let shards = Shards::new(schema.kernel(), watch);
        let clocks = config
            .timed_one_in
            .map(|one_in| Box::new(Clocks::new(one_in)));
        Arc::new_cyclic(|own: &Weak<Self>| Self {
            schema,
            clocks,
            config,
            settings,
            waiters: Waiters::new(),
            shards,
            line: proposer.map(|proposer| Line::new(proposer, Weak::clone(own) as _)),
            own: Weak::clone(own),
            closed: AtomicBool::new(false),
        })
    }

    /// A share of it, for who outlives a transaction.
    pub(crate) fn share(&self) -> Arc<Self> {
        self.own.upgrade().expect("borrowed from a share")
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        self.schema.kernel()
    }

    /// Which versions of their commit objects know.
    #[inline]
    pub(crate) fn words(&self) -> Words {
        self.config.words
    }

    /// What times what is done, if anything does.
    #[inline]
    pub(crate) fn clocks(&self) -> Option<&Clocks> {
        self.clocks.as_deref()
    }

    /// The last handle is gone: nothing will be committed any more.
    pub(crate) fn close(&self) {
        // Release: [closed]: who sees it sees every commit made before.
        self.closed.store(true, Ordering::Release);
        // Nobody commits any more, who would go on with it.
        self.waiters.wake_all();
        self.shards.call_all(self.kernel());
    }

    /// The watermark has moved: whoever waits is woken, and watchers are delivered to. With nobody
    /// there: a fence and two loads, and one more a shard.
    #[inline]
    pub(crate) fn published(&self, mover: Mover) {
        match mover {
            Mover::Own => self.waiters.wake_after_moving(),
            Mover::Any => self.waiters.wake(),
        }
        self.shards.committed(&self.schema);
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: [closed].
        self.closed.load(Ordering::Acquire)
    }
}

impl Decides for Shared {
    fn note(&self, number: Version, decision: Decision) -> Result<(), AnswerError> {
        let line = self.line.as_ref();
        line.map_or(Ok(()), |line| line.note(number, decision))
    }

    fn decide(&self, number: Version, decision: Decision) {
        if let Some(line) = &self.line {
            line.decide(self.kernel(), number, decision);
        }
    }

    fn neighbours(&self, number: Version) -> Neighbours {
        let line = self.line.as_ref();
        line.map_or(Neighbours::NONE, |line| line.neighbours(number))
    }

    fn answered(&self, begun: Begun) {
        begun.end(self.clocks(), Operation::Proposal);
    }

    fn wake(&self) {
        self.published(Mover::Any);
    }
}
