//! Rules of names, kinds, extensions, services and tasks, and their refusals.

use std::error::Error;
use std::fmt;

use super::extension::Extension;
use super::object::ClusterObject;
use super::resource::{Resource, ResourceNames};
use super::task_state::{StateFalls, TaskState};
use super::{Cluster, Config, Network, Node, Secret, Service, Task, Volume};
use crate::Id;
use crate::Object;
use crate::Proposed;
use crate::Rejected;
use crate::Transaction;
use crate::fold_case;

/// Names that an extension must not have: those of the tables.
const RESERVED: [&str; 10] = [
    Cluster::TABLE,
    Config::TABLE,
    Extension::TABLE,
    Network::TABLE,
    Node::TABLE,
    Resource::TABLE,
    Secret::TABLE,
    Service::TABLE,
    Task::TABLE,
    Volume::TABLE,
];

/// Why the rules of a cluster refuse a change: the reason in [`Rejected`]. The rules are:
///
/// - Names of clusters, configs, extensions, networks, resources, secrets, services and volumes are
///   unique in their table, whatever the case; those of resources in their kind alone, where the
///   store is built so ([`ResourceNames`]).
/// - An extension's name is that of no table. An extension never changes, and goes only when no
///   resource is of its kind.
/// - A resource's kind is the name of an extension, whatever the case.
/// - A service's ratios of failures are finite. One that is not a number differs from itself: with
///   it a spec would seem to change in every write. And JSON has neither.
/// - The observed state of a task only moves up.
///
/// They are asked inside the transaction, of each step ([`Object::check`]), and what they read is
/// validated when it commits: whoever creates a resource while another deletes its kind sees a
/// conflict, and, run again, [`RuleError::NoKind`].
///
/// # Order
/// A creation: the name, the kind or the ratios, then the ID. So an object with the name and the ID
/// of another is told [`RuleError::NameConflict`]. An update: that there is one, its version, the
/// name, the kind, the ratios or the state.
///
/// # Copies
/// Who copies a state that others reached puts the checks off
/// ([`Transaction::defer_checks`]): names may then be swapped, and an extension be replaced by
/// another of its name. What is left must keep to the rules, but for those on steps, that an
/// extension does not change and a task does not move down: it may have been deleted and created
/// again, or be what it was before. Names are then judged by their indexes: a conflict is a
/// [`Duplicate`](crate::Duplicate), but between resources of two kinds.
///
/// # Example
/// ```
/// use skep::Id;
/// use skep::cluster::{self, RuleError, Service};
///
/// let store = cluster::builder().build();
/// let (holder, claimant) = (Id::random(), Id::random());
/// store.update(|tx| tx.create(Service::named(holder, "web")))?;
/// let error = store.update(|tx| tx.create(Service::named(claimant, "Web"))).unwrap_err();
/// let conflict = RuleError::NameConflict {
///     table: "service",
///     name: "Web".into(),
///     holder,
///     claimant,
/// };
/// assert_eq!(RuleError::of(&error), Some(&conflict));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RuleError {
    /// Another object of the table has the name; or, of a creation, the object that has the ID.
    NameConflict {
        /// The table.
        table: &'static str,
        /// The name, as it was asked for.
        name: String,
        /// The object that has it, in whatever case.
        holder: Id,
        /// The object that was to have it.
        claimant: Id,
    },
    /// No extension has the name that is the kind of a resource.
    NoKind {
        /// The resource.
        resource: Id,
        /// The kind.
        kind: String,
    },
    /// The name of an extension is that of a table.
    ReservedName {
        /// The extension.
        extension: Id,
        /// The name.
        name: String,
    },
    /// Extensions are not updated.
    ExtensionImmutable {
        /// The extension.
        extension: Id,
    },
    /// Resources are of the kind that an extension is.
    ExtensionInUse {
        /// The extension.
        extension: Id,
        /// One of the resources.
        resource: Id,
    },
    /// A ratio of failures is infinite or not a number.
    NotFinite {
        /// The service.
        service: Id,
    },
    /// The observed state of a task would move down.
    StateFalls {
        /// The task.
        task: Id,
        /// The state that it has come to.
        from: TaskState,
        /// The lower one that was written.
        to: TaskState,
    },
}

impl RuleError {
    /// The refusal in an error, or in what it comes from.
    #[must_use]
    pub fn of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        let mut errors = std::iter::successors(Some(error), |&error| error.source());
        errors.find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameConflict {
                table,
                name,
                holder,
                claimant,
            } => write!(
                f,
                "{table} {claimant}: the name {name:?} is taken by {holder}"
            ),
            Self::NoKind { resource, kind } => {
                write!(
                    f,
                    "resource {resource}: no extension is of the kind {kind:?}"
                )
            }
            Self::ReservedName { extension, name } => write!(
                f,
                "extension {extension}: it cannot have the name of a table, {name:?}"
            ),
            Self::ExtensionImmutable { extension } => {
                write!(f, "extension {extension}: extensions are not updated")
            }
            Self::ExtensionInUse {
                extension,
                resource,
            } => write!(
                f,
                "extension {extension}: resource {resource} is of its kind"
            ),
            Self::NotFinite { service } => {
                write!(
                    f,
                    "service {service}: a ratio of failures is not a finite number"
                )
            }
            Self::StateFalls { task, from, to } => {
                write!(
                    f,
                    "task {task}: {}",
                    StateFalls {
                        from: *from,
                        to: *to
                    }
                )
            }
        }
    }
}

impl Error for RuleError {}

