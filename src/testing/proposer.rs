//! A proposer for tests, which answers as the test says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};

use super::rough::Rough;
use crate::propose::proposal::{Proposal, Ticket};
use crate::propose::sets::WriteSet;
use crate::propose::{ChangesError, ProposedChange, Proposer};
use crate::version::Version;

/// What its versions rise by: as with a consensus engine, a version is no place in the store's log.
const STEP: u64 = 3;

/// A [`Proposer`] for tests: its versions rise by 3, it keeps all changes, and it answers
///
/// - at once, as long as nothing else was said;
/// - when the test says so, after [`TestProposer::hold`];
/// - from a thread of its own, late, out of order and twice, with [`Rough`].
#[derive(Debug)]
pub struct TestProposer {
    state: Mutex<State>,
    rough: Option<Rough>,
}

/// A proposal that waits for its answer, with its version if it is accepted.
#[derive(Debug)]
struct Waiting {
    ticket: Ticket,
    version: Version,
    writes: WriteSet,
}

#[derive(Debug)]
struct State {
    /// The version that was given to a proposal last.
    given: Version,
    holds: bool,
    /// Why the next ones are refused, the first one first.
    refusals: VecDeque<String>,
    waiting: VecDeque<Waiting>,
    history: Vec<ProposedChange>,
    /// What is older is no longer in the history.
    oldest: Version,
    proposals: usize,
}

impl TestProposer {
    /// One that accepts at once.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with(None)
    }

    /// One that answers from a thread of its own, as `rough` says.
    #[must_use]
    pub fn rough(rough: Rough) -> Arc<Self> {
        let proposer = Self::with(Some(rough));
        rough.run(&proposer);
        proposer
    }

    fn with(rough: Option<Rough>) -> Arc<Self> {
        let state = State {
            given: Version::ZERO,
            holds: false,
            refusals: VecDeque::new(),
            waiting: VecDeque::new(),
            history: Vec::new(),
            oldest: Version::ZERO,
            proposals: 0,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            rough,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while it is locked")
    }

    /// From now on keeps what is proposed, unanswered.
    pub fn hold(&self) {
        self.state().holds = true;
    }

    /// Accepts what it has kept, and from now on at once.
    pub fn release(&self) {
        self.state().holds = false;
        while self.accept_at(0) {}
    }

    /// How many proposals wait for an answer.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().waiting.len()
    }

    /// How many proposals there were.
    #[must_use]
    pub fn proposals(&self) -> usize {
        self.state().proposals
    }

    /// The ticket of the proposal kept at a place, the oldest at 0; it is no longer kept.
    #[must_use]
    pub fn take(&self, place: usize) -> Option<Ticket> {
        let mut state = self.state();
        state.waiting.remove(place).map(|waiting| waiting.ticket)
    }

    /// Accepts the proposal kept at a place, the oldest at 0; false: there is none.
    pub fn accept_at(&self, place: usize) -> bool {
        let waiting = self.state().waiting.remove(place);
        waiting.is_some_and(|waiting| {
            self.accept(waiting);
            true
        })
    }

    /// Refuses the proposal kept at a place; false: there is none.
    pub fn refuse_at(&self, place: usize, reason: &str) -> bool {
        let ticket = self.take(place);
        ticket.is_some_and(|ticket| ticket.refuse(reason).is_ok())
    }

    /// Refuses the next proposal that would be answered at once.
    pub fn refuse_next(&self, reason: &str) {
        self.state().refusals.push_back(reason.into());
    }

    /// Loses its leadership: everything kept is answered so.
    pub fn lose_leadership(&self) {
        let waiting = std::mem::take(&mut self.state().waiting);
        for waiting in waiting {
            // Answered before: only by a ticket that the test has, too.
            let _ = waiting.ticket.lose_leadership();
        }
    }

    /// The versions that it gives from now on are above this one, up to which it has no history: as
    /// if others had accepted that much. For a store that was restored at this version
    /// (`Store::restore_accepted`), or has [applied](crate::Store::apply_accepted) what was
    /// accepted up to it. Say so after that: a store that is built later takes it for the version
    /// that it shows while it is empty.
    ///
    /// ```
    /// use skep::testing::TestProposer;
    /// use skep::{Action, Store, Version};
    /// # use skep::{Id, Indexes, Object};
    /// # #[derive(Clone)] struct Task { id: Id }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    ///
    /// let proposer = TestProposer::new();
    /// let store = Store::builder().table::<Task>().proposer(proposer.clone()).build();
    /// store.apply_accepted(Version::new(700), &[Action::create(Task { id: Id::from_u128(1) })])?;
    /// proposer.begin_after(Version::new(700));
    /// store.update(|tx| tx.create(Task { id: Id::from_u128(2) }))?;
    /// assert_eq!(store.proposed_version(store.version()), Some(Version::new(703)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn begin_after(&self, version: Version) {
        {
            let mut state = self.state();
            state.given = state.given.max(version);
        }
        self.compact(version);
    }

    /// Forgets the history up to a version.
    pub fn compact(&self, oldest: Version) {
        let mut state = self.state();
        state.oldest = state.oldest.max(oldest);
        let kept = state
            .history
            .partition_point(|change| change.version <= oldest);
        let gone: Vec<ProposedChange> = state.history.drain(..kept).collect();
        drop(state);
        // An object's Drop may do anything with the store.
        drop(gone);
    }

    /// Outside of its lock: the store may do anything when it is answered.
    fn accept(&self, waiting: Waiting) {
        let Waiting {
            ticket,
            version,
            writes,
        } = waiting;
        let change = ProposedChange { version, writes };
        {
            let mut state = self.state();
            let after = state.history.partition_point(|it| it.version < version);
            state.history.insert(after, change);
        }
        if ticket.accept(version).is_err() {
            let mut state = self.state();
            let found = state
                .history
                .binary_search_by_key(&version, |it| it.version);
            let gone = found.ok().map(|at| state.history.remove(at));
            drop(state);
            drop(gone);
        }
    }

    /// Answers as a rough proposer's thread does, `chance` being a random number.
    pub(super) fn answer_roughly(&self, rough: Rough, chance: u64) -> bool {
        let mut state = self.state();
        let place = chance as usize % state.waiting.len().clamp(1, rough.reorder.max(1));
        let Some(waiting) = state.waiting.remove(place) else {
            return false;
        };
        drop(state);
        let again = waiting.ticket.clone();
        let one_in = |times: u64| times != 0 && (chance >> 32).is_multiple_of(times);
        if one_in(rough.refuse_one_in) {
            // The first answer of this ticket, which only this thread has.
            let _ = waiting.ticket.refuse("as the test wants it");
        } else if one_in(rough.lose_one_in) {
            let _ = waiting.ticket.lose_leadership();
        } else {
            self.accept(waiting);
        }
        if rough.twice {
            let second = again.refuse("too late");
            assert!(second.is_err(), "an answer counts twice");
        }
        true
    }
}

