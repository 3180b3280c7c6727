//! Finders at random, and what they find by asking each object.

use skep::Id;
use skep::cluster::{Finder, Membership, NodeRole, ResourceType, Runtime, TaskSpec};

use super::any::{
    Any, IDS, KEYS, KINDS, NAMES, RUNTIMES, STATES, VALUES, lower, pick, random_id, random_text,
};
use super::common::Random;

/// Where an object comes among those found: by these, one after the other.
pub type Place = Vec<Vec<u8>>;

pub fn random_finder(random: &mut Random, depth: u32) -> Finder {
    let some = |random: &mut Random| -> Vec<Finder> {
        (0..random.below(4))
            .map(|_| random_finder(random, depth - 1))
            .collect()
    };
    let which = if depth == 0 {
        random.below(8)
    } else {
        random.below(15)
    };
    match which {
        0 => Finder::All,
        1 => {
            let text = random_text(random, &IDS);
            let more = pick(random, &["", "0", "A", "000000000000000000000000000"]);
            Finder::IdPrefix(text + more)
        }
        2 => Finder::Name(random_text(random, &NAMES)),
        3 => {
            let name = random_text(random, &NAMES);
            let some = name.chars().take(random.below(4) as usize);
            Finder::NamePrefix(some.collect())
        }
        4 => Finder::Custom {
            key: random_text(random, &KEYS),
            value: random_text(random, &VALUES),
        },
        5 => Finder::CustomPrefix {
            key: random_text(random, &KEYS),
            prefix: pick(random, &["", "v", "v|", "w", "w\0"]).to_owned(),
        },
        6 | 7 => special(random),
        8..=10 => Finder::AnyOf(some(random)),
        11 | 12 => Finder::AllOf(some(random)),
        _ => Finder::Not(Box::new(random_finder(random, depth - 1))),
    }
}

/// One that only some tables answer.
fn special(random: &mut Random) -> Finder {
    let maybe = |random: &mut Random| random.one_in(2).then(|| random_id(random));
    match random.below(16) {
        0 => Finder::Runtime(random_text(random, &RUNTIMES)),
        1 => Finder::ReferencedNetwork(random_id(random)),
        2 => Finder::ReferencedSecret(random_id(random)),
        3 => Finder::ReferencedConfig(random_id(random)),
        4 => Finder::Reference {
            kind: pick(random, &KINDS),
            id: random_id(random),
        },
        5 => Finder::Service(maybe(random)),
        6 => Finder::Node(maybe(random)),
        7 => Finder::Slot {
            service: random_id(random),
            slot: pick(random, &[0, 1, 12]),
        },
        8 => Finder::DesiredState(pick(random, &STATES)),
        9 => Finder::TaskState(pick(random, &STATES)),
        10 => Finder::VolumeAttachment(random_id(random)),
        11 => Finder::Role(pick(random, &[NodeRole::Worker, NodeRole::Manager])),
        12 => Finder::Membership(pick(random, &[Membership::Pending, Membership::Accepted])),
        13 => Finder::Kind(random_text(random, &NAMES)),
        14 => Finder::VolumeGroup(random_text(random, &["", "g", "G"])),
        _ => Finder::Driver(random_text(random, &["d", "D"])),
    }
}

/// The first of the finders in this one that a table cannot answer.
pub fn unanswered(finder: &Finder, table: &str) -> Option<&'static str> {
    let answered = match finder {
        Finder::AnyOf(finders) | Finder::AllOf(finders) => {
            return finders.iter().find_map(|finder| unanswered(finder, table));
        }
        Finder::Not(finder) => return unanswered(finder, table),
        Finder::Runtime(_)
        | Finder::ReferencedNetwork(_)
        | Finder::ReferencedSecret(_)
        | Finder::ReferencedConfig(_)
        | Finder::Reference { .. } => matches!(table, "service" | "task"),
        Finder::Service(_)
        | Finder::Node(_)
        | Finder::Slot { .. }
        | Finder::DesiredState(_)
        | Finder::TaskState(_)
        | Finder::VolumeAttachment(_) => table == "task",
        Finder::Role(_) | Finder::Membership(_) => table == "node",
        Finder::Kind(_) => table == "resource",
        Finder::VolumeGroup(_) | Finder::Driver(_) => table == "volume",
        _ => true,
    };
    (!answered).then(|| finder.label())
}

fn text(id: Id) -> Vec<u8> {
    id.to_string().into_bytes()
}

