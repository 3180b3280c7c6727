//! Three members of a cluster on a replicated log, through the public face alone: what a consensus
//! engine needs of the seam is there. One thread, and a seed for each schedule: messages are lost,
//! leaders change with proposals in flight, members die and come back from what they saved, and
//! logs are compacted. At the end all members are equal, in objects, versions and times, and so is
//! what their watchers were told, version by version.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;
#[path = "replicas/member.rs"]
mod member;
#[path = "replicas/seen.rs"]
mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{Random, scaled};
use member::{Member, Saved};
use seen::{Follower, Told, whole};
use skep::cluster::{self, Config, Node, Service, TaskState, catalogue};
use skep::{CommitError, Error, Id, Object, Store, Submission, Transaction, Version, keys};

const MEMBERS: usize = 3;

/// A transaction on its way, with its number.
type InFlight = (u64, Submission);

struct World {
    random: Random,
    members: [Arc<Member>; MEMBERS],
    /// None: it is dead.
    stores: [Option<Store>; MEMBERS],
    followers: [Option<Follower>; MEMBERS],
    restored: [BTreeSet<Version>; MEMBERS],
    in_flight: [Vec<InFlight>; MEMBERS],
    /// Who goes from member to member, and where it is.
    roaming: Option<(usize, Follower)>,
    told: BTreeMap<Version, Vec<Told>>,
    transactions: u64,
    acknowledged: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// How often: leaders changed with proposals in flight, a follower went on, it began anew, a
    /// file was sent, a member came back.
    happened: [u32; 5],
}

fn store(member: &Arc<Member>) -> Store {
    let builder = cluster::builder().history_commits(4);
    builder.proposer(Arc::clone(member) as _).build()
}

/// What every transaction leaves: so it is seen in the end which there were.
fn mark(number: u64, node: Option<Id>) -> Config {
    let incremented = node.map(|id| id.to_string()).unwrap_or_default();
    let id = Id::from_u128(1 << 64 | u128::from(number));
    Config::named(id, format!("transaction-{number}"), incremented.as_str())
}

fn count(node: &Node) -> u64 {
    let count = node.spec.annotations.labels.get("count");
    count.map_or(0, |count| count.parse().expect("a number"))
}

fn add_one(node: &mut Node) {
    let count = (count(node) + 1).to_string();
    node.spec.annotations.labels.insert("count".into(), count);
}

impl World {
    fn new(seed: u64) -> Self {
        let members = [(); MEMBERS].map(|()| Arc::new(Member::new()));
        let stores = [0, 1, 2].map(|at| Some(store(&members[at])));
        let followers = [0, 1, 2].map(|at| stores[at].as_ref().map(Follower::new));
        Self {
            random: Random::new(seed),
            members,
            stores,
            followers,
            restored: Default::default(),
            in_flight: Default::default(),
            roaming: None,
            told: BTreeMap::new(),
            transactions: 0,
            acknowledged: BTreeSet::new(),
            refused: BTreeSet::new(),
            happened: [0; 5],
        }
    }

    fn any(&mut self) -> usize {
        self.random.below(MEMBERS as u64) as usize
    }

    /// Another member than that one.
    fn other(&mut self, than: usize) -> usize {
        (than + 1 + self.random.below(MEMBERS as u64 - 1) as usize) % MEMBERS
    }

    fn alive(&self) -> usize {
        self.stores.iter().flatten().count()
    }

    fn step(&mut self) {
        let at = self.any();
        let Some(store) = self.stores[at].clone() else {
            if self.random.one_in(8) {
                self.come_back(at);
            }
            return;
        };
        match self.random.below(120) {
            0..40 if self.members[at].state().leads => self.write(at, &store),
            0 => self.write(at, &store),
            40..75 if self.members[at].state().leads => {
                let other = self.other(at);
                self.replicate(at, other);
            }
            75..100 => self.advance(at, &store),
            100 if self.random.one_in(2) => self.elect(at),
            101..106 => self.save(at, &store),
            106 if self.alive() == MEMBERS && self.random.one_in(2) => self.die(at),
            107..111 => self.roam(at),
            _ => self.take(at),
        }
    }

