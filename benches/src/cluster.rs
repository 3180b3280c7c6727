//! A synthetic cluster's tasks: about 730 bytes each, serialized. Two networks, a secret, an image
//! with its digest, four environment texts, labels, a container, and an attachment with the
//! network's copy. In memory the tasks of a service share its spec, and all share the network.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use skep::cluster::{
    Annotations, ContainerSpec, ContainerStatus, Driver, IpamConfig, IpamOptions, Network,
    NetworkAttachment, NetworkAttachmentConfig, Node, Runtime, SecretReference, Service, Task,
    TaskSpec, TaskState, builder,
};
use skep::{CreateError, Delivery, Id, Store, Version};

use crate::id;

/// How many of what there are in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Tasks.
    pub tasks: u64,
    /// Nodes that they are on.
    pub nodes: u64,
    /// Services that they are of.
    pub services: u64,
}

impl Sizes {
    /// 20 tasks on a node, 1,000 of a service.
    pub const USUAL: Self = Self {
        tasks: 100_000,
        nodes: 5_000,
        services: 100,
    };
}

/// Apart from each other: the identities of nodes, services and so on are of different numbers.
const NODE: u64 = 1 << 40;
const SERVICE: u64 = 2 << 40;
const NETWORK: u64 = 3 << 40;
const SECRET: u64 = 4 << 40;

/// Tasks that a store is filled with in one commit.
const AT_ONCE: usize = 10_000;

/// The tasks of a cluster, and what they share.
#[derive(Debug)]
pub struct Tasks {
    sizes: Sizes,
    networks: [Arc<Network>; 2],
    services: Vec<(Arc<Annotations>, Arc<TaskSpec>)>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::of(Sizes::USUAL)
    }
}

impl Tasks {
    /// The tasks of a cluster of these sizes.
    #[must_use]
    pub fn of(sizes: Sizes) -> Self {
        let networks = [0, 1].map(|number| Arc::new(network(number)));
        let ids = networks.each_ref().map(|network| network.id);
        let service = |number| (Arc::new(annotations(number)), Arc::new(spec(number, ids)));
        Self {
            sizes,
            networks,
            services: (0..sizes.services).map(service).collect(),
        }
    }

    /// The node of task `number`.
    #[must_use]
    pub fn node_id(&self, number: u64) -> Id {
        id(NODE + number % self.sizes.nodes)
    }

    /// The service of task `number`.
    #[must_use]
    pub fn service_id(&self, number: u64) -> Id {
        id(SERVICE + number % self.sizes.services)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = Task> {
        (0..self.sizes.tasks).map(|number| self.task(number))
    }

    /// A store of all of them, with nodes and services that are there by their names alone.
    ///
    /// # Panics
    /// If an object cannot be created.
    #[must_use]
    pub fn store(&self) -> Store {
        self.store_delivering(Delivery::default())
    }

    /// The same, in which others deliver to watchers.
    ///
    /// # Panics
    /// If an object cannot be created.
    #[must_use]
    pub fn store_delivering(&self, delivery: Delivery) -> Store {
        let builder = builder().attempts_max(u32::MAX);
        let store = builder.watch_delivery(delivery).build();
        let small = store.update(|tx| {
            for number in 0..self.sizes.nodes {
                tx.create(Node::named(self.node_id(number), format!("node-{number}")))?;
            }
            for number in 0..self.sizes.services {
                let name = format!("service-{number}");
                tx.create(Service::named(self.service_id(number), name))?;
            }
            Ok::<_, CreateError>(())
        });
        small.expect("a new store");
        let tasks: Vec<_> = self.all().collect();
        for portion in tasks.chunks(AT_ONCE) {
            let created =
                store.update(|tx| portion.iter().try_for_each(|it| tx.create(it.clone())));
            created.expect("a new store");
        }
        store.reclaim();
        store
    }

    /// Task `number`: of node and service `number` modulo how many there are, in the slot after
    /// those of the tasks before it.
    #[must_use]
    pub fn task(&self, number: u64) -> Task {
        let service = usize::try_from(number % self.sizes.services).unwrap_or(0);
        let (annotations, spec) = &self.services[service];
        let address = format!("10.0.{}.{}/24", number / 250 % 250, number % 250 + 2);
        let attachment = NetworkAttachment {
            addresses: vec![address],
            ..NetworkAttachment::to(Arc::clone(&self.networks[0]))
        };
        let mut task = Task {
            service_annotations: Arc::clone(annotations),
            spec: Arc::clone(spec),
            spec_version: Some(Version::new(1)),
            service_id: Some(self.service_id(number)),
            slot: number / self.sizes.services + 1,
            node_id: Some(self.node_id(number)),
            desired_state: TaskState::Running,
            networks: vec![attachment],
            ..Task::new(id(number))
        };
        task.status.state = TaskState::Running;
        task.status.message = "started".into();
        task.status.timestamp = Some(UNIX_EPOCH + Duration::from_secs(number));
        task.status.container = Some(ContainerStatus {
            container_id: format!("{:064x}", task.id.as_u128()),
            pid: Some(4_711),
            exit_code: None,
        });
        task
    }
}

fn annotations(number: u64) -> Annotations {
    Annotations::named(format!("service-{number}"))
        .label("com.example.team", "storage")
        .label("com.example.tier", "backend")
}

fn spec(number: u64, networks: [Id; 2]) -> TaskSpec {
    let digest = format!("{:064x}", id(number).as_u128());
    let image = format!("registry.example.com/team/service-{number}:1.0@sha256:{digest}");
    let env = [
        "LOG_LEVEL=info",
        "REGION=eu-central-1",
        "POOL_CONNECTIONS_MAX=32",
        "DATABASE=postgres://database:5432/main",
    ];
    let container = ContainerSpec {
        env: env.map(str::to_owned).to_vec(),
        labels: annotations(number).labels,
        secrets: vec![SecretReference::new(id(SECRET), "database-password")],
        ..ContainerSpec::image(image)
    };
    TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        networks: networks.map(NetworkAttachmentConfig::to).to_vec(),
        ..TaskSpec::default()
    }
}

fn network(number: u64) -> Network {
    let mut network = Network::named(id(NETWORK + number), format!("overlay-{number}"));
    network.driver_state = Some(Driver::named("overlay"));
    network.ipam = Some(IpamOptions {
        driver: Some(Driver::named("default")),
        configs: vec![IpamConfig {
            subnet: format!("10.{number}.0.0/16"),
            gateway: format!("10.{number}.0.1"),
            ..IpamConfig::default()
        }],
    });
    network
}
