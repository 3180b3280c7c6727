//! Spec versions: what a user asks for is guarded apart from what is observed.

use super::cluster::{Cluster, ClusterSpec};
use super::config::{Config, ConfigSpec};
use super::network::{Network, NetworkSpec};
use super::node::{Node, NodeSpec};
use super::object::ClusterObject;
use super::secret::{Secret, SecretSpec};
use super::service::{Service, ServiceSpec};
use super::volume::{Volume, VolumeSpec};
use crate::Id;
use crate::OutOfSequence;
use crate::ReplaceError;
use crate::Transaction;
use crate::Version;

/// An object that a user specifies: a spec, with a version of its own, and more that is observed.
///
/// The object's version ([`Meta`](crate::Meta)) moves with every write: one that a user has read
/// may be out of sequence a moment later, because a status was written. The version of the spec
/// moves with the spec alone. The store keeps it, whoever writes and by whichever verb: a write
/// whose spec differs from the one before moves it to the version after the snapshot's, once a
/// transaction. With a [proposer](crate::Proposer) that is the proposer's that the snapshot shows,
/// or the newest that it has accepted where nobody has told which one that is.
/// What the caller has put in the field does not matter, except in copies
/// ([`Transaction::defer_checks`]), which are stored as they are.
///
/// It costs a word in each object, and a comparison of two specs in each of its updates. Parts that
/// both share (`Arc`) are equal at a glance; bytes of secrets are compared to the last.
///
/// ```
/// use skep::cluster::{self, Service, Specified};
/// use skep::{Id, ReplaceError, UpdateError};
///
/// let store = cluster::builder().build();
/// let id = Id::random();
/// store.update(|tx| tx.create(Service::named(id, "web")))?;
/// // A user reads a service, to change its spec.
/// let read = store.read().get::<Service>(&id).cloned().expect("it was created");
/// // Meanwhile a status is written: no matter.
/// store.update(|tx| tx.modify::<Service>(&id, |service| service.pending_delete = true))?;
/// let mut spec = read.spec.clone();
/// spec.annotations.name = "shop".into();
/// store.update(|tx| Service::update_spec_at(tx, &id, read.spec_version(), spec.clone()))?;
/// // Who read the spec before that comes too late.
/// let late = store.update(|tx| {
///     Service::modify_spec_at(tx, &id, read.spec_version(), |spec| spec.task = Default::default())
/// });
/// assert!(matches!(late, Err(UpdateError::Closure(ReplaceError::OutOfSequence { .. }))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Specified: ClusterObject {
    /// What a user says of it.
    type Spec: PartialEq;

    /// What its user said.
    fn spec(&self) -> &Self::Spec;

    /// The same, to be changed.
    fn spec_mut(&mut self) -> &mut Self::Spec;

    /// The version of the spec. It grows when the spec changes, and only then; a transaction that
    /// changes it several times, or back, has changed it. In a new store that was restored from a
    /// file, numbers that the old one gave may come again: read anew then. In a store with a
    /// proposer so may those that an object came with, without a version of the proposer's
    /// ([`Store::apply`](crate::Store::apply)), if it is deleted and created again.
    fn spec_version(&self) -> Version;

    /// For [`keep_spec_version`].
    fn set_spec_version(&mut self, version: Version);

    /// Replaces the spec, if it is still the one that the new one was made from: the one with this
    /// [version](Specified::spec_version).
    ///
    /// # Errors
    /// As [`Transaction::update_at`], with versions of the spec: [`ReplaceError::OutOfSequence`] if
    /// the spec has moved on.
    fn update_spec_at(
        tx: &mut Transaction<'_>,
        id: &Id,
        version: Version,
        spec: Self::Spec,
    ) -> Result<(), ReplaceError> {
        Self::modify_spec_at(tx, id, version, |old| *old = spec)
    }

    /// The same by what `change` makes of it.
    ///
    /// # Errors
    /// As [`Specified::update_spec_at`].
    fn modify_spec_at(
        tx: &mut Transaction<'_>,
        id: &Id,
        version: Version,
        change: impl FnOnce(&mut Self::Spec),
    ) -> Result<(), ReplaceError> {
        let found = tx.get::<Self>(id).map(Self::spec_version);
        match found {
            Some(found) if found != version => {
                Err(OutOfSequence::new::<Self>(*id, version, found).into())
            }
            _ => tx.modify::<Self>(id, |object| change(object.spec_mut())),
        }
    }
}

/// Keeps the version of a spec: for [`Object::complete`](crate::Object::complete) of a
/// [`Specified`] table.
pub fn keep_spec_version<T: Specified>(object: &mut T, old: Option<&T>, tx: &Transaction<'_>) {
    // No commit that our snapshot shows has given this number, and ours comes at it or later: so
    // versions of specs grow, also from one object with an ID to the next. With a proposer they are
    // its versions, so that they grow whatever member writes; where it was not told which one the
    // snapshot shows, the newest that it has accepted is as good. A store that was
    // restored may have smaller numbers; one that copies, larger ones, or just this one, and what
    // comes after these has the next; after the largest that there is, this one. What this
    // transaction has given before nobody has seen.
    let shown = tx.proposed_version().or_else(|| tx.accepted_version());
    let own = shown.unwrap_or_else(|| tx.version()).next();
    let version = match old {
        Some(old) if old.spec() == object.spec() => old.spec_version(),
        _ => {
            let before = tx.before::<T>(&object.key()).map(T::spec_version);
            let before = before.filter(|before| (own.get()..u64::MAX).contains(&before.get()));
            before.map_or(own, Version::next)
        }
    };
    object.set_spec_version(version);
}

macro_rules! specified {
    ($($object:ident: $spec:ident),* $(,)?) => {$(
        impl Specified for $object {
            type Spec = $spec;

            fn spec(&self) -> &$spec {
                &self.spec
            }

            fn spec_mut(&mut self) -> &mut $spec {
                &mut self.spec
            }

            fn spec_version(&self) -> Version {
                self.spec_version.unwrap_or(Version::ZERO)
            }

            fn set_spec_version(&mut self, version: Version) {
                self.spec_version = Some(version);
            }
        }
    )*};
}

specified! {
    Cluster: ClusterSpec,
    Config: ConfigSpec,
    Network: NetworkSpec,
    Node: NodeSpec,
    Secret: SecretSpec,
    Service: ServiceSpec,
    Volume: VolumeSpec,
}
