//! The tables of a cluster: names and their uniqueness, indexes that follow updates, the states of
//! tasks, secrets that stay secret.

mod common;
#[path = "common/cluster.rs"]
mod fixture;
#[path = "common/secrets.rs"]
mod secrets;

use std::sync::Arc;
use std::time::SystemTime;

use fixture::{builder, filled, id, short};
use skep::cluster::{
    Annotations, AttachmentRuntime, Cluster, ClusterObject, Config, Extension, GenericRuntime,
    Membership, Network, Node, NodeDescription, NodeRole, Payload, Resource, RuleError, Runtime,
    Secret, SecretBytes, Service, StateFalls, Task, TaskSpec, TaskState, TaskStatus, Volume,
};
use skep::{CreateError, DeleteError, Id, ReplaceError, Snapshot, Store, UpdateError, keys};

fn ids<'a, T: ClusterObject>(found: impl Iterator<Item = &'a T>) -> Vec<String> {
    found.map(|object| short(object.key())).collect()
}

fn by_name<T: ClusterObject>(snapshot: &Snapshot, name: &str) -> Vec<String> {
    ids(snapshot.find(T::BY_NAME.eq(name)))
}

fn try_create<T: ClusterObject>(store: &Store, object: T) -> Result<(), UpdateError<CreateError>> {
    store.update(|tx| tx.create(object.clone()))
}

