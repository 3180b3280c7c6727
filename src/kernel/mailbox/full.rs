//! What is in a mailbox that was full, by its watcher's choice.

use super::{Bounds, Fresh, Letter, Missed, Stamp, Taken};

/// What a list that goes had in it.
#[derive(Debug, Default)]
pub(super) struct Going {
    /// What had gone before.
    pub(super) before: Option<Missed>,
    /// The version of the oldest letter.
    first: Option<u64>,
    letters: u64,
}

impl Going {
    /// Counts a letter that is older than those counted.
    pub(super) fn add_older(&mut self, version: u64) {
        self.first = Some(version);
        self.letters += 1;
    }

    fn of<L: Letter>(old: &Taken<L>) -> Self {
        Self {
            before: old.missed,
            first: old.letters.first().map(L::version),
            letters: old.letters.len() as u64,
        }
    }
}

/// A list without what was in it, and with the letter, unless it is of a commit of which a part
/// went.
pub(super) fn lag<L: Letter>(old: Going, through: Stamp, stamp: Stamp, letter: &L) -> Fresh<L> {
    let first = old.first.unwrap_or(stamp.version);
    let gone = old.letters + old.before.map_or(0, |missed| missed.letters);
    let from = old.before.map_or(first, |missed| missed.from);
    let torn = through.version == stamp.version;
    let missed = Missed {
        from,
        through: through.version,
        letters: gone + u64::from(torn),
    };
    let all = Stamp {
        write: u32::MAX,
        ..through
    };
    let mut fresh = Fresh::base(if torn { all } else { through }, Some(missed));
    if !torn {
        fresh.add(stamp, letter.clone());
    }
    fresh
}

/// A list in which each object has one letter; or, if that is not much shorter, as [`lag`].
pub(super) fn coalesce<L: Letter>(
    old: Taken<L>,
    through: Stamp,
    (stamp, letter): (Stamp, &L),
    bounds: Bounds,
) -> Fresh<L> {
    let Some(after) = bounds.after else {
        return lag(Going::of(&old), through, stamp, letter);
    };
    let wanted = old.letters.iter().filter(|it| it.version() > after);
    let mut letters: Vec<L> = wanted.chain([letter]).cloned().collect();
    L::coalesce(&mut letters);
    let bytes: u64 = letters.iter().map(L::bytes).sum();
    // By a quarter: so that what coalescing costs is shared by as many deliveries.
    let is_long = letters.len() as u64 * 4 > u64::from(bounds.letters) * 3;
    if is_long || bytes / 3 > bounds.bytes / 4 {
        return lag(Going::of(&old), through, stamp, letter);
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
