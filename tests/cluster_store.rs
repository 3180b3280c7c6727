//! A store of cluster objects at work: batches and their markers, failures that leave nothing, a
//! copy that follows.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::fmt::Debug;
use std::time::Duration;

use fixture::{builder, filled, id};
use skep::cluster::{
    Annotations, Cluster, ClusterObject, Config, Extension, Network, Node, NodeRole, Resource,
    Secret, Service, Task, Volume,
};
use skep::{
    AnyChange, BatchError, Change, CreateError, DeferredError, Error, Event, Id, Kind, Object,
    Store, Transaction, UpdateError, Version, Watcher, keys,
};

/// How many changes each commit has that a watcher is told of, and its version.
fn commits(watcher: &mut Watcher) -> Vec<(usize, Version)> {
    let mut commits = Vec::new();
    let mut changes = 0;
    while let Some(event) = watcher.try_recv().expect("it does not lag") {
        match event {
            Event::Change(change) => {
                assert_eq!(change.kind(), Kind::Created);
                changes += 1;
            }
            Event::Commit(version) => commits.push((std::mem::take(&mut changes), version)),
        }
    }
    assert_eq!(changes, 0, "changes without their marker");
    commits
}

fn node(number: usize) -> Node {
    Node::named(Id::from_u128(number as u128), format!("name{number}"))
}

#[test]
fn a_batch_of_405_is_three_commits_each_with_its_version() {
    let store = builder().build();
    let mut watcher = store.watch(skep::Filter::all());
    let report =
        store.batch(|batch| (0..405).try_for_each(|at| batch.step(move |tx| tx.create(node(at)))));
    let report = report.expect("nothing is in the way");
    assert_eq!((report.applied, report.transactions), (405, 3));
    let expected = [(200, 1), (200, 2), (5, 3)];
    let expected = expected.map(|(changes, version)| (changes, Version::new(version)));
    assert_eq!(commits(&mut watcher), expected);
}

/// The steps before the one that failed are committed, each stands for itself; nothing after it.
#[test]
fn a_batch_that_fails_at_its_209th_step_keeps_the_208_before() {
    let store = builder().build();
    let mut watcher = store.watch(skep::Filter::all());
    let failed = store.batch(|batch| {
        (0..405).try_for_each(|at| {
            batch.step(move |tx| {
                tx.create(node(at)).map_err(|_| "created")?;
                if at == 208 { Err("failed") } else { Ok(()) }
            })
        })
    });
    let Err(BatchError { report, error, .. }) = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(error, UpdateError::Closure("failed"));
    assert_eq!((report.applied, report.transactions), (208, 2));
    let expected = [(200, Version::new(1)), (8, Version::new(2))];
    assert_eq!(commits(&mut watcher), expected);
    let more = watcher.recv_timeout(Duration::from_millis(50));
    assert!(matches!(more, Ok(None)), "{more:?}");
    assert_eq!(store.read().count(keys::<Node>().all()), 208);
}

#[test]
fn a_failed_transaction_leaves_neither_object_nor_entry() {
    let store = filled();
    let version = store.version();
    let mut watcher = store.watch(skep::Filter::all());
    let failed = store.update(|tx| {
        let mut fresh = Node::named(id("c"), "fresh");
        fresh.role = NodeRole::Manager;
        fresh.spec.annotations = Annotations::default().index("rack", "1");
        tx.create(fresh).expect("it is free");
        tx.modify::<Node>(&id("a1"), |node| node.role = NodeRole::Worker)
            .expect("it is there");
        tx.delete::<Service>(&id("a1")).expect("it is there");
        assert_eq!(tx.count(Node::BY_NAME.eq("fresh")), 1);
        Err::<(), _>("no")
    });
    assert_eq!(failed, Err(UpdateError::Closure("no")));
    let read = store.read();
    assert!(read.get::<Node>(&id("c")).is_none());
    assert_eq!(read.count(Node::BY_NAME.eq("fresh")), 0);
    assert_eq!(read.count(Node::BY_CUSTOM.all()), 0);
    assert_eq!(read.count(Node::BY_ROLE.eq(NodeRole::Manager)), 1);
    assert_eq!(read.count(Service::BY_NAME.eq("name1")), 1);
    assert_eq!(store.version(), version);
    assert!(matches!(watcher.try_recv(), Ok(None)));
}

/// An update that is refused by its transaction is refused alone: the rest may be committed.
#[test]
fn a_refused_write_leaves_the_transaction_as_it_was() {
    let store = filled();
    let updated = store.update(|tx| {
        let refused = tx.create(Service::named(id("c"), "name1"));
        assert!(matches!(refused, Err(CreateError::Rejected(_))));
        tx.create(Service::named(id("d"), "fresh"))
    });
    assert_eq!(updated, Ok(()));
    let read = store.read();
    assert!(read.get::<Service>(&id("c")).is_none());
    assert_eq!(read.count(Service::BY_NAME.all()), 5);
}

/// Writes a change of another store, if it is of this table.
fn follow<T: Object>(tx: &mut Transaction<'_>, change: &AnyChange) -> Result<(), Error> {
    match change.of::<T>() {
        None => Ok(()),
        Some(Change::Created { new }) => Ok(tx.create(new.clone())?),
        Some(Change::Updated { new, .. }) => Ok(tx.update(new.clone())?),
        Some(Change::Deleted { old }) => Ok(tx.delete::<T>(&old.key())?),
    }
}

