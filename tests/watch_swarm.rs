//! Many watchers of all kinds: each is given exactly its own, whoever delivers, and whoever comes
//! and goes meanwhile.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use common::{Random, Task, counted, put, scaled, store, task};
use skep::{
    AnyChange, Delivery, Error, Event, Filter, Overflow, Snapshot, Store, Version, WatchError,
    Watcher, keys,
};

const NODES: u64 = 6;
const IDS: u64 = 60;

/// A way to watch: a filter, and whether an object is among what it is about.
struct Way {
    filter: fn() -> Filter,
    has: fn(&Task) -> bool,
}

fn on(node: u64) -> impl Fn(&Task) -> bool {
    move |task| task.node == Some(node)
}

/// Each kind of watcher: reading the log, and delivered to by each kind of route and bound.
const WAYS: &[Way] = &[
    Way {
        filter: Filter::all,
        has: |_| true,
    },
    Way {
        filter: || Filter::of::<Task>().key(&7).into(),
        has: |task| task.id == 7,
    },
    Way {
        filter: || Filter::of::<Task>().value(Task::BY_NODE, 2u64).into(),
        has: |task| on(2)(task),
    },
    Way {
        filter: || {
            let two = Filter::of::<Task>().value(Task::BY_NODE, 1u64);
            two.value(Task::BY_NODE, 4u64).into()
        },
        has: |task| on(1)(task) || on(4)(task),
    },
    Way {
        filter: || {
            let nodes = Task::BY_NODE.any_of([0u64, 5]);
            Filter::of::<Task>().meets(nodes).into()
        },
        has: |task| on(0)(task) || on(5)(task),
    },
    Way {
        filter: || {
            let found = Task::BY_TAG.eq("even").and(Task::BY_NODE.range(2..));
            Filter::of::<Task>().meets(found).into()
        },
        has: |task| task.tags.contains(&"even".to_owned()) && task.node >= Some(2),
    },
    Way {
        filter: || {
            let key = Filter::of::<Task>().key(&3);
            key.or(Filter::of::<Task>().value(Task::BY_NODE, 3u64))
        },
        has: |task| task.id == 3 || on(3)(task),
    },
    Way {
        filter: || {
            let all = Filter::of::<Task>().meets(keys::<Task>().range(..20));
            all.when_object(|task| task.id < 20).into()
        },
        has: |task| task.id < 20,
    },
    Way {
        filter: || Filter::all().events_max(500),
        has: |_| true,
    },
    Way {
        filter: || Filter::of::<Task>().events_max(4),
        has: |_| true,
    },
    Way {
        filter: || {
            let node = Filter::of::<Task>().value(Task::BY_NODE, 2u64);
            node.events_max(30).overflow(Overflow::Coalesce)
        },
        has: |task| on(2)(task),
    },
    Way {
        filter: || {
            Filter::of::<Task>()
                .bytes_max(4000)
                .overflow(Overflow::Close)
        },
        has: |_| true,
    },
];

/// A copy of what a way is about, and who keeps it up to date.
struct Copy<'w> {
    way: &'w Way,
    watcher: Watcher,
    tasks: BTreeMap<u64, Task>,
    last: Version,
}

impl<'w> Copy<'w> {
    fn begin(store: &Store, way: &'w Way) -> Self {
        let (snapshot, watcher) = store.snapshot_and_watch((way.filter)());
        Self {
            way,
            watcher,
            tasks: content(&snapshot, way),
            last: snapshot.version(),
        }
    }

    /// As a session that was away: a watcher from the version of an older snapshot.
    fn rejoin(store: &Store, way: &'w Way, from: &Snapshot) -> Self {
        let watcher = store.watch_from(from.version(), (way.filter)());
        Self {
            way,
            watcher: watcher.expect("the history has it"),
            tasks: content(from, way),
            last: from.version(),
        }
    }

    /// Which way it goes, for messages.
    fn at(&self) -> usize {
        let same = |way: &Way| std::ptr::eq(way, self.way);
        WAYS.iter().position(same).expect("one of them")
    }

    fn take(&mut self, any: &AnyChange) {
        let Some(change) = any.of::<Task>() else {
            return;
        };
        let has = |task: &&Task| (self.way.has)(task);
        let (old, new) = (change.old().filter(has), change.new().filter(has));
        if let Some(old) = old {
            let before = self.tasks.remove(&old.id);
            assert_eq!(
                before.as_ref(),
                Some(old),
                "{} {} {any:?}",
                self.at(),
                self.last
            );
        }
        if let Some(new) = new {
            let before = self.tasks.insert(new.id, new.clone());
            assert_eq!(before, None, "{} {} {any:?}", self.at(), self.last);
        }
    }

