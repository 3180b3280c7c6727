//! Figures of watchers that are stopped: whoever looks for the one furthest behind finds it.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use common::{Task, builder, counted, put, store, task, wait_for_delivery};
use skep::{Filter, Overflow, Store, Version, WatchError, Watcher, WatcherStats};

/// For how long they are stopped, at least.
const AGE: Duration = Duration::from_millis(50);
/// Watchers that begin while somebody looks all the time.
const TURNS: usize = 10_000;

fn figures(store: &Store) -> WatcherStats {
    wait_for_delivery(store);
    let [own] = store.watchers()[..] else {
        panic!("one watcher");
    };
    own
}

#[track_caller]
fn assert_old(own: &WatcherStats, oldest: u64) {
    assert_eq!(own.oldest, Some(Version::new(oldest)), "{own:?}");
    assert!(own.behind_for.is_some_and(|age| age >= AGE), "{own:?}");
}

fn lag(watcher: &mut Watcher) -> u64 {
    match watcher.try_recv() {
        Err(WatchError::Lagged { missed, .. }) => missed,
        other => panic!("{other:?}"),
    }
}

fn of_one(events_max: u32) -> Filter {
    Filter::of::<Task>().key(&1).events_max(events_max)
}

/// One change, and after a time many of the same object.
fn put_one_and_many(store: &Store) {
    put(store, [counted(1, 0)]);
    sleep(AGE);
    for count in 1..=100 {
        put(store, [counted(1, count)]);
    }
}

#[test]
fn what_a_mailbox_let_go_is_told_before_its_watcher_comes_by() {
    let store = store();
    let mut watcher = store.watch(of_one(4));
    put_one_and_many(&store);
    let own = figures(&store);
    assert_old(&own, 1);
    assert_eq!(own.missed + own.waiting, 101, "{own:?}");
    assert_eq!((own.missed, own.behind), (own.untold, 101), "{own:?}");
    assert_eq!(lag(&mut watcher), own.missed);
    let told = figures(&store);
    assert_eq!((told.missed, told.untold), (own.missed, 0));
    assert_eq!(told.oldest, Some(Version::new(own.missed + 1)));
}

#[test]
fn changes_that_were_made_one_are_as_old_as_the_first() {
    let store = store();
    let watcher = store.watch(of_one(4).overflow(Overflow::Coalesce));
    put_one_and_many(&store);
    let own = figures(&store);
    assert_old(&own, 1);
    assert_eq!((own.missed, own.behind), (0, 101), "{own:?}");
    drop(watcher);
}

#[test]
fn what_the_log_let_go_is_told_before_its_reader_comes_by() {
    let builder = builder().table::<Task>().watch_commits_max(100);
    let store = builder.build();
    for has_taken in [false, true] {
        let mut watcher = store.watch(Filter::all());
        let start = store.version().get();
        for count in 0..40 {
            put(&store, [counted(1, count)]);
        }
        if has_taken {
            watcher.try_recv().expect("no lag").expect("a change");
        }
        sleep(AGE);
        for count in 0..2000 {
            put(&store, [counted(1, count)]);
        }
        store.reclaim();
        let own = figures(&store);
        assert!(own.untold >= 1_800 && own.missed == own.untold, "{own:?}");
        assert!(own.behind_for.is_some(), "{own:?}");
        assert_eq!(own.oldest, Some(Version::new(start + 1)), "{own:?}");
        assert_eq!(own.taken > 0, has_taken, "{own:?}");
        if has_taken {
            assert_old(&own, start + 1);
        }
        while let Ok(event) = watcher.try_recv() {
            assert!(event.is_some(), "the lag comes first");
        }
        let told = figures(&store);
        assert_eq!((told.missed, told.untold), (own.missed, 0), "{told:?}");
    }
}

/// Nobody keeps the log for it: the time is that of what it took.
#[test]
fn one_that_stops_with_what_it_took_is_as_old_as_the_first_of_that() {
    let store = store();
    let mut watcher = store.watch(of_one(1_000));
    for count in 0..100 {
        put(&store, [counted(1, count)]);
    }
    wait_for_delivery(&store);
    watcher.try_recv().expect("no lag").expect("a change");
    sleep(AGE);
    for id in 2..200 {
        put(&store, [task(id)]);
    }
    store.reclaim();
    let own = figures(&store);
    assert_old(&own, 1);
    // It does not look for more.
    for _ in 1..200 {
        watcher.try_recv().expect("no lag").expect("there is more");
    }
    let given = figures(&store);
    assert_eq!((given.taken, given.oldest), (0, None), "{given:?}");
    assert_eq!((given.behind, given.behind_for), (0, None), "{given:?}");
}

