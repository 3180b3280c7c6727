//! What a cluster's programs do with its store, operation by operation: what the bench `cluster`
//! and the program `memdb` measure. Each gets the time, and where threads differ the thread's
//! number.

use std::cell::OnceCell;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use skep::cluster::{Task, TaskState};
use skep::{Condition, Query, ReplaceError, Snapshot, Store, UpdateError, keys};

use crate::cluster::{Sizes, Tasks};
use crate::{TASKS, id, pick};

/// Tasks that are made to be copied.
const MODELS: u64 = 1024;
/// Changes of a large batch.
pub const BATCH: u64 = 10_000;

/// A cluster, made when it is first asked for.
#[derive(Debug)]
pub struct Cluster {
    sizes: Sizes,
    made: OnceCell<(Tasks, Store)>,
}

impl Cluster {
    /// One of these sizes.
    #[must_use]
    pub fn of(sizes: Sizes) -> Self {
        let made = OnceCell::new();
        Self { sizes, made }
    }

    /// How many of what there are.
    #[must_use]
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Its tasks.
    pub fn tasks(&self) -> &Tasks {
        &self.made().0
    }

    /// Its store.
    pub fn store(&self) -> &Store {
        &self.made().1
    }

    fn made(&self) -> &(Tasks, Store) {
        self.made.get_or_init(|| {
            let tasks = Tasks::of(self.sizes);
            let store = tasks.store();
            (tasks, store)
        })
    }
}

/// Looks at a task in a view of its own.
pub fn get(store: &Store, thread: u64, time: u64) {
    let view = store.read();
    let task = view.get::<Task>(&id(pick(thread, time)));
    black_box(task.map(|task| task.slot));
}

/// Looks at the tasks of a node.
pub fn of_node(tasks: &Tasks, view: &Snapshot, time: u64) -> u64 {
    slots(view, Task::BY_NODE.eq(tasks.node_id(pick(0, time))))
}

/// Looks at the tasks of a service.
pub fn of_service(tasks: &Tasks, view: &Snapshot, time: u64) -> u64 {
    slots(view, Task::BY_SERVICE.eq(tasks.service_id(pick(0, time))))
}

/// Looks at the task in a slot of a usual cluster.
pub fn in_slot(tasks: &Tasks, view: &Snapshot, time: u64) -> u64 {
    let number = pick(0, time);
    let slot = number / Sizes::USUAL.services + 1;
    slots(view, Task::BY_SLOT.eq((tasks.service_id(number), slot)))
}

/// Looks at all tasks.
pub fn all(view: &Snapshot) -> u64 {
    slots(view, keys::<Task>().all())
}

/// Looks at each task that a query finds.
fn slots<C: Condition<Task>>(view: &Snapshot, query: Query<Task, C>) -> u64 {
    view.find(query).map(|task| task.slot).sum()
}

/// Gives a task another wanted state than it has: a write of the same one would leave its index
/// entries as they are. Not an observed one, which is indexed alike, but only moves up.
fn change_state(task: &mut Task) {
    task.desired_state = match task.desired_state {
        TaskState::Running => TaskState::Shutdown,
        _ => TaskState::Running,
    };
}

/// Changes the wanted state of tasks in one transaction.
///
/// # Panics
/// If a task is not there.
pub fn update(store: &Store, numbers: impl Iterator<Item = u64> + Clone) {
    let updated = store.update(|tx| {
        for number in numbers.clone() {
            let modified = tx.modify::<Task>(&id(number % TASKS), change_state);
            modified.expect("it is there");
        }
        Ok::<_, Infallible>(())
    });
    updated.expect("attempts are not limited");
}

/// The same of one task; each of `threads` threads has its own ones.
pub fn update_own(store: &Store, threads: u64, thread: u64, time: u64) {
    let number = pick(thread, time) / threads * threads + thread;
    update(store, std::iter::once(number));
}

/// The same of as many as are asked for, in one transaction.
pub fn update_many(store: &Store, changes: u64, time: u64) {
    let first = pick(0, time);
    update(store, first..first + changes);
}

/// Changes the wanted state of 10,000 tasks, in as many commits as it takes.
///
/// # Panics
/// If a task is not there.
pub fn batch(store: &Store, time: u64) {
    let first = pick(0, time);
    let done = store.batch(|batch| {
        (first..first + BATCH).try_for_each(|number| {
            batch.step(move |tx| tx.modify::<Task>(&id(number % TASKS), change_state))
        })?;
        Ok::<_, UpdateError<ReplaceError>>(())
    });
    done.expect("the tasks are there");
}

/// Tasks that come and go. They are copied, with a new key each: to write a task's texts is not the
/// store's work.
#[derive(Debug)]
pub struct Passing {
    models: Vec<Task>,
    next: AtomicU64,
}

impl Passing {
    /// Tasks of a cluster.
    #[must_use]
    pub fn of(tasks: &Tasks) -> Self {
        let models = (TASKS..TASKS + MODELS).map(|number| tasks.task(number));
        let models = models.collect();
        let next = AtomicU64::new(TASKS);
        Self { models, next }
    }

    /// Creates one in a transaction, and deletes it in the next one.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn create_and_delete(&self, store: &Store) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (id, model) = (id(number), &self.models[(number % MODELS) as usize]);
        let created = store.update(|tx| {
            tx.create(Task {
                id,
                ..model.clone()
            })
        });
        created.expect("a new key");
        let deleted = store.update(|tx| tx.delete::<Task>(&id));
        deleted.expect("it was created");
    }
}
