//! Commits whose outcome somebody else decides: in the log, and not yet committed.
//!
//! # States
//! ```text
//! pending --accept--> accepted: installed, the watermark passes it
//!         --refuse--> refused:  never installed, the watermark passes it all the same
//! ```
//! A pending commit holds its place. What it writes is in the way of everybody who read or writes
//! it, as if it were committed; who is a stranger to it is appended behind it. A refused one is in
//! nobody's way; what was staged for it is given back when it is taken out of the log.
//!
//! # Invariants
//! - D1: an outcome is decided once. The watermark stops before a pending commit; a refused one is
//!   never installed (C1).
//! - D2: while a commit is pending, the records that it writes keep their heads: whoever would
//!   write one has it in the way. So a record that it does not claim shows an object and is not
//!   reaped, and its old image is that head.
//! - D3: a commit has no link of its old images unless it is accepted: V6 gives that to the commit
//!   that does replace them. While it is pending they are heads (D2). Who has found it so under a
//!   pin may look at them until the pin ends, also if it is refused meanwhile: they are replaced
//!   after that, and retired later still. Nobody looks at those of one that is refused: whoever
//!   replaced them may have left the log long ago, while the refused one's trimmer has stopped
//!   with it, and what they wait for may be over before a pin of now ends.
//! - D4: what was staged for a refused commit, claims included, is given back once, when the commit
//!   is freed.
//! - D5: the outcome of an accepted commit is the proposer's version, in one word: whoever installs
//!   it writes that into its versions before they are heads; what their maker wrote there stands.
//!
//! # Orderings
//! - [decided]: decide, fence, look on both sides. Who decides fences and then walks the
//!   watermark over what is decided; who is stopped by a pending commit fences and looks once
//!   more. Of all who decide in a run of commits, and all who were stopped in it, the one whose
//!   fence is last sees everything decided, and takes the watermark to the run's end. The outcome
//!   itself is Relaxed: it leads to nothing that the log's slot did not publish.

use std::any::Any;

use super::Kernel;
use super::barrier::fence;
use super::collect::Work;
use super::commit::Commit;
use super::log::Slot;
use super::node::release_hold;
use super::reclaim::{Guard, at, free, own};
use super::release::{contain, release, release_keys};
use super::stage::{Compacted, Shortened};
use crate::sync::{Arc, AtomicU64, Ordering};

/// What the layer above keeps with a pending commit.
pub(crate) type Payload = Arc<dyn Any + Send + Sync>;

/// What became of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Pending,
    Accepted,
    Refused,
}

/// In the place of the version that a commit was accepted at: it is not decided; it is refused; it
/// is accepted, and has none that was told.
const PENDING: u64 = 0;
const REFUSED: u64 = u64::MAX;
const UNTOLD: u64 = u64::MAX - 1;

/// What a commit has more whose outcome is decided elsewhere.
#[derive(Debug)]
pub(crate) struct Pending {
    /// The proposer's version that it was accepted at, or one of the three words above (D5).
    outcome: AtomicU64,
    payload: Payload,
    pub(super) compacted: Shortened,
}

impl Pending {
    pub(super) fn new(payload: Payload, compacted: Shortened) -> Box<Self> {
        Box::new(Self {
            outcome: AtomicU64::new(PENDING),
            payload,
            compacted,
        })
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }

    pub(super) fn outcome(&self) -> Outcome {
        // Relaxed: [decided].
        match self.outcome.load(Ordering::Relaxed) {
            PENDING => Outcome::Pending,
            REFUSED => Outcome::Refused,
            _ => Outcome::Accepted,
        }
    }

    /// The proposer's version that it was accepted at; 0: none that was told.
    pub(super) fn accepted_at(&self) -> u64 {
        // Relaxed: [decided].
        match self.outcome.load(Ordering::Relaxed) {
            PENDING | REFUSED | UNTOLD => 0,
            version => version,
        }
    }

