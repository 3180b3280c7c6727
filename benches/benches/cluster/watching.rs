//! A snapshot and a watcher of what follows: alone, and with what an agent or a scheduler reads
//! first. And updates, while each node has its watcher or nobody watches; delivered by committers,
//! and by a thread.

use std::cell::OnceCell;
use std::time::Duration;

use criterion::BenchmarkId;
use skep::cluster::Task;
use skep::{Delivery, Filter, Store, keys};
use skep_benches::load::{Cluster, update};
use skep_benches::pick;
use skep_benches::watchers::BATCH;
use skep_benches::watchers::executor::Executor;
use skep_measure::clock::Clock;

use crate::{Criterion, Group};

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("snapshot_and_watch");
    group.bench_function("empty", |bencher| {
        let (tasks, store) = (cluster.tasks(), cluster.store());
        let mut numbers = 0u64..;
        bencher.iter(|| {
            let node = tasks.node_id(pick(0, numbers.next().unwrap_or(0)));
            store.snapshot_and_watch(Filter::of::<Task>().value(Task::BY_NODE, node))
        });
    });
    group.bench_function("node_20", |bencher| {
        let (tasks, store) = (cluster.tasks(), cluster.store());
        let mut numbers = 0u64..;
        bencher.iter(|| {
            let node = tasks.node_id(pick(0, numbers.next().unwrap_or(0)));
            let filter = Filter::of::<Task>().value(Task::BY_NODE, node);
            let (snapshot, watcher) = store.snapshot_and_watch(filter);
            let read: u64 = snapshot
                .find(Task::BY_NODE.eq(node))
                .map(|task| task.slot)
                .sum();
            (read, watcher)
        });
    });
    group.bench_function("all", |bencher| {
        let store = cluster.store();
        bencher.iter(|| {
            let (snapshot, watcher) = store.snapshot_and_watch(Filter::of::<Task>());
            let tasks = snapshot.find(keys::<Task>().all());
            (tasks.map(|task| task.slot).sum::<u64>(), watcher)
        });
    });
    group.finish();
    let mut group = criterion.benchmark_group("watched");
    let by_committers = || cluster.store();
    measure_updates(&mut group, "update_status", cluster, by_committers);
    // Made when it is first asked for.
    let store = OnceCell::new();
    let made = || cluster.tasks().store_delivering(Delivery::Threads);
    let by_thread = || store.get_or_init(made);
    measure_updates(&mut group, "update_status_by_thread", cluster, by_thread);
    group.finish();
}

/// Of a status each: in rows, after each of which those who were woken receive, untimed.
fn measure_updates<'s>(
    group: &mut Group<'_>,
    name: &str,
    cluster: &Cluster,
    store: impl Fn() -> &'s Store,
) {
    for watchers in [0, cluster.sizes().nodes] {
        group.bench_function(BenchmarkId::new(name, watchers), |bencher| {
            let (tasks, store) = (cluster.tasks(), store());
            let mut executor = Executor::default();
            for node in 0..watchers {
                let node = tasks.node_id(node);
                let filter = Filter::of::<Task>().value(Task::BY_NODE, node);
                let mut watcher = store.watch(filter);
                executor.spawn(Box::pin(async move {
                    loop {
                        watcher.recv_async().await.expect("no lag");
                    }
                }));
            }
            executor.run_ready();
            let mut times = 0u64..;
            bencher.iter_custom(|updates| {
                time_updates(store, times.by_ref().take(updates as usize), &mut executor)
            });
        });
    }
}

/// The time of updates by a thread that then runs the watchers.
fn time_updates(
    store: &Store,
    mut times: impl Iterator<Item = u64>,
    executor: &mut Executor,
) -> Duration {
    let clock = Clock::asked();
    let mut took = Duration::ZERO;
    loop {
        let began = clock.now();
        let row = times.by_ref().take(BATCH as usize);
        let done = row.map(|time| update(store, std::iter::once(pick(0, time))));
        if done.count() == 0 {
            return took;
        }
        took += clock.now() - began;
        executor.run_ready();
    }
}
