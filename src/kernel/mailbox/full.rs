//! What is in a mailbox that was full, by its watcher's choice.

use super::list::Fresh;
use super::{Bounds, Letter, Missed, Since, Stamp, Taken};

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
        let all = Stamp {
            write: u32::MAX,
            ..through
        };
        return Fresh::base(all, Some(missed));
    }
    let mut fresh = Fresh::base(through, Some(missed));
    fresh.add(stamp, letter.clone());
    fresh
}

/// A list in which each object has one letter; or, if that is not much shorter, as [`lag`].
pub(super) fn coalesce<L: Letter>(
    old: Taken<L>,
    all: Going,
    (stamp, letter): (Stamp, &L),
    bounds: Bounds,
) -> Fresh<L> {
    let Some(after) = bounds.after else {
        return lag(all, stamp, letter);
    };
    let wanted = old.letters.iter().filter(|it| it.version() > after);
    let mut letters: Vec<L> = wanted.chain([letter]).cloned().collect();
    L::coalesce(&mut letters);
    let bytes = letters.iter().map(L::bytes).fold(0, u64::saturating_add);
    // By a quarter: so that what coalescing costs is shared by as many deliveries.
    let is_long = letters.len() as u64 * 4 > u64::from(bounds.letters) * 3;
    if is_long || bytes / 3 > bounds.bytes / 4 {
        return lag(all, stamp, letter);
    }
    let missed = old.missed;
    let count = letters.len();
    let low = Stamp::default();
    let mut fresh = Fresh::base(if count == 0 { stamp } else { low }, missed);
    for (at, letter) in letters.into_iter().enumerate() {
        // M1: what they are of in between does not matter: nothing below the head is asked.
        fresh.add(if at + 1 == count { stamp } else { low }, letter);
    }
    fresh
}
