//! How many read-modify-writes, fences and stores each operation does, on the real code, through
//! its one door to atomics. Only in a build with `--cfg skep_counted`; `ci/counts.sh` runs it.
#![cfg(skep_counted)]

use std::ops::RangeInclusive;

use skep::counted::Kind;
use skep_counts::model::MESH;
use skep_counts::operations::{
    Counted, Watching, commit_beside, commits_and_beside_a_snapshot, reads, watches, writes,
};
use skep_counts::replay::{Replayed, replay};
use skep_counts::tally::Tally;
use skep_counts::trace::{LOADS, trace};

/// An operation: its read-modify-writes, full fences and stores, the same each time.
type Exact = (&'static str, [u64; 3]);

/// What reads do. Their stores are to the thread's own line: see `reads_write_no_shared_line`.
const READS: [Exact; 7] = [
    ("get, in a view", [0, 0, 0]),
    ("find 10 by an index, in a view", [0, 0, 0]),
    ("scan of 100, in a view", [0, 0, 0]),
    ("get, in a snapshot", [0, 1, 2]),
    ("read() and its end", [0, 1, 4]),
    ("snapshot() and its end", [0, 1, 3]),
    ("begin() and roll back", [0, 1, 3]),
];

/// An operation: its read-modify-writes and full fences on average, and both at their fewest.
type Mean = (&'static str, [RangeInclusive<f64>; 2], [u64; 2]);

/// One in so many may be more or less at the fewest: of batches there are few, and which slab a
/// block is of depends on what other tests of the process have. Less than that many is exact.
const FEWEST_SLACK: u64 = 32;

/// What commits do, with their share of collection.
const WRITES: [Mean; 5] = [
    ("commit of 1 update", [7.0..=7.8, 3.1..=3.4], [4, 3]),
    ("commit of 10 updates", [49.0..=55.0, 12.1..=12.5], [22, 12]),
    ("commit of 1 create", [12.0..=13.3, 7.1..=7.5], [11, 7]),
    ("commit of 1 delete", [15.8..=17.5, 5.1..=5.7], [3, 3]),
    (
        "batch of 200 updates",
        [1_100.0..=1_230.0, 230.0..=240.0],
        [453, 232],
    ),
];

/// What receiving does.
const WATCHES: [Mean; 2] = [
    (
        "recv of 1 event, from the log",
        [3.0..=3.0, 1.0..=1.0],
        [3, 1],
    ),
    (
        "recv of 1 event, from a mailbox",
        [2.0..=2.1, 3.0..=3.0],
        [2, 3],
    ),
];

fn of<'c>(counted: &'c [Counted], name: &str) -> &'c Tally {
    let found = counted.iter().find(|(own, _)| *own == name);
    &found.expect("an operation of this name").1
}

/// What was found in place of what the table says.
fn assert_means(counted: &[Counted], expected: &[Mean]) {
    assert_eq!(counted.len(), expected.len());
    for (name, means, fewest) in expected {
        let tally = of(counted, name);
        for (at, kind) in [Kind::Modify, Kind::Fence].into_iter().enumerate() {
            let (mean, least) = (tally.mean(kind), tally.range(kind).0);
            let places = tally.places(kind);
            assert!(
                means[at].contains(&mean),
                "{name}: {mean} {kind:?}: {places:?}"
            );
            let slack = fewest[at] / FEWEST_SLACK;
            assert!(
                least.abs_diff(fewest[at]) <= slack,
                "{name}: {least} {kind:?} at the fewest, not {}",
                fewest[at]
            );
        }
    }
}

/// Where many links were counted once, and were passed by since, nobody counts again.
#[test]
fn a_snapshot_held_for_long_makes_no_commit_look_at_chains() {
    let [without, beside] = commits_and_beside_a_snapshot().map(|tally| tally.mean(Kind::Fence));
    assert!(beside < without + 0.3, "{without} without, {beside} beside");
}

#[test]
fn reads_are_counted_exactly() {
    let counted = reads();
    assert_eq!(counted.len(), READS.len());
    for (name, expected) in READS {
        let tally = of(&counted, name);
        for (kind, expected) in [Kind::Modify, Kind::Fence, Kind::Store]
            .into_iter()
            .zip(expected)
        {
            let places = tally.places(kind);
            assert_eq!(
                tally.range(kind),
                (expected, expected),
                "{name}: {kind:?}: {places:?}"
            );
        }
    }
}

