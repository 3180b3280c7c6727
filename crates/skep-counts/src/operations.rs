//! What is counted: the store's operations, each on its own, on a store of tasks with an index.

use skep::counted::{Access, record};
use skep::{Error, Filter, Id, Index, Indexes, Object, Store, Transaction, Watcher, keys};

use crate::tally::Tally;

/// Tasks in the store.
pub const TASKS: u64 = 20_000;
/// Services that they are of.
pub const SERVICES: u64 = 2_000;
/// Operations that are counted.
pub const TIMES: u64 = 10_000;

/// A task of one index, which updates do not change.
#[derive(Clone, Debug)]
pub struct Task {
    /// The key.
    pub id: Id,
    /// What it is found by.
    pub service: Id,
    /// What updates change.
    pub count: u64,
}

impl Task {
    /// Tasks of a service.
    pub const BY_SERVICE: Index<Self, Id> =
        Index::new("by_service", |task: &Self, keys| keys.add(task.service));

    /// Task `number`.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self {
            id: id(number),
            service: id(number % SERVICES),
            count: 0,
        }
    }
}

impl Object for Task {
    type Key = Id;
    const TABLE: &'static str = "task";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_SERVICE);
    }
}

/// The id of a number, spread over all ids by an odd multiplier.
#[must_use]
pub fn id(number: u64) -> Id {
    let spread = u128::from(number + 1);
    Id::from_u128(spread.wrapping_mul(0x9e37_79b9_7f4a_7c15_d6e8_feb8_6659_fd93))
}

/// A store of [`TASKS`] tasks.
///
/// # Panics
/// If a task cannot be created.
#[must_use]
pub fn store() -> Store {
    let store = Store::builder().table::<Task>().build();
    for number in 0..TASKS {
        let created = store.update(|tx| tx.create(Task::new(number)));
        created.expect("a new key");
    }
    store
}

/// A commit that changes the tasks of these numbers.
///
/// # Panics
/// If something is in the way: the caller is alone with its tasks.
pub fn change(store: &Store, numbers: impl Iterator<Item = u64> + Clone) {
    let changed = store.update(|tx| modify(tx, numbers.clone()));
    changed.expect("nobody is in the way");
}

/// Changes tasks in a transaction.
///
/// # Errors
/// Those of the transaction.
pub fn modify(
    tx: &mut Transaction<'_>,
    mut numbers: impl Iterator<Item = u64>,
) -> Result<(), Error> {
    numbers.try_for_each(|number| Ok(tx.modify::<Task>(&id(number), |task| task.count += 1)?))
}

fn count(times: u64, mut run: impl FnMut(u64) -> Vec<Access>) -> Tally {
    let mut tally = Tally::default();
    for time in 0..times {
        tally.add(&run(time));
    }
    tally
}

fn counted(run: impl FnMut(u64)) -> Tally {
    let mut run = run;
    count(TIMES, |time| record(|| run(time)).1)
}

