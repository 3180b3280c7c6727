//! The kernel: the only unsafe code of the crate. It knows keys, chains and the log; no
//! transactions, no events.
//!
//! # The algorithm
//! A commit is an append to a lock-free, totally ordered *commit log*: the slot n going from empty
//! to a set of writes is the linearization point, and n is the commit's *version*. What is written
//! was put in place before ([`stage`]: records, versions, index entries), held but seen by nobody.
//! After the append anyone may *install* the new versions at the heads of their records, any number
//! of times ([`chain`]); and the *watermark* passes over consecutive installed commits ([`clock`]).
//! A snapshot is a number: of each record it reads the newest version at or below it ([`horizon`],
//! [`reading`]). A transaction validates its reads against the log entries after its snapshot, then
//! tries to append at the first empty slot; a lost race means one more entry to validate against.
//!
//! ```text
//!  writer:  begin -> read, write -> stage -> validate (S, t] -> append t+1 -> install
//!           -> watermark >= t+1
//!  reader:  announce -> fence -> watermark S -> read heads down to <= S -> end
//!  log:     trimmed ....... cut ........... visible ...... tail
//!                    |---- validators, watchers ---->|
//! ```
//!
//! # Who may touch what, and where it is argued
//! | file | subject | invariants |
//! |---|---|---|
//! | [`session`], [`figures`] | a thread's line of shared words; what it counts | L |
//! | [`slots`], [`cursor`] | where watchers stand in the log | N, W |
//! | [`station`], [`routes`], [`mailbox`], [`seat`] | delivery to watchers | J, U, M, S |
//! | [`wake`], [`passing`], [`task`] | waking who waits for a newer version | Q |
//! | [`nesting`] | how deep a thread is in what it does for others | |
//! | [`reclaim`], [`garbage`], [`memory`] | epochs: who may still see what; what is retired | R |
//! | [`horizon`] | snapshot words: who reads at which version | H |
//! | [`record`] | a key's record, claims and death | K |
//! | [`chain`], [`node`], [`older`], [`draft`], [`depth`] | a record's versions | V |
//! | [`log`], [`segment`], [`commit`] | the commit log | G |
//! | [`history`] | what the log keeps for watchers to come | Y |
//! | [`clock`] | the watermark | C |
//! | [`pending`] | commits whose outcome is decided elsewhere | D |
//! | [`entry`], [`key_set`], [`secondary`], [`column`] | index entries and key sets | E |
//! | [`table`], [`stage`], [`prepared`] | typed records; what a write puts in place | T |
//! | [`point`], [`ordered`], [`choice`], [`hint`], [`tag`] | the hash and the B+-tree | their own |
//! | [`residual`] | records put away while a long snapshot is held | X |
//! | [`post`] | what is made once for all who ask | A |
//! | [`barrier`], [`catalog`], [`pool`] | fences; a store's tables; blocks used again | B |
//! | [`array`], [`typed`] | copies in a row; objects whose type is known | B |
//! | [`slab`], [`places`], [`mapping`], [`depot`], [`magazine`] | the memory of what is large | B |
//! | [`spare`] | what is large and seldom made, used again | B |
//! | [`stack`] | lists that chains of nodes are put on | I |
//! | [`collect`], [`below`], [`release`] | cutting, trimming, freeing; giving back, reaping | |
//! | [`time`], [`step`] | when objects are written; where the progress tests stop a thread | |
//!
//! # Sources
//! Fernandes and Cachopo, "Lock-free and scalable multi-version software transactional memory"
//! (PPoPP 2011): commit list, helped write-back. Neumann, Mühlbauer and Kemper, "Fast serializable
//! multi-version concurrency control" (SIGMOD 2015): validation by predicates against before- and
//! after-images. Böttcher et al., "Scalable garbage collection for in-memory MVCC systems" (VLDB
//! 2020): exact pruning with the set of active snapshots. Fraser, "Practical lock-freedom" (2004):
//! epochs.

