//! Names of resources: among all of them, or among those of a kind where the store is built so; in
//! each verb, in copies, and when several threads want the same.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::collections::HashSet;

use fixture::{builder, id, rule};
use skep::cluster::{Extension, Resource, ResourceNames, RuleError};
use skep::{
    Action, CreateError, DeferredError, Divergence, Fork, Id, Store, UpdateError, fold_case, keys,
};

/// A store of two kinds, with a resource of each; their names are `names`.
fn store_of(rule: ResourceNames, names: [&str; 2]) -> Result<Store, UpdateError<CreateError>> {
    let store = builder().setting(rule).build();
    store.update(|tx| {
        for (kind, at) in [("pool", "a1"), ("route", "a2")] {
            tx.create(Extension::named(id(at), kind))?;
        }
        tx.create(Resource::named(id("a1"), "pool", names[0]))?;
        tx.create(Resource::named(id("a2"), "route", names[1]))
    })?;
    Ok(store)
}

fn taken(claimant: &str, name: &str, holder: &str) -> RuleError {
    RuleError::NameConflict {
        table: "resource",
        name: name.into(),
        holder: id(holder),
        claimant: id(claimant),
    }
}

#[test]
fn a_name_is_unique_among_all_resources_unless_the_store_is_built_otherwise() {
    for rule_of in [ResourceNames::default(), ResourceNames::Unique] {
        let refused = store_of(rule_of, ["main", "Main"]);
        assert_eq!(rule(refused), taken("a2", "Main", "a1"));
    }
    assert!(store_of(ResourceNames::UniqueInKind, ["main", "Main"]).is_ok());
}

#[test]
fn in_its_kind_a_name_is_unique_in_each_verb() {
    let store = store_of(ResourceNames::UniqueInKind, ["main", "main"]).expect("two kinds");
    let other = |kind, name| Resource::named(id("b1"), kind, name);
    let refused = store.update(|tx| tx.create(other("POOL", "MAIN")));
    assert_eq!(rule(refused), taken("b1", "MAIN", "a1"));
    let refused = store.update(|tx| tx.upsert(other("route", "Main")));
    assert_eq!(rule(refused), taken("b1", "Main", "a2"));
    // Of a creation it comes before the ID.
    let refused = store.update(|tx| tx.create(Resource::named(id("a1"), "pool", "main")));
    assert_eq!(rule(refused), taken("a1", "main", "a1"));
    store
        .update(|tx| tx.create(other("pool", "spare")))
        .expect("no other has the name");
    let renamed = store.update(|tx| tx.update(other("pool", "Main")));
    assert_eq!(rule(renamed), taken("b1", "Main", "a1"));
    // Into a kind where the name is taken.
    store
        .update(|tx| tx.create(Resource::named(id("b2"), "route", "spare")))
        .expect("its own");
    let moved = store.update(|tx| tx.update(other("route", "spare")));
    assert_eq!(rule(moved), taken("b1", "spare", "b2"));
    // A resource may change the case of its own.
    let cased = store.update(|tx| tx.update(other("Pool", "SPARE")));
    assert_eq!(cased, Ok(()));
    let moved = store.update(|tx| tx.update(Resource::named(id("b1"), "route", "free")));
    assert_eq!(moved, Ok(()));
}

#[test]
fn a_kind_that_changes_keeps_a_name_that_is_unique_among_all() {
    let store = store_of(ResourceNames::Unique, ["one", "two"]).expect("two names");
    let moved = store.update(|tx| tx.update(Resource::named(id("a1"), "route", "One")));
    assert_eq!(moved, Ok(()));
    let refused = store.update(|tx| tx.update(Resource::named(id("a1"), "pool", "Two")));
    assert_eq!(rule(refused), taken("a1", "Two", "a2"));
}

#[test]
fn a_copied_state_keeps_to_it_as_well() {
    let put = |rule_of, names: [&str; 2]| {
        let store = store_of(rule_of, ["one", "two"]).expect("two names");
        let mut tx = store.begin();
        let [first, second] = names.map(str::to_owned);
        tx.defer_checks(|tx| {
            tx.update(Resource::named(id("a1"), "pool", first))?;
            tx.update(Resource::named(id("a2"), "route", second))?;
            Ok::<_, skep::ReplaceError>(())
        })
    };
    assert_eq!(
        put(ResourceNames::Unique, ["two", "ONE"]),
        Ok(()),
        "they swap"
    );
    assert_eq!(put(ResourceNames::UniqueInKind, ["two", "Two"]), Ok(()));
    let refused = put(ResourceNames::Unique, ["two", "Two"]);
    assert!(
        matches!(refused, Err(DeferredError::Rejected(_))),
        "{refused:?}"
    );
    let RuleError::NameConflict { name, .. } = rule(refused) else {
        panic!("a name is taken");
    };
    assert_eq!(fold_case(name), "two");
    // In one kind the index tells.
    let store = store_of(ResourceNames::UniqueInKind, ["one", "one"]).expect("two kinds");
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.create(Resource::named(id("b1"), "POOL", "One")));
    assert!(
        matches!(refused, Err(DeferredError::Duplicate(_))),
        "{refused:?}"
    );
}

