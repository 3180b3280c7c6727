//! What the benches share: a store of tasks with an index, and threads that run an operation a
//! given number of times.
//!
//! ```text
//! cargo bench                                    # all benches; charts in target/criterion
//! SKEP_BENCH=quick cargo bench                   # a look at all of them, in some minutes
//! cargo bench -p skep-benches --bench store -- update    # a part
//! ```
//!
//! | bench | what |
//! |---|---|
//! | `operations` | every public operation, by one thread |
//! | `store` | how reads, snapshots, updates and watching scale with threads |
//! | `cluster` | the state package: 100,000 tasks of a cluster with all their indexes |
//! | `watch` | many watchers, beside channels |
//! | `reclaim` | what a reader pays for reclamation, beside crossbeam-epoch |
//!
//! Latencies are the business of the programs `tails` and `watchers`; the comparison with peers is
//! `crates/bench-compare`, that with a store of Go's the program `memdb`.

pub mod clock;
pub mod cluster;
pub mod load;
pub mod profile;
pub mod tails;
pub mod watchers;

use std::ops::Range;
use std::time::Duration;

use criterion::Bencher;
use criterion::measurement::Measurement;
use skep::{Id, Index, Indexes, Object, Store};
use skep_measure::clock::Clock;
use skep_measure::team::together;

/// Tasks in the store.
pub const TASKS: u64 = 100_000;
/// Tasks of one service, about.
pub const TASKS_A_SERVICE: u64 = 100;
/// Bytes of a task beside its fields.
const BODY: usize = 336;

/// A task of about 400 bytes.
#[derive(Clone, Debug)]
pub struct Task {
    /// The key.
    pub id: Id,
    /// The service that it belongs to.
    pub service: Id,
    /// What updates change.
    pub count: u64,
    /// The rest of it.
    pub body: [u8; BODY],
}

impl Task {
    /// Tasks of a service.
    pub const BY_SERVICE: Index<Self, Id> =
        Index::new("by_service", |task: &Self, keys| keys.add(task.service));

    /// Task `number`; numbers mix well into ids.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self {
            id: id(number),
            service: id(number % (TASKS / TASKS_A_SERVICE)),
            count: 0,
            body: [0; BODY],
        }
    }
}

impl Object for Task {
    type Key = Id;
    const TABLE: &'static str = "task";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_SERVICE);
    }
}

/// The id of a number, spread over all ids by two odd multipliers.
#[must_use]
pub fn id(number: u64) -> Id {
    let low = u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let high = u128::from(number.wrapping_mul(0xd6e8_feb8_6659_fd93));
    Id::from_u128(high << 64 | low)
}

/// A store with tasks `0..TASKS`.
///
/// # Panics
/// If a task cannot be created.
#[must_use]
pub fn store() -> Store {
    let store = Store::builder()
        .table::<Task>()
        .attempts_max(u32::MAX)
        .build();
    for number in 0..TASKS {
        let created = store.update(|tx| tx.create(Task::new(number)));
        created.expect("a new key");
    }
    store.reclaim();
    store
}

/// Has each of some threads run an operation for a row of times, and tells how long it took them
/// all. The operation gets its thread's number and the time.
///
/// # Panics
/// If the operation does.
pub fn run(threads: u64, times: Range<u64>, operation: impl Fn(u64, u64) + Sync) -> Duration {
    let clock = Clock::asked();
    let took = together(usize::try_from(threads).unwrap_or(1), |thread, ready| {
        let times = times.clone();
        ready();
        let start = clock.now();
        times.for_each(|time| operation(thread as u64, time));
        clock.now() - start
    });
    took.into_iter().max().unwrap_or_default()
}

/// Measures an operation, which gets its thread's number and the time: no time comes twice, so that
/// a sample does not find in the cache what the one before it touched.
pub fn measure_threads<M: Measurement<Value = Duration>>(
    bencher: &mut Bencher<'_, M>,
    threads: usize,
    operation: impl Fn(u64, u64) + Sync,
) {
    let mut begin = 0;
    bencher.iter_custom(|times| {
        let row = begin..begin + times;
        begin = row.end;
        run(threads as u64, row, &operation)
    });
}

/// A number below `TASKS` that a processor cannot guess.
#[must_use]
pub fn pick(thread: u64, time: u64) -> u64 {
    let mixed = (time ^ thread << 40).wrapping_mul(0xd134_2543_de82_ef95);
    (mixed ^ mixed >> 32) % TASKS
}
