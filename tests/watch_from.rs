//! Watching from an older version: history, and then what comes, each change once and in order, or
//! how far back the history reaches.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use common::{
    Account, Counted, Kept, Random, Task, account, assert_none_left, counted, delete, events, put,
    scaled, task,
};
use skep::{
    AnyChange, Builder, Change, Event, Filter, Kind, Store, Version, WatchError, WatchFromError,
};

fn builder() -> Builder {
    builder_and_kept().0
}

/// And what a proposer keeps, from which a watcher would go on where the log does not reach.
fn builder_and_kept() -> (Builder, Kept) {
    let (builder, kept) = common::builder_and_kept();
    (builder.table::<Task>().table::<Account>(), kept)
}

/// A store that keeps `commits` commits for those who watch from a version.
fn keeping(commits: u64) -> Store {
    builder().history_commits(commits).build()
}

fn at(version: u64) -> Version {
    Version::new(version)
}

/// The version from which on a store's history reaches.
#[track_caller]
fn compacted(store: &Store, version: u64) -> u64 {
    match store.watch_from(at(version), Filter::all()) {
        Err(WatchFromError::Compacted { oldest }) => oldest.get(),
        other => panic!("{other:?}"),
    }
}

/// The commit of an event, and the key of the task or account that it is about.
fn told(event: &Event) -> (u64, Option<u64>) {
    let key = |change: &AnyChange| {
        let tasks = change.of::<Task>().map(|change| one(change).id);
        tasks.or_else(|| change.of::<Account>().map(|change| one(change).id.into()))
    };
    (event.version().get(), event.change().and_then(key))
}

fn one<T>(change: Change<'_, T>) -> &T {
    change.new().or(change.old()).expect("one image")
}

#[test]
fn history_comes_first_and_then_what_is_committed() {
    let store = keeping(100);
    for id in 1..=5 {
        let both = store.update(|tx| {
            tx.create(task(id))?;
            tx.create(account(id as u32, 0))
        });
        both.expect("nothing is in the way");
    }
    let newest = store.version();
    assert_eq!(newest, at(5));
    let future = store.watch_from(at(5000), Filter::all());
    assert_eq!(future.unwrap_err(), WatchFromError::Future { newest });

    let mut tasks = store
        .watch_from(at(3), Filter::of::<Task>().created())
        .unwrap();
    let mut accounts = store
        .watch_from(at(4), Filter::of::<Account>().created())
        .unwrap();
    let history: Vec<_> = events(&mut tasks).iter().map(told).collect();
    assert_eq!(history, [(4, Some(4)), (4, None), (5, Some(5)), (5, None)]);
    let history: Vec<_> = events(&mut accounts).iter().map(told).collect();
    assert_eq!(history, [(5, Some(5)), (5, None)]);

    // Then what comes, and not what the filter leaves out.
    put(&store, [task(6)]);
    put(&store, [account(7, 0)]);
    let live: Vec<_> = events(&mut tasks).iter().map(told).collect();
    assert_eq!(live, [(6, Some(6)), (6, None)]);
    let live: Vec<_> = events(&mut accounts).iter().map(told).collect();
    assert_eq!(live, [(7, Some(7)), (7, None)]);
}

#[test]
fn a_commit_that_a_filter_leaves_out_gives_its_bare_marker_if_asked_for() {
    let store = keeping(100);
    put(&store, [task(1)]);
    put(&store, [account(1, 0)]);
    let filter = Filter::of::<Account>().every_commit();
    let mut watcher = store.watch_from(at(0), filter).unwrap();
    put(&store, [task(2)]);
    let all: Vec<_> = events(&mut watcher).iter().map(told).collect();
    assert_eq!(all, [(1, None), (2, Some(1)), (2, None), (3, None)]);
}

#[test]
fn no_filter_gives_all_of_the_history() {
    let store = keeping(100);
    put(&store, [task(1)]);
    put(&store, [account(1, 0)]);
    let mut watcher = store.watch_from(at(0), Filter::all()).unwrap();
    let all: Vec<_> = events(&mut watcher).iter().map(told).collect();
    assert_eq!(all, [(1, Some(1)), (1, None), (2, Some(1)), (2, None)]);
}

