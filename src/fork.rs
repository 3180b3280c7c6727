//! Following another store: by its actions, as a replica does; and by snapshot and watch, as a fork
//! does.

#![forbid(unsafe_code)]

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::action::{Action, Divergence, DivergenceCause, apply};
use crate::error::{UpdateError, WatchError};
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::store::{Store, snapshot_and_watch};
use crate::txn::restore::update_whole;
use crate::version::Version;
use crate::watch::event::Event;
use crate::watch::filter::Filter;
use crate::watch::watcher::Watcher;

/// A second store with the tables of a first one, its source, kept equal to it: each commit of the
/// source becomes one commit of the fork, with the same objects and times. Their versions are
/// counted apart. Objects also have the [proposer](crate::Builder::proposer)'s versions of their
/// originals ([`Meta::proposed`](crate::Meta)), if the source has a proposer. The fork has none; so
/// which of its versions it shows is asked of the source, by
/// [`Store::proposed_version`] of [`Fork::version`].
///
/// A fork follows only when it is told to, by [`Fork::poll`] or [`Fork::follow_until`]. It is a
/// watcher of its source: if it falls behind by more than the source keeps for watchers, it copies
/// what differs in one commit, and goes on from there. It does not keep its source open: when the
/// last handle of that is dropped, it follows what was committed, and then there is
/// [`ForkError::Closed`].
///
/// ```
/// use skep::cluster::{self, Node};
/// use skep::{Fork, Id};
///
/// let store = cluster::builder().build();
/// let mut fork = Fork::new(&store)?;
/// let node = Node::named(Id::random(), "host");
/// store.update(|tx| tx.create(node.clone()))?;
/// assert_eq!(fork.poll()?, store.version());
/// let (here, there) = (store.read(), fork.store().read());
/// assert_eq!(there.get::<Node>(&node.id), here.get::<Node>(&node.id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Fork {
    /// No handle, which would keep it open.
    source: Arc<Shared>,
    store: Store,
    /// None: there is nobody yet, or not any more.
    watcher: Option<Watcher>,
    /// The source's version that the fork is equal to.
    followed: Version,
    /// What the commit at hand did, as far as it has been seen.
    actions: Vec<Action>,
    /// The source's version at which the store was equal to it, as far as is known.
    equal_at: Version,
    /// Whether it goes on by difference: the watcher has missed something, or a commit did not fit,
    /// or could not be copied.
    broken: bool,
}

impl fmt::Debug for Fork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fork")
            .field("store", &self.store)
            .field("version", &self.followed)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Does what a commit of another store did: all of the actions, in order, in one transaction of
    /// any size; gives its version. This is how a replica follows: the same actions on the same
    /// state make the same state. Whether an object is there is checked action by action; unique
    /// indexes and rules are asked once, about the end.
    ///
    /// # Errors
    /// [`UpdateError::Closure`] with the action that does not fit, and why: the stores have
    /// diverged. Others if this store is written to by somebody else. Nothing is applied then.
    pub fn apply(&self, actions: &[Action]) -> Result<Version, UpdateError<Divergence>> {
        apply(self.shared(), actions)
    }

    /// Makes this store equal to the snapshot, where it was equal at the version given: all tables
    /// in one transaction.
    pub(crate) fn follow(
        &self,
        source: &Snapshot,
        equal_at: Version,
    ) -> Result<Version, UpdateError<DivergenceCause>> {
        update_whole(self.shared(), &mut |tx| {
            for table in self.copies() {
                (table.follow)(tx, source, equal_at);
            }
            tx.settle_placed()
                .map_err(|unsettled| unsettled.error.into())
        })
    }
}

/// Why a fork does not follow.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ForkError {
    /// A commit of the source does not fit: somebody else wrote to the fork. The next attempt puts
    /// all of the source's objects anew, and deletes the others.
    Diverged(Divergence),
    /// The source's state does not fit, for the same reason.
    Refused(DivergenceCause),
    /// Others who write to the fork got in the way at every attempt.
    Busy,
    /// The source has as many watchers as it may, and none is left for the fork. It follows by
    /// difference at each attempt.
    TooManyWatchers {
        /// How many there may be.
        watchers_max: u64,
    },
    /// The source is closed, and the fork equal to what it was last.
    Closed,
}

impl Fork {
    /// A fork that is equal to `source` as it is now: copies all of it.
    ///
    /// # Errors
    /// None if the source's index functions depend on the object alone, as they must.
    pub fn new(source: &Store) -> Result<Self, ForkError> {
        let mut fork = Self {
            source: Arc::clone(source.shared()),
            store: source.like().build(),
            watcher: None,
            followed: Version::ZERO,
            actions: Vec::new(),
            equal_at: Version::ZERO,
            broken: true,
        };
        fork.catch_up()?;
        Ok(fork)
    }

    /// The fork's own store, to be read and watched. Do not write to it: then it differs from its
    /// source, and following fails with [`ForkError::Diverged`] when that is noticed.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The version of the source that the fork was equal to when it last followed.
    #[must_use]
    pub fn version(&self) -> Version {
        self.followed
    }

