//! Forks: a second store kept equal, all ten types.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use cluster_objects::{filled, id};
use common::Random;
use skep::cluster::{
    Cluster, ClusterObject, Config, Extension, Network, Node, Resource, Secret, Service, Task,
    Volume, builder,
};
use skep::{
    Error, Filter, Fork, ForkError, Indexes, Object, Snapshot, Store, Transaction, Version, keys,
};

#[track_caller]
fn assert_same<T: ClusterObject + PartialEq + std::fmt::Debug>(left: &Store, right: &Store) {
    let objects = |store: &Store| -> Vec<_> {
        let view = store.read();
        let entries = view.find(keys::<T>().all()).entries();
        entries
            .map(|entry| {
                let meta = entry.meta();
                let times = (meta.created_at, meta.updated_at);
                (entry.get().clone(), times, meta.proposed)
            })
            .collect()
    };
    assert_eq!(objects(left), objects(right), "{}", T::TABLE);
}

#[track_caller]
fn assert_equal(left: &Store, right: &Store) {
    assert_same::<Cluster>(left, right);
    assert_same::<Config>(left, right);
    assert_same::<Extension>(left, right);
    assert_same::<Network>(left, right);
    assert_same::<Node>(left, right);
    assert_same::<Resource>(left, right);
    assert_same::<Secret>(left, right);
    assert_same::<Service>(left, right);
    assert_same::<Task>(left, right);
    assert_same::<Volume>(left, right);
}

/// A table was written to after a version.
#[track_caller]
fn assert_written<T: ClusterObject>(store: &Store, since: Version) {
    let view = store.read();
    let mut entries = view.find(keys::<T>().all()).entries();
    let written = entries.any(|entry| entry.meta().version > since);
    assert!(written, "{}", T::TABLE);
}

/// Some writes, on every type; what a name refuses is left out.
fn work(tx: &mut Transaction<'_>, random: &mut Random) -> Result<(), Error> {
    for _ in 0..=random.below(4) {
        let id = id(&format!("a{}", random.below(6)));
        let name = format!("name{}", random.below(6));
        let kind = format!("name{}", random.below(6));
        let written = match random.below(11) {
            0 => tx.upsert(Cluster::named(id, name)),
            1 => tx.upsert(Config::named(id, name, "data")),
            2 => tx.upsert(Extension::named(id, name)),
            3 => tx.upsert(Network::named(id, name)),
            4 => tx.upsert(Node::named(id, name)),
            5 => tx.upsert(Resource::named(id, kind, name)),
            6 => tx.upsert(Secret::named(id, name, "secret")),
            7 => tx.upsert(Service::named(id, name)),
            8 => tx.upsert(Task::new(id)),
            9 => tx.upsert(Volume::named(id, name, "driver")),
            _ => {
                let _ = tx.delete::<Service>(&id);
                let _ = tx.delete::<Network>(&id);
                let _ = tx.delete::<Task>(&id);
                let _ = tx.delete::<Resource>(&id);
                let _ = tx.delete::<Extension>(&id);
                Ok(())
            }
        };
        // A name that is taken: the transaction goes on without the write.
        drop(written);
    }
    Ok(())
}

#[test]
fn a_fork_is_equal_after_random_work() {
    let store = filled();
    let mut fork = Fork::new(&store).expect("a sound source");
    let begun = store.version();
    assert_eq!(fork.version(), begun);
    assert_equal(&store, fork.store());
    let mut random = Random::new(3);
    for turn in 0..common::scaled(500, 5_000) {
        store
            .update(|tx| work(tx, &mut random))
            .expect("nobody else writes");
        if turn % 7 == 0 {
            assert_eq!(fork.poll().expect("it fits"), store.version());
            assert_equal(&store, fork.store());
        }
    }
    let version = fork.follow_until(store.version()).expect("it fits");
    assert_eq!(version, store.version());
    assert_equal(&store, fork.store());
    // No rule has kept the work from a table.
    assert_written::<Cluster>(&store, begun);
    assert_written::<Config>(&store, begun);
    assert_written::<Extension>(&store, begun);
    assert_written::<Network>(&store, begun);
    assert_written::<Node>(&store, begun);
    assert_written::<Resource>(&store, begun);
    assert_written::<Secret>(&store, begun);
    assert_written::<Service>(&store, begun);
    assert_written::<Task>(&store, begun);
    assert_written::<Volume>(&store, begun);
}

