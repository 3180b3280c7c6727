//! Defects of other cluster stores that this one must not have, each by the name of what holds
//! here. `docs/swarmkit.md` says which.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::time::Duration;

use fixture::{builder, conflict, create, filled, found, id, rule};
use skep::cluster::{
    Annotations, Extension, Finder, InvalidFind, Node, Resource, RuleError, Service, Specifier,
    Task, TaskState, Volume,
};
use skep::{
    BatchError, CreateError, Error, Event, Filter, Id, Kind, ReplaceError, Store, UpdateError,
    Version, keys,
};

fn named(store: &Store, name: &str) -> Vec<String> {
    found::<Service>(&store.read(), &Finder::Name(name.into())).expect("services have names")
}

/// A name passes to a new object, and its old holder goes: in one step for whoever copies the
/// outcome, in whatever order it is written.
#[test]
fn a_copied_difference_keeps_names_across_delete_and_recreate() {
    for deleted_first in [true, false] {
        let store = filled();
        let copied = store.update(|tx| {
            tx.defer_checks(|tx| {
                if deleted_first {
                    tx.delete::<Service>(&id("a1"))?;
                }
                tx.create(Service::named(id("c"), "Name1"))?;
                if !deleted_first {
                    tx.delete::<Service>(&id("a1"))?;
                }
                Ok::<_, Error>(())
            })
        });
        assert_eq!(copied, Ok(()));
        assert_eq!(named(&store, "name1"), ["c"]);
        let third = store.update(|tx| tx.create(Service::named(id("d"), "NAME1")));
        assert_eq!(rule(third), conflict::<Service>("d", "NAME1", "c"));
    }
}

/// What could not be committed is not tried again behind the caller's back, nor told a success.
#[test]
fn a_failed_commit_of_a_batch_is_not_committed_later() {
    let store = builder()
        .transaction_changes_max(3)
        .batch_changes_max(3)
        .build();
    let mut watcher = store.watch(Filter::all());
    let ended = store.batch(|batch| {
        batch.step(|tx| tx.create(Service::named(id("a1"), "one")))?;
        // Too large; and whoever asks goes on all the same.
        let failed = batch.step(|tx| {
            (0..4).try_for_each(|at| tx.create(Service::named(Id::from_u128(at), at.to_string())))
        });
        assert!(
            matches!(failed, Err(UpdateError::TooLarge { .. })),
            "{failed:?}"
        );
        for (key, name) in [("a2", "two"), ("a3", "three")] {
            let over = batch.step(move |tx| tx.create(Service::named(id(key), name)));
            assert_eq!(over, Err(UpdateError::Stopped));
        }
        Ok(())
    });
    let Err(BatchError { report, error, .. }) = ended else {
        panic!("{ended:?}");
    };
    assert_eq!((error, report.applied), (UpdateError::Stopped, 1));
    let read = store.read();
    let names: Vec<&str> = read
        .find(keys::<Service>().all())
        .map(|it| &*it.spec.annotations.name)
        .collect();
    assert_eq!(names, ["one"]);
    let mut told = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
    assert!(matches!(told.next(), Some(Event::Change(change)) if change.kind() == Kind::Created));
    assert!(matches!(told.next(), Some(Event::Commit(version)) if version == Version::new(1)));
    assert!(told.next().is_none());
}

#[test]
fn a_failed_step_of_a_batch_leaves_nothing() {
    let store = filled();
    let report = store.batch(|batch| {
        batch.step(|tx| tx.create(Service::named(id("c"), "before")))?;
        let failed = batch.step(|tx| {
            tx.create(Service::named(id("d"), "half"))?;
            tx.create(Service::named(id("e"), "NAME1"))
        });
        assert_eq!(rule(failed), conflict::<Service>("e", "NAME1", "a1"));
        batch.step(|tx| tx.create(Service::named(id("f"), "after")))
    });
    assert_eq!(report.expect("the rest is right").applied, 2);
    assert_eq!(named(&store, "before"), ["c"]);
    assert_eq!(named(&store, "half"), Vec::<String>::new());
    assert_eq!(named(&store, "after"), ["f"]);
}