/// Whether a finder finds an object, and where it comes then.
pub fn place(finder: &Finder, any: &Any) -> Option<Place> {
    let id = text(any.id());
    let by_id = |found: bool| found.then(|| vec![id.clone()]);
    match finder {
        Finder::All => by_id(true),
        Finder::IdPrefix(prefix) => by_id(id.starts_with(prefix.as_bytes())),
        Finder::Name(name) => by_id(any.name().is_some_and(|own| lower(&own) == lower(name))),
        Finder::NamePrefix(prefix) => {
            let name = lower(&any.name()?);
            name.starts_with(&lower(prefix))
                .then(|| vec![name.into_bytes(), id])
        }
        Finder::Custom { key, value } => {
            let mut entries = any.annotations().indices.iter();
            by_id(entries.any(|entry| entry.key == *key && entry.value == *value))
        }
        Finder::CustomPrefix { key, prefix } => {
            let entries = any.annotations().indices.iter();
            let entries = entries.filter(|it| it.key == *key && it.value.starts_with(prefix));
            let first = entries.map(|entry| entry.value.clone()).min()?;
            Some(vec![first.into_bytes(), id])
        }
        Finder::AnyOf(finders) => finders.iter().enumerate().find_map(|(at, finder)| {
            let within = place(finder, any)?;
            Some([vec![(at as u32).to_be_bytes().to_vec()], within].concat())
        }),
        Finder::AllOf(finders) => {
            let places: Option<Vec<Place>> = finders.iter().map(|it| place(it, any)).collect();
            Some(places?.into_iter().next().unwrap_or(vec![id]))
        }
        Finder::Not(finder) => by_id(place(finder, any).is_none()),
        special => by_id(is_found(special, any)),
    }
}

fn is_found(finder: &Finder, any: &Any) -> bool {
    match (finder, any) {
        (Finder::Service(service), Any::Task(task)) => task.service_id == *service,
        (Finder::Node(node), Any::Task(task)) => task.node_id == *node,
        (Finder::Slot { service, slot }, Any::Task(task)) => {
            task.service_id == Some(*service) && task.slot == *slot
        }
        (Finder::DesiredState(state), Any::Task(task)) => task.desired_state == *state,
        (Finder::TaskState(state), Any::Task(task)) => task.status.state == *state,
        (Finder::VolumeAttachment(id), Any::Task(task)) => {
            task.volumes.iter().any(|volume| volume.id == *id)
        }
        (Finder::Role(role), Any::Node(node)) => node.role == *role,
        (Finder::Membership(membership), Any::Node(node)) => node.spec.membership == *membership,
        (Finder::Kind(kind), Any::Resource(resource)) => lower(&resource.kind) == lower(kind),
        (Finder::VolumeGroup(group), Any::Volume(volume)) => volume.spec.group == *group,
        (Finder::Driver(name), Any::Volume(volume)) => volume.spec.driver.name == *name,
        (Finder::ReferencedNetwork(id), _) => names_network(any, *id),
        (_, _) => any.task_spec().is_some_and(|spec| names(finder, spec)),
    }
}

/// A service's own networks count where its tasks' spec has none.
fn names_network(any: &Any, id: Id) -> bool {
    let networks = match any {
        Any::Service(service) if service.spec.task.networks.is_empty() => &service.spec.networks,
        other => &other.task_spec().expect("a service or a task").networks,
    };
    networks.iter().any(|network| network.target == id)
}

fn names(finder: &Finder, spec: &TaskSpec) -> bool {
    let refers = |kind: ResourceType, id: Id| {
        let mut references = spec.resource_references.iter();
        references.any(|reference| reference.kind == kind && reference.id == id)
    };
    let container = match &spec.runtime {
        Some(Runtime::Container(container)) => Some(container),
        _ => None,
    };
    match finder {
        Finder::Runtime(kind) => {
            let own = match &spec.runtime {
                None => return false,
                Some(Runtime::Attachment(_)) => "attachment",
                Some(Runtime::Container(_)) => "container",
                Some(Runtime::Generic(generic)) => &generic.kind,
            };
            lower(own) == lower(kind)
        }
        Finder::Reference { kind, id } => refers(*kind, *id),
        Finder::ReferencedSecret(id) => {
            let mut own = container.iter().flat_map(|it| &it.secrets);
            own.any(|it| it.secret_id == *id) || refers(ResourceType::Secret, *id)
        }
        Finder::ReferencedConfig(id) => {
            let mut own = container.iter().flat_map(|it| &it.configs);
            own.any(|it| it.config_id == *id) || refers(ResourceType::Config, *id)
        }
        other => panic!("{other:?} was refused"),
    }
}
