//! What a replaced object is found by, in each index, whatever part of it is another one: an update
//! leaves alone the entries of the indexes that it says are unchanged.

use skep::cluster::{self, Extension, Finder, Membership, NodeRole, Resource, Results, Search};
use skep::{Id, Store, View};

use super::any::{
    Any, IDS, KEYS, KINDS, NAMES, RUNTIMES, Row, STATES, VALUES, lower, of_table, random_object,
};
use super::common::Random;
use super::finders::{place, unanswered};

/// Replaces one object of a table, again and again, and asks every finder for it.
pub fn replace(random: &mut Random, table: &'static str, times: usize) {
    let store = cluster::builder().build();
    if table == "resource" {
        kinds(&store);
    }
    of_table!(table, T => replace_in::<T>(random, &store, times));
}

fn replace_in<T: Row>(random: &mut Random, store: &Store, times: usize) {
    let finders = all_finders().into_iter();
    let answered = finders.filter(|finder| unanswered(finder, T::TABLE).is_none());
    let searches: Vec<_> = answered
        .map(|finder| (Search::<T>::new(&finder).expect("it is answered"), finder))
        .collect();
    let mut there = None;
    for _ in 0..times {
        let next = next(random, T::TABLE, there.as_ref());
        let mut tx = store.begin();
        if let Some(gone) = there.as_ref().filter(|there| there.id() != next.id()) {
            tx.delete::<T>(&gone.id()).expect("it is there");
        }
        let put = tx.defer_checks(|tx| tx.upsert(T::unwrap(&next).clone()));
        if put.is_err() {
            // Of a ratio that is none, or a name that is a table's.
            continue;
        }
        let ids = |found: Results<'_, T>| -> Vec<Id> { found.map(|it| it.key()).collect() };
        let own: Vec<_> = searches.iter().map(|(it, _)| ids(it.find(&tx))).collect();
        tx.commit().expect("nobody is in the way");
        let read = store.read();
        for ((search, finder), own) in searches.iter().zip(own) {
            let wanted: Vec<Id> = place(finder, &next)
                .map(|_| next.id())
                .into_iter()
                .collect();
            assert_eq!(own, wanted, "{finder:?}, before the commit");
            let found = ids(search.find(&read));
            assert_eq!(found, wanted, "{finder:?} after {there:?} became {next:?}");
        }
        if let Any::Resource(resource) = &next {
            assert_by_kind_and_name(&read, resource);
        }
        there = Some(next);
    }
    assert!(there.is_some());
}

/// The index that no finder asks.
fn assert_by_kind_and_name(read: &View<'_>, resource: &Resource) {
    let own = (lower(&resource.kind), lower(&resource.annotations.name));
    for kind in NAMES {
        for name in NAMES {
            let value = (kind.to_owned(), name.to_owned());
            let found = read.exists(Resource::BY_KIND_AND_NAME.eq(value));
            let wanted = own == (lower(kind), lower(name));
            assert_eq!(found, wanted, "{kind} and {name} of {resource:?}");
        }
    }
}

/// Mostly another version of the one that is there.
fn next(random: &mut Random, table: &str, there: Option<&Any>) -> Any {
    loop {
        let other = random_object(random, table);
        match there {
            Some(there) if other.id() == there.id() => return partly(random, there, other),
            Some(_) if !random.one_in(20) => {}
            _ => return other,
        }
    }
}

/// An extension for each kind that a resource may be of.
fn kinds(store: &Store) {
    for name in NAMES {
        // Of names that differ in their case one is enough; that of a table is refused.
        let _ = store.update(|tx| tx.create(Extension::named(Id::random(), name)));
    }
}

