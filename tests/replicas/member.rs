//! A member of a cluster: a toy of a replicated log behind the proposer's seam. Nothing in it but
//! the log's own rules, and what `Proposer` asks for.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use skep::cluster::catalogue;
use skep::{
    Action, ChangesError, Proposal, ProposedChange, ProposedWrite, Proposer, Ticket, Version,
};

/// An entry of the log: the writes of a transaction, as bytes; of a new leader, none.
#[derive(Clone)]
pub struct Entry {
    pub term: u64,
    writes: Vec<Written>,
}

#[derive(Clone)]
struct Written {
    action: Vec<u8>,
    /// The object as it was, as an action.
    old: Option<Vec<u8>>,
}

impl Entry {
    fn of(term: u64, proposal: &Proposal) -> Self {
        let writes = proposal.writes().writes().iter().map(|write| {
            let bytes = |write: &ProposedWrite| {
                let action = catalogue().action(write).expect("a table of the cluster");
                catalogue().encode(&action).expect("it has bytes")
            };
            let old = write.old.is_some().then(|| {
                let mut old = write.clone();
                old.new = old.old.take();
                bytes(&old)
            });
            Written {
                action: bytes(write),
                old,
            }
        });
        Self {
            term,
            writes: writes.collect(),
        }
    }

    pub fn actions(&self) -> Vec<Action> {
        let decode = |write: &Written| catalogue().decode(&write.action).expect("its own bytes");
        self.writes.iter().map(decode).collect()
    }

    fn change(&self, index: u64) -> ProposedChange {
        let writes = self.writes.iter().map(|write| {
            let decode = |bytes: &Vec<u8>| catalogue().decode(bytes).expect("its own bytes");
            let old = write.old.as_ref().map(decode);
            let old = match &old {
                Some(Action::Create(old) | Action::Update(old)) => Some(old),
                _ => None,
            };
            ProposedWrite::of_action(&decode(&write.action), old)
        });
        ProposedChange {
            version: Version::new(index),
            writes: writes.collect(),
        }
    }
}

/// The state up to an entry, saved.
#[derive(Clone)]
pub struct Saved {
    pub index: u64,
    pub term: u64,
    pub file: Vec<u8>,
}

/// What a member knows. Of it the term, the log and what was saved outlive it.
pub struct State {
    pub term: u64,
    pub leads: bool,
    /// The entries after `base`, whose term is `base_term`.
    pub base: u64,
    pub base_term: u64,
    pub entries: Vec<Entry>,
    pub saved: Option<Saved>,
    pub committed: u64,
    pub applied: u64,
    /// Of a leader: up to where each member has its log; and the entry from which on it proposes,
    /// since all that others had proposed before comes first.
    pub matched: [u64; 3],
    pub proposes_after: u64,
    tickets: BTreeMap<u64, Ticket>,
}

impl State {
    pub fn last(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The term of an entry; none, if it is not there any more, or not yet.
    pub fn term_of(&self, index: u64) -> Option<u64> {
        match index.checked_sub(self.base)? {
            0 => Some(self.base_term),
            place => self.entries.get(place as usize - 1).map(|it| it.term),
        }
    }

    /// How new the log is: who votes, votes for one at least as new.
    pub fn newness(&self) -> (u64, u64) {
        (self.term_of(self.last()).expect("it is there"), self.last())
    }

    pub fn entry(&self, index: u64) -> &Entry {
        &self.entries[(index - self.base) as usize - 1]
    }

    pub fn append(&mut self, entry: Entry) -> u64 {
        self.entries.push(entry);
        self.last()
    }

    pub fn take_ticket(&mut self, index: u64) -> Option<Ticket> {
        self.tickets.remove(&index)
    }

    /// Forgets entries up to one that is saved.
    pub fn compact(&mut self, index: u64) {
        self.base_term = self.term_of(index).expect("it is there");
        self.entries.drain(..(index - self.base) as usize);
        self.base = index;
    }
}

pub struct Member(Mutex<State>);

impl Member {
    pub fn new() -> Self {
        Self(Mutex::new(State {
            term: 0,
            leads: false,
            base: 0,
            base_term: 0,
            entries: Vec::new(),
            saved: None,
            committed: 0,
            applied: 0,
            matched: [0; 3],
            proposes_after: 0,
            tickets: BTreeMap::new(),
        }))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no panic while it is locked")
    }

    /// Ceases to lead: what is proposed and not accepted may come back as what others accepted.
    pub fn step_down(&self, term: u64) {
        let mut state = self.state();
        (state.term, state.leads) = (term, false);
        let tickets = std::mem::take(&mut state.tickets);
        drop(state);
        for ticket in tickets.into_values() {
            ticket.lose_leadership().expect("the first answer");
        }
    }

    /// Leads in a new term. An entry of its own tells when all before it is committed.
    pub fn lead(&self) {
        let mut state = self.state();
        let term = state.term;
        state.leads = true;
        state.matched = [0; 3];
        state.proposes_after = state.append(Entry {
            term,
            writes: Vec::new(),
        });
    }

    /// What is left when it dies.
    pub fn crash(&self) {
        let mut state = self.state();
        state.leads = false;
        (state.committed, state.applied) = (0, 0);
        let tickets = std::mem::take(&mut state.tickets);
        drop(state);
        drop(tickets);
    }
}

impl Proposer for Member {
    fn propose(&self, proposal: Proposal) {
        let mut state = self.state();
        if !state.leads || state.applied < state.proposes_after {
            drop(state);
            proposal.ticket().refuse("not the leader").expect("open");
            return;
        }
        let entry = Entry::of(state.term, &proposal);
        let index = state.append(entry);
        state.tickets.insert(index, proposal.ticket().clone());
    }

    fn version(&self) -> Option<Version> {
        Some(Version::new(self.state().applied))
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        let state = self.state();
        let (newest, oldest) = (Version::new(state.applied), Version::new(state.base));
        if from > to {
            return Err(ChangesError::OutOfOrder);
        }
        if from < oldest {
            return Err(ChangesError::Compacted { oldest });
        }
        if to > newest {
            return Err(ChangesError::Future { newest });
        }
        let entries = (from.get() + 1..=to.get()).map(|index| (index, state.entry(index)));
        Ok(entries.map(|(index, entry)| entry.change(index)).collect())
    }
}
