//! Rules of a table: asked by every verb, before the commit and with what it will hold under.

mod common;
#[path = "common/folder.rs"]
mod fixture;

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fixture::{Fault, Folder, fault, folder, named, names, store};
use skep::{
    CommitError, CreateError, DeferredError, DeleteError, Error, Rejected, ReplaceError,
    UpsertError,
};

#[test]
fn every_verb_asks_the_rules_and_goes_on_after_a_refusal() {
    let store = store();
    let mut tx = store.begin();
    match tx.create(folder(4, Some(9))) {
        Err(CreateError::Rejected(rejected)) => {
            assert_eq!(fault(&rejected), &Fault::NoParent(9));
            assert!(rejected.downcast_ref::<fmt::Error>().is_none());
            assert_eq!(rejected.to_string(), "fault: NoParent(9)");
            assert_eq!(rejected.reason().to_string(), rejected.to_string());
        }
        other => panic!("{other:?}"),
    }
    let renamed = Fault::Renamed {
        from: "folder-3".into(),
        to: "x".into(),
    };
    match tx.update(named(3, "x")) {
        Err(ReplaceError::Rejected(rejected)) => assert_eq!(fault(&rejected), &renamed),
        other => panic!("{other:?}"),
    }
    match tx.modify::<Folder>(&3, |folder| folder.name = "x".into()) {
        Err(ReplaceError::Rejected(rejected)) => assert_eq!(fault(&rejected), &renamed),
        other => panic!("{other:?}"),
    }
    // An upsert is asked as what it is: an update here, a creation there.
    match tx.upsert(named(3, "x")) {
        Err(UpsertError::Rejected(rejected)) => assert_eq!(fault(&rejected), &renamed),
        other => panic!("{other:?}"),
    }
    match tx.upsert(folder(4, Some(9))) {
        Err(UpsertError::Rejected(rejected)) => assert_eq!(fault(&rejected), &Fault::NoParent(9)),
        other => panic!("{other:?}"),
    }
    match tx.delete::<Folder>(&1) {
        Err(DeleteError::Rejected(rejected)) => assert_eq!(fault(&rejected), &Fault::HasChild(2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(tx.changes(), 0);
    // Own writes count: without its child it goes.
    assert_eq!(tx.delete::<Folder>(&2), Ok(()));
    assert_eq!(tx.delete::<Folder>(&1), Ok(()));
    assert!(tx.commit().is_ok());
    assert_eq!(names(&store), [(3, "folder-3".into())]);
}

/// A rule's own words need not say it.
#[test]
fn a_refusal_of_a_rule_is_of_an_object() {
    let store = store();
    let mut tx = store.begin();
    let of = |rejected: &Rejected| {
        let object = rejected.object().expect("the store knows");
        (object.table, object.key.downcast_ref::<u32>().copied())
    };
    let Err(CreateError::Rejected(created)) = tx.create(folder(4, Some(9))) else {
        panic!("without its parent");
    };
    let Err(DeleteError::Rejected(deleted)) = tx.delete::<Folder>(&1) else {
        panic!("with its child");
    };
    let wrote = tx.defer_checks(|tx| {
        tx.create(folder(5, None))?;
        tx.create(folder(6, Some(9)))
    });
    let Err(DeferredError::Rejected(put_off)) = wrote else {
        panic!("without its parent");
    };
    let told = [&created, &deleted, &put_off].map(of);
    assert_eq!(told, [4, 1, 6].map(|id| ("folder", Some(id))));
    // It is the rule's refusal still, and none before it has been given.
    assert_eq!(fault(&created), &Fault::NoParent(9));
    assert_eq!(created, created.clone());
    assert_eq!(Rejected::new("of nothing").object(), None);
}

#[test]
fn the_order_of_checks_is_rule_then_key_then_unique_index() {
    let store = store();
    let version = store.version();
    let mut tx = store.begin();
    // A creation: the rule, before its key and its name, which are both taken.
    let taken = Folder {
        name: "folder-3".into(),
        ..folder(1, Some(9))
    };
    let refused = tx.create(taken.clone());
    assert!(matches!(refused, Err(CreateError::Rejected(_))));
    let refused = tx.create(Folder {
        parent: None,
        ..taken
    });
    assert!(matches!(refused, Err(CreateError::Exists(_))));
    let refused = tx.create(named(4, "folder-3"));
    assert!(matches!(refused, Err(CreateError::Duplicate(_))));
    // An update: there, then at the version, then the rule.
    let refused = tx.update_at(version, folder(4, Some(9)));
    assert!(matches!(refused, Err(ReplaceError::NotFound(_))));
    let refused = tx.update_at(version.next(), folder(3, Some(9)));
    assert!(matches!(refused, Err(ReplaceError::OutOfSequence { .. })));
    let refused = tx.update_at(version, folder(3, Some(9)));
    assert!(matches!(refused, Err(ReplaceError::Rejected(_))));
    // A deletion: the same.
    let refused = tx.delete_at::<Folder>(version, &4);
    assert!(matches!(refused, Err(DeleteError::NotFound(_))));
    let refused = tx.delete_at::<Folder>(version.next(), &1);
    assert!(matches!(refused, Err(DeleteError::OutOfSequence { .. })));
    let refused = tx.delete_at::<Folder>(version, &1);
    assert!(matches!(refused, Err(DeleteError::Rejected(_))));
}

#[test]
fn the_reason_is_the_source_of_each_error_around_it() {
    let store = store();
    let refused = store.update(|tx| tx.delete::<Folder>(&1));
    let error: Box<dyn StdError> = refused.expect_err("it has a child").into();
    assert_eq!(error.to_string(), "fault: HasChild(2)");
    let inner = error.source().expect("the verb's error");
    let reason = inner.source().expect("its reason");
    assert_eq!(reason.downcast_ref(), Some(&Fault::HasChild(2)));
    let refused = store.update(|tx| Ok::<_, Error>(tx.delete::<Folder>(&1)?));
    let inner = refused.as_ref().expect_err("as before");
    let inner = inner.source().and_then(StdError::source);
    let reason = inner.expect("through the enum of all errors as well");
    assert_eq!(reason.downcast_ref(), Some(&Fault::HasChild(2)));
    // A clone is equal, another of the same kind is not; a text will do for a reason.
    let rejected = Rejected::new("no");
    assert_eq!(rejected, rejected.clone());
    assert_ne!(rejected, Rejected::new("no"));
    assert_eq!(format!("{rejected} {rejected:?}"), "no Rejected(\"no\")");
}

/// Each alone keeps to the rule; together they would not: a child of nothing.
#[test]
fn write_skew_through_rules_is_refused_in_either_order() {
    for parent_first in [true, false] {
        let store = store();
        let (mut parent, mut child) = (store.begin(), store.begin());
        parent.delete::<Folder>(&3).expect("it has no child");
        child.create(folder(4, Some(3))).expect("it is there");
        let (first, second) = match parent_first {
            true => (parent, child),
            false => (child, parent),
        };
        assert!(first.commit().is_ok());
        let refused = second.commit();
        assert!(
            matches!(refused, Err(CommitError::Conflict { .. })),
            "{refused:?}"
        );
    }
}

/// A refusal has read what it was for: going on after it is no way around the rule.
#[test]
fn what_a_refused_change_has_read_is_tracked() {
    let store = store();
    let mut tx = store.begin();
    let refused = tx.delete::<Folder>(&1);
    assert!(matches!(refused, Err(DeleteError::Rejected(_))));
    tx.create(named(7, "because of the child"))
        .expect("nothing is against it");
    store
        .update(|tx| tx.delete::<Folder>(&2))
        .expect("it has no child");
    assert!(matches!(tx.commit(), Err(CommitError::Conflict { .. })));
}

#[test]
fn racing_threads_never_leave_a_child_of_nothing() {
    let store = &common::builder()
        .table::<Folder>()
        .attempts_max(u32::MAX)
        .build();
    let rounds = if cfg!(debug_assertions) { 300 } else { 3000 };
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                for round in 0..rounds {
                    // Both children are of one parent, which each thread makes and deletes.
                    let parent = round % 5;
                    let child = 100 + thread * 100 + parent;
                    let _ = store.update(|tx| tx.create(folder(parent, None)));
                    let _ = store.update(|tx| tx.create(folder(child, Some(parent))));
                    if round % 3 == thread {
                        let _ = store.update(|tx| tx.delete::<Folder>(&child));
                    }
                    let _ = store.update(|tx| tx.delete::<Folder>(&parent));
                    let read = store.read();
                    for it in read.find(Folder::BY_PARENT.all()) {
                        let parent = it.parent.expect("found by it");
                        assert!(read.get::<Folder>(&parent).is_some(), "{it:?}");
                    }
                }
            });
        }
    });
}