pub(crate) mod ahead;
pub(crate) mod array;
pub(crate) mod barrier;
mod below;
pub(crate) mod catalog;
pub(crate) mod chain;
pub(crate) mod choice;
pub(crate) mod clock;
pub(crate) mod collect;
mod column;
pub(crate) mod commit;
pub(crate) mod cursor;
#[cfg_attr(shuttle, expect(dead_code, reason = "nothing is in slabs there"))]
pub(crate) mod depot;
mod depth;
pub(crate) mod draft;
pub(crate) mod entry;
pub(crate) mod figures;
pub(crate) mod garbage;
pub(crate) mod hint;
pub(crate) mod history;
pub(crate) mod horizon;
pub(crate) mod key_set;
#[cfg(all(test, not(any(loom, shuttle))))]
mod limit;
pub(crate) mod log;
#[cfg_attr(shuttle, expect(dead_code, reason = "nothing is in slabs there"))]
mod magazine;
pub(crate) mod mailbox;
pub(crate) mod mapping;
pub(crate) mod memory;
mod nesting;
pub(crate) mod node;
pub(crate) mod older;
pub(crate) mod ordered;
mod passing;
pub(crate) mod pending;
pub(crate) mod places;
pub(crate) mod point;
mod pool;
pub(crate) mod post;
pub(crate) mod prepared;
pub(crate) mod reading;
pub(crate) mod reclaim;
pub(crate) mod record;
pub(crate) mod release;
pub(crate) mod residual;
pub(crate) mod routes;
pub(crate) mod seat;
pub(crate) mod secondary;
mod segment;
pub(crate) mod session;
pub(crate) mod slab;
pub(crate) mod slots;
pub(crate) mod spare;
mod stack;
pub(crate) mod stage;
pub(crate) mod station;
pub(crate) mod step;
pub(crate) mod table;
mod tag;
mod task;
#[cfg(loom)]
pub(crate) mod testing;
pub(crate) mod time;
pub(crate) mod typed;
pub(crate) mod wake;

use std::sync::Arc;

#[cfg(not(target_pointer_width = "64"))]
compile_error!(
    "skep is for 64-bit targets: words of its indexes have tags beside 48-bit addresses"
);

use self::catalog::Catalog;
use self::cursor::Cursors;
use self::history::HistoryLimits;
pub(crate) use self::horizon::{Active, Kind};
use self::horizon::{Hold, Horizon};
use self::log::Log;
use self::reclaim::{Action, Domain, Guard};
use self::release::contain;
use self::residual::ResidualLists;
use self::session::Line;
use self::station::Station;
use self::table::{AnyTable, GarbageBin};

/// Hard bounds of a store, in commits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How far back snapshots may be taken.
    pub(crate) retention: u64,
    /// How many commits the log holds at most.
    pub(crate) log_commits: u64,
    /// How far a watcher may lag.
    pub(crate) watch_commits: u64,
    /// What the log keeps for watchers to come.
    pub(crate) history: HistoryLimits,
}

/// The shared state of one store.
pub(crate) struct Kernel {
    /// Before the domain, which gives back under loom what others have freed.
    cursors: Cursors,
    pub(crate) domain: Domain,
    pub(crate) horizon: Horizon,
    pub(crate) log: Log,
    pub(crate) limits: Limits,
    residual: ResidualLists,
    pub(crate) tables: Catalog,
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kernel")
            .field("visible", &self.horizon.visible())
            .finish_non_exhaustive()
    }
}

impl Kernel {
    pub(crate) fn new(limits: Limits, tables: Vec<Box<dyn AnyTable>>) -> Arc<Self> {
        Arc::new(Self {
            domain: Domain::new(),
            horizon: Horizon::new(limits.retention),
            log: Log::new(limits.log_commits).keeping(limits.history),
            limits,
            cursors: Cursors::new(),
            residual: ResidualLists::new(),
            tables: Catalog::new(tables),
        })
    }

