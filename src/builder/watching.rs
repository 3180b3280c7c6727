//! What is kept for watchers, and how they are delivered to.

use super::Builder;
use crate::watch::config::Delivery;

impl Builder {
    /// How many commits a watcher that reads the log may lag before it is told
    /// [`WatchError::Lagged`](crate::WatchError::Lagged); at most as many as the log may hold
    /// ([`log_commits_max`](Builder::log_commits_max)). Default: 65,536. The bound in bytes is
    /// [`watch_log_bytes_max`](Builder::watch_log_bytes_max); a watcher with a mailbox
    /// has others ([`Watcher`](crate::Watcher) says which has one).
    #[must_use]
    pub fn watch_commits_max(mut self, commits: u64) -> Self {
        self.limits.watch_commits = commits;
        self
    }

    /// How many bytes the log keeps for watchers that lag, before they are told
    /// [`WatchError::Lagged`](crate::WatchError::Lagged): for those that read the log, and for
    /// commits that have not been delivered to mailboxes yet. Default: as many as
    /// [`watch_commits_max`](Builder::watch_commits_max) commits have.
    ///
    /// Counted as [`history_bytes`](Builder::history_bytes) are, and no more exactly; what the log
    /// keeps as history it keeps in any case.
    #[must_use]
    pub fn watch_log_bytes_max(mut self, bytes: u64) -> Self {
        self.limits.history.lag_bytes = Some(bytes);
        self
    }

    /// How many changes may wait in a watcher's mailbox, before it lags or does what it chose by
    /// [`Filter::overflow`](crate::Filter::overflow). Default: 65,536. A watcher's own bound, which
    /// goes before this one, is [`Filter::events_max`](crate::Filter::events_max).
    #[must_use]
    pub fn watch_events_max(mut self, events: u32) -> Self {
        self.watch.events_max = events;
        self
    }

    /// How many bytes of changes may wait in a watcher's mailbox. Default: 64 MiB. A watcher's own
    /// bound, which goes before this one, is [`Filter::bytes_max`](crate::Filter::bytes_max): it
    /// says what is counted, and what is not with a bound as large as the default.
    #[must_use]
    pub fn watch_bytes_max(mut self, bytes: u64) -> Self {
        self.watch.bytes_max = bytes;
        self
    }

    /// How many watchers there may be at a time. Default: 1,048,576. One more is an error of
    /// [`watch_from`](crate::Store::watch_from); made otherwise it is told
    /// [`WatchError::TooManyWatchers`](crate::WatchError::TooManyWatchers) when it first receives.
    #[must_use]
    pub fn watchers_max(mut self, watchers: u64) -> Self {
        self.watch.watchers_max = watchers;
        self
    }

    /// Who puts changes into watchers' mailboxes, beside the watchers that receive, who always do.
    /// Default: [`Delivery::Committers`].
    #[must_use]
    pub fn watch_delivery(mut self, delivery: Delivery) -> Self {
        self.watch.delivery = delivery;
        self
    }

    /// In how many parts watchers with mailboxes are delivered to: 1 to 8; less is 1, more is 8.
    /// Each part reads the log for itself: more parts cost more for each commit, and can be worked
    /// on by more threads at a time. Default: 1.
    #[must_use]
    pub fn watch_shards(mut self, shards: usize) -> Self {
        self.watch.shards = shards;
        self
    }

    /// How many commits the log keeps for [`watch_from`](crate::Store::watch_from), whether anybody
    /// watches or not; at most as many as the log may hold. Default: none. With
    /// [`Builder::history_bytes`] the history ends where the first of both bounds is reached.
    ///
    /// A retained commit keeps the objects that it replaced or deleted, and what they were found by
    /// in the indexes.
    #[must_use]
    pub fn history_commits(mut self, commits: u64) -> Self {
        self.limits.history.commits = Some(commits);
        self
    }

    /// How many bytes the log keeps for [`watch_from`](crate::Store::watch_from), whether anybody
    /// watches or not. Default: none. With [`Builder::history_commits`] the history ends where the
    /// first of both bounds is reached.
    ///
    /// Counted are the commits, and the objects that they replaced or deleted, with what these say
    /// they point to ([`Object::bytes`](crate::Object::bytes)). It is done by collection, in
    /// slices: some hundreds of commits may be there beyond the bound, or be gone within it.
    #[must_use]
    pub fn history_bytes(mut self, bytes: u64) -> Self {
        self.limits.history.bytes = Some(bytes);
        self
    }
}
