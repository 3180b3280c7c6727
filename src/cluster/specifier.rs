//! Specifiers: which changes of a table a watcher gives, in the words of a cluster.

use std::ops::Bound;

use super::finder::{Finder, InvalidFind};
use super::lookup::Lookup;
use super::node::{Membership, Node, NodeRole, NodeState};
use super::object::ClusterObject;
use super::resource::Resource;
use super::search::Search;
use super::service::Service;
use super::task::Task;
use super::task_spec::ResourceType;
use super::task_state::TaskState;
use super::volume::Volume;
use crate::Change;
use crate::Filter;
use crate::Id;
use crate::Images;
use crate::Kind;
use crate::TableFilter;

/// Which changes of objects `T` a watcher gives: all of them, until narrowed. It is a
/// [`TableFilter`] in the words of a cluster: give it to [`Store::watch`](crate::Store::watch) and
/// the like.
///
/// All of its conditions must hold of one and the same image of the object: as it was before the
/// commit, or as it is after it. So a watcher sees both an object that comes to meet the conditions
/// and one that ceases to. With [`Specifier::as_it_is`] only the object as it is counts (if it is
/// deleted, as it was last); with [`Specifier::as_it_was`] only the object as it was.
/// [`Specifier::or`] joins specifiers. How far a watcher may fall behind and which markers it gives
/// is said to the [`Filter`] that a specifier becomes.
///
/// Conditions that an index answers, and that come with an exact value (`id`, `name`, `node`,
/// `service`, ...), have a watcher woken by matching commits alone; others, such as `label`, look
/// at each change of the table when it is received.
///
/// ```
/// use skep::cluster::{self, Specifier, Task, TaskState};
/// use skep::{Filter, Id};
///
/// let store = cluster::builder().build();
/// let node = Id::random();
/// // What an agent is told of: its tasks, coming, changing and going; 1,000 changes may wait.
/// let tasks = Specifier::<Task>::new().node(Some(node));
/// let mut agent = store.watch(Filter::from(tasks).events_max(1_000));
/// // What a reaper is told of: tasks that came to be dead.
/// let mut reaper = store.watch(
///     Specifier::<Task>::new()
///         .created()
///         .updated()
///         .as_it_is()
///         .state_above(TaskState::Running),
/// );
/// store.update(|tx| tx.create(Task { node_id: Some(node), ..Task::new(Id::random()) }))?;
/// assert!(agent.try_recv()?.is_some());
/// assert!(reaper.try_recv()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "a specifier does nothing until a watcher is made of it"]
pub struct Specifier<T: ClusterObject>(TableFilter<T>);

impl<T: ClusterObject> Default for Specifier<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: ClusterObject> Specifier<T> {
    /// All changes of the table.
    pub fn new() -> Self {
        Self(Filter::of())
    }

    /// Creations (and other kinds, if named).
    pub fn created(self) -> Self {
        self.kind(Kind::Created)
    }

    /// Updates (and other kinds, if named).
    pub fn updated(self) -> Self {
        self.kind(Kind::Updated)
    }

    /// Deletions (and other kinds, if named).
    pub fn deleted(self) -> Self {
        self.kind(Kind::Deleted)
    }

    /// Changes of a kind (and other kinds, if named).
    pub fn kind(self, kind: Kind) -> Self {
        Self(self.0.kind(kind))
    }

    /// Asks only the object as it is, or as it was last if it is deleted: what leaves is not seen.
    pub fn as_it_is(self) -> Self {
        Self(self.0.images(Images::Last))
    }

    /// Asks only the object as it was before the commit: what comes is not seen.
    pub fn as_it_was(self) -> Self {
        Self(self.0.images(Images::Before))
    }

    /// What a finder would find.
    ///
    /// # Errors
    /// [`InvalidFind`] if the table cannot answer it.
    pub fn finder(self, finder: &Finder) -> Result<Self, InvalidFind> {
        Ok(self.search(Search::new(finder)?))
    }

    /// What a search would find.
    pub fn search(self, search: Search<T>) -> Self {
        Self(search.narrow(self.0))
    }

    /// What a closure accepts of the object. It runs on the watcher's thread.
    pub fn when(self, check: impl Fn(&T) -> bool + Send + Sync + 'static) -> Self {
        Self(self.0.when_object(check))
    }

    /// What a closure accepts of the change, with both images in hand: a state that was left, say.
    /// It runs on the watcher's thread.
    pub fn when_changed(
        self,
        matcher: impl Fn(&Change<'_, T>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(self.0.when(matcher))
    }

    /// The object with an ID.
    pub fn id(self, id: Id) -> Self {
        self.search(Search::of(Lookup::keyed(id)))
    }

    /// Objects whose ID begins so.
    pub fn id_prefix(self, prefix: impl Into<String>) -> Self {
        self.answered(&Finder::IdPrefix(prefix.into()))
    }

    /// Objects with a name, whatever the case.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.answered(&Finder::Name(name.into()))
    }

    /// Objects whose name begins so, whatever the case.
    pub fn name_prefix(self, prefix: impl Into<String>) -> Self {
        self.answered(&Finder::NamePrefix(prefix.into()))
    }

    /// Objects with a custom index entry.
    pub fn custom(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.answered(&Finder::Custom { key, value })
    }