    /// A transaction, on a member that may lead.
    fn write(&mut self, at: usize, store: &Store) {
        self.transactions += 1;
        let number = self.transactions;
        let mut tx = store.begin();
        if self.change(number, at, &mut tx).is_err() {
            return;
        }
        match tx.submit() {
            Ok(submission) => self.in_flight[at].push((number, submission)),
            Err(CommitError::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn change(&mut self, number: u64, at: usize, tx: &mut Transaction<'_>) -> Result<(), Error> {
        let node = {
            let nodes = tx.find(keys::<Node>().all()).map(|node| node.id);
            let nodes: Vec<Id> = nodes.collect();
            let place = self.random.below(nodes.len().max(1) as u64);
            nodes.get(place as usize).copied()
        };
        let new = Id::from_u128(2 << 64 | u128::from(number));
        match (self.random.below(8), node) {
            (0, _) | (_, None) => {
                tx.create(Node::named(new, "host"))?;
                tx.create(Service::named(new, format!("service-{number}")))?;
                tx.create(cluster::Task::new(new))?;
                tx.create(mark(number, None))?;
            }
            (1, Some(id)) => {
                tx.delete::<Node>(&id)?;
                tx.create(mark(number, None))?;
            }
            (2, Some(id)) => {
                tx.modify::<cluster::Task>(&id, |task| {
                    task.slot += 1;
                    task.status.state = TaskState::Running;
                })?;
                tx.modify::<Service>(&id, |service| {
                    service.spec.task = cluster_objects::spec().into()
                })?;
                tx.create(mark(number, None))?;
            }
            (3, Some(id)) => {
                tx.modify::<Node>(&id, add_one)?;
                tx.create(mark(number, Some(id)))?;
            }
            (_, Some(id)) => {
                // Read from whatever member, and maybe long ago there.
                let from = self.other(at);
                let view = self.stores[from].as_ref().map(Store::snapshot);
                let read = view.as_ref().and_then(|view| view.entry::<Node>(&id));
                let Some(read) = read else {
                    return Ok(tx.create(mark(number, None))?);
                };
                let version = read.meta().proposed.expect("all have one");
                let mut node = read.get().clone();
                add_one(&mut node);
                tx.update_at_proposed(version, node)?;
                tx.create(mark(number, Some(id)))?;
            }
        }
        Ok(())
    }

    /// Looks who knows what became of it.
    fn answers(&mut self) {
        for (at, in_flight) in self.in_flight.iter_mut().enumerate() {
            in_flight.retain(|(number, submission)| {
                match submission.outcome() {
                    None => return true,
                    Some(Ok(version)) => {
                        let store = self.stores[at].as_ref().expect("alive");
                        assert!(store.proposed_version(version).is_some());
                        self.acknowledged.insert(*number);
                    }
                    Some(Err(CommitError::Refused { .. })) => {
                        self.refused.insert(*number);
                    }
                    Some(Err(CommitError::LostLeadership)) => {}
                    Some(Err(error)) => panic!("{error}"),
                }
                false
            });
        }
    }

    /// A leader sends what a member lacks, if both are there, and it arrives.
    fn replicate(&mut self, from: usize, to: usize) {
        if self.stores[to].is_none() || self.random.one_in(4) {
            return;
        }
        let (term, theirs) = (
            self.members[from].state().term,
            self.members[to].state().term,
        );
        if theirs > term {
            self.members[from].step_down(theirs);
            return;
        }
        if theirs < term {
            self.members[to].step_down(term);
        }
        let leader = self.members[from].state();
        let mut member = self.members[to].state();
        // The last entry that both have.
        let both = (member.base..=member.last().min(leader.last())).rev();
        let mut both = both.filter(|&at| at >= leader.base);
        let both = both.find(|&at| member.term_of(at) == leader.term_of(at));
        let Some(both) = both else {
            let saved = leader
                .saved
                .clone()
                .expect("what is not in the log is saved");
            drop((leader, member));
            self.install(to, &saved);
            return;
        };
        assert!(both >= member.committed, "a committed entry is taken back");
        let kept = (both - member.base) as usize;
        member.entries.truncate(kept);
        let new = (both + 1..=leader.last()).map(|at| leader.entry(at).clone());
        member.entries.extend(new);
        member.committed = member.committed.max(leader.committed);
        let last = member.last();
        drop((leader, member));
        if !self.random.one_in(4) {
            self.members[from].state().matched[to] = last;
        }
    }

    /// A member that lacks what a leader has only saved.
    fn install(&mut self, at: usize, saved: &Saved) {
        let version = Version::new(saved.index);
        let store = self.stores[at].as_ref().expect("alive");
        let restored = store.restore_accepted(version, &catalogue(), &saved.file[..]);
        self.restored[at].insert(restored.expect("it is newer").version);
        let mut state = self.members[at].state();
        state.entries.clear();
        (state.base, state.base_term) = (saved.index, saved.term);
        (state.committed, state.applied) = (saved.index, saved.index);
        state.saved = Some(saved.clone());
        drop(state);
        self.happened[3] += 1;
    }

    /// A leader learns what is committed; anybody applies some of it.
    fn advance(&mut self, at: usize, store: &Store) {
        let member = Arc::clone(&self.members[at]);
        let mut state = member.state();
        if state.leads {
            state.matched[at] = state.last();
            let mut matched = state.matched;
            matched.sort_unstable();
            if state.term_of(matched[1]) == Some(state.term) {
                state.committed = state.committed.max(matched[1]);
            }
        }
        let until = state
            .committed
            .min(state.applied + 1 + self.random.below(8));
        while state.applied < until {
            let index = state.applied + 1;
            let (entry, ticket) = (state.entry(index).clone(), state.take_ticket(index));
            drop(state);
            let version = Version::new(index);
            match ticket {
                Some(ticket) => ticket.accept(version).expect("in order"),
                None => {
                    let applied = store.apply_accepted(version, &entry.actions());
                    applied.unwrap_or_else(|error| panic!("{at} at {index}: {error}"));
                }
            }
            let shown = store.proposed_version(store.version());
            assert_eq!(shown, Some(version), "it is the index that is applied");
            state = member.state();
            state.applied = index;
        }
        drop(state);
        self.answers();
    }

    /// A member asks for votes.
    fn elect(&mut self, at: usize) {
        let reached = [0, 1, 2]
            .map(|voter| self.stores[voter].is_some() && (voter == at || !self.random.one_in(4)));
        let newness = self.members[at].state().newness();
        let voters = (0..MEMBERS)
            .filter(|&voter| reached[voter] && self.members[voter].state().newness() <= newness);
        let voters: Vec<usize> = voters.collect();
        if voters.len() < 2 {
            return;
        }
        let terms = voters.iter().map(|&voter| self.members[voter].state().term);
        let term = terms.max().expect("there are some") + 1;
        self.happened[0] += u32::from(self.in_flight.iter().any(|all| !all.is_empty()));
        for voter in voters {
            self.members[voter].step_down(term);
        }
        self.members[at].lead();
        self.answers();
    }

    fn save(&mut self, at: usize, store: &Store) {
        let mut state = self.members[at].state();
        let mut file = Vec::new();
        store.save(&catalogue(), &mut file).expect("all has bytes");
        let index = state.applied;
        if state
            .saved
            .as_ref()
            .is_some_and(|saved| saved.index >= index)
            || index == 0
        {
            return;
        }
        let term = state.term_of(index).expect("it is there");
        state.saved = Some(Saved { index, term, file });
        // Some of it is kept, for members that are not far behind.
        let until = index.saturating_sub(self.random.below(6)).max(state.base);
        state.compact(until);
        drop(state);
        store.reclaim();
    }

    fn die(&mut self, at: usize) {
        self.take(at);
        if self.roaming.as_ref().is_some_and(|(there, _)| *there == at) {
            self.roam(at);
        }
        self.in_flight[at].clear();
        self.members[at].crash();
        (self.followers[at], self.stores[at]) = (None, None);
        self.restored[at].clear();
        self.answers();
    }

    fn come_back(&mut self, at: usize) {
        let store = store(&self.members[at]);
        let saved = self.members[at].state().saved.clone();
        if let Some(saved) = saved {
            let version = Version::new(saved.index);
            let restored = store.restore_accepted(version, &catalogue(), &saved.file[..]);
            self.restored[at].insert(restored.expect("its own file").version);
            let mut state = self.members[at].state();
            (state.committed, state.applied) = (saved.index, saved.index);
        }
        self.followers[at] = Some(Follower::new(&store));
        self.stores[at] = Some(store);
        self.happened[4] += 1;
    }

    /// The members' watchers, and who is at it.
    fn take(&mut self, at: usize) {
        let Some(store) = &self.stores[at] else {
            return;
        };
        let follower = self.followers[at].as_mut().expect("as the store");
        follower.take(store, &self.restored[at], &mut self.told);
        if let Some((there, roaming)) = &mut self.roaming
            && *there == at
        {
            roaming.take(store, &self.restored[at], &mut self.told);
        }
    }

    /// Goes on at another member.
    fn roam(&mut self, at: usize) {
        let to = self.other(at);
        let Some(store) = self.stores[to].clone() else {
            return;
        };
        if let Some((there, _)) = self.roaming {
            self.take(there);
        }
        let mut follower = self.roaming.take().map(|(_, follower)| follower);
        let goes_on = follower.as_mut().is_some_and(|it| it.go_on(&store));
        self.happened[if goes_on { 1 } else { 2 }] += 1;
        let follower = follower.filter(|_| goes_on);
        let follower = follower.unwrap_or_else(|| Follower::new(&store));
        self.roaming = Some((to, follower));
        self.take(to);
        let (_, follower) = self.roaming.as_ref().expect("it is there");
        follower.assert_equal(&store);
    }

    /// Nothing is lost any more, until all have all.
    fn heal(&mut self) {
        for at in 0..MEMBERS {
            if self.stores[at].is_none() {
                self.come_back(at);
            }
        }
        let newest = (0..MEMBERS).max_by_key(|&at| self.members[at].state().newness());
        let leader = newest.expect("there are some");
        while !self.members[leader].state().leads {
            self.elect(leader);
        }
        for _ in 0..400 {
            for at in 0..MEMBERS {
                if at != leader {
                    self.replicate(leader, at);
                }
                let store = self.stores[at].clone().expect("alive");
                self.advance(at, &store);
            }
        }
        for at in 0..MEMBERS {
            self.take(at);
        }
    }

    fn compare(&self) {
        let stores = self.stores.iter().flatten();
        let wholes: Vec<_> = stores.map(|store| whole(&store.snapshot())).collect();
        assert_eq!(wholes[0], wholes[1]);
        assert_eq!(wholes[0], wholes[2]);
        assert!(wholes[0].values().all(|(_, version)| version.is_some()));
        for (store, follower) in self.stores.iter().zip(&self.followers) {
            let (Some(store), Some(follower)) = (store, follower) else {
                panic!("a member is dead");
            };
            follower.assert_equal(store);
        }
        let view = self.stores[0].as_ref().expect("alive").snapshot();
        let there = |number: &u64| view.get::<Config>(&mark(*number, None).key()).is_some();
        assert!(self.acknowledged.iter().all(there), "one is lost");
        assert!(!self.refused.iter().any(there), "a refused one is there");
        // No update was lost: each left a mark.
        let mut counted = BTreeMap::new();
        for config in view.find(keys::<Config>().all()) {
            *counted
                .entry(config.spec.data.as_slice().to_vec())
                .or_insert(0) += 1;
        }
        for node in view.find(keys::<Node>().all()) {
            let marks = counted.get(node.id.to_string().as_bytes());
            assert_eq!(count(node), marks.copied().unwrap_or(0), "{}", node.id);
        }
    }
}

#[test]
fn members_of_one_log_are_equal() {
    let mut happened = [0; 5];
    for seed in 0..scaled(8, 200) as u64 {
        let mut world = World::new(seed);
        for _ in 0..5000 {
            world.step();
        }
        world.heal();
        world.compare();
        for (all, here) in happened.iter_mut().zip(world.happened) {
            *all += here;
        }
    }
    assert!(happened.iter().all(|&times| times >= 5), "{happened:?}");
}
