//! What becomes of a commit that others decide, and how the ring of versions notes it: in a word.

use crate::version::Version;

/// In the place of a refused commit's version: this, and the number of an earlier commit, all
/// between which and itself are refused as well.
const REFUSED: u64 = 1 << 63;
/// Beside the version of a commit that is a whole state.
const RESTORED: u64 = 1 << 62;
/// Beside the version of a commit that is none, and has one.
const PASSED: u64 = REFUSED | RESTORED;
/// No version of a proposer's is as high.
pub(super) const VERSIONS_END: Version = Version::new(RESTORED);
/// In the place of the version of one that was not proposed.
const UNPROPOSED: u64 = u64::MAX;

/// What was decided of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Refused,
    /// It is no commit, since it changes nothing and others before it are open. What they leave
    /// shows this version of the proposer's, or a newer one of their own.
    Passed(Version),
    /// It is committed, and the proposer was not asked, as of an applied entry: it may have a
    /// version of the proposer's, which nobody told the store.
    Unproposed,
    /// It is committed, at this version of the proposer's.
    Accepted(Version),
    /// It is the whole state of this version: what led there from what was accepted before was not
    /// committed here.
    #[cfg_attr(
        not(feature = "save"),
        allow(dead_code, reason = "who restores, restores what was saved")
    )]
    Restored(Version),
}

/// What is known of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    Accepted(Version),
    Restored(Version),
    /// All after that commit and before this one are refused, too.
    Refused(u64),
    /// It is refused, and up to this version there is no more to come.
    Passed(Version),
    Unproposed,
    Nothing,
}

impl Decision {
    /// The proposer's version, if there is one.
    pub(super) fn version(self) -> Option<Version> {
        match self {
            Self::Accepted(version) | Self::Restored(version) => Some(version),
            Self::Refused | Self::Passed(_) | Self::Unproposed => None,
        }
    }

    /// Whether it is committed, and at which version of the proposer's; 0: at none that is told.
    pub(super) fn accepted_at(self) -> Option<u64> {
        match self {
            Self::Refused | Self::Passed(_) => None,
            Self::Unproposed => Some(0),
            Self::Accepted(version) | Self::Restored(version) => Some(version.get()),
        }
    }

    /// As a word, `before` being the commit that a refused one stands behind.
    pub(super) fn word(self, before: impl FnOnce() -> u64) -> u64 {
        match self {
            Self::Refused => REFUSED | before(),
            // The word of the last version that there is is taken.
            Self::Passed(version) if version.next() == VERSIONS_END => REFUSED | before(),
            Self::Passed(version) => PASSED | version.get(),
            Self::Unproposed => UNPROPOSED,
            Self::Accepted(version) => version.get(),
            Self::Restored(version) => RESTORED | version.get(),
        }
    }
}

/// Accepted at a version, or refused.
impl From<Option<Version>> for Decision {
    fn from(accepted: Option<Version>) -> Self {
        accepted.map_or(Self::Refused, Self::Accepted)
    }
}

impl Known {
    pub(super) fn of_word(word: u64) -> Self {
        if word == UNPROPOSED {
            Self::Unproposed
        } else if word & PASSED == PASSED {
            Self::Passed(Version::new(word & !PASSED))
        } else if word & REFUSED != 0 {
            Self::Refused(word & !REFUSED)
        } else if word & RESTORED != 0 {
            Self::Restored(Version::new(word & !RESTORED))
        } else {
            Self::Accepted(Version::new(word))
        }
    }

    /// The proposer's version, if it has one that is known.
    pub(super) fn version(self) -> Option<Version> {
        match self {
            Self::Accepted(version) | Self::Restored(version) => Some(version),
            Self::Refused(_) | Self::Passed(_) | Self::Unproposed | Self::Nothing => None,
        }
    }
}
