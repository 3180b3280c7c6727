//! Snapshot words (H1 to H3): who has announced itself is not cut from under.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::Kind;
use crate::kernel::horizon::Horizon;
use crate::kernel::session::Registry;
use crate::kernel::testing::{Value, show};
use crate::sync::{AtomicU64, Ordering};

/// Versions that are only numbers: those below `cut` are gone.
struct World {
    horizon: Horizon,
    registry: Registry,
    cut: AtomicU64,
    /// What readers leave for who cuts after them.
    read: Value,
}

impl World {
    fn new(retention: u64) -> Arc<Self> {
        let horizon = Horizon::new(retention);
        show(&horizon, 1);
        Arc::new(Self {
            horizon,
            registry: Registry::new(),
            cut: AtomicU64::new(0),
            read: Value::new(1),
        })
    }

    /// Reads at the watermark: the version, which must not be cut before it ends.
    fn read(&self) -> u64 {
        let line = self.registry.line();
        let hold = self.horizon.begin(line, Kind::Reader).expect("a free word");
        // Relaxed: a cut that is not seen has not happened to us.
        let cut = self.cut.load(Ordering::Relaxed);
        assert!(cut <= hold.version, "cut from under a reader");
        self.read.mark(2);
        let version = hold.version;
        Horizon::end(hold);
        version
    }

    /// Scans and cuts; the horizon, and whether a reader was seen to have been.
    fn cut(&self) -> (u64, bool) {
        let active = self.horizon.scan(&self.registry);
        // Relaxed: the reader's word is what protects it.
        self.cut.store(active.horizon, Ordering::Relaxed);
        (active.horizon, self.read.get() == 2)
    }
}

