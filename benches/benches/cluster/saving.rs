//! Saving all of it, and restoring: into an empty store, and over the same.

use std::cell::OnceCell;

use criterion::BatchSize;
use skep::Action;
use skep::cluster::{Task, builder, catalogue};
use skep::save::Catalogue;
use skep_benches::load::Cluster;
use skep_measure::memory;

use crate::Criterion;

pub fn measure(criterion: &mut Criterion, cluster: &Cluster) {
    let mut group = criterion.benchmark_group("save");
    // Made when it is first asked for: criterion asks once a sample.
    let (file, told) = (OnceCell::new(), OnceCell::new());
    let file = || file.get_or_init(|| saved(cluster));
    group.bench_function("save", |bencher| {
        let (catalogue, store) = (catalogue(), cluster.store());
        bencher.iter(|| store.save(&catalogue, std::io::sink()));
    });
    group.bench_function("restore_same", |bencher| {
        let (catalogue, store, file) = (catalogue(), cluster.store(), file());
        bencher.iter(|| store.restore(&catalogue, &file[..]));
    });
    group.bench_function("restore_empty", |bencher| {
        let (catalogue, file) = (catalogue(), file());
        told.get_or_init(|| tell_memory(&catalogue, file));
        bencher.iter_batched(
            || builder().build(),
            |store| {
                let restored = store.restore(&catalogue, &file[..]);
                (store, restored)
            },
            BatchSize::PerIteration,
        );
    });
    // What the store itself takes of that.
    group.bench_function("create_in_one_commit", |bencher| {
        let tasks: Vec<Task> = cluster.tasks().all().collect();
        bencher.iter_batched(
            || {
                let actions = tasks.iter().cloned().map(Action::create);
                (builder().build(), actions.collect::<Vec<_>>())
            },
            |(store, actions)| {
                let applied = store.apply(&actions);
                (store, actions, applied)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Says what memory a restored store takes.
fn tell_memory(catalogue: &Catalogue, file: &[u8]) {
    let before = memory::bytes();
    let store = builder().build();
    let restored = store.restore(catalogue, file).expect("a sound file");
    let bytes = memory::bytes() - before;
    println!("{bytes} bytes of memory; {:?}", restored.tables);
}

/// A file of the cluster.
fn saved(cluster: &Cluster) -> Vec<u8> {
    let mut file = Vec::new();
    let saved = cluster.store().save(&catalogue(), &mut file);
    println!("{:?}", saved.expect("memory takes it"));
    file
}
