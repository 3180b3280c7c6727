//! Watching from a version that the store's log does not reach: what the proposer still has comes
//! first, if it is just what was accepted here.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Counted, Random, Task, account, delete, events, put, scaled, task};
use skep::testing::TestProposer;
use skep::{
    Action, AnyChange, Change, ChangesError, Event, Filter, Image, Kind, Overflow, Proposal,
    ProposedChange, ProposedWrite, Proposer, Store, Version, WatchError, WatchFromError, Watcher,
    WriteSet,
};

fn at(version: u64) -> Version {
    Version::new(version)
}

/// A store whose log keeps three commits, of a proposer's that keeps all.
fn keeping_three(proposer: Arc<dyn Proposer>) -> Store {
    let builder = Store::builder().table::<Task>().table::<common::Account>();
    builder.history_commits(3).proposer(proposer).build()
}

fn proposed() -> (Arc<TestProposer>, Store) {
    let proposer = TestProposer::new();
    let store = keeping_three(Arc::clone(&proposer) as Arc<dyn Proposer>);
    (proposer, store)
}

/// Tasks 1 to `count`, a commit each, and a log that has let go of all but the last.
fn grow(store: &Store, count: u64) {
    for id in 1..=count {
        put(store, [task(id)]);
    }
    store.reclaim();
}

/// The commit of an event, and what it does to which task.
fn told(event: &Event) -> (u64, Option<(Kind, u64)>) {
    let of = |change: &AnyChange| {
        let change = change.of::<Task>().expect("a task's");
        let image = change.new().or(change.old()).expect("one image");
        (change.kind(), image.id)
    };
    (event.version().get(), event.change().map(of))
}

fn all_told(watcher: &mut Watcher) -> Vec<(u64, Option<(Kind, u64)>)> {
    events(watcher).iter().map(told).collect()
}

