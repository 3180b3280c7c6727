//! The store's face for those who have a proposer.

#![forbid(unsafe_code)]

use std::sync::Arc;

use crate::error::UpdateError;
use crate::propose::Proposer;
use crate::propose::line::Line;
use crate::store::Store;
use crate::txn::Transaction;
use crate::txn::submit::update_async;
use crate::version::Version;

impl Store {
    /// As [`Store::update`], as a future that blocks no thread while a proposer decides, with the
    /// version of the commit. Runs on any executor; without a proposer it never waits.
    ///
    /// Dropping it does not take back what it has proposed.
    ///
    /// # Errors
    /// See [`UpdateError`].
    pub fn update_async<R, E, F>(
        &self,
        run: F,
    ) -> impl Future<Output = Result<(R, Version), UpdateError<E>>> + use<R, E, F>
    where
        F: FnMut(&mut Transaction<'_>) -> Result<R, E>,
    {
        update_async(Arc::clone(self.shared()), run)
    }

    /// The proposer, if there is one.
    #[must_use]
    pub fn proposer(&self) -> Option<&Arc<dyn Proposer>> {
        self.shared().line.as_ref().map(Line::proposer)
    }

    /// The proposer's version that a version of the store shows: that of the last accepted commit
    /// up to it. `None` without a proposer; for what is more than 65,536 commits ago; and if what
    /// was not proposed here, as by [`Store::apply`], came after that commit: nobody told the store
    /// which version that has.
    #[must_use]
    pub fn proposed_version(&self, version: Version) -> Option<Version> {
        let version = version.min(self.version());
        self.shared().line.as_ref()?.accepted_at(version)
    }

    /// The store's version that shows a version of the proposer's, and nothing newer. `None`
    /// without a proposer; for what is more than 65,536 commits ago; and for a version between two
    /// of commits that were proposed here, if something that was not stands between them: it may be
    /// of that version, or not.
    #[must_use]
    pub fn version_of(&self, proposed: Version) -> Option<Version> {
        let line = self.shared().line.as_ref()?;
        line.find(proposed, self.version())
    }
}