#[test]
fn commits_are_counted_with_their_share_of_collection() {
    assert_means(&writes(), &WRITES);
}

#[test]
fn receipts_are_counted() {
    assert_means(&watches(), &WATCHES);
}

/// How far a mean may be from what is written of it, in hundredths of it.
const WRITTEN_SLACK: f64 = 3.0;

/// What docs/numbers.md has of an operation: means, of each kind.
fn written_of(document: &str, name: &str) -> Vec<f64> {
    let row = document
        .lines()
        .find_map(|line| line.strip_prefix(&format!("| {name} | ")));
    let cells = row.expect("a row of this name").split(" | ");
    let means = cells.map(|cell| cell.split([' ', '|']).next().unwrap_or_default());
    means
        .map(|mean| mean.parse().expect("a mean is a number"))
        .collect()
}

#[test]
fn the_document_says_what_is_counted() {
    let document = include_str!("../../../docs/numbers.md");
    for (name, tally) in reads().into_iter().chain(writes()).chain(watches()) {
        let written = written_of(document, name);
        let kinds = [Kind::Modify, Kind::Fence, Kind::Store, Kind::Load];
        assert_eq!(written.len(), kinds.len(), "{name}");
        for (kind, written) in kinds.into_iter().zip(written) {
            let mean = tally.mean(kind);
            assert!(
                (mean - written).abs() <= written * WRITTEN_SLACK / 100.0,
                "{name}: {mean} {kind:?}, and not {written}"
            );
        }
    }
}

/// What a commit does more, on average, with some watchers than with others.
fn more(watching: Watching, few: u64, many: u64) -> [f64; 2] {
    let [few, many] = [few, many].map(|watchers| commit_beside(watchers, watching, 2_000));
    [Kind::Modify, Kind::Fence].map(|kind| many.mean(kind) - few.mean(kind))
}

#[test]
fn idle_watchers_cost_a_commit_nothing_however_many_they_are() {
    for watching in [Watching::Everything, Watching::OtherTasks] {
        let [modifies, fences] = more(watching, 1, 1_000);
        assert!(
            modifies < 0.05 && fences < 0.05,
            "{watching:?}: {modifies}, {fences}"
        );
    }
}

/// That anybody reads the log costs no fence: a change that it has fetched is freed with the
/// commit. That anybody has a mailbox costs the look-up of who asks.
#[test]
fn the_first_watcher_costs_a_commit_little() {
    let [modifies, fences] = more(Watching::Everything, 0, 1);
    assert!(modifies < 2.1 && fences < 0.05, "{modifies}, {fences}");
    let [modifies, fences] = more(Watching::OtherTasks, 0, 1);
    assert!(modifies < 1.1 && fences < 2.1, "{modifies}, {fences}");
}

fn on_eight_cores(name: &str) -> Replayed {
    let load = LOADS.into_iter().find(|load| load.name == name);
    replay(&trace(load.expect("a load of this name"), 8), MESH)
}

/// Beside readers alone no line moves to be written: what a read writes is its thread's own.
#[test]
fn reads_write_no_shared_line() {
    for name in [
        "view, get, end",
        "get in a snapshot",
        "view, scan of 100, end",
    ] {
        let replayed = on_eight_cores(name);
        assert_eq!(
            replayed.moved().written,
            0.0,
            "{name}: {:?}",
            replayed.places
        );
        // Each line comes to a core once: of what all read, and the rest is small.
        assert!(replayed.moved().read < 0.5, "{name}: {:?}", replayed.places);
    }
}

/// What all committers write: the watermark, and a line of the log's slots.
#[test]
fn commits_write_two_lines_that_all_write() {
    let replayed = on_eight_cores("commit of 1, all open at once");
    let written = |file: &str| {
        let own = replayed
            .places
            .iter()
            .filter(|(place, _)| place.file.ends_with(file));
        own.map(|(_, moved)| moved.written).sum::<f64>()
    };
    let (clock, log) = (written("kernel/clock.rs"), written("kernel/log.rs"));
    assert!((0.5..=1.0).contains(&clock), "the watermark: {clock}");
    // Once more where another reads the slot before its signature is noted.
    assert!((0.5..=1.3).contains(&log), "slots: {log}");
    // The rest is of records and versions that another thread collects.
    let all = replayed.moved().written;
    assert!(all < 9.0, "{all}: {:?}", replayed.places);
}