#[test]
fn history_has_the_objects_as_they_were() {
    let store = keeping(100);
    put(&store, [counted(1, 10)]);
    put(&store, [counted(1, 20)]);
    delete::<Task>(&store, &1);
    store.reclaim();
    let mut watcher = store.watch_from(at(0), Filter::of::<Task>()).unwrap();
    let all = events(&mut watcher);
    let images: Vec<_> = all
        .iter()
        .filter_map(Event::change)
        .map(|change| {
            let typed = change.of::<Task>().expect("a task's");
            let counts = [typed.old(), typed.new()].map(|image| image.map(|task| task.count));
            (change.kind(), counts)
        })
        .collect();
    assert_eq!(
        images,
        [
            (Kind::Created, [None, Some(10)]),
            (Kind::Updated, [Some(10), Some(20)]),
            (Kind::Deleted, [Some(20), None]),
        ]
    );
}

#[test]
fn without_a_history_nothing_old_is_kept() {
    let (builder, kept) = builder_and_kept();
    let store = builder.build();
    for count in 0..500 {
        put(&store, [counted(1, count)]);
    }
    kept.forget();
    store.reclaim();
    assert_eq!(compacted(&store, 499), 500);
    assert_eq!(compacted(&store, 0), 500);
    let mut watcher = store.watch_from(at(500), Filter::all()).unwrap();
    put(&store, [counted(1, 0)]);
    assert_eq!(events(&mut watcher).len(), 2);
    drop(watcher);
    store.reclaim();
    let stats = store.stats();
    assert_eq!((stats.versions, stats.history_bytes), (1, 0), "{stats:?}");
}

#[test]
fn a_history_by_count_reaches_back_exactly_so_far() {
    let (builder, kept) = builder_and_kept();
    let store = builder.history_commits(100).build();
    for count in 0..1000 {
        put(&store, [counted(1, count)]);
        kept.forget();
        let version = store.version().get();
        let oldest = at(version.saturating_sub(100));
        let watcher = store.watch_from(oldest, Filter::all());
        assert!(watcher.is_ok(), "{oldest} of {version}: {watcher:?}");
    }
    store.reclaim();
    assert_eq!(compacted(&store, 0), 900);
    assert_eq!(compacted(&store, 899), 900);
    let stats = store.stats();
    assert_eq!(stats.history_oldest, at(900));
    // The current version of the task, and what each of the retained commits replaced.
    assert_eq!((stats.log_commits, stats.versions), (100, 101), "{stats:?}");
    let mut watcher = store.watch_from(at(900), Filter::all()).unwrap();
    assert_eq!(events(&mut watcher).len(), 200);
}

#[test]
fn a_history_by_bytes_stays_about_within_them() {
    const BYTES: u64 = 1 << 18;
    let (builder, kept) = builder_and_kept();
    let store = builder.history_bytes(BYTES).build();
    for count in 0..10_000 {
        put(&store, [counted(1, count)]);
    }
    kept.forget();
    store.reclaim();
    let stats = store.stats();
    assert!(stats.history_bytes <= BYTES, "{stats:?}");
    // A commit of one write of a task of some 200 bytes.
    let each = stats.history_bytes / stats.log_commits;
    assert!((200..1000).contains(&each), "{stats:?}");
    assert!(
        stats.history_bytes + each > BYTES,
        "no more is let go than must"
    );
    assert_eq!(stats.history_oldest.get() + stats.log_commits, 10_000);
    let oldest = compacted(&store, 0);
    assert_eq!(at(oldest), stats.history_oldest);
    let mut watcher = store.watch_from(at(oldest), Filter::all()).unwrap();
    assert_eq!(events(&mut watcher).len() as u64, 2 * stats.log_commits);
}

#[test]
fn of_two_bounds_the_narrower_holds() {
    for (commits, bytes) in [
        (50, u64::MAX),
        (u64::MAX, 50 * 400),
        (0, u64::MAX),
        (100, 0),
    ] {
        let store = builder()
            .history_commits(commits)
            .history_bytes(bytes)
            .build();
        for count in 0..1000 {
            put(&store, [counted(1, count)]);
        }
        store.reclaim();
        let kept = store.stats().log_commits;
        let most = commits.min(bytes / 200);
        assert!(kept <= most, "{kept} commits: {commits}, {bytes}");
        assert_eq!(kept == 0, commits.min(bytes) == 0);
    }
}

