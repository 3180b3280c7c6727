//! Sums of what operations did, by kind and by place.

use std::collections::BTreeMap;
use std::fmt;

use skep::counted::{Access, Kind};

/// Where in the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From the project's root.
    pub file: &'static str,
    /// From 1.
    pub line: u32,
}

impl Place {
    /// Where an access is written down.
    #[must_use]
    pub fn of(access: &Access) -> Self {
        Self {
            file: access.place.file(),
            line: access.place.line(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How often something was done, over some operations.
#[derive(Clone, Copy, Debug)]
struct Sum {
    total: u64,
    least: u64,
    most: u64,
}

/// What some operations did.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    operations: u64,
    kinds: BTreeMap<Kind, Sum>,
    places: BTreeMap<(Kind, Place), u64>,
}

/// Every kind of access.
pub const KINDS: [Kind; 5] = [
    Kind::Load,
    Kind::Store,
    Kind::Modify,
    Kind::Fence,
    Kind::LightFence,
];

impl Tally {
    /// Adds one operation.
    pub fn add(&mut self, accesses: &[Access]) {
        for access in accesses {
            let key = (access.kind, Place::of(access));
            *self.places.entry(key).or_default() += 1;
        }
        for kind in KINDS {
            let count = accesses.iter().filter(|it| it.kind == kind).count() as u64;
            let first = Sum {
                total: 0,
                least: count,
                most: count,
            };
            let sum = self.kinds.entry(kind).or_insert(first);
            sum.total += count;
            sum.least = sum.least.min(count);
            sum.most = sum.most.max(count);
        }
        self.operations += 1;
    }

    /// Of a kind, for each operation, on average.
    #[must_use]
    pub fn mean(&self, kind: Kind) -> f64 {
        let total = self.kinds.get(&kind).map_or(0, |sum| sum.total);
        total as f64 / self.operations.max(1) as f64
    }

    /// Of a kind, in the operation that did the fewest, and in the one that did the most.
    #[must_use]
    pub fn range(&self, kind: Kind) -> (u64, u64) {
        self.kinds
            .get(&kind)
            .map_or((0, 0), |sum| (sum.least, sum.most))
    }

    /// The places of a kind, with how often for each operation: the most frequent first.
    #[must_use]
    pub fn places(&self, kind: Kind) -> Vec<(Place, f64)> {
        let own = self.places.iter().filter(|((own, _), _)| *own == kind);
        let each = |count: u64| count as f64 / self.operations.max(1) as f64;
        let mut places: Vec<_> = own
            .map(|((_, place), count)| (*place, each(*count)))
            .collect();
        places.sort_by(|one, other| other.1.total_cmp(&one.1));
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::Location;

    fn access(kind: Kind) -> Access {
        Access {
            kind,
            address: 64,
            place: Location::caller(),
        }
    }

    #[test]
    fn what_only_some_operations_do_has_a_range_and_a_mean() {
        let mut tally = Tally::default();
        tally.add(&[]);
        tally.add(&[access(Kind::Modify), access(Kind::Modify)]);
        tally.add(&[access(Kind::Modify), access(Kind::Load)]);
        assert_eq!(tally.range(Kind::Modify), (0, 2));
        assert!((tally.mean(Kind::Modify) - 1.0).abs() < 1e-9);
        assert_eq!(tally.range(Kind::Load), (0, 1));
        assert_eq!(tally.range(Kind::Fence), (0, 0));
        assert_eq!(tally.places(Kind::Modify).len(), 1);
    }
}
