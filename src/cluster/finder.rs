//! Finders: what to look for, said at run time.

use std::error::Error;
use std::fmt;

use super::annotations::custom_prefix;
use super::lookup::Lookup;
use super::node::{Membership, NodeRole};
use super::object::ClusterObject;
#[cfg(feature = "serde")]
use super::serial::nested_finders;
use super::task_spec::ResourceType;
use super::task_state::TaskState;
use crate::Id;
use crate::fold_case;
use crate::keys;

/// What to look for in a table, said at run time. An exact value is found in the order of IDs, a
/// beginning in the order of values, then of IDs. [`Search::new`](super::Search::new) makes it a
/// search of a table, if the table can answer it; [`find`](super::find) does so and searches.
///
/// | finder | tables |
/// |---|---|
/// | `All`, `AnyOf`, `AllOf`, `Not`, `IdPrefix`, `Name`, `NamePrefix` | all |
/// | `Custom`, `CustomPrefix` | all |
/// | `Runtime`, `ReferencedNetwork`, `ReferencedSecret` | service, task |
/// | `ReferencedConfig`, `Reference` | service, task |
/// | `Service`, `Node`, `Slot`, `DesiredState`, `TaskState`, `VolumeAttachment` | task |
/// | `Role`, `Membership` | node |
/// | `Kind` | resource |
/// | `VolumeGroup`, `Driver` | volume |
///
/// ```
/// use skep::Id;
/// use skep::cluster::{self, Finder, InvalidFind, Node, NodeRole, find};
///
/// let store = cluster::builder().build();
/// store.update(|tx| tx.create(Node::named(Id::random(), "east-1")))?;
/// let view = store.read();
/// let workers = Finder::AllOf(vec![
///     Finder::NamePrefix("EAST".into()),
///     Finder::Not(Box::new(Finder::Role(NodeRole::Manager))),
/// ]);
/// assert_eq!(find::<Node>(&view, &workers)?.count(), 1);
/// // What a table has no index for is an error, and not everything.
/// let refused = find::<Node>(&view, &Finder::Kind("pool".into())).unwrap_err();
/// assert_eq!(refused, InvalidFind { table: "node", finder: "Kind" });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Who knows at compile time what they look for names an index, `Task::BY_NODE.eq(node)`; an index
/// that a table does not have does not compile:
///
/// ```compile_fail,E0599
/// use skep::cluster::{Membership, Task};
/// let _ = Task::BY_MEMBERSHIP.eq(Membership::Accepted);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub enum Finder {
    /// Every object.
    All,
    /// Objects whose ID begins so; in the order of IDs.
    IdPrefix(String),
    /// Objects with a name, whatever the case. A task's is computed, a node's is its host's.
    Name(String),
    /// Objects whose name begins so, whatever the case; by name, then by ID.
    NamePrefix(String),
    /// Objects with a custom index entry.
    Custom {
        /// Its key.
        key: String,
        /// Its value.
        value: String,
    },
    /// Objects with a custom index entry whose value begins so; by value, then by ID.
    CustomPrefix {
        /// Its key: all of it.
        key: String,
        /// How its value begins.
        prefix: String,
    },
    /// Tasks and services by what runs: `attachment`, `container`, or a generic kind; whatever the
    /// case.
    Runtime(String),
    /// Tasks and services that name a network.
    ReferencedNetwork(Id),
    /// Tasks and services that name a secret, as a resource or in their container.
    ReferencedSecret(Id),
    /// Tasks and services that name a config, as a resource or in their container.
    ReferencedConfig(Id),
    /// Tasks and services with a resource reference to an object of a type.
    Reference {
        /// The object's type.
        kind: ResourceType,
        /// The object.
        id: Id,
    },
    /// Tasks of a service, or of none.
    Service(Option<Id>),
    /// Tasks of a node, or of none yet.
    Node(Option<Id>),
    /// Tasks in a slot.
    Slot {
        /// The service.
        service: Id,
        /// The slot.
        slot: u64,
    },
    /// Tasks by how far they are to come.
    DesiredState(TaskState),
    /// Tasks by how far they have come.
    TaskState(TaskState),
    /// Tasks that got a volume.
    VolumeAttachment(Id),
    /// Nodes by what they are.
    Role(NodeRole),
    /// Nodes by whether they are let in.
    Membership(Membership),
    /// Resources of a kind, whatever the case.
    Kind(String),
    /// Volumes of a group.
    VolumeGroup(String),
    /// Volumes of a driver.
    Driver(String),
    /// Objects that any of these finds, each once: the first one's, then what the second one finds
    /// beside, and so on. None of none.
    AnyOf(#[cfg_attr(feature = "serde", serde(deserialize_with = "nested_finders"))] Vec<Finder>),
    /// Objects that each of these finds, in the order of the first. Every object, of none.
    AllOf(#[cfg_attr(feature = "serde", serde(deserialize_with = "nested_finders"))] Vec<Finder>),
    /// Objects that this does not find; in the order of IDs. It walks the whole table, but among
    /// the others of an [`AllOf`](Self::AllOf), where it is only asked of what those find.
    Not(#[cfg_attr(feature = "serde", serde(deserialize_with = "nested_finders"))] Box<Finder>),
}

impl Finder {
    /// How deep finders may be nested that are deserialized: deeper ones are an error of the
    /// format's, since each level takes of the stack, when they are decoded, searched by and
    /// dropped. What a program makes itself is not bounded.
    pub const NESTING_MAX: usize = 64;

    /// Its name.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::All => "All",
            Self::IdPrefix(_) => "IdPrefix",
            Self::Name(_) => "Name",
            Self::NamePrefix(_) => "NamePrefix",
            Self::Custom { .. } => "Custom",
            Self::CustomPrefix { .. } => "CustomPrefix",
            Self::Runtime(_) => "Runtime",
            Self::ReferencedNetwork(_) => "ReferencedNetwork",
            Self::ReferencedSecret(_) => "ReferencedSecret",
            Self::ReferencedConfig(_) => "ReferencedConfig",
            Self::Reference { .. } => "Reference",
            Self::Service(_) => "Service",
            Self::Node(_) => "Node",
            Self::Slot { .. } => "Slot",
            Self::DesiredState(_) => "DesiredState",
            Self::TaskState(_) => "TaskState",
            Self::VolumeAttachment(_) => "VolumeAttachment",
            Self::Role(_) => "Role",
            Self::Membership(_) => "Membership",
            Self::Kind(_) => "Kind",
            Self::VolumeGroup(_) => "VolumeGroup",
            Self::Driver(_) => "Driver",
            Self::AnyOf(_) => "AnyOf",
            Self::AllOf(_) => "AllOf",
            Self::Not(_) => "Not",
        }
    }

    /// How a table answers it, if it is one lookup.
    pub(super) fn lookup<T: ClusterObject>(&self) -> Option<Lookup<T>> {
        Some(match self {
            Self::All => Lookup::of(keys::<T>().all(), |_| true),
            Self::IdPrefix(prefix) => {
                let wanted = prefix.clone();
                Lookup::of(keys::<T>().prefix(prefix), move |object| {
                    object.key().to_string().starts_with(&wanted)
                })
            }
            Self::Name(name) => {
                Lookup::routed(T::BY_NAME, fold_case(name.clone()), |object, name| {
                    folded_name(object).as_ref() == Some(name)
                })
            }
            Self::NamePrefix(prefix) => {
                let wanted = fold_case(prefix.clone());
                Lookup::of(T::BY_NAME.prefix(prefix), move |object| {
                    folded_name(object).is_some_and(|name| name.starts_with(&wanted))
                })
            }
            Self::Custom { key, value } => {
                let entry = (key.clone(), value.clone());
                Lookup::routed(T::BY_CUSTOM, entry, |object, (key, value)| {
                    object.annotations().has_entry(key, value)
                })
            }
            Self::CustomPrefix { key, prefix } => {
                let query = custom_prefix(T::BY_CUSTOM, key, prefix);
                let (key, prefix) = (key.clone(), prefix.clone());
                Lookup::of(query, move |object| {
                    object.annotations().has_entry_beginning(&key, &prefix)
                })
            }
            finder => return T::lookup(finder),
        })
    }
}

fn folded_name<T: ClusterObject>(object: &T) -> Option<String> {
    object.name().map(|name| fold_case(name.into_owned()))
}

/// A table has nothing to answer a finder with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidFind {
    /// The table.
    pub table: &'static str,
    /// The finder's [name](Finder::label).
    pub finder: &'static str,
}

impl fmt::Display for InvalidFind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, finder } = self;
        write!(f, "objects of table {table} cannot be found by {finder}")
    }
}

impl Error for InvalidFind {}
