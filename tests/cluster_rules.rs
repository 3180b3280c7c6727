//! Rules of a cluster: names, whatever the case; in each verb, before the ID, and when others
//! commit meanwhile. Copies. Threads that race for names and kinds.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use fixture::{builder, conflict, filled, id, no_kind, rule, short};
use skep::cluster::{
    self, Cluster, ClusterObject, Config, Extension, Network, Node, Resource, RuleError, Secret,
    Service, ServiceSpec, Task, TaskState, UpdateConfig, Volume,
};
use skep::{
    Action, CommitError, CreateError, DeferredError, Error, Id, Object, ReplaceError, Store,
    UpdateError, keys,
};

/// Names of a table, in the order of IDs.
fn names<T: ClusterObject>(store: &Store) -> Vec<(String, String)> {
    let read = store.read();
    let all = read.find(keys::<T>().all());
    all.map(|it| (short(it.key()), it.name().unwrap_or_default().into_owned()))
        .collect()
}

/// What holds of each table of unique names, in each verb that puts an object.
fn names_have_no_case<T: ClusterObject>(make: impl Fn(Id, &str) -> T) {
    let store = filled();
    let before = names::<T>(&store);
    for name in ["name1", "NAME1", "NaMe1"] {
        let mut tx = store.begin();
        let refused = tx.create(make(id("c"), name));
        assert!(matches!(refused, Err(CreateError::Rejected(_))));
        assert_eq!(rule(refused), conflict::<T>("c", name, "a1"));
        assert_eq!(
            rule(tx.upsert(make(id("c"), name))),
            conflict::<T>("c", name, "a1")
        );
        // With the ID of the holder or of another: the name comes first.
        for key in ["a1", "a2"] {
            let refused = tx.create(make(id(key), name));
            assert_eq!(rule(refused), conflict::<T>(key, name, "a1"));
        }
        let refused = tx.create(make(id("a1"), "fresh"));
        assert!(matches!(refused, Err(CreateError::Exists(_))));
        if T::TABLE != Extension::TABLE {
            let refused = tx.update(make(id("a2"), name));
            assert!(matches!(refused, Err(ReplaceError::Rejected(_))));
            assert_eq!(rule(refused), conflict::<T>("a2", name, "a1"));
            assert_eq!(
                rule(tx.upsert(make(id("a2"), name))),
                conflict::<T>("a2", name, "a1")
            );
            let renamed = tx.modify::<T>(&id("a2"), |object| *object = make(id("a2"), name));
            assert_eq!(rule(renamed), conflict::<T>("a2", name, "a1"));
            // Its own name in another case is no conflict.
            assert_eq!(tx.update(make(id("a1"), name)), Ok(()));
        }
        // Of this transaction's own objects, too.
        tx.create(make(id("d"), "Straße")).expect("it is free");
        assert_eq!(
            rule(tx.create(make(id("e"), "STRAßE"))),
            conflict::<T>("e", "STRAßE", "d")
        );
    }
    assert_eq!(names::<T>(&store), before);
}

