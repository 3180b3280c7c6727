//! Objects of a cluster there and back, through a format for people and one for machines.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use skep::Id;
use skep::cluster::{
    Annotations, Bytes, Certificate, Cluster, Config, ConfigReference, ContainerSpec,
    ContainerStatus, Driver, EncryptionKey, Endpoint, Extension, Finder, GenericResource,
    GenericRuntime, Labels, Membership, Mount, Network, NetworkAttachment, Node, NodeDescription,
    NodeRole, Payload, PlacementPreference, PortConfig, Resource, ResourceReference, ResourceType,
    RestartCondition, RootRotation, Runtime, Secret, SecretBytes, SecretReference, Service,
    ServiceMode, Task, TaskSpec, TaskState, TaskStatus, UpdateConfig, UpdateStatus, VirtualIp,
    Volume, VolumeAttachment, VolumePublishState, VolumePublishStatus,
};
use skep_benches::cluster::Tasks;

fn id(number: u128) -> Id {
    Id::from_u128(number)
}

/// Through both formats.
fn round_trips<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("it has a JSON");
    assert_eq!(
        &serde_json::from_str::<T>(&text).expect("its own JSON"),
        value
    );
    let bytes = postcard::to_stdvec(value).expect("it has bytes");
    assert_eq!(
        &postcard::from_bytes::<T>(&bytes).expect("its own bytes"),
        value
    );
}

fn annotations() -> Annotations {
    Annotations::named("näme")
        .label("a", "b")
        .index("rack", "east|1")
}

fn container() -> ContainerSpec {
    ContainerSpec {
        env: vec!["A=b".into()],
        init: Some(false),
        stop_grace_period: Some(Duration::from_millis(1500)),
        mounts: vec![Mount::default()],
        registry_login: SecretBytes::from("login"),
        secrets: vec![SecretReference::new(id(1), "secret")],
        configs: vec![ConfigReference::new(id(2), "config")],
        healthcheck: Some(Default::default()),
        ..ContainerSpec::image("image")
    }
}

fn spec() -> TaskSpec {
    let mut spec = TaskSpec {
        runtime: Some(Runtime::Container(Box::new(container()))),
        log_driver: Some(Driver::named("json")),
        resource_references: vec![ResourceReference {
            id: id(3),
            kind: ResourceType::Config,
        }],
        ..TaskSpec::default()
    };
    spec.resources.reservations.generic = vec![
        GenericResource::Named {
            kind: "gpu".into(),
            value: "uuid-1".into(),
        },
        GenericResource::Discrete {
            kind: "ssd".into(),
            value: 3,
        },
    ];
    spec.restart.condition = RestartCondition::OnFailure;
    spec.placement.preferences = vec![PlacementPreference::Spread {
        descriptor: "node.labels.rack".into(),
    }];
    spec
}

fn endpoint() -> Endpoint {
    Endpoint {
        ports: vec![PortConfig::default()],
        virtual_ips: vec![VirtualIp {
            network_id: id(4),
            address: "10.0.0.2/24".into(),
        }],
        ..Endpoint::default()
    }
}

#[test]
fn tasks() {
    let mut task = Task {
        annotations: annotations(),
        spec: spec().into(),
        service_id: Some(id(5)),
        node_id: None,
        endpoint: Some(endpoint().into()),
        networks: vec![NetworkAttachment::to(Network::named(id(4), "overlay"))],
        volumes: vec![VolumeAttachment {
            id: id(6),
            source: "source".into(),
            target: "/target".into(),
        }],
        ..Task::new(id(7))
    };
    task.status.timestamp = Some(SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_891));
    task.status.container = Some(ContainerStatus {
        exit_code: Some(-1),
        ..ContainerStatus::default()
    });
    round_trips(&task);
    round_trips(&Task::new(id(8)));
    let generic = Runtime::Generic(GenericRuntime {
        kind: "wasm".into(),
        payload: Payload::default(),
    });
    round_trips(&generic);
}

/// Numbers stay as they are when states come between; names are for people.
#[test]
fn states_are_names_or_numbers() {
    for state in TaskState::ALL {
        round_trips(&state);
        let number = postcard::to_stdvec(&state.number()).expect("a number");
        assert_eq!(postcard::to_stdvec(&state), Ok(number));
    }
    let running = serde_json::to_string(&TaskState::Running).expect("a name");
    assert_eq!(running, "\"Running\"");
    assert!(serde_json::from_str::<TaskState>("\"running\"").is_err());
    assert!(postcard::from_bytes::<TaskState>(&[1]).is_err());
}

