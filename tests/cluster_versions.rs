//! Versions of objects and of their specs, and times: what they guard and who keeps them.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::time::Duration;

use fixture::{builder, filled, id};
use skep::cluster::{
    self, Cluster, Config, Network, Node, NodeState, Secret, Service, Specified, Task, TaskState,
    Volume,
};
use skep::{
    Action, Error, Id, Meta, Object, OutOfSequence, ReplaceError, Store, Transaction, UpdateError,
    Version,
};

fn meta<T: Object<Key = Id>>(store: &Store, key: &str) -> Meta {
    let read = store.read();
    read.entry::<T>(&id(key)).expect("it is there").meta()
}

fn spec_version<T: Specified>(store: &Store, key: &str) -> Version {
    let read = store.read();
    read.get::<T>(&id(key)).expect("it is there").spec_version()
}

type Updated = Result<(), UpdateError<ReplaceError>>;

#[track_caller]
fn is_out_of_sequence(updated: &Updated, expected: Version, found: Version) {
    let Err(UpdateError::Closure(ReplaceError::OutOfSequence(refused))) = updated else {
        panic!("{updated:?}");
    };
    assert_eq!((refused.expected, refused.found), (expected, found));
}

#[test]
fn version_guards_a_whole_object() {
    let store = filled();
    let read = meta::<Node>(&store, "a1").version;
    assert!(read > Version::ZERO && read <= store.version());
    let down = |node: &mut Node| node.status.state = NodeState::Down;
    let wrote = store.update_versioned(|tx| tx.modify::<Node>(&id("a1"), down));
    let ((), version) = wrote.expect("it is there");
    assert_eq!(meta::<Node>(&store, "a1").version, version);
    let update_at =
        |version| store.update(|tx| tx.update_at(version, Node::named(id("a1"), "name1")));
    is_out_of_sequence(&update_at(read), read, version);
    assert_eq!(update_at(version), Ok(()));
    // What others do to other objects is no matter; that was not moved.
    assert_eq!(meta::<Node>(&store, "a2").version, Version::new(1));
    // An object deleted and created again is another.
    let again = store.update_versioned(|tx| {
        tx.delete::<Node>(&id("a2")).expect("it is there");
        tx.create(Node::named(id("a2"), "name1"))
    });
    let ((), version) = again.expect("it was deleted");
    let updated = store.update(|tx| tx.update_at(Version::new(1), Node::named(id("a2"), "name1")));
    is_out_of_sequence(&updated, Version::new(1), version);
}

#[test]
fn a_status_does_not_move_the_version_of_a_spec() {
    let store = filled();
    let read = spec_version::<Service>(&store, "a1");
    for _ in 0..3 {
        let status = store.update(|tx| {
            tx.modify::<Service>(&id("a1"), |service| {
                service.pending_delete = !service.pending_delete;
                // What a caller puts here does not matter.
                service.spec_version = Some(Version::new(1 << 40));
            })
        });
        assert_eq!(status, Ok(()));
        assert_eq!(spec_version::<Service>(&store, "a1"), read);
    }
    let spec = Service::named(id("a1"), "renamed").spec;
    let update_at =
        |version| store.update(|tx| Service::update_spec_at(tx, &id("a1"), version, spec.clone()));
    assert_eq!(update_at(read), Ok(()));
    let moved = spec_version::<Service>(&store, "a1");
    assert!(moved > read);
    is_out_of_sequence(&update_at(read), read, moved);
    // The status is as it was.
    let service = store.read().get::<Service>(&id("a1")).cloned();
    let service = service.expect("it is there");
    assert!(service.pending_delete && service.spec == spec);
    // The same spec again is no change of it.
    assert_eq!(update_at(moved), Ok(()));
    assert_eq!(spec_version::<Service>(&store, "a1"), moved);
    let unknown = store.update(|tx| Service::update_spec_at(tx, &id("d"), moved, spec.clone()));
    assert!(matches!(
        unknown,
        Err(UpdateError::Closure(ReplaceError::NotFound(_)))
    ));
}

