//! `#[derive(Object)]`: what each attribute makes of a field, seen through a store.

#![cfg(feature = "derive")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use skep::{CreateError, Id, Index, Object, Proposed, Rejected, Store, Transaction, UpdateError};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum State {
    Pending,
    Running,
}

/// A struct with an index of each kind.
#[derive(Clone, Debug, Object)]
#[object(index(BY_SERVICE_SLOT, fields(service, slot), unique))]
#[object(index(BY_STATE_ZONE, fields(state, zone)))]
struct Task {
    #[object(key)]
    id: Id,
    #[object(index)]
    node: Option<Id>,
    #[object(index(unique))]
    name: String,
    #[object(index(unique, fold_case))]
    title: Option<Arc<str>>,
    #[object(index(multi))]
    networks: Vec<Id>,
    #[object(index(multi, fold_case))]
    aliases: Option<BTreeSet<String>>,
    #[object(index(multi, text))]
    tags: Arc<[&'static str]>,
    #[object(index(text), index(fold_case, name = "BY_LABEL_FOLDED"))]
    label: Box<str>,
    #[object(index(name = "BY_PHASE"))]
    state: State,
    #[object(index(multi))]
    ports: [u16; 2],
    #[object(index)]
    r#type: u8,
    service: u32,
    slot: u64,
    zone: Option<String>,
}

/// A task with values that no other task has.
fn task(number: u32) -> Task {
    Task {
        id: id(number),
        node: None,
        name: format!("task-{number}"),
        title: None,
        networks: Vec::new(),
        aliases: None,
        tags: Arc::new([]),
        label: "".into(),
        state: State::Pending,
        ports: [0, 0],
        r#type: 0,
        service: number,
        slot: 0,
        zone: None,
    }
}

fn id(number: u32) -> Id {
    Id::from_u128(u128::from(number))
}

fn store() -> Store {
    common::builder()
        .table::<Task>()
        .table::<HTTPRouteSpec>()
        .build()
}

fn create(store: &Store, task: &Task) -> Result<(), UpdateError<CreateError>> {
    store.update(|tx| tx.create(task.clone()))
}

fn store_of(tasks: impl IntoIterator<Item = Task>) -> Store {
    let store = store();
    for task in tasks {
        create(&store, &task).expect("nothing is in its way");
    }
    store
}

#[track_caller]
fn assert_duplicate(created: Result<(), UpdateError<CreateError>>) {
    let refused = matches!(
        created,
        Err(UpdateError::Closure(CreateError::Duplicate(_)))
    );
    assert!(refused, "{created:?}");
}

/// The numbers of the tasks that a query finds, in its order.
macro_rules! found {
    ($store:expr, $query:expr) => {
        $store.view(|view| {
            let numbers = view.find($query).map(|task| task.id.as_u128());
            numbers.collect::<Vec<u128>>()
        })
    };
}

#[test]
fn key_and_table_are_the_declared_ones() {
    assert_eq!(Task::TABLE, "task");
    assert_eq!(task(7).key(), id(7));
    let store = store_of([task(7)]);
    store.view(|view| {
        let found = view.get::<Task>(&id(7)).expect("it was created");
        assert_eq!(found.name, "task-7");
    });
    let again = create(&store, &task(7));
    assert!(
        matches!(again, Err(UpdateError::Closure(CreateError::Exists { .. }))),
        "{again:?}"
    );
}

#[test]
fn optional_field_is_indexed_when_some() {
    let on = |number, node| Task {
        node,
        ..task(number)
    };
    let store = store_of([on(1, Some(id(50))), on(2, None), on(3, Some(id(50)))]);
    assert_eq!(found!(store, Task::BY_NODE.eq(id(50))), [1, 3]);
    assert_eq!(found!(store, Task::BY_NODE.all()), [1, 3]);
}

#[test]
fn unique_index_refuses_a_second_holder() {
    let store = store_of([task(1)]);
    assert_duplicate(create(
        &store,
        &Task {
            name: "task-1".to_owned(),
            ..task(2)
        },
    ));
    assert_eq!(found!(store, Task::BY_NAME.eq("task-1".to_owned())), [1]);
    create(&store, &task(2)).expect("its name is its own");
}

#[test]
fn case_folded_index_matches_whatever_the_case() {
    let titled = |number, title: &str| Task {
        title: Some(title.into()),
        ..task(number)
    };
    let store = store_of([titled(1, "Büro Nord"), task(2), task(3)]);
    for title in ["büro nord", "BÜRO NORD", "Büro Nord"] {
        assert_eq!(
            found!(store, Task::BY_TITLE.eq(title.to_owned())),
            [1],
            "{title}"
        );
    }
    assert_eq!(found!(store, Task::BY_TITLE.eq("Büro".to_owned())), [0; 0]);
    assert_eq!(found!(store, Task::BY_TITLE.prefix("BÜ")), [1]);
    assert_duplicate(create(&store, &titled(4, "bÜRO nORD")));
}

#[test]
fn multi_valued_index_has_each_element_once() {
    let joined = |number, networks: &[u32]| Task {
        networks: networks.iter().copied().map(id).collect(),
        ports: [80, 80 + number as u16],
        ..task(number)
    };
    let store = store_of([joined(1, &[10, 10, 11]), joined(2, &[11]), joined(3, &[])]);
    assert_eq!(found!(store, Task::BY_NETWORKS.eq(id(10))), [1]);
    assert_eq!(found!(store, Task::BY_NETWORKS.eq(id(11))), [1, 2]);
    assert_eq!(found!(store, Task::BY_NETWORKS.eq(id(12))), [0; 0]);
    assert_eq!(found!(store, Task::BY_PORTS.eq(80_u16)), [1, 2, 3]);
    assert_eq!(found!(store, Task::BY_PORTS.eq(82_u16)), [2]);
}

#[test]
fn multi_valued_index_folds_each_element() {
    let known_as = |number, aliases: [&str; 2]| Task {
        aliases: Some(aliases.map(str::to_owned).into()),
        ..task(number)
    };
    // Both aliases of the second fold to one value.
    let store = store_of([
        known_as(1, ["Web", "Front"]),
        known_as(2, ["WEB", "web"]),
        task(3),
    ]);
    assert_eq!(found!(store, Task::BY_ALIASES.eq("wEB".to_owned())), [1, 2]);
    assert_eq!(found!(store, Task::BY_ALIASES.eq("front".to_owned())), [1]);
}

#[test]
fn text_index_finds_by_prefix() {
    let labelled = |number, label: &str| Task {
        label: label.into(),
        ..task(number)
    };
    let store = store_of([
        labelled(1, "web-b"),
        labelled(2, "web-a"),
        labelled(3, "Webb"),
    ]);
    assert_eq!(found!(store, Task::BY_LABEL.prefix("web")), [2, 1]);
    assert_eq!(
        found!(store, Task::BY_LABEL_FOLDED.prefix("WEB")),
        [2, 1, 3]
    );
    assert_eq!(found!(store, Task::BY_LABEL.eq("Webb".to_owned())), [3]);
}

#[test]
fn multi_valued_text_index_finds_by_prefix() {
    let tagged = |number, tags: &[&'static str]| Task {
        tags: tags.into(),
        ..task(number)
    };
    let store = store_of([tagged(1, &["disk", "ssd"]), tagged(2, &["ssd-fast"])]);
    assert_eq!(found!(store, Task::BY_TAGS.prefix("ssd")), [1, 2]);
    assert_eq!(found!(store, Task::BY_TAGS.eq("disk".to_owned())), [1]);
}

#[test]
fn named_index_and_raw_identifier() {
    let running = Task {
        state: State::Running,
        r#type: 3,
        ..task(1)
    };
    let store = store_of([running, task(2)]);
    assert_eq!(found!(store, Task::BY_PHASE.eq(State::Running)), [1]);
    assert_eq!(found!(store, Task::BY_PHASE.eq(State::Pending)), [2]);
    assert_eq!(found!(store, Task::BY_TYPE.eq(3_u8)), [1]);
}

#[test]
fn composite_index_finds_exactly_and_by_its_first_field() {
    let placed = |number, service, slot| Task {
        service,
        slot,
        ..task(number)
    };
    let store = store_of([
        placed(1, 7, 2),
        placed(2, 7, 1),
        placed(3, 8, 0),
        placed(4, 6, 9),
    ]);
    assert_eq!(found!(store, Task::BY_SERVICE_SLOT.eq((7_u32, 2_u64))), [1]);
    let of_service = (7_u32, 0_u64)..(8, 0);
    assert_eq!(
        found!(store, Task::BY_SERVICE_SLOT.range(of_service)),
        [2, 1]
    );
    assert_duplicate(create(&store, &placed(5, 8, 0)));
}

#[test]
fn composite_index_needs_all_its_optional_fields() {
    let zoned = |number, zone: Option<&str>| Task {
        zone: zone.map(str::to_owned),
        ..task(number)
    };
    let store = store_of([zoned(1, Some("a")), zoned(2, None)]);
    let in_zone = (State::Pending, "a".to_owned());
    assert_eq!(found!(store, Task::BY_STATE_ZONE.eq(in_zone)), [1]);
    assert_eq!(found!(store, Task::BY_STATE_ZONE.all()), [1]);
}

/// A table without an index, named after its type; its key has a type of its own.
#[derive(Clone, Object)]
struct HTTPRouteSpec {
    #[object(key)]
    host_path: (String, u16),
}

/// A table with a name of its own, and the constants as visible as the type.
mod network {
    use skep::Object;

