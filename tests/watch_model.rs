//! Watchers of all kinds that fall behind by chance, against a plain record of what was committed:
//! each is given just what is its own of each commit, in order, or is told what it missed; and its
//! figures are what the record says.

mod common;
#[path = "common/markers.rs"]
mod markers;
#[path = "common/record.rs"]
mod record;

use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use common::{Random, Task, builder, scaled, wait_for_delivery};
use markers::Markers;
use record::{Asks, IDS, NODES, Record, Written};
use skep::{
    AnyChange, Delivery, Event, Filter, Overflow, Store, Version, WatchError, WatchedCommit,
    Watcher, WatcherStats,
};

/// What is asked for: by a filter, and in plain words.
fn random_filter(random: &mut Random) -> (Filter, Asks) {
    let (id, node) = (random.below(IDS), random.below(NODES));
    let of_key = Filter::of::<Task>().key(&id);
    let on_node = Filter::of::<Task>().value(Task::BY_NODE, node);
    let even = |task: &Task| task.count % 2 == 0;
    match random.below(6) {
        0 => (Filter::all(), Rc::new(|_| true)),
        1 => (Filter::of::<Task>().into(), Rc::new(|_| true)),
        2 => (of_key.into(), Rc::new(move |task| task.id == id)),
        3 => (on_node.into(), Rc::new(move |task| task.node == Some(node))),
        4 => (
            of_key.or(on_node),
            Rc::new(move |task| task.id == id || task.node == Some(node)),
        ),
        _ => (
            on_node.when_object(even).into(),
            Rc::new(move |task| task.node == Some(node) && even(task)),
        ),
    }
}

/// A watcher, and where it is by what it was told.
struct Follower {
    what: String,
    watcher: Watcher,
    number: u64,
    asks: Asks,
    events_max: Option<u32>,
    overflow: Overflow,
    markers: Markers,
    /// Up to here all has been given or missed,
    position: u64,
    /// and of what comes next so many changes.
    given_of_next: usize,
    lagged_from: Option<u64>,
    /// What there is of what it asks for, by what it was told.
    known: BTreeMap<u64, Task>,
    delivered: u64,
    missed: u64,
    /// As its figures told last.
    missed_seen: u64,
    ended: bool,
}

impl Follower {
    fn begin(store: &Store, record: &Record, random: &mut Random) -> Self {
        let (mut filter, asks) = random_filter(random);
        let (mut events_max, mut overflow) = (None, Overflow::Lag);
        if random.one_in(2) {
            let events = 1 + random.below(12) as u32;
            let all = [Overflow::Lag, Overflow::Coalesce, Overflow::Close];
            (events_max, overflow) = (Some(events), all[random.below(3) as usize]);
            filter = filter.events_max(events).overflow(overflow);
        }
        let markers = Markers::random(random);
        filter = markers.ask(filter);
        let what = format!("{filter:?}");
        let now = store.version().get();
        let (position, watcher) = match random.one_in(3) {
            true => {
                let from = now - random.below(now.min(40) + 1);
                let watcher = store.watch_from(Version::new(from), filter);
                (from, watcher.expect("history has it"))
            }
            false => (now, store.watch(filter)),
        };
        let number = store.watchers().last().expect("it is there").number;
        Self {
            what,
            watcher,
            number,
            known: record.at(position, &asks),
            asks,
            events_max,
            overflow,
            markers,
            position,
            given_of_next: 0,
            lagged_from: None,
            delivered: 0,
            missed: 0,
            missed_seen: 0,
            ended: false,
        }
    }

    fn coalesces(&self) -> bool {
        self.overflow == Overflow::Coalesce
    }

