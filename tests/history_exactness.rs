//! The check of histories, checked against all orders there are: small random histories, most of
//! them wrong, each of which is serializable, strictly so, or in the order of versions, or is not.

mod common;

use std::collections::BTreeMap;

use common::{Random, scaled};
use skep::Version;
use skep::testing::history::{
    Anomaly, BY_KEY, History, Operation, Outcome, Seen, TransactionRecord,
};

const KEYS: u64 = 3;
const TRANSACTIONS: usize = 5;

/// The stamp of what a transaction writes to a key.
fn stamp(transaction: usize, key: u64) -> u64 {
    transaction as u64 * KEYS + key + 1
}

/// What some transaction writes to a key, if it does, or nothing.
fn any_seen(random: &mut Random, writes: &[Vec<u64>], key: u64, own: usize) -> Option<Seen> {
    let writer = random.below(writes.len() as u64 + 1) as usize;
    let written = writer != own && writes.get(writer).is_some_and(|keys| keys.contains(&key));
    written.then(|| Seen {
        stamp: stamp(writer, key),
        version: Version::ZERO,
    })
}

/// Reads first, of what anybody may have written, and then writes. Without deletions, since of two
/// of them a history does not say which one was seen.
fn random_history(random: &mut Random) -> History {
    let count = 2 + random.below(TRANSACTIONS as u64 - 1) as usize;
    let mut writes: Vec<Vec<u64>> = Vec::new();
    for _ in 0..count {
        writes.push((0..KEYS).filter(|_| random.one_in(3)).collect());
    }
    let mut history = History::default();
    let mut version = 0;
    for (own, keys) in writes.iter().enumerate() {
        let first = history.operations.len();
        for _ in 0..random.below(3) {
            let key = random.below(KEYS);
            if random.one_in(2) {
                let seen = any_seen(random, &writes, key, own);
                history.operations.push(Operation::Get { key, seen });
                continue;
            }
            history.operations.push(Operation::Find {
                index: BY_KEY,
                from: key,
                to: KEYS,
            });
            for key in key..KEYS {
                let seen = any_seen(random, &writes, key, own);
                history
                    .operations
                    .extend(seen.map(|seen| Operation::Found { key, seen }));
            }
        }
        let stamps = keys.iter().map(|key| (*key, stamp(own, *key)));
        history
            .operations
            .extend(stamps.map(|(key, stamp)| Operation::Put { key, stamp }));
        let before = random.below(version + 1);
        version += u64::from(!keys.is_empty());
        let (snapshot, end) = if keys.is_empty() {
            (before, before)
        } else {
            (0, version)
        };
        let begun = random.below(8) + 1;
        history.transactions.push(TransactionRecord {
            thread: 0,
            begun,
            ended: begun + random.below(6),
            snapshot: Version::new(snapshot),
            outcome: Outcome::Committed(Version::new(end)),
            first,
            operations: history.operations.len() - first,
        });
    }
    history
}

/// Runs a transaction; false: it would see something else.
fn runs(operations: &[Operation], state: &mut BTreeMap<u64, u64>) -> bool {
    let mut at = 0;
    while let Some(operation) = operations.get(at) {
        at += 1;
        match *operation {
            Operation::Get { key, seen } => {
                if state.get(&key).copied() != seen.map(|seen| seen.stamp) {
                    return false;
                }
            }
            Operation::Find { from, to, .. } => {
                let found = operations[at..].iter().map_while(|it| match it {
                    Operation::Found { key, seen } => Some((*key, seen.stamp)),
                    _ => None,
                });
                let found: Vec<_> = found.collect();
                at += found.len();
                let there = state.range(from..=to).map(|(key, stamp)| (*key, *stamp));
                if !there.eq(found) {
                    return false;
                }
            }
            Operation::Put { key, stamp } => drop(state.insert(key, stamp)),
            Operation::Found { .. } | Operation::At { .. } | Operation::Delete { .. } => {
                unreachable!("none is made")
            }
        }
    }
    true
}

/// What a history is, at best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Is {
    #[default]
    Wrong,
    Serializable,
    StrictlySo,
    InTheOrderOfVersions,
}

/// Tries all orders that go on from one.
fn best(history: &History, order: &mut Vec<usize>, state: &BTreeMap<u64, u64>) -> Is {
    let records = &history.transactions;
    if order.len() == records.len() {
        let pairs = (0..order.len()).flat_map(|at| (0..at).map(move |before| (before, at)));
        let pairs = pairs.map(|(before, at)| (records[order[before]], records[order[at]]));
        let pairs: Vec<_> = pairs.collect();
        let strict = pairs
            .iter()
            .all(|(before, after)| after.ended >= before.begun);
        let point = |it: &TransactionRecord| match it.outcome {
            Outcome::Committed(version) => (version, version == it.snapshot),
            _ => unreachable!("all are committed"),
        };
        let ordered = pairs
            .iter()
            .all(|(before, after)| point(before) <= point(after));
        return match (strict, ordered) {
            (true, true) => Is::InTheOrderOfVersions,
            (true, false) => Is::StrictlySo,
            (false, _) => Is::Serializable,
        };
    }
    let mut found = Is::Wrong;
    for next in 0..records.len() {
        let keys = |at: usize| {
            history.operations_of(at).iter().filter_map(|it| match it {
                Operation::Put { key, .. } => Some(*key),
                _ => None,
            })
        };
        // Who writes the same key and has the lower version comes first.
        let late = |before: &usize| {
            *before > next && keys(*before).any(|key| keys(next).any(|it| it == key))
        };
        if order.contains(&next) || order.iter().any(late) {
            continue;
        }
        let mut state = state.clone();
        if runs(history.operations_of(next), &mut state) {
            order.push(next);
            found = found.max(best(history, order, &state));
            order.pop();
        }
    }
    found
}

