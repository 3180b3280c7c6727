//! Finders: which table answers which, that queries and checks agree, order and duplicates.

mod common;
#[path = "common/cluster.rs"]
mod fixture;

use std::collections::HashSet;

use common::Random;
use fixture::{builder, create, filled, found, id};
use skep::cluster::{
    Annotations, Cluster, ClusterObject, Config, Extension, Finder, InvalidFind, Membership,
    Network, Node, NodeRole, Reads, Resource, ResourceType, Search, Secret, Service, Task,
    TaskState, Volume,
};
use skep::{Id, Object, Store, View, keys};

use Finder::{AllOf, AnyOf, Custom, CustomPrefix, IdPrefix, Name, NamePrefix, Not};

/// Finders that every table answers.
const COMMON: [&str; 9] = [
    "All",
    "IdPrefix",
    "Name",
    "NamePrefix",
    "Custom",
    "CustomPrefix",
    "AnyOf",
    "AllOf",
    "Not",
];

/// A finder of each sort, and some that find more or less.
fn finders() -> Vec<Finder> {
    let custom = |key: &str, value: &str| Custom {
        key: key.into(),
        value: value.into(),
    };
    let custom_prefix = |key: &str, prefix: &str| CustomPrefix {
        key: key.into(),
        prefix: prefix.into(),
    };
    let slot = |slot| Finder::Slot {
        service: id("a1"),
        slot,
    };
    let reference = |kind, at| Finder::Reference { kind, id: id(at) };
    vec![
        Finder::All,
        IdPrefix("a".into()),
        IdPrefix("b1".into()),
        IdPrefix("A".into()),
        IdPrefix(String::new()),
        Name("NAME1".into()),
        Name("name2".into()),
        Name("name".into()),
        NamePrefix("Name".into()),
        NamePrefix("name3".into()),
        NamePrefix(String::new()),
        custom("rack", "east-1"),
        custom("rack", "EAST-1"),
        custom_prefix("rack", "east"),
        custom_prefix("rac", ""),
        Finder::Runtime("Container".into()),
        Finder::Runtime("attachment".into()),
        Finder::ReferencedNetwork(id("a1")),
        Finder::ReferencedNetwork(id("a2")),
        Finder::ReferencedSecret(id("a1")),
        Finder::ReferencedSecret(id("a2")),
        Finder::ReferencedConfig(id("a1")),
        Finder::ReferencedConfig(id("a2")),
        Finder::Service(Some(id("a1"))),
        Finder::Service(None),
        Finder::Node(Some(id("a1"))),
        Finder::Node(None),
        slot(2),
        slot(0),
        Finder::DesiredState(TaskState::Shutdown),
        Finder::TaskState(TaskState::New),
        Finder::VolumeAttachment(id("a1")),
        Finder::Role(NodeRole::Worker),
        Finder::Membership(Membership::Pending),
        Finder::Kind("NAME2".into()),
        Finder::VolumeGroup("fast".into()),
        Finder::VolumeGroup(String::new()),
        Finder::Driver("test".into()),
        AnyOf(vec![Name("name1".into()), IdPrefix("a".into())]),
        AllOf(vec![IdPrefix("a".into()), NamePrefix("name".into())]),
        reference(ResourceType::Volume, "a3"),
        reference(ResourceType::Task, "a1"),
        reference(ResourceType::Task, "a3"),
        Not(Box::new(Name("name1".into()))),
        Not(Box::new(Not(Box::new(IdPrefix("a".into()))))),
        AllOf(vec![
            NamePrefix("name".into()),
            Not(Box::new(AnyOf(vec![
                Name("name2".into()),
                IdPrefix("b".into()),
            ]))),
        ]),
        AnyOf(vec![
            Not(Box::new(Finder::All)),
            IdPrefix("a2".into()),
            Finder::All,
        ]),
    ]
}

/// The store of the fixture, with custom entries of three objects of the tables with an index by
/// them of their own.
fn store() -> Store {
    let store = filled();
    let entries = [("a1", "east-1"), ("a2", "east-2"), ("a3", "west")];
    let written = store.update(|tx| {
        for (at, value) in entries {
            tx.modify::<Node>(&id(at), |node| add(&mut node.spec.annotations, value))?;
            tx.modify::<Task>(&id(at), |task| add(&mut task.annotations, value))?;
            tx.modify::<Secret>(&id(at), |secret| add(&mut secret.spec.annotations, value))?;
            tx.modify::<Service>(&id(at), |service| add(&mut service.spec.annotations, value))?;
            tx.modify::<Volume>(&id(at), |volume| add(&mut volume.spec.annotations, value))?;
            tx.modify::<Resource>(&id(at), |resource| add(&mut resource.annotations, value))?;
        }
        Ok::<_, skep::ReplaceError>(())
    });
    written.expect("they are there");
    store
}

