//! Unique indexes of every kind: several values an object, several fields, whatever the case.

#![cfg(feature = "derive")]

mod common;

use skep::{CommitError, CreateError, Error, Object, Store, UpdateError};

#[derive(Clone, Debug, Object)]
#[object(index(BY_SLOT, fields(service, slot), unique))]
struct Task {
    #[object(key)]
    id: u64,
    #[object(index(unique, fold_case))]
    name: String,
    #[object(index(multi, unique))]
    ports: Vec<u16>,
    service: Option<u32>,
    slot: u32,
}

fn task(id: u64) -> Task {
    Task {
        id,
        name: format!("task-{id}"),
        ports: Vec::new(),
        service: None,
        slot: 0,
    }
}

fn store_of(tasks: impl IntoIterator<Item = Task>) -> Store {
    let store = common::builder().table::<Task>().build();
    for task in tasks {
        store
            .update(|tx| tx.create(task.clone()))
            .expect("nothing is in its way");
    }
    store
}

#[track_caller]
fn refused(store: &Store, task: Task, index: &str, holder: u64) {
    let refused = store.update(|tx| tx.create(task.clone()));
    let Err(UpdateError::Closure(CreateError::Duplicate(duplicate))) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(duplicate.index, index);
    assert_eq!(duplicate.holder.downcast_ref::<u64>(), Some(&holder));
}

#[test]
fn a_folded_value_is_taken_whatever_the_case() {
    let named = |id, name: &str| Task {
        name: name.into(),
        ..task(id)
    };
    let store = store_of([named(1, "Straße")]);
    refused(&store, named(2, "STRAßE"), "by_name", 1);
    // Its holder may change the case.
    let renamed = store.update(|tx| tx.modify::<Task>(&1, |task| task.name = "STRAßE".into()));
    renamed.expect("it is its own");
}

#[test]
fn any_of_several_values_may_be_taken() {
    let on = |id, ports: &[u16]| Task {
        ports: ports.into(),
        ..task(id)
    };
    let store = store_of([on(1, &[80, 80, 443])]);
    refused(&store, on(2, &[8080, 443]), "by_ports", 1);
    let freed = store.update(|tx| {
        tx.modify::<Task>(&1, |task| task.ports.retain(|port| *port != 443))?;
        tx.create(on(2, &[8080, 443]))?;
        Ok::<_, Error>(())
    });
    freed.expect("freed in the same transaction");
    refused(&store, on(3, &[443]), "by_ports", 2);
}

#[test]
fn several_fields_are_taken_together() {
    let at = |id, service, slot| Task {
        service,
        slot,
        ..task(id)
    };
    let store = store_of([
        at(1, Some(1), 1),
        at(2, Some(1), 2),
        at(3, Some(2), 1),
        // Without one of the fields they are in no index, and not in each other's way.
        at(4, None, 1),
        at(5, None, 1),
    ]);
    refused(&store, at(6, Some(1), 2), "by_slot", 2);
}

#[test]
fn a_value_that_two_transactions_take_at_once_goes_to_the_first_commit() {
    let store = store_of([]);
    let (mut first, mut second) = (store.begin(), store.begin());
    let on = |id, port| Task {
        ports: vec![port, 1000 + id as u16],
        ..task(id)
    };
    first.create(on(1, 80)).expect("free as it sees it");
    second.create(on(2, 80)).expect("free as it sees it");
    second.commit().expect("the first to commit");
    let Err(CommitError::Duplicate(duplicate)) = first.commit() else {
        panic!("both have port 80");
    };
    assert_eq!(duplicate.holder.downcast_ref::<u64>(), Some(&2));
    assert_eq!(duplicate.key.downcast_ref::<u16>(), Some(&80));
}