/// An operation, and what it did.
pub type Counted = (&'static str, Tally);

/// All operations, counted one after the other on one thread, that nobody disturbs.
#[must_use]
pub fn all() -> Vec<Counted> {
    let mut all = reads();
    all.extend(writes());
    all.extend(watches());
    all
}

/// Reads: their counts are exact.
///
/// # Panics
/// If a task is not there.
#[must_use]
pub fn reads() -> Vec<Counted> {
    let store = store();
    let picked = |time: u64| id(time * 7 % TASKS);
    // The thread's first use of the store registers it.
    let view = store.read();
    let get = counted(|time| assert!(view.get::<Task>(&picked(time)).is_some()));
    let find = counted(|time| {
        let query = Task::BY_SERVICE.eq(id(time % SERVICES));
        assert_eq!(view.find(query).count() as u64, TASKS / SERVICES);
    });
    let scan = counted(|_| assert_eq!(view.find(keys::<Task>().all().limit(100)).count(), 100));
    drop(view);
    let snapshot = store.snapshot();
    let get_owned = counted(|time| assert!(snapshot.get::<Task>(&picked(time)).is_some()));
    drop(snapshot);
    vec![
        ("get, in a view", get),
        ("find 10 by an index, in a view", find),
        ("scan of 100, in a view", scan),
        ("get, in a snapshot", get_owned),
        ("read() and its end", counted(|_| drop(store.read()))),
        (
            "snapshot() and its end",
            counted(|_| drop(store.snapshot())),
        ),
        ("begin() and roll back", counted(|_| drop(store.begin()))),
    ]
}

/// Commits: collection, which they do in turns, makes their counts vary.
///
/// # Panics
/// If a commit fails.
#[must_use]
pub fn writes() -> Vec<Counted> {
    let store = store();
    let commit = counted(|time| change(&store, std::iter::once(time * 7 % TASKS)));
    let ten = counted(|time| change(&store, (0..10).map(|more| (time * 70 + more * 7) % TASKS)));
    let create = counted(|time| {
        let created = store.update(|tx| tx.create(Task::new(TASKS + time)));
        created.expect("a new key");
    });
    let delete = counted(|time| {
        let deleted = store.update(|tx| tx.delete::<Task>(&id(TASKS + time)));
        deleted.expect("it is there");
    });
    vec![
        ("commit of 1 update", commit),
        ("commit of 10 updates", ten),
        ("commit of 1 create", create),
        ("commit of 1 delete", delete),
        ("batch of 200 updates", batch(&store)),
    ]
}

/// A batch of 200 updates.
fn batch(store: &Store) -> Tally {
    const STEPS: u64 = 200;
    count(TIMES / STEPS, |time| {
        let numbers = (0..STEPS).map(|step| (time * STEPS + step) * 7 % TASKS);
        record(|| {
            let done = store.batch::<Error>(|batch| {
                let mut numbers = numbers.clone();
                numbers.try_for_each(|number| {
                    batch.step(move |tx| modify(tx, std::iter::once(number)))
                })
            });
            done.expect("nobody is in the way");
        })
        .1
    })
}

/// Who watches while commits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Everything, from the log; each has received all that there was.
    Everything,
    /// A task each, that is not changed: delivered to a mailbox.
    OtherTasks,
}

/// A commit of one update with so many watchers, who sleep on nothing and have nothing to receive.
///
/// # Panics
/// If a commit or a receipt fails.
#[must_use]
pub fn commit_beside(watchers: u64, watching: Watching, times: u64) -> Tally {
    let store = store();
    let filter = |number| match watching {
        Watching::Everything => Filter::all(),
        Watching::OtherTasks => Filter::of::<Task>().key(&id(TASKS + number)).into(),
    };
    let mut watchers: Vec<Watcher> = (0..watchers).map(|it| store.watch(filter(it))).collect();
    count(times, |time| {
        let (_, accesses) = record(|| change(&store, std::iter::once(time * 7 % TASKS)));
        watchers.iter_mut().for_each(receive_all);
        accesses
    })
}

/// Commits of one update each, of a few tasks that have been updated often: without, and beside a
/// snapshot that is held for long.
///
/// # Panics
/// As [`change`].
#[must_use]
pub fn commits_and_beside_a_snapshot() -> [Tally; 2] {
    let store = store();
    let times = || counted(|time| change(&store, std::iter::once(time % 100)));
    let without = times();
    let _held = store.snapshot();
    // It is not held for long yet.
    let _ = times();
    [without, times()]
}

/// Receives all that there is.
///
/// # Panics
/// If the watcher lags, or is at its end.
pub fn receive_all(watcher: &mut Watcher) {
    while watcher.try_recv().expect("it does not lag").is_some() {}
}

/// What receiving one event does; the commit is not counted.
#[must_use]
pub fn watches() -> Vec<Counted> {
    let received = |filter: Filter| {
        let store = store();
        let mut watcher = store.watch(filter);
        count(TIMES, |time| {
            change(&store, std::iter::once(time % 2));
            record(|| receive_all(&mut watcher)).1
        })
    };
    let of_two = Filter::of::<Task>().key(&id(0)).key(&id(1));
    vec![
        ("recv of 1 event, from the log", received(Filter::all())),
        ("recv of 1 event, from a mailbox", received(of_two.into())),
    ]
}
