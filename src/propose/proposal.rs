//! A proposal, and the ticket that answers it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::{Arc, Weak};

use super::decision::Decision;
use super::flight::{Flight, Verdict};
use super::numbering::Neighbours;
use super::sets::{ReadSet, WriteSet};
use crate::latency::Begun;
use crate::version::Version;

/// A change that a transaction wants to make, handed to a [`Proposer`](crate::Proposer).
#[derive(Debug)]
pub struct Proposal {
    pub(super) ticket: Ticket,
    pub(super) base_proposed: Option<Version>,
    pub(super) writes: WriteSet,
}

impl Proposal {
    /// Its place in the store's own log: the version that it makes if it is accepted.
    #[must_use]
    pub fn number(&self) -> Version {
        self.ticket.0.number
    }

    /// The version of the snapshot that the transaction read, by the store's own count.
    #[must_use]
    pub fn base(&self) -> Version {
        self.ticket.0.flight.base
    }

    /// The same as a version of the proposer's, if the store still knows it.
    #[must_use]
    pub fn base_proposed(&self) -> Option<Version> {
        self.base_proposed
    }

    /// What the transaction read.
    #[must_use]
    pub fn reads(&self) -> &ReadSet {
        &self.ticket.0.flight.reads
    }

    /// What it writes.
    #[must_use]
    pub fn writes(&self) -> &WriteSet {
        &self.writes
    }

    /// What answers it. When the proposal and all its tickets are dropped, it is refused.
    #[must_use]
    pub fn ticket(&self) -> &Ticket {
        &self.ticket
    }
}

/// Carries out what was decided.
pub(crate) trait Decides: Send + Sync {
    /// The versions of the proposer's that were accepted nearest to a proposal.
    fn neighbours(&self, number: Version) -> Neighbours;
    /// Notes what is to be decided of the pending commit `number`; nothing, if its version does not
    /// fit.
    fn note(&self, number: Version, decision: Decision) -> Result<(), AnswerError>;
    /// Decides it so.
    fn decide(&self, number: Version, decision: Decision);
    /// Counts how long a proposal took that was made so.
    fn answered(&self, begun: Begun);
    /// Wakes who waits for a verdict.
    fn wake(&self);
}

/// Answers a proposal, once. Clones answer the same one.
#[derive(Clone)]
pub struct Ticket(Arc<Held>);

struct Held {
    number: Version,
    flight: Arc<Flight>,
    store: Weak<dyn Decides>,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// Another answer came first.
    Answered {
        /// That one, unless it is being carried out at this moment.
        first: Option<Verdict>,
    },
    /// The version is not newer than what was accepted of a proposal before this one, or is 0. The
    /// proposal is still open.
    NotNewer {
        /// The newest version that was accepted of those before it.
        newest: Version,
    },
    /// The version is not older than what was accepted of a proposal after this one. The proposal
    /// is still open.
    NotOlder {
        /// The oldest version that was accepted of those after it.
        oldest: Version,
    },
    /// The store is gone, and all its snapshots and watchers.
    Gone,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { first: Some(first) } => write!(f, "answered before: {first}"),
            Self::Answered { first: None } => f.write_str("answered before"),
            Self::NotNewer { newest } => write!(f, "not newer than version {newest}"),
            Self::NotOlder { oldest } => write!(f, "not older than version {oldest}"),
            Self::Gone => f.write_str("the store is gone"),
        }
    }
}

impl StdError for AnswerError {}

impl Ticket {
    pub(super) fn new(number: Version, flight: Arc<Flight>, store: Weak<dyn Decides>) -> Self {
        Self(Arc::new(Held {
            number,
            flight,
            store,
        }))
    }

    /// Its proposal's place in the store's log.
    #[must_use]
    pub fn number(&self) -> Version {
        self.0.number
    }

    pub(super) fn base(&self) -> Version {
        self.0.flight.base
    }

    /// What was answered, if it was.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        self.0.flight.verdict()
    }

    /// It is committed, at this version of the proposer's, which is newer than those of all
    /// proposals before it and older than those of all after it. It is visible as soon as all
    /// before it are answered. Versions are below 2^62.
    ///
    /// Versions that fall are told: of two that several threads give at the same moment one is an
    /// error, or both are.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn accept(&self, version: Version) -> Result<(), AnswerError> {
        self.accept_as(Decision::Accepted(version))
    }

    /// The same in another way of being accepted.
    pub(crate) fn accept_as(&self, decision: Decision) -> Result<(), AnswerError> {
        let store = self.0.store.upgrade().ok_or(AnswerError::Gone)?;
        if let Some(version) = decision.version()
            && self.0.flight.is_open()
        {
            store.neighbours(self.number()).fits(version)?;
        }
        self.0.answer(Verdict::Accepted, decision)
    }

    /// It is not committed, and will not be.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn refuse(&self, reason: impl Into<Arc<str>>) -> Result<(), AnswerError> {
        let reason = reason.into();
        let verdict = Verdict::Refused { reason };
        self.0.answer(verdict, Decision::Refused)
    }

    /// The proposer stopped leading before it knew, and will not accept it any more.
    ///
    /// # Errors
    /// See [`AnswerError`].
    pub fn lose_leadership(&self) -> Result<(), AnswerError> {
        self.0.answer(Verdict::LostLeadership, Decision::Refused)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("number", &self.0.number)
            .field("verdict", &self.verdict())
            .finish_non_exhaustive()
    }
}

impl Held {
    fn answer(&self, verdict: Verdict, decision: Decision) -> Result<(), AnswerError> {
        let store = self.store.upgrade().ok_or(AnswerError::Gone)?;
        if !self.flight.claim() {
            let first = self.flight.verdict();
            return Err(AnswerError::Answered { first });
        }
        let noted = store.note(self.number, decision);
        noted.inspect_err(|_| self.flight.unclaim())?;
        // Before anybody knows of it, who could look for it.
        store.answered(self.flight.begun);
        store.decide(self.number, decision);
        self.flight.settle(verdict);
        store.wake();
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.flight.is_open() {
            let reason = "the proposer dropped the proposal".into();
            // Gone: nobody is left to be told.
            let _ = self.answer(Verdict::Refused { reason }, Decision::Refused);
        }
    }
}