fn add(annotations: &mut Annotations, value: &str) {
    *annotations = std::mem::take(annotations).index("rack", value);
}

/// Asserts that a table answers the finders that it is to answer and no others, and that what it
/// finds is what meets the check.
fn answers<T: ClusterObject>(own: &[&str]) {
    let store = store();
    let (view, snapshot) = (store.read(), store.snapshot());
    for finder in finders() {
        let label = finder.label();
        let search = Search::<T>::new(&finder);
        if !COMMON.contains(&label) && !own.contains(&label) {
            let table = T::TABLE;
            let refused = InvalidFind {
                table,
                finder: label,
            };
            assert_eq!(search.expect_err("no such index"), refused);
            let nested = AnyOf(vec![Finder::All, AllOf(vec![finder])]);
            assert_eq!(found::<T>(&view, &nested), Err(refused));
            continue;
        }
        let search = search.unwrap_or_else(|error| panic!("{error}"));
        let mut expected: Vec<Id> = view
            .find(keys::<T>().all())
            .filter(|object| search.matches(object))
            .map(Object::key)
            .collect();
        expected.sort();
        let context = format!("{} {finder:?}", T::TABLE);
        assert_eq!(sorted(&search, &view), expected, "{context}");
        assert_eq!(sorted(&search, &snapshot), expected, "{context}");
        let in_transaction = store.update(|tx| Ok::<_, ()>(sorted(&search, tx)));
        assert_eq!(in_transaction, Ok(expected), "{context}");
        goes_on_after_each(&search, &view, &context);
        goes_on_after_each(&search, &snapshot, &context);
        goes_on_after_each(&search, &store.begin(), &context);
    }
}

/// Asserts that a search goes on after each object that it finds with those that come after it.
fn goes_on_after_each<T: ClusterObject>(search: &Search<T>, reads: &impl Reads, context: &str) {
    let ids = |found: Vec<&T>| -> Vec<Id> { found.into_iter().map(Object::key).collect() };
    let whole: Vec<&T> = search.find(reads).collect();
    for (place, last) in whole.iter().enumerate() {
        let rest = ids(search.find_after(reads, last).collect());
        assert_eq!(
            rest,
            ids(whole[place + 1..].to_vec()),
            "{context} after {place}"
        );
    }
    let others: Vec<&T> = Search::new(&Finder::All)
        .expect("every table's")
        .find(reads)
        .filter(|object| !search.matches(object))
        .collect();
    for other in others {
        assert_eq!(search.find_after(reads, other).count(), 0, "{context}");
    }
}

fn sorted<T: ClusterObject>(search: &Search<T>, reads: &impl Reads) -> Vec<Id> {
    let mut found: Vec<Id> = search.find(reads).map(Object::key).collect();
    found.sort();
    found
}

#[test]
fn each_table_answers_its_finders_and_no_others() {
    answers::<Cluster>(&[]);
    answers::<Config>(&[]);
    answers::<Extension>(&[]);
    answers::<Network>(&[]);
    answers::<Secret>(&[]);
    answers::<Resource>(&["Kind"]);
    answers::<Volume>(&["VolumeGroup", "Driver"]);
    answers::<Node>(&["Role", "Membership"]);
    answers::<Service>(&[
        "Runtime",
        "ReferencedNetwork",
        "ReferencedSecret",
        "ReferencedConfig",
        "Reference",
    ]);
    answers::<Task>(&[
        "Runtime",
        "ReferencedNetwork",
        "ReferencedSecret",
        "ReferencedConfig",
        "Reference",
        "Service",
        "Node",
        "Slot",
        "DesiredState",
        "TaskState",
        "VolumeAttachment",
    ]);
}

/// A finder made of others, of a depth at most.
fn made_of(leaves: &[Finder], depth: u64, random: &mut Random) -> Finder {
    if depth == 0 || random.one_in(4) {
        return leaves[random.below(leaves.len() as u64) as usize].clone();
    }
    let mut some = |count: u64| -> Vec<Finder> {
        let made = (0..count).map(|_| made_of(leaves, depth - 1, random));
        made.collect()
    };
    match some(1).pop().expect("one") {
        Not(_) => AnyOf(some(2)),
        one if depth.is_multiple_of(2) => Not(Box::new(one)),
        one => {
            let all = [vec![one], some(2)].concat();
            if depth == 1 { AnyOf(all) } else { AllOf(all) }
        }
    }
}

