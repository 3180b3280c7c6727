//! Saving and restoring a cluster: what comes back, which events that makes, and names.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use std::time::Duration;

use cluster_objects::{builder, create, filled, id};
use common::{Random, events};
use skep::cluster::{
    Cluster, ClusterObject, Config, Extension, Network, Node, Resource, Secret, Service, Specified,
    Task, Volume, catalogue,
};
use skep::save::{Limits, Reader, RestoreError, Restored};
use skep::{Event, Filter, Id, Kind, Meta, Snapshot, Store, keys};

fn saved(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    store
        .save(&catalogue(), &mut file)
        .expect("memory takes it");
    file
}

fn restore(store: &Store, file: &[u8]) -> Restored {
    store.restore(&catalogue(), file).expect("a sound file")
}

/// All objects of a table, with their times.
fn all<T: ClusterObject>(of: &Snapshot) -> Vec<(T, Meta)> {
    let entries = of.find(keys::<T>().all()).entries();
    entries
        .map(|entry| (entry.get().clone(), entry.meta()))
        .collect()
}

#[track_caller]
fn assert_same<T: ClusterObject + PartialEq + std::fmt::Debug>(left: &Store, right: &Store) {
    let objects = |store: &Store| -> Vec<_> {
        let objects = all::<T>(&store.snapshot()).into_iter();
        objects
            .map(|(object, meta)| (object, meta.created_at, meta.updated_at))
            .collect()
    };
    assert_eq!(objects(left), objects(right), "{}", T::TABLE);
}

/// Does something for each type.
macro_rules! each_type {
    ($run:ident($($argument:expr),*)) => {
        $run::<Cluster>($($argument),*);
        $run::<Config>($($argument),*);
        $run::<Extension>($($argument),*);
        $run::<Network>($($argument),*);
        $run::<Node>($($argument),*);
        $run::<Resource>($($argument),*);
        $run::<Secret>($($argument),*);
        $run::<Service>($($argument),*);
        $run::<Task>($($argument),*);
        $run::<Volume>($($argument),*);
    };
}

#[test]
fn all_ten_types_come_back_with_their_times() {
    let store = filled();
    let file = saved(&store);
    let other = builder().build();
    let restored = restore(&other, &file);
    assert_eq!(restored.saved_version, store.version());
    assert_eq!(restored.version, other.version());
    assert_eq!(other.version().get(), 1, "one transaction");
    assert!(restored.tables.iter().all(|table| table.created == 4));
    each_type!(assert_same(&store, &other));
    // And on from there.
    let again = builder().build();
    restore(&again, &saved(&other));
    each_type!(assert_same(&store, &again));
}

#[test]
fn restoring_over_the_same_makes_no_event_and_no_version() {
    let store = filled();
    let file = saved(&store);
    let mut watcher = store.watch(Filter::all());
    let before = store.version();
    let restored = restore(&store, &file);
    assert_eq!((restored.version, store.version()), (before, before));
    assert_eq!(events(&mut watcher).len(), 0);
    assert!(restored.tables.iter().all(|table| table.unchanged == 4));
}

/// The first of four objects is there in another form, two are not there, and one is there that is
/// to go.
fn three_of<T: ClusterObject>(objects: Vec<T>, change: impl Fn(&mut T)) {
    let [source, target] = [(); 2].map(|()| builder().build());
    if T::TABLE == "resource" {
        create(&source, cluster_objects::extensions());
        restore(&target, &saved(&source));
    }
    create(&source, objects[..3].to_vec());
    let mut changed = objects[0].clone();
    change(&mut changed);
    create(&target, vec![changed, objects[3].clone()]);
    let mut watcher = target.watch(Filter::all());
    let version = restore(&target, &saved(&source)).version;
    let mut events = events(&mut watcher);
    let marker = events.pop().expect("the commit's marker");
    assert!(matches!(marker, Event::Commit(of) if of == version));
    let kinds: Vec<Kind> = events
        .iter()
        .map(|event| event.change().expect("a change").kind())
        .collect();
    let count = |kind| kinds.iter().filter(|of| **of == kind).count();
    let counts = [Kind::Updated, Kind::Created, Kind::Deleted].map(count);
    assert_eq!(counts, [1, 2, 1], "{}: {kinds:?}", T::TABLE);
}

