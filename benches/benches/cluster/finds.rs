//! Reads: by key, by node, by service, by slot, and all.

use skep_benches::TASKS;
use skep_benches::cluster::Sizes;
use skep_benches::load::{Cluster, all, get, in_slot, of_node, of_service};

use crate::{Criterion, by_threads};

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("get");
    by_threads(&mut group, "view_get", || {
        let store = cluster.store();
        move |thread, time| get(store, thread, time)
    });
    group.finish();

    let mut group = criterion.benchmark_group("find");
    group.bench_function("node_20", |bencher| {
        let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
        let mut times = 0u64..;
        bencher.iter(|| of_node(tasks, &view, times.next().unwrap_or(0)));
    });
    group.bench_function("slot", |bencher| {
        let (tasks, view) = (cluster.tasks(), cluster.store().snapshot());
        let mut times = 0u64..;
        bencher.iter(|| in_slot(tasks, &view, times.next().unwrap_or(0)));
    });
    group.bench_function("all", |bencher| {
        let view = cluster.store().snapshot();
        bencher.iter(|| all(&view));
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
            let mut times = 0u64..;
            bencher.iter(|| of_service(tasks, &view, times.next().unwrap_or(0)));
        });
    }
    group.finish();
}
