//! What a store shows and its watchers tell, in a form in which replicas are compared.

use std::collections::{BTreeMap, BTreeSet};

use skep::cluster::{
    Cluster, Config, Extension, Network, Node, Resource, Secret, Service, Task, Volume, catalogue,
};
use skep::{Action, AnyChange, Event, Id, Kind, Object, Snapshot, Store, Version, Watcher, keys};

/// An object: its bytes with its times, and its version.
pub type Seen = (Vec<u8>, Option<Version>);
/// All objects, by table and key.
pub type Whole = BTreeMap<(&'static str, String), Seen>;

macro_rules! each_table {
    ($run:ident) => {
        [
            $run::<Cluster>,
            $run::<Config>,
            $run::<Extension>,
            $run::<Network>,
            $run::<Node>,
            $run::<Resource>,
            $run::<Secret>,
            $run::<Service>,
            $run::<Task>,
            $run::<Volume>,
        ]
    };
}

fn bytes(action: &Action) -> Vec<u8> {
    catalogue().encode(action).expect("it has bytes")
}

fn add_table<T: Object<Key = Id>>(snapshot: &Snapshot, whole: &mut Whole) {
    for entry in snapshot.find(keys::<T>().all()).entries() {
        let meta = entry.meta();
        let object = Action::create(entry.get().clone()).at(meta.created_at, meta.updated_at);
        let key = (T::TABLE, entry.key().to_string());
        whole.insert(key, (bytes(&object), meta.proposed));
    }
}

/// All that a snapshot shows.
pub fn whole(snapshot: &Snapshot) -> Whole {
    let mut whole = Whole::new();
    for add in each_table!(add_table) {
        add(snapshot, &mut whole);
    }
    whole
}

/// A change: its kind, where, and the object before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    kind: Kind,
    place: (&'static str, String),
    old: Option<Vec<u8>>,
    new: Option<Vec<u8>>,
    times: Vec<u8>,
}

fn told<T: Object<Key = Id>>(change: &AnyChange) -> Option<Told> {
    let typed = change.of::<T>()?;
    let object = |object: &T| bytes(&Action::create(object.clone()));
    let id = typed.new().or(typed.old()).expect("one image").key();
    Some(Told {
        kind: change.kind(),
        place: (T::TABLE, id.to_string()),
        old: typed.old().map(object),
        new: typed.new().map(object),
        times: bytes(&Action::of::<T>(change)?),
    })
}

/// A watcher, and what it knows: all objects, without their times.
pub struct Follower {
    watcher: Watcher,
    mirror: BTreeMap<(&'static str, String), Vec<u8>>,
    commit: Vec<Told>,
    /// The version, of the log's, up to which it was told.
    pub at: Version,
}

impl Follower {
    /// Begins anew.
    pub fn new(store: &Store) -> Self {
        let (snapshot, watcher) = store.snapshot_and_watch(skep::Filter::all());
        let mut follower = Self {
            watcher,
            mirror: BTreeMap::new(),
            commit: Vec::new(),
            at: store.proposed_version(snapshot.version()).expect("known"),
        };
        let mut untimed = Objects::new();
        for add in each_table!(add_objects) {
            add(&snapshot, &mut untimed);
        }
        follower.mirror = untimed;
        follower
    }

    /// Goes on at another member, if that can tell what comes next; true: it can.
    pub fn go_on(&mut self, store: &Store) -> bool {
        let Some(version) = store.version_of(self.at) else {
            return false;
        };
        match store.watch_from(version, skep::Filter::all()) {
            Ok(watcher) => self.watcher = watcher,
            Err(_) => return false,
        }
        true
    }

    /// Takes what there is. Each commit is compared with what others were told of its version,
    /// unless it is a whole state that was `restored`.
    pub fn take(
        &mut self,
        store: &Store,
        restored: &BTreeSet<Version>,
        all: &mut BTreeMap<Version, Vec<Told>>,
    ) {
        while let Some(event) = self.watcher.try_recv().expect("it does not lag") {
            match event {
                Event::Change(change) => {
                    let mut tables = each_table!(told).into_iter();
                    let told = tables.find_map(|told| told(&change));
                    self.commit.push(told.expect("of a cluster's table"));
                }
                Event::Commit(number) => {
                    let version = store.proposed_version(number).expect("known");
                    assert!(version > self.at, "{version} after {}", self.at);
                    self.at = version;
                    let commit = std::mem::take(&mut self.commit);
                    self.mirror(&commit);
                    if !restored.contains(&number) {
                        let first = all.entry(version).or_insert_with(|| commit.clone());
                        assert_eq!(*first, commit, "of version {version}");
                    }
                }
            }
        }
    }

    fn mirror(&mut self, commit: &[Told]) {
        for told in commit {
            let before = match &told.new {
                Some(new) => self.mirror.insert(told.place.clone(), new.clone()),
                None => self.mirror.remove(&told.place),
            };
            assert_eq!(before, told.old, "{told:?}");
        }
    }

    /// Whether it knows just what the store has.
    pub fn assert_equal(&self, store: &Store) {
        let mut untimed = Objects::new();
        for add in each_table!(add_objects) {
            add(&store.snapshot(), &mut untimed);
        }
        assert_eq!(self.mirror, untimed);
    }
}

type Objects = BTreeMap<(&'static str, String), Vec<u8>>;

fn add_objects<T: Object<Key = Id>>(snapshot: &Snapshot, objects: &mut Objects) {
    for object in snapshot.find(keys::<T>().all()) {
        let bytes = bytes(&Action::create(object.clone()));
        objects.insert((T::TABLE, object.key().to_string()), bytes);
    }
}