#[test]
fn services() {
    let mut service = Service::named(id(1), "web");
    service.spec.annotations = annotations();
    service.spec.task = spec().into();
    service.spec.update = Some(UpdateConfig {
        failure_ratio_max: 0.25,
        ..UpdateConfig::default()
    });
    service.previous_spec = Some(Box::new(service.spec.clone()));
    service.endpoint = Some(endpoint().into());
    service.update_status = Some(UpdateStatus::default());
    let modes = [
        ServiceMode::Replicated { replicas: 3 },
        ServiceMode::Global,
        ServiceMode::ReplicatedJob {
            concurrent_max: 2,
            completions: 9,
        },
        ServiceMode::GlobalJob,
    ];
    for mode in modes {
        service.spec.mode = mode;
        round_trips(&service);
    }
}

#[test]
fn the_other_objects() {
    let mut node = Node::named(id(1), "host");
    node.role = NodeRole::Manager;
    node.spec.membership = Membership::Accepted;
    node.description = Some(NodeDescription {
        csi_info: vec![Default::default()],
        ..NodeDescription::named("host")
    });
    node.certificate = Certificate {
        certificate: Bytes::from("pem"),
        node_id: Some(id(1)),
        ..Certificate::default()
    };
    round_trips(&node);

    let mut cluster = Cluster::named(id(1), "default");
    cluster.unlock_keys = vec![EncryptionKey::default()];
    cluster.root_ca.rotation = Some(RootRotation::default());
    let certificates = &mut cluster.blacklisted_certificates;
    certificates.insert("node".into(), Some(SystemTime::UNIX_EPOCH));
    round_trips(&cluster);

    let mut volume = Volume::named(id(1), "data", "test");
    volume.publish_status = vec![VolumePublishStatus {
        node_id: id(2),
        state: VolumePublishState::Published,
        publish_context: Labels::new(),
        message: String::new(),
    }];
    round_trips(&volume);

    round_trips(&Config::named(id(1), "config", vec![0, 255, 7]));
    round_trips(&Extension::named(id(1), "kind"));
    round_trips(&Network::named(id(1), "overlay"));
    round_trips(&Resource::named(id(1), "kind", "name"));
    let finder = Finder::AnyOf(vec![Finder::All, Finder::Node(Some(id(1)))]);
    round_trips(&finder);
}

/// A format without a bound of its own would else decode until the stack ends.
#[test]
fn finders_are_nested_by_so_many_levels() {
    let nested = |levels| (0..levels).fold(Finder::All, |it, _| Finder::Not(Box::new(it)));
    let bytes = |levels| {
        let mut bytes = postcard::to_stdvec(&nested(1)).expect("it has bytes");
        let all = bytes.pop().expect("what is nested");
        bytes.resize(levels, bytes[0]);
        bytes.push(all);
        bytes
    };
    for _ in 0..2 {
        let deepest = postcard::from_bytes(&bytes(Finder::NESTING_MAX));
        assert_eq!(deepest, Ok(nested(Finder::NESTING_MAX)));
        for levels in [Finder::NESTING_MAX + 1, 1_000_000] {
            assert!(postcard::from_bytes::<Finder>(&bytes(levels)).is_err());
        }
    }
    // Those beside one another are no levels.
    round_trips(&Finder::AnyOf(vec![nested(9); 2 * Finder::NESTING_MAX]));
    let text = serde_json::to_string(&nested(Finder::NESTING_MAX + 1)).expect("it has a JSON");
    let error = serde_json::from_str::<Finder>(&text).expect_err("too deep");
    let told = "finders are nested by more than 64 levels";
    assert!(error.to_string().starts_with(told), "{error}");
}

/// Long enough to outgrow what is reserved for a list of unknown length, several times.
#[test]
fn secrets_of_every_length() {
    for length in [0, 1, 63, 64, 65, 128, 129, 1000] {
        let bytes: Vec<u8> = (0..length).map(|at| at as u8).collect();
        round_trips(&SecretBytes::from(bytes.clone()));
        round_trips(&Bytes::from(bytes.clone()));
        round_trips(&Secret::named(id(1), "password", bytes));
    }
    assert!(serde_json::from_str::<SecretBytes>("[1, 256]").is_err());
    let text = serde_json::from_str::<SecretBytes>("\"text\"");
    assert_eq!(text.expect("bytes of a text").expose(), b"text");
    let text = serde_json::from_value::<SecretBytes>("text".into());
    assert_eq!(text.expect("the same, once read").expose(), b"text");
}

