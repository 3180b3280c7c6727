//! The workloads by letter, with what is asked of us: the "first" column of the targets.

use crate::peers::{BTREE, PAPAYA, SURREALMX};
use crate::rates::{self, Rate};

/// Our figure over a peer's is to be at least this.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The peer.
    pub peer: &'static str,
    /// The least ratio.
    pub ratio: f64,
}

/// A workload that is a rate, measured by one thread and by two.
#[derive(Clone, Copy)]
pub struct Rated {
    /// Its letter.
    pub letter: char,
    /// What it does, and in what its rate is counted.
    pub title: &'static str,
    /// How it runs.
    pub rate: Rate,
    /// What is asked.
    pub target: Target,
}

const fn rated(
    letter: char,
    title: &'static str,
    rate: Rate,
    (peer, ratio): (&'static str, f64),
) -> Rated {
    let target = Target { peer, ratio };
    Rated {
        letter,
        title,
        rate,
        target,
    }
}

/// The rates, a to i.
pub const RATED: &[Rated] = &[
    rated(
        'a',
        "point reads in one open snapshot, reads/s",
        rates::READ_IN_ONE,
        (PAPAYA, 0.7),
    ),
    rated(
        'b',
        "snapshot, one read, end, reads/s",
        rates::READ_EACH,
        (PAPAYA, 0.7),
    ),
    rated(
        'c',
        "full scan in key order, items/s",
        rates::SCAN_ALL,
        (BTREE, 0.5),
    ),
    rated(
        'd',
        "scans of 100 consecutive, scans/s",
        rates::SCAN_SHORT,
        (BTREE, 1.0),
    ),
    rated(
        'e',
        "read-modify-write of 1, transactions/s",
        rates::UPDATE,
        (SURREALMX, 4.0),
    ),
    rated(
        'f',
        "10 of them in one, transactions/s",
        rates::UPDATE_TEN,
        (SURREALMX, 4.0),
    ),
    rated(
        'g',
        "200 of them in one, transactions/s",
        rates::UPDATE_BATCH,
        (SURREALMX, 2.0),
    ),
    rated(
        'h',
        "as e on 10 hot keys, transactions/s",
        rates::UPDATE_HOT,
        (SURREALMX, 10.0),
    ),
    rated(
        'i',
        "95% reads, 5% updates, zipf 0.99, operations/s",
        rates::MIXED,
        (SURREALMX, 5.0),
    ),
];