#[test]
fn a_restore_makes_an_event_for_each_difference_and_no_other() {
    macro_rules! three_of_each {
        ($($objects:ident: $($annotations:ident).+;)*) => {$(
            three_of(cluster_objects::$objects(), |it| {
                it.$($annotations).+.labels.insert("a".into(), "b".into());
            });
        )*};
    }
    three_of_each! {
        clusters: spec.annotations;
        configs: spec.annotations;
        extensions: annotations;
        networks: spec.annotations;
        nodes: spec.annotations;
        resources: annotations;
        secrets: spec.annotations;
        services: spec.annotations;
        tasks: annotations;
        volumes: spec.annotations;
    }
}

/// A member that was away while an object was deleted and created again as it was: it is another
/// one, and its times are the file's.
#[test]
fn an_object_of_other_times_is_another_one() {
    let leader = filled();
    let member = builder().build();
    restore(&member, &saved(&leader));
    let key = id("a1");
    let task = leader.read().get::<Task>(&key).cloned().expect("is there");
    std::thread::sleep(Duration::from_millis(2));
    assert_eq!(leader.update(|tx| tx.delete::<Task>(&key)), Ok(()));
    create(&leader, vec![task]);
    let file = saved(&leader);
    let restored = restore(&member, &file);
    let changed = |of: &Restored| of.tables.iter().any(|it| it.updated == 1);
    assert!(changed(&restored));
    assert_same::<Task>(&leader, &member);
    assert!(!changed(&restore(&member, &file)));
}

/// The defect of the store that this one is modelled on: the old object's deletion took the name
/// from the new one.
#[test]
fn restore_keeps_names_across_delete_and_recreate() {
    let (old, new) = (Id::from_u128(1), Id::from_u128(2));
    // Whichever comes first in key order.
    for (old, new) in [(old, new), (new, old)] {
        let source = builder().build();
        create(&source, vec![Service::named(new, "web")]);
        let target = builder().build();
        create(&target, vec![Service::named(old, "web")]);
        restore(&target, &saved(&source));
        let named = target
            .read()
            .first(Service::BY_NAME.eq("web"))
            .map(|it| it.id);
        assert_eq!(named, Some(new));
        let third = Service::named(Id::from_u128(3), "WEB");
        assert!(target.update(|tx| tx.create(third.clone())).is_err());
    }
}

#[test]
fn names_may_pass_around_in_a_circle() {
    let name = |numbers: [u128; 3]| {
        let names = ["a", "b", "c"].into_iter().zip(numbers);
        let store = builder().build();
        let services = names.map(|(name, id)| Service::named(Id::from_u128(id), name));
        create(&store, services.collect());
        store
    };
    let (source, target) = (name([2, 3, 1]), name([1, 2, 3]));
    restore(&target, &saved(&source));
    assert_same::<Service>(&source, &target);
    let view = target.read();
    let a = view
        .first(Service::BY_NAME.eq("a"))
        .expect("somebody has it");
    assert_eq!(a.id, Id::from_u128(2));
    assert_eq!(view.count(Service::BY_NAME.all()), 3);
}

