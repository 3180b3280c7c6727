//! Sweeps of the residual list (X1, X2) against cuts and the ends of snapshots.

use std::collections::BTreeSet;

use super::chain::{LIMITS, collect, collect_beside, left_of, write_numbers};
use super::check::{outcomes, spawn};
use crate::kernel::reading::SharedHold;
use crate::kernel::testing::{Txn, cell, kernel};
use crate::kernel::{Kind, Limits};

/// K3, X1: a record that a snapshot kept from being cut is cut by one of two sweepers
/// when the snapshot has ended, and its claim is given back.
#[test]
fn residual_list_once() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let old = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=4);
        // Behind by more than the horizon should be: put away.
        collect(&kernel, 2);
        assert!(cell.is_residual(), "nothing was put away");
        let sweeper = collect_beside(&kernel, 1);
        drop(old);
        kernel.collect();
        sweeper.join().expect("no panic");
        kernel.collect();
        left_of(&kernel, cell)
    });
    assert_eq!(seen, BTreeSet::from([(vec![4], false, 0)]));
}

/// K3, X1: the residual list while the snapshot that fills it ends and the record is put back.
#[test]
fn a_snapshot_ends_during_a_sweep() {
    let seen = outcomes(1, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let old = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=4);
        let collector = collect_beside(&kernel, 1);
        drop(old);
        kernel.collect();
        collector.join().expect("no panic");
        collect(&kernel, 3);
        left_of(&kernel, cell)
    });
    assert_eq!(seen, BTreeSet::from([(vec![4], false, 0)]));
}

/// K5, [residual]: a commit is put off, since its record is on the list, while a sweep takes the
/// record off it: the sweep sees that the commit is claimed, and puts the record back; or the
/// record is not put off.
#[test]
fn put_off_during_a_sweep() {
    let limits = Limits {
        log_commits: 0,
        ..LIMITS
    };
    let seen = outcomes(2, move || {
        let kernel = kernel(limits);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let first = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=2);
        kernel.collect();
        assert!(cell.is_residual(), "nothing was put away");
        drop(first);
        let second = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 3..=3);
        let cutter = collect_beside(&kernel, 1);
        kernel.sweep();
        cutter.join().expect("no panic");
        drop(second);
        collect(&kernel, 3);
        left_of(&kernel, cell)
    });
    assert_eq!(seen, BTreeSet::from([(vec![3], false, 0)]));
}

/// V4, [head]: a commit is installed while a sweep is at its record: the sweep sees the new version
/// with its number, and leaves what a snapshot needs below it.
#[test]
fn install_during_a_sweep() {
    let seen = outcomes(2, || {
        let limits = Limits {
            log_commits: 0,
            ..LIMITS
        };
        let kernel = kernel(limits);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=1);
        let first = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 2..=2);
        kernel.collect();
        assert!(cell.is_residual(), "nothing was put away");
        let mut second = Txn::begin_as(&kernel, Kind::Reader);
        drop(first);
        let sweeper = spawn(&kernel, |kernel| kernel.sweep());
        write_numbers(&kernel, cell, 3..=3);
        sweeper.join().expect("no panic");
        let guard = kernel.domain.pin();
        (second.read(cell), cell.chain(&guard))
    });
    assert_eq!(seen, BTreeSet::from([(Some((2, 20)), vec![3, 2])]));
}

/// V3, X1: an object that came and went above the horizon is cut below its tombstone while a sweep
/// may be at its record: after the next commit the record goes, too.
#[test]
fn a_tombstone_cut_during_a_sweep() {
    let seen = outcomes(2, || {
        let limits = Limits {
            log_commits: 0,
            ..LIMITS
        };
        let kernel = kernel(limits);
        let (cell, other) = (cell(&kernel, 1), cell(&kernel, 2));
        let held = SharedHold::begin(&kernel, Kind::Reader);
        write_numbers(&kernel, cell, 1..=1);
        // Pinned, so that the record can be asked whether it is dead.
        let pinned = kernel.domain.pin();
        assert_eq!(Txn::begin(&kernel).commit(&[(cell, None)]), Ok(2));
        let cutter = collect_beside(&kernel, 1);
        drop(held);
        kernel.collect();
        cutter.join().expect("no panic");
        write_numbers(&kernel, other, 3..=3);
        collect(&kernel, 3);
        let dead = !cell.header().claim();
        (dead, cell.chain(&pinned))
    });
    assert_eq!(seen, BTreeSet::from([(true, vec![2])]));
}
