//! Objects that have a secret in each place that there is for one.

use skep::Id;
use skep::cluster::{
    Cluster, ContainerSpec, EncryptionKey, JoinTokens, RootCa, RootRotation, Runtime, SecretBytes,
    Service, Task, TaskSpec,
};

/// A cluster: its keys, its tokens, and the keys of its root.
pub fn cluster(id: Id, secret: &SecretBytes) -> Cluster {
    let keys = || {
        vec![EncryptionKey {
            key: secret.clone(),
            ..EncryptionKey::default()
        }]
    };
    let mut cluster = Cluster::named(id, "default");
    cluster.unlock_keys = keys();
    cluster.network_bootstrap_keys = keys();
    cluster.spec.ca.signing_key = secret.clone();
    cluster.root_ca = RootCa {
        key: secret.clone(),
        join_tokens: JoinTokens {
            worker: secret.clone(),
            manager: secret.clone(),
        },
        rotation: Some(RootRotation {
            key: secret.clone(),
            ..RootRotation::default()
        }),
        ..RootCa::default()
    };
    cluster
}

/// A service: its login to a registry, and that of its spec before.
pub fn service(id: Id, secret: &SecretBytes) -> Service {
    let mut service = Service::named(id, "web");
    service.spec.task = task_spec(secret).into();
    service.previous_spec = Some(Box::new(service.spec.clone()));
    service
}

/// A task: its login to a registry.
pub fn task(id: Id, secret: &SecretBytes) -> Task {
    Task {
        spec: task_spec(secret).into(),
        ..Task::new(id)
    }
}

fn task_spec(secret: &SecretBytes) -> TaskSpec {
    let container = ContainerSpec {
        registry_login: secret.clone(),
        ..ContainerSpec::image("image")
    };
    TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        ..TaskSpec::default()
    }
}