/// Whichever verb writes, and whatever the caller says of the version.
fn every_verb_moves_it<T: Specified>(
    store: &Store,
    change: impl Fn(&mut T::Spec, u32),
    touch: impl Fn(&mut T),
) {
    let key = &id("a1");
    let mut last = spec_version::<T>(store, "a1");
    for verb in 0..4 {
        let written = store.update(|tx| {
            let mut object = tx.get::<T>(key).expect("it is there").clone();
            change(object.spec_mut(), verb);
            object.set_spec_version(Version::ZERO);
            match verb {
                0 => tx.update(object).map_err(drop),
                1 => tx.upsert(object).map_err(drop),
                2 => tx
                    .modify::<T>(key, |it| change(it.spec_mut(), verb))
                    .map_err(drop),
                _ => T::modify_spec_at(tx, key, last, |spec| change(spec, verb)).map_err(drop),
            }
        });
        assert_eq!(written, Ok(()), "{}: verb {verb}", T::TABLE);
        let moved = spec_version::<T>(store, "a1");
        assert!(moved > last, "{}: verb {verb}: {moved}", T::TABLE);
        last = moved;
    }
    let touched = store.update(|tx| tx.modify::<T>(key, |it| touch(it)));
    assert_eq!(touched, Ok(()));
    assert_eq!(spec_version::<T>(store, "a1"), last);
    let late = store.update(|tx| T::modify_spec_at(tx, key, Version::ZERO, |_| {}));
    let told = OutOfSequence::new::<T>(*key, Version::ZERO, last);
    assert_eq!(late, Err(UpdateError::Closure(told.into())));
    // Deleted and created again it is another one: also within one transaction.
    let again = store.update(|tx| {
        let object = tx.get::<T>(key).expect("it is there").clone();
        tx.delete::<T>(key).expect("nothing is against it");
        tx.create(object)
    });
    assert_eq!(again, Ok(()));
    assert!(spec_version::<T>(store, "a1") > last);
}

/// Nor however often a transaction changes it: numbers that ran ahead of commits would come again.
#[test]
fn no_two_specs_of_an_id_have_one_version() {
    let store = filled();
    let key = &id("d");
    let rename = |to: &'static str| move |it: &mut Service| it.spec.annotations.name = to.into();
    let created = store.update(|tx| {
        tx.create(Service::named(*key, "first"))?;
        tx.modify(key, rename("second"))?;
        tx.modify(key, rename("third"))?;
        Ok::<_, Error>(())
    });
    assert_eq!(created, Ok(()));
    let mut given = vec![spec_version::<Service>(&store, "d")];
    let again = store.update(|tx| {
        tx.delete::<Service>(key)?;
        tx.create(Service::named(*key, "fourth"))?;
        Ok::<_, Error>(())
    });
    assert_eq!(again, Ok(()));
    given.push(spec_version::<Service>(&store, "d"));
    for name in ["fifth", "sixth"] {
        assert_eq!(store.update(|tx| tx.modify(key, rename(name))), Ok(()));
        given.push(spec_version::<Service>(&store, "d"));
    }
    assert!(given.is_sorted_by(|one, next| one < next), "{given:?}");
}

#[test]
fn all_that_have_a_spec_have_a_version_of_it() {
    let store = filled();
    let name = |verb: u32| format!("renamed-{verb}");
    every_verb_moves_it::<Cluster>(
        &store,
        |spec, verb| spec.annotations.name = name(verb),
        |it| it.fips = true,
    );
    every_verb_moves_it::<Config>(
        &store,
        |spec, verb| spec.annotations.name = name(verb),
        |_| {},
    );
    every_verb_moves_it::<Network>(
        &store,
        |spec, verb| spec.annotations.name = name(verb),
        |it| it.pending_delete = true,
    );
    every_verb_moves_it::<Node>(
        &store,
        |spec, verb| spec.annotations.name = name(verb),
        |it| it.status.state = NodeState::Ready,
    );
    every_verb_moves_it::<Secret>(
        &store,
        |spec, verb| spec.data = name(verb).into(),
        |it| it.internal = true,
    );
    every_verb_moves_it::<Service>(
        &store,
        |spec, verb| spec.annotations.name = name(verb),
        |it| it.pending_delete = true,
    );
    every_verb_moves_it::<Volume>(
        &store,
        |spec, verb| spec.group = name(verb),
        |it| it.pending_delete = true,
    );
}

