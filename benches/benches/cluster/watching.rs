//! A snapshot and a watcher of what follows: alone, and with what an agent or a scheduler reads
//! first.

use skep::cluster::Task;
use skep::{Filter, keys};
use skep_benches::pick;

use crate::{Cluster, Criterion};

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
}