/// More often than all of it one part of the object is taken from another one.
fn partly(random: &mut Random, there: &Any, other: Any) -> Any {
    let part = random.below(13);
    match (there.clone(), other) {
        (Any::Task(mut task), Any::Task(other)) => {
            match part {
                0 => task.annotations.indices = other.annotations.indices,
                // Then it is computed.
                1 => task.annotations.name.clear(),
                2 => task.service_annotations = other.service_annotations,
                3 | 4 => task.spec = other.spec,
                5 => task.service_id = other.service_id,
                6 => task.slot = other.slot,
                7 | 8 => task.node_id = other.node_id,
                9 => (task.desired_state, task.status) = (other.desired_state, other.status),
                10 => task.volumes = other.volumes,
                // An equal one in another place.
                11 => task.spec = task.spec.as_ref().clone().into(),
                _ => return Any::Task(other),
            }
            Any::Task(task)
        }
        (Any::Service(mut service), Any::Service(other)) => {
            let (spec, others) = (&mut service.spec, other.spec.clone());
            match part {
                0 => spec.annotations.indices = others.annotations.indices,
                1 => spec.annotations.name = others.annotations.name,
                2 | 3 => spec.networks = others.networks,
                4..=7 => spec.task = others.task,
                _ => return Any::Service(other),
            }
            Any::Service(service)
        }
        (Any::Node(mut node), Any::Node(other)) => {
            match part {
                0 | 1 => node.description = other.description,
                2 => node.role = other.role,
                3 => node.spec.membership = other.spec.membership,
                4 => node.spec.annotations.indices = other.spec.annotations.indices,
                _ => return Any::Node(other),
            }
            Any::Node(node)
        }
        (Any::Resource(mut resource), Any::Resource(other)) => {
            match part {
                0..=2 => resource.kind = other.kind,
                3 | 4 => resource.annotations.name = other.annotations.name,
                5 => resource.annotations.indices = other.annotations.indices,
                _ => return Any::Resource(other),
            }
            Any::Resource(resource)
        }
        (Any::Volume(mut volume), Any::Volume(other)) => {
            match part {
                0 | 1 => volume.spec.group = other.spec.group,
                2 | 3 => volume.spec.driver = other.spec.driver,
                4 => volume.spec.annotations = other.spec.annotations,
                _ => return Any::Volume(other),
            }
            Any::Volume(volume)
        }
        (_, other) => other,
    }
}

/// One finder for each value that random objects may have.
fn all_finders() -> Vec<Finder> {
    let mut all = vec![
        Finder::Service(None),
        Finder::Node(None),
        Finder::Role(NodeRole::Worker),
        Finder::Role(NodeRole::Manager),
        Finder::Membership(Membership::Pending),
        Finder::Membership(Membership::Accepted),
    ];
    for name in NAMES {
        all.push(Finder::Name(name.into()));
        all.push(Finder::NamePrefix(name.into()));
        all.push(Finder::NamePrefix(format!("{name}.")));
        all.push(Finder::Kind(name.into()));
    }
    for key in KEYS {
        for value in VALUES {
            let (key, value) = (key.to_owned(), value.to_owned());
            all.push(Finder::Custom { key, value });
        }
    }
    for id in IDS.map(|text| -> Id { format!("{text:0<25}").parse().expect("digits") }) {
        // As names of tasks begin that are in no slot.
        all.extend(NAMES.map(|name| Finder::NamePrefix(format!("{name}.{id}."))));
        all.extend([
            Finder::Service(Some(id)),
            Finder::Node(Some(id)),
            Finder::ReferencedNetwork(id),
            Finder::ReferencedSecret(id),
            Finder::ReferencedConfig(id),
            Finder::VolumeAttachment(id),
        ]);
        all.extend(KINDS.map(|kind| Finder::Reference { kind, id }));
        all.extend([0, 1, 12].map(|slot| Finder::Slot { service: id, slot }));
    }
    all.extend(RUNTIMES.map(|kind| Finder::Runtime(kind.into())));
    all.extend(STATES.map(Finder::DesiredState));
    all.extend(STATES.map(Finder::TaskState));
    all.extend(["", "g", "G"].map(|group| Finder::VolumeGroup(group.into())));
    all.extend(["d", "D"].map(|name| Finder::Driver(name.into())));
    all
}