impl Proposer for TestProposer {
    fn propose(&self, proposal: Proposal) {
        let mut state = self.state();
        state.proposals += 1;
        state.given = Version::new(state.given.get() + STEP);
        let waiting = Waiting {
            version: state.given,
            ticket: proposal.ticket().clone(),
            writes: proposal.writes().clone(),
        };
        if state.holds || self.rough.is_some() {
            state.waiting.push_back(waiting);
            return;
        }
        let refusal = state.refusals.pop_front();
        drop(state);
        match refusal {
            // The first answer: nobody else has the ticket yet.
            Some(reason) => drop(waiting.ticket.refuse(reason)),
            None => self.accept(waiting),
        }
    }

    fn version(&self) -> Option<Version> {
        let state = self.state();
        let newest = state.history.last().map(|change| change.version);
        Some(newest.unwrap_or(state.oldest))
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        let state = self.state();
        if from > to {
            return Err(ChangesError::OutOfOrder);
        }
        if from < state.oldest {
            let oldest = state.oldest;
            return Err(ChangesError::Compacted { oldest });
        }
        let newest = state.history.last().map(|change| change.version);
        let newest = newest.unwrap_or(state.oldest);
        if to > newest {
            return Err(ChangesError::Future { newest });
        }
        let changes = state.history.iter();
        let changes = changes.filter(|change| change.version > from && change.version <= to);
        Ok(changes.cloned().collect())
    }
}
