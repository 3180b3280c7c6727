//! Actions as bytes, and back.

#[path = "common/cluster.rs"]
mod cluster_objects;

use std::time::{Duration, SystemTime};

use cluster_objects::{nodes, secrets};
use skep::cluster::{self, Node, Secret, Task, catalogue};
use skep::save::{Catalogue, Fault, SaveError};
use skep::{Action, Id, Object};

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
    let store = cluster::builder().build();
    for bytes in [created, deleted] {
        let action = catalogue.decode(&bytes).expect("its own bytes");
        store.apply(&[action]).expect("it fits");
    }
    assert!(store.read().get::<Node>(&node.id).is_none());
    // No Debug shows what a secret holds.
    assert!(!format!("{:?}", Action::create(secret)).contains("hunter2"));
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
