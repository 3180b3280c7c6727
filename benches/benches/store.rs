//! How operations scale: by one thread, by two, and by as many as there are cores; the time of one
//! operation while each thread does its own. 100,000 tasks, past the processor's caches.

use std::cell::RefCell;
use std::convert::Infallible;
use std::hint::black_box;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion};
use skep::{Filter, Id, ReplaceError, Store, UpdateError, Watcher, keys};
use skep_benches::profile::Profile;
use skep_benches::{TASKS, Task, id, measure_threads, pick, store};
use skep_measure::origin::usual_threads;

/// Updates in one transaction.
const BATCH: u64 = 200;
/// Tasks of a short scan.
const SHORT_SCAN: usize = 100;

type Group<'g> = BenchmarkGroup<'g, WallTime>;

fn by_threads(group: &mut Group<'_>, name: &str, operation: impl Fn(u64, u64) + Sync) {
    for threads in usual_threads() {
        group.bench_function(BenchmarkId::new(name, threads), |bencher| {
            measure_threads(bencher, threads, &operation);
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

/// Ids of 200 tasks.
fn many(thread: u64, time: u64) -> Vec<Id> {
    let steps = time * BATCH..(time + 1) * BATCH;
    steps.map(|step| id(pick(thread, step))).collect()
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
    by_threads(group, "get_200_in_transaction", |thread, time| {
        let tx = store.begin();
        let counts = (0..BATCH).filter_map(|step| {
            let task = tx.get::<Task>(&id(pick(thread, time * BATCH + step)));
            task.map(|task| task.count)
        });
        black_box(counts.sum::<u64>());
    });
    by_threads(group, "view_get_200", |thread, time| {
        let (view, ids) = (store.read(), many(thread, time));
        let counts = ids.iter().filter_map(|id| view.get::<Task>(id));
        black_box(counts.map(|task| task.count).sum::<u64>());
    });
    by_threads(group, "view_get_200_prefetched", |thread, time| {
        let (view, ids) = (store.read(), many(thread, time));
        view.prefetch::<Task>(&ids);
        let counts = ids.iter().filter_map(|id| view.get::<Task>(id));
        black_box(counts.map(|task| task.count).sum::<u64>());
    });
    by_threads(group, "view", |_, _| drop(black_box(store.read())));
    by_threads(group, "snapshot", |_, _| drop(black_box(store.snapshot())));
    by_threads(group, "snapshot_at", |_, _| {
        drop(black_box(store.snapshot_at(store.version())));
    });
    by_threads(group, "stats", |_, _| {
        black_box(store.stats());
    });
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
    by_threads(group, "update_own", |thread, time| {
        count_up(store, std::iter::once(own(thread, time)));
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
    by_threads(group, "update_200_prefetched", |thread, time| {
        let ids = many(thread, time);
        let updated = store.update(|tx| {
            tx.prefetch::<Task>(&ids);
            ids.iter()
                .try_for_each(|id| tx.modify::<Task>(id, |task| task.count += 1))
        });
        updated.expect("attempts are not limited");
    });
    by_threads(group, "begin_commit_own", |thread, time| {
        let mut transaction = store.begin();
        let key = id(own(thread, time));
        let modified = transaction.modify::<Task>(&key, |task| task.count += 1);
        modified.expect("it is there");
        transaction.commit().expect("nobody else changes it");
    });
    by_threads(group, "batch_200", |thread, time| {
        let done = store.batch(|batch| {
            (0..BATCH).try_for_each(|step| {
                let key = id(own(thread, time * BATCH + step));
                batch.step(move |tx| tx.modify::<Task>(&key, |task| task.count += 1))
            })?;
            Ok::<_, UpdateError<ReplaceError>>(())
        });
        done.expect("the tasks are there");
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

/// Tasks of each thread that no other one picks. Once: to ask how many cores there are takes longer
/// than an update.
static PART: LazyLock<u64> =
    LazyLock::new(|| TASKS / usual_threads().last().map_or(1, |&most| most as u64));

/// A task that no other thread picks.
fn own(thread: u64, time: u64) -> u64 {
    thread * *PART + pick(thread, time) % *PART
}

thread_local! {
    /// The thread's own watcher.
    static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
}

/// Threads that each update a task and receive that from a watcher of the task's service.
fn watch(group: &mut Group<'_>, store: &Store) {
    by_threads(group, "update_and_receive_own", |thread, _| {
        let number = own(thread, 0);
        WATCHER.with_borrow_mut(|watcher| {
            let watcher = watcher.get_or_insert_with(|| {
                let service = Task::new(number).service;
                let filter = Filter::of::<Task>().key(&id(number));
                store.watch(filter.value(Task::BY_SERVICE, service))
            });
            count_up(store, std::iter::once(number));
            black_box(watcher.recv_commit().expect("it was just committed"));
        });
    });
    WATCHER.take();
    by_threads(group, "update_and_receive_log", |thread, time| {
        WATCHER.with_borrow_mut(|watcher| {
            let watcher = watcher.get_or_insert_with(|| store.watch(Filter::all()));
            count_up(store, std::iter::once(own(thread, time)));
            // What others committed before as well, unless the log has let it go.
            let until = store.version();
            while watcher.position() < until {
                black_box(watcher.try_recv_commit().ok());
            }
        });
    });
    WATCHER.take();
    by_threads(group, "watch", |thread, time| {
        let filter = Filter::of::<Task>().key(&id(pick(thread, time)));
        drop(black_box(store.watch(filter)));
    });
    by_threads(group, "watch_from", |thread, time| {
        let filter = Filter::of::<Task>().key(&id(pick(thread, time)));
        drop(black_box(store.watch_from(store.version(), filter)));
    });
    by_threads(group, "snapshot_and_watch", |thread, time| {
        let service = id(pick(thread, time) % 1000);
        let filter = Filter::of::<Task>().value(Task::BY_SERVICE, service);
        drop(black_box(store.snapshot_and_watch(filter)));
    });
}

fn main() {
    let mut criterion = Profile::asked().of(Criterion::default());
    let store = store();
    let mut group = criterion.benchmark_group("store");
    reads(&mut group, &store);
    writes(&mut group, &store);
    watch(&mut group, &store);
    group.finish();
    criterion.final_summary();
}
