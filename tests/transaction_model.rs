//! One transaction against a plain model of it: all verbs in all orders on few keys and fewer
//! names, checks at once and put off, guards by the store's versions and the proposer's; each error
//! as the model tells it, and every form of a query, whole and from any object on, with what was
//! written so far.

mod common;
#[path = "transaction_model/model.rs"]
mod model;
#[path = "transaction_model/queries.rs"]
mod queries;

use common::{Random, Task, scaled};
use model::{Model, Rows, Verb, rows};
use skep::testing::TestProposer;
use skep::{CommitError, DeferredError, Filter, Store, Transaction};

/// A verb for the store and the model, which are to say the same.
fn one_verb(random: &mut Random, tx: &mut Transaction<'_>, model: &mut Model) {
    let verb = Verb::random(random, model);
    let (answer, said) = (verb.run(tx), model.run(&verb));
    assert_eq!(answer, said, "{verb:?}");
}

/// Verbs with their checks put off. Whoever is told then that it does not fit may go on.
fn put_off(random: &mut Random, tx: &mut Transaction<'_>, model: &mut Model) {
    let gives_up = random.one_in(4);
    model.put_off = true;
    let told = tx.defer_checks(|tx| {
        for _ in 0..1 + random.below(5) {
            one_verb(random, tx, model);
            if random.one_in(3) {
                queries::look(random, tx, model);
            }
        }
        if gives_up {
            Err("as it is to be")
        } else {
            Ok(())
        }
    });
    match told {
        Err(DeferredError::Closure(error)) => {
            assert_eq!((error, gives_up), ("as it is to be", true))
        }
        Err(DeferredError::Duplicate(duplicate)) => model.assert_told(&duplicate),
        Ok(()) => {
            assert!(model.is_sound() || model.left_put_off);
            model.put_off = model.left_put_off;
        }
        other => panic!("{other:?}"),
    }
    model.left_put_off = model.put_off;
    assert_eq!(tx.checks_deferred(), model.put_off);
}

/// A transaction to its end; what there is then.
fn transact(random: &mut Random, store: &Store, before: &Rows) -> Rows {
    let mut watcher = store.watch(Filter::of::<Task>());
    let (mut tx, mut model) = (store.begin(), Model::new(before));
    for _ in 0..random.below(24) {
        match random.below(8) {
            0 => put_off(random, &mut tx, &mut model),
            1..=3 => queries::look(random, &tx, &model),
            _ => one_verb(random, &mut tx, &mut model),
        }
    }
    queries::look(random, &tx, &model);
    assert_eq!(tx.changes(), model.written.len());
    if random.one_in(8) {
        drop(tx);
        assert!(common::events(&mut watcher).is_empty());
        return before.clone();
    }
    match tx.commit() {
        Ok(version) => {
            assert!(model.is_sound());
            let after = rows(store);
            model.assert_committed(version, &after);
            assert_eq!(common::task_changes(&mut watcher), model.changes());
            after
        }
        Err(CommitError::Duplicate(duplicate)) => {
            assert!(model.put_off, "the verbs would have said so");
            model.assert_told(&duplicate);
            assert!(common::events(&mut watcher).is_empty());
            before.clone()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_transaction_does_what_the_model_does() {
    for seed in 0..scaled(60, 2_000) as u64 {
        let mut random = Random::new(seed);
        let builder = Store::builder().table::<Task>();
        let store = match seed % 2 {
            0 => builder.build(),
            _ => builder.proposer(TestProposer::new()).build(),
        };
        let mut now = Rows::new();
        for _ in 0..30 {
            now = transact(&mut random, &store, &now);
            assert_eq!(rows(&store), now);
        }
    }
}