#[test]
fn a_panic_in_a_rule_rolls_back() {
    let store = store();
    let before = (store.version(), names(&store));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        store.update(|tx| {
            tx.create(named(4, "fine"))?;
            tx.create(named(5, "panic"))
        })
    }));
    assert!(panicked.is_err());
    assert_eq!((store.version(), names(&store)), before);
    // Caught within, it takes back its own step alone.
    let mut tx = store.begin();
    tx.create(named(4, "fine")).expect("nothing is against it");
    let panicked = catch_unwind(AssertUnwindSafe(|| tx.create(named(5, "panic"))));
    assert!(panicked.is_err() && tx.changes() == 1);
    assert!(tx.commit().is_ok());
    assert_eq!(names(&store).len(), 4);
}

#[test]
fn the_table_completes_what_is_written() {
    let store = store();
    let changes = || store.read().get::<Folder>(&3).map(|it| it.changes);
    assert_eq!(changes(), Some(0));
    let twice = store.update(|tx| {
        tx.modify::<Folder>(&3, |folder| folder.changes = 70)?;
        tx.update(folder(3, Some(1)))
    });
    assert_eq!((twice, changes()), (Ok(()), Some(2)));
    assert_eq!(store.update(|tx| tx.upsert(folder(3, None))), Ok(()));
    assert_eq!(changes(), Some(3));
    // What is copied is complete.
    let copied = store.update(|tx| {
        tx.defer_checks(|tx| {
            tx.upsert(Folder {
                changes: 40,
                ..folder(3, None)
            })
        })
    });
    assert_eq!((copied, changes()), (Ok(()), Some(40)));
}
