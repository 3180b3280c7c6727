//! What is in a mailbox that was full, by its watcher's choice.

use super::list::Fresh;
use super::{Bounds, Letter, Missed, Since, Stamp, Taken};
use crate::version::Moment;

/// A list that goes, whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Going {
    /// Where its oldest letter begins, or the oldest that had gone before it.
    pub(super) since: Since,
    /// Up to here, with this, everything is in it.
    pub(super) through: Stamp,
}

/// A list without what was in it, and with the letter, unless it is of a commit of which a part
/// went.
pub(super) fn lag<L: Letter>(old: Going, stamp: Stamp, letter: &L) -> Fresh<L> {
    let through = old.through;
    let missed = Missed {
        from: old.since.version,
        from_at: old.since.at,
        through: through.version,
    };
    if through.version == stamp.version {
        return nothing(through, missed);
    }
    let mut fresh = Fresh::base(through, Some(missed));
    fresh.add(stamp, letter.clone());
    fresh
}

/// A list of nothing, also of what is still to come of its last commit.
fn nothing<L: Letter>(through: Stamp, missed: Missed) -> Fresh<L> {
    let write = u32::MAX;
    Fresh::base(Stamp { write, ..through }, Some(missed))
}

/// A list in which each object has one letter; or, if that is not much shorter, as [`lag`].
pub(super) fn coalesce<L: Letter>(
    old: Taken<L>,
    all: Going,
    (stamp, letter): (Stamp, &L),
    bounds: Bounds,
) -> Fresh<L> {
    let letters = old.letters.iter().chain([letter]);
    let mut letters: Vec<L> = letters.cloned().collect();
    L::coalesce(&mut letters);
    let bytes = letters.iter().map(L::bytes).fold(0, u64::saturating_add);
    // By a quarter: so that what coalescing costs is shared by as many deliveries.
    let is_long = letters.len() as u64 * 4 > u64::from(bounds.letters) * 3;
    if is_long || bytes / 3 > bounds.bytes / 4 {
        return lag(all, stamp, letter);
    }
    list(old.missed, letters, stamp)
}

/// A list without what is of a version or before; without anything, if something was made of what
/// was before and what came after that.
pub(super) fn wanted<L: Letter>(old: Taken<L>, through: Stamp, after: u64) -> Fresh<L> {
    let is_both = |letter: &L| letter.since().version <= after && letter.version() > after;
    if old.letters.iter().any(is_both) {
        let missed = Missed {
            from: after + 1,
            from_at: Moment::UNKNOWN,
            through: through.version,
        };
        return nothing(through, missed);
    }
    let missed = old.missed.filter(|missed| missed.through > after);
    let missed = missed.map(|missed| Missed {
        from: missed.from.max(after + 1),
        ..missed
    });
    let letters = old.letters.into_iter();
    list(missed, letters.filter(|it| it.version() > after), through)
}

/// A list of these letters, in which everything up to a stamp was delivered.
fn list<L: Letter>(
    missed: Option<Missed>,
    letters: impl IntoIterator<Item = L>,
    through: Stamp,
) -> Fresh<L> {
    let mut letters = letters.into_iter().peekable();
    let low = Stamp::default();
    let is_empty = letters.peek().is_none();
    let mut fresh = Fresh::base(if is_empty { through } else { low }, missed);
    while let Some(letter) = letters.next() {
        // M1: what they are of in between does not matter: nothing below the head is asked.
        let is_last = letters.peek().is_none();
        fresh.add(if is_last { through } else { low }, letter);
    }
    fresh
}
