//! What is measured, and how: the bytes that are allocated after, less those before, for each.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::task::{Context, Waker};

use skep::cluster::{Task, TaskState};
use skep::{Filter, Id, Store, Watcher, keys};
use skep_benches::cluster::{Sizes, Tasks};
use skep_benches::id;
use skep_measure::memory::bytes;

use crate::things::{OBJECTS, TABLES, Thing, VALUES, by, tables};

/// Watchers, snapshots or transactions at once.
const HANDLES: u64 = 10_000;
/// Threads at once.
const THREADS: usize = 64;
/// Commits of a thread.
const COMMITS: u64 = 1_000;

/// What something takes.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub what: &'static str,
    /// Bytes of each.
    pub bytes: f64,
    /// At most, where a target was set.
    pub asked: Option<f64>,
}

fn row(what: &'static str, bytes: f64) -> Row {
    Row {
        what,
        bytes,
        asked: None,
    }
}

fn asked(what: &'static str, bytes: f64, asked: f64) -> Row {
    Row {
        what,
        bytes,
        asked: Some(asked),
    }
}

/// Bytes that something takes, of each of so many; and the thing itself.
fn measured<R>(count: u64, make: impl FnOnce() -> R) -> (f64, R) {
    let before = bytes();
    let made = make();
    ((bytes() - before) as f64 / count as f64, made)
}

/// Bytes of an object of a store beyond its own size.
fn object<const BY: u8>() -> f64 {
    let (each, store) = measured(OBJECTS, Thing::<BY>::store);
    drop(store);
    each - size_of::<Thing<BY>>() as f64
}

/// Objects and index entries.
pub fn objects() -> Vec<Row> {
    let bare = object::<{ by::KEY }>();
    let many = (object::<{ by::MANY }>() - bare) / VALUES as f64;
    vec![
        asked("object, by its key alone, beyond itself", bare, 160.0),
        row("index entry, not unique", object::<{ by::NUMBER }>() - bare),
        row("index entry, unique", object::<{ by::UNIQUE }>() - bare),
        row("index entry, of four an object", many),
        row(
            "index entry, a text of 14 bytes",
            object::<{ by::TEXT }>() - bare,
        ),
    ]
}

type Plain = Thing<{ by::KEY }>;

/// What changes leave.
pub fn changes() -> Vec<Row> {
    const CHANGES: u64 = 2 * OBJECTS;
    let builder = Store::builder().table::<Plain>();
    let store = builder.history_commits(2 * CHANGES).build();
    let own = size_of::<Plain>() as f64;
    Plain::fill(&store);
    let change = |store: &Store, changes| {
        Plain::change(store, changes);
        store.reclaim();
    };
    let (kept, ()) = measured(CHANGES, || change(&store, CHANGES));
    let store = Plain::store();
    let snapshot = store.snapshot();
    let (beside, ()) = measured(OBJECTS, || change(&store, OBJECTS));
    let (again, ()) = measured(OBJECTS, || change(&store, 10 * OBJECTS));
    drop(snapshot);
    vec![
        row(
            "change in the history, beyond the object before it",
            kept - own,
        ),
        row(
            "version that a held snapshot keeps, beyond itself",
            beside - own,
        ),
        row("the same, of ten more changes of each object", again),
    ]
}

type Numbered = Thing<{ by::NUMBER }>;

/// As many watchers as are measured.
fn watch(store: &Store, filter: impl Fn(u64) -> Filter) -> Vec<Watcher> {
    let watchers = (0..HANDLES).map(|number| store.watch(filter(number)));
    watchers.collect()
}

/// What watchers take.
pub fn watchers() -> Vec<Row> {
    let store = Numbered::store();
    let of_key = |number| Filter::of::<Numbered>().key(&id(number)).into();
    let of_value = |number| {
        Filter::of::<Numbered>()
            .value(Numbered::NUMBER, number)
            .into()
    };
    let change = || {
        Numbered::change(&store, HANDLES);
        store.reclaim();
    };
    // What the first ones need, and what changes leave, stays.
    drop(watch(&store, |_| Filter::all()));
    drop(watch(&store, of_key));
    change();
    let (reader, readers) = measured(HANDLES, || watch(&store, |_| Filter::all()));
    drop(readers);
    let (of_value, mailboxes) = measured(HANDLES, || watch(&store, of_value));
    drop(mailboxes);
    let (idle, mut mailboxes) = measured(HANDLES, || watch(&store, of_key));
    let (letter, ()) = measured(HANDLES, change);
    let (taken, ()) = measured(HANDLES, || {
        for watcher in &mut mailboxes {
            while watcher.try_recv().expect("it does not lag").is_some() {}
        }
        store.reclaim();
    });
    let received = idle + letter + taken;
    let (waiting, ()) = measured(HANDLES, || {
        let mut context = Context::from_waker(Waker::noop());
        for watcher in &mut mailboxes {
            assert!(watcher.poll_recv(&mut context).is_pending());
        }
    });
    vec![
        asked("watcher of everything, idle", reader, 300.0),
        asked("watcher of an index value, idle", of_value, 300.0),
        asked("watcher of a key, idle", idle, 300.0),
        row(
            "the same with a change of a key waiting for it",
            idle + letter,
        ),
        row("the same when it has received that", received),
        row(
            "the same when a task waits for the next",
            received + waiting,
        ),
    ]
}

