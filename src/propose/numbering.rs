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
//! - [forgotten]: who writes an entry over raises what is forgotten, then takes the tag away with
//!   Release; who finds the tag gone, or another one, fences and asks what is forgotten: that
//!   entry's version at least. What is forgotten is older than all that ask: of those in flight at
//!   a time none is further from another than half the ring.

use super::decision::{Decision, Known, VERSIONS_END};
use super::proposal::AnswerError;
use crate::sync::{AtomicU64, Ordering, fence};
use crate::version::Version;

/// Commits whose versions are kept.
const KEPT: u64 = if cfg!(loom) { 4 } else { 1 << 16 };
/// Proposals in flight at most.
pub(crate) const IN_FLIGHT_MAX: u64 = KEPT / 2;
/// The tag of an entry that says nothing.
const NOBODY: u64 = 0;

#[derive(Debug)]
struct Entry {
    /// The commit's number.
    tag: AtomicU64,
    /// What was decided, as a word.
    version: AtomicU64,
}

/// The versions of the last commits.
#[derive(Debug)]
pub(crate) struct Numbering {
    entries: Box<[Entry]>,
    /// The proposer's version when the store was empty.
    first: Option<Version>,
    /// The newest version whose entry was written over; 0: none was.
    forgotten: AtomicU64,
}

/// The versions accepted nearest to a commit, where there are any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbours {
    pub(super) before: Option<Version>,
    pub(super) after: Option<Version>,
}

impl Neighbours {
    pub(crate) const NONE: Self = Self {
        before: None,
        after: None,
    };

    /// Whether a version lies between them.
    pub(crate) fn fits(self, version: Version) -> Result<(), AnswerError> {
        let newest = self.before.unwrap_or(Version::ZERO);
        if version <= newest {
            return Err(AnswerError::NotNewer { newest });
        }
        let oldest = self.after.unwrap_or(VERSIONS_END);
        if version >= oldest {
            return Err(AnswerError::NotOlder { oldest });
        }
        Ok(())
    }
}

/// A commit that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) number: Version,
    pub(crate) proposed: Version,
}

impl Numbering {
    pub(crate) fn new(first: Option<Version>) -> Self {
        let entry = |_| Entry {
            tag: AtomicU64::new(NOBODY),
            version: AtomicU64::new(0),
        };
        Self {
            entries: (0..KEPT).map(entry).collect(),
            first,
            forgotten: AtomicU64::new(0),
        }
    }

    fn entry(&self, number: u64) -> &Entry {
        &self.entries[(number % KEPT) as usize]
    }

    /// Notes what is decided of a commit, before it is.
    pub(crate) fn note(&self, number: Version, decision: impl Into<Decision>) {
        // With a fence Acquire, as all looks have: what was taken back came before.
        if let Some(version) = self.accepted(number.get().saturating_sub(KEPT)) {
            // Relaxed: [forgotten].
            self.forgotten.fetch_max(version.get(), Ordering::Relaxed);
        }
        let version = decision.into().word(|| self.before(number.get()));
        let entry = self.entry(number.get());
        // Release: [forgotten].
        entry.tag.store(NOBODY, Ordering::Release);
        // Release: [entry].
        fence(Ordering::Release);
        // Relaxed: [entry].
        entry.version.store(version, Ordering::Relaxed);
        // Release: [entry].
        entry.tag.store(number.get(), Ordering::Release);
    }

