//! A recorded history that is strictly serializable, changed in one place so that it no longer is:
//! refused, wherever that is.

#[path = "histories/objects.rs"]
mod objects;
#[path = "histories/steps.rs"]
mod steps;
#[path = "histories/worker.rs"]
mod worker;

mod common;

use common::{Random, scaled};
use objects::{Item, Note};
use skep::testing::history::{
    Anomaly, History, Operation, Outcome, Recorder, Seen, TransactionRecord, Violation,
};
use skep::{Store, Version};
use steps::Shape;
use worker::{Worker, records};

const SHAPE: Shape = Shape {
    keys: 16,
    groups: 3,
    weights: 12,
};

/// What two threads did, checked.
fn recorded(seed: u64) -> History {
    let store = Store::builder().table::<Item>().table::<Note>().build();
    let mut recorder = Recorder::new();
    let each = [records(&mut recorder), records(&mut recorder)];
    let last = records(&mut recorder);
    let store = &store;
    let mut done: Vec<_> = std::thread::scope(|scope| {
        let threads = each.into_iter().zip(1..).map(|(records, number)| {
            scope.spawn(move || Worker::new(store, SHAPE, seed, number, false, records).run(150))
        });
        let threads: Vec<_> = threads.collect();
        let ended = threads.into_iter().map(|it| it.join().expect("no panic"));
        ended.flatten().collect()
    });
    done.extend(Worker::new(store, SHAPE, seed, 3, false, last).finish());
    let history = recorder.history(done);
    history.check().expect("before it is changed");
    history
}

/// The places of operations that `is_it`, in transactions that `counts`.
fn places(
    history: &History,
    counts: impl Fn(Outcome) -> bool,
    is_it: impl Fn(&[Operation], usize) -> bool,
) -> Vec<usize> {
    let counted = history.transactions.iter().filter(|it| counts(it.outcome));
    let all = counted.flat_map(|it| (it.first..it.first + it.operations).map(|at| (it.first, at)));
    let fit = all.filter(|(first, at)| is_it(&history.operations[*first..=*at], at - first));
    fit.map(|(_, at)| at).collect()
}

fn is_committed(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Committed(_))
}

fn seen(operation: &Operation) -> Option<(u64, Seen)> {
    match operation {
        Operation::Get { key, seen } => seen.map(|seen| (*key, seen)),
        Operation::Found { key, seen } => Some((*key, *seen)),
        _ => None,
    }
}

/// Whether the last of these operations is a read of what the others did not write.
fn is_foreign_read(operations: &[Operation], last: usize) -> bool {
    let writes = |operation: &Operation, of: u64| match operation {
        Operation::Put { key, .. } | Operation::Delete { key } => *key == of,
        _ => false,
    };
    let read = seen(&operations[last]);
    read.is_some_and(|(key, _)| !operations.iter().any(|it| writes(it, key)))
}

/// One of the places; none if there are none, which a run must not come to each time.
fn one(random: &mut Random, places: &[usize]) -> Option<usize> {
    (!places.is_empty()).then(|| places[random.below(places.len() as u64) as usize])
}

/// Changes `times` histories, and checks each.
fn each_refused(change: impl Fn(&mut History, &mut Random) -> Option<()>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for seed in 0..scaled(4, 8) as u64 {
        let good = recorded(seed);
        let mut random = Random::new(seed);
        for _ in 0..12 {
            let mut history = good.clone();
            if change(&mut history, &mut random).is_some() {
                let report = history.check();
                violations.push(report.expect_err("refused"));
            }
        }
    }
    assert!(violations.len() > 24, "too few: {}", violations.len());
    violations
}

/// The stamps that a key had, oldest first, with their versions.
fn stamps(history: &History, key: u64) -> Vec<(Version, u64)> {
    let mut stamps = Vec::new();
    for (at, record) in history.transactions.iter().enumerate() {
        let Outcome::Committed(version) = record.outcome else {
            continue;
        };
        let mut puts = history
            .operations_of(at)
            .iter()
            .filter_map(|operation| match operation {
                Operation::Put { key: own, stamp } if *own == key => Some(*stamp),
                _ => None,
            });
        stamps.extend(puts.next_back().map(|stamp| (version, stamp)));
    }
    stamps.sort_unstable();
    stamps
}

#[test]
fn another_write_seen_is_refused() {
    let violations = each_refused(|history, random| {
        let at = one(random, &places(history, |_| true, is_foreign_read))?;
        let (key, old) = seen(&history.operations[at])?;
        let others = stamps(history, key);
        let (version, stamp) = others[random.below(others.len() as u64) as usize];
        let new = Seen { stamp, version };
        match &mut history.operations[at] {
            Operation::Get { seen, .. } => *seen = Some(new),
            Operation::Found { seen, .. } => *seen = new,
            _ => unreachable!("a read"),
        }
        (stamp != old.stamp).then_some(())
    });
    // As stale or skewed reads, most often: not as what is no history.
    assert!(violations.iter().all(|it| it.anomaly != Anomaly::Malformed));
    assert!(violations.iter().any(|it| it.anomaly == Anomaly::GSingle));
}

#[test]
fn versions_seen_that_are_swapped_are_refused() {
    each_refused(|history, random| {
        let with_version = |operations: &[Operation], last: usize| {
            is_foreign_read(operations, last)
                && seen(&operations[last]).is_some_and(|(_, seen)| seen.version > Version::ZERO)
        };
        let all = places(history, |_| true, with_version);
        let (one, other) = (one(random, &all)?, one(random, &all)?);
        let version = |at: usize| seen(&history.operations[at]).map(|(_, seen)| seen.version);
        let (old, new) = (version(one)?, version(other)?);
        for (at, version) in [(one, new), (other, old)] {
            match &mut history.operations[at] {
                Operation::Get {
                    seen: Some(seen), ..
                }
                | Operation::Found { seen, .. } => {
                    seen.version = version;
                }
                _ => unreachable!("a read"),
            }
        }
        (old != new).then_some(())
    });
}