/// In whatever store: who copies is told by the index.
#[test]
fn a_name_that_is_taken_in_its_kind_is_told() {
    for rule_of in [ResourceNames::Unique, ResourceNames::UniqueInKind] {
        let store = store_of(rule_of, ["one", "two"]).expect("two names");
        let copy = |kind: &str, name: &str| {
            let resource = Resource::named(id("b1"), kind, name);
            let refused = store.apply(&[Action::create(resource)]);
            refused.expect_err("it is taken")
        };
        let told = copy("POOL", "One").to_string();
        let expected = r#"by_kind_and_name ("pool", "one") is taken by "#;
        assert!(told.contains(expected), "{told}");
        let cause = |error| match error {
            UpdateError::Closure(Divergence { cause, .. }) => cause,
            error => panic!("{error}"),
        };
        assert_eq!(cause(copy("pool", "one")), cause(copy("Pool", "ONE")));
        assert_ne!(cause(copy("pool", "one")), cause(copy("route", "two")));
    }
}

#[test]
fn a_fork_has_the_rule_of_its_source() {
    let store = store_of(ResourceNames::UniqueInKind, ["one", "one"]).expect("two kinds");
    let mut fork = Fork::new(&store).expect("it copies");
    let both = store.update(|tx| {
        tx.create(Resource::named(id("b1"), "pool", "two"))?;
        tx.create(Resource::named(id("b2"), "route", "two"))
    });
    assert_eq!(both, Ok(()));
    fork.poll().expect("it keeps to the same rule");
    assert_eq!(fork.store().read().count(Resource::BY_NAME.eq("two")), 2);
}

#[cfg(feature = "save")]
#[test]
fn a_file_with_shared_names_is_refused_where_they_are_unique() {
    use skep::cluster::catalogue;

    let store = store_of(ResourceNames::UniqueInKind, ["one", "One"]).expect("two kinds");
    let mut file = Vec::new();
    store.save(&catalogue(), &mut file).expect("it is saved");
    let same = builder().setting(ResourceNames::UniqueInKind).build();
    same.restore(&catalogue(), &file[..])
        .expect("it may have them");
    assert_eq!(same.read().count(Resource::BY_NAME.eq("one")), 2);
    let other = builder().build();
    let refused = other.restore(&catalogue(), &file[..]);
    let refused = refused.expect_err("they are unique there");
    assert!(RuleError::of(&refused).is_some(), "{refused}");
    assert_eq!(other.read().count(keys::<Resource>().all()), 0);
}

/// Threads that want the same names at the same time, in two kinds.
#[test]
fn racing_threads_share_no_name() {
    let rounds = if cfg!(debug_assertions) { 150 } else { 1500 };
    for rule_of in [ResourceNames::Unique, ResourceNames::UniqueInKind] {
        let store = &store_of(rule_of, ["one", "two"]).expect("two names");
        let check = || {
            let (view, mut seen) = (store.read(), HashSet::new());
            for resource in view.find(keys::<Resource>().all()) {
                let kind = match rule_of {
                    ResourceNames::Unique => String::new(),
                    ResourceNames::UniqueInKind => fold_case(resource.kind.clone()),
                };
                let name = fold_case(resource.annotations.name.clone());
                assert!(seen.insert((kind, name.clone())), "{name} twice");
            }
        };
        std::thread::scope(|scope| {
            for thread in 0..3_usize {
                scope.spawn(move || {
                    for round in 0..rounds {
                        let own = Id::random();
                        let kind = ["pool", "route", "POOL"][(round / 2 + thread) % 3];
                        let name = ["alpha", "ALPHA"][round % 2];
                        let put = store.update(|tx| tx.create(Resource::named(own, kind, name)));
                        check();
                        match put {
                            Ok(()) => {
                                let deleted = store.update(|tx| tx.delete::<Resource>(&own));
                                assert_eq!(deleted, Ok(()));
                            }
                            Err(UpdateError::Conflict { .. }) => {}
                            Err(refused) => assert!(RuleError::of(&refused).is_some()),
                        }
                    }
                });
            }
        });
        check();
    }
}