    /// Commits after its position with something for it; of the first what it was not given yet.
    fn wanted<'r>(&self, record: &'r Record) -> Vec<(u64, Vec<&'r Written>)> {
        let matches = |image: &Option<Task>| image.as_ref().is_some_and(|it| (self.asks)(it));
        let wanted = |written: &'r [Written]| -> Vec<&'r Written> {
            let written = written.iter();
            written
                .filter(|it| matches(&it.old) || matches(&it.new))
                .collect()
        };
        let after = record.commits.range(self.position + 1..);
        let mut all: Vec<_> = after.map(|(version, it)| (*version, wanted(it))).collect();
        all.retain(|(_, written)| !written.is_empty());
        if let Some((_, first)) = all.first_mut() {
            first.drain(..self.given_of_next);
        }
        all
    }

    /// The same, but for what it was given whole.
    fn left<'r>(&self, record: &'r Record) -> Vec<(u64, Vec<&'r Written>)> {
        let mut left = self.wanted(record);
        left.retain(|(_, written)| !written.is_empty());
        left
    }

    /// Follows a change from what it knew before.
    fn know(&mut self, change: &Written) {
        let asked = |image: &Option<Task>| image.clone().filter(|it| (self.asks)(it));
        let (old, new) = (asked(&change.old), asked(&change.new));
        let before = self.known.remove(&change.id());
        assert_eq!(before, old, "{}: {change:?}", self.what);
        self.known.extend(new.map(|new| (new.id, new)));
    }

    fn take(&mut self, record: &Record, change: &AnyChange) {
        self.delivered += 1;
        let got = Written::of(change.of::<Task>().expect("a task's"));
        let versions = [change.since(), change.version()].map(Version::get);
        self.know(&got);
        if self.coalesces() {
            assert_eq!(
                record.joined(got.id(), versions),
                Some(got),
                "{}",
                self.what
            );
            assert!(versions[1] > self.position, "{}", self.what);
            self.given_of_next = 1;
            return;
        }
        let wanted = self.wanted(record);
        let (first, next) = (wanted[0].0, &self.left(record)[0]);
        assert_eq!((versions, &got), ([next.0; 2], next.1[0]), "{}", self.what);
        if next.0 != first {
            // The one before it has no marker.
            assert_eq!(self.markers, Markers::None, "{}", self.what);
            (self.position, self.given_of_next) = (next.0 - 1, 0);
        }
        self.given_of_next += 1;
    }

    fn close(&mut self, record: &Record, version: u64) {
        assert!(version > self.position, "{}: {version}", self.what);
        if !self.coalesces() {
            let left = self.left(record);
            let has_left = left.first().is_some_and(|(next, _)| *next <= version);
            assert!(!has_left, "{}: {version} {left:?}", self.what);
            if self.markers != Markers::Every {
                let first = self.wanted(record)[0].0;
                assert_eq!(first, version, "{}", self.what);
            }
        }
        (self.position, self.given_of_next) = (version, 0);
    }

    fn take_event(&mut self, record: &Record, event: Event) {
        match event {
            Event::Change(change) => self.take(record, &change),
            Event::Commit(version) => {
                self.delivered += 1;
                self.close(record, version.get());
            }
        }
    }

    fn take_commit(&mut self, record: &Record, commit: WatchedCommit) {
        for change in &commit.changes {
            self.take(record, change);
        }
        self.delivered += u64::from(self.markers != Markers::None);
        self.close(record, commit.version.get());
    }

    /// Receives once; false: there was nothing.
    fn receive(&mut self, record: &Record, random: &mut Random) -> bool {
        let before = self.watcher.position().get();
        let received = match random.below(3) {
            0 => self.watcher.try_recv_commit().map(|commit| {
                commit
                    .map(|commit| self.take_commit(record, commit))
                    .is_some()
            }),
            1 => self
                .watcher
                .try_recv()
                .map(|event| event.map(|event| self.take_event(record, event)).is_some()),
            _ => {
                // The future is dropped, whatever came of it.
                let mut context = Context::from_waker(Waker::noop());
                let polled = pin!(self.watcher.recv_async()).poll(&mut context);
                match polled {
                    Poll::Ready(event) => event.map(|event| {
                        self.take_event(record, event);
                        true
                    }),
                    Poll::Pending => Ok(false),
                }
            }
        };
        match received {
            Ok(true) => return true,
            Ok(false) => {
                let left = self.left(record);
                assert!(
                    left.is_empty() || self.coalesces(),
                    "{}: {left:?}",
                    self.what
                );
            }
            Err(WatchError::Lagged {
                missed,
                resume_from,
            }) => {
                self.lag(record, missed, [before, resume_from.get()]);
                return true;
            }
            Err(WatchError::Overflowed) => {
                assert_eq!(self.overflow, Overflow::Close);
                let at = self.watcher.position().get();
                assert!(at >= self.position);
                let left = self.left(record);
                let left = left.first().filter(|(next, _)| *next <= at);
                assert_eq!(left, None, "{}: {at}", self.what);
                (self.position, self.given_of_next) = (at, 0);
                self.ended = true;
            }
            Err(error) => panic!("{}: {error}", self.what),
        }
        false
    }

    fn lag(&mut self, record: &Record, missed: u64, [before, through]: [u64; 2]) {
        assert_ne!(self.overflow, Overflow::Close, "{}", self.what);
        let within = 1..=through - self.position;
        assert!(
            within.contains(&missed),
            "{}: {missed} {through}",
            self.what
        );
        // What is made one has no place in the record.
        let mut begun = if self.coalesces() {
            before
        } else {
            self.position
        };
        if self.given_of_next > 0 && !self.coalesces() {
            let first = &self.wanted(record)[0];
            assert!(
                first.1.is_empty(),
                "{}: in the middle of a commit",
                self.what
            );
            begun = first.0;
        }
        self.missed += missed;
        self.lagged_from = Some(begun);
        (self.position, self.given_of_next) = (through, 0);
        self.known = record.at(through, &self.asks);
    }

    fn resume(&mut self, record: &Record) {
        let Some(from) = self.lagged_from.take() else {
            return;
        };
        self.watcher.resume().expect("history has it");
        (self.position, self.given_of_next) = (from, 0);
        self.known = record.at(from, &self.asks);
        if self.coalesces() {
            // What else it was to be told of as missed is given as well.
            self.missed_seen = self.missed;
        }
    }

    fn figures(&self, store: &Store) -> WatcherStats {
        let all = store.watchers();
        let own = all.iter().find(|it| it.number == self.number);
        *own.expect("it is listed")
    }

    /// Everything is delivered.
    fn check_figures(&mut self, store: &Store, record: &Record) {
        let own = self.figures(store);
        let place = (self.position, self.given_of_next, store.version());
        let what = format!("{}: {own:?}, {place:?}", self.what);
        assert_eq!(own.delivered, self.delivered, "{what}");
        let told = own.missed - own.untold;
        assert!(
            told >= self.missed && own.missed >= self.missed_seen,
            "{what}"
        );
        self.missed_seen = own.missed;
        assert_eq!(own.behind, store.version().since(own.position), "{what}");
        assert_eq!(own.oldest.is_some(), own.behind > 0, "{what}");
        assert_eq!(own.behind_for.is_some(), own.behind > 0, "{what}");
        assert!(own.oldest.is_none_or(|it| it > own.position), "{what}");
        let within = self.events_max.is_none_or(|max| own.waiting <= max.into());
        assert!(within, "{what}");
        if self.given_of_next == 0 && self.markers != Markers::None {
            assert!(own.position >= self.watcher.position(), "{what}");
        }
        if let Some((next, _)) = self.left(record).first()
            && !self.coalesces()
        {
            let oldest = own.oldest.expect("there is more");
            assert!(oldest.get() <= *next, "{what}: {next}");
        }
    }

    /// Receives all that there is.
    fn drain(&mut self, (store, delivery): (&Store, Delivery), record: &Record, r: &mut Random) {
        let before = self.figures(store);
        while self.receive(record, r) {}
        let after = self.figures(store);
        let what = format!("{}: {before:?} {after:?}", self.what);
        assert_eq!((after.missed, after.untold), (self.missed, 0), "{what}");
        // What it missed was known before, if somebody had delivered.
        let is_known = delivery != Delivery::Receivers;
        assert!(after.missed == before.missed || !is_known, "{what}");
        if !self.ended {
            assert_eq!((after.behind, after.taken), (0, 0), "{what}");
            let all = record.at(store.version().get(), &self.asks);
            assert_eq!(self.known, all, "{what}");
        }
    }
}

