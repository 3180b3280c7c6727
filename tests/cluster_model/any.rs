//! Objects of whatever table, at random, and what a plain reader of the rules says about one.

#[path = "../common/cluster_tables.rs"]
mod tables;

use skep::cluster::{
    Annotations, Cluster, ClusterObject, Config, ConfigReference, ContainerSpec, Extension,
    IndexEntry, Membership, Network, NetworkAttachmentConfig, Node, NodeRole, Resource,
    ResourceReference, ResourceType, Runtime, Secret, SecretReference, Service, Specified, Task,
    TaskSpec, TaskState, UpdateConfig, Volume, VolumeAttachment,
};
use skep::{Id, Object, Version};

pub use self::tables::TABLES;
use super::common::Random;

/// Runs an expression on the object of whatever type.
macro_rules! each {
    ($any:expr, $object:ident => $run:expr) => {
        match $any {
            Any::Cluster($object) => $run,
            Any::Config($object) => $run,
            Any::Extension($object) => $run,
            Any::Network($object) => $run,
            Any::Node($object) => $run,
            Any::Resource($object) => $run,
            Any::Secret($object) => $run,
            Any::Service($object) => $run,
            Any::Task($object) => $run,
            Any::Volume($object) => $run,
        }
    };
}

/// Runs an expression for the table with a name, its type being `$row`.
macro_rules! of_table {
    ($table:expr, $row:ident => $run:expr) => {
        $crate::any::of_specified!($table, $row => $run, else match $table {
            "extension" => {
                type $row = skep::cluster::Extension;
                $run
            }
            "resource" => {
                type $row = skep::cluster::Resource;
                $run
            }
            "task" => {
                type $row = skep::cluster::Task;
                $run
            }
            other => panic!("no table {other}"),
        })
    };
}

/// The same for the tables of objects that users specify; the last expression for others.
macro_rules! of_specified {
    ($table:expr, $row:ident => $run:expr, else $other:expr) => {
        match $table {
            "cluster" => {
                type $row = skep::cluster::Cluster;
                $run
            }
            "config" => {
                type $row = skep::cluster::Config;
                $run
            }
            "network" => {
                type $row = skep::cluster::Network;
                $run
            }
            "node" => {
                type $row = skep::cluster::Node;
                $run
            }
            "secret" => {
                type $row = skep::cluster::Secret;
                $run
            }
            "service" => {
                type $row = skep::cluster::Service;
                $run
            }
            "volume" => {
                type $row = skep::cluster::Volume;
                $run
            }
            _ => $other,
        }
    };
}

pub(crate) use {each, of_specified, of_table};

#[derive(Clone, Debug, PartialEq)]
pub enum Any {
    Cluster(Cluster),
    Config(Config),
    Extension(Extension),
    Network(Network),
    Node(Node),
    Resource(Resource),
    Secret(Secret),
    Service(Service),
    Task(Task),
    Volume(Volume),
}

/// The enum and a type of its.
pub trait Row: ClusterObject + PartialEq {
    fn wrap(self) -> Any;
    fn unwrap(any: &Any) -> &Self;
}

macro_rules! rows {
    ($($row:ident)*) => {$(
        impl Row for $row {
            fn wrap(self) -> Any {
                Any::$row(self)
            }

            fn unwrap(any: &Any) -> &Self {
                match any {
                    Any::$row(row) => row,
                    other => panic!("{other:?} is of another table"),
                }
            }
        }
    )*};
}

rows!(Cluster Config Extension Network Node Resource Secret Service Task Volume);

