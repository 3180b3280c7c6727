//! Random transactions on several threads, recorded, and proved strictly serializable.
//!
//! The environment makes a longer run of the same:
//! - `SKEP_HISTORY_TRANSACTIONS`: how many, over all shapes and rounds (some ten thousand).
//! - `SKEP_HISTORY_THREADS`: on how many threads (4).
//! - `SKEP_HISTORY_SEED`: of the random numbers (1). One seed gives one choice of steps a thread;
//!   how threads meet is the machine's.
//! - `SKEP_HISTORIES`: the folder for a history that fails (`target/tmp`).

mod common;
#[path = "histories/objects.rs"]
mod objects;
#[path = "histories/steps.rs"]
mod steps;
#[path = "histories/worker.rs"]
mod worker;

use std::env;
use std::path::Path;
use std::time::Instant;

use common::scaled;
use objects::{Item, Note, WEIGHT};
use skep::testing::history::{Anomaly, Outcome, Recorder, Report, ThreadRecorder};
use skep::testing::{Rough, TestProposer};
use skep::{Builder, Store, Transaction};
use steps::Shape;
use worker::{Worker, records};

/// Transactions of a round: what is checked together.
const ROUND: usize = 100_000;

/// Few keys, for conflicts; some, for ranges that seldom change; many, for large indexes.
const SHAPES: [Shape; 3] = [
    Shape {
        keys: 12,
        groups: 3,
        weights: 8,
    },
    Shape {
        keys: 96,
        groups: 12,
        weights: 60,
    },
    Shape {
        keys: 1500,
        groups: 200,
        weights: 1000,
    },
];

fn setting(name: &str, default: usize) -> usize {
    let text = env::var(name).ok();
    let number = text.map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: no number"))
    });
    number.unwrap_or(default)
}

/// A store that histories are made on, round after round.
struct Run {
    store: Store,
    shape: Shape,
    seed: u64,
    threads: usize,
    submits: bool,
    rounds: u64,
    checked: Report,
}

impl Run {
    fn new(builder: Builder, shape: Shape, submits: bool) -> Self {
        Self {
            store: builder.table::<Item>().table::<Note>().build(),
            shape,
            seed: setting("SKEP_HISTORY_SEED", 1) as u64,
            threads: setting("SKEP_HISTORY_THREADS", 4),
            submits,
            rounds: 0,
            checked: Report::default(),
        }
    }

    /// So many transactions, from where the last round ended; each thread is a new one.
    fn round(&mut self, transactions: usize) -> &Report {
        let mut recorder = Recorder::after(&self.checked);
        let share = transactions.div_ceil(self.threads);
        let (store, shape, seed, submits) = (&self.store, self.shape, self.seed, self.submits);
        // Numbers that no other thread of the run has.
        let first = self.rounds * (self.threads as u64 + 1) + 1;
        let mut each = (first..).map(|number| {
            let records = records(&mut recorder);
            move || Worker::new(store, shape, seed, number, submits, records)
        });
        let mut done: Vec<ThreadRecorder> = std::thread::scope(|scope| {
            let threads = each.by_ref().take(self.threads);
            let threads: Vec<_> = threads
                .map(|worker| scope.spawn(move || worker().run(share)))
                .collect();
            let ended = threads.into_iter().map(|it| it.join().expect("no panic"));
            ended.flatten().collect()
        });
        let last = each.next().expect("there is no end of them");
        done.extend(last().finish());
        drop(each);
        let history = recorder.history(done);
        self.checked = history.prove(Path::new(env!("CARGO_TARGET_TMPDIR")));
        self.rounds += 1;
        &self.checked
    }
}

#[test]
fn random_histories_are_strictly_serializable() {
    let transactions = setting("SKEP_HISTORY_TRANSACTIONS", scaled(12_000, 60_000));
    let (started, share) = (Instant::now(), transactions.div_ceil(SHAPES.len()));
    let mut done = 0;
    for shape in SHAPES {
        let mut run = Run::new(Store::builder(), shape, false);
        let mut left = share;
        while left > 0 {
            let round = left.min(ROUND);
            let report = run.round(round);
            left -= round;
            done += round;
            let Report {
                committed,
                read_only,
                aborted,
                ..
            } = report;
            assert!(
                *committed > round as u64 / 8,
                "too few for a proof: {committed}"
            );
            eprintln!(
                "{done} of {transactions} transactions in {:.1} s; of the last {round}, on {} \
                 keys, {committed} wrote, {read_only} only read and {aborted} were rolled back",
                started.elapsed().as_secs_f64(),
                shape.keys,
            );
        }
        let conflicts = run.store.stats().conflicts;
        eprintln!("{conflicts} conflicts on {} keys", shape.keys);
        assert!(conflicts > 0, "nobody was in anybody's way");
    }
}

#[test]
fn with_a_proposer_that_refuses_they_are_as_well() {
    for (seed, shape) in (1..).zip(SHAPES) {
        let proposer = TestProposer::rough(Rough::refusing(seed));
        let mut run = Run::new(Store::builder().proposer(proposer), shape, true);
        for _ in 0..2 {
            let report = run.round(scaled(500, 3_000));
            assert!(report.committed > 0 && report.aborted > 0);
        }
    }
}

/// Two transactions at the same time, of which each puts an item after a `look` at both keys, and
/// what the check says of them.
fn skewed(look: impl Fn(&Transaction<'_>, &mut ThreadRecorder)) -> Anomaly {
    let store = Store::builder().table::<Item>().table::<Note>().build();
    let mut recorder = Recorder::new();
    let mut both = [(); 2].map(|()| recorder.thread());
    let mut open: Vec<_> = (1..)
        .zip(&mut both)
        .map(|(key, thread)| {
            thread.begin();
            let mut tx = store.begin();
            thread.snapshot(tx.version());
            look(&tx, thread);
            let (stamp, name, weight) = (key, key, 5);
            let item = Item {
                key,
                stamp,
                name,
                group: None,
                weight,
            };
            tx.create(item.clone()).expect("it is new");
            thread.put(key, stamp, item.places());
            tx
        })
        .collect();
    for thread in both.iter_mut().rev() {
        let tx = open.pop().expect("one a thread");
        let version = tx.commit().expect("what it peeked at does not count");
        thread.end(Outcome::Committed(version));
    }
    let checked = recorder.history(both).check();
    checked.expect_err("write skew").anomaly
}

#[test]
fn what_peek_lets_through_is_found() {
    let items = skewed(|tx, thread| {
        for key in [1, 2] {
            assert!(tx.peek::<Item>(&key).is_none());
            thread.get(key, None);
        }
    });
    assert_eq!(items, Anomaly::G2Item);
    let range = skewed(|tx, thread| {
        assert_eq!(tx.peek_find(Item::BY_WEIGHT.range(4..=6)).count(), 0);
        thread.find(WEIGHT, (4, 6), []);
    });
    assert_eq!(range, Anomaly::G2);
}