    #[derive(Clone, Object)]
    #[object(table = "networks")]
    pub(super) struct Network {
        #[object(key, index(fold_case))]
        pub(super) name: String,
    }
}

/// A struct that a macro declares: its types come within invisible groups.
macro_rules! declare {
    ($name:ident, $key:ty, $value:ty) => {
        #[derive(Clone, Object)]
        struct $name {
            #[object(key)]
            key: $key,
            #[object(index)]
            value: $value,
        }
    };
}
declare!(Declared, u64, Option<String>);

/// A collection of the user's own.
#[derive(Clone)]
struct Bag(Vec<u8>);

impl<'a> IntoIterator for &'a Bag {
    type Item = &'a u8;
    type IntoIter = std::slice::Iter<'a, u8>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Field and type names that generated code uses too, where the usual ones mean something else.
mod shadowed {
    use skep::Object as Derived;

    #[allow(dead_code, reason = "they only stand in the way")]
    mod std {}
    type String = u8;

    #[derive(Clone, Derived)]
    #[object(index(BY_ALL, fields(object, keys, value, element)))]
    pub(super) struct Shadowed {
        #[object(key, index)]
        pub(super) indexes: String,
        #[object(index)]
        pub(super) object: Option<String>,
        #[object(index(text))]
        pub(super) keys: &'static str,
        #[object(index(multi))]
        pub(super) value: Vec<String>,
        #[object(index(multi))]
        pub(super) element: Box<[String]>,
        #[object(index(multi))]
        pub(super) bag: super::Bag,
    }
}

#[test]
fn names_and_collections_of_the_users_own() {
    let store = common::builder().table::<shadowed::Shadowed>().build();
    let shadowed = shadowed::Shadowed {
        indexes: 1,
        object: Some(2),
        keys: "three",
        value: vec![4],
        element: Box::new([5]),
        bag: Bag(vec![6, 7]),
    };
    let created = store.update(|tx| tx.create(shadowed.clone()));
    created.expect("nothing is in its way");
    store.view(|view| {
        assert!(view.exists(shadowed::Shadowed::BY_INDEXES.eq(1_u8)));
        assert!(view.exists(shadowed::Shadowed::BY_OBJECT.eq(2_u8)));
        assert!(view.exists(shadowed::Shadowed::BY_KEYS.prefix("th")));
        assert!(view.exists(shadowed::Shadowed::BY_ELEMENT.eq(5_u8)));
        assert_eq!(view.count(shadowed::Shadowed::BY_BAG.eq(7_u8)), 1);
        let all = (2_u8, "three", vec![4_u8], Box::from([5_u8]));
        assert!(view.exists(shadowed::Shadowed::BY_ALL.eq(all)));
    });
}

#[test]
fn tables_are_named_after_their_types_or_as_told() {
    assert_eq!(HTTPRouteSpec::TABLE, "http_route_spec");
    assert_eq!(network::Network::TABLE, "networks");
    let spec = HTTPRouteSpec {
        host_path: ("a".to_owned(), 80),
    };
    assert_eq!(spec.key(), ("a".to_owned(), 80));
    let network = network::Network {
        name: "Net".to_owned(),
    };
    assert_eq!(network.key(), "Net");
}

#[test]
fn constants_have_the_types_of_their_values() {
    let _: Index<Task, Id> = Task::BY_NODE;
    let _: Index<Task, String> = Task::BY_TITLE;
    let _: Index<Task, Id> = Task::BY_NETWORKS;
    let _: Index<Task, String> = Task::BY_LABEL;
    let _: Index<Task, (u32, u64)> = Task::BY_SERVICE_SLOT;
    let _: Index<Task, (State, String)> = Task::BY_STATE_ZONE;
    let _: Index<network::Network, String> = network::Network::BY_NAME;
    let _: Index<Declared, String> = Declared::BY_VALUE;
    let declared = Declared {
        key: 4,
        value: None,
    };
    assert_eq!((declared.key(), declared.value), (4, None));
}

/// A struct that names functions and an index of its own.
#[derive(Clone, Debug, PartialEq, Object)]
#[object(index(BY_IDLE), check = Self::has_cores, complete = counted, bytes = machine_bytes)]
struct Machine {
    #[object(key)]
    id: u32,
    cores: u8,
    tasks: Vec<u32>,
    writes: u32,
}

impl Machine {
    /// By cores; machines without tasks only.
    const BY_IDLE: Index<Self, u8> = Index::new("by_idle", |machine, keys| {
        if machine.tasks.is_empty() {
            keys.add(machine.cores);
        }
    });

