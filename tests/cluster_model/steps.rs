//! What is done to the store: transactions, batches, snapshots, watchers, looks.

use std::panic::{AssertUnwindSafe, catch_unwind};

use skep::{Transaction, UpdateError, Version};

use super::any::{Any, TABLES, pick, random_object};
use super::common::Random;
use super::lazy::Lazy;
use super::looks::{Commit, Watching, look};
use super::state::{Kept, Refusal, State, Tx, Verb};
use super::verbs::run;
use super::world::{BATCH, Done, KEPT, World};

/// What a closure says that gives up.
const GIVEN_UP: &str = "as it is to be";

/// Verbs, with what the model says to each.
type Plan = Vec<(Verb, Result<(), Refusal>)>;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Commit,
    Error,
    Panic,
    Refusal,
}

impl World {
    pub fn step(&mut self) {
        match self.random.below(28) {
            0 => self.save(),
            1 if self.kind.proposed => self.begin_a_member(),
            1 => self.restore(),
            2 | 3 if self.kind.proposed => self.race(),
            2 | 3 => self.apply(),
            4 => self.batch(),
            5 | 15 if self.kind.proposed => self.race(),
            5 | 15 => self.interleave(),
            6 => self.hold(),
            7 => self.watch(),
            8..=10 => self.look(),
            11 => self.begin_lazily(),
            12 => self.receive_lazily(),
            13 | 14 => self.put_off(),
            _ => self.transact(),
        }
        if self.random.one_in(8) {
            self.check_past();
        }
    }

    fn transact(&mut self) {
        let mut model = self.begin();
        let count = 1 + self.random.below(7);
        let plan = plan(&mut self.random, &mut model, count);
        for (_, said) in &plan {
            self.note(named(said));
        }
        let ending = match self.random.below(10) {
            0 => Ending::Error,
            1 => Ending::Panic,
            2 | 3 if self.kind.proposed && !model.told().is_empty() => Ending::Refusal,
            _ => Ending::Commit,
        };
        if ending == Ending::Refusal {
            self.proposer.refuse_next("it is full");
        }
        let (seed, before) = (self.random.next(), self.now.clone());
        let run_all = |tx: &mut Transaction<'_>| {
            for (verb, said) in &plan {
                assert_eq!(run(tx, verb), *said, "{verb:?}");
            }
            look(&mut Random::new(seed), tx, &model.now, &before);
            match ending {
                Ending::Error => Err(GIVEN_UP),
                Ending::Panic => std::panic::resume_unwind(Box::new(GIVEN_UP)),
                Ending::Commit | Ending::Refusal => Ok(()),
            }
        };
        let store = self.store.clone();
        let updated = catch_unwind(AssertUnwindSafe(|| store.update_versioned(run_all)));
        match (updated, ending) {
            (Ok(Ok(((), version))), Ending::Commit) if !model.told().is_empty() => {
                let done = Done::of(&model, version, self.proposed());
                return self.committed(vec![done]);
            }
            (Ok(Ok(((), version))), Ending::Commit) => assert_eq!(version, self.version),
            (Ok(Err(UpdateError::Closure(error))), Ending::Error) => assert_eq!(error, GIVEN_UP),
            (Ok(Err(UpdateError::Refused { reason })), Ending::Refusal) => {
                assert_eq!(&*reason, "it is full");
                self.note("refused");
                self.version = self.store.version();
            }
            (Err(panic), Ending::Panic) => assert_eq!(panic.downcast_ref(), Some(&GIVEN_UP)),
            (updated, ending) => panic!("{updated:?} where {ending:?} is to be"),
        }
        self.nothing_happened();
    }

    /// Steps, some of which fail, in commits of a few.
    fn batch(&mut self) {
        let mut model = self.begin();
        let mut commits: Vec<Done> = Vec::new();
        let steps = self.random.below(16);
        let store = self.store.clone();
        let report = store.batch::<Refusal>(|batch| {
            for _ in 0..steps {
                let mut step = model.clone();
                let count = 1 + self.random.below(3);
                let plan = plan(&mut self.random, &mut step, count);
                // At the first refusal the whole step is given up.
                let refused = plan.iter().find_map(|(_, said)| said.clone().err());
                let done = batch.step(move |tx| {
                    plan.iter().try_for_each(|(verb, said)| {
                        let answer = run(tx, verb);
                        assert_eq!(answer, *said, "{verb:?}");
                        answer
                    })
                });
                match refused {
                    Some(refusal) => assert_eq!(done, Err(UpdateError::Closure(refusal))),
                    None => {
                        done.expect("the model does it");
                        model = step;
                    }
                }
                if model.written.len() >= BATCH {
                    model = self.next_of_batch(&model, &mut commits);
                }
            }
            Ok(())
        });
        let report = report.expect("nobody else writes");
        self.next_of_batch(&model, &mut commits);
        assert_eq!(
            report.version,
            commits.last().map_or(Version::ZERO, |it| it.version)
        );
        match commits.is_empty() {
            true => self.nothing_happened(),
            false => {
                self.note("batch");
                self.committed(commits);
            }
        }
    }

    /// A transaction of a batch is committed; the model of the next one.
    fn next_of_batch(&self, model: &Tx, commits: &mut Vec<Done>) -> Tx {
        let number = self.version.get() + 1 + commits.len() as u64;
        // Only the last one's is known by the number of proposals, when that is there.
        let proposed = self.proposed();
        let mut base = model.now.clone();
        if !model.told().is_empty() {
            let version = Version::new(number);
            for told in model.told() {
                if let Some(kept) = base.get_mut(&told.key) {
                    (kept.version, kept.proposed) = (version, proposed);
                }
            }
            commits.push(Done::of(model, version, proposed));
        }
        let last = commits.last();
        let shown = last.map(|done| done.proposed.unwrap_or(done.version));
        Tx::begin(&base, shown.unwrap_or(self.shown), self.kind.in_kind)
    }

    fn hold(&mut self) {
        if self.held.len() > 2 {
            let at = self.random.below(3) as usize;
            self.held.swap_remove(at);
        }
        let at = self.back();
        let (state, (version, _)) = &self.past[at];
        let snapshot = self.store.snapshot_at(*version).expect("it is retained");
        self.held.push((snapshot, state.clone()));
    }

    fn watch(&mut self) {
        if self.watchers.len() > 7 {
            let at = self.random.below(8) as usize;
            self.watchers.swap_remove(at);
        }
        let from = self.back();
        let version = self.past[from].1.0;
        let history = self.past[from + 1..]
            .iter()
            .map(|(_, commit)| commit.clone());
        let history: Vec<Commit> = history.collect();
        let watching = Watching::random(&mut self.random, &self.store, version, &history);
        self.watchers.push(watching);
    }

    fn begin_lazily(&mut self) {
        if self.lazy.len() < 8 {
            let lazy = Lazy::begin(&mut self.random, &self.store, &self.now);
            self.lazy.push(lazy);
        }
    }

    /// Some of those that receive seldom do.
    fn receive_lazily(&mut self) {
        let count = self.random.below(self.lazy.len() as u64 + 1) as usize;
        for lazy in &mut self.lazy[..count] {
            let lags = lazy.receive(&mut self.random, &self.store, &self.now);
            *self.happened.entry("lagged").or_default() += lags;
        }
        // Who has received stands behind the others.
        self.lazy.rotate_left(count);
        if self.random.one_in(4) {
            self.lazy.pop();
        }
    }

    /// A place among the last versions.
    fn back(&mut self) -> usize {
        let back = self.random.below(self.past.len().min(KEPT) as u64);
        self.past.len() - 1 - back as usize
    }

    fn look(&mut self) {
        let older = self
            .held
            .first()
            .map(|(_, state)| state)
            .unwrap_or(&self.now);
        for _ in 0..4 {
            look(&mut self.random, &self.store.read(), &self.now, older);
            if let Some((snapshot, state)) = self.held.last() {
                look(&mut self.random, snapshot, state, &self.now);
            }
        }
    }
}