#[test]
fn a_queue_tells_what_its_watchers_do_together() {
    let store = builder().table::<Task>().watch_shards(2).build();
    let mut watchers: Vec<Watcher> = (0..6).map(|_| store.watch(of_one(4))).collect();
    let reading = store.watch(Filter::all());
    for count in 0..10 {
        put(&store, [counted(1, count)]);
    }
    wait_for_delivery(&store);
    watchers.truncate(5);
    assert!(lag(&mut watchers[0]) > 0);
    watchers[0].try_recv().expect("no lag").expect("a change");
    let (queues, all) = (store.watch_queues(), store.watchers());
    let sum = |figure: fn(&WatcherStats) -> u64| {
        let delivered_to = all.iter().filter(|own| own.mailbox);
        delivered_to.map(figure).sum::<u64>()
    };
    let figures = queues.iter().fold([0; 5], |sums, queue| {
        let own = [
            queue.watchers,
            queue.delivered,
            queue.missed,
            queue.waiting,
            queue.waiting_bytes,
        ];
        std::array::from_fn(|at| sums[at] + own[at])
    });
    let expected = [
        5,
        sum(|own| own.delivered),
        sum(|own| own.missed),
        sum(|own| own.waiting),
        sum(|own| own.waiting_bytes),
    ];
    assert_eq!(figures, expected);
    assert!(expected.iter().all(|&figure| figure > 0), "{expected:?}");
    assert!(queues.iter().all(|queue| queue.oldest.is_none()));
    drop(reading);
}

/// Nobody delivers but those who receive.
#[test]
fn a_queue_tells_how_old_what_it_has_not_delivered_is() {
    let builder = builder().table::<Task>();
    let store = builder.watch_delivery(skep::Delivery::Receivers).build();
    let watcher = store.watch(of_one(4));
    put(&store, [counted(1, 0)]);
    sleep(AGE);
    put(&store, [counted(1, 1)]);
    let [queue] = store.watch_queues()[..] else {
        panic!("one part");
    };
    assert_eq!((queue.oldest, queue.behind), (Some(Version::new(1)), 2));
    assert!(queue.behind_for.is_some_and(|age| age >= AGE), "{queue:?}");
    drop(watcher);
}

/// What a watcher that looked has found out and not been told yet is counted all the same.
#[test]
fn what_is_missed_grows_only() {
    let store = store();
    let mut watcher = store.watch(of_one(4));
    let mut missed = 0;
    for count in 0..200 {
        put(&store, [counted(1, count), task(2)]);
        put(&store, [task(3)]);
        wait_for_delivery(&store);
        if count % 16 == 8 {
            // It takes what there is, and is given a part of it.
            let _ = watcher.try_recv();
        }
        let own = figures(&store);
        assert!(own.missed >= missed, "{count}: {missed} {own:?}");
        missed = own.missed;
    }
    let mut told = 0;
    let mut given = 0;
    loop {
        match watcher.try_recv() {
            Ok(Some(event)) => given += u64::from(event.change().is_some()),
            Ok(None) => break,
            Err(WatchError::Lagged { missed, .. }) => told += missed,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(given > 0 && told > 0);
    let own = figures(&store);
    assert_eq!((own.missed, own.untold), (missed, 0), "{own:?}");
}

/// Of two changes that were fetched at once, the second is younger.
#[test]
fn what_is_left_of_a_run_is_as_old_as_the_first_of_that() {
    let store = store();
    let mut watchers = [store.watch(Filter::all()), store.watch(of_one(4))];
    put(&store, [counted(1, 0)]);
    sleep(20 * AGE);
    put(&store, [counted(1, 1)]);
    wait_for_delivery(&store);
    for watcher in &mut watchers {
        watcher.try_recv().expect("no lag").expect("a change");
        watcher.try_recv().expect("no lag").expect("its marker");
    }
    for own in store.watchers() {
        assert_eq!(own.oldest, Some(Version::new(2)), "{own:?}");
        assert!(own.behind_for.is_some_and(|age| age < 10 * AGE), "{own:?}");
    }
}

/// What it took before it went back waits for it as well.
#[test]
fn one_that_went_back_is_not_current_before_it_has_all() {
    let builder = builder().table::<Task>().history_commits(1_000);
    let store = builder.build();
    let mut watcher = store.watch(of_one(4));
    // The last of what it takes it leaves aside: more of that commit may come.
    for count in 0..12 {
        put(&store, [counted(1, count)]);
    }
    wait_for_delivery(&store);
    lag(&mut watcher);
    let first = watcher.try_recv().expect("no lag").expect("a change");
    watcher.resume().expect("history has it");
    for version in 1..=12 {
        let own = figures(&store);
        assert_eq!(own.oldest, Some(Version::new(version)), "{own:?}");
        let commit = watcher.try_recv_commit().expect("no lag");
        assert_eq!(commit.expect("it is there").version.get(), version);
    }
    assert!(first.version() > Version::new(1));
}

/// Neither while it begins, nor while it takes its first marker.
#[test]
fn one_that_begins_stands_nowhere_before_that() {
    let store = builder().table::<Task>().build();
    let told = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let looks = scope.spawn(|| {
            let mut least = 0;
            while least < u64::MAX {
                for own in store.watchers() {
                    assert!(own.position.get() >= least, "{least}: {own:?}");
                }
                least = told.load(Ordering::Acquire);
            }
        });
        let filters = [of_one(8).every_commit(), Filter::all()];
        for filter in filters.iter().cycle().take(TURNS) {
            told.store(store.version().get(), Ordering::Release);
            let mut watcher = store.watch(filter.clone());
            put(&store, [task(2)]);
            if watcher.try_recv().is_err() || looks.is_finished() {
                break;
            }
        }
        told.store(u64::MAX, Ordering::Release);
    });
}