/// That a name is refused because another object has it.
#[track_caller]
fn is_taken<T: ClusterObject>(
    refused: &(impl std::error::Error + 'static),
    claimant: &str,
    name: &str,
    holder: &str,
) {
    let conflict = RuleError::NameConflict {
        table: T::TABLE,
        name: name.into(),
        holder: id(holder),
        claimant: id(claimant),
    };
    assert_eq!(RuleError::of(refused), Some(&conflict), "{refused}");
}

/// What holds of every table; `make` gives an object of an ID and a name.
fn holds_of_all<T: ClusterObject>(make: impl Fn(Id, &str) -> T, names_are_unique: bool) {
    let empty = builder().build();
    assert_eq!(empty.read().count(keys::<T>().all()), 0);
    let store = filled();
    let exists = try_create(&store, make(id("a1"), "fresh"));
    assert!(matches!(
        exists,
        Err(UpdateError::Closure(CreateError::Exists(_)))
    ));
    let snapshot = store.snapshot();
    let first = snapshot.get::<T>(&id("a1")).expect("it was created");
    assert_eq!(first.name().as_deref(), Some("name1"));
    assert!(snapshot.get::<T>(&id("c")).is_none());
    assert_eq!(by_name::<T>(&snapshot, "NAME1"), ["a1"]);
    assert_eq!(by_name::<T>(&snapshot, "name"), Vec::<String>::new());
    let prefix = |prefix: &str| ids(snapshot.find(T::BY_NAME.prefix(prefix)));
    assert_eq!(prefix("NAME"), ["a1", "a2", "a3"]);
    assert_eq!(prefix("x"), Vec::<String>::new());
    let by_id = |prefix: &str| ids(snapshot.find(keys::<T>().prefix(prefix)));
    assert_eq!(by_id("a"), ["a1", "a2", "a3"]);
    assert_eq!(by_id("b"), ["b1"]);

    let same_name = try_create(&store, make(id("c"), "Name1"));
    match same_name {
        Err(refused) if names_are_unique => is_taken::<T>(&refused, "c", "Name1", "a1"),
        Ok(()) if !names_are_unique => {}
        other => panic!("{}: {other:?}", T::TABLE),
    }
    let unknown = store.update(|tx| tx.delete::<T>(&id("d")));
    assert!(matches!(
        unknown,
        Err(UpdateError::Closure(DeleteError::NotFound(_)))
    ));
    let unknown = store.update(|tx| tx.update(make(id("d"), "fresh")));
    assert!(matches!(
        unknown,
        Err(UpdateError::Closure(ReplaceError::NotFound(_)))
    ));
}

/// A rename moves the index entry; a deletion removes it, and the name is free.
fn follows_names<T: ClusterObject>(make: impl Fn(Id, &str) -> T) {
    let store = filled();
    let renamed = store.update(|tx| tx.update(make(id("a1"), "fresh")));
    assert_eq!(renamed, Ok(()));
    assert_eq!(by_name::<T>(&store.snapshot(), "fresh"), ["a1"]);
    assert_eq!(store.update(|tx| tx.delete::<T>(&id("a1"))), Ok(()));
    assert_eq!(
        by_name::<T>(&store.snapshot(), "fresh"),
        Vec::<String>::new()
    );
    assert_eq!(try_create(&store, make(id("e"), "FRESH")), Ok(()));
    assert_eq!(by_name::<T>(&store.snapshot(), "fresh"), ["e"]);
}

/// Updates to a used name are refused in either case, and leave everything as it was.
fn refuses_a_rename_to_a_used_name<T: ClusterObject>(make: impl Fn(Id, &str) -> T) {
    let store = filled();
    for name in ["name2", "NAME2"] {
        let renamed = store.update(|tx| tx.update(make(id("a1"), name)));
        match renamed {
            Err(refused) => is_taken::<T>(&refused, "a1", name, "a2"),
            Ok(()) => panic!("{}: {name}", T::TABLE),
        }
    }
    let snapshot = store.snapshot();
    assert_eq!(by_name::<T>(&snapshot, "name1"), ["a1"]);
    assert_eq!(by_name::<T>(&snapshot, "name2"), ["a2"]);
    // An update that keeps the name, and one that changes its case, are none.
    for name in ["name1", "Name1"] {
        assert_eq!(store.update(|tx| tx.update(make(id("a1"), name))), Ok(()));
    }
}

fn named_task(id: Id, name: &str) -> Task {
    Task {
        annotations: Annotations::named(name),
        ..Task::new(id)
    }
}

#[test]
fn tables_of_unique_names() {
    macro_rules! holds_of {
        ($($make:expr),* $(,)?) => {$(
            holds_of_all($make, true);
            follows_names($make);
            refuses_a_rename_to_a_used_name($make);
        )*};
    }
    holds_of!(
        |id, name| Cluster::named(id, name),
        |id, name| Config::named(id, name, "data"),
        |id, name| Network::named(id, name),
        |id, name| Resource::named(id, "name1", name),
        |id, name| Secret::named(id, name, "data"),
        |id, name| Service::named(id, name),
        |id, name| Volume::named(id, name, "test"),
    );
    // Extensions are never renamed: tests/cluster_rules.rs.
    holds_of_all(|id, name| Extension::named(id, name), true);
}

#[test]
fn tables_of_names_that_several_may_have() {
    holds_of_all(named_task, false);
    follows_names(named_task);
    let store = filled();
    let snapshot = store.snapshot();
    assert_eq!(by_name::<Node>(&snapshot, "name1"), ["a1"]);
    assert_eq!(by_name::<Node>(&snapshot, "NAME2"), ["a2", "a3"]);
    assert_eq!(by_name::<Node>(&snapshot, "name3"), Vec::<String>::new());
    let prefix = snapshot.find(Node::BY_NAME.prefix("name"));
    assert_eq!(ids(prefix), ["a1", "a2", "a3"]);
}

#[test]
fn an_empty_name_is_a_name() {
    let store = builder().build();
    assert_eq!(try_create(&store, Network::named(id("a1"), "")), Ok(()));
    let second = try_create(&store, Network::named(id("a2"), ""));
    is_taken::<Network>(&second.expect_err("it is taken"), "a2", "", "a1");
    // A node's name is its host's: without a description it has none, whatever its annotations say.
    let mut node = Node::new(id("a1"));
    node.spec.annotations.name = "name".into();
    assert_eq!(try_create(&store, node), Ok(()));
    assert_eq!(store.read().count(Node::BY_NAME.all()), 0);
}

#[test]
fn a_deletion_and_a_creation_hand_a_name_over() {
    let store = filled();
    let handed = store.update(|tx| {
        tx.delete::<Service>(&id("a1")).expect("it is there");
        tx.create(Service::named(id("c"), "NAME1"))
    });
    assert_eq!(handed, Ok(()));
    let third = try_create(&store, Service::named(id("d"), "name1"));
    is_taken::<Service>(&third.expect_err("it is taken"), "d", "name1", "c");
}

#[test]
fn indexes_of_nodes_follow_updates() {
    let store = filled();
    let snapshot = store.snapshot();
    let role = |role| ids(snapshot.find(Node::BY_ROLE.eq(role)));
    assert_eq!(role(NodeRole::Manager), ["a1"]);
    assert_eq!(role(NodeRole::Worker), ["a2", "a3", "b1"]);
    let accepted = snapshot.find(Node::BY_MEMBERSHIP.eq(Membership::Accepted));
    assert_eq!(ids(accepted), ["a2", "a3", "b1"]);
    let updated = store.update(|tx| {
        tx.modify::<Node>(&id("a1"), |node| {
            node.role = NodeRole::Worker;
            // What it is to be is not what it is.
            node.spec.desired_role = NodeRole::Manager;
            node.description = Some(NodeDescription::named("host"));
        })
    });
    updated.expect("it is there");
    let view = store.read();
    assert_eq!(view.count(Node::BY_ROLE.eq(NodeRole::Manager)), 0);
    assert_eq!(view.count(Node::BY_NAME.eq("name1")), 0);
    assert_eq!(ids(view.find(Node::BY_NAME.eq("Host"))), ["a1"]);
}

#[test]
fn indexes_of_tasks_follow_updates() {
    let store = filled();
    let count = |state| store.read().count(Task::BY_DESIRED_STATE.eq(state));
    assert_eq!(count(TaskState::New), 3);
    assert_eq!(count(TaskState::Shutdown), 1);
    assert_eq!(count(TaskState::Running), 0);
    let updated = store.update(|tx| {
        tx.modify::<Task>(&id("a1"), |task| {
            task.desired_state = TaskState::Shutdown;
            task.node_id = None;
            task.service_id = Some(id("a2"));
            task.slot = 7;
        })
    });
    updated.expect("it is there");
    assert_eq!(count(TaskState::New), 2);
    assert_eq!(count(TaskState::Shutdown), 2);
    let view = store.read();
    assert_eq!(view.count(Task::BY_NODE.eq(id("a1"))), 0);
    assert_eq!(view.count(Task::BY_NODE.eq(None)), 4);
    assert_eq!(ids(view.find(Task::BY_SERVICE.eq(id("a2")))), ["a1"]);
    assert_eq!(ids(view.find(Task::BY_SLOT.eq((id("a2"), 7)))), ["a1"]);
}

#[test]
fn a_tasks_name_is_its_own_or_computed() {
    let mut task = Task {
        service_annotations: Arc::new(Annotations::named("Web")),
        ..Task::new(id("a1"))
    };
    let text = id("a1").to_string();
    assert_eq!(task.name(), format!("Web..{text}"));
    task.node_id = Some(id("b"));
    assert_eq!(task.name(), format!("Web.{}.{text}", id("b")));
    task.slot = 3;
    assert_eq!(task.name(), format!("Web.3.{text}"));
    let store = builder().build();
    assert_eq!(try_create(&store, task.clone()), Ok(()));
    assert_eq!(store.read().count(Task::BY_NAME.prefix("web.3.")), 1);
    task.annotations.name = "own".into();
    assert_eq!(task.name(), "own");
}

#[test]
fn a_generic_runtime_is_found_by_its_kind_whatever_the_case() {
    let store = builder().build();
    let runtime = Runtime::Generic(GenericRuntime {
        kind: "Wasm".into(),
        payload: Payload::default(),
    });
    let spec = TaskSpec {
        runtime: Some(runtime),
        ..TaskSpec::default()
    };
    let task = Task {
        spec: spec.into(),
        ..Task::new(id("a1"))
    };
    assert_eq!(try_create(&store, task), Ok(()));
    assert_eq!(try_create(&store, Task::new(id("a2"))), Ok(()));
    let view = store.read();
    assert_eq!(ids(view.find(Task::BY_RUNTIME.eq("wASM"))), ["a1"]);
    assert_eq!(view.count(Task::BY_RUNTIME.all()), 1);
}

#[test]
fn an_attachment_is_found_by_what_it_is_called() {
    let store = builder().build();
    let spec = TaskSpec {
        runtime: Some(Runtime::Attachment(AttachmentRuntime::default())),
        ..TaskSpec::default()
    };
    let task = Task {
        spec: spec.into(),
        ..Task::new(id("a1"))
    };
    assert_eq!(task.spec.runtime_kind(), Some("attachment"));
    assert_eq!(try_create(&store, task), Ok(()));
    let view = store.read();
    assert_eq!(ids(view.find(Task::BY_RUNTIME.eq("Attachment"))), ["a1"]);
}

#[test]
fn an_update_shares_what_it_does_not_change() {
    let store = filled();
    let old = store.snapshot();
    let updated = store.update(|tx| tx.modify::<Task>(&id("b1"), |task| task.slot = 9));
    updated.expect("it is there");
    let new = store.snapshot();
    let spec = |snapshot: &Snapshot| {
        let task = snapshot.get::<Task>(&id("b1")).expect("it is there");
        Arc::as_ptr(&task.spec)
    };
    assert_eq!(spec(&old), spec(&new));
}

#[test]
fn states_have_the_numbers_and_the_order_of_a_tasks_life() {
    let numbers = TaskState::ALL.map(TaskState::number);
    let expected = [
        0, 64, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 800, 832,
    ];
    assert_eq!(numbers, expected);
    assert!(TaskState::ALL.is_sorted());
    for state in TaskState::ALL {
        assert_eq!(TaskState::from_number(state.number()), Some(state));
        assert_eq!(state.is_terminal(), state.number() > 512, "{state:?}");
    }
    assert_eq!(TaskState::from_number(128), None);
    let running = Task::BY_STATE.range(TaskState::Running..);
    assert_eq!(ids(filled().snapshot().find(running)), ["a3"]);
}

#[test]
fn an_observed_state_only_moves_up() {
    for from in TaskState::ALL {
        for to in TaskState::ALL {
            let mut task = Task::new(id("a1"));
            task.status = TaskStatus::of(from);
            let status = TaskStatus {
                message: "reported".into(),
                timestamp: Some(SystemTime::UNIX_EPOCH),
                ..TaskStatus::of(to)
            };
            let (mut observed, before) = (task.clone(), task.clone());
            if to < from {
                let falls = Err(StateFalls { from, to });
                assert_eq!(observed.observe(to), falls);
                assert_eq!(task.report(status), falls);
                assert_eq!((&observed, &task), (&before, &before));
            } else {
                assert_eq!(observed.observe(to), Ok(()));
                assert_eq!(observed.status, TaskStatus::of(to));
                assert_eq!(task.report(status.clone()), Ok(()));
                assert_eq!(task.status, status);
            }
        }
    }
}

/// Whatever has secret bytes, with these.
fn shown(bytes: &SecretBytes) -> Vec<String> {
    let secret = Secret::named(id("a1"), "password", bytes.clone());
    let cluster = secrets::cluster(id("a1"), bytes);
    let service = secrets::service(id("a1"), bytes);
    let task = secrets::task(id("a1"), bytes);
    let store = builder().build();
    assert_eq!(try_create(&store, secret.clone()), Ok(()));
    let view = store.read();
    let entry = view.entry::<Secret>(&id("a1")).expect("it is there");
    vec![
        format!("{bytes:?} {bytes:#?}"),
        format!("{secret:?} {secret:#?}"),
        format!("{cluster:?} {cluster:#?}"),
        format!("{service:?} {service:#?}"),
        format!("{task:?} {task:#?}"),
        format!("{entry:?}"),
        format!("{:?}", view.object::<Secret>(&id("a1"))),
    ]
}

#[test]
fn debug_never_shows_a_secret() {
    let text = "hunter2-and-more";
    for shown in shown(&SecretBytes::from(text)) {
        assert!(shown.contains("SecretBytes(16 bytes)"), "{shown}");
        for part in ["hunter2", "104, 117, 110", "68756e74", "aHVudGVy"] {
            assert!(!shown.contains(part), "{part} in {shown}");
        }
    }
    // What is shown depends on nothing but the length.
    let other = SecretBytes::from("0123456789abcdef");
    let times = |shown: Vec<String>| shown.into_iter().take(4).collect::<Vec<_>>();
    assert_eq!(times(shown(&SecretBytes::from(text))), times(shown(&other)));
}

#[test]
fn secrets_are_equal_if_all_their_bytes_are() {
    let secret = SecretBytes::from("abc");
    assert_eq!(secret, SecretBytes::from(vec![97, 98, 99]));
    assert_eq!(secret, SecretBytes::from("abc".to_owned()).clone());
    for other in ["", "ab", "abcd", "abd", "xbc", "a\0c"] {
        assert_ne!(secret, SecretBytes::from(other), "{other:?}");
    }
    assert_eq!(SecretBytes::default(), SecretBytes::from(""));
    assert!(SecretBytes::default().is_empty() && !secret.is_empty());
}
