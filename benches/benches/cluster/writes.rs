//! Writes: a status, a task that comes and goes, 200 and 10,000 statuses at once.

use std::cell::OnceCell;

use criterion::Throughput;
use skep_benches::load::{BATCH, Cluster, Passing, batch, update_many, update_own};
use skep_measure::origin::usual_threads;

use crate::{Criterion, by_threads};

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("write");
    by_threads(&mut group, "update_status", || {
        let store = cluster.store();
        let threads = usual_threads().last().map_or(1, |&most| most as u64);
        move |thread, time| update_own(store, threads, thread, time)
    });
    let passing = OnceCell::new();
    by_threads(&mut group, "create_delete", || {
        let store = cluster.store();
        let passing = passing.get_or_init(|| Passing::of(cluster.tasks()));
        move |_, _| passing.create_and_delete(store)
    });
    for changes in [200, BATCH] {
        group.throughput(Throughput::Elements(changes));
        group.bench_function(format!("one_transaction_of_{changes}"), |bencher| {
            let store = cluster.store();
            let mut times = 0u64..;
            bencher.iter(|| update_many(store, changes, times.next().unwrap_or(0)));
        });
    }
    group.bench_function("batch_of_10000", |bencher| {
        let store = cluster.store();
        let mut times = 0u64..;
        bencher.iter(|| batch(store, times.next().unwrap_or(0)));
    });
    group.finish();
}
