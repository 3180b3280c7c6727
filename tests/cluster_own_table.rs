//! A program's own table among those of a cluster: names, finders, specifiers, versions of specs.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::borrow::Cow;

use fixture::{builder, found, id, rule, short};
use skep::cluster::{
    Annotations, ClusterObject, CustomKey, Finder, InvalidFind, Lookup, RuleError, Search, Service,
    Specified, Specifier, check_name, keep_spec_version,
};
use skep::{
    CreateError, Event, Id, Index, Indexes, Object, Proposed, Rejected, ReplaceError, Store,
    Transaction, UpdateError, Version, fold_case, keys,
};

/// A device of a node.
#[derive(Clone, Debug, PartialEq)]
struct Device {
    id: Id,
    spec: DeviceSpec,
    spec_version: Version,
    node: Option<Id>,
}

#[derive(Clone, Debug, PartialEq)]
struct DeviceSpec {
    annotations: Annotations,
    model: String,
}

impl Device {
    const BY_NAME: Index<Self, String> = Index::new("by_name", |device: &Self, keys| {
        keys.add(device.spec.annotations.name.clone());
    })
    .unique()
    .normalized(fold_case);
    const BY_CUSTOM: Index<Self, CustomKey> = Index::new("by_custom", |device: &Self, keys| {
        let entries = device.spec.annotations.custom_keys();
        entries.for_each(|entry| keys.add(entry));
    });
    const BY_NODE: Index<Self, Option<Id>> =
        Index::new("by_node", |device: &Self, keys| keys.add(device.node));
    const BY_MODEL: Index<Self, String> = Index::new("by_model", |device: &Self, keys| {
        keys.add(device.spec.model.clone());
    })
    .normalized(fold_case);

    fn new(at: &str, name: &str, model: &str) -> Self {
        Self {
            id: id(at),
            spec: DeviceSpec {
                annotations: Annotations::named(name).index("rack", name),
                model: model.into(),
            },
            spec_version: Version::ZERO,
            node: None,
        }
    }
}

impl Object for Device {
    type Key = Id;
    const TABLE: &'static str = "device";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes
            .add(Self::BY_NAME)
            .add(Self::BY_CUSTOM)
            .add(Self::BY_NODE)
            .add(Self::BY_MODEL);
    }

    fn complete(&mut self, old: Option<&Self>, tx: &Transaction<'_>) {
        keep_spec_version(self, old, tx);
    }

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        check_name(change, tx)
    }
}

impl ClusterObject for Device {
    const BY_NAME: Index<Self, String> = Self::BY_NAME;
    const BY_CUSTOM: Index<Self, CustomKey> = Self::BY_CUSTOM;

    fn name(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.spec.annotations.name))
    }

    fn annotations(&self) -> &Annotations {
        &self.spec.annotations
    }

    fn lookup(finder: &Finder) -> Option<Lookup<Self>> {
        match finder {
            Finder::Node(node) => Some(Lookup::exact(Self::BY_NODE, *node, |device, node| {
                device.node == *node
            })),
            Finder::Kind(model) => Some(Lookup::folded(Self::BY_MODEL, model, |device| {
                Some(&device.spec.model)
            })),
            _ => None,
        }
    }
}

impl Specified for Device {
    type Spec = DeviceSpec;

    fn spec(&self) -> &DeviceSpec {
        &self.spec
    }

    fn spec_mut(&mut self) -> &mut DeviceSpec {
        &mut self.spec
    }

    fn spec_version(&self) -> Version {
        self.spec_version
    }

    fn set_spec_version(&mut self, version: Version) {
        self.spec_version = version;
    }
}

/// Two devices of one model, the first one on a node, and another.
fn store() -> Store {
    let store = builder().table::<Device>().build();
    let created = store.update(|tx| {
        tx.create(Device {
            node: Some(id("a1")),
            ..Device::new("a1", "East", "T4")
        })?;
        tx.create(Device::new("a2", "west", "t4"))?;
        tx.create(Device::new("b1", "north", "A10"))?;
        // Names are unique in a table, not beyond.
        tx.create(Service::named(id("a1"), "east"))
    });
    assert_eq!(created, Ok(()));
    store
}

