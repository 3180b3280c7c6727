//! Transactions on several threads: each attempt has seen a true version, and those that are
//! committed could have run in the order of their versions, with the same refusals and the same
//! things found.

use std::collections::BTreeMap;
use std::thread;

use skep::{Store, Transaction, UpdateError, Version};

use super::any::{Row, TABLES, of_table};
use super::common::Random;
use super::race::{Step, replay, step_at_random};
use super::state::{Kept, State, Tx, contents};
use super::world::{Kind, assert_same};

const THREADS: u64 = 3;

/// An attempt of a transaction.
struct Attempt {
    /// The version that it read.
    begun: Version,
    /// What versions of specs went by.
    shown: Version,
    steps: Vec<Step>,
    committed: Option<Version>,
}

/// Runs random transactions on some threads, and then all of them again on the model. Gives how
/// many were committed, and how many attempts were not.
pub fn race(store: &Store, kind: Kind, seed: u64, transactions: usize) -> [usize; 2] {
    let attempts: Vec<Attempt> = thread::scope(|scope| {
        let threads = (0..THREADS)
            .map(|thread| scope.spawn(move || run(store, seed * THREADS + thread, transactions)));
        let threads: Vec<_> = threads.collect();
        let attempts = threads
            .into_iter()
            .map(|it| it.join().expect("no thread panics"));
        attempts.flatten().collect()
    });
    let (mut committed, others): (Vec<_>, Vec<_>) = attempts
        .into_iter()
        .partition(|attempt| attempt.committed.is_some());
    committed.sort_by_key(|attempt| attempt.committed);
    let mut states = BTreeMap::from([(Version::ZERO, State::new())]);
    for attempt in &committed {
        let version = attempt.committed.expect("it is");
        let (_, before) = states.last_key_value().expect("there is the empty one");
        let model = attempt.could_run(before, kind);
        let state = after(&model, version, store.proposed_version(version));
        assert!(
            states.insert(version, state).is_none(),
            "two have {version}"
        );
    }
    for attempt in &others {
        let (_, seen) = states
            .range(..=attempt.begun)
            .next_back()
            .expect("the empty one");
        attempt.could_run(seen, kind);
    }
    let (_, wanted) = states.last_key_value().expect("there is the empty one");
    let mut found = contents!(&store.read());
    for (key, kept) in &mut found {
        // The model has no clock.
        kept.times = wanted.get(key).expect("somebody wrote it").times;
    }
    assert_same(&found, wanted);
    [committed.len(), others.len()]
}

impl Attempt {
    fn could_run(&self, state: &State, kind: Kind) -> Tx {
        let mut model = Tx::begin(state, self.shown, kind.in_kind);
        replay(&mut model, &self.steps);
        model
    }
}

/// A thread's transactions.
fn run(store: &Store, seed: u64, transactions: usize) -> Vec<Attempt> {
    let mut random = Random::new(seed);
    let mut attempts: Vec<Attempt> = Vec::new();
    for _ in 0..transactions {
        // What there is about now, so that it is often met.
        let about = contents!(&store.read());
        let (seed, gives_up) = (random.next(), random.one_in(8));
        let updated = store.update_versioned(|tx| {
            attempts.push(attempt(tx, seed, &about));
            if gives_up { Err(()) } else { Ok(()) }
        });
        match updated {
            Ok(((), version)) => {
                let last = attempts.last_mut().expect("it ran");
                // If it wrote nothing it is of the version that it read.
                last.committed = Some(version).filter(|version| *version > last.begun);
            }
            Err(UpdateError::Closure(())) => assert!(gives_up),
            Err(UpdateError::Refused { .. } | UpdateError::LostLeadership) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    attempts
}

fn attempt(tx: &mut Transaction<'_>, seed: u64, about: &State) -> Attempt {
    let mut random = Random::new(seed);
    let mut steps = Vec::new();
    for _ in 0..1 + random.below(5) {
        steps.extend(step_at_random(&mut random, tx, about));
        if random.one_in(2) {
            thread::yield_now();
        }
    }
    Attempt {
        begun: tx.version(),
        shown: tx.proposed_version().unwrap_or(tx.version()),
        steps,
        committed: None,
    }
}

/// What a transaction left, if it was committed at a version.
fn after(model: &Tx, version: Version, proposed: Option<Version>) -> State {
    let mut state = model.now.clone();
    for told in model.told() {
        if let Some(kept) = state.get_mut(&told.key) {
            let kept: &mut Kept = kept;
            (kept.version, kept.proposed) = (version, proposed);
        }
    }
    state
}
