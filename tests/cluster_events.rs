//! Specifiers: each condition, both images or the last one, and their combinations.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use fixture::{builder, create, filled, id, short};
use skep::cluster::{
    Annotations, ClusterObject, Config, Finder, InvalidFind, Membership, Node, NodeRole, NodeState,
    Resource, ResourceType, Service, Specifier, Task, TaskState, Volume, VolumePublishState,
    VolumePublishStatus,
};
use skep::{Event, Filter, Kind, Store, Watcher};

/// What a watcher was told: kinds and shortened IDs of a table's changes.
fn told<T: ClusterObject>(watcher: &mut Watcher) -> Vec<(Kind, String)> {
    let events = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
    let changes = events.filter_map(|event| match event {
        Event::Change(change) => change.of::<T>().map(|change| {
            let object = change.new().or(change.old()).expect("one image");
            (change.kind(), short(object.key()))
        }),
        Event::Commit(_) => None,
    });
    changes.collect()
}

/// Touches each object of a table, and gives the IDs of those that a specifier lets through.
fn touched<T: ClusterObject>(store: &Store, specifier: Specifier<T>) -> Vec<String> {
    let mut watcher = store.watch(specifier);
    let touched = store.update(|tx| {
        let keys: Vec<_> = tx.find(skep::keys::<T>().all()).map(T::key).collect();
        keys.iter().try_for_each(|key| tx.modify::<T>(key, |_| {}))
    });
    touched.expect("they are there");
    let told = told::<T>(&mut watcher);
    assert!(told.iter().all(|(kind, _)| *kind == Kind::Updated));
    told.into_iter().map(|(_, at)| at).collect()
}

#[test]
fn conditions_of_every_table() {
    let store = filled();
    let label = |annotations: &mut Annotations| {
        *annotations = std::mem::take(annotations)
            .label("tier", "front")
            .index("rack", "east-1");
    };
    let labelled = store
        .update(|tx| tx.modify::<Config>(&id("a2"), |config| label(&mut config.spec.annotations)));
    labelled.expect("it is there");
    let configs = |specifier| touched::<Config>(&store, specifier);
    let all = Specifier::<Config>::new;
    assert_eq!(configs(all()), ["a1", "a2", "a3", "b1"]);
    assert_eq!(configs(all().id(id("a3"))), ["a3"]);
    assert_eq!(configs(all().id_prefix("b")), ["b1"]);
    assert_eq!(configs(all().name("NAME1")), ["a1"]);
    assert_eq!(configs(all().name_prefix("Name")), ["a1", "a2", "a3"]);
    assert_eq!(configs(all().custom("rack", "east-1")), ["a2"]);
    assert_eq!(configs(all().custom("rack", "east")), Vec::<String>::new());
    assert_eq!(configs(all().custom_prefix("rack", "east")), ["a2"]);
    assert_eq!(configs(all().label("tier", "front")), ["a2"]);
    assert_eq!(configs(all().label("tier", "back")), Vec::<String>::new());
    assert_eq!(configs(all().labelled("tier")), ["a2"]);
    assert_eq!(
        configs(all().when(|it| it.spec.data.as_slice().is_empty())),
        Vec::<String>::new()
    );
}

#[test]
fn conditions_of_tasks() {
    let store = filled();
    let tasks = |specifier| touched::<Task>(&store, specifier);
    let all = Specifier::<Task>::new;
    assert_eq!(tasks(all().node(Some(id("a1")))), ["a1"]);
    assert_eq!(tasks(all().node(None)), ["a2", "a3", "b1"]);
    assert_eq!(tasks(all().service(Some(id("a1")))), ["a2"]);
    assert_eq!(tasks(all().service(None)), ["a1", "a3", "b1"]);
    assert_eq!(tasks(all().slot(id("a1"), 2)), ["a2"]);
    assert_eq!(tasks(all().slot(id("a1"), 1)), Vec::<String>::new());
    assert_eq!(tasks(all().desired_state(TaskState::Shutdown)), ["a3"]);
    assert_eq!(tasks(all().state(TaskState::Running)), ["a3"]);
    assert_eq!(tasks(all().state_above(TaskState::Starting)), ["a3"]);
    assert_eq!(
        tasks(all().state_above(TaskState::Running)),
        Vec::<String>::new()
    );
    assert_eq!(tasks(all().runtime("Container")), ["b1"]);
    assert_eq!(tasks(all().network(id("a2"))), ["b1"]);
    assert_eq!(tasks(all().secret(id("a2"))), ["b1"]);
    assert_eq!(tasks(all().config(id("a1"))), ["b1"]);
    assert_eq!(tasks(all().volume(id("a1"))), ["b1"]);
    let volume = ResourceType::Volume;
    assert_eq!(tasks(all().reference(volume, id("a3"))), ["b1"]);
    let others = Finder::Not(Box::new(Finder::Runtime("container".into())));
    let others = all().finder(&others).expect("a task's");
    assert_eq!(tasks(others), ["a1", "a2", "a3"]);
    assert_eq!(tasks(all().name("OTHER1")), ["b1"]);
}

