//! Which version of the proposer's each of the last commits has.
//!
//! A ring of entries, one a commit, each written once by who decides that commit and overwritten
//! when the ring has come around. What is in flight is never as much as the ring holds, so an entry
//! has one writer at a time.
//!
//! # Invariants
//! - F5: what is found of a commit is what was noted of it, or nothing, though its entry be written
//!   again meanwhile.
//! - F6: a commit is noted before it is decided: whoever sees the watermark pass it finds it.
//!
//! # Orderings
//! - [entry]: the writer takes the tag away, fences, writes the version, then the tag with Release;
//!   the reader loads the tag with Acquire, the version, fences, and the tag again. The same tag
//!   twice: the version is that tag's.

use crate::sync::{AtomicU64, Ordering, fence};
use crate::version::Version;

/// Commits whose versions are kept.
const KEPT: u64 = if cfg!(loom) { 4 } else { 1 << 16 };
/// Proposals in flight at most.
pub(crate) const IN_FLIGHT_MAX: u64 = KEPT / 2;
/// The tag of an entry that says nothing.
const NOBODY: u64 = 0;
/// The version of a refused commit.
const REFUSED: u64 = 0;

#[derive(Debug)]
struct Entry {
    /// The commit's number.
    tag: AtomicU64,
    version: AtomicU64,
}

/// The versions of the last commits.
#[derive(Debug)]
pub(crate) struct Numbering {
    entries: Box<[Entry]>,
    /// The proposer's version when the store was empty.
    first: Option<Version>,
}

/// What is known of a commit.
enum Known {
    Accepted(Version),
    Refused,
    Nothing,
}

impl Numbering {
    pub(crate) fn new(first: Option<Version>) -> Self {
        let entry = |_| Entry {
            tag: AtomicU64::new(NOBODY),
            version: AtomicU64::new(REFUSED),
        };
        Self {
            entries: (0..KEPT).map(entry).collect(),
            first,
        }
    }

    fn entry(&self, number: u64) -> &Entry {
        &self.entries[(number % KEPT) as usize]
    }

    /// Notes a commit's version, before it is decided; `None`: it is refused.
    pub(crate) fn note(&self, number: Version, version: Option<Version>) {
        let entry = self.entry(number.get());
        // Relaxed: [entry].
        entry.tag.store(NOBODY, Ordering::Relaxed);
        // Release: [entry].
        fence(Ordering::Release);
        let version = version.map_or(REFUSED, Version::get);
        // Relaxed: [entry].
        entry.version.store(version, Ordering::Relaxed);
        // Release: [entry].
        entry.tag.store(number.get(), Ordering::Release);
    }

    fn known(&self, number: u64) -> Known {
        let entry = self.entry(number);
        // Acquire: [entry].
        let tag = entry.tag.load(Ordering::Acquire);
        // Relaxed: [entry].
        let version = entry.version.load(Ordering::Relaxed);
        // Acquire: [entry].
        fence(Ordering::Acquire);
        // Relaxed: [entry].
        if tag != number || entry.tag.load(Ordering::Relaxed) != number {
            Known::Nothing
        } else if version == REFUSED {
            Known::Refused
        } else {
            Known::Accepted(Version::new(version))
        }
    }

    /// Whether nothing was noted of a commit.
    pub(super) fn is_unknown(&self, number: Version) -> bool {
        matches!(self.known(number.get()), Known::Nothing)
    }

    /// The newest version accepted at or before a commit.
    pub(crate) fn at(&self, number: Version) -> Option<Version> {
        for number in (1..=number.get()).rev().take(KEPT as usize) {
            match self.known(number) {
                Known::Accepted(version) => return Some(version),
                Known::Refused => {}
                Known::Nothing => return None,
            }
        }
        (number.get() < KEPT).then_some(self.first).flatten()
    }

    /// The last commit, up to `until`, that was accepted at `version` or before.
    pub(super) fn find(&self, version: Version, until: Version) -> Option<Version> {
        for number in (1..=until.get()).rev().take(KEPT as usize) {
            match self.known(number) {
                Known::Accepted(accepted) if accepted <= version => {
                    return Some(Version::new(number));
                }
                Known::Accepted(_) | Known::Refused => {}
                Known::Nothing => return None,
            }
        }
        let before = until.get() < KEPT && self.first.is_none_or(|first| first <= version);
        before.then_some(Version::ZERO)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_both_ways() {
        let numbering = Numbering::new(Some(Version::new(7)));
        let version = Version::new;
        assert_eq!(numbering.at(Version::ZERO), Some(version(7)));
        numbering.note(version(1), Some(version(10)));
        numbering.note(version(2), None);
        numbering.note(version(3), Some(version(13)));
        let at = |number| numbering.at(version(number));
        assert_eq!(
            [at(1), at(2), at(3)],
            [10, 10, 13].map(|it| Some(version(it)))
        );
        assert_eq!(at(4), None, "not decided");
        let find = |wanted| numbering.find(version(wanted), version(3));
        assert_eq!(find(13), Some(version(3)));
        assert_eq!(find(12), Some(version(1)));
        assert_eq!(find(8), Some(Version::ZERO));
        assert_eq!(find(6), None, "before the store");
    }

    #[test]
    fn what_the_ring_has_lost_is_not_invented() {
        let numbering = Numbering::new(None);
        for number in 1..=KEPT + 2 {
            numbering.note(Version::new(number), Some(Version::new(number * 3)));
        }
        assert_eq!(numbering.at(Version::new(2)), None);
        assert_eq!(numbering.at(Version::new(3)), Some(Version::new(9)));
        let until = Version::new(KEPT + 2);
        assert_eq!(numbering.find(Version::new(8), until), None);
        assert_eq!(
            numbering.find(Version::new(9), until),
            Some(Version::new(3))
        );
    }
}
