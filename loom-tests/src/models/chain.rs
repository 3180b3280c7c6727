//! Chains (S3, X1, E2, T2): reading, cutting, compacting and counting.

use std::collections::BTreeSet;

use super::check::{outcomes, spawn};
use crate::kernel::testing::{Txn, cell, kernel};
use crate::kernel::{Kind, Limits};

const LIMITS: Limits = Limits {
    retention: 0,
    log_commits: 8,
    watch_commits: 0,
};

/// S1 and X1 on a chain: a snapshot begins while what is below the watermark is cut and freed.
#[test]
fn read_during_a_cut() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in 1..=2 {
            let done = Txn::begin(&kernel).commit(&[(cell, Some(value * 10))]);
            assert_eq!(done, Ok(value));
        }
        let reader = spawn(&kernel, move |kernel| {
            let mut txn = Txn::begin_as(kernel, Kind::Reader);
            let found = txn.read(cell);
            (txn.version(), found)
        });
        let done = Txn::begin(&kernel).commit(&[(cell, Some(30))]);
        assert_eq!(done, Ok(3));
        kernel.collect();
        reader.join().expect("no panic")
    });
    let expected = [(2, Some((2, 20))), (3, Some((3, 30)))];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// The same while the cut is freed.
#[test]
fn read_during_a_freeing() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in 1..=2 {
            let done = Txn::begin(&kernel).commit(&[(cell, Some(value * 10))]);
            assert_eq!(done, Ok(value));
        }
        let mut before = Txn::begin_as(&kernel, Kind::Reader);
        let collector = spawn(&kernel, |kernel| {
            for _ in 0..3 {
                kernel.collect();
            }
        });
        let found = before.read(cell);
        drop(before);
        collector.join().expect("no panic");
        found
    });
    assert_eq!(seen, BTreeSet::from([Some((2, 20))]));
}

/// T2: one claims commits for cutting and stops, another trims: what is claimed is still cut.
#[test]
fn trim_during_a_cut() {
    let seen = outcomes(3, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        for value in 1..=4 {
            let done = Txn::begin(&kernel).commit(&[(cell, Some(value * 10))]);
            assert_eq!(done, Ok(value));
        }
        let other = spawn(&kernel, |kernel| {
            kernel.collect();
        });
        kernel.collect();
        other.join().expect("no panic");
        kernel.collect();
        kernel.collect();
        let guard = kernel.domain.pin();
        cell.chain(&guard)
    });
    assert_eq!(seen, BTreeSet::from([vec![4]]));
}