/// A copy is stored as it is; the changes of one transaction count once, and each sees the last.
#[test]
fn versions_of_specs_grow_within_a_transaction_and_after_a_copy() {
    let store = builder().build();
    let copy = Service {
        spec_version: Some(Version::new(1000)),
        ..Service::named(id("a1"), "name")
    };
    let copied = store.update(|tx| tx.defer_checks(|tx| tx.create(copy.clone())));
    assert_eq!(copied, Ok(()));
    assert_eq!(spec_version::<Service>(&store, "a1"), copy.spec_version());
    let changed = store.update(|tx| {
        for (at, name) in [(1000, "once"), (1001, "twice"), (1001, "thrice")] {
            let change = |spec: &mut cluster::ServiceSpec| spec.annotations.name = name.into();
            Service::modify_spec_at(tx, &id("a1"), Version::new(at), change)?;
        }
        Ok::<_, ReplaceError>(())
    });
    assert_eq!(changed, Ok(()));
    assert_eq!(spec_version::<Service>(&store, "a1"), Version::new(1001));
}

/// A store with service a1, that was copied with a version of its spec.
fn with_copied(version: Version) -> Store {
    let store = builder().build();
    let service = Service {
        spec_version: Some(version),
        ..Service::named(id("a1"), "name")
    };
    store
        .apply(&[Action::create(service)])
        .expect("there was none");
    store
}

/// A copy may have just the number that a commit here is about to give: of two users who have read
/// it, the second one must not pass.
#[test]
fn a_copied_version_of_a_spec_is_not_given_again() {
    for status_first in [false, true] {
        let (key, copied) = (id("a1"), Version::new(2));
        let store = with_copied(copied);
        let rename = |name: &'static str| {
            store.update(|tx| {
                if status_first {
                    tx.modify::<Service>(&key, |it| it.pending_delete = true)?;
                }
                Service::modify_spec_at(tx, &key, copied, |it| it.annotations.name = name.into())
            })
        };
        assert_eq!(rename("once"), Ok(()));
        let moved = spec_version::<Service>(&store, "a1");
        assert_eq!(moved, Version::new(3), "status first: {status_first}");
        is_out_of_sequence(&rename("twice"), copied, moved);
    }
}

/// A copy may have the largest number that there is. What comes after it differs from it.
#[test]
fn a_copied_version_of_a_spec_may_be_the_largest() {
    let (key, copied) = (id("a1"), Version::new(u64::MAX));
    let store = with_copied(copied);
    let rename = |version, name: &'static str| {
        store.update(|tx| {
            Service::modify_spec_at(tx, &key, version, |it| it.annotations.name = name.into())
        })
    };
    assert_eq!(rename(copied, "once"), Ok(()));
    let moved = spec_version::<Service>(&store, "a1");
    is_out_of_sequence(&rename(copied, "twice"), copied, moved);
    assert_eq!(rename(moved, "twice"), Ok(()));
    assert!(spec_version::<Service>(&store, "a1") > moved);
}

/// Nor to an object that takes the copied one's place in the same transaction.
#[test]
fn a_copied_version_of_a_spec_is_not_given_to_what_takes_its_place() {
    for copied in [2, 7].map(Version::new) {
        let (key, store) = (id("a1"), with_copied(copied));
        let replaced = store.update(|tx| {
            tx.delete::<Service>(&key)?;
            tx.create(Service::named(key, "other"))?;
            Ok::<_, Error>(())
        });
        assert_eq!(replaced, Ok(()));
        let moved = spec_version::<Service>(&store, "a1");
        assert!(moved > copied, "{moved} {copied}");
        let stale = store.update(|tx| {
            Service::modify_spec_at(tx, &key, copied, |it| it.annotations.name = "late".into())
        });
        is_out_of_sequence(&stale, copied, moved);
    }
}

