//! A made-up cluster with objects of all ten types, the same for the same seed and sizes: their
//! times, too.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fastrand::Rng;
use skep::cluster::{
    Annotations, Cluster, Config, ConfigReference, ContainerSpec, Extension, Membership, Network,
    NetworkAttachment, NetworkAttachmentConfig, Node, NodeRole, NodeState, Resource, Runtime,
    Secret, SecretReference, Service, ServiceMode, Task, TaskSpec, TaskState, Volume,
};
use skep::{Action, Id, Store};

/// How large a made-up cluster is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How many tasks.
    pub tasks: u32,
    /// How many nodes.
    pub nodes: u32,
}

/// Tasks of one service.
const TASKS_A_SERVICE: u32 = 100;
/// Objects of each of the types that there are few of.
const FEW: usize = 5;
/// Tasks that are created in one commit.
const TASKS_AT_ONCE: usize = 10_000;
/// When the cluster began: the first second of 2025, from 1970 on.
const BEGAN: Duration = Duration::from_secs(1_735_689_600);

struct Maker<'s> {
    store: &'s Store,
    random: Rng,
    /// Of the next commit.
    time: SystemTime,
}

impl Maker<'_> {
    fn id(&mut self) -> Id {
        Id::from_u128(self.random.u128(..))
    }

    /// Puts objects, in one commit, a second after the one before.
    fn put<T: skep::Object>(&mut self, objects: &[T]) {
        let time = self.time;
        let create = |object: &T| Action::create(object.clone()).at(time, time);
        let actions: Vec<_> = objects.iter().map(create).collect();
        self.store
            .apply(&actions)
            .expect("each made-up object has a key and a name of its own");
        self.time += Duration::from_secs(1);
    }

    /// A few objects of a type, named after it.
    fn few<T: skep::Object>(&mut self, count: usize, make: impl Fn(Id, String) -> T) -> Vec<T> {
        let named = |number| format!("{}-{number}", T::TABLE);
        let objects: Vec<T> = (1..=count)
            .map(|number| make(self.id(), named(number)))
            .collect();
        self.put(&objects);
        objects
    }
}

/// Fills a store; `told` how many tasks have been made.
pub fn fill(store: &Store, seed: u64, size: Size, mut told: impl FnMut(u64)) {
    let mut maker = Maker {
        store,
        random: Rng::with_seed(seed),
        time: SystemTime::UNIX_EPOCH + BEGAN,
    };
    maker.few(1, Cluster::named);
    let configs = maker.few(FEW, |id, name| {
        let text = format!("# {name}\nlisten = 0.0.0.0:8080\n");
        Config::named(id, name, text.as_str())
    });
    let kinds = maker.few(2, Extension::named);
    let networks = maker.few(FEW, Network::named);
    let nodes = nodes(&mut maker, size.nodes as usize);
    let kind = kinds[0].annotations.name.clone();
    maker.few(FEW, |id, name| Resource::named(id, kind.clone(), name));
    let secrets = maker.few(FEW, |id, name| {
        let password = format!("made up: {:032x}", id.as_u128().rotate_left(64));
        Secret::named(id, name, password)
    });
    maker.few(FEW, |id, name| Volume::named(id, name, "local"));
    let services = size.tasks.div_ceil(TASKS_A_SERVICE).max(1) as usize;
    let services = maker.few(services, |id, name| {
        let number = id.as_u128() as usize;
        let spec = spec(
            &name,
            &networks[number % FEW],
            &configs[number / 7 % FEW],
            &secrets[number / 11 % FEW],
        );
        let mut service = Service::named(id, name);
        service.spec.mode = ServiceMode::Replicated {
            replicas: u64::from(TASKS_A_SERVICE),
        };
        service.spec.task = spec.into();
        service
    });
    let networks: Vec<_> = networks.into_iter().map(Arc::new).collect();
    let mut tasks = Vec::with_capacity(TASKS_AT_ONCE);
    for number in 0..size.tasks {
        let service = &services[(number / TASKS_A_SERVICE) as usize];
        let node = &nodes[maker.random.usize(..nodes.len())];
        let network = &networks[service.id.as_u128() as usize % FEW];
        let id = maker.id();
        tasks.push(task((id, number), service, node, Arc::clone(network)));
        if tasks.len() == TASKS_AT_ONCE || number + 1 == size.tasks {
            maker.put(&tasks);
            tasks.clear();
            told(u64::from(number) + 1);
        }
    }
}

/// The first three manage the cluster.
fn nodes(maker: &mut Maker<'_>, count: usize) -> Vec<Node> {
    const MANAGERS: usize = 3;
    let mut nodes: Vec<Node> = (1..=count)
        .map(|number| Node::named(maker.id(), format!("node-{number}")))
        .collect();
    for (number, node) in nodes.iter_mut().enumerate() {
        node.spec.membership = Membership::Accepted;
        node.status.state = NodeState::Ready;
        node.status.address = format!("10.1.{}.{}", number / 250, number % 250 + 1);
        if number < MANAGERS {
            node.role = NodeRole::Manager;
        }
    }
    maker.put(&nodes);
    nodes
}

fn spec(name: &str, network: &Network, config: &Config, secret: &Secret) -> TaskSpec {
    let image = format!("registry.example.com/{name}:1.0");
    let container = ContainerSpec {
        env: vec!["LOG_LEVEL=info".into(), "REGION=eu-central-1".into()],
        configs: vec![ConfigReference::new(config.id, "server.conf")],
        secrets: vec![SecretReference::new(secret.id, "password")],
        ..ContainerSpec::image(image)
    };
    TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container))),
        networks: vec![NetworkAttachmentConfig::to(network.id)],
        ..TaskSpec::default()
    }
}

fn task((id, number): (Id, u32), service: &Service, node: &Node, network: Arc<Network>) -> Task {
    let address = format!("10.0.{}.{}/24", number / 250 % 250, number % 250 + 2);
    let mut task = Task {
        service_annotations: Arc::new(Annotations::clone(&service.spec.annotations)),
        spec: service.spec.task.clone(),
        service_id: Some(service.id),
        slot: u64::from(number % TASKS_A_SERVICE) + 1,
        node_id: Some(node.id),
        desired_state: TaskState::Running,
        networks: vec![NetworkAttachment {
            addresses: vec![address],
            ..NetworkAttachment::to(network)
        }],
        ..Task::new(id)
    };
    task.status.state = TaskState::Running;
    task.status.message = "started".into();
    task.status.timestamp = Some(SystemTime::UNIX_EPOCH + BEGAN);
    task
}