/// What a finder is to find, in its order: of one that is not made of others, what is found.
fn told(view: &View<'_>, finder: &Finder) -> Vec<Id> {
    let mut all = match finder {
        AnyOf(finders) => finders.iter().flat_map(|it| told(view, it)).collect(),
        AllOf(finders) if finders.is_empty() => told(view, &Finder::All),
        AllOf(finders) => {
            let mut found = finders.iter().map(|it| told(view, it));
            let mut first = found.next().expect("there are some");
            let others: Vec<Vec<Id>> = found.collect();
            first.retain(|id| others.iter().all(|other| other.contains(id)));
            first
        }
        Not(finder) => {
            let (mut all, found) = (told(view, &Finder::All), told(view, finder));
            all.retain(|id| !found.contains(id));
            all
        }
        finder => Search::<Task>::new(finder)
            .expect("tasks answer it")
            .find(view)
            .map(Object::key)
            .collect::<Vec<Id>>(),
    };
    let mut seen = HashSet::new();
    all.retain(|id| seen.insert(*id));
    all
}

/// In their order, and from after each on.
#[test]
fn finders_made_of_finders_find_what_they_say() {
    let store = store();
    let view = store.read();
    let leaves: Vec<Finder> = finders()
        .into_iter()
        .filter(|finder| Search::<Task>::new(finder).is_ok())
        .collect();
    let mut random = Random::new(11);
    let mut some = 0;
    for _ in 0..common::scaled(300, 3_000) {
        let finder = made_of(&leaves, 3, &mut random);
        let search = Search::<Task>::new(&finder).expect("tasks answer it");
        let expected = told(&view, &finder);
        let found: Vec<Id> = search.find(&view).map(Object::key).collect();
        assert_eq!(found, expected, "{finder:?}");
        goes_on_after_each(&search, &view, &format!("{finder:?}"));
        some += usize::from(!expected.is_empty() && expected.len() < 4);
    }
    assert!(some > 50, "{some} of them find some");
}

/// What [`finders`] leaves out would not be checked above.
#[test]
fn the_finders_are_of_every_sort() {
    let mut labels: Vec<_> = finders().iter().map(Finder::label).collect();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(labels.len(), 25);
}

#[test]
fn finders_find_what_they_say() {
    let store = store();
    let view = store.read();
    let tasks = |finder| found::<Task>(&view, &finder).expect("a task's");
    assert_eq!(tasks(Finder::Node(Some(id("a1")))), ["a1"]);
    assert_eq!(tasks(Finder::Node(None)), ["a2", "a3", "b1"]);
    assert_eq!(tasks(Finder::Service(Some(id("a1")))), ["a2"]);
    let slot = |slot| Finder::Slot {
        service: id("a1"),
        slot,
    };
    assert_eq!(tasks(slot(2)), ["a2"]);
    assert_eq!(tasks(slot(1)), Vec::<String>::new());
    assert_eq!(tasks(Finder::DesiredState(TaskState::Shutdown)), ["a3"]);
    assert_eq!(tasks(Finder::TaskState(TaskState::Running)), ["a3"]);
    assert_eq!(tasks(Finder::ReferencedSecret(id("a2"))), ["b1"]);
    assert_eq!(tasks(Finder::ReferencedConfig(id("a2"))), ["b1"]);
    assert_eq!(tasks(Finder::VolumeAttachment(id("a1"))), ["b1"]);
    let reference = |kind, at| Finder::Reference { kind, id: id(at) };
    assert_eq!(tasks(reference(ResourceType::Volume, "a3")), ["b1"]);
    assert_eq!(tasks(reference(ResourceType::Secret, "a2")), ["b1"]);
    assert_eq!(
        tasks(reference(ResourceType::Task, "a3")),
        Vec::<String>::new()
    );
    let not = |finder| Finder::Not(Box::new(finder));
    assert_eq!(tasks(not(Finder::Node(None))), ["a1"]);
    assert_eq!(
        tasks(AllOf(vec![Finder::Node(None), not(IdPrefix("a".into()))])),
        ["b1"]
    );
    assert_eq!(tasks(Finder::Runtime("CONTAINER".into())), ["b1"]);
    let services = |finder| found::<Service>(&view, &finder).expect("a service's");
    assert_eq!(services(Finder::ReferencedSecret(id("a1"))), ["a3"]);
    // The task spec's networks take the place of the service's own.
    assert_eq!(services(Finder::ReferencedNetwork(id("a1"))), ["a2"]);
    assert_eq!(services(Finder::ReferencedNetwork(id("a2"))), ["a3"]);
    let kind = Finder::Kind("Name2".into());
    assert_eq!(found::<Resource>(&view, &kind), Ok(vec!["a2".into()]));
    let driver = |name: &str| found::<Volume>(&view, &Finder::Driver(name.into()));
    assert_eq!(driver("test").map(|found| found.len()), Ok(4));
    assert_eq!(driver("fast"), Ok(vec![]));
    let group = Finder::VolumeGroup("fast".into());
    assert_eq!(
        found::<Volume>(&view, &group),
        Ok(vec!["a1".into(), "a2".into()])
    );
}