#[test]
fn an_object_that_was_not_seen_is_refused() {
    each_refused(|history, random| {
        let is_get = |operations: &[Operation], last: usize| {
            is_foreign_read(operations, last) && matches!(operations[last], Operation::Get { .. })
        };
        let at = one(random, &places(history, |_| true, is_get))?;
        let (key, _) = seen(&history.operations[at])?;
        history.operations[at] = Operation::Get { key, seen: None };
        Some(())
    });
}

#[test]
fn one_found_less_is_refused() {
    let violations = each_refused(|history, random| {
        let is_found = |operations: &[Operation], last: usize| {
            is_foreign_read(operations, last) && matches!(operations[last], Operation::Found { .. })
        };
        let at = one(random, &places(history, |_| true, is_found))?;
        remove(history, at);
        Some(())
    });
    let phantoms = [
        Anomaly::GSingle,
        Anomaly::G2,
        Anomaly::RealTime,
        Anomaly::VersionOrder,
    ];
    for violation in violations {
        assert!(phantoms.contains(&violation.anomaly), "{violation}");
    }
}

/// Takes an operation out.
fn remove(history: &mut History, at: usize) {
    history.operations.remove(at);
    for record in &mut history.transactions {
        if record.first > at {
            record.first -= 1;
        } else if at < record.first + record.operations {
            record.operations -= 1;
        }
    }
}

/// The stamps of all that was read.
fn stamps_read(history: &History) -> Vec<u64> {
    let read = history.operations.iter().filter_map(seen);
    read.map(|it| it.1.stamp).collect()
}

#[test]
fn a_write_that_is_dropped_is_refused() {
    each_refused(|history, random| {
        // One that another read.
        let read = stamps_read(history);
        let is_read = |operations: &[Operation], last: usize| match operations[last] {
            Operation::Put { stamp, .. } => read.contains(&stamp),
            _ => false,
        };
        let at = one(random, &places(history, is_committed, is_read))?;
        while matches!(history.operations.get(at + 1), Some(Operation::At { .. })) {
            remove(history, at + 1);
        }
        remove(history, at);
        Some(())
    });
}

#[test]
fn a_commit_that_was_none_is_refused() {
    each_refused(|history, random| {
        let read = stamps_read(history);
        let writes = |record: &&mut TransactionRecord| {
            let own = &history.operations[record.first..record.first + record.operations];
            let own_reads = own.iter().filter_map(seen).map(|it| it.1.stamp);
            let own_reads: Vec<u64> = own_reads.collect();
            let last = own.iter().rev().find_map(|it| match it {
                Operation::Put { stamp, .. } => Some(*stamp),
                _ => None,
            });
            // By another.
            let times = |stamp, of: &[u64]| of.iter().filter(|it| **it == stamp).count();
            is_committed(record.outcome)
                && last.is_some_and(|stamp| times(stamp, &read) > times(stamp, &own_reads))
        };
        let mut records: Vec<_> = history.transactions.iter_mut().filter(writes).collect();
        let at = random.below(records.len() as u64) as usize;
        records[at].outcome = Outcome::Aborted;
        Some(())
    });
}

#[test]
fn a_response_moved_before_what_was_seen_is_refused() {
    let violations = each_refused(|history, random| {
        // A reader that has seen another's write is said to have ended before that began.
        let at = one(random, &places(history, is_committed, is_foreign_read))?;
        let (_, seen) = seen(&history.operations[at])?;
        let put = history
            .operations
            .iter()
            .position(|it| matches!(it, Operation::Put { stamp, .. } if *stamp == seen.stamp))?;
        let of = |at| move |it: &_| is_of(it, at);
        let writer = history.transactions.iter().position(of(put))?;
        let reader = history.transactions.iter().position(of(at))?;
        let begun = history.transactions[writer].begun;
        let record = &mut history.transactions[reader];
        (record.begun, record.ended) = (0, begun - 1);
        Some(())
    });
    assert!(violations.iter().any(|it| it.anomaly == Anomaly::RealTime));
}

fn is_of(record: &TransactionRecord, at: usize) -> bool {
    (record.first..record.first + record.operations).contains(&at)
}

#[test]
fn a_cycle_across_a_long_history_is_found() {
    let store = Store::builder().table::<Item>().table::<Note>().build();
    let mut recorder = Recorder::new();
    let [first, last] = [(); 2].map(|()| records(&mut recorder));
    let transactions = scaled(4_000, 40_000);
    let worker = |number, records| Worker::new(&store, SHAPE, 1, number, false, records);
    let done = worker(1, first).run(transactions).into_iter();
    let done = done.chain(worker(2, last).finish());
    let mut history = recorder.history(done);
    history.check().expect("before it is changed");
    // In the very end somebody finds an object as it was in the very beginning.
    let found = |operation: &Operation| matches!(operation, Operation::Found { .. });
    let at = history
        .operations
        .iter()
        .rposition(found)
        .expect("it looks at all");
    let (key, _) = seen(&history.operations[at]).expect("it found something");
    let (version, stamp) = stamps(&history, key)[0];
    let seen = Seen { stamp, version };
    history.operations[at] = Operation::Found { key, seen };
    let violation = history.check().expect_err("a stale read");
    assert_eq!(violation.anomaly, Anomaly::GSingle, "{violation}");
}