/// What open snapshots, transactions and views take.
pub fn handles() -> Vec<Row> {
    let store = Plain::store();
    let (snapshot, snapshots) = measured(HANDLES, || {
        (0..HANDLES).map(|_| store.snapshot()).collect::<Vec<_>>()
    });
    drop(snapshots);
    let (transaction, transactions) = measured(HANDLES, || {
        (0..HANDLES).map(|_| store.begin()).collect::<Vec<_>>()
    });
    drop(transactions);
    let (reading, transactions) = measured(HANDLES, || {
        let begin = |number| {
            let transaction = store.begin();
            assert!(transaction.get::<Plain>(&id(number)).is_some());
            transaction
        };
        (0..HANDLES).map(begin).collect::<Vec<_>>()
    });
    drop(transactions);
    vec![
        row("snapshot, open", snapshot),
        row("transaction, open, nothing read", transaction),
        row("transaction, open, one object read", reading),
    ]
}

/// What a store, a table and a thread take.
pub fn fixed() -> Vec<Row> {
    let (one, store) = measured(1, || tables(false));
    drop(store);
    let (all, store) = measured(1, || tables(true));
    drop(store);
    let table = (all - one) / (TABLES - 1) as f64;
    let store = Plain::store();
    let idle = thread(|_| ());
    let reads = thread(|number| {
        let read = store.read();
        black_box(read.get::<Plain>(&id(number)));
    });
    let commits = thread(|number| {
        for time in 0..COMMITS {
            let own = id((number + time * THREADS as u64) % OBJECTS);
            let changed = store.update(|tx| tx.modify::<Plain>(&own, |thing| thing.count += 1));
            changed.expect("tasks of its own");
        }
    });
    vec![
        row("store of one empty table", one),
        row("each further table, empty", table),
        row("thread that has read", reads - idle),
        row("thread that has committed 1,000 times", commits - idle),
    ]
}

/// Bytes of a thread that has done something, and lives. They do it one after the other: a thread
/// that is stopped amid it would keep what others retire.
fn thread(run: impl Fn(u64) + Sync) -> f64 {
    let barrier = Barrier::new(THREADS + 1);
    let mut each = 0.0;
    std::thread::scope(|scope| {
        let before = bytes();
        for number in 0..THREADS as u64 {
            let (run, barrier) = (&run, &barrier);
            let (done, is_done) = channel();
            scope.spawn(move || {
                run(number);
                done.send(()).expect("it is waited for");
                drop(done);
                barrier.wait();
            });
            is_done.recv().expect("it does what it is to do");
        }
        each = (bytes() - before) as f64 / THREADS as f64;
        barrier.wait();
    });
    each
}

/// What a task of the cluster takes with all of its indexes, beyond what it takes on its own.
pub fn cluster(tasks: u64) -> Vec<Row> {
    let sizes = Sizes {
        tasks,
        nodes: tasks / 20,
        services: tasks / 1_000,
    };
    let tasks = Tasks::of(sizes);
    let (own, all) = measured(sizes.tasks, || tasks.all().collect::<Vec<_>>());
    let (vector, copy) = measured(sizes.tasks, || Vec::<Task>::with_capacity(all.len()));
    drop((all, copy));
    let (stored, store) = measured(sizes.tasks, || tasks.store());
    let inline = size_of::<Task>() as f64;
    // In the vector each takes its place; what it points to is its own as well.
    let own = own - vector + inline;
    let (updated, ()) = measured(sizes.tasks, || pass_to(&store, TaskState::Shutdown));
    let rows = vec![
        row("task of the cluster, on its own", own),
        asked(
            "the same stored, all indexes, beyond itself",
            stored - own,
            1_000.0,
        ),
        row("what more it takes when it has been updated", updated),
    ];
    drop(store);
    rows
}

/// Gives each task another wanted state, and lets go of what that replaces.
fn pass_to(store: &Store, state: TaskState) {
    let ids: Vec<Id> = store
        .read()
        .find(keys::<Task>().all())
        .map(|task| task.id)
        .collect();
    for id in ids {
        let passed = store.update(|tx| tx.modify::<Task>(&id, |task| task.desired_state = state));
        passed.expect("it is there");
    }
    store.reclaim();
}