#[test]
fn a_lagged_watcher_is_resumed_within_the_history() {
    let store = builder()
        .history_commits(1000)
        .watch_commits_max(10)
        .build();
    let mut watcher = store.watch(Filter::all());
    for count in 0..5000 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    let Err(WatchError::Lagged {
        missed,
        resume_from,
    }) = watcher.recv()
    else {
        panic!("it lags");
    };
    assert_eq!((missed, resume_from), (4000, at(4000)));
    let mut again = store.watch_from(resume_from, Filter::all()).unwrap();
    let told_again: Vec<_> = events(&mut again).iter().map(told).collect();
    let told_on: Vec<_> = events(&mut watcher).iter().map(told).collect();
    assert_eq!(told_again, told_on);
    assert_eq!(told_on.len(), 2000);
}

/// The log is trimmed beyond where a watcher's mailbox goes on, which has all from there.
#[test]
fn what_lies_in_a_mailbox_is_not_lost_with_the_history_before_it() {
    let store = builder().history_commits(50).watch_commits_max(50).build();
    for count in 0..100 {
        put(&store, [counted(1, count)]);
    }
    let filter = Filter::of::<Task>().key(&1).events_max(10_000);
    let mut watcher = store.watch_from(at(80), filter).unwrap();
    for count in 100..300 {
        put(&store, [counted(1, count)]);
    }
    store.reclaim();
    let lagged = WatchError::Lagged {
        missed: 20,
        resume_from: at(100),
    };
    assert_eq!(watcher.recv().unwrap_err(), lagged);
    let told: Vec<_> = events(&mut watcher).iter().map(|it| it.version()).collect();
    assert!(
        told.into_iter()
            .eq((101..=300).flat_map(|version| [at(version); 2]))
    );
}

#[test]
fn a_watcher_of_the_history_outlives_its_store() {
    let store = keeping(100);
    put(&store, [task(1)]);
    put(&store, [task(2)]);
    let mut watcher = store.watch_from(at(0), Filter::all()).unwrap();
    drop(store);
    for version in [1, 1, 2, 2] {
        assert_eq!(watcher.recv().unwrap().version(), at(version));
    }
    assert_eq!(watcher.recv().unwrap_err(), WatchError::Closed);
}

/// Joins at random old versions while others write, and checks that each commit comes once, in
/// order, with all its changes; drops in the middle now and then.
fn join_and_check(store: &Store, random: &mut Random, done: &AtomicBool) -> u64 {
    let mut joined = 0;
    while !done.load(Ordering::Relaxed) {
        let newest = store.version().get();
        let back = random.below(400);
        let mut last = newest.saturating_sub(back);
        let mut watcher = match store.watch_from(at(last), Filter::all()) {
            Ok(watcher) => watcher,
            Err(WatchFromError::Compacted { oldest }) => {
                // Nothing that is promised is refused.
                assert!(
                    oldest > at(last) && back > 200,
                    "{oldest} for {last}, {back} back"
                );
                continue;
            }
            Err(error) => panic!("{error}"),
        };
        joined += 1;
        let mut changes = 0;
        for _ in 0..random.below(3000) {
            match watcher.try_recv().expect("it does not lag") {
                Some(Event::Change(change)) => {
                    assert_eq!(change.version().get(), last + 1);
                    let typed = change.of::<Task>().expect("a task's");
                    // Each commit raises the count of each task by one.
                    if let Change::Updated { old, new } = typed {
                        assert_eq!((old.id, old.count + 1), (new.id, new.count));
                    }
                    changes += 1;
                }
                Some(Event::Commit(version)) => {
                    assert_eq!((version.get(), changes), (last + 1, 3));
                    (last, changes) = (last + 1, 0);
                }
                None => std::thread::yield_now(),
            }
        }
    }
    joined
}

