//! The line from the store's log to its proposer: proposals go out in the log's order, one call at
//! a time, and nobody waits for their turn.
//!
//! Who has appended a pending commit counts it. Who counted the first one sends what is there, its
//! own and others', until all that was counted is sent; the others go on at once, to wait for their
//! verdicts. So `propose` runs on one thread at a time without a lock: a thread that stops in it
//! holds back later proposals, which would wait for its answer's order anyway, and nothing else.
//!
//! # Invariants
//! - F3: each pending commit is proposed once, in the log's order, one call at a time.
//! - F4: who is not the first of those counted goes on at once, whatever the sender is doing.
//! - F7: of two answers whose versions fall at least one is an error, also if both are given at the
//!   same moment.
//!
//! # Orderings
//! - [calls]: the count's AcqRel: who sends sees the log up to every commit that was counted, and
//!   the position that the sender before it left.
//! - [falling]: both note their version, fence, and look for the other's. Whose fence is first is
//!   seen by the other; so of two that do not fit one at least takes its own back.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Weak};

use super::Proposer;
use super::decision::Decision;
use super::flight::Flight;
use super::numbering::{Accepted, Neighbours, Numbering};
use super::proposal::{AnswerError, Decides, Proposal, Ticket};
use super::sets::{Image, ProposedWrite, ReadSet, WriteSet};
use crate::kernel::Kernel;
use crate::kernel::commit::Commit;
use crate::kernel::log::Slot;
use crate::kernel::pending::Outcome;
use crate::kernel::release::contain_panic;
use crate::latency::Begun;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::table::value::Value;
use crate::version::Version;

/// A store's proposer and what it keeps for it.
pub(crate) struct Line {
    proposer: Arc<dyn Proposer>,
    store: Weak<dyn Decides>,
    numbering: Numbering,
    /// The last commit of the log that was accepted.
    newest: AtomicU64,
    /// Pending commits appended and not yet known to be sent.
    calls: AtomicU64,
    /// The last position of the log that was looked at: the sender's.
    position: AtomicU64,
}