#[test]
fn conditions_of_services_nodes_resources_and_volumes() {
    let store = filled();
    let services = |specifier| touched::<Service>(&store, specifier);
    assert_eq!(
        services(Specifier::<Service>::new().runtime("container")),
        ["a3"]
    );
    assert_eq!(
        services(Specifier::<Service>::new().network(id("a1"))),
        ["a2"]
    );
    assert_eq!(
        services(Specifier::<Service>::new().secret(id("a2"))),
        ["a3"]
    );
    assert_eq!(
        services(Specifier::<Service>::new().config(id("a2"))),
        ["a3"]
    );
    assert_eq!(
        services(Specifier::<Service>::new().reference(ResourceType::Config, id("a2"))),
        ["a3"]
    );

    let nodes = |specifier| touched::<Node>(&store, specifier);
    assert_eq!(
        nodes(Specifier::<Node>::new().role(NodeRole::Manager)),
        ["a1"]
    );
    assert_eq!(
        nodes(Specifier::<Node>::new().membership(Membership::Pending)),
        ["a1"]
    );
    assert_eq!(nodes(Specifier::<Node>::new().name("NAME2")), ["a2", "a3"]);
    assert_eq!(
        nodes(Specifier::<Node>::new().state(NodeState::Down)),
        Vec::<String>::new()
    );
    let down =
        store.update(|tx| tx.modify::<Node>(&id("a2"), |node| node.status.state = NodeState::Down));
    down.expect("it is there");
    assert_eq!(
        nodes(Specifier::<Node>::new().state(NodeState::Down)),
        ["a2"]
    );

    let resources = |kind: &str| touched(&store, Specifier::<Resource>::new().resource_kind(kind));
    assert_eq!(resources("NAME3"), ["a3"]);

    let published = store.update(|tx| {
        tx.modify::<Volume>(&id("a3"), |volume| {
            volume.publish_status = vec![VolumePublishStatus {
                node_id: id("a1"),
                state: VolumePublishState::Published,
                publish_context: Default::default(),
                message: String::new(),
            }];
        })
    });
    published.expect("it is there");
    let volumes = |specifier| touched::<Volume>(&store, specifier);
    assert_eq!(
        volumes(Specifier::<Volume>::new().group("fast")),
        ["a1", "a2"]
    );
    assert_eq!(
        volumes(Specifier::<Volume>::new().driver("test")),
        ["a1", "a2", "a3", "b1"]
    );
    assert_eq!(
        volumes(Specifier::<Volume>::new().driver("none")),
        Vec::<String>::new()
    );
    assert_eq!(
        volumes(Specifier::<Volume>::new().published_on(id("a1"))),
        ["a3"]
    );
}

/// Unlike the values of a filter, which are joined by or.
#[test]
fn conditions_must_all_hold() {
    let store = filled();
    let tasks = |specifier| touched::<Task>(&store, specifier);
    let unassigned = || Specifier::<Task>::new().node(None);
    assert_eq!(tasks(unassigned().state(TaskState::Running)), ["a3"]);
    assert_eq!(
        tasks(unassigned().state(TaskState::Running).id(id("a1"))),
        Vec::<String>::new()
    );
    assert_eq!(tasks(unassigned().id_prefix("a").service(None)), ["a3"]);
    assert_eq!(
        tasks(unassigned().id(id("a2")).id(id("a3"))),
        Vec::<String>::new()
    );
}

/// Of one image: a task that leaves the node in the commit in which it comes to run was never on
/// the node and running.
#[test]
fn conditions_must_hold_of_one_image() {
    let store = filled();
    let specifier = || Specifier::<Task>::new().node(Some(id("a1")));
    let mut both = store.watch(specifier().state(TaskState::Running));
    let mut node = store.watch(specifier());
    let moved = store.update(|tx| {
        tx.modify::<Task>(&id("a1"), |task| {
            task.node_id = Some(id("a2"));
            task.status.state = TaskState::Running;
        })
    });
    moved.expect("it is there");
    assert_eq!(told::<Task>(&mut both), []);
    assert_eq!(told::<Task>(&mut node), [(Kind::Updated, "a1".to_owned())]);
}

