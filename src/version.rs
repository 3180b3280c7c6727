//! The number of a commit.

#![forbid(unsafe_code)]

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of a commit, and so of the state of the store that it made: dense, from 1;
/// [`Version::ZERO`] is the empty store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Version(u64);

impl Version {
    /// The state before the first commit: nothing there.
    pub const ZERO: Self = Self(0);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The version after this one.
    ///
    /// # Panics
    /// If this is the largest that 64 bits can tell. No store ever gets there.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.checked_add(1).expect("there is no larger one"))
    }

    /// How many commits lie between `earlier` and this version; 0 if `earlier` is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What the store knows of an object beside the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Meta {
    /// The commit that wrote the object as it is.
    pub version: Version,
    /// When the object was created, by the clock of the creating process. Survives updates.
    pub created_at: SystemTime,
    /// When the object was written last. Both times are exact to some microseconds: a thread that
    /// commits without a pause does not ask the clock for each commit. It is not before
    /// `created_at`, though the clock be set back, or the creator's be ahead; but from one update
    /// to the next it may fall by as much. Times that are told
    /// ([`Action::at`](crate::Action::at), a restore) are kept as they are.
    pub updated_at: SystemTime,
    /// In a store with a [proposer](crate::Proposer): the proposer's version of the commit that
    /// wrote the object as it is, the same on all members. `None` without one, and of what came
    /// without a version (see [`Proposer`](crate::Proposer), Versions).
    pub proposed: Option<Version>,
}

impl Meta {
    pub(crate) fn new(version: u64, created: Moment, updated: Moment) -> Self {
        Self {
            version: Version(version),
            created_at: created.into(),
            updated_at: updated.into(),
            proposed: None,
        }
    }

    /// With the proposer's version; 0: none is known.
    pub(crate) fn proposed_at(self, version: u64) -> Self {
        let proposed = (version != 0).then_some(Version(version));
        Self { proposed, ..self }
    }
}

/// A time of the system's clock in nanoseconds since 1970: one word in each stored version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Moment(u64);

impl Moment {
    /// Of nothing that was ever written.
    pub(crate) const UNKNOWN: Self = Self(0);

    pub(crate) fn now() -> Self {
        SystemTime::now().into()
    }

    /// What [`Moment::word`] gave.
    pub(crate) const fn of_word(word: u64) -> Self {
        Self(word)
    }

    /// As one word; 0: unknown.
    pub(crate) const fn word(self) -> u64 {
        self.0
    }

    /// How long ago it was; `None`: that is not known, or it is still to come.
    pub(crate) fn ago(self, now: SystemTime) -> Option<Duration> {
        let is_known = self != Self::UNKNOWN;
        is_known.then(|| now.duration_since(self.into()).ok())?
    }
}

impl From<SystemTime> for Moment {
    /// The nearest time that there is: none before 1970.
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Moment> for SystemTime {
    fn from(moment: Moment) -> Self {
        UNIX_EPOCH + Duration::from_nanos(moment.0)
    }
}
