//! Running a scenario under many schedules, and saying which one failed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

use crate::schedule::{OneSeed, Random};

/// Executions of a scenario, unless `SHUTTLE_EXECUTIONS` says otherwise.
const EXECUTIONS: u64 = 1_000;
/// Steps of an execution at most: more are taken for a livelock.
const STEPS_MAX: usize = 1_000_000;
const STACK_BYTES: usize = 1 << 19;

/// What was chosen in an execution: a hash of it, and how many steps there were.
#[derive(Clone, Debug, Default)]
pub struct Trace(Rc<Cell<(u64, u64)>>);

impl Trace {
    pub fn add(&self, chosen: u64) {
        let (hash, steps) = self.0.get();
        let mut mixed = Random::new(hash ^ chosen);
        self.0.set((mixed.next(), steps + 1));
    }
}

/// Runs one execution; a panic in it is the scenario's.
fn run(seed: u64, scenario: fn()) -> (u64, u64) {
    let trace = Trace::default();
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    // The seed says it all, and a schedule would be pages.
    config.failure_persistence = FailurePersistence::None;
    Runner::new(OneSeed::new(seed, trace.clone()), config).run(scenario);
    trace.0.get()
}

fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect("a number"))
}

/// Runs a scenario under as many schedules as asked for. The first that fails is named, with the
/// command that runs it again.
pub fn explore(name: &str, scenario: fn()) {
    let tried = |seed| {
        let result = catch_unwind(AssertUnwindSafe(|| run(seed, scenario)));
        result.unwrap_or_else(|panic| {
            eprintln!("{name}: seed {seed} fails; again: SHUTTLE_SEED={seed} ci/shuttle.sh {name}");
            resume_unwind(panic)
        })
    };
    if let Some(seed) = number_from("SHUTTLE_SEED") {
        let (_, steps) = tried(seed);
        println!("{name}: seed {seed} holds, {steps} steps");
        return;
    }
    let executions = number_from("SHUTTLE_EXECUTIONS").unwrap_or(EXECUTIONS);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let mut seeds = Random::new(now.expect("it is after 1970").as_nanos() as u64);
    let mut longest = 0;
    let mut all = 0;
    for _ in 0..executions {
        let (_, steps) = tried(seeds.next());
        all += steps;
        longest = longest.max(steps);
    }
    let mean = all / executions.max(1);
    println!("{name}: {executions} executions of {mean} steps, the longest of {longest}");
    assert_same_again(name, seeds.next(), scenario);
}

/// A seed that would give another execution each time would name nothing.
fn assert_same_again(name: &str, seed: u64, scenario: fn()) {
    let (once, again) = (run(seed, scenario), run(seed, scenario));
    assert_eq!(once, again, "{name}: seed {seed} is not one execution");
}