    fn has_cores(change: Proposed<'_, Self>, _: &Transaction<'_>) -> Result<(), Rejected> {
        match change.after() {
            Some(machine) if machine.cores == 0 => Err(Rejected::new("no cores")),
            _ => Ok(()),
        }
    }
}

fn counted(machine: &mut Machine, old: Option<&Machine>, _: &Transaction<'_>) {
    machine.writes = old.map_or(1, |old| old.writes + 1);
}

fn machine_bytes(machine: &Machine) -> usize {
    size_of::<Machine>() + size_of_val(&machine.tasks[..])
}

#[test]
fn functions_and_indexes_of_the_types_own_are_named() {
    let store = Store::builder()
        .table::<Machine>()
        .object_bytes_max(size_of::<Machine>() + 8)
        .build();
    let machine = |id, cores, tasks: &[u32]| Machine {
        id,
        cores,
        tasks: tasks.into(),
        writes: 0,
    };
    let create = |machine: Machine| store.update(|tx| tx.create(machine.clone()));
    create(machine(1, 8, &[])).unwrap();
    create(machine(2, 4, &[5, 6])).unwrap();
    assert_eq!(store.read().count(Machine::BY_IDLE.range(..)), 1);

    let refused = create(machine(3, 0, &[])).unwrap_err();
    assert!(refused.to_string().contains("no cores"), "{refused}");
    let large = create(machine(3, 8, &[1, 2, 3])).unwrap_err();
    assert!(large.to_string().contains("at most"), "{large}");

    let change = |machine: &mut Machine| machine.tasks.push(9);
    store.update(|tx| tx.modify::<Machine>(&1, change)).unwrap();
    let view = store.read();
    assert_eq!(
        view.get::<Machine>(&1).map(|machine| machine.writes),
        Some(2)
    );
    assert!(!view.exists(Machine::BY_IDLE.all()));
}
