//! How large the objects of a cluster are, and the bounds of bytes that this is for.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::sync::Arc;

use fixture::{builder, id};
use skep::cluster::{
    Annotations, Bytes, Cluster, Config, ContainerSpec, Driver, EncryptionKey, Endpoint, Extension,
    GenericResource, Labels, Mount, Network, NetworkAttachment, Node, Payload, PlacementPreference,
    PortConfig, Resource, Runtime, Secret, SecretBytes, Service, ServiceSpec, Task, TaskSpec,
    Volume, VolumeInfo,
};
use skep::{BoundError, Builder, CreateError, Filter, Id, Object, ReplaceError, UpdateError};

const MEBIBYTE: usize = 1 << 20;
const LONG: usize = 5_000;

fn text() -> String {
    "x".repeat(LONG)
}

fn labels() -> Labels {
    Labels::from([("key".to_owned(), text())])
}

fn config(number: usize, data: &Bytes) -> Config {
    Config::named(Id::random(), format!("config-{number}"), data.as_slice())
}

#[test]
fn a_batch_of_large_configs_and_secrets_is_split() {
    let store = builder().build();
    let data = Bytes::from(vec![7; MEBIBYTE]);
    let report = store.batch(|batch| {
        (0..100).try_for_each(|number| {
            let config = config(number, &data);
            batch.step(move |tx| tx.create(config.clone()))
        })
    });
    let report = report.expect("nothing is in the way");
    assert_eq!((report.applied, report.transactions), (100, 50));
    let report = store.batch(|batch| {
        (0..10).try_for_each(|number| {
            let data = SecretBytes::from(vec![7; MEBIBYTE / 2]);
            let secret = Secret::named(Id::random(), format!("secret-{number}"), data);
            batch.step(move |tx| tx.create(secret.clone()))
        })
    });
    let report = report.expect("nothing is in the way");
    assert_eq!((report.applied, report.transactions), (10, 4));
}

#[test]
fn a_batch_counts_what_is_changed_and_not_what_is_deleted() {
    let store = builder().build();
    let data = Bytes::from(vec![7; MEBIBYTE]);
    let configs: Vec<_> = (0..10).map(|number| config(number, &data)).collect();
    let created = store.update(|tx| configs.iter().try_for_each(|it| tx.create(it.clone())));
    created.expect("nothing is in the way");
    let report = store.batch(|batch| {
        configs.iter().try_for_each(|config| {
            let change = |config: &mut Config| config.spec.annotations.name.push('!');
            batch.step(move |tx| tx.modify::<Config>(&config.id, change))
        })
    });
    assert_eq!(report.expect("they are there").transactions, 5);
    let report = store.batch(|batch| {
        let mut configs = configs.iter();
        configs.try_for_each(|config| batch.step(|tx| tx.delete::<Config>(&config.id)))
    });
    assert_eq!(report.expect("they are there").transactions, 1);
}

#[test]
fn an_object_that_points_to_more_than_the_bound_is_refused() {
    let store = builder().object_bytes_max(1000).build();
    let large = config(1, &Bytes::from(vec![7; MEBIBYTE]));
    let refused = store.update(|tx| tx.create(large.clone()));
    let Err(UpdateError::Closure(CreateError::Rejected(rejected))) = refused else {
        panic!("{refused:?}");
    };
    let told = rejected.downcast_ref::<BoundError>();
    let Some(BoundError::ObjectTooLarge { table, bytes, .. }) = told else {
        panic!("{told:?}");
    };
    assert_eq!((*table, *bytes), ("config", large.bytes()));
    assert!((MEBIBYTE..MEBIBYTE + 1000).contains(bytes), "{bytes}");
    let small = config(2, &Bytes::from("a = b"));
    let created = store.update(|tx| tx.create(small.clone()));
    created.expect("it is small enough");
    let data = large.spec.data.clone();
    let grown =
        store.update(|tx| tx.modify::<Config>(&small.id, |config| config.spec.data = data.clone()));
    let grown = grown.expect_err("it is too large");
    assert!(matches!(
        grown,
        UpdateError::Closure(ReplaceError::Rejected(_))
    ));
}

/// Asserts that an object grows by each change about as much as the long text that comes in by it.
fn grows<T: Object>(object: &T, changes: &[fn(&mut T)]) {
    for (place, change) in changes.iter().enumerate() {
        let mut grown = object.clone();
        change(&mut grown);
        let by = grown.bytes() - object.bytes();
        let rest = LONG + 2 * size_of::<T>() + 1000;
        assert!(
            (LONG - 100..rest).contains(&by),
            "{} by {by}, change {place}",
            T::TABLE
        );
    }
}