/// The version from which on there is all.
#[track_caller]
fn compacted(store: &Store, version: u64) -> u64 {
    match store.watch_from(at(version), Filter::all()) {
        Err(WatchFromError::Compacted { oldest }) => oldest.get(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_log_has_no_more_comes_from_the_proposer() {
    let (_, store) = proposed();
    grow(&store, 10);
    let created = |id| [(id, Some((Kind::Created, id))), (id, None)];
    let mut all = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    assert_eq!(all.position(), Version::ZERO);
    let history: Vec<_> = (1..=10).flat_map(created).collect();
    assert_eq!(all_told(&mut all), history);
    assert_eq!(all.position(), at(10));

    // Of one task, by a mailbox; by a closure; and without markers.
    let one = Filter::of::<Task>().key(&5);
    let even = Filter::of::<Task>().when(|change: &Change<'_, Task>| {
        let image = change.new().or(change.old());
        image.is_some_and(|task| task.id.is_multiple_of(2))
    });
    let bare = Filter::of::<Task>().changes_only();
    let mut one = store.watch_from(at(2), one).unwrap();
    let mut even = store.watch_from(at(2), even).unwrap();
    let mut bare = store.watch_from(at(2), bare).unwrap();
    assert_eq!(all_told(&mut one), created(5));
    let expected: Vec<_> = [4, 6, 8, 10].into_iter().flat_map(created).collect();
    assert_eq!(all_told(&mut even), expected);
    let expected: Vec<_> = (3..=10).map(|id| created(id)[0]).collect();
    assert_eq!(all_told(&mut bare), expected);

    // Then what comes.
    delete::<Task>(&store, &5);
    let deleted = [(11, Some((Kind::Deleted, 5))), (11, None)];
    assert_eq!(all_told(&mut all), deleted);
    assert_eq!(all_told(&mut one), deleted);
    assert_eq!(all_told(&mut bare), deleted[..1]);
    assert_eq!(all_told(&mut even), []);
}

#[test]
fn commits_come_whole_with_old_objects_and_metas() {
    let (_, store) = proposed();
    put(&store, [task(1), task(2)]);
    let changed = common::named(1, "new");
    put(&store, [changed.clone(), task(3)]);
    let meta = store.read().entry::<Task>(&1).expect("put").meta();
    grow(&store, 10);
    let mut watcher = store.watch_from(at(1), Filter::of::<Task>()).unwrap();
    let commit = watcher.try_recv_commit().unwrap().expect("the second");
    assert_eq!((commit.version, commit.changes.len()), (at(2), 2));
    let change = &commit.changes[0];
    let typed = change.of::<Task>().expect("a task's");
    assert_eq!((typed.old(), typed.new()), (Some(&task(1)), Some(&changed)));
    assert_eq!(change.meta(), Some(meta));
    assert_eq!((change.version(), change.since()), (at(2), at(2)));
}

#[test]
fn refused_proposals_are_no_gap() {
    let (proposer, store) = proposed();
    put(&store, [task(1)]);
    proposer.refuse_next("as the test wants it");
    store.update(|tx| tx.create(task(2))).unwrap_err();
    put(&store, [task(3)]);
    grow(&store, 5);
    let mut watcher = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    let commits: Vec<u64> = all_told(&mut watcher).iter().map(|told| told.0).collect();
    assert_eq!(commits, [1, 1, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8]);
}

#[test]
fn beyond_what_the_proposer_keeps_it_tells_how_far_that_is() {
    let (proposer, store) = proposed();
    grow(&store, 10);
    // Its versions rise by 3.
    proposer.compact(at(12));
    assert_eq!(compacted(&store, 0), 4);
    assert_eq!(compacted(&store, 3), 4);
    let mut watcher = store.watch_from(at(4), Filter::all()).unwrap();
    assert_eq!(events(&mut watcher).len(), 12);
    // Between two of its versions.
    proposer.compact(at(13));
    assert_eq!(compacted(&store, 4), 5);
    assert_eq!(
        events(&mut store.watch_from(at(5), Filter::all()).unwrap()).len(),
        10
    );
    // As little as the log has.
    proposer.compact(at(30));
    assert_eq!(compacted(&store, 5), 7);
    assert_eq!(
        events(&mut store.watch_from(at(7), Filter::all()).unwrap()).len(),
        6
    );
}

#[test]
fn what_was_not_proposed_here_ends_it() {
    let (_, store) = proposed();
    put(&store, [task(1)]);
    store.apply(&[Action::create(task(2))]).expect("it fits");
    grow(&store, 10);
    assert_eq!(compacted(&store, 0), 9);
    assert_eq!(compacted(&store, 1), 9);
    // What comes after it was proposed, but from which version on nobody knows.
    assert_eq!(compacted(&store, 2), 9);
    assert_eq!(
        events(&mut store.watch_from(at(3), Filter::all()).unwrap()).len(),
        18
    );
}

#[test]
fn a_lag_is_undone_by_what_the_proposer_has() {
    let (_, store) = proposed();
    let bounded = Filter::from(Filter::of::<Task>())
        .events_max(2)
        .overflow(Overflow::Lag);
    let mut watcher = store.watch(bounded);
    grow(&store, 10);
    let lagged = std::iter::from_fn(|| match watcher.try_recv() {
        Ok(event) => event.map(|_| None),
        Err(error) => Some(Some(error)),
    });
    let lagged = lagged.flatten().next();
    assert!(
        matches!(lagged, Some(WatchError::Lagged { .. })),
        "{lagged:?}"
    );
    watcher.resume().expect("the proposer has it");
    let commits: Vec<u64> = all_told(&mut watcher).iter().map(|told| told.0).collect();
    let twice: Vec<u64> = (1..=10).flat_map(|version| [version, version]).collect();
    assert_eq!(commits, twice);
    put(&store, [task(11)]);
    assert_eq!(events(&mut watcher).len(), 2);
}

#[test]
fn a_proposer_without_a_version_has_all_from_its_first() {
    let (_, store) = telling_from(None);
    assert_eq!(store.proposed_version(Version::ZERO), None);
    let mut watcher = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    let commits: Vec<u64> = all_told(&mut watcher).iter().map(|told| told.0).collect();
    let twice: Vec<u64> = (1..=10).flat_map(|version| [version, version]).collect();
    assert_eq!(commits, twice);
}

/// What a proposer makes of the changes that it gives.
type Makes = dyn Fn(Vec<ProposedChange>) -> Vec<ProposedChange> + Send + Sync;

/// Gives other changes than it has accepted.
struct Telling {
    inner: Arc<TestProposer>,
    /// What it says its version is, when the store is made.
    version: Option<Version>,
    makes: Mutex<Box<Makes>>,
}

impl Proposer for Telling {
    fn propose(&self, proposal: Proposal) {
        self.inner.propose(proposal);
    }

    fn version(&self) -> Option<Version> {
        self.version
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        let changes = self.inner.changes_between(from, to)?;
        Ok((self.makes.lock().expect("no panic"))(changes))
    }
}

fn telling() -> (Arc<Telling>, Store) {
    telling_from(Some(Version::ZERO))
}

fn telling_from(version: Option<Version>) -> (Arc<Telling>, Store) {
    let proposer = Arc::new(Telling {
        inner: TestProposer::new(),
        version,
        makes: Mutex::new(Box::new(|changes| changes)),
    });
    let store = keeping_three(Arc::clone(&proposer) as Arc<dyn Proposer>);
    grow(&store, 10);
    (proposer, store)
}

impl Telling {
    fn tell(
        &self,
        makes: impl Fn(Vec<ProposedChange>) -> Vec<ProposedChange> + Send + Sync + 'static,
    ) {
        *self.makes.lock().expect("no panic") = Box::new(makes);
    }
}

#[test]
fn a_proposer_that_gives_something_else_has_nothing() {
    let (proposer, store) = telling();
    let change = |version, write| ProposedChange {
        version: at(version),
        writes: WriteSet::from_iter([write]),
    };
    let created = |id| ProposedWrite::new(None, Some(task(id)));
    let mistakes: [Box<Makes>; 7] = [
        Box::new(|_| Vec::new()),
        Box::new(|mut changes| {
            changes.remove(2);
            changes
        }),
        Box::new(|mut changes| {
            let first = changes[0].clone();
            changes.insert(0, first);
            changes
        }),
        Box::new(|mut changes| {
            changes.swap(0, 1);
            changes
        }),
        Box::new(move |mut changes| {
            changes[1] = change(7, created(2));
            changes
        }),
        Box::new(move |mut changes| {
            // A write of a table that the store does not have.
            let object = Counted {
                id: 2,
                _alive: Arc::default(),
            };
            changes[1] = change(6, ProposedWrite::new(None, Some(object)));
            changes
        }),
        Box::new(move |mut changes| {
            // A task's write, of an account.
            let mut write = ProposedWrite::new(None, Some(account(2, 0)));
            write.table = created(2).table;
            changes[1] = change(6, write);
            changes
        }),
    ];
    for (number, mistake) in mistakes.into_iter().enumerate() {
        proposer.tell(mistake);
        assert_eq!(compacted(&store, 0), 7, "mistake {number}");
    }
    proposer.tell(|changes| changes);
    let mut watcher = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    assert_eq!(events(&mut watcher).len(), 20);
}

/// As from a log of actions: what was before an update or a deletion is not in them, and must not
/// be told to have been nothing.
#[test]
fn what_was_before_is_known_or_compacted() {
    let (proposer, store) = telling();
    put(&store, [common::named(3, "new")]);
    delete::<Task>(&store, &4);
    grow(&store, 10);
    let from_actions = |tells_old: fn(&ProposedWrite) -> bool| {
        move |changes: Vec<ProposedChange>| {
            let write = |write: &ProposedWrite| {
                let action = Action::of_write::<Task>(write).expect("a task's");
                let mut old = write.clone();
                old.new = old.old.take();
                match Action::of_write::<Task>(&old) {
                    Some(Action::Create(old) | Action::Update(old)) if tells_old(write) => {
                        ProposedWrite::of_action(&action, Some(&old))
                    }
                    _ => ProposedWrite::of_action(&action, None),
                }
            };
            let changes = changes.into_iter().map(|change| ProposedChange {
                writes: change.writes.writes().iter().map(write).collect(),
                ..change
            });
            changes.collect()
        }
    };
    let kinds = |watcher: &mut Watcher| {
        let told = all_told(watcher).into_iter();
        told.filter_map(|(_, change)| change).collect::<Vec<_>>()
    };
    let mut own = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    proposer.tell(from_actions(|_| true));
    let mut with = store.watch_from(Version::ZERO, Filter::all()).unwrap();
    let expected = kinds(&mut own);
    assert!(expected.contains(&(Kind::Updated, 3)) && expected.contains(&(Kind::Deleted, 4)));
    assert_eq!(kinds(&mut with), expected);
    for tells_old in [|_: &_| false, |write: &ProposedWrite| write.new.is_none()] {
        proposer.tell(from_actions(tells_old));
        let oldest = compacted(&store, 0);
        assert!(store.watch_from(at(oldest), Filter::all()).is_ok());
        assert!(oldest >= 12, "{oldest}");
    }
}

/// As from a file: copies, with the times that were written there.
#[test]
fn objects_may_come_from_elsewhere() {
    let (proposer, store) = telling();
    let time = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    proposer.tell(move |changes| {
        let copy = |change: ProposedChange| {
            let task = |image: &Option<Image>| image.as_ref()?.downcast_ref::<Task>().cloned();
            let writes = change.writes.writes().iter().map(|write| {
                let mut copy = ProposedWrite::new(task(&write.old), task(&write.new));
                let new = task(&write.new).map(|new| Image::with_times(new, time(7), time(8)));
                copy.new = new;
                copy
            });
            ProposedChange {
                version: change.version,
                writes: writes.collect(),
            }
        };
        changes.into_iter().map(copy).collect()
    });
    let mut watcher = store
        .watch_from(Version::ZERO, Filter::of::<Task>())
        .unwrap();
    let first = watcher.try_recv().unwrap().expect("the first");
    let change = first.change().expect("a change").clone();
    assert_eq!(events(&mut watcher).len(), 19);
    drop((watcher, store, proposer));
    assert_eq!(change.version(), at(1));
    let object = change.new_object::<Task>().expect("created");
    assert_eq!((*object).clone(), task(1));
    let meta = object.meta();
    assert_eq!(
        (meta.version, meta.created_at, meta.updated_at),
        (at(0), time(7), time(8))
    );
    assert!(change.new_object::<common::Account>().is_none());
}

#[test]
fn nothing_is_left_of_it_wherever_it_is_dropped() {
    let alive = Arc::new(());
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Counted>().history_commits(1);
    let store = builder.proposer(Arc::clone(&proposer) as _).build();
    for id in 0..100 {
        let _alive = Arc::clone(&alive);
        put(&store, [Counted { id, _alive }]);
        delete::<Counted>(&store, &id);
    }
    store.reclaim();
    for received in [0, 1, 31, 32, 33, 200, 399, 400] {
        let mut watcher = store.watch_from(Version::ZERO, Filter::all()).unwrap();
        for _ in 0..received {
            watcher.try_recv().unwrap().expect("there are 400");
        }
    }
    proposer.compact(store.proposed_version(store.version()).expect("accepted"));
    let watcher = store.watch_from(store.version(), Filter::all()).unwrap();
    drop((store, watcher, proposer));
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// Beside commits, from any version: the same events as who was there from the beginning.
#[test]
fn beside_commits_nothing_is_left_out_and_nothing_comes_twice() {
    let (_, store) = proposed();
    let mut first = store.watch(Filter::all().every_commit());
    let done = AtomicBool::new(false);
    let commits = scaled(1000, 5000);
    let checked = thread::scope(|scope| {
        let joining = scope.spawn(|| {
            let mut random = Random::new(23);
            let mut joined = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let from = random.below(store.version().get() + 1);
                let mut watcher = store.watch_from(at(from), Filter::all()).expect("kept");
                let some = 1 + random.below(200);
                let told = (0..some).map_while(|_| watcher.try_recv().expect("no lag"));
                joined.push((from, told.map(|event| told_of(&event)).collect::<Vec<_>>()));
            }
            joined
        });
        let mut random = Random::new(5);
        for _ in 0..commits {
            put(&store, [task(random.below(50))]);
            if random.one_in(20) {
                store.reclaim();
            }
        }
        done.store(true, Ordering::Relaxed);
        joining.join().expect("no panic")
    });
    let all: Vec<_> = events(&mut first).iter().map(told_of).collect();
    assert!(checked.len() > 3, "{}", checked.len());
    for (from, told) in checked {
        let start = all.partition_point(|event| event.0 <= from);
        assert_eq!(told, all[start..start + told.len()], "from {from}");
    }
}

fn told_of(event: &Event) -> (u64, Option<u64>) {
    let (version, change) = told(event);
    (version, change.map(|change| change.1))
}

/// Also where commits came, and were trimmed, between the lag and its undoing.
#[test]
fn a_lag_that_is_undone_late_gives_nothing_twice() {
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Task>().history_commits(3);
    let store = builder.proposer(Arc::clone(&proposer) as _).build();
    let filter = Filter::from(Filter::of::<Task>()).events_max(8);
    let mut watcher = store.watch(filter);
    let put_some = |ids: std::ops::RangeInclusive<u64>| {
        for id in ids {
            put(&store, [task(id)]);
        }
        store.reclaim();
    };
    put_some(1..=20);
    let lagged = watcher.try_recv();
    assert!(
        matches!(lagged, Err(WatchError::Lagged { .. })),
        "{lagged:?}"
    );
    put_some(21..=26);
    watcher.resume().expect("the proposer has it");
    let events = events(&mut watcher);
    let changes = events.iter().filter(|event| event.change().is_some());
    let versions: Vec<u64> = changes.map(|event| event.version().get()).collect();
    assert_eq!(versions, (1..=26).collect::<Vec<_>>());
}