/// Each commit of the source is one of the fork, with as many changes.
#[test]
fn a_fork_commits_as_its_source_does() {
    let store = filled();
    let mut fork = Fork::new(&store).expect("a sound source");
    let mut watchers = [
        store.watch(Filter::all()),
        fork.store().watch(Filter::all()),
    ];
    let mut random = Random::new(5);
    for _ in 0..100 {
        store
            .update(|tx| work(tx, &mut random))
            .expect("nobody else writes");
    }
    fork.poll().expect("it fits");
    let [left, right] = watchers.each_mut().map(|watcher| {
        let events = common::events(watcher).into_iter();
        let told = events.map(|event| event.change().map(|change| (change.table(), change.kind())));
        told.collect::<Vec<_>>()
    });
    assert_eq!(left, right);
    assert!(left.len() > 100);
}

#[test]
fn a_fork_that_has_fallen_behind_goes_on_by_difference() {
    // It watches in the one place that there is.
    let store = builder().watch_commits_max(4).watchers_max(1).build();
    let calm = Task::new(id("calm"));
    store
        .update(|tx| tx.create(calm.clone()))
        .expect("a new key");
    let mut fork = Fork::new(&store).expect("a sound source");
    let written = |fork: &Fork| {
        let view = fork.store().read();
        let entry = view.entry::<Task>(&calm.id).expect("copied");
        entry.meta().version
    };
    let copied = written(&fork);
    let mut random = Random::new(9);
    for _ in 0..20 {
        let before = fork.store().version();
        for _ in 0..50 {
            store
                .update(|tx| work(tx, &mut random))
                .expect("nobody else writes");
        }
        store.reclaim();
        assert_eq!(fork.poll().expect("it fits"), store.version());
        assert_equal(&store, fork.store());
        let commits = fork.store().version().since(before);
        assert!(commits <= 5, "{commits} commits for a difference");
        assert_eq!(written(&fork), copied, "it did not change");
    }
}

/// It says so at each attempt, and is equal to its source all the same from the second on.
#[test]
fn a_fork_without_a_place_to_watch_from_follows_by_difference() {
    let store = builder().watchers_max(1).build();
    let other = store.watch(Filter::all());
    let mut fork = Fork::new(&store).expect("it is copied");
    let mut random = Random::new(3);
    let mut write = || {
        let written = store.update(|tx| work(tx, &mut random));
        written.expect("nobody else writes");
    };
    let refused = |fork: &mut Fork| {
        let polled = fork.poll();
        let is_told = matches!(polled, Err(ForkError::TooManyWatchers { watchers_max: 1 }));
        assert!(is_told, "{polled:?}");
    };
    refused(&mut fork);
    for _ in 0..3 {
        write();
        refused(&mut fork);
        assert_equal(&store, fork.store());
    }
    drop(other);
    write();
    assert_eq!(fork.poll().expect("there is a place"), store.version());
    assert_equal(&store, fork.store());
}

