//! Actions as bytes, and back; what has no bytes, and times that have.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::{Duration, SystemTime};

use cluster_objects::{builder, create, id, nodes, secrets};
use skep::cluster::{
    Cluster, Config, Extension, Network, Node, Resource, Secret, Service, Task, Volume, catalogue,
};
use skep::save::{Catalogue, Fault, SaveError};
use skep::{Action, AnyChange, Event, Filter, Id, Indexes, Object, Store};

#[test]
fn actions_come_back() {
    let (catalogue, node, secret) = (catalogue(), nodes().remove(0), secrets().remove(0));
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_891);
    let created = catalogue
        .encode(&Action::create(node.clone()).at(time, time))
        .expect("a table of the catalogue");
    let Ok(Action::Create(object)) = catalogue.decode(&created) else {
        panic!("another action");
    };
    assert_eq!(object.of::<Node>(), Some(&node));
    assert_eq!(object.of::<Secret>(), None);
    assert_eq!(object.times(), Some((time, time)));
    let updated = catalogue
        .encode(&Action::update(secret.clone()))
        .expect("bytes");
    let Ok(Action::Update(object)) = catalogue.decode(&updated) else {
        panic!("another action");
    };
    assert_eq!(
        (object.of::<Secret>(), object.times()),
        (Some(&secret), None)
    );
    let deleted = catalogue
        .encode(&Action::delete::<Node>(&node.key()))
        .expect("bytes");
    let Ok(Action::Delete(key)) = catalogue.decode(&deleted) else {
        panic!("another action");
    };
    assert_eq!(key.of::<Node>(), Some(&node.id));
    let store = builder().build();
    for bytes in [created, deleted] {
        let action = catalogue.decode(&bytes).expect("its own bytes");
        store.apply(&[action]).expect("it fits");
    }
    assert!(store.read().get::<Node>(&node.id).is_none());
    // No Debug shows what a secret holds.
    assert!(!format!("{:?}", Action::create(secret)).contains("hunter2"));
}

/// So whoever reads a log passes it on with `?`, whatever the program's own error is.
#[test]
fn what_bytes_are_refused_for_is_an_error() {
    let decoded = || -> Result<Action, Box<dyn Error + Send + Sync>> {
        Ok(catalogue().decode(b"no action")?)
    };
    let error = decoded().expect_err("no action");
    assert!(error.is::<Fault>() && error.source().is_none(), "{error}");
    let unread: Box<dyn Error> = Fault::Io(ErrorKind::TimedOut.into()).into();
    let source = unread.source().and_then(|error| error.downcast_ref());
    assert_eq!(source.map(io::Error::kind), Some(ErrorKind::TimedOut));
}

