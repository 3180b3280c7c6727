//! Reads: by key, by node, by service, by slot, and all.

use std::hint::black_box;

use skep::cluster::Task;
use skep::{Snapshot, keys};
use skep_benches::cluster::Sizes;
use skep_benches::{TASKS, id, pick};

use crate::{Cluster, Criterion, by_threads};

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("get");
    by_threads(&mut group, "view_get", || {
        let store = cluster.store();
        move |thread, time| {
            let view = store.read();
            let task = view.get::<Task>(&id(pick(thread, time)));
            black_box(task.map(|task| task.slot));
        }
    });
    group.finish();

    let mut group = criterion.benchmark_group("find");
    group.bench_function("node_20", |bencher| {
        let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
        let mut numbers = 0u64..;
        bencher.iter(|| {
            let node = tasks.node_id(pick(0, numbers.next().unwrap_or(0)));
            slots(&view, Task::BY_NODE.eq(node))
        });
    });
    group.bench_function("slot", |bencher| {
        let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
        let mut numbers = 0u64..;
        bencher.iter(|| {
            let number = pick(0, numbers.next().unwrap_or(0));
            let slot = number / Sizes::USUAL.services + 1;
            slots(&view, Task::BY_SLOT.eq((tasks.service_id(number), slot)))
        });
    });
    group.bench_function("all", |bencher| {
        let view = cluster.store().snapshot();
        bencher.iter(|| slots(&view, keys::<Task>().all()));
    });
    for results in [10, 100, 1_000] {
        let other = Cluster::of(Sizes {
            services: TASKS / results,
            ..Sizes::USUAL
        });
        group.bench_function(format!("service_{results}"), |bencher| {
            let usual = TASKS / results == Sizes::USUAL.services;
            let cluster = if usual { cluster } else { &other };
            let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
            let mut numbers = 0u64..;
            bencher.iter(|| {
                let service = tasks.service_id(pick(0, numbers.next().unwrap_or(0)));
                slots(&view, Task::BY_SERVICE.eq(service))
            });
        });
    }
    group.finish();
}

/// Looks at each task that a query finds.
fn slots<C: skep::Condition<Task>>(view: &Snapshot, query: skep::Query<Task, C>) -> u64 {
    view.find(query).map(|task| task.slot).sum()
}