#[test]
fn a_save_beside_writers_is_one_version() {
    let store = builder().build();
    let ids: Vec<Id> = (0..64).map(Id::from_u128).collect();
    create(&store, ids.iter().map(|&id| Node::named(id, "0")).collect());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || stop.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        // Each commit gives all nodes the same new name.
        scope.spawn(|| {
            for turn in 1.. {
                let renamed = store.update(|tx| {
                    let mut ids = ids.iter();
                    ids.try_for_each(|&id| tx.update(Node::named(id, turn.to_string())))
                });
                renamed.expect("nobody else writes");
                if stopped() {
                    break;
                }
            }
        });
        for _ in 0..common::scaled(20, 200) {
            let other = builder().build();
            restore(&other, &saved(&store));
            let names = |node: &Node| node.name().map(std::borrow::Cow::into_owned);
            let mut names: Vec<_> = other.read().find(keys::<Node>().all()).map(names).collect();
            assert_eq!(names.len(), 64);
            names.dedup();
            assert_eq!(names.len(), 1, "{names:?}");
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// Whoever writes beside it is undone, and nothing in between is seen.
#[test]
fn a_restore_beside_a_writer_is_whole() {
    let source = filled();
    let file = saved(&source);
    let mut random = Random::new(7);
    for turn in 0..40 {
        let target = filled();
        let wrote = |store: &Store, random: &mut Random| {
            let id = Id::from_u128(u128::from(random.below(4)));
            let tasks = cluster_objects::tasks();
            let task = &tasks[random.below(4) as usize];
            let done = store.update(|tx| {
                tx.upsert(Task::new(id))?;
                tx.modify::<Task>(&task.id, |task| task.slot += 1)?;
                match random.below(3) {
                    0 => tx.delete::<Task>(&task.id)?,
                    _ => tx.upsert(Node::named(id, "other"))?,
                }
                Ok::<_, skep::Error>(())
            });
            // A second deletion of one task is refused.
            let _ = done;
        };
        wrote(&target, &mut random);
        // A writer that comes while the file is read: after the difference has been begun.
        let mut writes = 0;
        let restored = target.restore_with(&catalogue(), &file[..], |_| {
            if writes < turn % 4 {
                writes += 1;
                wrote(&target, &mut random);
            }
        });
        let restored = restored.expect("a sound file");
        assert_eq!(restored.version, target.version());
        let objects = |store: &Store| {
            let tasks = all::<Task>(&store.snapshot()).into_iter();
            tasks.map(|(task, _)| task).collect::<Vec<_>>()
        };
        assert_eq!(objects(&source), objects(&target), "turn {turn}");
        assert_eq!(target.read().count(keys::<Node>().all()), 4);
        for table in &restored.tables {
            assert_eq!(
                table.created + table.updated + table.unchanged,
                4,
                "{table:?}"
            );
        }
    }
}

#[test]
fn a_table_that_the_file_lacks_is_emptied() {
    let store = filled();
    let file = saved_by(&store, &skep::save::Catalogue::new().table::<Node>());
    let two = skep::save::Catalogue::new().table::<Node>().table::<Task>();
    let restored = store.restore(&two, &file[..]).expect("a sound file");
    assert_eq!(
        (restored.tables[0].unchanged, restored.tables[1].deleted),
        (4, 4)
    );
    let view = store.read();
    assert_eq!(view.count(keys::<Task>().all()), 0);
    assert_eq!(
        view.count(keys::<Service>().all()),
        4,
        "not in the catalogue"
    );
}

fn saved_by(store: &Store, catalogue: &skep::save::Catalogue) -> Vec<u8> {
    let mut file = Vec::new();
    store.save(catalogue, &mut file).expect("memory takes it");
    file
}

#[test]
fn a_restore_is_larger_than_a_transaction_may_be() {
    let source = builder().build();
    create(
        &source,
        (0..100)
            .map(|id| Node::named(Id::from_u128(id), "node"))
            .collect(),
    );
    let target = builder().transaction_changes_max(10).build();
    assert_eq!(restore(&target, &saved(&source)).version.get(), 1);
    assert_same::<Node>(&source, &target);
}

#[test]
fn two_objects_of_a_name_are_refused() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Loose {
        id: u32,
        name: String,
    }
    impl skep::Object for Loose {
        type Key = u32;
        const TABLE: &'static str = "thing";
        fn key(&self) -> u32 {
            self.id
        }
        fn indexes(_: &mut skep::Indexes<Self>) {}
    }
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Strict {
        id: u32,
        name: String,
    }
    impl Strict {
        const BY_NAME: skep::Index<Self, String> =
            skep::Index::new("by_name", |it: &Self, keys| keys.add(it.name.clone())).unique();
    }
    impl skep::Object for Strict {
        type Key = u32;
        const TABLE: &'static str = "thing";
        fn key(&self) -> u32 {
            self.id
        }
        fn indexes(indexes: &mut skep::Indexes<Self>) {
            indexes.add(Self::BY_NAME);
        }
    }
    let source = common::builder().table::<Loose>().build();
    let named = |id| Loose {
        id,
        name: "same".into(),
    };
    let put = source.update(|tx| tx.create(named(1)).and_then(|()| tx.create(named(2))));
    put.expect("no unique index");
    let file = saved_by(&source, &skep::save::Catalogue::new().table::<Loose>());
    let target = common::builder().table::<Strict>().build();
    let strict = skep::save::Catalogue::new().table::<Strict>();
    let refused = target.restore(&strict, &file[..]).expect_err("a duplicate");
    assert!(matches!(&refused, RestoreError::Duplicate(duplicate) if duplicate.index == "by_name"));
    assert_eq!(target.version().get(), 0);
}

/// The rules of its tables are asked about what a file holds: a resource without its kind.
#[test]
fn a_restore_keeps_to_the_rules() {
    let resources = skep::save::Catalogue::new().table::<Resource>();
    let mut file = Vec::new();
    filled()
        .save(&resources, &mut file)
        .expect("memory takes it");
    let target = builder().build();
    match target.restore(&resources, &file[..]) {
        Err(RestoreError::Rejected(rejected)) => {
            let none = cluster_objects::no_kind("a1", "name1");
            assert_eq!(rejected.downcast_ref(), Some(&none));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(target.version().get(), 0);
    create(&target, cluster_objects::extensions());
    let restored = target.restore(&resources, &file[..]);
    assert_eq!(
        restored.expect("their kinds are there").tables[0].created,
        4
    );
}

/// A resource without its kind: the rules judge what a restore leaves.
#[test]
fn rules_judge_the_end_of_a_restore() {
    let resources = skep::save::Catalogue::new().table::<Resource>();
    let file = saved_by(&filled(), &resources);
    let target = builder().build();
    let refused = target.restore(&resources, &file[..]).expect_err("no kind");
    assert!(matches!(&refused, RestoreError::Rejected(_)), "{refused}");
    assert_eq!(target.version().get(), 0);
    // With the kinds in the same file, whichever comes first.
    let both = resources.table::<Extension>();
    let file = saved_by(&filled(), &both);
    target.restore(&both, &file[..]).expect("each has its kind");
    assert_eq!(target.read().count(keys::<Resource>().all()), 4);
}

/// Not even a source that is a list of bytes, as a file in memory is.
#[test]
fn no_debug_shows_what_is_saved() {
    let store = builder().build();
    let secret = Secret::named(Id::from_u128(1), "one", vec![222; 9]);
    create(&store, vec![secret]);
    let file = saved_by(&store, &skep::save::Catalogue::new().table::<Secret>());
    let mut reader = Reader::open(&file[..], Limits::default()).expect("a sound file");
    reader.next_table().expect("a sound file");
    let object = reader.next_object().expect("a sound file");
    let object = object.expect("it was saved");
    let shown = format!("{object:?}");
    let length = format!("{} bytes", object.bytes.len());
    assert!(shown.contains(&length), "{shown}");
    let shown = [shown, format!("{reader:?}")].concat();
    assert!(shown.contains("secret"), "the table's name: {shown}");
    assert!(!shown.contains("222, 222"), "{shown}");
}

/// What the documents warn of: a version says something in its own store alone.
#[test]
fn a_new_store_gives_numbers_of_the_old_one_again() {
    let id = Id::from_u128(1);
    let rename = |store: &Store, name: &str| {
        let renamed = store.update(|tx| {
            tx.modify::<Service>(&id, |it| it.spec.annotations.name = name.to_owned())
        });
        renamed.expect("it is there");
    };
    let read = |store: &Store| {
        let view = store.read();
        let entry = view.entry::<Service>(&id).expect("it is there");
        (entry.get().clone(), entry.meta().version)
    };
    let old = builder().build();
    create(&old, vec![Service::named(id, "web")]);
    let file = saved(&old);
    rename(&old, "old");
    let (mut held, version) = read(&old);
    held.pending_delete = true;
    // Over the same store the number is past, and the guard holds.
    restore(&old, &file);
    assert!(
        old.update(|tx| tx.update_at(version, held.clone()))
            .is_err()
    );
    let new = builder().build();
    restore(&new, &file);
    rename(&new, "new");
    let (there, again) = read(&new);
    assert_eq!(again, version);
    // With a proposer they are its versions, of which a mere restore has none.
    if new.proposer().is_none() {
        assert_eq!(there.spec_version(), held.spec_version());
    }
    assert_ne!(there.spec, held.spec);
    let overwritten = new.update(|tx| tx.update_at(version, held.clone()));
    overwritten.expect("the guard sees no difference");
}
