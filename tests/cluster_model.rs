//! The whole cluster package against a plain model: random transactions, batches, copies, saved
//! files and proposals on all ten tables. After each step the store has just what the model has,
//! every refusal is the one that the rules tell, and watchers, forks, replicas, old snapshots and
//! finders agree.

#[path = "cluster_model/any.rs"]
mod any;
mod common;
#[path = "cluster_model/copies.rs"]
mod copies;
#[path = "cluster_model/deferred.rs"]
mod deferred;
#[path = "cluster_model/finders.rs"]
mod finders;
#[path = "cluster_model/lazy.rs"]
mod lazy;
#[path = "cluster_model/looks.rs"]
mod looks;
#[path = "cluster_model/race.rs"]
mod race;
#[path = "cluster_model/replaced.rs"]
mod replaced;
#[path = "cluster_model/state.rs"]
mod state;
#[path = "cluster_model/steps.rs"]
mod steps;
#[path = "cluster_model/threads.rs"]
mod threads;
#[path = "cluster_model/verbs.rs"]
mod verbs;
#[path = "cluster_model/world.rs"]
mod world;

use std::collections::BTreeMap;

use any::TABLES;
use common::{Random, scaled};
use skep::testing::{Rough, TestProposer};
use world::{Kind, World, builder};

/// What happened in worlds of a kind, by name.
fn played(proposed: bool) -> BTreeMap<&'static str, u32> {
    let mut happened = BTreeMap::new();
    for seed in 0..scaled(2, 40) as u64 {
        let in_kind = seed % 2 == 1;
        let mut world = World::new(seed, Kind { in_kind, proposed });
        (0..400).for_each(|_| world.step());
        for (what, times) in world.happened {
            *happened.entry(what).or_default() += times;
        }
    }
    happened
}

#[track_caller]
fn assert_happened(happened: &BTreeMap<&'static str, u32>, what: &[&str]) {
    let often = |what: &&str| happened.get(what).is_some_and(|times| *times >= 5);
    assert!(what.iter().all(often), "{happened:?}");
}

const EVERYWHERE: [&str; 10] = [
    "batch",
    "done",
    "exists",
    "in use",
    "lagged",
    "not found",
    "out of sequence",
    "put off",
    "put off and refused",
    "rule",
];

#[test]
fn a_store_does_what_the_model_does() {
    let happened = played(false);
    assert_happened(&happened, &EVERYWHERE);
    let what = ["applied", "breaks a rule", "does not fit", "restored"];
    assert_happened(&happened, &what);
    assert_happened(&happened, &["conflict", "interleaved"]);
}

#[test]
fn a_store_with_a_proposer_does_what_the_model_does() {
    let happened = played(true);
    assert_happened(&happened, &EVERYWHERE);
    assert_happened(&happened, &["began", "conflict", "raced", "refused"]);
}

/// By all that it is found by now, and nothing that it was.
#[test]
fn a_replaced_object_is_found_by_what_it_is() {
    for (seed, table) in (0..).zip(TABLES) {
        replaced::replace(&mut Random::new(seed), table, scaled(250, 3_000));
    }
}

#[test]
fn transactions_on_threads_could_have_run_one_after_another() {
    for seed in 0..scaled(2, 20) as u64 {
        for proposed in [false, true] {
            let in_kind = seed % 2 == 1;
            let kind = Kind { in_kind, proposed };
            let proposer = TestProposer::rough(Rough::refusing(seed));
            let store = builder(kind, &proposer).build();
            let [committed, others] = threads::race(&store, kind, seed, scaled(60, 300));
            assert!(committed > 50 && others > 10, "{committed}, {others}");
        }
    }
}
