//! Objects without their secrets: zeros in the place of the bytes, as many.
//!
//! What is shown so may be put into a ticket, and has the form that it had: `skep save` takes it.

use std::sync::Arc;

use skep::cluster::{
    Cluster, Config, EncryptionKey, Extension, Network, Node, Resource, Runtime, Secret,
    SecretBytes, Service, Task, TaskSpec, Volume,
};

/// Whose secrets can be taken out.
pub trait Redact {
    /// Puts zeros in the place of each secret's bytes.
    fn redact(&mut self);
}

impl Redact for SecretBytes {
    fn redact(&mut self) {
        *self = vec![0; self.len()].into();
    }
}

impl Redact for EncryptionKey {
    fn redact(&mut self) {
        self.key.redact();
    }
}

impl Redact for Cluster {
    fn redact(&mut self) {
        self.spec.ca.signing_key.redact();
        self.root_ca.key.redact();
        self.root_ca.join_tokens.worker.redact();
        self.root_ca.join_tokens.manager.redact();
        if let Some(rotation) = &mut self.root_ca.rotation {
            rotation.key.redact();
        }
        let keys = self.network_bootstrap_keys.iter_mut();
        keys.chain(&mut self.unlock_keys).for_each(Redact::redact);
    }
}

impl Redact for Secret {
    fn redact(&mut self) {
        self.spec.data.redact();
    }
}

impl Redact for TaskSpec {
    fn redact(&mut self) {
        if let Some(Runtime::Container(container)) = &mut self.runtime {
            container.registry_login.redact();
        }
    }
}

impl Redact for Service {
    fn redact(&mut self) {
        Arc::make_mut(&mut self.spec.task).redact();
        if let Some(previous) = &mut self.previous_spec {
            Arc::make_mut(&mut previous.task).redact();
        }
    }
}

impl Redact for Task {
    fn redact(&mut self) {
        Arc::make_mut(&mut self.spec).redact();
    }
}

/// Those that have no secrets.
macro_rules! open {
    ($($object:ty),*) => {$(
        impl Redact for $object {
            fn redact(&mut self) {}
        }
    )*};
}

open!(Config, Extension, Network, Node, Resource, Volume);
