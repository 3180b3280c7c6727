//! Writes: a status, a task that comes and goes, 200 and 10,000 statuses at once.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::Throughput;
use skep::cluster::{Task, TaskState};
use skep::{ReplaceError, Store, UpdateError};
use skep_benches::{TASKS, id, pick};
use skep_measure::origin::usual_threads;

use crate::{Cluster, Criterion, by_threads};

/// Tasks that are made to be copied.
const MODELS: u64 = 1024;

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("write");
    by_threads(&mut group, "update_status", || {
        let store = cluster.store();
        let threads = usual_threads().last().map_or(1, |&most| most as u64);
        move |thread, time| {
            // Each thread its own tasks.
            let number = pick(thread, time) / threads * threads + thread;
            update(store, std::iter::once(number), state(time));
        }
    });
    let next = AtomicU64::new(TASKS);
    by_threads(&mut group, "create_delete", || {
        let (tasks, store) = (cluster.tasks(), cluster.store());
        let next = &next;
        // Copied, with a new key each: to write a task's texts is not the store's work.
        let models: Vec<_> = (TASKS..TASKS + MODELS).map(|it| tasks.task(it)).collect();
        move |_, _| {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let (id, model) = (id(number), &models[(number % MODELS) as usize]);
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
    });
    for changes in [200, 10_000] {
        group.throughput(Throughput::Elements(changes));
        group.bench_function(format!("one_transaction_of_{changes}"), |bencher| {
            let store = cluster.store();
            let mut times = 0u64..;
            bencher.iter(|| {
                let time = times.next().unwrap_or(0);
                let first = pick(0, time);
                update(store, first..first + changes, state(time));
            });
        });
    }
    group.bench_function("batch_of_10000", |bencher| {
        let store = cluster.store();
        let mut times = 0u64..;
        bencher.iter(|| batch(store, times.next().unwrap_or(0)));
    });
    group.finish();
}

/// One that differs from that of the time before.
pub fn state(time: u64) -> TaskState {
    if time.is_multiple_of(2) {
        TaskState::Starting
    } else {
        TaskState::Running
    }
}

/// Sets the observed state of tasks in one transaction.
pub fn update(store: &Store, numbers: impl Iterator<Item = u64> + Clone, state: TaskState) {
    let updated = store.update(|tx| {
        for number in numbers.clone() {
            let modified = tx.modify::<Task>(&id(number % TASKS), |task| task.status.state = state);
            modified.expect("it is there");
        }
        Ok::<_, Infallible>(())
    });
    updated.expect("attempts are not limited");
}

/// Sets the observed state of 10,000 tasks, in as many commits as it takes.
pub fn batch(store: &Store, time: u64) {
    let first = pick(0, time);
    let done = store.batch(|batch| {
        (first..first + 10_000).try_for_each(|number| {
            batch.step(move |tx| {
                tx.modify::<Task>(&id(number % TASKS), |task| task.status.state = state(time))
            })
        })?;
        Ok::<_, UpdateError<ReplaceError>>(())
    });
    done.expect("the tasks are there");
}