/// A write that one index or rule refuses is in none, also if the caller goes on.
#[test]
fn a_refused_object_is_in_no_index() {
    let store = filled();
    let updated = store.update(|tx| {
        let mut refused = Service::named(id("c"), "NAME1");
        refused.spec.annotations = refused.spec.annotations.index("rack", "1");
        refused.spec.task = fixture::spec().into();
        assert!(tx.create(refused.clone()).is_err());
        refused.id = id("a2");
        assert!(tx.update(refused).is_err());
        assert_eq!(tx.count(Service::BY_CUSTOM.all()), 0);
        Ok::<_, Error>(())
    });
    assert_eq!(updated, Ok(()));
    let read = store.read();
    assert!(read.get::<Service>(&id("c")).is_none());
    assert_eq!(read.count(Service::BY_CUSTOM.all()), 0);
    assert_eq!(read.count(Service::BY_RUNTIME.eq("container")), 1);
    assert_eq!(read.count(Service::BY_NAME.all()), 4);
    assert_eq!(named(&store, "name2"), ["a2"]);
}

#[test]
fn a_resource_is_not_renamed_to_a_used_name() {
    let store = filled();
    for name in ["name1", "NAME1"] {
        let renamed = store
            .update(|tx| tx.modify::<Resource>(&id("a2"), |it| it.annotations.name = name.into()));
        assert_eq!(rule(renamed), conflict::<Resource>("a2", name, "a1"));
    }
    let deleted = store.update(|tx| tx.delete::<Resource>(&id("a1")));
    assert_eq!(deleted, Ok(()));
    let by_name = |name: &str| found::<Resource>(&store.read(), &Finder::Name(name.into()));
    assert_eq!(by_name("name1"), Ok(vec![]));
    assert_eq!(by_name("name2"), Ok(vec!["a2".into()]));
}

/// A watcher without a condition is told of everything, and a dropped one leaves nothing behind.
#[test]
fn a_watcher_without_conditions_is_told_everything_and_its_drop_leaks_nothing() {
    let store = filled();
    let mut everything = store.watch(Filter::all());
    let dropped = store.watch(Specifier::<Task>::new());
    assert_eq!(store.stats().watchers, 2);
    create(&store, vec![Task::new(id("c"))]);
    create(&store, vec![Node::new(id("c"))]);
    drop(dropped);
    assert_eq!(store.stats().watchers, 1);
    let told = std::iter::from_fn(|| everything.try_recv().expect("it does not lag"));
    let told: Vec<bool> = told.map(|event| event.change().is_some()).collect();
    assert_eq!(told, [true, false, true, false]);
}

#[test]
fn a_slot_filter_asks_service_and_slot() {
    let store = filled();
    let slot = Finder::Slot {
        service: id("a1"),
        slot: 7,
    };
    let specifier = Specifier::<Task>::new().finder(&slot).expect("a task's");
    let mut finders = store.watch(specifier);
    let mut conditions = store.watch(Specifier::<Task>::new().slot(id("a1"), 7));
    let task = |key, service, slot, node: Option<&str>| Task {
        service_id: Some(id(service)),
        slot,
        node_id: node.map(id),
        ..Task::new(id(key))
    };
    // Of another service in that slot, not assigned; in another slot; the one; it, assigned.
    create(&store, vec![task("c", "a2", 7, None)]);
    create(&store, vec![task("d", "a1", 8, None)]);
    create(
        &store,
        vec![task("e", "a1", 7, None), task("f", "a1", 7, Some("a1"))],
    );
    for watcher in [&mut finders, &mut conditions] {
        let events = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
        let keys: Vec<Id> = events
            .filter_map(|event| Some(event.change()?.of::<Task>()?.new()?.id))
            .collect();
        assert_eq!(keys, [id("e"), id("f")]);
    }
}

/// A condition that a table cannot answer is an error: neither everything nor nothing.
#[test]
fn an_unsupported_filter_is_refused() {
    let asked = |finder: &Finder| {
        let specifier = Specifier::<Volume>::new().finder(finder);
        specifier.map(drop)
    };
    let refused = |finder| {
        Err(InvalidFind {
            table: "volume",
            finder,
        })
    };
    let network = Finder::ReferencedNetwork(id("a1"));
    assert_eq!(asked(&network), refused("ReferencedNetwork"));
    assert_eq!(
        asked(&Finder::DesiredState(TaskState::New)),
        refused("DesiredState")
    );
    let nested = Finder::AnyOf(vec![Finder::All, Finder::AllOf(vec![Finder::All, network])]);
    assert_eq!(asked(&nested), refused("ReferencedNetwork"));
    assert_eq!(
        found::<Volume>(&filled().read(), &nested),
        Err(InvalidFind {
            table: "volume",
            finder: "ReferencedNetwork",
        })
    );
    assert_eq!(asked(&Finder::VolumeGroup("fast".into())), Ok(()));
}