    /// Goes back to where it lagged, often when it has been given some of what comes after that.
    /// False: it has lagged again meanwhile.
    fn resume(&mut self, random: &mut Random) -> bool {
        for _ in 0..random.below(8) {
            match self.watcher.try_recv() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        self.watcher.resume().expect("the history has it");
        true
    }

    /// Takes what is there. False: it was told that it is not whole any more.
    fn follow(&mut self, random: &mut Random) -> bool {
        loop {
            match self.watcher.try_recv() {
                Ok(Some(Event::Change(change))) => {
                    assert!(change.version() > self.last, "nothing twice");
                    self.take(&change);
                }
                Ok(Some(Event::Commit(version))) => {
                    assert!(version > self.last, "in order");
                    self.last = version;
                }
                Ok(None) => return true,
                Err(WatchError::Lagged { missed, .. }) => {
                    assert!(missed > 0);
                    if random.one_in(3) || !self.resume(random) {
                        return false;
                    }
                }
                Err(WatchError::Overflowed) => return false,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn content(snapshot: &Snapshot, way: &Way) -> BTreeMap<u64, Task> {
    let all = snapshot.find(keys::<Task>().all());
    let own = all.filter(|task| (way.has)(task));
    own.map(|task| (task.id, task.clone())).collect()
}

/// Writes tasks at random: some come, some go, some move, several in a commit.
fn write(store: &Store, seed: u64, commits: usize) {
    let mut random = Random::new(seed);
    for count in 0..commits as i64 {
        let moves: Vec<(u64, u64, u64)> = (0..=random.below(3))
            .map(|_| (random.below(IDS), random.below(NODES + 1), random.below(8)))
            .collect();
        let written = store.update(|tx| {
            for &(id, node, what) in &moves {
                if what == 0 && tx.get::<Task>(&id).is_some() {
                    tx.delete::<Task>(&id)?;
                } else {
                    let tag = if what % 2 == 0 { "even" } else { "odd" };
                    tx.upsert(Task {
                        node: (node < NODES).then_some(node),
                        tags: vec![tag.to_owned()],
                        ..counted(id, count)
                    })?;
                }
            }
            Ok::<_, Error>(())
        });
        written.expect("attempts enough");
    }
}

/// Watchers of all ways, joining and leaving at random, beside writers.
fn check_copies(delivery: Delivery, shards: usize) {
    let builder = common::builder().table::<Task>().history_commits(100_000);
    let store = builder
        .watch_delivery(delivery)
        .watch_shards(shards)
        .build();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (store, done) = (&store, &done);
        let writers: Vec<_> = (0..3)
            .map(|seed| scope.spawn(move || write(store, seed, scaled(400, 4000))))
            .collect();
        for thread in 0..3 {
            scope.spawn(move || follow_all(store, 100 + thread, done));
        }
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    store.reclaim();
    let stats = store.stats();
    let tasks = store.read().count(keys::<Task>().all()) as u64;
    assert_eq!(stats.watchers, 0, "{stats:?}");
    assert!(stats.versions >= tasks);
    assert!(store.watchers().is_empty());
}

fn follow_all(store: &Store, seed: u64, done: &AtomicBool) {
    let mut random = Random::new(seed);
    let mut copies: Vec<Copy<'_>> = WAYS.iter().map(|way| Copy::begin(store, way)).collect();
    let mut before = store.snapshot();
    while !done.load(Ordering::Acquire) {
        for copy in &mut copies {
            match random.below(40) {
                // Some are slow.
                0..20 => {}
                20 => *copy = Copy::begin(store, copy.way),
                21 => *copy = Copy::rejoin(store, copy.way, &before),
                22 => before = store.snapshot(),
                _ if copy.follow(&mut random) => {}
                _ => *copy = Copy::begin(store, copy.way),
            }
        }
    }
    let last = store.snapshot();
    for mut copy in copies {
        if copy.follow(&mut random) {
            assert_eq!(copy.tasks, content(&last, copy.way));
            assert!(copy.watcher.position() <= store.version());
        }
    }
}

#[test]
fn copies_are_exact_if_committers_deliver() {
    check_copies(Delivery::Committers, 1);
}

#[test]
fn copies_are_exact_if_receivers_deliver() {
    check_copies(Delivery::Receivers, 3);
}

#[test]
fn copies_are_exact_if_threads_deliver() {
    check_copies(Delivery::Threads, 2);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wakes {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn a_hundred_thousand_watchers_are_each_given_their_own() {
    let store = store();
    let watchers = scaled(100_000, 100_000) as u64;
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut all: Vec<Watcher> = (0..watchers)
        .map(|node| store.watch(Filter::of::<Task>().value(Task::BY_NODE, node)))
        .collect();
    for watcher in &mut all {
        assert!(watcher.poll_recv(&mut context).is_pending());
    }
    assert_eq!(store.stats().watchers as u64, watchers);
    let told = [0, 1, 777, watchers / 2, watchers - 1];
    for node in told {
        put(
            &store,
            [Task {
                node: Some(node),
                ..task(node)
            }],
        );
        // And one that nobody asked for.
        put(&store, [task(watchers + node)]);
    }
    // Only who was told something was woken.
    assert_eq!(wakes.count(), told.len());
    let mut given = Vec::new();
    for (node, watcher) in all.iter_mut().enumerate() {
        while let Poll::Ready(event) = watcher.poll_recv(&mut context) {
            if let Event::Change(change) = event.expect("no lag") {
                given.push((node as u64, change.new_object::<Task>().expect("a task").id));
            }
        }
    }
    assert!(given.into_iter().eq(told.map(|node| (node, node))));
    // The log is kept for none of them.
    store.reclaim();
    assert_eq!(store.stats().log_commits, 0);
    drop(all);
    assert_eq!(store.stats().watchers, 0);
    assert!(store.watchers().is_empty());
}

#[test]
fn one_change_for_many_is_delivered_to_all_of_them() {
    for delivery in [Delivery::Committers, Delivery::Receivers, Delivery::Threads] {
        let builder = common::builder().table::<Task>();
        let store = builder.watch_delivery(delivery).watch_shards(2).build();
        let filter = || Filter::of::<Task>().value(Task::BY_NODE, 1u64);
        // More than a committer delivers to.
        let mut all: Vec<Watcher> = (0..3000).map(|_| store.watch(filter())).collect();
        for round in 1..=3 {
            put(
                &store,
                [Task {
                    node: Some(1),
                    ..counted(1, round)
                }],
            );
        }
        for watcher in all.iter_mut().rev() {
            for version in 1..=3 {
                let commit = watcher.recv_commit().unwrap();
                assert_eq!((commit.version.get(), commit.changes.len()), (version, 1));
            }
            assert!(watcher.try_recv().unwrap().is_none());
        }
    }
}

#[test]
fn a_sleeping_watcher_is_woken_by_its_own_and_by_the_closing() {
    for delivery in [Delivery::Committers, Delivery::Receivers, Delivery::Threads] {
        let builder = common::builder().table::<Task>();
        let store = builder.watch_delivery(delivery).build();
        let mut watcher = store.watch(Filter::of::<Task>().key(&1));
        let waiting = std::thread::spawn(move || {
            let mut versions = Vec::new();
            for event in watcher.iter() {
                versions.push(event.unwrap().version().get());
            }
            versions
        });
        for count in 0..50 {
            put(&store, [counted(1, count)]);
            put(&store, [counted(2, count)]);
            if count % 10 == 0 {
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        drop(store);
        let given = waiting.join().unwrap();
        let expected = (0..50).flat_map(|count| [2 * count + 1; 2]);
        assert!(given.into_iter().eq(expected));
    }
}

#[test]
fn threads_that_deliver_end_with_the_store() {
    let store = common::builder()
        .table::<Task>()
        .watch_delivery(Delivery::Threads)
        .watch_shards(4)
        .build();
    let mut watcher = store.watch(Filter::of::<Task>().key(&1));
    put(&store, [task(1)]);
    assert!(watcher.recv().is_ok());
    let named = || {
        let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names.filter(|name| name.starts_with("skep-watch")).count()
    };
    if named() == 0 {
        // No such list on this system.
        return;
    }
    drop((watcher, store));
    // However long it takes, they end; the others of this file's threads with theirs.
    let patience = Instant::now() + Duration::from_secs(60);
    while named() > 0 && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(named(), 0);
}
