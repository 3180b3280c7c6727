//! The store's face for those who have a proposer.

#![forbid(unsafe_code)]

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::action::{Action, Divergence, apply_to};
use crate::error::UpdateError;
use crate::propose::Proposer;
use crate::propose::line::Line;
use crate::propose::proposal::AnswerError;
use crate::store::Store;
use crate::txn::Transaction;
use crate::txn::accepted::update_accepted;
use crate::txn::submit::update_async;
use crate::version::Version;

/// Why what a proposer accepted was not applied. Nothing of it was.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ApplyError {
    /// The store has no proposer, whose version it could be.
    NoProposer,
    /// The version does not fit between those that were accepted before: it was applied already, or
    /// what came before it was not, or not in order.
    Version(AnswerError),
    /// An action does not fit, or others who write to the store got in the way.
    Update(UpdateError<Divergence>),
}

impl Store {
    /// As [`Store::update`], as a future that blocks no thread while a proposer decides, with the
    /// version of the commit. Runs on any executor; without a proposer it never waits.
    ///
    /// Dropping it does not take back what it has proposed. Until it has ended it counts as a
    /// handle of the store, which is not closed before.
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
        let store = self.clone();
        async move { update_async(store.shared(), run).await }
    }

    /// The proposer, if there is one.
    #[must_use]
    pub fn proposer(&self) -> Option<&Arc<dyn Proposer>> {
        self.shared().line.as_ref().map(Line::proposer)
    }

    /// The proposer's version that a version of the store shows: that of the last accepted commit
    /// up to it. `None` without a proposer; for a version that is not committed yet; for what is
    /// more than 65,536 commits ago; and if what was not proposed here, as by [`Store::apply`],
    /// came after that commit: nobody told the store which version that has.
    #[must_use]
    pub fn proposed_version(&self, version: Version) -> Option<Version> {
        let line = self.shared().line.as_ref()?;
        let committed = version <= self.version();
        committed.then(|| line.accepted_at(version)).flatten()
    }

    /// The store's version that shows a version of the proposer's, and nothing newer. `None`
    /// without a proposer; for what is more than 65,536 commits ago; for a version above all that
    /// were accepted here, since this member may be behind; and for one between two of commits that
    /// were accepted here, if something stands between them that was not, or if the second one is a
    /// restored state: what is of that version may be part of that, or not.
    #[must_use]
    pub fn version_of(&self, proposed: Version) -> Option<Version> {
        let line = self.shared().line.as_ref()?;
        line.find(proposed, self.version())
    }

    /// As [`Store::apply`], of an entry that the [proposer](crate::Builder::proposer) accepted at
    /// `version` on whatever member: what
    /// [`Proposer::changes_between`](crate::Proposer::changes_between) gives, as actions. The path
    /// of a member that follows: its commits then have the same versions as everywhere
    /// ([`Store::proposed_version`], [`Store::version_of`]), and [`Store::watch_from`] goes back as
    /// far as the proposer does.
    ///
    /// Entries come in order, by one thread.
    ///
    /// It is not proposed. It costs what a commit by way of a proposer does without the wait for an
    /// answer, and is visible when those before it are decided, for which this waits. An entry that
    /// changes nothing, as one that a new leader begins with, is a commit without changes: the
    /// store then shows its version. But if proposals are open, as on a leader whose cluster takes
    /// in a member, it is none, and is not waited for: these come before it here, and have newer
    /// versions. If they are all refused, the store shows the entry's version then.
    ///
    /// Who waits here for those before it waits for their answers. So a thread that answers and
    /// applies first ceases to take proposals, then answers those that it has, and then applies;
    /// and [`Proposer::propose`] refuses by itself until the member leads again: what it would hand
    /// to that thread meanwhile, nobody would answer.
    ///
    /// # Errors
    /// [`ApplyError::Version`] if the version is not above all that were accepted before, as that
    /// of an entry that is applied twice; [`ApplyError::NoProposer`]; [`ApplyError::Update`] as
    /// [`Store::apply`]. Nothing is applied then.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use skep::{Action, ApplyError, Store, Version};
    /// # use skep::{Id, Indexes, Object, Proposal, Proposer};
    /// # #[derive(Clone)] struct Task { id: Id }
    /// # impl Object for Task {
    /// #     type Key = Id;
    /// #     const TABLE: &'static str = "task";
    /// #     fn key(&self) -> Id { self.id }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// # struct Journal;
    /// # impl Proposer for Journal {
    /// #     fn propose(&self, _: Proposal) {}
    /// # }
    /// let member = Store::builder().table::<Task>().proposer(Arc::new(Journal)).build();
    /// let entry = [Action::create(Task { id: Id::from_u128(1) })];
    /// let applied = member.apply_accepted(Version::new(12), &entry)?;
    /// assert_eq!(member.proposed_version(applied), Some(Version::new(12)));
    /// // What was applied already is not applied again.
    /// let other = [Action::create(Task { id: Id::from_u128(2) })];
    /// let again = member.apply_accepted(Version::new(12), &other);
    /// assert!(matches!(again, Err(ApplyError::Version(_))));
    /// # Ok::<(), ApplyError>(())
    /// ```
    pub fn apply_accepted(
        &self,
        version: Version,
        actions: &[Action],
    ) -> Result<Version, ApplyError> {
        let line = self.shared().line.as_ref();
        let line = line.ok_or(ApplyError::NoProposer)?;
        // Before the actions are looked at: of an entry that was applied none fits any more.
        line.is_newest(version).map_err(ApplyError::Version)?;
        let run = &mut |tx: &mut Transaction<'_>| apply_to(tx, actions);
        let applied = update_accepted(self.shared(), (line, version), run);
        let applied = applied.map_err(|error| match line.is_newest(version) {
            // It was applied while this waited, as by a proposal of this member's own.
            Err(told) => ApplyError::Version(told),
            Ok(()) => ApplyError::Update(error),
        })?;
        applied.map_err(ApplyError::Version)
    }
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProposer => f.write_str("the store has no proposer"),
            Self::Version(error) => error.fmt(f),
            Self::Update(error) => error.fmt(f),
        }
    }
}

impl StdError for ApplyError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NoProposer => None,
            Self::Version(error) => Some(error),
            Self::Update(error) => error.source(),
        }
    }
}
