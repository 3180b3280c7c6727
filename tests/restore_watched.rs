//! What those are told who watch a store that is restored.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use cluster_objects::{builder, create, filled, id, short};
use skep::cluster::{Node, Service, Specifier, Task, TaskState, catalogue};
use skep::{
    AnyChange, Builder, Error, Event, Filter, Kind, Store, Version, WatchFromError, Watcher,
};

/// What happened to tasks, and to what else: kind, ID, and the slots before and after.
type Told = (Kind, String, [Option<u64>; 2]);

fn of_task(change: &AnyChange) -> Option<Told> {
    let change = change.of::<Task>()?;
    let (old, new) = (change.old(), change.new());
    let task = new.or(old).expect("one image");
    let slots = [old, new].map(|image| image.map(|task| task.slot));
    Some((change.kind(), short(task.id), slots))
}

/// What a watcher was told of tasks, commit by commit.
fn told(watcher: &mut Watcher) -> Vec<(Vec<Told>, Version)> {
    let (mut commits, mut changes) = (Vec::new(), Vec::new());
    for event in common::events(watcher) {
        match event {
            Event::Change(change) => changes.extend(of_task(&change)),
            Event::Commit(version) => commits.push((std::mem::take(&mut changes), version)),
        }
    }
    assert_eq!(changes, [], "no marker behind them");
    commits
}

/// A store that was saved, changed and restored: the versions of the saved state and of the two
/// commits after it, of which the second is the restore's.
fn restored(builder: Builder) -> (Store, [Version; 3]) {
    let store = builder.build();
    create(&store, cluster_objects::tasks());
    create(&store, cluster_objects::nodes());
    let mut file = Vec::new();
    let saved = store.save(&catalogue(), &mut file).expect("a file");
    let changed = store.update_versioned(|tx| {
        tx.delete::<Task>(&id("a1"))?;
        tx.modify::<Task>(&id("a2"), |task| task.slot = 99)?;
        tx.create(Task::new(id("c")))?;
        Ok::<_, Error>(())
    });
    let ((), changed) = changed.expect("nobody else writes");
    let restored = store.restore(&catalogue(), &file[..]).expect("a file");
    (store, [saved.version, changed, restored.version])
}

fn expected() -> [Vec<Told>; 2] {
    let told = |kind, at: &str, slots| (kind, at.to_owned(), slots);
    let there = [
        told(Kind::Deleted, "a1", [Some(0), None]),
        told(Kind::Updated, "a2", [Some(2), Some(99)]),
        told(Kind::Created, "c", [None, Some(0)]),
    ];
    let back = [
        told(Kind::Created, "a1", [None, Some(0)]),
        told(Kind::Updated, "a2", [Some(99), Some(2)]),
        told(Kind::Deleted, "c", [Some(0), None]),
    ];
    [there.into(), back.into()]
}

/// A restore is a commit as others are: whoever goes on from before it is told what it undid, with
/// the objects that it replaced, and then what comes.
#[test]
fn history_goes_on_across_a_restore() {
    let (store, [saved, changed, restored]) = restored(builder().history_commits(100));
    let later = store.update_versioned(|tx| tx.create(Task::new(id("d"))));
    let ((), later) = later.expect("nobody else writes");
    let created = vec![(Kind::Created, "d".to_owned(), [None, Some(0)])];
    let [there, back] = expected();
    let all = [(there, changed), (back, restored), (created, later)];
    for (skipped, from) in [saved, changed, restored, later].into_iter().enumerate() {
        let mut watcher = store.watch_from(from, Filter::all()).expect("kept");
        assert_eq!(told(&mut watcher), all[skipped..], "from {from}");
    }
    // By a route of their own, and what left a set of objects or came to it.
    let of_a2 = Specifier::<Task>::new().id(id("a2"));
    let mut watcher = store.watch_from(saved, of_a2.as_it_is()).expect("kept");
    assert_eq!(told(&mut watcher).len(), 2);
    let of_service = Specifier::<Task>::new().slot(id("a1"), 99);
    let mut watcher = store.watch_from(saved, of_service.as_it_was());
    let told = told(watcher.as_mut().expect("kept"));
    assert_eq!(told.len(), 1, "it left by the restore: {told:?}");
    assert_eq!(told[0].1, restored);
}

/// Those who were there are told the same, whole or by a mailbox of their own.
#[test]
fn who_watches_is_told_what_a_restore_changes_and_no_more() {
    let store = filled();
    let mut file = Vec::new();
    store.save(&catalogue(), &mut file).expect("a file");
    let stopped = |task: &mut Task| task.status.state = TaskState::Complete;
    let changed = store.update(|tx| {
        tx.modify::<Task>(&id("a1"), stopped)?;
        tx.delete::<Service>(&id("a3"))?;
        Ok::<_, Error>(())
    });
    assert_eq!(changed, Ok(()));
    let mut all = store.watch(Filter::all());
    let mut task = store.watch(Filter::from(Specifier::<Task>::new().id(id("a1"))).events_max(8));
    let mut ended = store.watch(Specifier::<Task>::new().state_above(TaskState::Running));
    let mut nodes = store.watch(Specifier::<Node>::new());
    let restored = store.restore(&catalogue(), &file[..]).expect("a file");
    let count = |watcher: &mut Watcher| {
        let events = common::events(watcher);
        let marker = events.last().is_none_or(
            |event| matches!(event, Event::Commit(version) if *version == restored.version),
        );
        assert!(marker, "{events:?}");
        events.iter().filter_map(Event::change).count()
    };
    let counts = [&mut all, &mut task, &mut ended, &mut nodes].map(count);
    // A task that is not ended any more has left those that are.
    assert_eq!(counts, [2, 1, 1, 0]);
}

/// It counts for a history's bound as any other.
#[test]
fn what_a_restore_does_not_leave_in_the_history_is_compacted() {
    let (store, [saved, changed, restored]) = restored(builder().history_commits(1));
    for number in 0..2_000 {
        let written = store.update(|tx| tx.upsert(Task::new(skep::Id::from_u128(number % 7))));
        assert_eq!(written, Ok(()));
    }
    store.reclaim();
    for from in [saved, changed, restored] {
        let watcher = store.watch_from(from, Filter::all());
        let Err(WatchFromError::Compacted { oldest }) = watcher else {
            panic!("{watcher:?}");
        };
        assert!(oldest > restored);
    }
}
