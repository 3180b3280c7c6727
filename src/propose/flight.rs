//! A proposal on its way: what its ticket decides and its submitter waits for.
//!
//! # States
//! ```text
//! open --answer (CAS)--> claimed --the kernel has decided--> accepted | refused | lost
//!   ^---- its version does not fit -------'
//! ```
//!
//! # Invariants
//! - F1: of all answers to a proposal one counts: its giver's claim, unless that is given back. Who
//!   loses against it learns the verdict, or that it is being carried out.
//! - F2: a verdict shows when the kernel has decided, not before, and who waits is woken after
//!   that: who sees it sees what it brought about, and nobody sleeps through it.
//!
//! # Orderings
//! - [verdict]: the state's Release store after the reason is set and the kernel has decided, and
//!   its Acquire load: who sees a verdict sees its reason and its effect.
//! - [claim]: the state's Release store when a claim is given back, and the fence in the first look
//!   of who notes what the next one decides: that comes after what this took back.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::sets::ReadSet;
use crate::latency::Begun;
use crate::sync::{AtomicU8, Ordering};
use crate::version::Version;

const OPEN: u8 = 0;
const CLAIMED: u8 = 1;
const ACCEPTED: u8 = 2;
const REFUSED: u8 = 3;
const LOST: u8 = 4;

/// What a proposer has decided of a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is committed.
    Accepted,
    /// It is not, and will not be.
    Refused {
        /// Why.
        reason: Arc<str>,
    },
    /// The proposer stopped leading before it knew.
    LostLeadership,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Refused { reason } => write!(f, "refused: {reason}"),
            Self::LostLeadership => f.write_str("leadership was lost"),
        }
    }
}

/// What a ticket and a submitter share.
#[derive(Debug)]
pub(crate) struct Flight {
    /// The snapshot that the transaction read.
    pub(super) base: Version,
    pub(super) reads: ReadSet,
    pub(super) begun: Begun,
    state: AtomicU8,
    reason: OnceLock<Arc<str>>,
}

impl Flight {
    pub(crate) fn new(base: Version, reads: ReadSet, begun: Begun) -> Self {
        Self {
            base,
            reads,
            begun,
            state: AtomicU8::new(OPEN),
            reason: OnceLock::new(),
        }
    }

    /// Takes the right to decide; false: somebody else has it.
    pub(crate) fn claim(&self) -> bool {
        // Relaxed: the claim goes to one, and publishes nothing: [verdict] does. What one before it
        // took back, the fence is for: [claim].
        let claimed =
            self.state
                .compare_exchange(OPEN, CLAIMED, Ordering::Relaxed, Ordering::Relaxed);
        claimed.is_ok()
    }

    /// Gives the right back: by who claimed it, and has decided nothing.
    pub(crate) fn unclaim(&self) {
        // Release: [claim].
        self.state.store(OPEN, Ordering::Release);
    }

    pub(super) fn is_open(&self) -> bool {
        // Relaxed: `claim` decides.
        self.state.load(Ordering::Relaxed) == OPEN
    }

    /// Says what was decided: by who claimed it, when the kernel knows.
    pub(super) fn settle(&self, verdict: Verdict) {
        let state = match verdict {
            Verdict::Accepted => ACCEPTED,
            Verdict::LostLeadership => LOST,
            Verdict::Refused { reason } => {
                // Only who claimed it sets it: nobody waits here.
                let _ = self.reason.set(reason);
                REFUSED
            }
        };
        // Release: [verdict].
        self.state.store(state, Ordering::Release);
    }

    /// What was decided, if it was.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        // Acquire: [verdict].
        match self.state.load(Ordering::Acquire) {
            ACCEPTED => Some(Verdict::Accepted),
            LOST => Some(Verdict::LostLeadership),
            REFUSED => {
                let reason = self.reason.get().cloned();
                let reason = reason.unwrap_or_default();
                Some(Verdict::Refused { reason })
            }
            _ => None,
        }
    }
}
