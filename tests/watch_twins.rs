//! Watchers that ask for the same in different ways: those that read the log, those with mailboxes,
//! those that fall behind and go back, that coalesce, that are closed and begun again where they
//! ended, that begin with a snapshot or an older version. All are given what a plain reading of the
//! commits says, also of transactions that write an object several times.

#[path = "common/asked.rs"]
mod asked;
mod common;
#[path = "common/markers.rs"]
mod markers;

use std::collections::BTreeMap;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use asked::{Asked, Record, Written, id_of};
use common::{Random, Task, builder, scaled};
use markers::Markers;
use skep::{Delivery, Event, Filter, Overflow, Store, Version, WatchError, Watcher};

/// A watcher, and what it was given.
struct Follower {
    what: String,
    asked: Asked,
    filter: Filter,
    watcher: Watcher,
    markers: Markers,
    coalesces: bool,
    /// After this version it began.
    begin: u64,
    /// Changes, and markers of commits with changes.
    given: Vec<(u64, Option<Written>)>,
    /// The last that it was told of the objects that it is about.
    known: BTreeMap<u64, Task>,
    lagged_from: Option<Version>,
    /// Since it was last seen to have all there is.
    went_back: bool,
    lags: u64,
    ends: u64,
}

impl Follower {
    fn begin(store: &Store, asked: &Asked, random: &mut Random) -> Self {
        let mut filter = asked.filter();
        let markers = Markers::random(random);
        filter = markers.ask(filter);
        let bounds = random.below(10);
        let coalesces = bounds >= 6;
        let few = 1 + random.below(6) as u32;
        filter = match bounds {
            0 | 1 => filter,
            2 => filter.events_max(u32::MAX).bytes_max(u64::MAX),
            3 => filter.events_max(few),
            4 => filter.bytes_max(u64::from(few) * 300),
            5 => filter.events_max(few).overflow(Overflow::Close),
            _ => filter.events_max(3 + few / 3).overflow(Overflow::Coalesce),
        };
        let now = store.version().get();
        let (begins, kept) = (random.below(3), filter.clone());
        let (begin, watcher) = match begins {
            0 => (now, store.watch(filter)),
            1 => {
                let (snapshot, watcher) = store.snapshot_and_watch(filter);
                (snapshot.version().get(), watcher)
            }
            _ => {
                let from = random.below(now + 1);
                let watcher = store.watch_from(Version::new(from), filter);
                (from, watcher.expect("all is kept"))
            }
        };
        Self {
            what: format!("{markers:?} {bounds} {few} {begins} from {begin}"),
            asked: asked.clone(),
            filter: kept,
            watcher,
            markers,
            coalesces,
            begin,
            given: Vec::new(),
            known: BTreeMap::new(),
            lagged_from: None,
            went_back: false,
            lags: 0,
            ends: 0,
        }
    }

    fn take(&mut self, record: &Record, event: Event) {
        let version = event.version().get();
        match event {
            Event::Commit(_) if self.given.last().is_none_or(|last| last.0 != version) => {
                assert_eq!(self.markers, Markers::Every, "{}", self.what);
            }
            Event::Commit(_) => self.given.push((version, None)),
            Event::Change(any) => {
                let change = any.of::<Task>().expect("a task's");
                let written = (change.old().cloned(), change.new().cloned());
                self.asked.know(&mut self.known, &written);
                if self.coalesces {
                    let id = id_of(&written);
                    let states = [any.since().get() - 1, version].map(|it| record.state(it));
                    let [old, new] = states.map(|state| state.get(&id).cloned());
                    assert_eq!(written, (old, new), "{}", self.what);
                }
                assert!(self.asked.matches(&written), "{}", self.what);
                self.given.push((version, Some(written)));
            }
        }
    }

    /// As if it had been given all up to a version.
    fn goes_on_from(&mut self, record: &Record, version: Version) {
        self.given = self.expected(record, version.get());
        self.known = self.asked.known(record, self.begin, version.get());
    }

    fn resume(&mut self, record: &Record) {
        let Some(from) = self.lagged_from.take() else {
            return;
        };
        self.watcher.resume().expect("history has it");
        self.went_back = true;
        // Where it looked through what does not match first, it is further.
        let back = self.watcher.position();
        assert!(back >= from, "{}", self.what);
        self.goes_on_from(record, back);
        // What came and went may be made one, of several commits.
        let is_same = self.given == self.expected(record, from.get());
        assert!(self.coalesces || is_same, "{}", self.what);
    }