#[test]
fn what_leaves_is_seen_unless_only_the_last_image_is_asked() {
    let store = filled();
    let specifier = || Specifier::<Task>::new().node(Some(id("a1")));
    let mut either = store.watch(specifier());
    let mut last = store.watch(specifier().as_it_is());
    let mut before = store.watch(specifier().as_it_was());
    let to = |at: &str, node: Option<&str>| {
        let moved =
            store.update(|tx| tx.modify::<Task>(&id(at), |task| task.node_id = node.map(id)));
        moved.expect("it is there");
    };
    to("a2", Some("a1"));
    assert_eq!(told::<Task>(&mut before), []);
    to("a2", None);
    to("a2", Some("a3"));
    store
        .update(|tx| tx.delete::<Task>(&id("a1")))
        .expect("it is there");
    let change = |kind, at: &str| (kind, at.to_owned());
    let (enters, deleted) = (change(Kind::Updated, "a2"), change(Kind::Deleted, "a1"));
    assert_eq!(
        told::<Task>(&mut either),
        [enters.clone(), enters.clone(), deleted.clone()]
    );
    assert_eq!(told::<Task>(&mut last), [enters.clone(), deleted.clone()]);
    let leaves = enters;
    assert_eq!(told::<Task>(&mut before), [leaves, deleted]);
}

/// A task that failed just now, not one that had failed before.
#[test]
fn a_closure_sees_both_images() {
    let store = filled();
    let failed = Specifier::<Task>::new().id_prefix("a").node(Some(id("a1")));
    let mut watcher = store.watch(failed.when_changed(|change| {
        let failed =
            |task: Option<&Task>| task.is_some_and(|it| it.status.state == TaskState::Failed);
        failed(change.new()) && !failed(change.old())
    }));
    for (at, state) in [
        ("a1", TaskState::Running),
        ("a1", TaskState::Failed),
        ("a1", TaskState::Failed),
        ("a2", TaskState::Failed),
    ] {
        let observed =
            store.update(|tx| tx.modify::<Task>(&id(at), |task| task.status.state = state));
        observed.expect("it is there");
    }
    assert_eq!(
        told::<Task>(&mut watcher),
        [(Kind::Updated, "a1".to_owned())]
    );
}

#[test]
fn kinds_and_or() {
    let store = filled();
    let mut watcher = store.watch(
        Specifier::<Task>::new()
            .created()
            .deleted()
            .name_prefix("web")
            .or(Specifier::<Node>::new().updated().role(NodeRole::Manager)),
    );
    let mut everything = store.watch(Filter::from(Specifier::<Task>::new()).or(Filter::all()));
    let named = |at: &str, name: &str| Task {
        annotations: Annotations::named(name),
        ..Task::new(id(at))
    };
    create(&store, vec![named("c1", "Web.1"), named("c2", "db.1")]);
    for at in ["c1", "c2"] {
        let updated = store.update(|tx| tx.modify::<Task>(&id(at), |task| task.slot = 1));
        updated.expect("it is there");
        store
            .update(|tx| tx.delete::<Task>(&id(at)))
            .expect("it is there");
    }
    for at in ["a1", "a2"] {
        let updated =
            store.update(|tx| tx.modify::<Node>(&id(at), |node| node.vxlan_port = Some(1)));
        updated.expect("it is there");
    }
    let changes: Vec<_> = std::iter::from_fn(|| watcher.try_recv().expect("no lag"))
        .filter_map(|event| event.change().cloned())
        .map(|change| (change.table(), change.kind()))
        .collect();
    let expected = [
        ("task", Kind::Created),
        ("task", Kind::Deleted),
        ("node", Kind::Updated),
    ];
    assert_eq!(changes, expected);
    let all = std::iter::from_fn(|| everything.try_recv().expect("no lag"));
    assert_eq!(all.filter(|event| event.change().is_some()).count(), 8);
}

#[test]
fn a_finder_that_arrives_at_run_time_is_checked_for_the_table() {
    let store = builder().build();
    let east = |prefix: &str| Finder::NamePrefix(prefix.into());
    let custom = Finder::Custom {
        key: "rack".into(),
        value: "1".into(),
    };
    let manager = Finder::Role(NodeRole::Manager);
    let asked = Finder::AnyOf(vec![Finder::AllOf(vec![east("east"), custom]), manager]);
    let specifier = Specifier::<Node>::new().finder(&asked).expect("a node's");
    let mut watcher = store.watch(specifier);
    let node = |at: &str, hostname: &str, rack: &str| {
        let mut node = Node::named(id(at), hostname);
        node.spec.annotations = Annotations::default().index("rack", rack);
        node
    };
    let mut manager = node("a4", "west-2", "2");
    manager.role = NodeRole::Manager;
    let nodes = vec![
        node("a1", "east-1", "1"),
        node("a2", "east-2", "2"),
        node("a3", "west", "1"),
    ];
    create(&store, nodes);
    create(&store, vec![manager, Node::new(id("a5"))]);
    let created = |at: &str| (Kind::Created, at.to_owned());
    assert_eq!(told::<Node>(&mut watcher), [created("a1"), created("a4")]);

    let refused = Specifier::<Service>::new().finder(&asked).map(|_| ());
    let expected = InvalidFind {
        table: "service",
        finder: "Role",
    };
    assert_eq!(refused, Err(expected));
    assert_eq!(
        expected.to_string(),
        "objects of table service cannot be found by Role"
    );
}
