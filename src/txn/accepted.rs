//! Accepted elsewhere: a commit of which the proposer has decided already, on another member, or
//! which is none of its: a restore, an applied change.
//!
//! It stands in the log as pending, so that its version is noted before anybody sees it (F6 of
//! [`crate::propose::numbering`]), and is answered at once by who appended it. It is not proposed.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Transaction;
use super::restore::update_as;
use crate::error::{CommitError, UpdateError};
use crate::propose::decision::Decision;
use crate::propose::line::{Line, Told};
use crate::propose::proposal::AnswerError;
use crate::shared::Shared;
use crate::version::Version;

impl Transaction<'_> {
    /// The [proposer](crate::Builder::proposer)'s version that the snapshot shows:
    /// [`Store::proposed_version`](crate::Store::proposed_version) of
    /// [`Transaction::version`].
    #[must_use]
    pub fn proposed_version(&self) -> Option<Version> {
        self.shared.line.as_ref()?.accepted_at(self.version())
    }

    /// The newest version that the [proposer](crate::Builder::proposer) has accepted, of all that
    /// the store was told by now: also if the snapshot does not show it yet, or if what was not
    /// proposed came after it. What the transaction commits gets a newer one. `None` without a
    /// proposer; [`Version::ZERO`] if it has accepted nothing.
    #[must_use]
    pub fn accepted_version(&self) -> Option<Version> {
        self.shared.line.as_ref().map(Line::accepted)
    }

    /// Commits whatever there is, as it was decided; within: that could not be. Without changes it
    /// is a commit for the version's sake, unless what was appended before it is open, and has
    /// newer versions, if it is accepted: then it only says that this version is shown.
    pub(super) fn commit_told(
        &mut self,
        line: &Line,
        decision: Decision,
    ) -> Result<Result<Version, AnswerError>, CommitError> {
        let mut is_idle = false;
        let appended = {
            let mut prepared = self.prepare();
            match self.stage(&mut prepared) {
                Ok(()) if prepared.is_empty() && decision == Decision::Unproposed => {
                    return Ok(Ok(self.version()));
                }
                Ok(()) => {
                    is_idle = prepared.is_empty() && matches!(decision, Decision::Accepted(_));
                    self.append_pending(prepared, Arc::new(Told))
                }
                Err(lost) => Err(lost),
            }
        };
        let number = appended.inspect_err(|lost| self.note_lost(lost))?;
        let ticket = line.ticket(number, self.version());
        let passes = is_idle && self.shared.kernel().horizon.visible() + 1 < number.get();
        if let (true, Decision::Accepted(version)) = (passes, decision) {
            let passed = ticket.accept_as(Decision::Passed(version));
            return Ok(passed.map(|()| self.version()));
        }
        let accepted = ticket.accept_as(decision);
        drop(ticket);
        self.shared.kernel().collect_sometimes();
        Ok(accepted.map(|()| number))
    }
}

/// As [`update_accepted`], of the whole state of the version.
#[cfg(feature = "save")]
pub(crate) fn update_restored<E>(
    shared: &Shared,
    (line, version): (&Line, Version),
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), E>,
) -> Result<Result<Version, AnswerError>, UpdateError<E>> {
    let decision = Decision::Restored(version);
    update_as(shared, run, |tx| tx.commit_told(line, decision))
}

/// As [`update_whole`](super::restore::update_whole), of what was accepted at a version of the
/// proposer's; within: the version does not fit, and nothing was committed.
pub(crate) fn update_accepted<E>(
    shared: &Shared,
    (line, version): (&Line, Version),
    run: &mut dyn FnMut(&mut Transaction<'_>) -> Result<(), E>,
) -> Result<Result<Version, AnswerError>, UpdateError<E>> {
    let decision = Decision::Accepted(version);
    update_as(shared, run, |tx| tx.commit_told(line, decision))
}