/// Copied, followed commit by commit and by difference; of a fork of it, too.
#[cfg(feature = "testing")]
#[test]
fn a_forks_objects_have_the_proposers_versions_of_their_originals() {
    let proposer = skep::testing::TestProposer::new();
    let source = builder().watch_commits_max(4).proposer(proposer.clone());
    let store = source.build();
    let mut random = Random::new(3);
    let mut work = |times: usize| {
        for _ in 0..times {
            store
                .update(|tx| work(tx, &mut random))
                .expect("nobody else writes");
            proposer.refuse_next("so that the versions differ");
            let refused = store.update(|tx| tx.create(Task::new(skep::Id::random())));
            refused.unwrap_err();
        }
    };
    work(20);
    let mut fork = Fork::new(&store).expect("a sound source");
    let mut second = Fork::new(fork.store()).expect("a sound source");
    let mut watcher = fork.store().watch(Filter::all());
    for times in [0, 1, 1, 2, 30, 1, 40] {
        work(times);
        store.reclaim();
        let version = fork.poll().expect("it fits");
        second.poll().expect("it fits");
        assert_equal(&store, fork.store());
        assert_equal(&store, second.store());
        let view = fork.store().read();
        let newest = view.find(keys::<Task>().all()).entries();
        let newest = newest.map(|it| it.meta().proposed.expect("known")).max();
        assert!(newest <= store.proposed_version(version));
    }
    let told = common::events(&mut watcher);
    let mut changes = told.iter().filter_map(skep::Event::change);
    assert!(changes.all(|change| change.meta().expect("one image").proposed.is_some()));
    // What was read in a fork is a guard at its source.
    let view = second.store().read();
    let read = view.first(keys::<Node>().all()).expect("there are some");
    let version = view.entry::<Node>(&read.id).map(|it| it.meta().proposed);
    let version = version.flatten().expect("known");
    let write = || store.update(|tx| tx.update_at_proposed(version, read.clone()));
    assert!(write().is_ok());
    assert!(write().is_err(), "it is out of sequence then");
    // Without a proposer there are none.
    let alone = builder().build();
    let task = Task::new(id("a1"));
    let created = alone.update(|tx| tx.create(task.clone()));
    created.expect("a new key");
    let alone = Fork::new(&alone).expect("a sound source");
    let view = alone.store().read();
    let proposed = view.entry::<Task>(&task.id).map(|it| it.meta().proposed);
    assert_eq!(proposed, Some(None));
}

/// How many echoes there are to be in the source.
const ECHOES: u64 = 100;

static SOURCE: OnceLock<Store> = OnceLock::new();

/// Each that is followed makes the source commit another one.
struct Echo(u64);

impl Clone for Echo {
    fn clone(&self) -> Self {
        let source = SOURCE.get().expect("it is there");
        let next = source.read().count(keys::<Self>().all()) as u64;
        if next < ECHOES {
            let echoed = source.update(|tx| tx.create(Self(next)));
            echoed.expect("nobody else writes");
        }
        Self(self.0)
    }
}

impl Object for Echo {
    type Key = u64;
    const TABLE: &'static str = "echo";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// Beside writers that never rest there would be no end.
#[test]
fn a_fork_follows_what_there_is_and_not_what_comes_meanwhile() {
    let store = SOURCE.get_or_init(|| Store::builder().table::<Echo>().build());
    let mut fork = Fork::new(store).expect("a sound source");
    store
        .update(|tx| tx.create(Echo(0)))
        .expect("there is none");
    let first = store.version();
    assert_eq!(fork.poll().expect("it fits"), first);
    assert!(store.version() > first);
    let end = Version::new(ECHOES);
    assert_eq!(fork.follow_until(end).expect("it fits"), end);
}

#[test]
fn a_fork_follows_a_writer_on_another_thread() {
    let store = filled();
    let mut fork = Fork::new(&store).expect("a sound source");
    let end = Version::new(store.version().get() + 200);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(1);
            while store.version() < end {
                store
                    .update(|tx| work(tx, &mut random))
                    .expect("nobody else writes");
            }
        });
        assert!(fork.follow_until(end).expect("it fits") >= end);
    });
    assert_equal(&store, fork.store());
}

