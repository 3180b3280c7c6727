//! Threads that come and go while others run: lines change hands, and what a thread had retired is
//! freed by others.

use shuttle::thread;

use crate::explore::explore;
use crate::items::{Item, Living, builder, put, shown, sum, transfer};

/// Generations of short-lived threads; each begins when one before is about to end.
#[test]
fn lines_change_hands() {
    explore("lines_change_hands", || {
        let living = Living::default();
        let store = builder().build();
        put(&store, (0..2).map(|key| living.item(key, 10)));
        thread::scope(|scope| {
            for first in 0..2 {
                let store = &store;
                scope.spawn(move || {
                    for turn in 0..2 {
                        let short = store.clone();
                        let child = thread::spawn(move || {
                            transfer(&short, first, 1 - first, 1, turn);
                            short.snapshot()
                        });
                        assert_eq!(sum(&store.snapshot()), 20);
                        let snapshot = child.join().expect("it held");
                        assert_eq!(sum(&snapshot), 20);
                    }
                });
            }
        });
        assert_eq!(shown(&store.snapshot()).len(), 2);
        drop(store);
        living.assert_none();
    });
}

/// The last handle of the store goes in whichever thread is the last, with others' garbage.
#[test]
fn the_last_one_shuts_the_door() {
    explore("the_last_one_shuts_the_door", || {
        let living = Living::default();
        let store = builder().build();
        let threads: Vec<_> = (0..4)
            .map(|key| {
                let (store, living) = (store.clone(), living.clone());
                thread::spawn(move || {
                    put(&store, [living.item(key, 1)]);
                    put(&store, [living.item(key, 2)]);
                    let deleted = store.update(|tx| tx.delete::<Item>(&key));
                    deleted.expect("it is there");
                })
            })
            .collect();
        drop(store);
        for thread in threads {
            thread.join().expect("it held");
        }
        living.assert_none();
    });
}