    /// Objects with a custom index entry whose value begins so.
    pub fn custom_prefix(self, key: impl Into<String>, prefix: impl Into<String>) -> Self {
        let (key, prefix) = (key.into(), prefix.into());
        self.answered(&Finder::CustomPrefix { key, prefix })
    }

    /// Objects with a label.
    pub fn label(self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let (key, value) = (key.into(), value.into());
        self.when(move |object| object.annotations().labels.get(&key) == Some(&value))
    }

    /// Objects with a label of that name, whatever it says.
    pub fn labelled(self, key: impl Into<String>) -> Self {
        let key = key.into();
        self.when(move |object| object.annotations().labels.contains_key(&key))
    }

    /// What this or `other` gives; each change once.
    pub fn or(self, other: impl Into<Filter>) -> Filter {
        Filter::from(self).or(other)
    }

    /// A condition that the table answers: its methods below name no other.
    fn answered(self, finder: &Finder) -> Self {
        self.finder(finder).expect("a finder of the table's own")
    }
}

impl<T: ClusterObject> From<Specifier<T>> for Filter {
    fn from(Specifier(filter): Specifier<T>) -> Self {
        filter.into()
    }
}

impl Specifier<Task> {
    /// Tasks of a node, or of none yet.
    pub fn node(self, node: Option<Id>) -> Self {
        self.answered(&Finder::Node(node))
    }

    /// Tasks of a service, or of none.
    pub fn service(self, service: Option<Id>) -> Self {
        self.answered(&Finder::Service(service))
    }

    /// Tasks in a slot.
    pub fn slot(self, service: Id, slot: u64) -> Self {
        self.answered(&Finder::Slot { service, slot })
    }

    /// Tasks by how far they are to come.
    pub fn desired_state(self, state: TaskState) -> Self {
        self.answered(&Finder::DesiredState(state))
    }

    /// Tasks by how far they have come.
    pub fn state(self, state: TaskState) -> Self {
        self.answered(&Finder::TaskState(state))
    }

    /// Tasks that have come farther than a state.
    pub fn state_above(self, state: TaskState) -> Self {
        let above = (Bound::Excluded(state), Bound::Unbounded);
        let query = Task::BY_STATE.range(above);
        self.search(Search::of(Lookup::of(query, move |task| {
            task.status.state > state
        })))
    }

    /// Tasks by what runs.
    pub fn runtime(self, kind: impl Into<String>) -> Self {
        self.answered(&Finder::Runtime(kind.into()))
    }

    /// Tasks that name a network.
    pub fn network(self, network: Id) -> Self {
        self.answered(&Finder::ReferencedNetwork(network))
    }

    /// Tasks that name a secret.
    pub fn secret(self, secret: Id) -> Self {
        self.answered(&Finder::ReferencedSecret(secret))
    }

    /// Tasks that name a config.
    pub fn config(self, config: Id) -> Self {
        self.answered(&Finder::ReferencedConfig(config))
    }

    /// Tasks with a resource reference to an object of a type.
    pub fn reference(self, kind: ResourceType, id: Id) -> Self {
        self.answered(&Finder::Reference { kind, id })
    }

    /// Tasks that got a volume.
    pub fn volume(self, volume: Id) -> Self {
        self.answered(&Finder::VolumeAttachment(volume))
    }
}

impl Specifier<Service> {
    /// Services by what their tasks run.
    pub fn runtime(self, kind: impl Into<String>) -> Self {
        self.answered(&Finder::Runtime(kind.into()))
    }

    /// Services that name a network.
    pub fn network(self, network: Id) -> Self {
        self.answered(&Finder::ReferencedNetwork(network))
    }

    /// Services that name a secret.
    pub fn secret(self, secret: Id) -> Self {
        self.answered(&Finder::ReferencedSecret(secret))
    }

    /// Services that name a config.
    pub fn config(self, config: Id) -> Self {
        self.answered(&Finder::ReferencedConfig(config))
    }

    /// Services with such a reference in their task's spec.
    pub fn reference(self, kind: ResourceType, id: Id) -> Self {
        self.answered(&Finder::Reference { kind, id })
    }
}

impl Specifier<Node> {
    /// Nodes by what they are.
    pub fn role(self, role: NodeRole) -> Self {
        self.answered(&Finder::Role(role))
    }

    /// Nodes by whether they are let in.
    pub fn membership(self, membership: Membership) -> Self {
        self.answered(&Finder::Membership(membership))
    }

    /// Nodes by whether they are there.
    pub fn state(self, state: NodeState) -> Self {
        self.when(move |node| node.status.state == state)
    }
}

impl Specifier<Resource> {
    /// Resources of a kind, whatever the case.
    pub fn resource_kind(self, kind: impl Into<String>) -> Self {
        self.answered(&Finder::Kind(kind.into()))
    }
}

impl Specifier<Volume> {
    /// Volumes of a group.
    pub fn group(self, group: impl Into<String>) -> Self {
        self.answered(&Finder::VolumeGroup(group.into()))
    }

    /// Volumes of a driver.
    pub fn driver(self, name: impl Into<String>) -> Self {
        self.answered(&Finder::Driver(name.into()))
    }

    /// Volumes that a node has, or that are on their way to it or back.
    pub fn published_on(self, node: Id) -> Self {
        self.when(move |volume| {
            let mut published = volume.publish_status.iter();
            published.any(|status| status.node_id == node)
        })
    }
}