/// What stands in the log in the place of a [`Flight`] for a commit that is not proposed, since the
/// proposer has decided it already.
#[derive(Debug)]
pub(crate) struct Told;

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    pub(crate) fn new(proposer: Arc<dyn Proposer>, store: Weak<dyn Decides>) -> Self {
        Self {
            numbering: Numbering::new(proposer.version()),
            proposer,
            store,
            newest: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            position: AtomicU64::new(0),
        }
    }

    pub(crate) fn proposer(&self) -> &Arc<dyn Proposer> {
        &self.proposer
    }

    /// Notes what is to be decided of a pending commit, unless its version does not fit between
    /// those noted before.
    pub(crate) fn note(&self, number: Version, decision: Decision) -> Result<(), AnswerError> {
        self.numbering.note(number, decision);
        let Some(version) = decision.version() else {
            return Ok(());
        };
        // Relaxed: it says where to look, and what is found there is true: F5.
        self.newest.fetch_max(number.get(), Ordering::Relaxed);
        // SeqCst: [falling].
        fence(Ordering::SeqCst);
        let fits = self.neighbours(number).fits(version);
        fits.inspect_err(|_| self.numbering.take_back(number))
    }

    /// Decides a pending commit as it was noted (F6).
    pub(crate) fn decide(&self, kernel: &Kernel, number: Version, decision: Decision) {
        let decided = kernel.decide(number.get(), decision.accepted_at());
        assert!(decided, "D1: a commit is decided twice");
    }

    /// The ticket of a commit that was appended as pending and is not proposed ([`Told`]).
    pub(crate) fn ticket(&self, number: Version, base: Version) -> Ticket {
        let flight = Arc::new(Flight::new(base, ReadSet::default(), Begun::UNTIMED));
        Ticket::new(number, flight, Weak::clone(&self.store))
    }

    /// The proposer's version that the store's shows.
    pub(crate) fn accepted_at(&self, number: Version) -> Option<Version> {
        self.numbering.at(number)
    }

    /// From which of the proposer's versions on there is what was accepted after the store's; 0:
    /// from its first.
    pub(crate) fn accepted_since(&self, number: Version) -> Option<Version> {
        self.numbering.at_or_before_all(number)
    }

    /// The versions of the proposer's that were accepted nearest to a pending commit.
    pub(crate) fn neighbours(&self, number: Version) -> Neighbours {
        // Relaxed: as in `decide`.
        let newest = self.newest.load(Ordering::Relaxed);
        self.numbering.neighbours(number, newest)
    }

    /// Whether a version is newer than all that were accepted.
    pub(crate) fn is_newest(&self, version: Version) -> Result<(), AnswerError> {
        self.newest().fits(version)
    }

    /// The newest version that was accepted; 0: none was.
    pub(crate) fn accepted(&self) -> Version {
        self.newest().before.unwrap_or(Version::ZERO)
    }

    /// The neighbours of what comes next.
    fn newest(&self) -> Neighbours {
        // Relaxed: as in `note`.
        let newest = self.newest.load(Ordering::Relaxed);
        let next = Version::new(newest).next();
        self.numbering.neighbours(next, newest)
    }

    /// All that was accepted after one commit up to another; nothing, if not all is known.
    pub(crate) fn accepted_between(&self, after: Version, until: Version) -> Option<Vec<Accepted>> {
        self.numbering.between(after, until)
    }

    /// The store's version that shows the proposer's, if it is up to `until`.
    pub(crate) fn find(&self, version: Version, until: Version) -> Option<Version> {
        self.numbering.find(version, until)
    }

    /// Sees to it that a commit just appended is proposed. The caller is not pinned.
    pub(crate) fn send(&self, kernel: &Kernel) {
        // AcqRel: [calls].
        if self.calls.fetch_add(1, Ordering::AcqRel) != 0 {
            return;
        }
        let mut counted = 1;
        // Each turn follows other threads' appends.
        loop {
            while self.send_next(kernel) {}
            // AcqRel: [calls].
            let calls = self.calls.fetch_sub(counted, Ordering::AcqRel);
            if calls == counted {
                return;
            }
            counted = calls - counted;
        }
    }

    /// Proposes the next pending commit of the log; false: there is none.
    fn send_next(&self, kernel: &Kernel) -> bool {
        let Some((number, flight)) = self.next_pending(kernel) else {
            return false;
        };
        // A panic of the proposer's, or of a key's `Clone`, drops the ticket: it is refused. What
        // it leaves may panic again when it goes: what is counted would never be sent.
        let ticket = Ticket::new(number, flight, Weak::clone(&self.store));
        contain_panic(move || {
            let proposal = Proposal {
                base_proposed: self.accepted_at(ticket.base()),
                writes: writes_of(kernel, number),
                ticket,
            };
            self.proposer.propose(proposal);
        });
        true
    }

    fn next_pending(&self, kernel: &Kernel) -> Option<(Version, Arc<Flight>)> {
        let guard = kernel.domain.pin();
        // Relaxed: the sender's own, handed on by [calls].
        let mut position = self.position.load(Ordering::Relaxed);
        let found = loop {
            match kernel.log.at(&guard, position + 1) {
                Slot::Empty => break None,
                // Commits that nobody proposes.
                Slot::Trimmed => position = kernel.log.trimmed().max(position + 1),
                Slot::Commit(commit) => {
                    position += 1;
                    if let Some(flight) = flight_of(commit) {
                        break Some((Version::new(position), flight));
                    }
                }
            }
        };
        // Relaxed: as above.
        self.position.store(position, Ordering::Relaxed);
        found
    }
}

fn flight_of(commit: &Commit) -> Option<Arc<Flight>> {
    let pending = commit.pending()?;
    let payload = Arc::clone(pending.payload()) as Arc<dyn Any + Send + Sync>;
    let open = commit.outcome() == Outcome::Pending;
    payload.downcast::<Flight>().ok().filter(|_| open)
}

/// What a pending commit writes.
fn writes_of(kernel: &Kernel, number: Version) -> WriteSet {
    let guard = kernel.domain.pin();
    let Slot::Commit(commit) = kernel.log.at(&guard, number.get()) else {
        // Not while it is pending.
        return WriteSet::default();
    };
    let writes = commit.writes().iter().map(|write| {
        let table = kernel.table(usize::from(write.table));
        let (old, new) = table.images(&guard, write);
        ProposedWrite {
            table: table.name(),
            key: Value::of_unknown(table.key(&guard, write)),
            replaces: old.is_some(),
            old: old.map(Image::stored),
            new: new.map(Image::stored),
        }
    });
    writes.collect()
}
