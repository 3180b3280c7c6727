//! Saving and restoring 100,000 tasks of a cluster: the time of the whole, and, once, bytes.

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use skep::cluster::{Task, builder, catalogue};
use skep::{Action, Store};
use skep_benches::cluster::Tasks;

const TASKS: u64 = 100_000;
/// Tasks in one commit.
const AT_ONCE: usize = 10_000;

fn tasks() -> Vec<Task> {
    let tasks = Tasks::default();
    (0..TASKS).map(|number| tasks.task(number)).collect()
}

fn filled(tasks: &[Task]) -> Store {
    let store = builder().build();
    for portion in tasks.chunks(AT_ONCE) {
        let created = store.update(|tx| portion.iter().try_for_each(|it| tx.create(it.clone())));
        created.expect("a new store");
    }
    store
}

fn save(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("save");
    group.sample_size(10);
    let (catalogue, tasks) = (catalogue(), tasks());
    let store = filled(&tasks);
    let mut file = Vec::new();
    let saved = store.save(&catalogue, &mut file).expect("memory takes it");
    println!("{saved:?}");
    group.bench_function("save", |bencher| {
        bencher.iter(|| store.save(&catalogue, std::io::sink()));
    });
    group.bench_function("restore over the same", |bencher| {
        bencher.iter(|| store.restore(&catalogue, &file[..]));
    });
    group.bench_function("restore into empty", |bencher| {
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
    group.bench_function("create in one commit", |bencher| {
        bencher.iter_batched(
            || (builder().build(), tasks.clone()),
            |(store, tasks)| {
                let actions: Vec<_> = tasks.into_iter().map(Action::create).collect();
                let applied = store.apply(&actions);
                (store, actions, applied)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, save);
criterion_main!(benches);
