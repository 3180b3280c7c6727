//! What a queue before each subscriber is elsewhere: the log holds what a watcher has not read yet,
//! within the bound of how far it may lag.

mod common;

use std::time::Duration;

use common::{Account, Task, account, counted, events, put, task_changes};
use skep::{Event, Filter, Kind, Store, Version, WatchError};

fn store(watch_commits_max: u64) -> Store {
    let builder = common::builder().table::<Task>().table::<Account>();
    builder.watch_commits_max(watch_commits_max).build()
}

fn raise(store: &Store, times: i64) {
    for count in 0..times {
        put(store, [counted(1, count)]);
    }
}

/// How many commits a watcher is told that it missed; it has nothing else to give first.
#[track_caller]
fn missed(result: Result<Option<Event>, WatchError>) -> u64 {
    match result {
        Err(WatchError::Lagged { missed, .. }) => missed,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ten_thousand_wait_for_a_reader_that_is_held_up() {
    let store = store(10_000);
    let mut watcher = store.watch(Filter::of::<Task>());
    raise(&store, 1);
    let held_up = watcher.recv().expect("it has come");
    raise(&store, 9_999);
    store.reclaim();
    assert_eq!(held_up.version(), Version::new(1));
    let rest: Vec<u64> = events(&mut watcher)
        .iter()
        .map(|event| event.version().get())
        .collect();
    let expected = std::iter::once(1).chain((2..=10_000).flat_map(|version| [version, version]));
    assert!(rest.into_iter().eq(expected), "each once, in order");
}

/// A full queue says so and drops what comes; drained, it takes what comes, and says so again when
/// it is full again. Here each overrun is told once, with what was missed, and nothing after it.
#[test]
fn a_bound_that_is_overrun_is_told_and_met_again_after_each_catching_up() {
    let store = store(10);
    let mut watcher = store.watch(Filter::of::<Task>());
    let mut last = 0;
    for _ in 0..3 {
        // Within the bound nothing is lost.
        raise(&store, 10);
        store.reclaim();
        assert_eq!(task_changes(&mut watcher).len(), 10);
        raise(&store, 1_000);
        store.reclaim();
        let missed = missed(watcher.try_recv());
        assert!(missed >= 900, "{missed}");
        let rest = task_changes(&mut watcher);
        assert_eq!(missed + rest.len() as u64, 1_000);
        last += 1_010;
        assert_eq!(watcher.position(), Version::new(last));
    }
}

/// A slow reader neither slows nor stops who writes, and is told; a store that goes closes it.
#[test]
fn a_slow_reader_is_told_and_then_closed() {
    let store = store(5);
    let mut slow = store.watch(Filter::of::<Task>());
    let mut fast = store.watch(Filter::of::<Task>());
    for _ in 0..200 {
        raise(&store, 5);
        assert_eq!(task_changes(&mut fast).len(), 5);
    }
    store.reclaim();
    assert!(missed(slow.try_recv()) >= 900);
    drop(store);
    let left = std::iter::from_fn(|| slow.try_recv().ok().flatten());
    assert!(left.count() <= 2 * 5);
    assert_eq!(slow.recv().unwrap_err(), WatchError::Closed);
    assert_eq!(slow.recv().unwrap_err(), WatchError::Closed);
}

#[test]
fn two_filters_are_given_what_is_theirs_and_one_dropped_is_no_matter_to_the_other() {
    let store = store(1_000);
    let mut tasks = store.watch(Filter::of::<Task>());
    let mut accounts = store.watch(Filter::of::<Account>());
    raise(&store, 2);
    put(&store, [account(7, 1)]);
    assert_eq!(
        task_changes(&mut tasks),
        [(Kind::Created, 1), (Kind::Updated, 1)]
    );
    assert_eq!(events(&mut accounts).len(), 2);
    drop(tasks);
    raise(&store, 2);
    put(&store, [account(7, 2)]);
    assert_eq!(store.stats().watchers, 1);
    assert_eq!(events(&mut accounts).len(), 2);
}

/// With something to give it is given at once; without, the time passes, and nothing is closed by
/// that; the store's end is told whatever the time.
#[test]
fn a_time_that_passes_closes_nothing() {
    let store = store(1_000);
    let mut watcher = store.watch(Filter::of::<Task>());
    raise(&store, 1);
    assert!(
        watcher
            .recv_timeout(Duration::ZERO)
            .expect("open")
            .is_some()
    );
    assert!(
        watcher
            .recv_timeout(Duration::ZERO)
            .expect("open")
            .is_some()
    );
    for _ in 0..3 {
        assert!(
            watcher
                .recv_timeout(Duration::from_millis(1))
                .expect("open")
                .is_none()
        );
    }
    raise(&store, 1);
    assert!(watcher.recv_timeout(Duration::MAX).expect("open").is_some());
    drop(store);
    assert!(
        watcher
            .recv_timeout(Duration::ZERO)
            .expect("its marker")
            .is_some()
    );
    assert_eq!(
        watcher.recv_timeout(Duration::MAX).unwrap_err(),
        WatchError::Closed
    );
}

/// Whatever the size of the commits. A watcher that keeps up misses nothing.
#[test]
fn what_is_kept_for_a_stopped_watcher_is_bounded_in_bytes() {
    const BYTES: u64 = 1 << 18;
    let builder = common::builder().table::<Task>().table::<Account>();
    let store = builder.watch_log_bytes_max(BYTES).build();
    for changes in [1, 50, 1000] {
        let mut stopped = store.watch(Filter::of::<Task>());
        let mut diligent = store.watch(Filter::of::<Task>());
        let start = store.version();
        let commits = 10_000 / changes;
        for commit in 0..commits {
            put(&store, (0..changes).map(|id| counted(id, commit as i64)));
            assert_eq!(task_changes(&mut diligent).len() as u64, changes);
        }
        store.reclaim();
        let stats = store.stats();
        assert!(stats.history_bytes <= BYTES, "{stats:?}");
        let missed = missed(stopped.try_recv());
        assert!(missed < commits, "all of the bound is made use of");
        let left = commits - missed;
        assert_eq!(stats.log_commits, left, "{stats:?}");
        assert_eq!(stopped.position(), Version::new(start.get() + missed));
        assert_eq!(task_changes(&mut stopped).len() as u64, left * changes);
        let each = stats.history_bytes / left;
        assert!(
            stats.history_bytes + each > BYTES,
            "no more is let go than must"
        );
    }
}