#[test]
fn each_commit_of_a_batch_carries_its_version() {
    let store = builder().batch_changes_max(2).build();
    let mut watcher = store.watch(Filter::all());
    let report = store.batch(|batch| {
        (0..5).try_for_each(|at| batch.step(move |tx| tx.create(Task::new(Id::from_u128(at)))))
    });
    let report = report.expect("nothing is in the way");
    let mut versions = Vec::new();
    while let Some(event) = watcher.try_recv().expect("it does not lag") {
        match event {
            Event::Change(change) => {
                let object = change.new_object::<Task>().expect("it was created");
                assert_eq!(object.meta().version, change.version());
                assert_eq!(change.version().get(), versions.len() as u64 + 1);
            }
            Event::Commit(version) => versions.push(version),
        }
    }
    assert_eq!(versions, [1, 2, 3].map(Version::new));
    assert_eq!(report.version, Version::new(3));
}

#[test]
fn an_update_that_omits_created_at_keeps_it() {
    let store = filled();
    let meta = || {
        let read = store.read();
        read.entry::<Node>(&id("a1")).expect("it is there").meta()
    };
    let created = meta();
    std::thread::sleep(Duration::from_millis(2));
    // Made from nothing, by one who knows no times.
    let updated = store.update(|tx| tx.update(Node::named(id("a1"), "name1")));
    assert_eq!(updated, Ok(()));
    assert_eq!(meta().created_at, created.created_at);
    assert!(meta().updated_at > created.updated_at);
}

#[test]
fn an_extension_named_as_a_table_is_refused_in_any_case() {
    let store = filled();
    for name in ["task", "Task", "TASK"] {
        let refused = store.update(|tx| tx.create(Extension::named(id("c"), name)));
        assert_eq!(
            rule(refused),
            RuleError::ReservedName {
                extension: id("c"),
                name: name.into()
            }
        );
    }
}

#[test]
fn custom_keys_are_unambiguous() {
    let store = builder().build();
    let node = |key, entry: (&str, &str)| {
        let mut node = Node::new(id(key));
        node.spec.annotations = Annotations::default().index(entry.0, entry.1);
        node
    };
    create(
        &store,
        vec![node("a1", ("k", "v|x")), node("a2", ("k|v", "x"))],
    );
    let by_entry = |key: &str, value: &str| {
        let (key, value) = (key.to_owned(), value.to_owned());
        found::<Node>(&store.read(), &Finder::Custom { key, value })
    };
    assert_eq!(by_entry("k", "v|x"), Ok(vec!["a1".into()]));
    assert_eq!(by_entry("k|v", "x"), Ok(vec!["a2".into()]));
    assert_eq!(by_entry("k", "v"), Ok(vec![]));
}

/// A custom entry of one table is no other table's: there is no type to say, and none to miss.
#[test]
fn a_custom_entry_is_found_in_the_table_that_is_asked() {
    let store = builder().build();
    let annotations = || Annotations::named("name").index("rack", "1");
    let mut service = Service::named(id("a1"), "name");
    service.spec.annotations = annotations();
    let mut node = Node::new(id("a2"));
    node.spec.annotations = annotations();
    create(&store, vec![service]);
    create(&store, vec![node]);
    let entry = Finder::Custom {
        key: "rack".into(),
        value: "1".into(),
    };
    assert_eq!(
        found::<Service>(&store.read(), &entry),
        Ok(vec!["a1".into()])
    );
    assert_eq!(found::<Node>(&store.read(), &entry), Ok(vec!["a2".into()]));
    assert_eq!(found::<Volume>(&store.read(), &entry), Ok(vec![]));
}

/// That an object's ID is taken is told as such, whatever its name; that its name is, as that.
#[test]
fn who_is_in_the_way_is_told() {
    let store = filled();
    let same = store.update(|tx| tx.create(Service::named(id("a1"), "name1")));
    assert_eq!(rule(same), conflict::<Service>("a1", "name1", "a1"));
    let fresh = store.update(|tx| tx.create(Service::named(id("a1"), "fresh")));
    assert!(matches!(
        fresh,
        Err(UpdateError::Closure(CreateError::Exists(_)))
    ));
    let stale = store.update(|tx| {
        let version = Version::new(1 << 20);
        tx.update_at(version, Service::named(id("a1"), "name2"))
    });
    assert!(matches!(
        stale,
        Err(UpdateError::Closure(ReplaceError::OutOfSequence { .. }))
    ));
}
