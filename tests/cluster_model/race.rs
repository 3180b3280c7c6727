//! Transactions that know nothing of each other, on one thread: which of them commit could have run
//! one after another, with the same refusals and the same things found; and proposals in flight,
//! which show when all before them are decided.

use skep::cluster::Finder;
use skep::{CommitError, Id, Submission, Transaction, Version};

use super::any::{Row, TABLES, of_table, pick};
use super::common::Random;
use super::finders::{random_finder, unanswered};
use super::looks::{found, wanted};
use super::state::{Kept, Refusal, State, Tx, Verb, contents};
use super::steps::random_verb;
use super::verbs::run;
use super::world::{Done, World, assert_same};

/// What a transaction did, and what it was told.
pub enum Step {
    Verb(Box<Verb>, Result<(), Refusal>),
    /// The first ones, so many, of those that a finder finds.
    Look(&'static str, Finder, usize, Vec<Id>),
}

/// A transaction that is to be committed.
struct Runner {
    steps: Vec<Step>,
    model: Tx,
}

/// A proposal, and what it is to do.
struct InFlight {
    submission: Submission,
    done: Done,
    steps: Vec<Step>,
}

/// What a proposer says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Accept,
    Refuse,
    Lose,
}

impl Runner {
    fn done(&self, version: Version, proposed: Option<Version>) -> Done {
        Done::of(&self.model, version, proposed)
    }
}

impl World {
    /// Of transactions on one state those that commit could have run in the order of their commits.
    pub fn interleave(&mut self) {
        let store = self.store.clone();
        let count = 2 + self.random.below(3);
        let mut open: Vec<_> = (0..count).map(|_| (store.begin(), self.runner())).collect();
        for _ in 0..self.random.below(30) {
            let which = self.random.below(count) as usize;
            let (tx, runner) = &mut open[which];
            self.go_on(tx, runner);
        }
        let (mut state, mut commits) = (self.now.clone(), Vec::new());
        while !open.is_empty() {
            let which = self.random.below(open.len() as u64) as usize;
            let (tx, runner) = open.swap_remove(which);
            let told = !runner.model.told().is_empty();
            match tx.commit() {
                Ok(version) if told => {
                    let done = runner.done(version, None);
                    self.could_run(&runner.steps, &done, &mut state);
                    commits.push(done);
                }
                Ok(version) => assert!(version <= store.version()),
                Err(CommitError::Conflict { with }) => {
                    let mut others = commits.iter().map(|done: &Done| done.version);
                    assert!(others.any(|version| version == with));
                    self.note("conflict");
                }
                Err(CommitError::Duplicate(error)) => {
                    // A name that it has taken at some time, if only to give it up again.
                    let id = *error.holder.downcast_ref::<Id>().expect("an ID");
                    let holder = state[&(error.table, id)].any.unique_name(true);
                    let (kind, name) = holder.expect("one of a unique name");
                    let (in_kind, alone) = (error.key.downcast_ref(), error.key.downcast_ref());
                    assert!(in_kind == Some(&(kind, name.clone())) || alone == Some(&name));
                    self.note("conflict");
                }
                Err(error) => panic!("{error}"),
            }
        }
        if commits.len() > 1 {
            self.note("interleaved");
        }
        self.committed(commits);
    }