#[test]
fn what_objects_point_to_counts() {
    grows(
        &Config::named(Id::random(), "web", ""),
        &[
            |it| it.spec.data = text().into_bytes().into(),
            |it| it.spec.annotations.name = text(),
            |it| it.spec.annotations.labels = labels(),
            |it| it.spec.annotations = Annotations::default().index("key", text()),
            |it| it.spec.templating = Some(Driver::named(text())),
        ],
    );
    grows(
        &Secret::named(Id::random(), "web", ""),
        &[
            |it| it.spec.data = text().into(),
            |it| it.spec.driver = Some(Driver::named(text())),
        ],
    );
    grows(
        &Cluster::named(Id::random(), "web"),
        &[
            |it| it.root_ca.join_tokens.worker = text().into(),
            |it| it.default_address_pool = vec![text()],
            |it| it.blacklisted_certificates = [(text(), None)].into(),
            |it| {
                let key = text().into();
                let key = EncryptionKey {
                    key,
                    ..Default::default()
                };
                it.unlock_keys.push(key);
            },
        ],
    );
    grows(
        &Extension::named(Id::random(), "k"),
        &[|it| it.description = text()],
    );
    grows(
        &Resource::named(Id::random(), "k", "web"),
        &[|it| it.payload.value = text().into_bytes().into()],
    );
}

#[test]
fn what_networks_volumes_and_nodes_point_to_counts() {
    grows(
        &Network::named(Id::random(), "web"),
        &[
            |it| {
                it.driver_state = Some(Driver {
                    options: labels(),
                    ..Driver::default()
                })
            },
            |it| {
                it.extra = Some(Payload {
                    type_url: text(),
                    ..Payload::default()
                })
            },
        ],
    );
    grows(
        &Volume::named(Id::random(), "web", "driver"),
        &[
            |it| it.spec.accessibility.requisite = vec![labels()],
            |it| {
                it.info = Some(VolumeInfo {
                    volume_id: text(),
                    ..VolumeInfo::default()
                })
            },
        ],
    );
    grows(
        &Node::named(Id::random(), "host"),
        &[
            |it| it.status.message = text(),
            |it| it.certificate.certificate = text().into_bytes().into(),
            |it| {
                let description = it.description.as_mut().expect("it has one");
                let (kind, value) = (text(), String::new());
                let resource = GenericResource::Named { kind, value };
                description.resources.generic.push(resource);
            },
        ],
    );
}

fn running(change: impl FnOnce(&mut ContainerSpec)) -> Arc<TaskSpec> {
    let mut container = ContainerSpec::image("nginx");
    change(&mut container);
    let runtime = Some(Runtime::Container(Box::new(container)));
    Arc::new(TaskSpec {
        runtime,
        ..TaskSpec::default()
    })
}

#[test]
fn what_tasks_and_services_share_counts_in_each() {
    let task = Task {
        spec: running(|_| ()),
        ..Task::new(Id::random())
    };
    grows(
        &task,
        &[
            |it| it.spec = running(|container| container.env = vec![text()]),
            |it| it.spec = running(|container| container.registry_login = text().into()),
            |it| {
                it.spec = running(|container| {
                    let source = text();
                    container.mounts = vec![Mount {
                        source,
                        ..Mount::default()
                    }];
                });
            },
            |it| {
                let descriptor = text();
                let preference = PlacementPreference::Spread { descriptor };
                Arc::make_mut(&mut it.spec)
                    .placement
                    .preferences
                    .push(preference);
            },
            |it| it.service_annotations = Annotations::named(text()).into(),
            |it| it.status.error = text(),
            |it| {
                let network = Network::named(Id::random(), text());
                it.networks.push(NetworkAttachment::to(network));
            },
            |it| {
                let ports = vec![PortConfig {
                    name: text(),
                    ..PortConfig::default()
                }];
                it.endpoint = Some(
                    Endpoint {
                        ports,
                        ..Endpoint::default()
                    }
                    .into(),
                );
            },
        ],
    );
    let mut service = Service::named(Id::random(), "web");
    service.spec.task = running(|_| ());
    grows(
        &service,
        &[
            |it| it.spec.task = running(|container| container.labels = labels()),
            |it| {
                let annotations = Annotations::named(text());
                let spec = ServiceSpec {
                    annotations,
                    ..ServiceSpec::default()
                };
                it.previous_spec = Some(Box::new(spec));
            },
        ],
    );
}

/// By count of bytes, of what the log keeps as history, and of what it keeps for who lags.
#[test]
fn a_history_counts_what_objects_point_to() {
    const DATA: usize = 64 << 10;
    const BYTES: u64 = 20 * DATA as u64;
    let bounds: [fn(Builder) -> Builder; 2] = [
        |builder| builder.history_bytes(BYTES),
        |builder| builder.watch_log_bytes_max(BYTES),
    ];
    for (at, bound) in bounds.into_iter().enumerate() {
        let store = bound(builder()).build();
        // For the second, who reads the log, and does not.
        let _watcher = (at == 1).then(|| store.watch(Filter::all()));
        for round in 0..600_u32 {
            let config = Config::named(id("a1"), "config", vec![round as u8; DATA]);
            store
                .update(|tx| tx.upsert(config.clone()))
                .expect("nothing is in the way");
        }
        store.reclaim();
        let stats = store.stats();
        assert!(stats.history_bytes <= BYTES, "{at}: {stats:?}");
        assert!(
            stats.history_bytes > BYTES - 2 * DATA as u64,
            "{at}: {stats:?}"
        );
        assert!((18..=20).contains(&stats.log_commits), "{at}: {stats:?}");
    }
}
