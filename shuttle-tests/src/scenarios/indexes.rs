//! Indexes: names that one object has at a time, keys that come and go, and tables that grow while
//! others look.

use shuttle::thread;
use skep::{Error, Store, UpdateError, keys};

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, shown};

fn rename(store: &Store, key: u64, name: u64) -> bool {
    let renamed: Result<(), UpdateError<Error>> = store.update(|tx| {
        tx.modify::<Item>(&key, |item| item.name = name)?;
        Ok(())
    });
    renamed.is_ok()
}

/// Four want the same two names.
#[test]
fn a_name_has_one_holder() {
    explore("a_name_has_one_holder", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..4).map(|key| living.item(key, 0)));
        thread::scope(|scope| {
            for key in 0..4 {
                let store = &store;
                scope.spawn(move || {
                    let has = rename(store, key, 10);
                    rename(store, key, if has { key } else { 11 });
                    let snapshot = store.snapshot();
                    shown(&snapshot);
                    for name in [10_u64, 11] {
                        let holders = snapshot.count(Item::BY_NAME.eq(name));
                        assert!(holders <= 1, "{holders} are named {name}");
                    }
                });
            }
        });
        shown(&store.snapshot());
        drop(store);
        living.assert_none();
    });
}

/// The same keys are deleted and made again by two, in other groups, while two look and one holds.
#[test]
fn keys_come_and_go() {
    explore("keys_come_and_go", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..2).map(|key| living.item(key, 1)));
        thread::scope(|scope| {
            for writer in 0..2 {
                let (store, living) = (&store, &living);
                scope.spawn(move || {
                    for turn in 0..3 {
                        let key = turn % 2;
                        let fresh = living.item(key, 1).of_group(1 + writer);
                        // Whichever is to be done; the other one may be first.
                        let _ = store.update(|tx| tx.delete::<Item>(&key));
                        let _ = store.update(|tx| tx.create(fresh.clone()));
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    let held = store.snapshot();
                    let before = shown(&held);
                    let items = shown(&store.snapshot());
                    assert!(
                        items
                            .iter()
                            .all(|(key, amount, ..)| *key < 2 && *amount == 1)
                    );
                    assert_eq!(shown(&held), before, "a snapshot changed");
                });
            }
        });
        assert_eq!(shown(&store.snapshot()).len(), 2);
        drop(store);
        living.assert_none();
    });
}

/// Three insert until the hash has grown and leaves have split, one takes half of it out again.
#[test]
fn nothing_is_lost_in_growing() {
    explore("nothing_is_lost_in_growing", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..4).map(|key| living.item(key, 0)));
        thread::scope(|scope| {
            for writer in 1..=3 {
                let (store, living) = (&store, &living);
                scope.spawn(move || {
                    for turn in 0..4 {
                        let key = writer * 100 + turn;
                        put(store, [living.item(key, 0).of_group(turn)]);
                        let view = store.read();
                        assert!(view.get::<Item>(&key).is_some(), "{key} is lost");
                    }
                });
            }
            scope.spawn(|| {
                for key in 0..4 {
                    store
                        .update(|tx| tx.delete::<Item>(&key))
                        .expect("it is there");
                    let seen = store.read().count(keys::<Item>().range(..4));
                    assert_eq!(seen as u64, 3 - key);
                }
            });
        });
        assert_eq!(shown(&store.snapshot()).len(), 12);
        drop(store);
        living.assert_none();
    });
}