#[test]
fn bytes_that_are_no_action_are_refused() {
    let catalogue = catalogue();
    let bytes = catalogue
        .encode(&Action::create(Task::new(Id::from_u128(1))))
        .expect("bytes");
    for length in 0..bytes.len() {
        assert!(
            catalogue.decode(&bytes[..length]).is_err(),
            "{length} bytes"
        );
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(matches!(
        catalogue.decode(&longer),
        Err(Fault::Undecodable(_))
    ));
    let mut other = bytes.clone();
    other[0] = 9;
    assert!(matches!(catalogue.decode(&other), Err(Fault::Malformed(_))));
    let nodes = Catalogue::new().table::<Node>();
    assert!(matches!(nodes.decode(&bytes), Err(Fault::UnknownTable)));
    let newer = Catalogue::new().table_of_schema::<Task>(3);
    let schema = newer.decode(&bytes);
    assert!(matches!(schema, Err(Fault::Schema { found: 1, known: 3 })));
    let unknown = nodes.encode(&Action::create(Task::new(Id::from_u128(1))));
    assert!(matches!(unknown, Err(SaveError::UnknownTable(table)) if table == "task"));
}

/// One object must not make a store unsaveable without a hint which: here by a time before 1970,
/// which serde has no form for.
#[test]
fn what_cannot_be_encoded_is_named() {
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Dated {
        id: u32,
        at: SystemTime,
    }
    impl Object for Dated {
        type Key = u32;
        const TABLE: &'static str = "dated";
        fn key(&self) -> u32 {
            self.id
        }
        fn indexes(_: &mut Indexes<Self>) {}
    }
    let catalogue = Catalogue::new().table::<Dated>();
    let store = common::builder().table::<Dated>().build();
    let dated = |id, at| Dated { id, at };
    let bad = dated(17, SystemTime::UNIX_EPOCH - Duration::from_secs(1));
    let created = store.update(|tx| {
        tx.create(dated(16, SystemTime::UNIX_EPOCH))?;
        tx.create(bad.clone())
    });
    created.expect("new keys");
    let saved = store.save(&catalogue, std::io::sink()).map(|_| ());
    let encoded = catalogue.encode(&Action::update(bad)).map(|_| ());
    for refused in [saved, encoded] {
        let error = refused.expect_err("a time before 1970");
        let text = error.to_string();
        assert!(
            text.starts_with("table dated: 17 cannot be encoded"),
            "{text}"
        );
        let SaveError::Unencodable { key, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(key.downcast_ref(), Some(&17_u32));
    }
}

/// Clocks are wrong at times, and one wrong time must not keep a store from being saved.
#[test]
fn times_before_1970_come_back() {
    let catalogue = catalogue();
    let [second, half] = [Duration::from_secs(1), Duration::from_millis(500)];
    let times = [
        SystemTime::UNIX_EPOCH - second - half,
        SystemTime::UNIX_EPOCH - second,
        SystemTime::UNIX_EPOCH - Duration::from_nanos(1),
        SystemTime::UNIX_EPOCH,
        SystemTime::UNIX_EPOCH + second + half,
    ];
    for time in times.map(Some) {
        let mut task = Task::new(Id::from_u128(1));
        task.status.timestamp = time;
        task.status.applied_at = time;
        let mut cluster = Cluster::named(Id::from_u128(2), "default");
        let blacklisted = &mut cluster.blacklisted_certificates;
        blacklisted.insert("node".into(), time);
        blacklisted.insert("other".into(), None);
        let store = builder().build();
        let created = store.update(|tx| {
            tx.create(task.clone())?;
            tx.create(cluster.clone())
        });
        created.expect("new keys");
        let mut file = Vec::new();
        store.save(&catalogue, &mut file).expect("memory takes it");
        let other = builder().build();
        other.restore(&catalogue, &file[..]).expect("a sound file");
        let view = other.read();
        assert_eq!(view.get::<Task>(&task.id), Some(&task));
        assert_eq!(
            view.get::<Cluster>(&cluster.id)
                .map(|it| &it.blacklisted_certificates),
            Some(&cluster.blacklisted_certificates)
        );
    }
}

/// The same actions on the same state make the same state, to the byte: whatever member saves it,
/// the file is the same, whether entries came as objects or as bytes, at once or later.
#[test]
fn members_that_apply_the_same_save_the_same_bytes() {
    // Without a proposer, whose versions would be in the leader's file alone.
    let [leader, member, late] = [(); 3].map(|()| skep::cluster::builder().build());
    let mut watcher = leader.watch(Filter::all());
    let fill = |store: &Store| {
        create(store, cluster_objects::extensions());
        create(store, cluster_objects::resources());
        create(store, cluster_objects::clusters());
        create(store, cluster_objects::configs());
        create(store, cluster_objects::networks());
        create(store, nodes());
        create(store, secrets());
        create(store, cluster_objects::services());
        create(store, cluster_objects::tasks());
        create(store, cluster_objects::volumes());
    };
    fill(&leader);
    let changed = leader.update(|tx| {
        tx.modify::<Service>(&id("a1"), |service| service.pending_delete = true)?;
        // A name passes on, and a kind with its resource goes.
        tx.delete::<Network>(&id("a2"))?;
        tx.modify::<Network>(&id("a1"), |network| {
            network.spec.annotations.name = "NAME2".into();
        })?;
        tx.delete::<Resource>(&id("a3"))?;
        tx.delete::<Extension>(&id("a3"))?;
        Ok::<_, skep::Error>(())
    });
    assert_eq!(changed, Ok(()));
    let catalogue = catalogue();
    let mut log: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut actions = Vec::new();
    for event in common::events(&mut watcher) {
        match event {
            Event::Change(change) => actions.push(action(&change)),
            Event::Commit(_) => {
                let encoded = actions.iter().map(|action| catalogue.encode(action));
                log.push(encoded.collect::<Result<_, _>>().expect("its tables"));
                assert!(member.apply(&std::mem::take(&mut actions)).is_ok());
            }
        }
    }
    std::thread::sleep(Duration::from_millis(2));
    for entry in log {
        let decoded = entry.iter().map(|bytes| catalogue.decode(bytes));
        let actions: Result<Vec<_>, _> = decoded.collect();
        assert!(late.apply(&actions.expect("its own bytes")).is_ok());
    }
    let saved = |store: &Store| {
        let mut file = Vec::new();
        store.save(&catalogue, &mut file).expect("memory takes it");
        file
    };
    let file = saved(&leader);
    assert!(file == saved(&member) && file == saved(&late));
    create(&leader, vec![Task::new(id("c"))]);
    assert!(file != saved(&leader), "a file tells what is in it");
}

/// What a change did, of whatever type it is.
fn action(change: &AnyChange) -> Action {
    let found = Action::of::<Cluster>(change)
        .or_else(|| Action::of::<Config>(change))
        .or_else(|| Action::of::<Extension>(change))
        .or_else(|| Action::of::<Network>(change))
        .or_else(|| Action::of::<Node>(change))
        .or_else(|| Action::of::<Resource>(change))
        .or_else(|| Action::of::<Secret>(change))
        .or_else(|| Action::of::<Service>(change))
        .or_else(|| Action::of::<Task>(change))
        .or_else(|| Action::of::<Volume>(change));
    found.expect("of one of the ten")
}

/// As a log of a replicated store has it: what a leader proposed, by bytes, in a member that
/// follows, with the same times.
#[cfg(feature = "testing")]
#[test]
fn what_is_proposed_goes_by_bytes_to_who_follows() {
    use std::sync::Arc;

    use skep::testing::TestProposer;
    use skep::{Error, ProposedWrite, Proposer, Version, keys};

    let proposer = TestProposer::new();
    let leader = builder().proposer(Arc::clone(&proposer) as _).build();
    let follower = builder().proposer(TestProposer::new()).build();
    let [first, second] = [1, 2].map(Id::from_u128);
    let created = leader.update(|tx| {
        tx.create(Task::new(first))?;
        tx.create(Node::new(second))?;
        Ok::<_, Error>(())
    });
    assert_eq!(created, Ok(()));
    std::thread::sleep(Duration::from_millis(2));
    let changed = leader.update(|tx| {
        tx.modify::<Task>(&first, |task| task.slot = 3)?;
        tx.delete::<Node>(&second)?;
        Ok::<_, Error>(())
    });
    assert_eq!(changed, Ok(()));
    let newest = proposer.version().expect("it has accepted some");
    let changes = proposer.changes_between(Version::ZERO, newest);
    for change in changes.expect("kept") {
        let encode = |write: &ProposedWrite| catalogue().encode(&catalogue().action(write)?);
        let log: Result<Vec<_>, _> = change.writes.writes().iter().map(encode).collect();
        let log = log.expect("tables of the catalogue");
        let actions = log.iter().map(|bytes| catalogue().decode(bytes));
        let actions: Result<Vec<_>, _> = actions.collect();
        let applied = follower.apply_accepted(change.version, &actions.expect("its own bytes"));
        assert!(applied.is_ok(), "{applied:?}");
    }
    let tasks = |store: &Store| -> Vec<_> {
        let view = store.read();
        let entries = view.find(keys::<Task>().all()).entries();
        let tasks = entries.map(|entry| {
            let meta = entry.meta();
            (entry.get().clone(), meta.created_at, meta.updated_at)
        });
        tasks.collect()
    };
    assert_eq!(tasks(&follower), tasks(&leader));
    assert_eq!(tasks(&follower)[0].0.slot, 3);
    assert!(follower.read().get::<Node>(&second).is_none());
    // Of another table, or of another type of that name.
    let change = proposer
        .changes_between(Version::ZERO, newest)
        .expect("kept");
    let write = &change[0].writes.writes()[0];
    let unknown = Catalogue::new().table::<Node>().action(write);
    assert!(matches!(unknown, Err(SaveError::UnknownTable(table)) if table == "task"));
    assert!(Action::of_write::<Node>(write).is_none());
}