    /// True: this call decided it.
    fn decide(&self, outcome: u64) -> bool {
        // Relaxed: [decided].
        let decided =
            self.outcome
                .compare_exchange(PENDING, outcome, Ordering::Relaxed, Ordering::Relaxed);
        decided.is_ok()
    }
}

impl Kernel {
    /// Decides a pending commit: installs it, accepted at a version of the proposer's (0: none that
    /// is told); or sees to it that nobody will. False: it was decided before. Any thread, in any
    /// order.
    pub(crate) fn decide(&self, number: u64, accepted: Option<u64>) -> bool {
        let guard = self.domain.pin();
        // Trimmed: decided long ago.
        let Slot::Commit(commit) = self.log.at(&guard, number) else {
            return false;
        };
        let Some(pending) = commit.pending() else {
            return false;
        };
        let outcome = match accepted {
            None => REFUSED,
            Some(0) => UNTOLD,
            Some(version) => version,
        };
        if !pending.decide(outcome) {
            return false;
        }
        let _ = self.install(&guard, number);
        self.advance_over_decided(&guard);
        if accepted.is_some() {
            let line = self.domain.registry().line();
            self.settle(&guard, line, commit, &pending.compacted);
        }
        true
    }

    /// Moves the watermark as far as outcomes are known. The caller has decided, or installed,
    /// something.
    fn advance_over_decided(&self, guard: &Guard<'_>) {
        // SeqCst: [decided].
        fence(Ordering::SeqCst);
        // Each turn passes a commit.
        loop {
            let next = self.horizon.visible() + 1;
            if self.log.is_installed(guard, next) {
                self.pass(guard, next);
            } else if !self.install(guard, next) {
                return;
            }
        }
    }
}

/// Gives back what was staged for a commit that was not accepted. Without a kernel, in a teardown.
///
/// # Safety
/// The commit is the caller's alone, and a grace period has passed since it left the log.
pub(super) unsafe fn give_back(kernel: Option<&Kernel>, commit: *mut Commit) {
    // SAFETY: the caller's alone.
    let commit = unsafe { own(commit) };
    let compacted = commit.take_pending().map(|pending| {
        let Pending {
            payload, compacted, ..
        } = *pending;
        // Keys of the user's that were read go with it.
        contain(|| drop(payload));
        compacted
    });
    let mut compacted = compacted.unwrap_or_default().into_iter().peekable();
    for (place, &write) in commit.writes().iter().enumerate() {
        let own = compacted.next_if(|(of, _)| *of == place);
        let own = own.map(|(_, own)| own);
        match kernel {
            // SAFETY: never installed, and nobody sees it any more: all of it is ours.
            Some(kernel) => unsafe { kernel.unstage(write, own) },
            None => {
                // SAFETY: as above, and nobody else is left.
                unsafe { forget_version(write.new.cast_mut()) };
                if let Some(own) = own {
                    // SAFETY: as above.
                    unsafe { forget_compacted(own) };
                }
            }
        }
    }
}

/// # Safety
/// The version was never installed, and nobody else is left.
unsafe fn forget_version(new: *mut super::node::VersionHeader) {
    // SAFETY: ours alone.
    let keys = unsafe { own(new) }.forget_older();
    // SAFETY: E4: the share is ours.
    unsafe { release_keys(None, keys) };
    // SAFETY: the store's hold is ours.
    contain(|| unsafe { release_hold(new) });
}

/// # Safety
/// It was never put in place, and nobody else is left.
unsafe fn forget_compacted(compacted: Compacted) {
    let Compacted { versions, list } = compacted;
    // SAFETY: never published.
    let listed = unsafe { at(list.cast_const()) }.versions()[1..].iter();
    let links = listed
        .copied()
        .chain(versions.iter().map(|&version| version.cast_mut()));
    for link in links.collect::<Vec<_>>() {
        // SAFETY: each is ours, and nobody else is left.
        unsafe { release(None, Work::Link, link.cast()) };
    }
    // SAFETY: never published, and not used again.
    unsafe { free(list) };
}