    /// The same, decided by a proposer, in any order.
    pub fn race(&mut self) {
        self.proposer.hold();
        let store = self.store.clone();
        let mut in_flight: Vec<InFlight> = Vec::new();
        for _ in 0..2 + self.random.below(4) {
            let (mut tx, mut runner) = (store.begin(), self.runner());
            for _ in 0..1 + self.random.below(4) {
                self.go_on(&mut tx, &mut runner);
            }
            let told = !runner.model.told().is_empty();
            match tx.submit() {
                Ok(submission) if told => {
                    let done = runner.done(submission.version(), self.proposed());
                    let steps = runner.steps;
                    in_flight.push(InFlight {
                        submission,
                        done,
                        steps,
                    });
                }
                Ok(submission) => assert_eq!(submission.version(), self.version),
                Err(CommitError::Conflict { with }) => {
                    let mut others = in_flight.iter().map(|it| it.submission.version());
                    assert!(others.any(|version| version == with));
                    self.note("conflict");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(self.proposer.waiting(), in_flight.len());
        let answers = self.answer_all(&in_flight);
        self.proposer.release();
        let (mut state, mut commits) = (self.now.clone(), Vec::new());
        for (it, answer) in in_flight.into_iter().zip(answers) {
            match (it.submission.wait(), answer) {
                (Ok(version), Answer::Accept) => {
                    assert_eq!(version, it.done.version);
                    self.could_run(&it.steps, &it.done, &mut state);
                    commits.push(it.done);
                }
                (Err(CommitError::Refused { reason }), Answer::Refuse) => {
                    assert_eq!(&*reason, "no room");
                }
                (Err(CommitError::LostLeadership), Answer::Lose) => {}
                (outcome, answer) => panic!("{outcome:?} for {answer:?}"),
            }
        }
        if commits.len() > 1 {
            self.note("raced");
        }
        self.committed(commits);
        // What was refused is passed.
        self.version = self.store.version();
        self.nothing_happened();
    }

    fn runner(&self) -> Runner {
        let (steps, model) = (Vec::new(), self.begin());
        Runner { steps, model }
    }

    fn go_on(&mut self, tx: &mut Transaction<'_>, runner: &mut Runner) {
        let step = step_at_random(&mut self.random, tx, &runner.model.now);
        let steps: Vec<Step> = step.into_iter().collect();
        replay(&mut runner.model, &steps);
        runner.steps.extend(steps);
    }

    /// What was done and told would be so on a state as well, which goes on then.
    fn could_run(&self, steps: &[Step], done: &Done, state: &mut State) {
        let mut model = self.begin().on(state);
        replay(&mut model, steps);
        assert_eq!(model.told(), done.told);
        apply(state, done);
    }

    /// Answers all in some order, twice; after each, what shows is what is decided before the first
    /// that is not.
    fn answer_all(&mut self, in_flight: &[InFlight]) -> Vec<Answer> {
        let mut waiting: Vec<usize> = (0..in_flight.len()).collect();
        let mut answers = vec![None; in_flight.len()];
        while !waiting.is_empty() {
            let place = self.random.below(waiting.len() as u64) as usize;
            let which = waiting.remove(place);
            let answers_of = [Answer::Accept, Answer::Accept, Answer::Refuse, Answer::Lose];
            let answer = pick(&mut self.random, &answers_of);
            match answer {
                Answer::Accept => assert!(self.proposer.accept_at(place)),
                Answer::Refuse => assert!(self.proposer.refuse_at(place, "no room")),
                Answer::Lose => {
                    let ticket = self.proposer.take(place).expect("it waits");
                    ticket.lose_leadership().expect("the first answer");
                    ticket.refuse("too late").expect_err("the second answer");
                    ticket
                        .accept(Version::new(1))
                        .expect_err("the third answer");
                }
            }
            answers[which] = Some(answer);
            let decided = answers.iter().take_while(|answer| answer.is_some()).count();
            self.shows(&in_flight[..decided], &answers);
        }
        answers.into_iter().flatten().collect()
    }

    fn shows(&self, decided: &[InFlight], answers: &[Option<Answer>]) {
        let mut state = self.now.clone();
        for (it, answer) in decided.iter().zip(answers) {
            if *answer == Some(Answer::Accept) {
                apply(&mut state, &it.done);
            }
        }
        let mut found = contents!(&self.store.read());
        for (key, kept) in &mut found {
            // The times are looked at when all is decided.
            if let Some(wanted) = state.get(key).filter(|it| it.version > self.version) {
                kept.times = wanted.times;
            }
        }
        assert_same(&found, &state);
    }
}

/// A step in a transaction, unless it would be to look for what no table answers.
pub fn step_at_random(
    random: &mut Random,
    tx: &mut Transaction<'_>,
    about: &State,
) -> Option<Step> {
    if !random.one_in(3) {
        let verb = random_verb(random, about);
        let said = run(tx, &verb);
        return Some(Step::Verb(verb.into(), said));
    }
    let table = pick(random, &TABLES);
    let finder = random_finder(random, 2);
    let some = random.below(4) as usize;
    unanswered(&finder, table).is_none().then(|| {
        let ids = found(table, &finder, tx, some);
        Step::Look(table, finder, some, ids)
    })
}

/// Does the same on the model, which must say the same.
pub fn replay(model: &mut Tx, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Verb(verb, said) => assert_eq!(model.run(verb), *said, "{verb:?}"),
            Step::Look(table, finder, some, ids) => {
                let mut all = wanted(table, finder, &model.now);
                all.truncate(*some);
                assert_eq!(*ids, all, "{table} {finder:?}");
            }
        }
    }
}

/// What a commit does to a state, but for the times.
fn apply(state: &mut State, done: &Done) {
    for told in &done.told {
        match told.new.clone() {
            None => drop(state.remove(&told.key)),
            Some(any) => {
                let (version, proposed) = (done.version, done.proposed);
                let times = (std::time::UNIX_EPOCH, std::time::UNIX_EPOCH);
                state.insert(
                    told.key,
                    Kept {
                        any,
                        version,
                        proposed,
                        times,
                    },
                );
            }
        }
    }
}