#[test]
fn any_of_gives_each_object_once_in_the_order_of_its_branches() {
    let store = filled();
    let view = store.read();
    let nodes = |finders: Vec<Finder>| found::<Node>(&view, &AnyOf(finders)).expect("a node's");
    let name = |name: &str| Name(name.into());
    let prefix = |prefix: &str| IdPrefix(prefix.into());
    assert_eq!(nodes(vec![]), Vec::<String>::new());
    assert_eq!(nodes(vec![name("name1")]), ["a1"]);
    assert_eq!(nodes(vec![name("name1"), name("name1")]), ["a1"]);
    assert_eq!(
        nodes(vec![name("name2"), name("name1")]),
        ["a2", "a3", "a1"]
    );
    assert_eq!(nodes(vec![name("name1"), prefix("a1")]), ["a1"]);
    assert_eq!(nodes(vec![name("name1"), prefix("c")]), ["a1"]);
    assert_eq!(nodes(vec![prefix("a3"), prefix("a2")]), ["a3", "a2"]);
    assert_eq!(nodes(vec![prefix("a3"), prefix("a")]), ["a3", "a1", "a2"]);
    let nested = AnyOf(vec![prefix("b"), name("name1")]);
    assert_eq!(nodes(vec![nested, prefix("a1")]), ["b1", "a1"]);
}

#[test]
fn all_of_keeps_what_each_finds_in_the_order_of_the_first() {
    let store = filled();
    let view = store.read();
    let nodes = |finders: Vec<Finder>| found::<Node>(&view, &AllOf(finders)).expect("a node's");
    let accepted = || Finder::Membership(Membership::Accepted);
    assert_eq!(nodes(vec![]), ["a1", "a2", "a3", "b1"]);
    assert_eq!(nodes(vec![accepted(), IdPrefix("a".into())]), ["a2", "a3"]);
    let reversed = AnyOf(vec![IdPrefix("b".into()), IdPrefix("a".into())]);
    assert_eq!(nodes(vec![reversed, accepted()]), ["b1", "a2", "a3"]);
    let other = Name("other1".into());
    assert_eq!(nodes(vec![accepted(), AllOf(vec![other])]), ["b1"]);
}

#[test]
fn a_prefix_gives_an_object_with_several_values_once_in_the_order_of_values() {
    let store = builder().build();
    let node = |at: &str, values: [&str; 2]| {
        let mut node = Node::new(id(at));
        values
            .iter()
            .for_each(|value| add(&mut node.spec.annotations, value));
        node
    };
    create(
        &store,
        vec![
            node("a1", ["x3", "x2"]),
            node("a2", ["x1", "x4"]),
            node("a3", ["x2", "y"]),
        ],
    );
    let prefix = CustomPrefix {
        key: "rack".into(),
        prefix: "x".into(),
    };
    let found = found::<Node>(&store.read(), &prefix);
    assert_eq!(found, Ok(vec!["a2".into(), "a1".into(), "a3".into()]));
}

#[test]
fn custom_keys_and_values_do_not_run_into_each_other() {
    let store = builder().build();
    let entries = [
        ("a1", "k", "v|x"),
        ("a2", "k|v", "x"),
        ("a3", "k", "\u{10ffff}"),
        ("a4", "k\0", ""),
        ("a5", "k", ""),
    ];
    let node = |(at, key, value): &(&str, &str, &str)| {
        let mut node = Node::new(id(at));
        node.spec.annotations = Annotations::default().index(*key, *value);
        node
    };
    create(&store, entries.iter().map(node).collect());
    let view = store.read();
    for (at, key, value) in entries {
        let (key, value) = (key.to_owned(), value.to_owned());
        let exact = found::<Node>(&view, &Custom { key, value });
        assert_eq!(exact, Ok(vec![at.to_owned()]));
    }
    let beginning = |key: &str, prefix: &str| {
        let (key, prefix) = (key.to_owned(), prefix.to_owned());
        found::<Node>(&view, &CustomPrefix { key, prefix }).expect("every table's")
    };
    assert_eq!(beginning("k", ""), ["a5", "a1", "a3"]);
    assert_eq!(beginning("k", "\u{10ffff}"), ["a3"]);
    assert_eq!(beginning("k\0", ""), ["a4"]);
    assert_eq!(beginning("k|", ""), Vec::<String>::new());
}

#[test]
fn a_transaction_finds_its_own_writes() {
    let store = filled();
    let seen = store.update(|tx| {
        tx.modify::<Task>(&id("a2"), |task| task.node_id = Some(id("a1")))?;
        tx.delete::<Task>(&id("a1")).expect("it is there");
        let on_node = Finder::Node(Some(id("a1")));
        Ok::<_, skep::ReplaceError>(found::<Task>(tx, &on_node))
    });
    assert_eq!(seen, Ok(Ok(vec!["a2".into()])));
}
