//! The store's operations, by one thread and by two: the time of one operation while each thread
//! does its own.

use std::convert::Infallible;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use skep::{Event, Filter, Store, keys};
use skep_benches::{TASKS, Task, id, pick, run, store};

/// Updates in one transaction.
const BATCH: u64 = 200;
/// Tasks of a short scan.
const SHORT_SCAN: usize = 100;
/// Commits that a watcher is told of in one go.
const DELIVERED: u64 = 10_000;

type Group<'g> = BenchmarkGroup<'g, WallTime>;

fn by_threads(group: &mut Group<'_>, name: &str, operation: impl Fn(u64, u64) + Sync) {
    for threads in [1, 2] {
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            bencher.iter_custom(|times| run(threads, times, &operation));
        });
    }
}

fn count_up(store: &Store, numbers: impl Iterator<Item = u64> + Clone) {
    let updated = store.update(|tx| {
        for number in numbers.clone() {
            let modified = tx.modify::<Task>(&id(number), |task| task.count += 1);
            modified.expect("it is there");
        }
        Ok::<_, Infallible>(())
    });
    updated.expect("attempts are not limited");
}

fn reads(group: &mut Group<'_>, store: &Store) {
    let snapshot = store.snapshot();
    by_threads(group, "get", |thread, time| {
        black_box(snapshot.get::<Task>(&id(pick(thread, time))));
    });
    by_threads(group, "view_get", |thread, time| {
        let view = store.read();
        black_box(
            view.get::<Task>(&id(pick(thread, time)))
                .map(|task| task.count),
        );
    });
    by_threads(group, "view", |_, _| drop(black_box(store.read())));
    by_threads(group, "snapshot", |_, _| drop(black_box(store.snapshot())));
    by_threads(group, "find_exact_100", |thread, time| {
        let service = id(pick(thread, time) % 1000);
        let found = snapshot.find(Task::BY_SERVICE.eq(service));
        black_box(found.map(|task| task.count).sum::<u64>());
    });
    by_threads(group, "find_prefix", |thread, time| {
        let text = id(pick(thread, time)).to_string();
        // About one task in 1,700 has the same three characters first.
        black_box(snapshot.count(keys::<Task>().prefix(&text[..3])));
    });
    by_threads(group, "scan_100", |thread, time| {
        let from = keys::<Task>()
            .range(id(pick(thread, time))..)
            .limit(SHORT_SCAN);
        black_box(snapshot.find(from).map(|task| task.count).sum::<u64>());
    });
    by_threads(group, "scan_all", |_, _| {
        let tasks = snapshot.find(keys::<Task>().all());
        black_box(tasks.map(|task| task.count).sum::<u64>());
    });
}

fn writes(group: &mut Group<'_>, store: &Store) {
    by_threads(group, "update", |thread, time| {
        count_up(store, std::iter::once(pick(thread, time)));
    });
    by_threads(group, "update_hot", |thread, time| {
        count_up(store, std::iter::once(pick(thread, time) % 10));
    });
    by_threads(group, "update_200", |thread, time| {
        count_up(
            store,
            (0..BATCH).map(|step| pick(thread, time * BATCH + step)),
        );
    });
    let next = AtomicU64::new(TASKS);
    by_threads(group, "create_delete", |_, _| {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let created = store.update(|tx| tx.create(Task::new(number)));
        created.expect("a new key");
        let deleted = store.update(|tx| tx.delete::<Task>(&id(number)));
        deleted.expect("it was created");
    });
}

/// The time of reading one commit's events, which are there already.
fn delivery(store: &Store, commits: u64) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = commits;
    while left > 0 {
        let some = left.min(DELIVERED);
        let mut watcher = store.watch(Filter::of::<Task>());
        (0..some).for_each(|time| count_up(store, std::iter::once(pick(0, time))));
        let start = Instant::now();
        let mut seen = 0;
        let _ = std::iter::repeat_with(|| watcher.try_recv()).try_for_each(|event| match event {
            Ok(Some(Event::Commit(_))) => {
                seen += 1;
                ControlFlow::Continue(())
            }
            Ok(Some(_)) => ControlFlow::Continue(()),
            Ok(None) | Err(_) => ControlFlow::Break(()),
        });
        spent += start.elapsed();
        assert_eq!(seen, some, "events are missing");
        left -= some;
    }
    spent
}

fn benches(criterion: &mut Criterion) {
    let store = store();
    let mut group = criterion.benchmark_group("store");
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group.sample_size(20);
    reads(&mut group, &store);
    writes(&mut group, &store);
    group.bench_function("watch_delivery", |bencher| {
        bencher.iter_custom(|commits| delivery(&store, commits));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
