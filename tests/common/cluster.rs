//! A cluster with three objects of each type and one whose ID begins otherwise.

#![allow(dead_code, reason = "each test file uses a part")]

use std::error::Error as StdError;
use std::fmt::Debug;

use skep::cluster::{
    self, Annotations, Cluster, ClusterObject, Config, ConfigReference, ContainerSpec, Extension,
    Finder, InvalidFind, Membership, Network, NetworkAttachmentConfig, Node, NodeRole, Reads,
    Resource, ResourceReference, ResourceType, RuleError, Runtime, Secret, SecretReference,
    Service, ServiceMode, Task, TaskSpec, TaskState, Volume, VolumeAttachment, find,
};
use skep::{Builder, Id, Store};

use super::common;

/// The ID whose text begins so, and goes on with zeros.
pub fn id(text: &str) -> Id {
    format!("{text:0<25}")
        .parse()
        .expect("a short text of digits")
}

/// How the text of an ID begins: what [`id`] was given.
pub fn short(id: Id) -> String {
    id.to_string().trim_end_matches('0').to_owned()
}

/// The IDs of what a finder finds, shortened.
pub fn found<T: ClusterObject>(
    reads: &impl Reads,
    finder: &Finder,
) -> Result<Vec<String>, InvalidFind> {
    Ok(find::<T>(reads, finder)?
        .map(|object| short(object.key()))
        .collect())
}

/// Three objects and the other one: of each ID and name.
fn four<T>(make: impl Fn(Id, String) -> T) -> Vec<T> {
    let three = (1..=3).map(|n| make(id(&format!("a{n}")), format!("name{n}")));
    three.chain([make(id("b1"), "other1".to_owned())]).collect()
}

/// Nodes 2 and 3 are on hosts of the same name; node 1 is a manager that is not let in.
pub fn nodes() -> Vec<Node> {
    let mut nodes = four(Node::named);
    nodes[2] = Node::named(id("a3"), "name2");
    nodes[0].role = NodeRole::Manager;
    nodes[1].spec.membership = Membership::Accepted;
    nodes[2].spec.membership = Membership::Accepted;
    nodes[3].spec.membership = Membership::Accepted;
    nodes
}

/// Service 2 runs on every node; service 3 names objects of each sort.
pub fn services() -> Vec<Service> {
    let mut services = four(Service::named);
    services[1].spec.mode = ServiceMode::Global;
    services[1].spec.networks = vec![NetworkAttachmentConfig::to(id("a1"))];
    services[2].spec.task = spec().into();
    services[2].spec.networks = vec![NetworkAttachmentConfig::to(id("a1"))];
    services
}

/// A container that names network 2, secrets 1 and 2, configs 1 and 2: the second ones as
/// resources.
pub fn spec() -> TaskSpec {
    let container = ContainerSpec {
        secrets: vec![SecretReference::new(id("a1"), "name1")],
        configs: vec![ConfigReference::new(id("a1"), "name1")],
        ..ContainerSpec::image("image")
    };
    let reference = |kind| ResourceReference { id: id("a2"), kind };
    TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        networks: vec![NetworkAttachmentConfig::to(id("a2"))],
        resource_references: vec![
            reference(ResourceType::Secret),
            reference(ResourceType::Config),
            ResourceReference {
                id: id("a3"),
                kind: ResourceType::Volume,
            },
        ],
        ..TaskSpec::default()
    }
}

/// Task 1 is on node 1, task 2 is of service 1, task 3 is to shut down; the other one names objects
/// of each sort.
pub fn tasks() -> Vec<Task> {
    let mut tasks = four(|id, name| Task {
        annotations: Annotations::named(name),
        ..Task::new(id)
    });
    tasks[0].node_id = Some(id("a1"));
    tasks[1].service_id = Some(id("a1"));
    tasks[1].slot = 2;
    tasks[2].desired_state = TaskState::Shutdown;
    tasks[2].status.state = TaskState::Running;
    tasks[3].spec = spec().into();
    tasks[3].volumes = vec![VolumeAttachment {
        id: id("a1"),
        source: "group:fast".into(),
        target: "/data".into(),
    }];
    tasks
}

/// Volumes 1 and 2 are of a group; all have the driver `test`.
pub fn volumes() -> Vec<Volume> {
    let mut volumes = four(|id, name| Volume::named(id, name, "test"));
    volumes[0].spec.group = "fast".into();
    volumes[1].spec.group = "fast".into();
    volumes
}

pub fn networks() -> Vec<Network> {
    four(Network::named)
}

pub fn secrets() -> Vec<Secret> {
    four(|id, name| Secret::named(id, name, "hunter2"))
}

pub fn configs() -> Vec<Config> {
    four(|id, name| Config::named(id, name, "a = b"))
}

pub fn clusters() -> Vec<Cluster> {
    four(Cluster::named)
}

pub fn extensions() -> Vec<Extension> {
    four(Extension::named)
}

/// Resources of the kind that each one's extension names.
pub fn resources() -> Vec<Resource> {
    four(|id, name| Resource::named(id, name.clone(), name))
}

/// A builder of a store with the tables of a cluster, on what [`common::builder`] chooses.
pub fn builder() -> Builder {
    cluster::tables(common::builder())
}

/// A store with all of them.
pub fn filled() -> Store {
    let store = builder().build();
    create(&store, nodes());
    create(&store, services());
    create(&store, tasks());
    create(&store, volumes());
    create(&store, networks());
    create(&store, secrets());
    create(&store, configs());
    create(&store, clusters());
    create(&store, extensions());
    create(&store, resources());
    store
}

/// Creates objects, in one commit.
#[track_caller]
pub fn create<T: ClusterObject>(store: &Store, objects: Vec<T>) {
    let created = store.update(|tx| {
        let mut objects = objects.iter();
        objects.try_for_each(|object| tx.create(object.clone()))
    });
    assert!(created.is_ok(), "table {}: {created:?}", T::TABLE);
}

/// The rule that a change was refused by.
#[track_caller]
pub fn rule<R: Debug>(refused: Result<R, impl StdError + 'static>) -> RuleError {
    let error = refused.expect_err("a rule is against it");
    let rule = RuleError::of(&error);
    rule.unwrap_or_else(|| panic!("not by a rule: {error}"))
        .clone()
}

/// That one object of a table cannot have a name, which another one has.
pub fn conflict<T: ClusterObject>(claimant: &str, name: &str, holder: &str) -> RuleError {
    RuleError::NameConflict {
        table: T::TABLE,
        name: name.into(),
        holder: id(holder),
        claimant: id(claimant),
    }
}

/// That no extension is of a resource's kind.
pub fn no_kind(resource: &str, kind: &str) -> RuleError {
    RuleError::NoKind {
        resource: id(resource),
        kind: kind.into(),
    }
}