/// Of two that never saw each other, the second to commit is refused, and told of the first when
/// it is run again.
fn names_hold_at_the_commit<T: ClusterObject>(make: impl Fn(Id, &str) -> T) {
    let store = filled();
    let (mut first, mut second) = (store.begin(), store.begin());
    first.create(make(id("c"), "Fresh")).expect("it is free");
    second.create(make(id("d"), "fresh")).expect("it is free");
    assert!(first.commit().is_ok());
    let refused = second.commit();
    assert!(
        matches!(refused, Err(CommitError::Duplicate(_))),
        "{refused:?}"
    );
    let mut runs = 0;
    let refused = store.update(|tx| {
        runs += 1;
        let created = tx.create(make(id("e"), "late"));
        if runs == 1 {
            let other = store.update(|tx| tx.create(make(id("f"), "LATE")));
            assert_eq!(other, Ok(()));
        }
        created
    });
    assert_eq!((rule(refused), runs), (conflict::<T>("e", "late", "f"), 2));
    if T::TABLE == Extension::TABLE {
        return;
    }
    // A rename against a creation, a rename against a rename.
    for rival in ["e2", "a3"] {
        let (mut renamed, mut other) = (store.begin(), store.begin());
        renamed.update(make(id("a2"), rival)).expect("it is free");
        other
            .upsert(make(id(rival), &rival.to_uppercase()))
            .expect("it is free");
        assert!(other.commit().is_ok());
        let refused = renamed.commit();
        assert!(
            matches!(refused, Err(CommitError::Duplicate(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn names_are_unique_whatever_the_case() {
    macro_rules! holds_of {
        ($($make:expr),* $(,)?) => {$(
            names_have_no_case($make);
            names_hold_at_the_commit($make);
        )*};
    }
    holds_of!(
        |id, name| Cluster::named(id, name),
        |id, name| Config::named(id, name, "data"),
        |id, name| Extension::named(id, name),
        |id, name| Network::named(id, name),
        |id, name| Resource::named(id, "name1", name),
        |id, name| Secret::named(id, name, "data"),
        |id, name| Service::named(id, name),
        |id, name| Volume::named(id, name, "test"),
    );
}

#[test]
fn tasks_and_nodes_may_share_a_name() {
    let store = filled();
    let created = store.update(|tx| {
        let named = |key| Task {
            annotations: cluster::Annotations::named("same"),
            ..Task::new(id(key))
        };
        tx.create(named("c"))?;
        tx.create(named("d"))?;
        tx.create(Node::named(id("c"), "same"))?;
        tx.create(Node::named(id("d"), "SAME"))
    });
    assert_eq!(created, Ok(()));
}

/// What must hold of every state: names are apart, whatever the case, and kinds are there.
fn keeps_to_the_rules(store: &Store) {
    let read = store.read();
    let folded = |name: &str| skep::fold_case(name.to_owned());
    let names: Vec<String> = read
        .find(Resource::BY_NAME.all())
        .map(|it| folded(&it.annotations.name))
        .collect();
    assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
    for resource in read.find(keys::<Resource>().all()) {
        let kinds = read.count(Extension::BY_NAME.eq(&*resource.kind));
        assert_eq!(kinds, 1, "{resource:?}");
    }
}

#[test]
fn racing_threads_keep_to_the_rules() {
    let store = &builder().attempts_max(u32::MAX).build();
    let rounds = if cfg!(debug_assertions) { 200 } else { 2000 };
    let created = std::thread::scope(|scope| {
        let threads = [0_usize, 1, 2].map(|thread| {
            scope.spawn(move || {
                let mut created = 0;
                for round in 0..rounds {
                    let word = ["alpha", "Beta", "GAMMA"][(round + thread) % 3];
                    let name = match thread {
                        0 => word.to_lowercase(),
                        1 => word.to_uppercase(),
                        _ => word.to_owned(),
                    };
                    let (kind, own) = (Id::random(), Id::random());
                    let _ = store.update(|tx| tx.create(Extension::named(kind, &*name)));
                    let put = store.update(|tx| tx.create(Resource::named(own, &*name, &*name)));
                    keeps_to_the_rules(store);
                    match put {
                        Ok(()) => {
                            created += 1;
                            assert_eq!(store.update(|tx| tx.delete::<Resource>(&own)), Ok(()));
                        }
                        Err(refused) => assert!(RuleError::of(&refused).is_some(), "{refused}"),
                    }
                    let _ = store.update(|tx| tx.delete::<Extension>(&kind));
                    keeps_to_the_rules(store);
                }
                created
            })
        });
        threads.map(|thread| thread.join().expect("no thread panics"))
    });
    assert!(created.iter().sum::<usize>() > 0, "all were refused");
    assert_eq!(store.read().count(keys::<Resource>().all()), 0);
}

#[test]
fn a_copied_state_must_keep_to_the_rules() {
    let store = filled();
    // An extension gives way to another of its name, and two services swap theirs.
    let copied = store.update(|tx| {
        tx.defer_checks(|tx| {
            tx.delete::<Extension>(&id("a1"))?;
            tx.create(Extension::named(id("c"), "Name1"))?;
            // Deleted and created again, which leaves an update.
            tx.update(Extension {
                description: "new".into(),
                ..Extension::named(id("a2"), "name2")
            })?;
            tx.update(Service::named(id("a1"), "name2"))?;
            tx.update(Service::named(id("a2"), "name1"))?;
            Ok::<_, Error>(())
        })
    });
    assert_eq!(copied, Ok(()));
    keeps_to_the_rules(&store);
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.delete::<Extension>(&id("c")));
    assert!(matches!(refused, Err(DeferredError::Rejected(_))));
    let (extension, resource) = (id("c"), id("a1"));
    assert_eq!(
        rule(refused),
        RuleError::ExtensionInUse {
            extension,
            resource
        }
    );
    let mut tx = store.begin();
    // A kind that loses its name has not got its extension any more.
    let refused = tx.defer_checks(|tx| tx.update(Extension::named(id("a2"), "else")));
    let (extension, resource) = (id("a2"), id("a2"));
    assert_eq!(
        rule(refused),
        RuleError::ExtensionInUse {
            extension,
            resource
        }
    );
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.create(Service::named(id("c"), "NAME3")));
    let Err(DeferredError::Duplicate(duplicate)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(duplicate.holder.downcast_ref(), Some(&id("a3")));
    assert_eq!(duplicate.claimant.downcast_ref(), Some(&id("c")));
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.create(Resource::named(id("c"), "none", "fresh")));
    assert_eq!(rule(refused), no_kind("c", "none"));
    let mut tx = store.begin();
    let refused = tx.defer_checks(|tx| tx.create(Extension::named(id("d"), "Task")));
    assert_eq!(
        rule(refused),
        RuleError::ReservedName {
            extension: id("d"),
            name: "Task".into()
        }
    );
}

/// Names are compared without case, and no further: neither folded nor normalized.
#[test]
fn names_that_look_alike_are_two() {
    let store = builder().build();
    let names = [
        "straße", "strasse", "ς", "σ", "\u{e9}", "e\u{301}", "i", "İ", "ı", "a\0b", "a b", "", " ",
    ];
    for (at, name) in (0..).zip(names) {
        let created = store.update(|tx| tx.create(Service::named(Id::from_u128(at), name)));
        assert_eq!(created, Ok(()), "{name:?}");
    }
    for (name, held) in [
        ("STRASSE", "strasse"),
        ("STRA\u{1e9e}E", "straße"),
        ("Σ", "σ"),
        ("\u{c9}", "\u{e9}"),
        ("E\u{301}", "e\u{301}"),
        ("I", "i"),
        ("i\u{307}", "İ"),
        ("A\0B", "a\0b"),
    ] {
        let refused = store.update(|tx| tx.create(Service::named(id("c"), name)));
        let at = names.iter().position(|own| *own == held);
        let conflict = RuleError::NameConflict {
            table: "service",
            name: name.into(),
            holder: Id::from_u128(at.expect("it is among them") as u128),
            claimant: id("c"),
        };
        assert_eq!(rule(refused), conflict);
    }
}

#[test]
fn refusals_say_what_they_are_about() {
    let resource = id("a2");
    let extension = id("a1");
    let texts = [
        (
            conflict::<Service>("c", "Web", "a1"),
            "service c000000000000000000000000: the name \"Web\" is taken by a1",
        ),
        (no_kind("a2", "Kind"), "resource a2"),
        (
            RuleError::ReservedName {
                extension,
                name: "Task".into(),
            },
            "extension a1",
        ),
        (RuleError::ExtensionImmutable { extension }, "extension a1"),
        (
            RuleError::ExtensionInUse {
                extension,
                resource,
            },
            "extension a1",
        ),
        (RuleError::NotFinite { service: resource }, "service a2"),
        (falls(TaskState::Failed, TaskState::Ready), "task a1"),
    ];
    for (rule, text) in texts {
        assert!(rule.to_string().starts_with(text), "{rule}");
    }
    let not_by_a_rule = filled().update(|tx| tx.delete::<Service>(&id("d")));
    let error = not_by_a_rule.expect_err("there is none");
    assert_eq!(RuleError::of(&error), None);
}

fn previous(service: &mut Service) -> &mut ServiceSpec {
    service.previous_spec.get_or_insert_default()
}

/// What is not a number differs from itself: in each write the spec would seem to change. Neither
/// it nor the infinite has a JSON.
#[test]
fn ratios_of_failures_are_finite() {
    let store = filled();
    let way = |failure_ratio_max| {
        Some(UpdateConfig {
            failure_ratio_max,
            ..UpdateConfig::default()
        })
    };
    let places: [fn(&mut Service, Option<UpdateConfig>); 4] = [
        |service, way| service.spec.update = way,
        |service, way| service.spec.rollback = way,
        |service, way| previous(service).update = way,
        |service, way| previous(service).rollback = way,
    ];
    let service = id("a1");
    let not_finite = RuleError::NotFinite { service };
    for place in places {
        for ratio in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let refused =
                store.update(|tx| tx.modify::<Service>(&service, |it| place(it, way(ratio))));
            assert_eq!(rule(refused), not_finite);
            let mut copy = Service::named(service, "name1");
            place(&mut copy, way(ratio));
            assert_eq!(rule(store.apply(&[Action::update(copy)])), not_finite);
        }
        let changed = store.update(|tx| tx.modify::<Service>(&service, |it| place(it, way(0.5))));
        assert_eq!(changed, Ok(()));
    }
}

/// A replica's path: what an entry leaves must keep to the rules, whatever its steps would be.
#[test]
fn an_applied_entry_keeps_to_the_rules() {
    let store = filled();
    let entry = [
        Action::delete::<Extension>(&id("a1")),
        Action::create(Extension::named(id("c"), "Name1")),
        Action::update(Service::named(id("a1"), "name2")),
        Action::update(Service::named(id("a2"), "name1")),
    ];
    assert!(store.apply(&entry).is_ok());
    keeps_to_the_rules(&store);
    let entry = [
        Action::create(Service::named(id("c"), "fresh")),
        Action::delete::<Extension>(&id("a2")),
    ];
    let Err(UpdateError::Closure(divergence)) = store.apply(&entry) else {
        panic!("resource 2 is of the kind");
    };
    let (extension, resource) = (id("a2"), id("a2"));
    let in_use = RuleError::ExtensionInUse {
        extension,
        resource,
    };
    assert_eq!(divergence.position, 1);
    assert_eq!(RuleError::of(&divergence), Some(&in_use));
    assert!(store.read().get::<Service>(&id("c")).is_none());
}

/// A write of task 1's observed state.
fn observe(state: TaskState) -> impl Fn(&mut Task) {
    move |task| task.status.state = state
}

/// That task 1 does not move down.
fn falls(from: TaskState, to: TaskState) -> RuleError {
    let task = id("a1");
    RuleError::StateFalls { task, from, to }
}

#[test]
fn an_observed_state_only_moves_up() {
    use TaskState::{Failed, New, Pending, Running};

    let store = filled();
    let a1 = id("a1");
    for state in [Running, Running, Failed] {
        assert_eq!(store.update(|tx| tx.modify(&a1, observe(state))), Ok(()));
    }
    // By each verb, also as a step of a transaction whose end would be no lower.
    let refused = store.update(|tx| tx.modify(&a1, observe(Running)));
    assert_eq!(rule(refused), falls(Failed, Running));
    assert_eq!(
        rule(store.update(|tx| tx.update(Task::new(a1)))),
        falls(Failed, New)
    );
    let refused = store.update(|tx| {
        tx.modify(&a1, observe(Pending))?;
        tx.modify(&a1, observe(Failed))
    });
    assert_eq!(rule(refused), falls(Failed, Pending));
    // Another task with its ID begins anew, and what is wanted of it may be anything.
    let again = store.update(|tx| {
        tx.delete::<Task>(&a1)?;
        tx.create(Task::new(a1))?;
        tx.modify::<Task>(&a1, |task| task.desired_state = Running)?;
        tx.modify::<Task>(&a1, |task| task.desired_state = New)?;
        Ok::<_, Error>(())
    });
    assert_eq!(again, Ok(()));
}

/// Who saw an older state does not write over a higher one.
#[test]
fn an_observed_state_only_moves_up_when_others_commit_meanwhile() {
    use TaskState::{Failed, New, Running};

    let store = filled();
    let a1 = id("a1");
    let mut late = store.begin();
    assert_eq!(late.modify(&a1, observe(Running)), Ok(()));
    assert_eq!(store.update(|tx| tx.modify(&a1, observe(Failed))), Ok(()));
    assert!(matches!(late.commit(), Err(CommitError::Conflict { .. })));
    let mut attempts = 0;
    let refused = store.update(|tx| {
        attempts += 1;
        tx.modify(&a1, observe(New))
    });
    assert_eq!((rule(refused), attempts), (falls(Failed, New), 1));
}

/// A copy is what the other is, or was.
#[test]
fn a_copied_task_may_be_what_it_was() {
    let store = filled();
    let a1 = id("a1");
    let before = store.snapshot();
    let raised = store.update(|tx| tx.modify(&a1, observe(TaskState::Running)));
    assert_eq!(raised, Ok(()));
    let older = before.get::<Task>(&a1).expect("it is there").clone();
    assert!(store.apply(&[Action::update(older)]).is_ok());
    let read = store.read();
    let state = read.get::<Task>(&a1).map(|task| task.status.state);
    assert_eq!(state, Some(TaskState::New));
}