/// However often a transaction changes a spec, that moves by one: an object that comes after it
/// under its ID has another one.
#[test]
fn changes_of_a_copied_spec_in_one_transaction_count_once() {
    let (key, copied) = (id("a1"), Version::new(2));
    let store = with_copied(copied);
    let renamed = store.update(|tx| {
        ["one", "two", "three"].into_iter().try_for_each(|name| {
            tx.modify::<Service>(&key, |it| it.spec.annotations.name = name.into())
        })
    });
    assert_eq!(renamed, Ok(()));
    let moved = spec_version::<Service>(&store, "a1");
    assert_eq!(moved, copied.next());
    assert_eq!(store.update(|tx| tx.delete::<Service>(&key)), Ok(()));
    let again = store.update(|tx| tx.create(Service::named(key, "other")));
    assert_eq!(again, Ok(()));
    assert!(spec_version::<Service>(&store, "a1") > moved);
}

/// Users change a spec by turns while statuses are written: no user is disturbed, and none
/// overwrites another.
#[test]
fn users_of_a_spec_are_not_disturbed_by_statuses() {
    let store = &builder().attempts_max(u32::MAX).build();
    let created = store.update(|tx| tx.create(Service::named(id("a1"), "name")));
    assert_eq!(created, Ok(()));
    let rounds = if cfg!(debug_assertions) { 200 } else { 2000 };
    let counted = |spec: &cluster::ServiceSpec| -> u64 {
        let count = spec.annotations.labels.get("count");
        count.map_or(0, |count| count.parse().expect("a number"))
    };
    let refused = std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..rounds {
                let status = store.update(|tx| {
                    tx.modify::<Service>(&id("a1"), |it| it.pending_delete = round % 2 == 0)
                });
                assert_eq!(status, Ok(()));
            }
        });
        let users = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut refused = 0;
                for _ in 0..rounds {
                    loop {
                        let read = store.read().get::<Service>(&id("a1")).cloned();
                        let read = read.expect("it is there");
                        let mut spec = read.spec.clone();
                        let count = (counted(&spec) + 1).to_string();
                        spec.annotations.labels.insert("count".into(), count);
                        let updated = store.update(|tx| {
                            let version = read.spec_version();
                            Service::update_spec_at(tx, &id("a1"), version, spec.clone())
                        });
                        match updated {
                            Ok(()) => break,
                            Err(UpdateError::Closure(ReplaceError::OutOfSequence { .. })) => {
                                refused += 1;
                            }
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                refused
            })
        });
        users.map(|user| user.join().expect("no user panics"))
    });
    let read = store.read();
    let service = read.get::<Service>(&id("a1")).expect("it is there");
    // Nothing is lost, and each refusal was a change of the other user's.
    assert_eq!(counted(&service.spec), 2 * rounds);
    assert!(refused.iter().all(|&count| count <= rounds), "{refused:?}");
}

#[test]
fn a_user_alone_is_never_out_of_sequence() {
    let store = filled();
    let read = spec_version::<Node>(&store, "a1");
    for state in [NodeState::Ready, NodeState::Down] {
        let status =
            store.update(|tx| tx.modify::<Node>(&id("a1"), |node| node.status.state = state));
        assert_eq!(status, Ok(()));
    }
    let drained = store.update(|tx| {
        let change = |spec: &mut cluster::NodeSpec| {
            spec.availability = cluster::NodeAvailability::Drained;
        };
        Node::modify_spec_at(tx, &id("a1"), read, change)
    });
    assert_eq!(drained, Ok(()));
}

