//! Versions of specs in stores with a proposer: they are its versions, and grow on all members.

use std::sync::Arc;

use skep::cluster::{self, Node, Service, Specified};
use skep::testing::TestProposer;
use skep::{Action, Id, Store, Version, keys};

fn at(version: u64) -> Version {
    Version::new(version)
}

/// A version of a spec is the proposer's, too: it grows from member to member, however few commits
/// that member has made itself.
#[test]
fn versions_of_specs_grow_from_member_to_member() {
    let of = |store: &Store, id| {
        let view = store.read();
        view.get::<Service>(id).map(Service::spec_version)
    };
    let id = Id::from_u128(1);
    let one = TestProposer::new();
    let leader = cluster::builder().proposer(one as _).build();
    for n in 0..5 {
        let name = format!("service-{n}");
        leader
            .update(|tx| tx.upsert(Service::named(id, name.clone())))
            .expect("it fits");
    }
    let version = of(&leader, &id).expect("it is there");
    // It goes, and comes again on a member that has begun from a file.
    leader
        .update(|tx| tx.delete::<Service>(&id))
        .expect("it is there");
    let mut file = Vec::new();
    leader
        .save(&cluster::catalogue(), &mut file)
        .expect("a vector");
    let other = TestProposer::new();
    let next = cluster::builder().proposer(Arc::clone(&other) as _).build();
    for _ in 0..6 {
        other.refuse_next("its versions are to be above those accepted");
        next.update(|tx| tx.create(Service::named(id, "other")))
            .unwrap_err();
    }
    next.restore_accepted(at(18), &cluster::catalogue(), &file[..])
        .expect("newer");
    next.update(|tx| tx.create(Service::named(id, "again")))
        .expect("it is new");
    assert!(of(&next, &id).expect("it is there") > version);
}

/// Where nobody has told which version the snapshot shows, the store's own number is none of the
/// proposer's: it counts fewer.
#[test]
fn versions_of_specs_grow_behind_what_was_not_proposed() {
    let id = Id::from_u128(1);
    let store = cluster::builder().proposer(TestProposer::new()).build();
    let upserted = |name: String| {
        let upserted = store.update(|tx| tx.upsert(Service::named(id, name.clone())));
        upserted.expect("it fits");
        store.read().get::<Service>(&id).map(Service::spec_version)
    };
    let versions: Vec<_> = (0..9).map(|n| upserted(format!("service-{n}"))).collect();
    assert!(versions.is_sorted_by(|one, next| one < next));
    store
        .update(|tx| tx.delete::<Service>(&id))
        .expect("it is there");
    let unproposed = Action::create(Node::new(Id::from_u128(2)));
    store.apply(&[unproposed]).expect("it fits");
    assert_eq!(store.proposed_version(store.version()), None);
    let accepted = store.begin().accepted_version();
    assert_eq!(accepted, Some(at(30)), "nine and a deletion, by 3");
    let again = upserted("again".to_owned());
    assert!(again > versions[8], "{again:?} after {versions:?}");
    // One that is newer than what the store was told, in a store that was told nothing.
    let other = cluster::builder().proposer(TestProposer::new()).build();
    let applied = [1, 2].map(|id| Action::create(Node::new(Id::from_u128(id))));
    other.apply(&applied[..1]).expect("it fits");
    other.apply(&applied[1..]).expect("it fits");
    assert_eq!(other.begin().accepted_version(), Some(Version::ZERO));
    other
        .update(|tx| tx.create(Service::named(id, "first")))
        .expect("it fits");
    let view = other.read();
    let first = view.find(keys::<Service>().all()).next();
    assert_eq!(first.map(Service::spec_version), Some(at(1)));
    assert_eq!(Store::builder().build().begin().accepted_version(), None);
}