/// H1: a snapshot begins while the watermark moves and a collector scans.
#[test]
fn announce_during_a_scan() {
    let seen = outcomes(4, || {
        let world = World::new(0);
        let reader = spawn(&world, |world| world.read());
        show(&world.horizon, 2);
        let (horizon, after) = world.cut();
        let version = reader.join().expect("no panic");
        // [end]: it was cut above the reader, so the reader was through.
        assert!(horizon <= version || after, "cut before the reader ended");
        (version, horizon)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// H1: the same with the watermark moved by another than who scans.
#[test]
fn announce_during_a_scan_by_another() {
    let seen = outcomes(2, || {
        let world = World::new(0);
        let reader = spawn(&world, |world| world.read());
        let other = spawn(&world, |world| show(&world.horizon, 2));
        let (horizon, after) = world.cut();
        let version = reader.join().expect("no panic");
        other.join().expect("no panic");
        assert!(horizon <= version || after, "cut before the reader ended");
        (version, horizon)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (1, 2), (2, 1), (2, 2)]));
}

/// H3, [end] handed on: who takes the horizon from another's scan cuts after the readers, too.
#[test]
fn a_horizon_taken_from_another() {
    let seen = outcomes(2, || {
        let world = World::new(0);
        let reader = spawn(&world, |world| world.read());
        let other = spawn(&world, |world| {
            show(&world.horizon, 2);
            world.horizon.scan(&world.registry);
        });
        let horizon = world.horizon.horizon();
        let after = world.read.get() == 2;
        let version = reader.join().expect("no panic");
        other.join().expect("no panic");
        assert!(horizon <= version || after, "cut before the reader ended");
        (version, horizon)
    });
    let expected = [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// H3: two scan: the second's raise of the horizon hands on the first's.
#[test]
fn two_scans() {
    let seen = outcomes(2, || {
        let world = World::new(0);
        let reader = spawn(&world, |world| world.read());
        let other = spawn(&world, |world| {
            show(&world.horizon, 2);
            world.horizon.scan(&world.registry).horizon
        });
        let mine = world.horizon.scan(&world.registry).horizon;
        let version = reader.join().expect("no panic");
        (version, mine, other.join().expect("no panic"))
    });
    let both = |version| [(1, 1), (1, 2), (2, 1), (2, 2)].map(|(a, b)| (version, a, b));
    let all = BTreeSet::from_iter([1, 2].into_iter().flat_map(both));
    assert!(seen.is_subset(&all), "{seen:?}");
    assert!(seen.contains(&(1, 1, 1)) && seen.contains(&(2, 2, 2)));
}

/// H2: a snapshot of an older version: given while nothing of it is cut, else refused.
#[test]
fn snapshot_at_against_the_floor() {
    let seen = outcomes(4, || {
        let world = World::new(0);
        let reader = spawn(&world, |world| {
            let line = world.registry.line();
            let begun = world.horizon.begin_at(line, 1).expect("a free word");
            begun.map(|hold| {
                // Relaxed: as in `read`.
                let cut = world.cut.load(Ordering::Relaxed);
                assert!(cut <= hold.version, "cut from under a reader");
                // It stays for the collector to see.
                hold.version
            })
        });
        show(&world.horizon, 2);
        let active = world.horizon.scan(&world.registry);
        let needed = active.needs(1, 2);
        if !needed {
            // Relaxed: as in `cut`.
            world.cut.store(2, Ordering::Relaxed);
        }
        let given = reader.join().expect("no panic");
        (given, needed)
    });
    let expected = [(Ok(1), true), (Err(2), true), (Err(2), false)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// H1: the writers' bound: what a transaction has not validated against is not given up for
/// trimming.
#[test]
fn a_writer_announced_during_a_scan() {
    let seen = outcomes(4, || {
        let world = World::new(0);
        let writer = spawn(&world, |world| {
            let line = world.registry.line();
            let hold = world.horizon.begin(line, Kind::Writer);
            hold.expect("a free word").version
        });
        show(&world.horizon, 2);
        let active = world.horizon.scan(&world.registry);
        let version = writer.join().expect("no panic");
        assert!(active.writers <= version, "trimmed from under a writer");
        (version, active.writers)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1), (2, 1), (2, 2)]));
}

/// Slot reuse: a word that another thread ended is taken again; who scans the later use has also
/// seen what was read under the earlier.
fn word_taken_again(again: fn(&World) -> Option<u64>) -> BTreeSet<(Option<u64>, u64)> {
    outcomes(2, move || {
        let world = World::new(0);
        let line = world.registry.line();
        let first = world.horizon.begin(line, Kind::Reader).expect("free");
        let ender = spawn(&world, move |world| {
            world.read.mark(2);
            Horizon::end(first);
        });
        let scanner = spawn(&world, |world| world.cut());
        show(&world.horizon, 2);
        let again = again(&world);
        let (horizon, after) = scanner.join().expect("no panic");
        ender.join().expect("no panic");
        assert!(horizon <= 1 || after, "cut before the reader ended");
        if again.is_some() {
            // Relaxed: as in `read`.
            assert!(world.cut.load(Ordering::Relaxed) <= 2);
        }
        (again, horizon)
    })
}

#[test]
fn a_word_taken_again() {
    let seen = word_taken_again(|world| {
        let again = world.horizon.begin(world.registry.line(), Kind::Reader);
        again.map(|hold| hold.version)
    });
    let expected = [(None, 1), (None, 2), (Some(2), 1), (Some(2), 2)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// The same for a version that was asked for.
#[test]
fn a_word_taken_again_at_a_version() {
    let seen = word_taken_again(|world| {
        let again = world.horizon.begin_at(world.registry.line(), 2)?;
        Some(again.expect("above the floor").version)
    });
    let expected = [(None, 1), (None, 2), (Some(2), 1), (Some(2), 2)];
    assert_eq!(seen, BTreeSet::from(expected));
}

/// [visible] handed on (H3): who scans below a floor that another raised has the watermark that the
/// other raised it by.
#[test]
fn a_floor_taken_from_another() {
    let seen = outcomes(3, || {
        let world = World::new(0);
        let other = spawn(&world, |world| {
            show(&world.horizon, 2);
            world.horizon.scan(&world.registry).boundary
        });
        let boundary = world.horizon.scan(&world.registry).boundary;
        let visible = world.horizon.visible();
        let theirs = other.join().expect("no panic");
        assert!(boundary <= visible, "a floor above the watermark");
        (boundary, visible, theirs)
    });
    assert_eq!(seen, BTreeSet::from([(1, 1, 2), (1, 2, 2), (2, 2, 2)]));
}