#[test]
fn times_are_kept_by_the_store() {
    let store = filled();
    let created = meta::<Task>(&store, "a1");
    assert_eq!(created.created_at, created.updated_at);
    std::thread::sleep(Duration::from_millis(2));
    let running = |task: &mut Task| task.desired_state = TaskState::Running;
    let updated = store.update(|tx| tx.modify::<Task>(&id("a1"), running));
    assert_eq!(updated, Ok(()));
    let after = meta::<Task>(&store, "a1");
    assert_eq!(after.created_at, created.created_at);
    assert!(after.updated_at > created.updated_at);
    // Also when the caller knows nothing of the object that is there.
    for written in [
        store.update(|tx| tx.update(Task::new(id("a1"))).map_err(drop)),
        store.update(|tx| tx.upsert(Task::new(id("a1"))).map_err(drop)),
    ] {
        assert_eq!(written, Ok(()));
        assert_eq!(meta::<Task>(&store, "a1").created_at, created.created_at);
    }
}

/// Also of what another process created, whose clock is ahead: an age is never negative.
#[test]
fn no_update_is_before_the_creation() {
    let store = filled();
    let hour = Duration::from_secs(3600);
    let ahead = std::time::SystemTime::now() + hour;
    let created = Action::create(Task::new(id("c"))).at(ahead, ahead);
    assert!(store.apply(&[created]).is_ok());
    for verb in 0..3 {
        let mut tx = store.begin();
        let written = match verb {
            0 => tx.modify::<Task>(&id("c"), |task| task.slot = 1).is_ok(),
            1 => tx.upsert(Task::new(id("c"))).is_ok(),
            _ => tx.update(Task::new(id("c"))).is_ok(),
        };
        assert!(written);
        let seen = tx.entry::<Task>(&id("c")).expect("it is there").meta();
        assert_eq!((seen.created_at, seen.updated_at), (ahead, ahead));
        tx.commit().expect("nobody else writes");
        let meta = meta::<Task>(&store, "c");
        assert_eq!((meta.created_at, meta.updated_at), (ahead, ahead));
    }
    assert!(store.apply(&[Action::update(Task::new(id("c")))]).is_ok());
    assert_eq!(meta::<Task>(&store, "c").updated_at, ahead);
    // What is told is kept.
    let told = Action::update(Task::new(id("c"))).at(ahead, ahead - hour);
    assert!(store.apply(&[told]).is_ok());
    assert_eq!(meta::<Task>(&store, "c").updated_at, ahead - hour);
    // Who is created anew is as old as that.
    let anew = store.update(|tx| {
        tx.delete::<Task>(&id("c"))?;
        Ok::<_, Error>(tx.create(Task::new(id("c")))?)
    });
    assert_eq!(anew, Ok(()));
    let meta = meta::<Task>(&store, "c");
    assert_eq!(meta.created_at, meta.updated_at);
    assert!(meta.updated_at < ahead);
}

/// A step is as a transaction of its own: who has read the spec before it comes too late, and who
/// reads it again does not.
#[test]
fn the_guard_of_a_spec_holds_from_step_to_step_of_a_batch() {
    let store = filled();
    let read = spec_version::<Service>(&store, "a1");
    let renamed = |at, name: &'static str| {
        move |tx: &mut Transaction<'_>| {
            Service::modify_spec_at(tx, &id("a1"), at, |spec| {
                spec.annotations.name = name.into()
            })
        }
    };
    let seen = std::cell::Cell::new(Version::ZERO);
    let seen = &seen;
    let ran = store.batch(|batch| {
        batch.step(renamed(read, "one"))?;
        let late = batch.step(renamed(read, "two"));
        let out = matches!(
            &late,
            Err(UpdateError::Closure(ReplaceError::OutOfSequence(_)))
        );
        assert!(out, "{late:?}");
        batch.step(move |tx| {
            seen.set(
                tx.get::<Service>(&id("a1"))
                    .map_or(Version::ZERO, Service::spec_version),
            );
            Ok(())
        })?;
        batch.step(move |tx| renamed(seen.get(), "three")(tx))
    });
    assert_eq!(ran.expect("one step failed alone").applied, 3);
    assert!(spec_version::<Service>(&store, "a1") > read);
    let refused = store.update(renamed(read, "four"));
    is_out_of_sequence(&refused, read, spec_version::<Service>(&store, "a1"));
    assert_eq!(store.read().count(Service::BY_NAME.eq("three")), 1);
}