/// It holds no store open: who follows on a thread of its own ends when its source does.
#[test]
fn a_fork_of_a_closed_store_follows_to_its_end() {
    let tasks = |of: &Snapshot| -> Vec<Task> { of.find(keys::<Task>().all()).cloned().collect() };
    for (watch_commits_max, waits) in [(1_000, true), (1_000, false), (4, false)] {
        let store = builder().watch_commits_max(watch_commits_max).build();
        let mut fork = Fork::new(&store).expect("a sound source");
        let follow = move || {
            if waits {
                let end = fork.follow_until(Version::new(u64::MAX));
                assert!(matches!(end, Err(ForkError::Closed)), "{end:?}");
            }
            fork
        };
        let follower = std::thread::spawn(follow);
        let mut random = Random::new(2);
        for _ in 0..50 {
            store
                .update(|tx| work(tx, &mut random))
                .expect("nobody else writes");
        }
        store.reclaim();
        let last = store.snapshot();
        drop(store);
        let mut fork = follower.join().expect("it does not panic");
        if !waits {
            assert_eq!(fork.poll().expect("there is more"), last.version());
        }
        assert!(matches!(fork.poll(), Err(ForkError::Closed)));
        assert_eq!(fork.version(), last.version());
        assert_eq!(tasks(&fork.store().snapshot()), tasks(&last));
    }
}

thread_local! {
    static BREAKS: Cell<bool> = const { Cell::new(false) };
}

/// Cannot be copied where this thread is told so: of three the first, of the next three the second,
/// and so on.
struct Brittle(u64);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        let breaks = BREAKS.get() && self.0 % 3 == self.0 / 3;
        assert!(!breaks, "the test's own panic");
        Self(self.0)
    }
}

impl Object for Brittle {
    type Key = u64;
    const TABLE: &'static str = "brittle";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// A copy that panics is made another time, and so is what its commit had beside it.
#[test]
fn a_copy_that_panics_is_not_left_out() {
    let store = common::builder().table::<Brittle>().build();
    let mut fork = Fork::new(&store).expect("a sound source");
    let objects = |fork: &Fork| fork.store().read().count(keys::<Brittle>().all());
    for commit in 0..3 {
        let created =
            store.update(|tx| (0..3).try_for_each(|at| tx.create(Brittle(commit * 3 + at))));
        assert_eq!(created, Ok(()));
        BREAKS.set(true);
        let polled = catch_unwind(AssertUnwindSafe(|| fork.poll().map(drop)));
        BREAKS.set(false);
        assert!(polled.is_err(), "{polled:?}");
        let followed = fork.poll().expect("nobody else writes");
        assert_eq!(followed, store.version());
        assert_eq!(objects(&fork), 3 * (commit as usize + 1));
    }
    // Nothing is left of what had been copied of that commit before.
    let created = store.update(|tx| tx.create(Brittle(9)));
    assert_eq!(created, Ok(()));
    assert_eq!(fork.poll().expect("it fits"), store.version());
    assert_eq!(objects(&fork), 10);
}

#[test]
fn a_fork_that_somebody_else_wrote_to_says_so_and_mends() {
    let store = filled();
    let mut fork = Fork::new(&store).expect("a sound source");
    let task = Task::new(id("c1"));
    // One write that is in the way, and others that nothing of the source touches again.
    let written = fork.store().update(|tx| {
        tx.create(task.clone())?;
        tx.delete::<Task>(&id("a1"))?;
        tx.modify::<Task>(&id("a2"), |task| task.slot = 9)?;
        tx.create(Task::new(id("c2")))?;
        Ok::<_, Error>(())
    });
    assert_eq!(written, Ok(()));
    store
        .update(|tx| tx.create(task.clone()))
        .expect("a new key");
    let error = fork.poll().expect_err("it is there already");
    assert!(matches!(error, ForkError::Diverged(_)), "{error}");
    fork.poll().expect("by difference it fits");
    assert_equal(&store, fork.store());
}