#[test]
fn its_names_are_unique_whatever_the_case() {
    let store = store();
    let conflict = |claimant: &str, name: &str| RuleError::NameConflict {
        table: "device",
        name: name.into(),
        holder: id("a1"),
        claimant: id(claimant),
    };
    // Before the ID is looked at.
    for at in ["a1", "a2", "c"] {
        let refused = store.update(|tx| tx.create(Device::new(at, "EAST", "T4")));
        assert_eq!(rule(refused), conflict(at, "EAST"));
    }
    let exists = store.update(|tx| tx.create(Device::new("a1", "fresh", "T4")));
    assert!(matches!(
        exists,
        Err(UpdateError::Closure(CreateError::Exists(_)))
    ));
    let rename = |name: &'static str| {
        store.update(|tx| {
            tx.modify::<Device>(&id("a2"), |it| it.spec.annotations.name = name.into())
        })
    };
    assert_eq!(rule(rename("east")), conflict("a2", "east"));
    assert_eq!(rename("West"), Ok(()));
}

#[test]
fn finders_find_it_by_what_it_answers() {
    let store = store();
    let view = store.read();
    let devices = |finder: Finder| found::<Device>(&view, &finder);
    let all = |ids: &[&str]| Ok(ids.iter().map(|&at| at.to_owned()).collect::<Vec<_>>());
    assert_eq!(devices(Finder::All), all(&["a1", "a2", "b1"]));
    assert_eq!(devices(Finder::Name("EAST".into())), all(&["a1"]));
    assert_eq!(devices(Finder::NamePrefix("N".into())), all(&["b1"]));
    assert_eq!(devices(Finder::IdPrefix("a".into())), all(&["a1", "a2"]));
    let (key, value) = ("rack".to_owned(), "west".to_owned());
    assert_eq!(devices(Finder::Custom { key, value }), all(&["a2"]));
    assert_eq!(devices(Finder::Node(Some(id("a1")))), all(&["a1"]));
    let model = || Finder::Kind("T4".into());
    assert_eq!(devices(model()), all(&["a1", "a2"]));
    let free = Finder::AllOf(vec![model(), Finder::Node(None)]);
    assert_eq!(devices(free), all(&["a2"]));
    assert_eq!(devices(Finder::Not(Box::new(model()))), all(&["b1"]));
    let refused = InvalidFind {
        table: "device",
        finder: "Driver",
    };
    assert_eq!(devices(Finder::Driver("x".into())), Err(refused));
    // And by look-ups that no finder says.
    let search = Search::of(Lookup::<Device>::keyed(id("a2")));
    assert_eq!(search.find(&view).count(), 1);
    let on_nodes = keys::<Device>().all().except(Device::BY_NODE.eq(None));
    let on_nodes = Lookup::of(on_nodes, |device: &Device| device.node.is_some());
    let on_nodes: Vec<String> = Search::of(on_nodes)
        .find(&view)
        .map(|it| short(it.id))
        .collect();
    assert_eq!(on_nodes, ["a1"]);
}

#[test]
fn watchers_are_told_of_it_by_what_it_answers() {
    let store = store();
    let model = Finder::Kind("t4".into());
    let of_model = Specifier::<Device>::new().finder(&model).expect("answered");
    let on_node = Specifier::<Device>::new().search(Search::of(Lookup::exact(
        Device::BY_NODE,
        Some(id("a1")),
        |device: &Device, node| device.node == *node,
    )));
    let mut watchers = [
        store.watch(of_model),
        store.watch(on_node),
        store.watch(Specifier::<Device>::new().name("NORTH")),
    ];
    let touched = store.update(|tx| {
        ["a1", "a2", "b1"]
            .into_iter()
            .try_for_each(|at| tx.modify::<Device>(&id(at), |_| {}))
    });
    assert_eq!(touched, Ok(()));
    let told = watchers.each_mut().map(|watcher| -> Vec<String> {
        let events = common::events(watcher);
        let changes = events.iter().filter_map(Event::change);
        let new = changes.filter_map(|change| change.new_object::<Device>());
        new.map(|device| short(device.id)).collect()
    });
    assert_eq!(told, [vec!["a1", "a2"], vec!["a1"], vec!["b1"]]);
}

#[test]
fn its_spec_has_a_version_of_its_own() {
    let store = store();
    let key = id("a1");
    let read = || {
        let view = store.read();
        let device = view.get::<Device>(&key).expect("it is there");
        device.spec_version()
    };
    let first = read();
    assert!(first > Version::ZERO);
    let moved = store.update(|tx| tx.modify::<Device>(&key, |it| it.node = None));
    assert_eq!((moved, read()), (Ok(()), first));
    let change = |version| {
        store.update(|tx| Device::modify_spec_at(tx, &key, version, |spec| spec.model.push('i')))
    };
    assert_eq!(change(first), Ok(()));
    assert!(read() > first);
    assert!(matches!(
        change(first),
        Err(UpdateError::Closure(ReplaceError::OutOfSequence { .. }))
    ));
}