fn follow(delivery: Delivery, seed: u64) {
    let mut random = Random::new(seed);
    let builder = builder().table::<Task>().history_commits(100_000);
    let shards = 1 + random.below(3) as usize;
    let store = builder
        .watch_delivery(delivery)
        .watch_shards(shards)
        .build();
    let mut record = Record::default();
    let mut followers: Vec<Follower> = Vec::new();
    for _ in 0..60 {
        if followers.len() < 8 {
            followers.push(Follower::begin(&store, &record, &mut random));
        }
        for _ in 0..random.below(12) {
            record.commit(&store, &mut random);
        }
        if delivery != Delivery::Receivers {
            wait_for_delivery(&store);
        }
        for follower in &mut followers {
            match random.below(6) {
                0 => {}
                1 => follower.drain((&store, delivery), &record, &mut random),
                2 => follower.resume(&record),
                times => {
                    let _ = (0..2 * times).all(|_| follower.receive(&record, &mut random));
                }
            }
            if delivery != Delivery::Receivers {
                follower.check_figures(&store, &record);
            }
        }
        followers.retain(|it| !it.ended && !random.one_in(20));
    }
}

#[test]
fn each_is_given_what_the_record_says() {
    // The last store is gone when the test is, and not when a thread has found it closed: whoever
    // looks for leaks looks then.
    let ways = [Delivery::Threads, Delivery::Receivers, Delivery::Committers];
    for seed in 0..scaled(8, 300) as u64 {
        for delivery in ways {
            follow(delivery, seed);
        }
    }
}