fn named(said: &Result<(), Refusal>) -> &'static str {
    match said {
        Ok(()) => "done",
        Err(Refusal::Exists(_)) => "exists",
        Err(Refusal::NotFound(_)) => "not found",
        Err(Refusal::OutOfSequence { .. }) => "out of sequence",
        Err(Refusal::Rule(_)) => "rule",
        Err(Refusal::InUse { .. }) => "in use",
        Err(Refusal::Duplicate { .. }) => "duplicate",
    }
}

/// Verbs at random, which the model does.
fn plan(random: &mut Random, model: &mut Tx, count: u64) -> Plan {
    let verbs = (0..count).map(|_| {
        let verb = random_verb(random, &model.now);
        let said = model.run(&verb);
        (verb, said)
    });
    verbs.collect()
}

pub fn random_verb(random: &mut Random, now: &State) -> Verb {
    // Those with rules of their own more often.
    let table = match random.below(4) {
        0 => pick(random, &["extension", "resource"]),
        _ => pick(random, &TABLES),
    };
    let any = random_any(random, now, table);
    let key = (table, any.id());
    let there = now.get(&key);
    let own = there.map(|kept| kept.version);
    let proposed = there.and_then(|kept| kept.proposed);
    // More often one that may be done.
    let verb = match (there.is_some(), random.one_in(3)) {
        (_, true) => random.below(16),
        (true, false) => 3 + random.below(13),
        (false, false) => random.below(3),
    };
    match verb {
        0..=2 => Verb::Create(any),
        3 | 4 => Verb::Update(any),
        5 | 6 => Verb::UpdateAt(version(random, own), any),
        7 => Verb::UpdateAtProposed(version(random, proposed), any),
        8 => Verb::Upsert(any),
        9 => Verb::Modify(any),
        10 | 11 => match there.map(|kept| kept.any.spec_version()) {
            Some(Some(own)) => Verb::SpecAt(version(random, Some(own)), any),
            _ => Verb::Upsert(any),
        },
        12 | 13 => Verb::Delete(key),
        14 => Verb::DeleteAt(version(random, own), key),
        _ => Verb::DeleteAtProposed(version(random, proposed), key),
    }
}

/// An object: more often one that is there, more or less changed.
pub fn random_any(random: &mut Random, now: &State, table: &str) -> Any {
    let there: Vec<&Kept> = now
        .values()
        .filter(|kept| kept.any.table() == table)
        .collect();
    if there.is_empty() || random.one_in(3) {
        return random_object(random, table);
    }
    let mut any = pick(random, &there).any.clone();
    match random.below(3) {
        0 => any,
        1 => {
            change_a_little(random, &mut any);
            any
        }
        _ => loop {
            let other = random_object(random, table);
            if other.id() == any.id() {
                return other;
            }
        },
    }
}

/// Something that is not of its spec, if it has one.
fn change_a_little(random: &mut Random, any: &mut Any) {
    match any {
        Any::Service(service) => service.pending_delete ^= true,
        Any::Volume(volume) => volume.pending_delete ^= true,
        Any::Network(network) => network.pending_delete ^= true,
        Any::Node(node) => node.status.message.push('x'),
        Any::Task(task) => task.slot += 1,
        other => other.set_spec_version(Version::new(random.below(9))),
    }
}

/// A version, more often the right one.
fn version(random: &mut Random, right: Option<Version>) -> Version {
    match right {
        Some(right) if !random.one_in(3) => right,
        _ => Version::new(random.below(50)),
    }
}
