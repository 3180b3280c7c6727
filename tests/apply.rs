//! Applying another store's commits: whole or not at all, the same on every replica.

mod common;

use std::time::{Duration, SystemTime};

use common::{Account, Random, Task, account, events, named, put, store, task};
use skep::{Action, Divergence, DivergenceCause, Event, Filter, Store, UpdateError, Version, keys};

fn time(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[track_caller]
fn diverged(store: &Store, actions: &[Action]) -> Divergence {
    let before = store.version();
    match store.apply(actions) {
        Err(UpdateError::Closure(divergence)) => {
            assert_eq!(store.version(), before);
            divergence
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_is_one_commit_with_its_times() {
    let store = store();
    let mut watcher = store.watch(Filter::all());
    let actions = [
        Action::create(task(1)).at(time(5), time(5)),
        Action::create(account(1, 50)).at(time(5), time(5)),
        Action::update(named(1, "new")).at(time(5), time(6)),
    ];
    let version = store.apply(&actions).expect("it fits");
    assert_eq!(version, Version::new(1));
    let events = events(&mut watcher);
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(matches!(events[2], Event::Commit(of) if of == version));
    let view = store.read();
    let entry = view.entry::<Task>(&1).expect("created");
    assert_eq!(entry.name, "new");
    assert_eq!(
        (entry.meta().created_at, entry.meta().updated_at),
        (time(5), time(6))
    );
    drop(view);
    let gone = [Action::delete::<Task>(&1), Action::delete::<Account>(&1)];
    store.apply(&gone).expect("both are there");
    assert_eq!(store.read().count(keys::<Task>().all()), 0);
    assert_eq!(store.apply(&[]).expect("nothing to do"), Version::new(2));
}

/// Without times of its own an update keeps when the object was created; what takes its place
/// begins anew.
#[test]
fn an_object_that_is_deleted_and_created_in_one_entry_begins_anew() {
    let store = store();
    let created = || {
        let view = store.read();
        let entry = view.entry::<Task>(&1).expect("it is there");
        entry.meta().created_at
    };
    let actions = [Action::create(task(1)).at(time(5), time(5))];
    store.apply(&actions).expect("there is none");
    store
        .apply(&[Action::update(named(1, "new"))])
        .expect("it is there");
    assert_eq!(created(), time(5));
    let again = [Action::delete::<Task>(&1), Action::create(task(1))];
    store.apply(&again).expect("it is there");
    assert!(created() > time(5));
}

#[test]
fn a_failure_names_action_and_cause_and_leaves_nothing() {
    let store = store();
    put(&store, [named(1, "a")]);
    let fits = || Action::create(task(7));

    let divergence = diverged(&store, &[fits(), Action::create(task(1))]);
    assert_eq!(divergence.position, 1);
    assert!(matches!(divergence.cause, DivergenceCause::Exists(_)));
    assert_eq!(
        divergence.to_string(),
        "diverged at action 1 of its list, create task 1: task 1 exists"
    );
    let divergence = diverged(&store, &[fits(), Action::update(task(2))]);
    assert!(matches!(divergence.cause, DivergenceCause::NotFound(_)));
    let divergence = diverged(&store, &[fits(), Action::delete::<Task>(&2)]);
    assert!(matches!(divergence.cause, DivergenceCause::NotFound(_)));
    let divergence = diverged(&store, &[Action::create(named(3, "a")), fits()]);
    assert_eq!(divergence.position, 0);
    let DivergenceCause::Duplicate(duplicate) = &divergence.cause else {
        panic!("{divergence}");
    };
    common::assert_holds(duplicate, "a", 1);
    let accounts = common::builder().table::<Account>().build();
    let divergence = diverged(&accounts, &[fits()]);
    assert_eq!(divergence.cause, DivergenceCause::NoTable);
    assert!(store.read().get::<Task>(&7).is_none());
}

/// A commit's changes come in the order of first writes: names may be taken before they are free.
#[test]
fn unique_indexes_judge_the_end() {
    let store = store();
    put(&store, [named(1, "a"), named(2, "b")]);
    let swap = [Action::update(named(1, "b")), Action::update(named(2, "a"))];
    store.apply(&swap).expect("at the end each has its own");
    let passed = [Action::create(named(3, "a")), Action::delete::<Task>(&2)];
    store.apply(&passed).expect("at the end one has it");
    let named_a = store
        .read()
        .first(Task::BY_NAME.eq("a"))
        .map(|task| task.id);
    assert_eq!(named_a, Some(3));
    let both = [Action::create(named(4, "c")), Action::create(named(5, "c"))];
    let divergence = diverged(&store, &both);
    assert_eq!(divergence.position, 1);
    // Of several actions on one object the last is what does not fit.
    let [first, last] = [Action::create(named(6, "d")), Action::update(named(6, "a"))];
    let divergence = diverged(&store, &[first, Action::create(task(7)), last]);
    assert_eq!(divergence.position, 2);
}

/// Random transactions, their changes applied to two stores: all three stay equal, times too.
#[test]
fn replicas_are_equal() {
    let leader = store();
    let replicas = [store(), store()];
    let mut watcher = leader.watch(Filter::all());
    let mut random = Random::new(11);
    for _ in 0..common::scaled(300, 3_000) {
        let done = leader.update(|tx| {
            for _ in 0..random.below(5) {
                let id = random.below(12);
                match random.below(3) {
                    0 => drop(tx.delete::<Task>(&id)),
                    _ => drop(tx.upsert(named(id, &random.below(15).to_string()))),
                }
            }
            tx.upsert(account(random.below(4) as u32, 1))
        });
        done.expect("nobody else writes");
        let mut actions = Vec::new();
        for event in events(&mut watcher) {
            if let Event::Change(change) = event {
                let action = Action::of::<Task>(&change).or_else(|| Action::of::<Account>(&change));
                actions.push(action.expect("one of the two"));
            }
        }
        for replica in &replicas {
            replica.apply(&actions).expect("it fits");
        }
    }
    let state = |store: &Store| {
        let view = store.read();
        let entries = view.find(keys::<Task>().all()).entries();
        let entries = entries.map(|entry| {
            let meta = entry.meta();
            let times = (meta.created_at, meta.updated_at);
            (entry.get().clone(), meta.version, times)
        });
        (view.version(), entries.collect::<Vec<_>>())
    };
    assert_eq!(state(&leader), state(&replicas[0]));
    assert_eq!(state(&leader), state(&replicas[1]));
}

#[test]
fn an_entry_may_be_larger_than_a_transaction() {
    let store = common::builder()
        .table::<Task>()
        .transaction_changes_max(3)
        .build();
    let actions: Vec<Action> = (0..50).map(|id| Action::create(task(id))).collect();
    store.apply(&actions).expect("the leader has committed it");
    assert_eq!(store.read().count(keys::<Task>().all()), 50);
}