#[test]
fn joins_at_random_versions_are_exact_under_writers() {
    let store = builder()
        .history_commits(200)
        .attempts_max(u32::MAX)
        .build();
    put(&store, (0..3).map(|id| counted(id, 0)));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        let watchers: Vec<_> = (0..2)
            .map(|seed| scope.spawn(move || join_and_check(store, &mut Random::new(seed), done)))
            .collect();
        let writers: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(move || {
                    for _ in 0..scaled(1500, 15_000) {
                        let raised = store.update(|tx| {
                            (0..3).try_for_each(|id| tx.modify::<Task>(&id, |task| task.count += 1))
                        });
                        raised.expect("it gets through");
                    }
                })
            })
            .collect();
        let written: Vec<_> = writers.into_iter().map(|it| it.join()).collect();
        // Also if one of them panicked: the watchers end.
        done.store(true, Ordering::Relaxed);
        assert!(written.iter().all(Result::is_ok), "a writer panicked");
        let joined: u64 = watchers.into_iter().map(|it| it.join().unwrap()).sum();
        assert!(joined > 10, "{joined}");
    });
    // Whatever was dropped in the middle, nothing is left but the history.
    store.reclaim();
    let stats = store.stats();
    let left = (stats.watchers, stats.log_commits, stats.versions);
    assert_eq!(left, (0, 200, 603), "{stats:?}");
}

/// Puts two of them, in one commit.
fn put_counted(store: &Store, alive: &Arc<()>) {
    let put = store.update(|tx| {
        (1..=2).try_for_each(|id| {
            tx.upsert(Counted {
                id,
                _alive: Arc::clone(alive),
            })
        })
    });
    put.expect("nothing is in the way");
}

/// What a watcher does last.
#[derive(Clone, Copy, Debug)]
enum Last {
    Nothing,
    /// It times out.
    Wait,
    /// A task waits for it.
    Poll,
}

/// Watchers of history and of what comes, dropped after each number of events that they may have
/// received: with nothing fetched, with a commit half received, at a commit's end, having waited,
/// and after the store. No object is left alive, no place in the log taken.
#[test]
fn a_watcher_dropped_at_any_moment_leaks_nothing() {
    /// Events of the history, and of what comes: each commit is two changes and a marker.
    const EVENTS: usize = 2 * 9;
    let alive = Arc::new(());
    for store_first in [false, true] {
        for last in [Last::Nothing, Last::Wait, Last::Poll] {
            for received in 0..=EVENTS {
                let store = common::builder()
                    .table::<Counted>()
                    .history_commits(3)
                    .build();
                let write = || {
                    put_counted(&store, &alive);
                    put_counted(&store, &alive);
                    let deleted =
                        store.update(|tx| (1..=2).try_for_each(|id| tx.delete::<Counted>(&id)));
                    deleted.expect("both are there");
                };
                write();
                let mut watcher = store.watch_from(at(0), Filter::all()).expect("all is kept");
                write();
                let taken = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
                assert_eq!(taken.take(received).count(), received);
                match last {
                    Last::Nothing => {}
                    Last::Wait => drop(watcher.recv_timeout(Duration::ZERO)),
                    Last::Poll => {
                        let mut context = Context::from_waker(Waker::noop());
                        let _ = watcher.poll_recv(&mut context);
                    }
                }
                if store_first {
                    drop(store);
                    drop(watcher);
                } else {
                    drop(watcher);
                    // What the history keeps goes when others come: none of it is the watcher's.
                    (0..4).for_each(|_| write());
                    store.reclaim();
                    let stats = store.stats();
                    assert_eq!((stats.watchers, stats.log_commits), (0, 3), "{stats:?}");
                    // The last deletes and what they replaced; or all four objects of each of the
                    // six rounds, as the tests' proposer keeps what it was given.
                    let kept = if common::is_proposed() { 6 * 4 } else { 4 };
                    let left = Arc::strong_count(&alive) - 1;
                    assert_eq!(left, kept, "{received} received, then {last:?}");
                    drop(store);
                }
                let when =
                    format!("{received} received, then {last:?}; store first: {store_first}");
                assert_none_left(&alive, when);
            }
        }
    }
}