    pub(crate) fn table(&self, position: usize) -> &dyn AnyTable {
        self.tables.at(position)
    }

    /// Scans who reads where, and raises the horizon.
    pub(crate) fn scan(&self) -> Active {
        self.horizon.scan(self.domain.registry())
    }

    /// A word of another line, when the thread's own has none free: it holds more snapshots than a
    /// line has words.
    #[cold]
    fn begin_elsewhere(&self, kind: Kind) -> (&Line, Hold) {
        self.with_spare_line(|line| self.horizon.begin(line, kind))
    }

    /// A word beside a pin of the thread that keeps another version, and a pin.
    #[cold]
    fn begin_beside<'k>(&'k self, line: &'k Line) -> (Guard<'k>, Hold) {
        let pin = self.domain.pin_on(line);
        let hold = self.horizon.begin(line, Kind::Reader);
        (
            pin,
            hold.unwrap_or_else(|| self.begin_elsewhere(Kind::Reader).1),
        )
    }

    fn with_spare_line<R>(&self, each: impl FnMut(&Line) -> Option<R>) -> (&Line, R) {
        self.domain.registry().with_spare(each)
    }

    /// Bytes of the indexes and the log, about.
    pub(crate) fn structure_bytes(&self) -> usize {
        let guard = self.domain.pin();
        let tables = self.tables.all().iter();
        let tables: usize = tables.map(|table| table.bytes(&guard)).sum();
        tables + self.log.bytes()
    }

    /// Goes on with the rebuilds that inserts have begun, and else would end; false: there are
    /// none.
    pub(crate) fn rebuild(&self) -> bool {
        let mut garbage = GarbageBin::new(self);
        let guard = self.domain.pin();
        let mut busy = false;
        for table in self.tables.all() {
            busy |= table.rebuild(&guard, &mut garbage.0);
        }
        busy
    }

    /// Gives memory back that is kept for the next writes: this thread's, and what nobody has.
    pub(crate) fn release_spare(&self) {
        pool::empty();
        magazine::empty();
        self.log.spare.empty();
    }

    /// The oldest versions at which anything reads, and at which a transaction does, about.
    pub(crate) fn oldest_held(&self) -> (Option<u64>, Option<u64>) {
        Horizon::oldest_held(self.domain.registry())
    }

    /// How many snapshots are held, about.
    pub(crate) fn snapshots(&self) -> usize {
        Horizon::held(self.domain.registry())
    }

    /// Bytes that the retained commits keep, about; 0 if they are not bounded by bytes.
    pub(crate) fn history_bytes(&self) -> u64 {
        self.log.history.bytes()
    }

    /// How many watchers there are, about.
    pub(crate) fn watchers(&self) -> usize {
        let stations = self.cursors.stations.iter();
        let delivered: u64 = stations.map(|station| station.subscribers()).sum();
        usize::try_from(self.cursors.count() + delivered).unwrap_or(usize::MAX)
    }

    /// A station by its number.
    pub(crate) fn station(&self, number: usize) -> &Station {
        &self.cursors.stations[number]
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        for retired in self.domain.drain() {
            match retired.action {
                // What panics as it goes keeps nothing else. SAFETY: R1, and nobody is left.
                Action::Free(free) => contain(|| unsafe { free(retired.pointer) }),
                // SAFETY: as above.
                Action::Part(part) => unsafe { reclaim::free_all(retired.pointer, part) },
                // SAFETY: as above.
                Action::Kernel(work) => unsafe { release::release(None, work, retired.pointer) },
            }
        }
        for segment in self.log.drain() {
            // SAFETY: as above; each segment stood in the ring once.
            unsafe { release::release(None, collect::Work::Segment, segment.cast()) };
        }
        self.residual.drain();
        for table in self.tables.all_mut() {
            table.drain();
        }
        self.release_spare();
    }
}
