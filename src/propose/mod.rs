//! The seam where replication comes in: a proposer decides which commits there are.
//!
//! A store without a proposer commits by appending to its log. A store with one
//! ([`Builder::proposer`](crate::Builder::proposer)) appends a commit as *pending* and hands it
//! over as a [`Proposal`]; the proposer (a consensus engine, a journal, a test's) answers when it
//! knows. Nothing is locked meanwhile: reads go on, transactions that have nothing to do with the
//! pending ones are appended and proposed behind them, and those that conflict wait for the answer
//! and run again.
//!
//! The contract between the two is at [`Proposer`]. [`line`]: proposals in the order of the log;
//! [`flight`]: one that is on its way; [`proposal`], [`sets`]: what the proposer is shown;
//! [`decision`], [`numbering`]: what was decided, and its versions beside the store's own.

#![forbid(unsafe_code)]

pub(crate) mod decision;
pub(crate) mod flight;
pub(crate) mod line;
pub(crate) mod numbering;
pub(crate) mod proposal;
pub(crate) mod sets;

use std::error::Error as StdError;
use std::fmt;

use self::proposal::Proposal;
use self::sets::WriteSet;
use crate::version::Version;

/// Decides which commits there are: a consensus engine, a journal, or a test. A store is given one
/// by [`Builder::proposer`](crate::Builder::proposer).
///
/// The store appends a commit to its log as *pending* and hands it over as a [`Proposal`]; the
/// proposer answers when it knows. Nothing is locked meanwhile: reads go on, transactions that have
/// nothing to do with the pending ones are proposed behind them, and those that conflict wait for
/// the answer and run again.
///
/// # The contract
/// The store calls [`Proposer::propose`] in the order of its log, one call at a time, from the
/// thread of some transaction that is being committed, which holds no lock and no pin. The call
/// should only hand the proposal on: the next one waits for its end. It must not wait for a commit
/// of the same store. If it panics, the proposal is refused.
///
/// Each proposal is answered by its [`Ticket`](crate::Ticket): from any thread, within the call or
/// any time after it, and in any order. The first answer counts, and it is not lost: what is
/// accepted is applied and shown even if whoever asked for it has gone away.
///
/// - [`Ticket::accept`](crate::Ticket::accept): it is committed. The versions given are above 0 and
///   rise with the proposals' order, by any steps, in whatever order the answers come: one that
///   does not fit between those accepted before is an [`AnswerError`](crate::AnswerError).
/// - [`Ticket::refuse`](crate::Ticket::refuse): it is not committed, and will not be.
/// - [`Ticket::lose_leadership`](crate::Ticket::lose_leadership): this store does not lead any
///   more, and will not learn the outcome in this way. Nothing is applied here by this proposal; if
///   the others commit it, it comes back as a change to be applied like any other. The proposer
///   says so only when it will not accept the proposal any more: while it may, it keeps the ticket.
/// - Dropping the proposal and all of its tickets refuses it.
///
/// The thread that answers also makes the commit visible, delivers it to watchers, wakes who waits,
/// and frees what nobody can see any more. So wakers, and the Drop of objects, run within the
/// answer: if one of these waits for a commit of the store, and the proposer answers on one thread
/// alone, it waits for itself.
/// If the last handle of the store goes meanwhile, the store ends there as well, and the proposer,
/// if nobody else has it: one that waits for its own thread as it goes would wait for itself.
///
/// # Versions
/// There are two numbers. A [`Version`] counts the places of this store's own log, refused
/// proposals included: it is what snapshots, [`Meta::version`](crate::Meta), `update_at` and events
/// tell. Members count apart: what is at version 7 on one member is at 5 on another. A refused
/// proposal takes a number on the member that made it and on no other, and who restores a snapshot
/// has in one commit what others have in many. So such a number means nothing on another member:
/// not in a guard ([`Transaction::update_at`](crate::Transaction::update_at)), nor as a position of
/// [`Store::watch_from`](crate::Store::watch_from) or
/// [`Store::snapshot_at`](crate::Store::snapshot_at).
///
/// The proposer's version is its own, and the same on all members of a cluster.
///
/// - *Of an object*: [`Meta::proposed`](crate::Meta), the version of the commit that wrote it,
///   whatever member it was read on. It survives [saving](crate::Snapshot) and
///   `Store::restore_accepted`, and takes 8 bytes an object, in stores with a proposer alone. It
///   guards a write on every member:
///   [`Transaction::update_at_proposed`](crate::Transaction::update_at_proposed),
///   [`delete_at_proposed`](crate::Transaction::delete_at_proposed). Versions of specs
///   ([`Specified`](crate::cluster::Specified)) are such numbers, too.
/// - *Of a state*: the store keeps those of its last 65,536 commits, to be looked up by
///   [`Store::proposed_version`](crate::Store::proposed_version) and
///   [`Store::version_of`](crate::Store::version_of). So a client that was watching on one member
///   goes on at another: it takes the proposer's version along, asks for `version_of` there, and
///   watches from that. If the answer is `None`, the member is behind, or does not know; the client
///   waits, or begins anew ([`Store::snapshot_and_watch`](crate::Store::snapshot_and_watch)).
///
/// An entry that is applied without its version ([`Store::apply`](crate::Store::apply)), or a
/// restore without one, has none, and all of these answer `None` about it rather than guess. Who
/// asks a store for one gets what it was told: two stores whose proposers have nothing to do with
/// one another have versions that have nothing to do with one another.
///
/// # On a replicated log
/// What a consensus engine does, each at its time; `tests/replicas.rs` is a small one.
///
/// - *It leads*, and is asked to [`propose`](Proposer::propose): it appends the
///   [writes](Proposal::writes) to its log, as actions
///   ([`Action::of_write`](crate::Action::of_write)) with the times that they have, under an index;
///   when that is committed, it accepts the ticket with the index as version.
/// - *It follows*: entries that are committed it applies in order, by
///   [`Store::apply_accepted`](crate::Store::apply_accepted), with the index; also those without
///   writes, as that of a new leader, so that
///   [`Store::proposed_version`](crate::Store::proposed_version) of the newest version is the index
///   up to which it has applied. It refuses what it is asked to propose, within the call: what it
///   handed on to the thread that applies would be open while that waits for it.
/// - *It begins to lead*: it refuses until all entries up to its own first one, which has no
///   writes, are applied. For
///   commits are in the order in which they were appended here, and what came before its own would
///   come after.
/// - *It ceases to lead*: it answers all tickets with
///   [`Ticket::lose_leadership`](crate::Ticket::lose_leadership) first, then it applies. What
///   others commit of these comes back as entries.
/// - *It saves* a snapshot of the store with the index up to which it has applied; *it begins from*
///   such a file by `Store::restore_accepted` with that index, and applies what comes after it.
/// - *It is built*: a store asks once for [`Proposer::version`], and takes it for what the empty
///   store shows. A member that is to be filled again says `None` then.
///
/// # Example
/// ```
/// use std::sync::Arc;
/// use skep::{Proposal, Proposer, Store, Version};
/// # use skep::{Id, Indexes, Object};
/// # #[derive(Clone)] struct Task { id: Id }
/// # impl Object for Task {
/// #     type Key = Id;
/// #     const TABLE: &'static str = "task";
/// #     fn key(&self) -> Id { self.id }
/// #     fn indexes(_: &mut Indexes<Self>) {}
/// # }
///
/// /// Accepts everything at once, under every tenth number.
/// struct Agreeable;
///
/// impl Proposer for Agreeable {
///     fn propose(&self, proposal: Proposal) {
///         let version = Version::new(proposal.number().get() * 10);
///         proposal.ticket().accept(version).expect("the first answer");
///     }
/// }
///
/// let store = Store::builder().table::<Task>().proposer(Arc::new(Agreeable)).build();
/// store.update(|tx| tx.create(Task { id: Id::from_u128(1) }))?;
/// assert_eq!(store.proposed_version(store.version()), Some(Version::new(10)));
/// # Ok::<(), skep::UpdateError<skep::CreateError>>(())
/// ```
pub trait Proposer: Send + Sync + 'static {
    /// Takes a proposal, to be answered by its [ticket](Proposal::ticket), here or later. Must not
    /// wait for a commit of the store.
    fn propose(&self, proposal: Proposal);

    /// The newest of its versions that it has accepted; `None` if it has none, since it is no
    /// member of a cluster, or none so far. A store asks when it is built, and takes that for the
    /// version that it shows while it is empty: so a log's last index is wrong then, if its
    /// entries are still to be applied. Default: `None`.
    fn version(&self) -> Option<Version> {
        None
    }

    /// The changes after `from`, up to and including `to`, in order: one item for each accepted
    /// proposal, and for each entry that was [applied](crate::Store::apply_accepted), also for one
    /// that changes nothing. Of these there may be more. Both are versions of the proposer's. A log
    /// of actions gives them back by
    /// [`ProposedWrite::of_action`](crate::ProposedWrite::of_action).
    ///
    /// Watchers are told what an object was before. So of an update or a deletion without the old
    /// object ([`ProposedWrite::replaces`](crate::ProposedWrite), and no `old`) nothing is told,
    /// nor of what comes before it: it is as if that were compacted.
    ///
    /// [`Store::watch_from`](crate::Store::watch_from) calls it, on its caller's thread, for what
    /// the store's log no longer has. Default: it has none either.
    ///
    /// # Errors
    /// See [`ChangesError`].
    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        let _ = from;
        Err(ChangesError::Compacted { oldest: to })
    }
}

/// What one accepted proposal wrote.
#[derive(Clone, Debug)]
pub struct ProposedChange {
    /// The version that it was accepted at.
    pub version: Version,
    /// What it wrote.
    pub writes: WriteSet,
}

/// Why a proposer has no changes to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangesError {
    /// It does not keep changes that old any more.
    Compacted {
        /// The oldest version that it can go on from.
        oldest: Version,
    },
    /// It has accepted nothing that new yet.
    Future {
        /// The newest version that there is.
        newest: Version,
    },
    /// The range ends before it begins.
    OutOfOrder,
    /// It is no member of a cluster.
    NoMember,
}

impl fmt::Display for ChangesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compacted { oldest } => write!(f, "compacted: the oldest version is {oldest}"),
            Self::Future { newest } => {
                write!(f, "not accepted yet: the newest version is {newest}")
            }
            Self::OutOfOrder => f.write_str("the range ends before it begins"),
            Self::NoMember => f.write_str("no member of a cluster"),
        }
    }
}

impl StdError for ChangesError {}