/// Which reach which, by some kinds of edges; at most five.
type Reach = [[bool; TRANSACTIONS]; TRANSACTIONS];

const WRITE: u8 = 1;
const READ: u8 = 2;
const ITEM: u8 = 4;
const PREDICATE: u8 = 8;

/// The edges of the dependency graph: from, to and kind.
fn edges(history: &History) -> Vec<(usize, usize, u8)> {
    let writes = |at: usize, of: u64| {
        let mut own = history.operations_of(at).iter();
        own.any(|it| matches!(it, Operation::Put { key, .. } if *key == of))
    };
    let count = history.transactions.len();
    // The versions of writers rise with their places.
    let next = |after: usize, key| (after..count).find(|at| writes(*at, key));
    let mut edges = Vec::new();
    for at in 0..count {
        for key in (0..KEYS).filter(|key| writes(at, *key)) {
            edges.extend(next(at + 1, key).map(|to| (at, to, WRITE)));
        }
        for (place, operation) in history.operations_of(at).iter().enumerate() {
            let mut read = |key: u64, seen: Option<Seen>, kind| {
                let writer = seen.map(|seen| ((seen.stamp - 1) / KEYS) as usize);
                edges.extend(writer.map(|from| (from, at, READ)));
                let after = next(writer.map_or(0, |writer| writer + 1), key);
                edges.extend(after.filter(|to| *to != at).map(|to| (at, to, kind)));
            };
            match *operation {
                Operation::Get { key, seen } => read(key, seen, ITEM),
                Operation::Found { key, seen } => read(key, Some(seen), ITEM),
                Operation::Find { from, .. } => {
                    let rest = &history.operations_of(at)[place + 1..];
                    let found = rest.iter().map_while(|it| match it {
                        Operation::Found { key, .. } => Some(*key),
                        _ => None,
                    });
                    let found: Vec<u64> = found.collect();
                    let missed = (from..KEYS).filter(|key| !found.contains(key));
                    missed.for_each(|key| read(key, None, PREDICATE));
                }
                _ => {}
            }
        }
    }
    edges
}

/// The worst cycle of the dependency graph, by all ways that there are.
fn worst(history: &History) -> Option<Anomaly> {
    let edges = edges(history);
    let reach = |kinds: u8| {
        let mut reach: Reach = Default::default();
        for (from, to, _) in edges.iter().filter(|(_, _, kind)| kind & kinds != 0) {
            reach[*from][*to] = true;
        }
        for over in 0..TRANSACTIONS {
            for from in 0..TRANSACTIONS {
                for to in 0..TRANSACTIONS {
                    reach[from][to] |= reach[from][over] && reach[over][to];
                }
            }
        }
        reach
    };
    let is_cyclic = |kinds| (0..TRANSACTIONS).any(|at| reach(kinds)[at][at]);
    let circular = reach(WRITE | READ);
    let mut anti = edges
        .iter()
        .filter(|(_, _, kind)| kind & (ITEM | PREDICATE) != 0);
    let names = [
        (is_cyclic(WRITE), Anomaly::G0),
        (is_cyclic(WRITE | READ), Anomaly::G1c),
        (
            anti.any(|(from, to, _)| circular[*to][*from]),
            Anomaly::GSingle,
        ),
        (is_cyclic(WRITE | READ | ITEM), Anomaly::G2Item),
        (is_cyclic(WRITE | READ | ITEM | PREDICATE), Anomaly::G2),
    ];
    names
        .into_iter()
        .find(|(is, _)| *is)
        .map(|(_, anomaly)| anomaly)
}

#[test]
fn small_histories_are_what_the_check_says() {
    let mut random = Random::new(7);
    let mut times: BTreeMap<Is, usize> = BTreeMap::new();
    let mut anomalies: BTreeMap<Anomaly, usize> = BTreeMap::new();
    for _ in 0..scaled(20_000, 100_000) {
        let history = random_history(&mut random);
        let is = best(&history, &mut Vec::new(), &BTreeMap::new());
        let expected = |anomaly: Option<Anomaly>| match anomaly {
            None => is == Is::InTheOrderOfVersions,
            Some(Anomaly::VersionOrder) => is == Is::StrictlySo,
            Some(Anomaly::RealTime) => is == Is::Serializable,
            Some(anomaly) => is == Is::Wrong && worst(&history) == Some(anomaly),
        };
        let checked = history.check();
        let anomaly = checked.as_ref().err().map(|violation| violation.anomaly);
        assert!(expected(anomaly), "{is:?}: {checked:?}\n{history:?}");
        *times.entry(is).or_default() += 1;
        *anomalies
            .entry(anomaly.unwrap_or(Anomaly::Malformed))
            .or_default() += 1;
    }
    assert_eq!(times.len(), 4, "{times:?}");
    assert!(times.values().all(|times| *times > 200), "{times:?}");
    assert_eq!(anomalies.len(), 7, "{anomalies:?}");
}