impl Any {
    pub fn table(&self) -> &'static str {
        fn table<T: Object>(_: &T) -> &'static str {
            T::TABLE
        }
        each!(self, it => table(it))
    }

    pub fn id(&self) -> Id {
        each!(self, it => it.id)
    }

    pub fn annotations(&self) -> &Annotations {
        match self {
            Self::Cluster(it) => &it.spec.annotations,
            Self::Config(it) => &it.spec.annotations,
            Self::Extension(it) => &it.annotations,
            Self::Network(it) => &it.spec.annotations,
            Self::Node(it) => &it.spec.annotations,
            Self::Resource(it) => &it.annotations,
            Self::Secret(it) => &it.spec.annotations,
            Self::Service(it) => &it.spec.annotations,
            Self::Task(it) => &it.annotations,
            Self::Volume(it) => &it.spec.annotations,
        }
    }

    /// What its table's index by name has.
    pub fn name(&self) -> Option<String> {
        match self {
            Self::Node(node) => Some(node.description.as_ref()?.hostname.clone()),
            Self::Task(task) if task.annotations.name.is_empty() => {
                let place = match (task.slot, task.node_id) {
                    (0, None) => String::new(),
                    (0, Some(node)) => node.to_string(),
                    (slot, _) => slot.to_string(),
                };
                let service = &task.service_annotations.name;
                Some(format!("{service}.{place}.{}", task.id))
            }
            other => Some(other.annotations().name.clone()),
        }
    }

    /// The name, in one case, if no other of its table may have it; of resources, where that is
    /// asked for, with the kind.
    pub fn unique_name(&self, in_kind: bool) -> Option<(String, String)> {
        let kind = match self {
            Self::Node(_) | Self::Task(_) => return None,
            Self::Resource(resource) if in_kind => lower(&resource.kind),
            _ => String::new(),
        };
        Some((kind, lower(&self.annotations().name)))
    }

    /// What a user said of it, and the version of that; `None` of objects without such.
    pub fn has_spec_of(&self, other: &Self) -> Option<bool> {
        Some(match (self, other) {
            (Self::Cluster(one), Self::Cluster(other)) => one.spec == other.spec,
            (Self::Config(one), Self::Config(other)) => one.spec == other.spec,
            (Self::Network(one), Self::Network(other)) => one.spec == other.spec,
            (Self::Node(one), Self::Node(other)) => one.spec == other.spec,
            (Self::Secret(one), Self::Secret(other)) => one.spec == other.spec,
            (Self::Service(one), Self::Service(other)) => one.spec == other.spec,
            (Self::Volume(one), Self::Volume(other)) => one.spec == other.spec,
            _ => return None,
        })
    }

    pub fn spec_version(&self) -> Option<Version> {
        Some(match self {
            Self::Cluster(it) => it.spec_version(),
            Self::Config(it) => it.spec_version(),
            Self::Network(it) => it.spec_version(),
            Self::Node(it) => it.spec_version(),
            Self::Secret(it) => it.spec_version(),
            Self::Service(it) => it.spec_version(),
            Self::Volume(it) => it.spec_version(),
            _ => return None,
        })
    }

    pub fn set_spec_version(&mut self, version: Version) {
        match self {
            Self::Cluster(it) => it.spec_version = Some(version),
            Self::Config(it) => it.spec_version = Some(version),
            Self::Network(it) => it.spec_version = Some(version),
            Self::Node(it) => it.spec_version = Some(version),
            Self::Secret(it) => it.spec_version = Some(version),
            Self::Service(it) => it.spec_version = Some(version),
            Self::Volume(it) => it.spec_version = Some(version),
            _ => {}
        }
    }

    pub fn task_spec(&self) -> Option<&TaskSpec> {
        match self {
            Self::Service(service) => Some(&service.spec.task),
            Self::Task(task) => Some(&task.spec),
            _ => None,
        }
    }
}

/// Without case, as names are compared: each character for itself.
pub fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

pub fn pick<T: Clone>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize].clone()
}

pub const IDS: [&str; 7] = ["0", "a", "a0b", "a1", "b", "bz", "f5"];
pub const NAMES: [&str; 11] = [
    "",
    "web",
    "Web",
    "WEBB",
    "db",
    "stra\u{df}e",
    "STRASSE",
    "\u{130}x",
    "task",
    "pool",
    "POOL",
];
pub const KEYS: [&str; 4] = ["", "k", "k|v", "K"];
pub const VALUES: [&str; 5] = ["", "v", "v|x", "va", "w\0"];
pub const STATES: [TaskState; 4] = [
    TaskState::New,
    TaskState::Ready,
    TaskState::Running,
    TaskState::Orphaned,
];
pub const KINDS: [ResourceType; 4] = [
    ResourceType::Task,
    ResourceType::Secret,
    ResourceType::Config,
    ResourceType::Volume,
];
pub const RUNTIMES: [&str; 4] = ["attachment", "Container", "vm", "VM"];

pub fn random_id(random: &mut Random) -> Id {
    let text = pick(random, &IDS);
    format!("{text:0<25}").parse().expect("digits")
}

fn maybe_id(random: &mut Random) -> Option<Id> {
    (!random.one_in(3)).then(|| random_id(random))
}

pub fn random_text(random: &mut Random, from: &[&str]) -> String {
    pick(random, from).to_owned()
}

