//! Restores while others commit: between any two reads of the source something may be written. What
//! comes of it is what was saved, on every member, and who follows or watches has it as well.

mod common;

use std::collections::BTreeMap;
use std::io::{self, Read};

use common::{Random, scaled};
use skep::cluster::{self, Service, catalogue};
use skep::save::RestoreError;
use skep::testing::TestProposer;
use skep::{Action, Change, Event, Filter, Fork, Id, Meta, Proposer, Store, Transaction};
use skep::{Version, keys};

const NAMES: [&str; 8] = ["web", "Web", "db", "DB", "", "cache", "api", "proxy"];

/// What is there, with its times and the proposer's version; not the store's own.
type Services = BTreeMap<Id, (Service, Meta)>;

fn services(store: &Store) -> Services {
    let view = store.read();
    let entries = view.find(keys::<Service>().all()).entries();
    let service = |entry: skep::Entry<'_, Service>| {
        let mut meta = entry.meta();
        meta.version = Version::ZERO;
        (entry.id, (entry.get().clone(), meta))
    };
    entries.map(service).collect()
}

fn objects(services: &Services) -> Vec<&Service> {
    services.values().map(|(service, _)| service).collect()
}

fn any_id(random: &mut Random) -> Id {
    Id::from_u128(1 + u128::from(random.below(9)))
}

/// One verb, which may be refused.
fn change(random: &mut Random, tx: &mut Transaction<'_>) {
    let (id, other) = (any_id(random), any_id(random));
    let name = NAMES[random.below(8) as usize];
    match random.below(8) {
        0..=3 => drop(tx.create(Service::named(id, name))),
        4 => drop(tx.delete::<Service>(&id)),
        5 => drop(tx.modify::<Service>(&id, |it| it.spec.annotations.name = name.into())),
        6 => drop(tx.modify::<Service>(&id, |it| it.pending_delete ^= true)),
        _ => {
            let found = [&id, &other].map(|id| tx.get::<Service>(id).cloned());
            let [Some(mut one), Some(mut two)] = found else {
                return;
            };
            let names = |service: &mut Service| std::mem::take(&mut service.spec.annotations.name);
            let (first, second) = (names(&mut one), names(&mut two));
            (one.spec.annotations.name, two.spec.annotations.name) = (second, first);
            let swapped = tx.defer_checks(|tx| match id == other {
                true => tx.update(one),
                false => tx.update(one).and_then(|()| tx.update(two)),
            });
            drop(swapped);
        }
    }
}

fn write(random: &mut Random, store: &Store) {
    if random.one_in(5) {
        // Of another's state, and so at no version of this one's proposer.
        let service = Service::named(any_id(random), NAMES[random.below(8) as usize]);
        let action = match store.read().get::<Service>(&service.id) {
            None => Action::create(service),
            Some(_) => Action::update(service),
        };
        return drop(store.apply(&[action]));
    }
    let (seed, changes) = (random.next(), 1 + random.below(4));
    let gives_up = random.one_in(6);
    let written = store.update(|tx| {
        let mut random = Random::new(seed);
        (0..changes).for_each(|_| change(&mut random, tx));
        match gives_up {
            true => Err("as it is to be"),
            false => Ok(()),
        }
    });
    // A swap with itself may leave its checks refused.
    drop(written);
}

/// A source beside whose reads others write.
struct Busy<'s> {
    bytes: &'s [u8],
    store: &'s Store,
    random: Random,
    /// In so many reads it is once.
    one_in: u64,
}

impl Read for Busy<'_> {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        if self.random.one_in(self.one_in) {
            write(&mut self.random, self.store);
        }
        let most = 1 + self.random.below(150) as usize;
        let length = target.len().min(self.bytes.len()).min(most);
        let (read, rest) = self.bytes.split_at(length);
        target[..length].copy_from_slice(read);
        self.bytes = rest;
        Ok(length)
    }
}

fn follow(copy: &mut BTreeMap<Id, Service>, event: &Event) {
    let Event::Change(change) = event else {
        return;
    };
    let before = match change.of::<Service>().expect("a service's") {
        Change::Created { new } => (copy.insert(new.id, new.clone()), None),
        Change::Updated { old, new } => (copy.insert(new.id, new.clone()), Some(old)),
        Change::Deleted { old } => (copy.remove(&old.id), Some(old)),
    };
    assert_eq!(before.0.as_ref(), before.1);
}

/// Plays a store's life; how often it was restored, and how often at a version.
fn play(seed: u64, proposed: bool) -> [u32; 2] {
    let mut happened = [0; 2];
    let mut random = Random::new(seed);
    let proposer = TestProposer::new();
    let builder = cluster::builder();
    let store = match proposed {
        true => builder.proposer(proposer.clone() as _).build(),
        false => builder.build(),
    };
    let mut fork = Fork::new(&store).expect("nobody else writes to it");
    let mut watcher = store.watch(Filter::of::<Service>());
    let mut copy = BTreeMap::new();
    let mut files: Vec<(Vec<u8>, Services)> = Vec::new();
    for _ in 0..40 {
        if random.one_in(2) {
            write(&mut random, &store);
        }
        if files.is_empty() || random.one_in(4) {
            let mut file = Vec::new();
            store.save(&catalogue(), &mut file).expect("a vector");
            files.push((file, services(&store)));
            continue;
        }
        let (file, saved) = &files[random.below(files.len() as u64) as usize];
        let source = Busy {
            bytes: file,
            store: &store,
            random: Random::new(random.next()),
            one_in: 2 + random.below(20),
        };
        let accepted = proposed && random.one_in(2);
        if !accepted {
            let restored = store.restore(&catalogue(), source);
            restored.expect("what was saved keeps to the rules");
        } else {
            let newest = proposer.version().unwrap_or_default().get();
            let version = Version::new(newest + random.below(2_000));
            match store.restore_accepted(version, &catalogue(), source) {
                Ok(restored) => {
                    proposer.begin_after(version);
                    let shown = store.proposed_version(restored.version);
                    assert_eq!(shown, Some(version));
                    assert!(
                        services(&store)
                            .values()
                            .all(|(_, it)| it.proposed <= Some(version))
                    );
                }
                // Others got there meanwhile.
                Err(RestoreError::Version(_) | RestoreError::Read(_)) => continue,
                Err(error) => panic!("{error}"),
            }
        }
        happened[usize::from(accepted)] += 1;
        let now = services(&store);
        assert_eq!(objects(&now), objects(saved));
        for (id, (_, was)) in saved {
            let is = now[id].1;
            assert_eq!(
                (is.created_at, is.updated_at),
                (was.created_at, was.updated_at)
            );
            let told = was.proposed.is_some() || accepted;
            assert!(!told || is.proposed.is_some() == proposed);
            assert!(was.proposed.is_none() || is.proposed == was.proposed);
        }
        fork.poll().expect("nobody else writes to it");
        assert_eq!(
            services(fork.store()).keys().collect::<Vec<_>>(),
            now.keys().collect::<Vec<_>>()
        );
        while let Some(event) = watcher.try_recv().expect("it does not lag") {
            follow(&mut copy, &event);
        }
        assert_eq!(copy.values().collect::<Vec<_>>(), objects(&now));
    }
    happened
}

#[test]
fn a_restore_is_what_was_saved_whatever_is_written_meanwhile() {
    let mut happened = [0; 2];
    for seed in 0..scaled(8, 300) as u64 {
        for proposed in [false, true] {
            let played = play(seed, proposed);
            happened = std::array::from_fn(|at| happened[at] + played[at]);
        }
    }
    assert!(happened.iter().all(|times| *times > 20), "{happened:?}");
}
