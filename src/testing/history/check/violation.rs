//! What is wrong with a history, in words.

use std::error::Error;
use std::fmt;

/// The kinds of wrong, by their names in the literature (Adya 1999; Kingsbury and Alvaro 2020),
/// the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Anomaly {
    /// It is no history: two commits of one version, one stamp twice, and the like.
    Malformed,
    /// A transaction did not see what it had written itself ("internal" in Elle).
    OwnWrite,
    /// What was seen is no write of the history, or not of that key, or not in that range.
    Unwritten,
    /// Aborted read: seen what was rolled back.
    G1a,
    /// Intermediate read: seen what its writer itself wrote over.
    G1b,
    /// Dirty write: a cycle of writes that replace one another.
    G0,
    /// Circular information flow: a cycle of writes and of reads of what was written.
    G1c,
    /// A cycle with one anti-dependency (a read of what another replaced): read skew, lost update.
    GSingle,
    /// A cycle with several anti-dependencies, all of objects that were seen: write skew.
    G2Item,
    /// A cycle with several anti-dependencies, of what was not found where another put it, too:
    /// write skew by a predicate.
    G2,
    /// Serializable, but not in an order that respects which ended before which began: stale reads.
    RealTime,
    /// Strictly serializable, but not in the order of versions, which the store promises as well.
    VersionOrder,
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed history",
            Self::OwnWrite => "own write not seen",
            Self::Unwritten => "seen what nobody wrote there",
            Self::G1a => "G1a, aborted read",
            Self::G1b => "G1b, intermediate read",
            Self::G0 => "G0, dirty write",
            Self::G1c => "G1c, circular information flow",
            Self::GSingle => "G-single, a cycle with one anti-dependency",
            Self::G2Item => "G2-item, a cycle with anti-dependencies of objects",
            Self::G2 => "G2, a cycle with anti-dependencies of predicates",
            Self::RealTime => "real-time violation",
            Self::VersionOrder => "not in the order of versions",
        })
    }
}

/// Why a history is not strictly serializable.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Violation {
    /// The worst that was found of its kind.
    pub anomaly: Anomaly,
    /// The transactions that it is a matter of, by their places in the history: of a cycle in its
    /// order.
    pub transactions: Vec<usize>,
    /// The same in words: who they are, and what leads from each to the next.
    pub words: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}", self.anomaly, self.words)
    }
}

impl Error for Violation {}