/// What stands there may be the secret, told in the wrong way.
#[test]
fn an_error_does_not_repeat_a_secret() {
    let secret = serde_json::to_string(&Secret::named(id(1), "password", "")).expect("JSON");
    let wrong = [
        "[\"4711\"]",
        "[[4711]]",
        "[47,11,4711]",
        "[4711.5]",
        "{\"4711\":4711}",
        "4711",
        "-4711",
        "4711.5",
    ];
    for wrong in wrong {
        let secret = secret.replacen("\"data\":[]", &format!("\"data\":{wrong}"), 1);
        let errors = [
            serde_json::from_str::<Secret>(&secret).expect_err(wrong),
            serde_json::from_value::<Secret>(secret.parse().expect("JSON")).expect_err(wrong),
        ];
        for error in errors.map(|error| error.to_string()) {
            assert!(!error.contains("4711"), "{error}");
            assert!(error.contains("a secret that is neither"), "{error}");
        }
    }
}

/// Who leaves a field out is told so, but for one that may be none: then it is none.
#[test]
fn an_object_that_lacks_a_field_is_refused() {
    let mut object = serde_json::to_value(Config::named(id(1), "name", "data")).expect("JSON");
    let fields = object.as_object_mut().expect("fields");
    fields.remove("spec_version").expect("it was there");
    let spec = fields["spec"].as_object_mut().expect("fields");
    spec.remove("templating").expect("it was there");
    let read = serde_json::from_value::<Config>(object.clone());
    assert_eq!(read.expect("none"), Config::named(id(1), "name", "data"));
    object["spec"]["annotations"]
        .as_object_mut()
        .and_then(|fields| fields.remove("labels"))
        .expect("it was there");
    let error = serde_json::from_value::<Config>(object).expect_err("it lacks labels");
    assert!(error.to_string().contains("labels"), "{error}");
}

/// The synthetic task is of the size that it is said to have.
#[test]
fn the_benches_task_has_about_730_bytes() {
    let tasks = Tasks::default();
    let size = |number| {
        postcard::to_stdvec(&tasks.task(number))
            .expect("bytes")
            .len()
    };
    for number in [0, 1, 99, 100, 12_345, 99_999] {
        round_trips(&tasks.task(number));
        let bytes = size(number);
        assert!((690..=770).contains(&bytes), "task {number}: {bytes} bytes");
    }
    let task = tasks.task(12_345);
    assert_eq!(task.slot, 124);
    assert_eq!(task.node_id, tasks.task(2_345).node_id);
    assert_eq!(task.service_id, tasks.task(45).service_id);
    assert_ne!(task.service_id, tasks.task(46).service_id);
}

/// After 1970 as serde writes them, byte by byte; before it, where serde has no form, as well.
#[test]
fn times_have_serdes_form_and_one_before_1970() {
    let status = |timestamp| TaskStatus {
        timestamp,
        ..TaskStatus::default()
    };
    let away = Duration::new(1, 500_000_000);
    let after = SystemTime::UNIX_EPOCH + away;
    round_trips(&status(None));
    round_trips(&status(Some(after)));
    let bytes = postcard::to_stdvec(&status(Some(after))).expect("it has bytes");
    assert!(bytes.starts_with(&postcard::to_stdvec(&Some(after)).expect("it has bytes")));
    let text = serde_json::to_string(&status(Some(after))).expect("it has a JSON");
    assert!(text.contains(&serde_json::to_string(&after).expect("it has a JSON")));

    let before = status(Some(SystemTime::UNIX_EPOCH - away));
    round_trips(&before);
    let text = serde_json::to_string(&before).expect("it has a JSON");
    let told = r#""timestamp":{"secs_since_epoch":-2,"nanos_since_epoch":500000000}"#;
    assert!(text.contains(told), "{text}");
    // What is missing is not known, as of any field that may be empty.
    let mut status: serde_json::Value = serde_json::from_str(&text).expect("its own JSON");
    status.as_object_mut().expect("fields").remove("timestamp");
    let without: TaskStatus = serde_json::from_value(status).expect("all but one field");
    assert_eq!(without.timestamp, None);
    let never = text.replace(":-2,", ":-9223372036854775809,");
    assert!(serde_json::from_str::<TaskStatus>(&never).is_err());
}