    /// Has nothing noted of a commit that was not decided after all.
    pub(crate) fn take_back(&self, number: Version) {
        let tag = &self.entry(number.get()).tag;
        // Relaxed: what is noted next comes after it: the caller gives its claim back.
        tag.store(NOBODY, Ordering::Relaxed);
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
        } else {
            Known::of_word(version)
        }
    }

    /// The commit before one, or before the row of refused ones that it stands behind, if that is
    /// known: so a walk back passes over rows of them at once.
    fn before(&self, number: u64) -> u64 {
        match self.known(number - 1) {
            Known::Refused(before) => before,
            _ => number - 1,
        }
    }

    /// The commits from one on back that are not known to be refused, and what is known of them.
    fn back_from(&self, number: u64) -> impl Iterator<Item = (u64, Known)> {
        let mut next = number;
        std::iter::from_fn(move || {
            while next > 0 {
                let (number, known) = (next, self.known(next));
                next = match known {
                    Known::Refused(before) => before,
                    _ => number - 1,
                };
                if !matches!(known, Known::Refused(_)) {
                    return Some((number, known));
                }
            }
            None
        })
    }

    /// The newest version accepted at or before a commit; nothing, if something that was not
    /// proposed came after it, or so much that it is not kept.
    pub(crate) fn at(&self, number: Version) -> Option<Version> {
        let mut passed = None;
        for (_, known) in self.back_from(number.get()) {
            match known {
                // The last one is the newest.
                Known::Passed(version) => passed = passed.or(Some(version)),
                // It may have had a newer one.
                Known::Nothing => return None,
                known => return known.version().max(passed),
            }
        }
        self.first.max(passed)
    }

    /// As [`Numbering::at`]; 0 if nothing was accepted so far, of a proposer that had no version
    /// before.
    pub(super) fn at_or_before_all(&self, number: Version) -> Option<Version> {
        let is_first = || self.back_from(number.get()).next().is_none();
        self.at(number)
            .or_else(|| is_first().then_some(Version::ZERO))
    }

    /// All that was accepted after one commit up to another, with its versions; nothing, if not all
    /// is known.
    pub(super) fn between(&self, after: Version, until: Version) -> Option<Vec<Accepted>> {
        let mut all = Vec::new();
        for number in after.get() + 1..=until.get() {
            match self.known(number) {
                Known::Accepted(proposed) => all.push(Accepted {
                    number: Version::new(number),
                    proposed,
                }),
                Known::Refused(_) | Known::Passed(_) => {}
                // Of a restored one nobody knows what led there.
                Known::Restored(_) | Known::Unproposed | Known::Nothing => return None,
            }
        }
        Some(all)
    }

    fn accepted(&self, number: u64) -> Option<Version> {
        self.known(number).version()
    }

    /// What was accepted nearest to a commit, `newest` being the last one that was. In the log's
    /// order it is found at once; else what is not decided between is passed over.
    pub(crate) fn neighbours(&self, number: Version, newest: u64) -> Neighbours {
        let number = number.get();
        let last = newest.min(number.saturating_sub(1));
        let kept = |(earlier, _): &(u64, Known)| last - earlier < KEPT;
        let mut earlier = self.back_from(last).take_while(kept);
        let before = earlier.find_map(|(_, known)| known.version());
        // Acquire: [forgotten].
        fence(Ordering::Acquire);
        // Relaxed: [forgotten].
        let forgotten = self.forgotten.load(Ordering::Relaxed);
        let forgotten = (forgotten > 0).then(|| Version::new(forgotten));
        Neighbours {
            before: before.or(forgotten).or(self.first),
            after: (number + 1..=newest).find_map(|number| self.accepted(number)),
        }
    }

    /// The last commit, up to `until`, that was accepted at `version` or before; nothing, if none
    /// was at a newer one, so that more of it may come; or if what was not proposed came between,
    /// or what led to a restored one; unless it was accepted at just that version.
    pub(super) fn find(&self, version: Version, until: Version) -> Option<Version> {
        let (mut next_is_newer, mut is_empty) = (false, true);
        for (number, known) in self.back_from(until.get()) {
            is_empty &= matches!(known, Known::Passed(_));
            match known {
                Known::Accepted(accepted) | Known::Restored(accepted) if accepted <= version => {
                    let found = accepted == version || next_is_newer;
                    return found.then_some(Version::new(number));
                }
                Known::Accepted(_) => next_is_newer = true,
                // What comes after it is newer, and it is nothing itself.
                Known::Passed(passed) => next_is_newer |= passed >= version,
                Known::Restored(_) | Known::Unproposed => next_is_newer = false,
                Known::Refused(_) | Known::Nothing => return None,
            }
        }
        let first = self.first.unwrap_or_default();
        let found = first == version && is_empty || first <= version && next_is_newer;
        found.then_some(Version::ZERO)
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

    /// Rows of refused commits are passed over at once, and know what came before them even if
    /// the ring has come around since.
    #[test]
    fn rows_of_refused_commits_are_passed_over() {
        let version = Version::new;
        let numbering = Numbering::new(Some(version(2)));
        // Noted in an order of their own, as they are decided.
        for number in [2, 1, 3, 5, 4] {
            numbering.note(version(number), None);
        }
        assert_eq!(numbering.at(version(5)), Some(version(2)));
        numbering.note(version(6), Some(version(9)));
        for number in 7..3 * KEPT {
            numbering.note(version(number), None);
        }
        let last = 3 * KEPT - 1;
        assert_eq!(numbering.known(last), Known::Refused(6));
        assert_eq!(numbering.back_from(last).next(), Some((6, Known::Nothing)));
        numbering.note(version(last + 1), Some(version(10)));
        numbering.note(version(last + 2), None);
        assert_eq!(numbering.at(version(last + 2)), Some(version(10)));
        assert_eq!(
            numbering.find(version(10), version(last + 2)),
            Some(version(last + 1))
        );
        assert_eq!(
            numbering.find(version(9), version(last + 2)),
            None,
            "it is not kept"
        );
    }

    /// Though all that the ring holds came after it, and was refused.
    #[test]
    fn the_newest_accepted_version_is_not_forgotten() {
        let version = Version::new;
        let numbering = Numbering::new(Some(version(2)));
        numbering.note(version(1), Some(version(6)));
        numbering.note(version(2), Some(version(9)));
        for number in 3..KEPT + 10 {
            numbering.note(version(number), None);
        }
        let neighbours = numbering.neighbours(version(KEPT + 10), 2);
        assert_eq!(neighbours.before, Some(version(9)));
        let newest = version(9);
        let refused = neighbours.fits(version(7));
        assert_eq!(refused, Err(AnswerError::NotNewer { newest }));
        assert_eq!(neighbours.fits(version(10)), Ok(()));
    }

    #[test]
    fn what_was_accepted_between_two_commits_is_all_known_or_nothing() {
        let version = Version::new;
        let numbering = Numbering::new(None);
        for (number, noted) in [(1, Some(3)), (2, None), (3, Some(9))] {
            numbering.note(version(number), noted.map(version));
        }
        let between = |after, until| {
            let all = numbering.between(version(after), version(until))?;
            let pairs = all.iter().map(|it| (it.number.get(), it.proposed.get()));
            Some(pairs.collect::<Vec<_>>())
        };
        assert_eq!(between(0, 3), Some(vec![(1, 3), (3, 9)]));
        assert_eq!(between(1, 2), Some(vec![]));
        assert_eq!(between(2, 4), None, "not decided");
        numbering.note(version(4), Decision::Unproposed);
        assert_eq!(between(2, 4), None);
    }

    #[test]
    fn no_version_is_taken_for_a_refusal() {
        let fits = |version| Neighbours::NONE.fits(Version::new(version));
        assert_eq!(fits(VERSIONS_END.get() - 1), Ok(()));
        let oldest = VERSIONS_END;
        for version in [oldest.get(), oldest.get() + 7, u64::MAX] {
            assert_eq!(fits(version), Err(AnswerError::NotOlder { oldest }));
        }
    }

    /// 1 at 10, 2 unproposed, 3 at 20, 4 unproposed.
    #[test]
    fn what_was_not_proposed_has_no_version_and_hides_none() {
        let numbering = Numbering::new(Some(Version::new(7)));
        let version = Version::new;
        for (number, noted) in [(1, 10), (3, 20)] {
            numbering.note(version(number), Some(version(noted)));
            numbering.note(version(number + 1), Decision::Unproposed);
        }
        let at = [1, 2, 3, 4].map(|number| numbering.at(version(number)));
        assert_eq!(at, [Some(version(10)), None, Some(version(20)), None]);
        let find = |wanted| {
            numbering
                .find(version(wanted), version(4))
                .map(Version::get)
        };
        assert_eq!([find(9), find(10), find(11)], [Some(0), Some(1), None]);
        assert_eq!([find(19), find(20), find(21)], [None, Some(3), None]);
        let neighbours = numbering.neighbours(version(4), 3);
        assert_eq!(neighbours.before, Some(version(20)));
    }

    /// 1 at 10, 2 restored at 20, 3 at 21.
    #[test]
    fn what_led_to_a_restored_version_is_not_taken_for_shown() {
        let version = Version::new;
        for first in [None, Some(version(4))] {
            let numbering = Numbering::new(first);
            numbering.note(version(1), Some(version(10)));
            numbering.note(version(2), Decision::Restored(version(20)));
            numbering.note(version(3), Some(version(21)));
            let at = [1, 2, 3].map(|number| numbering.at(version(number)));
            assert_eq!(at, [10, 20, 21].map(|it| Some(version(it))));
            let find = |wanted| {
                let found = numbering.find(version(wanted), version(3));
                found.map(Version::get)
            };
            assert_eq!([find(10), find(11), find(19)], [Some(1), None, None]);
            assert_eq!([find(20), find(21), find(22)], [Some(2), Some(3), None]);
            assert_eq!(numbering.between(version(1), version(2)), None);
            let newest = numbering.neighbours(version(3), 2).before;
            assert_eq!(newest, Some(version(20)));
        }
    }

    /// 1 at 10; 2 and 3 are open when 20 passes them by, at 4.
    #[test]
    fn what_passes_others_by_is_shown_when_they_have_no_newer_version() {
        let version = Version::new;
        for accepted in [None, Some(version(21))] {
            let numbering = Numbering::new(Some(version(7)));
            let at = |number| numbering.at(version(number)).map(Version::get);
            let find = |wanted| {
                let found = numbering.find(version(wanted), version(4));
                found.map(Version::get)
            };
            numbering.note(version(1), Some(version(10)));
            numbering.note(version(4), Decision::Passed(version(20)));
            let newest = numbering.neighbours(version(5), 1).before;
            assert_eq!(
                (at(4), newest),
                (None, Some(version(10))),
                "2 and 3 are open"
            );
            numbering.note(version(3), None);
            numbering.note(version(2), accepted);
            let shown = accepted.map_or(20, Version::get);
            assert_eq!([at(1), at(4)], [Some(10), Some(shown)]);
            assert_eq!([find(9), find(19), find(20)], [Some(0), Some(1), Some(1)]);
            assert_eq!(find(21), accepted.map(|_| 2));
            let none: Vec<_> = numbering.between(version(3), version(4)).expect("known");
            assert_eq!(none, []);
            numbering.note(version(5), Decision::Unproposed);
            assert_eq!(at(5), None);
        }
        let numbering = Numbering::new(None);
        numbering.note(version(1), Decision::Passed(version(3)));
        assert_eq!(numbering.at(version(1)), Some(version(3)));
        assert_eq!(numbering.find(version(3), version(1)), Some(Version::ZERO));
        // One that has no word of its own is refused, and no more.
        let last = version(VERSIONS_END.get() - 1);
        numbering.note(version(1), Decision::Passed(last));
        assert_eq!(numbering.at(version(1)), None);
    }

    #[test]
    fn a_version_has_its_place_between_those_accepted() {
        let numbering = Numbering::new(Some(Version::new(7)));
        let version = Version::new;
        numbering.note(version(2), None);
        numbering.note(version(4), Some(version(13)));
        let fits = |number, given, newest| {
            let neighbours = numbering.neighbours(version(number), newest);
            neighbours.fits(version(given))
        };
        let (newest, oldest) = (version(7), version(13));
        assert_eq!(fits(3, 7, 4), Err(AnswerError::NotNewer { newest }));
        assert_eq!(fits(3, 13, 4), Err(AnswerError::NotOlder { oldest }));
        assert_eq!((fits(1, 8, 4), fits(3, 12, 4)), (Ok(()), Ok(())));
        let newest = version(13);
        assert_eq!(fits(5, 13, 4), Err(AnswerError::NotNewer { newest }));
        assert_eq!(fits(5, 14, 4), Ok(()));
        let newest = Version::ZERO;
        let none = Numbering::new(None).neighbours(version(1), 0);
        assert_eq!(none.fits(newest), Err(AnswerError::NotNewer { newest }));
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