/// Writes all changes that a watcher has; one commit for one.
fn follow_all(copy: &Store, watcher: &mut Watcher) -> usize {
    let mut commits = 0;
    let mut changes = Vec::new();
    while let Some(event) = watcher.try_recv().expect("it does not lag") {
        let Event::Change(change) = event else {
            let copied = copy.update(|tx| {
                tx.defer_checks(|tx| {
                    for change in &changes {
                        follow::<Cluster>(tx, change)?;
                        follow::<Config>(tx, change)?;
                        follow::<Extension>(tx, change)?;
                        follow::<Network>(tx, change)?;
                        follow::<Node>(tx, change)?;
                        follow::<Resource>(tx, change)?;
                        follow::<Secret>(tx, change)?;
                        follow::<Service>(tx, change)?;
                        follow::<Task>(tx, change)?;
                        follow::<Volume>(tx, change)?;
                    }
                    Ok::<_, Error>(())
                })
            });
            copied.expect("the other store took it");
            changes.clear();
            commits += 1;
            continue;
        };
        changes.push(change);
    }
    commits
}

#[track_caller]
fn equal_tables<T: ClusterObject + PartialEq + Debug>(left: &Store, right: &Store) {
    let (left, right) = (left.read(), right.read());
    let left: Vec<&T> = left.find(keys::<T>().all()).collect();
    let right: Vec<&T> = right.find(keys::<T>().all()).collect();
    assert_eq!(left, right);
}

#[track_caller]
fn equal(left: &Store, right: &Store) {
    equal_tables::<Cluster>(left, right);
    equal_tables::<Config>(left, right);
    equal_tables::<Extension>(left, right);
    equal_tables::<Network>(left, right);
    equal_tables::<Node>(left, right);
    equal_tables::<Resource>(left, right);
    equal_tables::<Secret>(left, right);
    equal_tables::<Service>(left, right);
    equal_tables::<Task>(left, right);
    equal_tables::<Volume>(left, right);
}

/// Each verb on an object of a table is one change and one marker, and the copy follows it.
fn verbs_are_followed<T: ClusterObject + PartialEq + Debug>(
    store: &Store,
    copy: &Store,
    watcher: &mut Watcher,
    object: &T,
    change: impl Fn(&mut T),
) {
    let key = object.key();
    let created = store.update(|tx| tx.create(object.clone()));
    assert_eq!((created, follow_all(copy, watcher)), (Ok(()), 1));
    equal(store, copy);
    if T::TABLE != Extension::TABLE {
        let updated = store.update(|tx| tx.modify::<T>(&key, |object| change(object)));
        assert_eq!((updated, follow_all(copy, watcher)), (Ok(()), 1));
        equal(store, copy);
    }
    let deleted = store.update(|tx| tx.delete::<T>(&key));
    assert_eq!((deleted, follow_all(copy, watcher)), (Ok(()), 1));
    equal(store, copy);
}

#[test]
fn a_copy_follows_every_change_of_every_table() {
    let store = filled();
    let copy = builder().build();
    let (snapshot, mut watcher) = store.snapshot_and_watch(skep::Filter::all());
    macro_rules! copied {
        ($($object:ident),*) => {
            copy.update(|tx| {
                tx.defer_checks(|tx| {
                    $(for object in snapshot.find(keys::<$object>().all()) {
                        tx.create(object.clone())?;
                    })*
                    Ok::<_, CreateError>(())
                })
            })
        };
    }
    // In whatever order: resources before what they are of.
    let copied: Result<(), UpdateError<DeferredError<CreateError>>> = copied!(
        Resource, Extension, Cluster, Config, Network, Node, Secret, Service, Task, Volume
    );
    assert_eq!(copied, Ok(()));
    equal(&store, &copy);
    macro_rules! followed {
        ($($object:expr, $change:expr);* $(;)?) => {$(
            verbs_are_followed(&store, &copy, &mut watcher, &$object, $change);
        )*};
    }
    followed! {
        Cluster::named(id("c"), "fresh"), |it| it.fips = true;
        Config::named(id("c"), "fresh", "data"), |it| it.spec.annotations.name = "more".into();
        Extension::named(id("c"), "fresh"), |_| {};
        Network::named(id("c"), "fresh"), |it| it.pending_delete = true;
        Node::named(id("c"), "fresh"), |it| it.role = NodeRole::Manager;
        Resource::named(id("c"), "name1", "fresh"), |it| it.kind = "name2".into();
        Secret::named(id("c"), "fresh", "data"), |it| it.internal = true;
        Service::named(id("c"), "fresh"), |it| it.spec.annotations.name = "more".into();
        Task::new(id("c")), |it| it.slot = 4;
        Volume::named(id("c"), "fresh", "driver"), |it| it.pending_delete = true;
    }
    // What is no step by itself: two names swapped, an extension that gave way to another.
    let swapped = store.update(|tx| {
        tx.modify::<Network>(&id("a1"), |it| it.spec.annotations.name = "between".into())?;
        tx.modify::<Network>(&id("a2"), |it| it.spec.annotations.name = "name1".into())?;
        tx.modify::<Network>(&id("a1"), |it| it.spec.annotations.name = "name2".into())?;
        let resource = tx.get::<Resource>(&id("a1")).expect("it is there").clone();
        tx.delete::<Resource>(&id("a1"))?;
        tx.delete::<Extension>(&id("a1"))?;
        tx.create(Extension::named(id("d"), "name1"))?;
        tx.create(resource)?;
        Ok::<_, Error>(())
    });
    assert_eq!((swapped, follow_all(&copy, &mut watcher)), (Ok(()), 1));
    equal(&store, &copy);
}
