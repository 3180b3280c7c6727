//! The workloads that are rates, by letter, with what is asked of us at first and finally.

use crate::asked::Ask;
use crate::asked::Ask::{Attempts, Rate as AtLeast, Scaling, Times, TimesByTwo};
use crate::peers::{
    BTREE, DASHMAP, KINDS, Kind, MVCC_CORE, MVCC_CORE_SNAPSHOT, PAPAYA, ROW_KINDS, SURREALMX,
};
use crate::rates::{self, Rate};

/// What the stores of a workload hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Tasks of about 400 bytes, as many as the command line says.
    Tasks,
    /// mvcc-core's own bench: 10,000 rows of 16 bytes under integers.
    Rows,
}

/// Rows of the small shape.
const ROWS: u32 = 10_000;

impl Shape {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tasks, Self::Rows];

    /// The stores that hold it.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Tasks => KINDS,
            Self::Rows => ROW_KINDS,
        }
    }

    /// How many there are, where `tasks` were asked for.
    pub fn records(self, tasks: u32) -> u32 {
        match self {
            Self::Tasks => tasks,
            Self::Rows => ROWS,
        }
    }
}

/// A workload that is a rate, measured by one thread, by two and by more.
#[derive(Clone, Copy)]
pub struct Rated {
    /// Its letter.
    pub letter: char,
    /// What it does, and in what its rate is counted.
    pub title: &'static str,
    /// On what.
    pub shape: Shape,
    /// How it runs.
    pub rate: Rate,
    /// What is asked at first.
    pub first: &'static [Ask],
    /// What is asked finally.
    pub finally: &'static [Ask],
}

type Asks = &'static [Ask];

const fn tasks(
    letter: char,
    title: &'static str,
    rate: Rate,
    (first, finally): (Asks, Asks),
) -> Rated {
    Rated {
        letter,
        title,
        shape: Shape::Tasks,
        rate,
        first,
        finally,
    }
}

const fn rows(letter: char, title: &'static str, rate: Rate, finally: Asks) -> Rated {
    Rated {
        letter,
        title,
        shape: Shape::Rows,
        rate,
        first: &[],
        finally,
    }
}

/// Begin and end of a snapshot within 15 ns.
const BEGINS_A_SECOND: f64 = 1e9 / 15.0;
/// 100 aborted in a row, and the one that is not.
const ATTEMPTS_MAX: u32 = 101;

/// The rates: a to i and s on tasks, o to r on rows. On tasks, mvcc-core is
/// to be beaten by what surrealmx is.
pub const RATED: &[Rated] = &[
    tasks(
        'a',
        "point reads in one open snapshot, reads/s",
        rates::READ_IN_ONE,
        (
            &[Times(PAPAYA, 0.7)],
            &[
                Times(PAPAYA, 1.0),
                Times(SURREALMX, 6.0),
                Times(MVCC_CORE, 6.0),
            ],
        ),
    ),
    tasks(
        'b',
        "snapshot, one read, end, reads/s",
        rates::READ_EACH,
        (
            &[Times(PAPAYA, 0.7)],
            &[
                Times(PAPAYA, 1.0),
                Times(SURREALMX, 8.0),
                Times(MVCC_CORE, 8.0),
            ],
        ),
    ),
    tasks(
        'c',
        "full scan in key order, items/s",
        rates::SCAN_ALL,
        (
            &[Times(BTREE, 0.5)],
            &[
                Times(BTREE, 1.0),
                Times(SURREALMX, 12.0),
                Times(MVCC_CORE, 12.0),
            ],
        ),
    ),
    tasks(
        'd',
        "scans of 100 consecutive, scans/s",
        rates::SCAN_SHORT,
        (&[Times(BTREE, 1.0)], &[Times(BTREE, 2.0)]),
    ),
    tasks(
        'e',
        "read-modify-write of 1, transactions/s",
        rates::UPDATE,
        (
            &[Times(SURREALMX, 4.0)],
            &[
                Times(SURREALMX, 6.0),
                TimesByTwo(SURREALMX, 20.0),
                Times(MVCC_CORE, 6.0),
                TimesByTwo(MVCC_CORE, 20.0),
                TimesByTwo(BTREE, 3.0),
                Scaling(1.7),
            ],
        ),
    ),
    tasks(
        'f',
        "10 of them in one, transactions/s",
        rates::UPDATE_TEN,
        (
            &[Times(SURREALMX, 4.0)],
            &[Times(SURREALMX, 6.0), Times(MVCC_CORE, 6.0)],
        ),
    ),
    tasks(
        'g',
        "200 of them in one, transactions/s",
        rates::UPDATE_BATCH,
        (
            &[Times(SURREALMX, 2.0)],
            &[
                Times(SURREALMX, 4.0),
                Times(MVCC_CORE, 4.0),
                Times(BTREE, 2.0),
            ],
        ),
    ),
    tasks(
        'h',
        "as e on 10 hot keys, transactions/s",
        rates::UPDATE_HOT,
        (
            &[Times(SURREALMX, 10.0)],
            &[
                Times(SURREALMX, 30.0),
                Times(MVCC_CORE, 30.0),
                Scaling(0.7),
                Attempts(ATTEMPTS_MAX),
            ],
        ),
    ),
    tasks(
        'i',
        "95% reads, 5% updates, zipf 0.99, operations/s",
        rates::MIXED,
        (
            &[Times(SURREALMX, 5.0)],
            &[
                Times(SURREALMX, 8.0),
                Times(MVCC_CORE, 8.0),
                Times(DASHMAP, 0.6),
            ],
        ),
    ),
    tasks(
        's',
        "snapshot and its end, nothing read, snapshots/s",
        rates::BEGIN_EACH,
        (&[], &[AtLeast(BEGINS_A_SECOND), Scaling(1.7)]),
    ),
    rows(
        'o',
        "rows: point reads, 100 a snapshot, reads/s",
        rates::ROWS_READ,
        &[Times(MVCC_CORE, 1.0)],
    ),
    rows(
        'p',
        "rows: the same on 4 hot rows, reads/s",
        rates::ROWS_READ_HOT,
        &[Times(MVCC_CORE, 1.0)],
    ),
    rows(
        'q',
        "rows: snapshot, one read, end, reads/s",
        rates::READ_EACH,
        &[Times(MVCC_CORE, 2.0), Scaling(1.7)],
    ),
    rows(
        'r',
        "rows: read-modify-write of 1, transactions/s",
        rates::UPDATE,
        &[Times(MVCC_CORE, 3.0), Times(MVCC_CORE_SNAPSHOT, 1.0)],
    ),
];
