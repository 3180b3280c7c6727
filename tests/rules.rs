//! Rules of a table: asked by every verb, before the commit and with what it will hold under; put
//! off, and then asked about what the transaction leaves.

use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use skep::{
    CommitError, CreateError, DeferredError, DeleteError, Error, Index, Indexes, Object, Proposed,
    Rejected, ReplaceError, Store, Transaction, UpdateError, UpsertError, keys,
};

/// A folder in a folder. Its table counts the changes of each.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    id: u32,
    name: String,
    parent: Option<u32>,
    changes: u32,
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    NoParent(u32),
    HasChild(u32),
    Renamed { from: String, to: String },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault: {self:?}")
    }
}

impl StdError for Fault {}

impl Folder {
    const BY_NAME: Index<Self, String> =
        Index::new("by_name", |it: &Self, keys| keys.add(it.name.clone())).unique();
    const BY_PARENT: Index<Self, u32> = Index::new("by_parent", |it, keys| {
        if let Some(parent) = it.parent {
            keys.add(parent);
        }
    });
}

impl Object for Folder {
    type Key = u32;
    const TABLE: &'static str = "folder";

    fn key(&self) -> u32 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_NAME).add(Self::BY_PARENT);
    }

    fn complete(&mut self, old: Option<&Self>, _: &Transaction<'_>) {
        self.changes = old.map_or(0, |old| old.changes + 1);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        if let Some(parent) = change.after().and_then(|new| new.parent)
            && tx.get::<Self>(&parent).is_none()
        {
            return Err(Rejected::new(Fault::NoParent(parent)));
        }
        match change {
            Proposed::Create(new) => assert_ne!(new.name, "panic", "the test's own panic"),
            // One step may not; a whole may have come to this in several.
            Proposed::Update { old, new } if old.name != new.name && !tx.checks_deferred() => {
                let (from, to) = (old.name.clone(), new.name.clone());
                return Err(Rejected::new(Fault::Renamed { from, to }));
            }
            Proposed::Update { .. } => {}
            Proposed::Delete(old) => {
                if let Some(child) = tx.first(Self::BY_PARENT.eq(old.id)) {
                    return Err(Rejected::new(Fault::HasChild(child.id)));
                }
            }
        }
        Ok(())
    }
}

fn folder(id: u32, parent: Option<u32>) -> Folder {
    Folder {
        id,
        name: format!("folder-{id}"),
        parent,
        changes: 0,
    }
}

fn named(id: u32, name: &str) -> Folder {
    Folder {
        name: name.into(),
        ..folder(id, None)
    }
}

/// A folder 1 with a folder 2 in it, and a folder 3.
fn store() -> Store {
    let store = Store::builder().table::<Folder>().build();
    let created = store.update(|tx| {
        tx.create(folder(1, None))?;
        tx.create(folder(2, Some(1)))?;
        tx.create(folder(3, None))
    });
    created.expect("nothing is against it");
    store
}

fn names(store: &Store) -> Vec<(u32, String)> {
    let read = store.read();
    let all = read.find(keys::<Folder>().all());
    all.map(|it| (it.id, it.name.clone())).collect()
}

fn fault(rejected: &Rejected) -> &Fault {
    rejected.downcast_ref().expect("a fault of this table")
}

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
    let store = &Store::builder()
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

#[test]
fn deferred_checks_are_of_what_is_left() {
    let store = store();
    // A swap of names, a child before its parent, a parent deleted before its child.
    let swapped = store.update(|tx| {
        tx.defer_checks(|tx| {
            assert!(tx.checks_deferred());
            tx.update(named(1, "folder-3"))?;
            tx.update(named(3, "folder-1"))?;
            tx.create(folder(5, Some(4)))?;
            tx.create(folder(4, None))?;
            tx.create(folder(6, None))?;
            tx.delete::<Folder>(&6)?;
            tx.delete::<Folder>(&2)?;
            Ok::<_, Error>(())
        })
    });
    assert_eq!(swapped, Ok(()));
    let expected = [
        (1, "folder-3"),
        (3, "folder-1"),
        (4, "folder-4"),
        (5, "folder-5"),
    ];
    assert_eq!(names(&store), expected.map(|(id, name)| (id, name.into())));
    let deleted = store.update(|tx| {
        let deleted = tx.defer_checks(|tx| {
            tx.delete::<Folder>(&4)?;
            tx.delete::<Folder>(&5)
        });
        assert!(!tx.checks_deferred(), "they are made");
        deleted
    });
    assert_eq!(deleted, Ok(()));
    assert_eq!(names(&store).len(), 2);
}

#[test]
fn deferred_checks_refuse_what_the_others_would() {
    let store = store();
    let mut tx = store.begin();
    // Keys are looked at as ever.
    let exists = tx.defer_checks(|tx| tx.create(folder(1, None)));
    assert!(matches!(
        exists,
        Err(DeferredError::Closure(CreateError::Exists(_)))
    ));
    drop(tx);
    let mut tx = store.begin();
    match tx.defer_checks(|tx| tx.delete::<Folder>(&1)) {
        Err(DeferredError::Rejected(rejected)) => {
            assert_eq!(fault(&rejected), &Fault::HasChild(2));
        }
        other => panic!("{other:?}"),
    }
    // The refusal cannot be passed over: the commit makes the checks again.
    assert!(tx.checks_deferred());
    match tx.commit() {
        Err(CommitError::Rejected(rejected)) => {
            assert_eq!(fault(&rejected), &Fault::HasChild(2));
        }
        other => panic!("{other:?}"),
    }
    // By the unique index: against what is there, and among its own.
    for (id, name, holder) in [(7, "folder-3", 3_u32), (7, "same", 8)] {
        let mut tx = store.begin();
        let refused = tx.defer_checks(|tx| {
            tx.create(named(8, "same"))?;
            tx.create(named(id, name))
        });
        let Err(DeferredError::Duplicate(duplicate)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(duplicate.holder.downcast_ref(), Some(&holder));
        // Put right, it passes, and is checked as ever from then on.
        assert_eq!(
            tx.defer_checks(|tx| tx.delete::<Folder>(&id)),
            Ok(()),
            "within the first, the second is no end"
        );
        assert!(tx.commit().is_ok());
        store
            .update(|tx| tx.delete::<Folder>(&8))
            .expect("it was created");
    }
    assert_eq!(names(&store).len(), 3);
    let refused = store.update(|tx| {
        let refused = tx.defer_checks(|tx| tx.delete::<Folder>(&1));
        assert!(refused.is_err());
        Ok::<_, Error>(())
    });
    assert!(
        matches!(refused, Err(UpdateError::Rejected(_))),
        "{refused:?}"
    );
}

#[test]
fn deferred_checks_hold_at_the_commit() {
    let store = store();
    let (mut parent, mut child) = (store.begin(), store.begin());
    parent
        .defer_checks(|tx| tx.delete::<Folder>(&3))
        .expect("it has no child");
    child
        .defer_checks(|tx| tx.create(folder(4, Some(3))))
        .expect("it is there");
    assert!(child.commit().is_ok());
    assert!(matches!(parent.commit(), Err(CommitError::Conflict { .. })));
    let (mut first, mut second) = (store.begin(), store.begin());
    for (tx, id) in [(&mut first, 8), (&mut second, 9)] {
        tx.defer_checks(|tx| tx.create(named(id, "same")))
            .expect("it is free");
    }
    assert!(first.commit().is_ok());
    assert!(matches!(second.commit(), Err(CommitError::Duplicate(_))));
}