    /// Receives once; false: there was nothing.
    fn receive(&mut self, store: &Store, record: &Record, random: &mut Random) -> bool {
        if random.one_in(2) {
            self.resume(record);
        }
        let before = self.watcher.position();
        let received = match random.below(3) {
            0 => self
                .watcher
                .try_recv()
                .map(|event| event.into_iter().collect()),
            1 => {
                let mut context = Context::from_waker(Waker::noop());
                let polled = pin!(self.watcher.recv_async()).poll(&mut context);
                match polled {
                    Poll::Ready(event) => event.map(|event| vec![event]),
                    Poll::Pending => Ok(vec![]),
                }
            }
            _ => self.watcher.try_recv_commit().map(|commit| {
                let commit = commit.into_iter();
                let events = commit.flat_map(|commit| {
                    let marker = (self.markers != Markers::None).then_some(commit.version);
                    let changes = commit.changes.into_iter().map(Event::Change);
                    changes.chain(marker.map(Event::Commit))
                });
                events.collect()
            }),
        };
        match received {
            Ok(events) => {
                let any = !events.is_empty();
                events
                    .into_iter()
                    .for_each(|event| self.take(record, event));
                any
            }
            Err(WatchError::Lagged { resume_from, .. }) => {
                self.lags += 1;
                self.lagged_from = Some(before);
                self.goes_on_from(record, resume_from);
                true
            }
            Err(WatchError::Overflowed) => {
                self.ends += 1;
                let end = self.watcher.position();
                assert_eq!(
                    self.given,
                    self.expected(record, end.get()),
                    "{}",
                    self.what
                );
                let next = store.watch_from(end, self.filter.clone());
                self.watcher = next.expect("all is kept");
                true
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Receives some times. Where it has gone back, all there is: what it then is not told would
    /// soon be hidden by what comes later.
    fn receive_some(&mut self, store: &Store, record: &Record, random: &mut Random) {
        let mut times = [random.below(6), u64::MAX][random.below(2) as usize];
        while times > 0 || self.went_back {
            if !self.receive(store, record, random) {
                self.check(store, record);
                self.went_back = false;
                return;
            }
            times = times.saturating_sub(1);
        }
    }

    /// What it is to be given up to a version.
    fn expected(&self, record: &Record, through: u64) -> Vec<(u64, Option<Written>)> {
        let mut expected = Vec::new();
        for (version, commit) in record.commits.range(self.begin + 1..through + 1) {
            let own = commit.iter().filter(|it| self.asked.matches(it));
            let before = expected.len();
            expected.extend(own.map(|written| (*version, Some(written.clone()))));
            if self.markers != Markers::None && expected.len() > before {
                expected.push((*version, None));
            }
        }
        expected
    }

    /// It has received all there is.
    fn check(&mut self, store: &Store, record: &Record) {
        let newest = store.version().get();
        let known = self.asked.known(record, self.begin, newest);
        assert_eq!(self.known, known, "{}", self.what);
        if self.coalesces {
            return;
        }
        assert_eq!(self.given, self.expected(record, newest), "{}", self.what);
    }
}

/// How many of the followers lagged, and how many were closed.
fn follow(delivery: Delivery, seed: u64) -> [u64; 2] {
    let mut random = Random::new(seed);
    let builder = builder().table::<Task>().history_commits(1 << 20);
    let builder = builder
        .watch_delivery(delivery)
        .watch_shards(1 + random.below(2) as usize);
    let store = builder.build();
    let mut record = Record::default();
    let mut followers: Vec<Follower> = Vec::new();
    let asked: Vec<Asked> = (0..4).map(|_| Asked::random(&mut random)).collect();
    for _ in 0..50 {
        for _ in 0..random.below(4) {
            record.commit(&store, &mut random);
        }
        if followers.len() < 24 {
            let asked = &asked[random.below(4) as usize];
            followers.push(Follower::begin(&store, asked, &mut random));
        }
        for follower in &mut followers {
            if random.one_in(3) {
                follower.receive_some(&store, &record, &mut random);
            }
        }
    }
    let mut came_to = [0, 0];
    for follower in &mut followers {
        while follower.receive(&store, &record, &mut random) {}
        follower.check(&store, &record);
        came_to = [came_to[0] + follower.lags, came_to[1] + follower.ends];
    }
    for own in store.watchers() {
        assert_eq!(
            (own.behind, own.taken, own.waiting, own.untold),
            (0, 0, 0, 0),
            "{own:?}"
        );
        assert_eq!((own.oldest, own.behind_for), (None, None), "{own:?}");
    }
    came_to
}

#[test]
fn all_who_ask_for_the_same_are_given_the_same() {
    let mut came_to = [0, 0];
    for seed in 0..scaled(12, 600) as u64 {
        for delivery in [Delivery::Committers, Delivery::Receivers, Delivery::Threads] {
            let [lags, ends] = follow(delivery, seed);
            came_to = [came_to[0] + lags, came_to[1] + ends];
        }
    }
    assert!(came_to.iter().all(|&times| times > 0), "{came_to:?}");
}