/// The rule that no two objects of a table have the same name, whatever the case. For a table with
/// a unique index by name ([`ClusterObject::BY_NAME`]), to be told of the holder before the ID is
/// looked at.
///
/// # Errors
/// [`RuleError::NameConflict`].
pub fn check_name<T: ClusterObject>(
    change: Proposed<'_, T>,
    tx: &Transaction<'_>,
) -> Result<(), Rejected> {
    let Some((new, name)) = change.after().and_then(|new| Some((new, new.name()?))) else {
        return Ok(());
    };
    if tx.checks_deferred() || change.before().and_then(T::name).as_ref() == Some(&name) {
        // The unique index was asked before; or it has the name already.
        return Ok(());
    }
    let creates = matches!(change, Proposed::Create(_));
    match tx.get_by(T::BY_NAME, &*name) {
        Some(holder) if creates || holder.key() != new.key() => {
            Err(name_conflict(&name, holder, new))
        }
        _ => Ok(()),
    }
}

fn name_conflict<T: ClusterObject>(name: &str, holder: &T, claimant: &T) -> Rejected {
    Rejected::new(RuleError::NameConflict {
        table: T::TABLE,
        name: name.to_owned(),
        holder: holder.key(),
        claimant: claimant.key(),
    })
}

/// The rules of services.
pub(super) fn check_service(
    change: Proposed<'_, Service>,
    tx: &Transaction<'_>,
) -> Result<(), Rejected> {
    check_name(change, tx)?;
    match change.after() {
        Some(new) if !ratios(new).all(f32::is_finite) => {
            let service = new.id;
            Err(Rejected::new(RuleError::NotFinite { service }))
        }
        _ => Ok(()),
    }
}

/// What part of the tasks may fail, on each way from one spec to another.
fn ratios(service: &Service) -> impl Iterator<Item = f32> {
    let previous = service.previous_spec.as_deref();
    let specs = [Some(&service.spec), previous].into_iter().flatten();
    let ways = specs.flat_map(|spec| [&spec.update, &spec.rollback]);
    ways.flatten().map(|way| way.failure_ratio_max)
}

/// The rule of tasks.
pub(super) fn check_task(change: Proposed<'_, Task>, tx: &Transaction<'_>) -> Result<(), Rejected> {
    let Proposed::Update { old, new } = change else {
        return Ok(());
    };
    let (from, to) = (old.status.state, new.status.state);
    if to < from && !tx.checks_deferred() {
        let task = new.id;
        return Err(Rejected::new(RuleError::StateFalls { task, from, to }));
    }
    Ok(())
}

/// The rules of extensions.
pub(super) fn check_extension(
    change: Proposed<'_, Extension>,
    tx: &Transaction<'_>,
) -> Result<(), Rejected> {
    if let Proposed::Update { old, .. } = change
        && !tx.checks_deferred()
    {
        let extension = old.id;
        return Err(Rejected::new(RuleError::ExtensionImmutable { extension }));
    }
    check_name(change, tx)?;
    if let Some(new) = change.after() {
        let name = &new.annotations.name;
        if RESERVED.contains(&&*fold_case(name.clone())) {
            let (extension, name) = (new.id, name.clone());
            return Err(Rejected::new(RuleError::ReservedName { extension, name }));
        }
    }
    match change.before() {
        Some(old) => check_unused(old, tx),
        None => Ok(()),
    }
}

/// No resource is of the kind that goes with an extension; it stays if another has its name.
fn check_unused(extension: &Extension, tx: &Transaction<'_>) -> Result<(), Rejected> {
    let kind = &*extension.annotations.name;
    if tx.checks_deferred() && tx.get_by(Extension::BY_NAME, kind).is_some() {
        return Ok(());
    }
    match tx.first(Resource::BY_KIND.eq(kind)) {
        None => Ok(()),
        Some(resource) => Err(Rejected::new(RuleError::ExtensionInUse {
            extension: extension.id,
            resource: resource.id,
        })),
    }
}

/// The rules of resources.
pub(super) fn check_resource(
    change: Proposed<'_, Resource>,
    tx: &Transaction<'_>,
) -> Result<(), Rejected> {
    let Some(new) = change.after() else {
        return Ok(());
    };
    if let Some(holder) = holder_of_name(change, new, tx) {
        return Err(name_conflict(&new.annotations.name, holder, new));
    }
    if tx.get_by(Extension::BY_NAME, &*new.kind).is_none() {
        let (resource, kind) = (new.id, new.kind.clone());
        return Err(Rejected::new(RuleError::NoKind { resource, kind }));
    }
    Ok(())
}

/// The resource that has the name that another one is to have, if that may not be.
fn holder_of_name<'t>(
    change: Proposed<'_, Resource>,
    new: &Resource,
    tx: &'t Transaction<'_>,
) -> Option<&'t Resource> {
    let (name, kind) = (&*new.annotations.name, &*new.kind);
    let in_kind = tx.setting() == Some(&ResourceNames::UniqueInKind);
    let has_it = |old: &Resource| old.annotations.name == name && (!in_kind || old.kind == kind);
    // In a copy the unique index was asked before, which is all there is to ask in a kind.
    let known = match tx.checks_deferred() {
        true => in_kind,
        false => change.before().is_some_and(has_it),
    };
    if known {
        return None;
    }
    let creates = matches!(change, Proposed::Create(_)) && !tx.checks_deferred();
    let is_in_the_way = |holder: &&Resource| creates || holder.id != new.id;
    if in_kind {
        let holder = tx.get_by(
            Resource::BY_KIND_AND_NAME,
            (kind.to_owned(), name.to_owned()),
        );
        return holder.filter(is_in_the_way);
    }
    tx.find(Resource::BY_NAME.eq(name)).find(is_in_the_way)
}
