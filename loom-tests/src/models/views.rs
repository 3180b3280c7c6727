//! Views (H1): what a pin keeps is not cut from under who reads behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::chain::{LIMITS, collect, write_numbers};
use super::check::{outcomes, spawn};
use crate::kernel::history::HistoryLimits;
use crate::kernel::reading::PinnedHold;
use crate::kernel::testing::{Txn, Value, cell, kernel, show};
use crate::kernel::{Kernel, Limits};
use crate::sync::{AtomicU64, Ordering};

/// Versions that are only numbers, each newest until the next one: of 1 and 2 those are gone whose
/// bits are set.
struct World {
    kernel: Arc<Kernel>,
    gone: AtomicU64,
    /// What readers leave for who cuts after them.
    read: Value,
}

impl World {
    fn new() -> Arc<Self> {
        let limits = Limits {
            retention: 0,
            log_commits: 8,
            watch_commits: 8,
            history: HistoryLimits::NONE,
        };
        let kernel = Kernel::new(limits, Vec::new());
        show(&kernel.horizon, 1);
        Arc::new(Self {
            kernel,
            gone: AtomicU64::new(0),
            read: Value::new(1),
        })
    }

    /// What a view shows, which must not be cut before it ends.
    fn check(&self, view: &PinnedHold<'_>) -> u64 {
        let version = view.reading().version();
        // Relaxed: a cut that is not seen has not happened to us.
        let gone = self.gone.load(Ordering::Relaxed);
        assert_eq!(gone & 1 << version, 0, "cut from under a view");
        version
    }

    /// Reads at the watermark, and leaves a mark.
    fn view(&self) -> u64 {
        let view = PinnedHold::begin(&self.kernel);
        let version = self.check(&view);
        self.read.mark(2);
        version
    }

    /// Scans and cuts; the horizon, and whether a reader was seen to have been.
    fn cut(&self) -> (u64, bool) {
        let active = self.kernel.scan();
        let unneeded = [1, 2].into_iter().filter(|&it| !active.needs(it, it + 1));
        let gone = unneeded.map(|version| 1 << version).sum();
        // Relaxed: the reader's pin is what protects what is needed.
        self.gone.store(gone, Ordering::Relaxed);
        (active.horizon, self.read.get() == 2)
    }
}

/// H1: a view begins while the watermark moves and a collector scans.
#[test]
fn a_view_begins_during_a_scan() {
    let seen = outcomes(4, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.view());
        show(&world.kernel.horizon, 2);
        let (horizon, after) = world.cut();
        let version = reader.join().expect("no panic");
        // [end]: it was cut above the reader, so the reader was through.
        assert!(horizon <= version || after, "cut before the view ended");
        (version, horizon)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// H1: the same with the watermark moved by another than who scans.
#[test]
fn a_view_begins_during_a_scan_by_another() {
    let seen = outcomes(2, || {
        let world = World::new();
        let reader = spawn(&world, |world| world.view());
        let other = spawn(&world, |world| show(&world.kernel.horizon, 2));
        let (horizon, after) = world.cut();
        let version = reader.join().expect("no panic");
        other.join().expect("no panic");
        assert!(horizon <= version || after, "cut before the view ended");
        (version, horizon)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// [end], [kept]: who scans one view and sees only the next one, or the bound of the next one, has
/// seen what was read in the one before.
#[test]
fn a_view_after_a_view() {
    let seen = outcomes(3, || {
        let world = World::new();
        let scanner = spawn(&world, |world| world.cut());
        let first = world.view();
        show(&world.kernel.horizon, 2);
        let again = PinnedHold::begin(&world.kernel);
        let second = world.check(&again);
        let (horizon, after) = scanner.join().expect("no panic");
        assert!(horizon <= first || after, "cut before the first view ended");
        assert_eq!((first, second), (1, 2));
        horizon
    });
    assert_eq!(seen, BTreeSet::from([1, 2]));
}

/// [end]: the same with the watermark moved by another, from whom who scans has it, and nothing of
/// what was read.
#[test]
fn a_view_after_a_view_beside_another() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| {
            let first = world.view();
            let again = PinnedHold::begin(&world.kernel);
            (first, world.check(&again))
        });
        let other = spawn(&world, |world| show(&world.kernel.horizon, 2));
        let (horizon, after) = world.cut();
        let (first, second) = reader.join().expect("no panic");
        other.join().expect("no panic");
        assert!(horizon <= first || after, "cut before the first view ended");
        (first, second, horizon)
    });
    assert_eq!(seen, each_beside([(1, 1), (1, 2), (2, 2)]));
}

/// What two views of a thread show, beside either outcome of a scan.
fn each_beside<const COUNT: usize>(versions: [(u64, u64); COUNT]) -> BTreeSet<(u64, u64, u64)> {
    let both = |(first, second)| [1, 2].map(|horizon| (first, second, horizon));
    versions.into_iter().flat_map(both).collect()
}

/// H1: a view within a pin that keeps nothing has it keep something.
#[test]
fn a_view_within_a_pin() {
    let seen = outcomes(3, || {
        let world = World::new();
        let reader = spawn(&world, |world| {
            let _outer = world.kernel.domain.pin();
            world.view()
        });
        show(&world.kernel.horizon, 2);
        let (horizon, after) = world.cut();
        let version = reader.join().expect("no panic");
        assert!(horizon <= version || after, "cut before the view ended");
        (version, horizon)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// H1: of two views of a thread each keeps what it shows, whichever ends first.
#[test]
fn two_views_of_a_thread() {
    let seen = outcomes(2, || {
        let world = World::new();
        let reader = spawn(&world, |world| {
            let first = PinnedHold::begin(&world.kernel);
            let second = PinnedHold::begin(&world.kernel);
            let versions = (world.check(&first), world.check(&second));
            world.read.mark(2);
            drop(first);
            world.check(&second);
            versions
        });
        show(&world.kernel.horizon, 2);
        let (horizon, after) = world.cut();
        let (first, second) = reader.join().expect("no panic");
        assert!(horizon <= first || after, "cut before the first view ended");
        (first, second, horizon)
    });
    assert_eq!(seen, each_beside([(1, 1), (1, 2), (2, 2)]));
}

/// H1, V4: a view begins while what is below the watermark is cut and freed.
#[test]
fn a_view_reads_during_a_cut() {
    let seen = outcomes(2, || {
        let kernel = kernel(LIMITS);
        let cell = cell(&kernel, 1);
        write_numbers(&kernel, cell, 1..=2);
        let reader = spawn(&kernel, move |kernel| {
            let view = PinnedHold::begin(kernel);
            (view.reading().version(), cell.read(view.reading()))
        });
        let done = Txn::begin(&kernel).commit(&[(cell, Some(30))]);
        assert_eq!(done, Ok(3));
        collect(&kernel, 1);
        reader.join().expect("no panic")
    });
    let expected = [(2, Some((2, 20))), (3, Some((3, 30)))];
    assert_eq!(seen, BTreeSet::from(expected));
}
