//! Unique indexes: a second holder is refused, whoever commits first, and told who holds the value.

mod common;

use common::{Random, Task, assert_holds, builder, delete, named, put, store, task};
use skep::{CommitError, CreateError, Error, ReplaceError, UpdateError, keys};

#[test]
fn unique_index_refuses_a_second_holder_at_once() {
    let store = store();
    put(&store, [task(1)]);
    let Err(CreateError::Duplicate(duplicate)) = store.begin().create(named(2, "task-1")) else {
        panic!("it is taken");
    };
    assert_holds(&duplicate, "task-1", 1);
    put(&store, [task(2)]);
    let Err(ReplaceError::Duplicate(duplicate)) = store.begin().update(named(2, "task-1")) else {
        panic!("it is taken");
    };
    assert_holds(&duplicate, "task-1", 1);
    // By another write of the same transaction, and again free when that is taken back.
    let mut tx = store.begin();
    tx.create(named(3, "new")).unwrap();
    let Err(CreateError::Duplicate(duplicate)) = tx.create(named(4, "new")) else {
        panic!("it is taken");
    };
    assert_holds(&duplicate, "new", 3);
    tx.modify::<Task>(&3, |task| task.name = "newer".into())
        .unwrap();
    tx.create(named(4, "new")).unwrap();
    let back = tx.modify::<Task>(&3, |task| task.name = "new".into());
    assert!(matches!(back, Err(ReplaceError::Duplicate(_))), "{back:?}");
    tx.commit().unwrap();
    let read = store.read();
    assert_eq!(read.first(Task::BY_NAME.eq("new")).unwrap().id, 4);
    assert_eq!(read.first(Task::BY_NAME.eq("newer")).unwrap().id, 3);
}

#[test]
fn unique_index_refuses_two_that_never_saw_each_other() {
    let store = store();
    let (mut first, mut second) = (store.begin(), store.begin());
    first.create(named(1, "same")).unwrap();
    second.create(named(2, "same")).unwrap();
    second.commit().unwrap();
    match first.commit() {
        Err(CommitError::Duplicate(duplicate)) => assert_holds(&duplicate, "same", 2),
        other => panic!("{other:?}"),
    }
    // By an update, too; and many writes before it in the transaction do not hide it.
    let (mut first, mut second) = (store.begin(), store.begin());
    for id in 100..140 {
        first.create(task(id)).unwrap();
    }
    first.create(named(1, "other")).unwrap();
    second
        .modify::<Task>(&2, |task| task.name = "other".into())
        .unwrap();
    second.commit().unwrap();
    match first.commit() {
        Err(CommitError::Duplicate(duplicate)) => assert_holds(&duplicate, "other", 2),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.read().count(keys::<Task>().all()), 1);
}

#[test]
fn duplicate_at_commit_is_run_again_and_told_as_seen() {
    let store = store();
    let mut runs = 0;
    let refused = store.update(|tx| {
        runs += 1;
        let created = tx.create(named(1, "same"));
        if runs == 1 {
            put(&store, [named(2, "same")]);
        }
        created
    });
    let Err(UpdateError::Closure(CreateError::Duplicate(duplicate))) = refused else {
        panic!("{refused:?}");
    };
    assert_holds(&duplicate, "same", 2);
    assert_eq!(runs, 2);
}

#[test]
fn racing_threads_never_share_a_unique_value() {
    let store = builder().table::<Task>().attempts_max(u32::MAX).build();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for round in 0..300u64 {
                    let id = 1 + thread + round * 4;
                    let name = format!("name-{}", random.below(8));
                    let taken = store.update(|tx| tx.create(named(id, &name)));
                    match taken {
                        Ok(()) => {
                            let read = store.read();
                            assert_eq!(read.count(Task::BY_NAME.eq(name)), 1);
                            drop(read);
                            delete::<Task>(store, &id);
                        }
                        Err(UpdateError::Closure(CreateError::Duplicate(_))) => {}
                        Err(error) => panic!("{error}"),
                    }
                    let read = store.read();
                    let names: Vec<&str> =
                        read.find(Task::BY_NAME.all()).map(|it| &*it.name).collect();
                    assert!(names.is_sorted_by(|left, right| left < right), "{names:?}");
                }
            });
        }
    });
    assert_eq!(store.read().count(Task::BY_NAME.all()), 0);
}

#[test]
fn unique_value_is_handed_over_in_one_transaction() {
    let store = store();
    put(&store, [named(1, "a"), named(2, "b")]);
    // Released, then taken.
    store
        .update(|tx| {
            tx.modify::<Task>(&1, |task| task.name = "c".into())?;
            tx.modify::<Task>(&2, |task| task.name = "a".into())
        })
        .unwrap();
    // Swapped by way of a third; deleted and taken.
    store
        .update(|tx| {
            tx.modify::<Task>(&1, |task| task.name = "tmp".into())?;
            tx.modify::<Task>(&2, |task| task.name = "c".into())?;
            tx.modify::<Task>(&1, |task| task.name = "a".into())?;
            tx.delete::<Task>(&2)?;
            tx.create(named(3, "c"))?;
            Ok::<_, Error>(())
        })
        .unwrap();
    let read = store.read();
    let found: Vec<_> = read
        .find(Task::BY_NAME.all())
        .map(|it| (it.id, &*it.name))
        .collect();
    assert_eq!(found, [(1, "a"), (3, "c")]);
    drop(read);
    // Kept by the object that has it.
    store
        .update(|tx| tx.modify::<Task>(&1, |task| task.count += 1))
        .unwrap();
    // And free again for others.
    delete::<Task>(&store, &1);
    put(&store, [named(9, "a")]);
}
