//! Watchers that ask for no markers of commits: all else is as for those that have them.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use common::{Task, builder, counted, events, put, store, task_changes};
use skep::{Event, Filter, Overflow, Store, Version, Watcher};

/// More commits than a run has.
const COMMITS: u64 = 100;

/// Of one, two, and three tasks, in turn.
fn commit_some(store: &Store) {
    for number in 0..COMMITS {
        let ids = 0..=number % 3;
        put(store, ids.map(|id| counted(id, number as i64)));
    }
}

/// What reads the log, and what has a mailbox: for tasks, and for one of them.
fn filters() -> [Filter; 3] {
    let tasks = || Filter::of::<Task>();
    [
        tasks().into(),
        tasks().events_max(1 << 20),
        tasks().key(&1).into(),
    ]
}

/// The version of each commit given whole, and of each of its changes the count.
fn commits(watcher: &mut Watcher) -> Vec<(u64, Vec<i64>)> {
    let count = |change: &skep::AnyChange| change.new_object::<Task>().unwrap().count;
    std::iter::from_fn(|| watcher.try_recv_commit().unwrap())
        .map(|commit| {
            let changes = commit.changes.iter().inspect(|change| {
                assert_eq!(change.version(), commit.version);
            });
            (commit.version.get(), changes.map(count).collect())
        })
        .collect()
}

#[test]
fn the_changes_are_given_and_no_marker() {
    for filter in filters() {
        let store = store();
        let mut usual = store.watch(filter.clone());
        let mut only = store.watch(filter.changes_only());
        commit_some(&store);
        let told = events(&mut only);
        assert!(told.iter().all(|event| event.change().is_some()));
        let version = |event: &Event| event.version();
        let with_markers = events(&mut usual);
        let changes = with_markers.iter().filter(|event| event.change().is_some());
        assert!(told.iter().map(version).eq(changes.map(version)));
        assert!(told.len() < with_markers.len());
        assert_eq!(only.position(), usual.position());
    }
}

#[test]
fn whole_commits_are_given_as_ever() {
    for filter in filters() {
        let store = store();
        let mut usual = store.watch(filter.clone());
        let mut only = store.watch(filter.changes_only());
        commit_some(&store);
        let given = commits(&mut only);
        assert!(!given.is_empty());
        assert_eq!(given, commits(&mut usual));
    }
}

#[test]
fn history_comes_first_and_then_what_is_committed() {
    for filter in filters() {
        let store = builder()
            .table::<Task>()
            .history_commits(10 * COMMITS)
            .build();
        commit_some(&store);
        let from = |filter: Filter| store.watch_from(Version::new(3), filter).unwrap();
        let mut usual = from(filter.clone());
        let mut only = from(filter.changes_only());
        // One commit of what is there now is received before more comes.
        let first = [&mut usual, &mut only].map(|it| it.recv_commit().unwrap().version);
        assert_eq!(first[0], first[1]);
        commit_some(&store);
        assert_eq!(commits(&mut only), commits(&mut usual));
        assert_eq!(only.position(), store.version());
    }
}

#[test]
fn what_is_beyond_a_bound_is_told_as_ever() {
    for overflow in [Overflow::Lag, Overflow::Close] {
        let store = store();
        let filter = Filter::of::<Task>().events_max(8).overflow(overflow);
        let mut usual = store.watch(filter.clone());
        let mut only = store.watch(filter.changes_only());
        commit_some(&store);
        // Until it is told, and what comes then.
        let told = |watcher: &mut Watcher| {
            let mut told = Vec::new();
            while !told.ends_with(&[Ok(None)]) && told.len() < 2 * COMMITS as usize {
                let commit = watcher.try_recv_commit();
                told.push(commit.map(|commit| commit.map(|commit| commit.version)));
            }
            told
        };
        let as_ever = told(&mut usual);
        assert_eq!(told(&mut only), as_ever);
        assert!(as_ever.iter().any(Result::is_err), "{as_ever:?}");
    }
}

#[test]
fn the_rest_of_a_commit_may_match_or_not() {
    // All but the last of each commit, and all but the first.
    for lacking in [2, 0] {
        let store = store();
        let filter = Filter::of::<Task>().when_object(move |task: &Task| task.id != lacking);
        let mut only = store.watch(filter.changes_only());
        for number in 0..COMMITS {
            put(&store, (0..3).map(|id| counted(id, number as i64)));
        }
        let expected = (0..COMMITS).map(|number| (number + 1, vec![number as i64; 2]));
        assert!(commits(&mut only).into_iter().eq(expected));
    }
}

#[test]
fn a_matcher_that_panics_costs_its_change_alone() {
    thread_local!(static PANICS: Cell<bool> = const { Cell::new(true) });
    let store = store();
    let filter = Filter::of::<Task>().when_object(|task: &Task| {
        let panics = task.id == 1 && PANICS.replace(false);
        assert!(!panics, "the test's own panic");
        true
    });
    let mut only = store.watch(filter.changes_only());
    for number in [1, 2] {
        put(&store, (0..3).map(|id| counted(id, number)));
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| only.try_recv_commit()));
    assert!(panicked.is_err());
    assert_eq!(commits(&mut only), [(1, vec![1, 1]), (2, vec![2, 2, 2])]);
}

#[test]
fn how_far_it_is_is_still_told() {
    let store = store();
    let interval = Duration::from_millis(20);
    let filter = Filter::of::<Task>().key(&1).changes_only();
    let mut only = store.watch(filter.progress(interval));
    put(&store, [counted(1, 1)]);
    assert_eq!(task_changes(&mut only).len(), 1);
    let newest = put(&store, [counted(2, 1)]);
    std::thread::sleep(interval);
    assert!(matches!(only.try_recv(), Ok(Some(Event::Commit(version))) if version == newest));
    assert!(only.try_recv().unwrap().is_none());
}

/// A commit that was given whole has told how far the watcher is.
#[test]
fn a_commit_that_is_given_whole_is_no_news_any_more() {
    let store = store();
    let filter = Filter::of::<Task>().key(&1).changes_only();
    let mut only = store.watch(filter.progress(Duration::ZERO));
    for count in 1..=2 {
        put(&store, [counted(1, count)]);
    }
    assert_eq!(commits(&mut only), [(1, vec![1]), (2, vec![2])]);
    // Nothing tells that of single changes.
    let newest = put(&store, [counted(1, 3)]);
    assert!(matches!(only.try_recv(), Ok(Some(Event::Change(_)))));
    assert!(matches!(only.try_recv(), Ok(Some(Event::Commit(version))) if version == newest));
    assert!(only.try_recv().unwrap().is_none());
}

#[test]
fn the_last_word_on_markers_counts() {
    let store = store();
    let tasks = || Filter::of::<Task>().key(&1);
    let mut every = store.watch(tasks().changes_only().every_commit());
    let mut none = store.watch(tasks().every_commit().changes_only());
    let mut either = store.watch(tasks().changes_only().or(tasks().every_commit()));
    put(&store, [counted(2, 1)]);
    assert_eq!([&mut every, &mut either].map(|it| events(it).len()), [1; 2]);
    assert!(events(&mut none).is_empty());
}