fn annotations(random: &mut Random) -> Annotations {
    let mut annotations = Annotations::named(pick(random, &NAMES));
    for _ in 0..random.below(4) {
        annotations.indices.push(IndexEntry {
            key: random_text(random, &KEYS),
            value: random_text(random, &VALUES),
        });
    }
    annotations
}

fn networks(random: &mut Random) -> Vec<NetworkAttachmentConfig> {
    let targets = (0..random.below(3)).map(|_| random_id(random));
    targets.map(NetworkAttachmentConfig::to).collect()
}

fn task_spec(random: &mut Random) -> TaskSpec {
    let mut container = ContainerSpec::image("image");
    for _ in 0..random.below(3) {
        let secret = SecretReference::new(random_id(random), "s");
        container.secrets.push(secret);
        container
            .configs
            .push(ConfigReference::new(random_id(random), "c"));
    }
    let runtime = match random.below(4) {
        0 => None,
        1 => Some(Runtime::Attachment(Default::default())),
        2 => Some(Runtime::generic(pick(random, &RUNTIMES))),
        _ => Some(Runtime::Container(Box::new(container))),
    };
    let references = (0..random.below(3)).map(|_| ResourceReference {
        id: random_id(random),
        kind: pick(random, &KINDS),
    });
    TaskSpec {
        runtime,
        resource_references: references.collect(),
        networks: networks(random),
        ..TaskSpec::default()
    }
}

fn service(random: &mut Random, id: Id) -> Service {
    let mut service = Service::named(id, "");
    service.spec.task = task_spec(random).into();
    service.spec.networks = networks(random);
    service.pending_delete = random.one_in(2);
    if random.one_in(6) {
        let failure_ratio_max = pick(random, &[0.5, f32::NAN, f32::INFINITY]);
        let way = UpdateConfig {
            failure_ratio_max,
            ..UpdateConfig::default()
        };
        match random.below(3) {
            0 => service.spec.update = Some(way),
            1 => service.spec.rollback = Some(way),
            _ => {
                let mut previous = service.spec.clone();
                previous.update = Some(way);
                service.previous_spec = Some(previous.into());
            }
        }
    }
    service
}

fn task(random: &mut Random, id: Id) -> Task {
    let mut task = Task::new(id);
    task.service_annotations = Annotations::named(pick(random, &NAMES)).into();
    task.spec = task_spec(random).into();
    task.service_id = maybe_id(random);
    task.node_id = maybe_id(random);
    task.slot = pick(random, &[0, 1, 12]);
    task.desired_state = pick(random, &STATES);
    task.status.state = pick(random, &STATES);
    let volumes = (0..random.below(3)).map(|_| VolumeAttachment {
        id: random_id(random),
        source: "s".into(),
        target: "t".into(),
    });
    task.volumes = volumes.collect();
    task
}

fn node(random: &mut Random, id: Id) -> Node {
    let mut node = match random.one_in(3) {
        true => Node::new(id),
        false => Node::named(id, pick(random, &NAMES)),
    };
    node.role = pick(random, &[NodeRole::Worker, NodeRole::Manager]);
    node.spec.membership = pick(random, &[Membership::Pending, Membership::Accepted]);
    node
}

/// An object of a table, of few names and IDs: so they meet.
pub fn random_object(random: &mut Random, table: &str) -> Any {
    let id = random_id(random);
    let annotations = annotations(random);
    macro_rules! specified {
        ($object:expr) => {{
            let mut object = $object;
            object.spec.annotations = annotations;
            // What a caller says of it does not matter.
            object.spec_version = random
                .one_in(2)
                .then(|| Version::new(random.below(1 << 40)));
            object.wrap()
        }};
    }
    macro_rules! annotated {
        ($object:expr) => {{
            let mut object = $object;
            object.annotations = annotations;
            object.wrap()
        }};
    }
    match table {
        "cluster" => specified!(Cluster::named(id, "")),
        "config" => specified!(Config::named(id, "", "a = b")),
        "extension" => annotated!(Extension::named(id, "")),
        "network" => specified!(Network::named(id, "")),
        "node" => specified!(node(random, id)),
        "resource" => annotated!(Resource::named(id, pick(random, &NAMES), "")),
        "secret" => specified!(Secret::named(id, "", pick(random, &["one", "two"]))),
        "service" => specified!(service(random, id)),
        "task" => annotated!(task(random, id)),
        "volume" => {
            let mut volume = Volume::named(id, "", pick(random, &["d", "D"]));
            volume.spec.group = random_text(random, &["", "g", "G"]);
            specified!(volume)
        }
        other => panic!("no table {other}"),
    }
}
