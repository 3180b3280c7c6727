//! Transactions at once: sums that stay, and rules that span several objects.

use shuttle::thread;
use skep::{Store, UpdateError, Version};

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, shown, sum, transfer};

const START: i64 = 10;

fn bank(living: &Living, accounts: u64) -> Store {
    let store = builder().build();
    put(&store, (0..accounts).map(|key| living.item(key, START)));
    store
}

/// Three move money around, two look at all of it, by keys and by both indexes.
#[test]
fn sums_stay_while_money_moves() {
    explore("sums_stay_while_money_moves", || {
        let living = Living::default();
        let store = bank(&living, 3);
        thread::scope(|scope| {
            for writer in 0..3 {
                let store = &store;
                scope.spawn(move || {
                    transfer(store, writer, (writer + 1) % 3, 1, writer);
                    transfer(store, (writer + 2) % 3, writer, 2, writer);
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let first = store.snapshot();
                    let before = shown(&first);
                    assert_eq!(sum(&store.snapshot()), 3 * START);
                    assert_eq!(shown(&first), before, "a snapshot changed");
                    assert_eq!(sum(&first), 3 * START);
                });
            }
        });
        assert_eq!(sum(&store.snapshot()), 3 * START);
        drop(store);
        living.assert_none();
    });
}

/// Each wants to leave, if another one stays: a phantom's write skew, if two leave.
#[test]
fn one_stays_on_call() {
    explore("one_stays_on_call", || {
        const ON_CALL: u64 = 1;
        let living = Living::default();
        let store = builder().build();
        put(
            &store,
            (0..4).map(|key| living.item(key, 0).of_group(ON_CALL)),
        );
        thread::scope(|scope| {
            for key in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let left: Result<(), UpdateError<skep::Error>> = store.update(|tx| {
                        if tx.count(Item::BY_GROUP.eq(ON_CALL)) > 1 {
                            tx.modify::<Item>(&key, |item| item.group = 0)?;
                        }
                        Ok(())
                    });
                    left.expect("it is there");
                    let snapshot = store.snapshot();
                    assert!(
                        snapshot.count(Item::BY_GROUP.eq(ON_CALL)) >= 1,
                        "all have left"
                    );
                });
            }
        });
        assert_eq!(store.snapshot().count(Item::BY_GROUP.eq(ON_CALL)), 1);
        drop(store);
        living.assert_none();
    });
}

/// Blind additions of new objects and of one: each is there in the end, and once.
#[test]
fn no_update_is_lost() {
    explore("no_update_is_lost", || {
        let living = Living::default();
        let store = bank(&living, 1);
        thread::scope(|scope| {
            for writer in 1..=4 {
                let (store, living) = (&store, &living);
                scope.spawn(move || {
                    for turn in 0..2 {
                        let own = living.item(writer * 10 + turn, 0);
                        let added: Result<(), UpdateError<skep::Error>> = store.update(|tx| {
                            tx.create(own.clone())?;
                            tx.modify::<Item>(&0, |item| item.amount += 1)?;
                            Ok(())
                        });
                        added.expect("a new key");
                    }
                });
            }
        });
        let snapshot = store.snapshot();
        assert_eq!(shown(&snapshot).len(), 9);
        assert_eq!(sum(&snapshot), START + 8);
        drop((store, snapshot));
        living.assert_none();
    });
}

/// Three write accounts of their own, a stamp higher with each commit; two look. What a snapshot
/// shows is exactly the commits up to its version: it has as many stamps as there were commits.
#[test]
fn a_snapshot_is_a_prefix_of_the_log() {
    explore("a_snapshot_is_a_prefix_of_the_log", || {
        let living = Living::default();
        let store = bank(&living, 6);
        let first = store.version();
        thread::scope(|scope| {
            for writer in 0..3 {
                let store = &store;
                scope.spawn(move || {
                    for turn in 0..3 {
                        let key = writer * 2 + turn % 2;
                        let stamped = store.update(|tx| tx.modify(&key, stamp));
                        stamped.expect("nobody else writes it");
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..2 {
                        let snapshot = store.snapshot();
                        for _ in 0..2 {
                            let stamps: u64 = shown(&snapshot).iter().map(|it| it.4).sum();
                            let commits = snapshot.version().since(first);
                            assert_eq!(stamps, commits, "another number of commits is seen");
                        }
                    }
                });
            }
        });
        assert_eq!(store.version().since(first), 9);
        drop(store);
        living.assert_none();
    });
}

/// As before, at versions some commits back: those retained show as many stamps; others are
/// refused.
#[test]
fn an_older_snapshot_is_right_or_refused() {
    explore("an_older_snapshot_is_right_or_refused", || {
        let living = Living::default();
        let store = builder().retention_commits(2).build();
        put(&store, (0..2).map(|key| living.item(key, START)));
        thread::scope(|scope| {
            for writer in 0..2 {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..4 {
                        let stamped = store.update(|tx| tx.modify(&writer, stamp));
                        stamped.expect("nobody else writes it");
                    }
                });
            }
            for back in 1..=2 {
                let store = &store;
                scope.spawn(move || {
                    for _ in 0..3 {
                        let newest = store.version().get();
                        let version = Version::new(newest.saturating_sub(back).max(1));
                        if let Ok(snapshot) = store.snapshot_at(version) {
                            let stamps: u64 = shown(&snapshot).iter().map(|it| it.4).sum();
                            assert_eq!(stamps, version.get() - 1, "another version is seen");
                        }
                    }
                });
            }
        });
        drop(store);
        living.assert_none();
    });
}

fn stamp(item: &mut Item) {
    item.stamp += 1;
}