    /// Follows what the source has committed until now, without waiting for more; gives the version
    /// of the source that it is equal to then. What is committed meanwhile is for the next time.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub fn poll(&mut self) -> Result<Version, ForkError> {
        self.catch_up()?;
        self.follow_to(self.newest())
    }

    /// Follows until it is equal to the source at `version` or a later one, and blocks until the
    /// source has committed that, or is closed.
    ///
    /// # Errors
    /// See [`ForkError`].
    pub fn follow_until(&mut self, version: Version) -> Result<Version, ForkError> {
        self.catch_up()?;
        while self.followed < version {
            self.follow_to(version.min(self.newest()))?;
            if self.followed < version {
                match self.wait(version) {
                    Ok(Some(event)) => self.follow(event)?,
                    Ok(None) => {}
                    Err(error) => self.missed(error)?,
                }
            }
        }
        Ok(self.followed)
    }

    /// The next event; `None`, if the source has come to a version without one: what was refused
    /// moves it on, wakes who waits, and makes no event.
    fn wait(&mut self, version: Version) -> Result<Option<Event>, WatchError> {
        let source = Arc::clone(&self.source);
        let received = self.watcher().receive_until(None, |watcher| {
            let event = watcher.try_recv()?;
            let comes = event.is_some() || newest(&source) >= version;
            Ok(comes.then_some(event))
        });
        received.map(Option::flatten)
    }

    /// The source's newest version.
    fn newest(&self) -> Version {
        newest(&self.source)
    }

    /// Follows up to a version that the source has. Looks once in any case: a watcher without a
    /// place says so then.
    fn follow_to(&mut self, version: Version) -> Result<Version, ForkError> {
        loop {
            match self.watcher().try_recv() {
                Ok(Some(event)) => self.follow(event)?,
                // What a proposer refused changes nothing and is not told.
                Ok(None) => self.followed = self.watcher().position(),
                Err(error) => self.missed(error)?,
            }
            // Not within a commit.
            if self.followed >= version && self.actions.is_empty() {
                return Ok(self.followed);
            }
        }
    }

    fn watcher(&mut self) -> &mut Watcher {
        self.watcher.as_mut().expect("it has caught up")
    }

    fn follow(&mut self, event: Event) -> Result<(), ForkError> {
        match event {
            Event::Change(change) => {
                // A copy that panics is missing, and does not come again.
                self.broken = true;
                let mut tables = self.store.copies();
                let action = tables.find_map(|table| (table.action)(&change));
                self.actions
                    .push(action.expect("a change is of one of the tables"));
                self.broken = false;
            }
            Event::Commit(version) => {
                let actions = std::mem::take(&mut self.actions);
                self.become_equal(version, |store, _| store.apply(&actions))?;
            }
        }
        Ok(())
    }

    fn missed(&mut self, error: WatchError) -> Result<(), ForkError> {
        match error {
            WatchError::Closed => Err(ForkError::Closed),
            WatchError::TooManyWatchers { watchers_max } => {
                self.broken = true;
                Err(ForkError::TooManyWatchers { watchers_max })
            }
            // It asks for no bounds; and a new one would be whole again, too.
            WatchError::Lagged { .. } | WatchError::Overflowed => {
                self.broken = true;
                self.catch_up()
            }
        }
    }

    /// Goes on by difference, if it must.
    fn catch_up(&mut self) -> Result<(), ForkError> {
        if !self.broken {
            return Ok(());
        }
        // So that its place is free.
        self.watcher = None;
        let (snapshot, watcher) = snapshot_and_watch(&self.source, Filter::all());
        self.actions.clear();
        self.become_equal(snapshot.version(), |store, equal_at| {
            store.follow(&snapshot, equal_at)
        })?;
        self.watcher = Some(watcher);
        Ok(())
    }

    /// Makes the store what the source is at a version, from where it was equal. If that fails
    /// somebody else has written to it, anything: then the next difference is from nothing.
    fn become_equal<E: Into<ForkError>>(
        &mut self,
        version: Version,
        make: impl FnOnce(&Store, Version) -> Result<Version, E>,
    ) -> Result<(), ForkError> {
        self.broken = true;
        let equal_at = std::mem::replace(&mut self.equal_at, Version::ZERO);
        make(&self.store, equal_at).map_err(Into::into)?;
        (self.followed, self.equal_at, self.broken) = (version, version, false);
        Ok(())
    }
}

fn newest(source: &Shared) -> Version {
    Version::new(source.kernel().horizon.visible())
}

impl From<UpdateError<Divergence>> for ForkError {
    fn from(error: UpdateError<Divergence>) -> Self {
        match error {
            UpdateError::Closure(divergence) => Self::Diverged(divergence),
            _ => Self::Busy,
        }
    }
}

impl From<UpdateError<DivergenceCause>> for ForkError {
    fn from(error: UpdateError<DivergenceCause>) -> Self {
        match error {
            UpdateError::Closure(cause) => Self::Refused(cause),
            _ => Self::Busy,
        }
    }
}

impl fmt::Display for ForkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Diverged(divergence) => divergence.fmt(f),
            Self::Refused(cause) => write!(f, "the source does not fit: {cause}"),
            Self::Busy => f.write_str("others write to the fork"),
            Self::TooManyWatchers { watchers_max } => WatchError::TooManyWatchers {
                watchers_max: *watchers_max,
            }
            .fmt(f),
            Self::Closed => f.write_str("the source is closed"),
        }
    }
}

impl StdError for ForkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Diverged(divergence) => Some(divergence),
            Self::Refused(cause) => Some(cause),
            Self::Busy | Self::TooManyWatchers { .. } | Self::Closed => None,
        }
    }
}
