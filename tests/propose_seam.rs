//! What passes through the seam between a store and its proposer.

mod common;

use std::panic::panic_any;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{Account, Task, account, count, named, proposed, put, submit, task};
use skep::testing::TestProposer;
use skep::{
    Action, AnswerError, ChangesError, CommitError, Event, Filter, Fork, Image, Indexes, Object,
    Proposal, Proposer, Store, UpdateError, Version, keys,
};

#[test]
fn a_proposal_that_is_dropped_or_panics_is_refused() {
    struct Bad;
    impl Proposer for Bad {
        fn propose(&self, proposal: Proposal) {
            assert!(
                proposal.number().get().is_multiple_of(2),
                "as the test wants it"
            );
        }
    }
    let store = Store::builder()
        .table::<Task>()
        .proposer(Arc::new(Bad))
        .build();
    for id in 0..4 {
        let error = store.update(|tx| tx.create(task(id)));
        assert!(
            matches!(error, Err(UpdateError::Refused { .. })),
            "{error:?}"
        );
    }
    assert_eq!((count(&store), store.version()), (0, Version::new(4)));
    assert_eq!(store.proposed_version(store.version()), None);
}

/// What a panic leaves may panic again when it goes: who comes later is proposed all the same.
#[test]
fn a_panic_that_panics_again_holds_nobody_back() {
    struct Again;
    impl Drop for Again {
        fn drop(&mut self) {
            panic!("as the test wants it");
        }
    }
    struct Bad;
    impl Proposer for Bad {
        fn propose(&self, proposal: Proposal) {
            let number = proposal.number();
            if number == Version::new(1) {
                panic_any(Again);
            }
            proposal.ticket().accept(number).expect("the first answer");
        }
    }
    let store = Store::builder()
        .table::<Task>()
        .proposer(Arc::new(Bad))
        .build();
    let submitted = [1, 2].map(|id| {
        let mut tx = store.begin();
        tx.create(task(id)).expect("nobody has it");
        tx.submit().expect("nothing is in the way")
    });
    let outcomes = submitted.map(|it| it.wait_timeout(Duration::from_secs(10)));
    let [first, second] = outcomes.map(|outcome| outcome.expect("it is answered"));
    assert!(
        matches!(first, Err(CommitError::Refused { .. })),
        "{first:?}"
    );
    assert_eq!(second, Ok(Version::new(2)));
}

#[test]
fn changes_between_two_versions() {
    let (proposer, store) = proposed();
    for id in 1..=4 {
        store.update(|tx| tx.create(task(id))).unwrap();
    }
    let version = Version::new;
    let between = |from, to| {
        let changes = store
            .proposer()?
            .changes_between(version(from), version(to));
        Some(changes.map(|changes| {
            let keys = changes.iter().flat_map(|change| change.writes.writes());
            keys.map(|write| *write.key.downcast_ref::<u64>().unwrap())
                .collect::<Vec<_>>()
        }))
    };
    assert_eq!(between(0, 12), Some(Ok(vec![1, 2, 3, 4])));
    assert_eq!(between(3, 9), Some(Ok(vec![2, 3])));
    assert_eq!(between(6, 6), Some(Ok(vec![])));
    assert_eq!(between(6, 3), Some(Err(ChangesError::OutOfOrder)));
    let newest = version(12);
    assert_eq!(between(6, 13), Some(Err(ChangesError::Future { newest })));
    let oldest = version(6);
    proposer.compact(oldest);
    assert_eq!(between(3, 9), Some(Err(ChangesError::Compacted { oldest })));
    assert_eq!(between(6, 9), Some(Ok(vec![3])));
}

#[test]
fn a_store_that_is_gone_is_told() {
    let (proposer, store) = proposed();
    proposer.hold();
    let dropped = submit(&store, task(1));
    let kept = proposer.take(0).unwrap();
    drop((store, dropped));
    assert_eq!(kept.accept(Version::new(3)), Err(AnswerError::Gone));
}
#[test]
fn a_version_that_does_not_rise_is_not_taken() {
    let (proposer, store) = proposed();
    store.update(|tx| tx.create(task(1))).unwrap();
    proposer.hold();
    let submission = submit(&store, task(2));
    let ticket = proposer.take(0).unwrap();
    let newest = Version::new(3);
    assert_eq!(ticket.accept(newest), Err(AnswerError::NotNewer { newest }));
    assert_eq!(submission.outcome(), None);
    assert_eq!(ticket.accept(newest.next()), Ok(()));
    assert_eq!(submission.wait(), Ok(Version::new(2)));
}

/// Whatever the order of the answers.
#[test]
fn versions_rise_with_the_proposals() {
    let (proposer, store) = proposed();
    proposer.hold();
    let submissions = [1, 2, 3].map(|id| submit(&store, task(id)));
    let [first, second, third] = [0, 0, 0].map(|place| proposer.take(place).unwrap());
    let version = Version::new;
    let not_newer = |newest| {
        let newest = version(newest);
        Err(AnswerError::NotNewer { newest })
    };
    let not_older = |oldest| {
        let oldest = version(oldest);
        Err(AnswerError::NotOlder { oldest })
    };
    assert_eq!(second.accept(version(5)), Ok(()));
    assert_eq!(first.accept(version(10)), not_older(5));
    assert_eq!(first.accept(version(5)), not_older(5));
    assert_eq!(first.accept(Version::ZERO), not_newer(0));
    assert_eq!(third.accept(version(5)), not_newer(5));
    assert_eq!((first.verdict(), third.verdict()), (None, None));
    assert_eq!(third.accept(version(6)), Ok(()));
    assert_eq!(first.accept(version(4)), Ok(()));
    assert!(submissions.into_iter().all(|it| it.wait().is_ok()));
    let versions = [1, 2, 3].map(|number| store.proposed_version(version(number)));
    assert_eq!(versions, [4, 5, 6].map(|number| Some(version(number))));
    assert_eq!(store.version_of(version(5)), Some(version(2)));
}

/// Keeps the last proposal.
struct Look(Mutex<Option<Proposal>>);

impl Proposer for Look {
    fn propose(&self, proposal: Proposal) {
        *self.0.lock().unwrap() = Some(proposal);
    }
    fn version(&self) -> Option<Version> {
        Some(Version::new(40))
    }
}

impl Look {
    fn accept(&self, version: u64) -> Proposal {
        let proposal = self.0.lock().unwrap().take().expect("a proposal");
        proposal.ticket().accept(Version::new(version)).unwrap();
        proposal
    }
}

/// A store of a task named web, and its proposer.
fn looked_at() -> (Arc<Look>, Store) {
    let look = Arc::new(Look(Mutex::default()));
    let builder = Store::builder().table::<Task>().table::<Account>();
    let store = builder.proposer(Arc::clone(&look) as _).build();
    let first = submit(&store, named(1, "web"));
    let proposal = look.accept(41);
    assert_eq!(first.wait(), Ok(Version::new(1)));
    assert_eq!(proposal.base_proposed(), Some(Version::new(40)));
    let claims = &proposal.reads().tables[0].claims;
    assert_eq!((claims.len(), claims[0].index), (1, "by_name"));
    assert_eq!(claims[0].value.downcast_ref::<String>().unwrap(), "web");
    assert_eq!(claims[0].holder.downcast_ref::<u64>(), Some(&1));
    (look, store)
}

#[test]
fn a_proposal_says_what_was_read() {
    let (look, store) = looked_at();
    let mut tx = store.begin();
    assert!(tx.get::<Account>(&9).is_none());
    assert_eq!(tx.count(Task::BY_COUNT.range(3..8)), 0);
    assert_eq!(tx.count(keys::<Task>().range(5..)), 0);
    tx.create(account(1, 5)).unwrap();
    drop(tx.submit().unwrap());
    let proposal = look.accept(44);
    let tables = &proposal.reads().tables;
    assert_eq!((tables[0].table, tables[1].table), ("task", "account"));
    assert!(tables[0].keys.is_empty());
    let range = &tables[0].key_ranges[0];
    let lower = range.lower.as_ref();
    let lower = lower.map(|key| *key.downcast_ref::<u64>().unwrap());
    assert_eq!(lower, std::ops::Bound::Included(5));
    assert!(matches!(range.upper, std::ops::Bound::Unbounded));
    let range = &tables[0].index_ranges[0];
    assert_eq!(range.index, "by_count");
    let upper = range.range.upper.as_ref();
    let upper = upper.map(|value| *value.downcast_ref::<i64>().unwrap());
    assert_eq!(upper, std::ops::Bound::Excluded(8));
    let keys = tables[1].keys.iter();
    let keys = keys.map(|key| *key.downcast_ref::<u32>().unwrap());
    assert_eq!(keys.collect::<Vec<_>>(), [9, 1]);
}

#[test]
fn a_proposal_says_once_what_was_read_again() {
    let (look, store) = looked_at();
    let mut tx = store.begin();
    for _ in 0..3 {
        assert!(!tx.exists(Task::BY_COUNT.range(3..8)) && !tx.exists(keys::<Task>().range(5..)));
        tx.upsert(named(2, "db")).unwrap();
    }
    drop(tx.submit().unwrap());
    let read = look.accept(44).reads().tables[0].clone();
    assert_eq!((read.index_ranges.len(), read.key_ranges.len()), (1, 1));
    assert_eq!((read.keys.len(), read.claims.len()), (1, 1));
}

#[test]
fn a_proposal_says_what_is_written() {
    let (look, store) = looked_at();
    let mut tx = store.begin();
    tx.modify::<Task>(&1, |task| task.count = 2).unwrap();
    tx.create(account(1, 5)).unwrap();
    let submission = tx.submit().unwrap();
    let proposal = look.accept(44);
    assert_eq!(submission.wait(), Ok(Version::new(2)));
    let (number, base) = (proposal.number(), proposal.base());
    assert_eq!((number, base), (Version::new(2), Version::new(1)));
    assert_eq!(proposal.base_proposed(), Some(Version::new(41)));
    let writes = proposal.writes().writes();
    assert_eq!((writes[0].table, writes[1].table), ("task", "account"));
    assert_eq!(writes[0].key.downcast_ref::<u64>(), Some(&1));
    let count = |image: &Option<Image>| {
        let task: &Task = image.as_ref()?.downcast_ref()?;
        Some(task.count)
    };
    assert_eq!(
        (count(&writes[0].old), count(&writes[0].new)),
        (Some(0), Some(2))
    );
    assert!(writes[1].old.is_none());
    let new = writes[1].new.as_ref().unwrap();
    assert_eq!(new.downcast_ref::<Account>(), Some(&account(1, 5)));
    assert!(new.downcast_ref::<Task>().is_none());
    // A delete has the old object only.
    let mut tx = store.begin();
    tx.delete::<Account>(&1).unwrap();
    drop(tx.submit().unwrap());
    let proposal = look.accept(47);
    let write = &proposal.writes().writes()[0];
    assert!(write.old.is_some() && write.new.is_none());
    assert_eq!(write.key.downcast_ref::<u32>(), Some(&1));
}

/// A member that applies what others proposed knows its own versions only.
#[test]
fn an_applied_entry_has_no_version_of_the_proposers() {
    let (proposer, store) = proposed();
    for id in 1..=2 {
        store.apply(&[Action::create(task(id))]).unwrap();
    }
    assert_eq!(proposer.proposals(), 0);
    for version in [0, 3, 6, 7].map(Version::new) {
        assert_eq!(store.version_of(version), None, "of {version}");
    }
    assert_eq!(store.proposed_version(store.version()), None);
    assert_eq!(store.proposed_version(Version::ZERO), Some(Version::ZERO));
    // From its first own proposal on it knows.
    store.update(|tx| tx.create(task(3))).unwrap();
    let (own, proposed) = (Version::new(3), Version::new(3));
    assert_eq!(store.proposed_version(own), Some(proposed));
    assert_eq!(store.version_of(proposed), Some(own));
    // What will be committed next is not what is there.
    for version in [own.next(), Version::new(u64::MAX)] {
        assert_eq!(store.proposed_version(version), None, "of {version}");
    }
}

/// The proposals in flight, and the oldest.
fn in_flight(store: &Store) -> (u64, Option<u64>) {
    let stats = store.stats();
    (stats.proposals, stats.oldest_proposal.map(Version::get))
}

#[test]
fn a_proposal_that_is_not_answered_is_told() {
    let (proposer, store) = proposed();
    store.update(|tx| tx.create(task(1))).unwrap();
    assert_eq!(in_flight(&store), (0, None));
    proposer.hold();
    let submissions = [2, 3, 4].map(|id| submit(&store, task(id)));
    assert_eq!(in_flight(&store), (3, Some(2)));
    // The second and third are answered, the first is forgotten.
    assert!(proposer.accept_at(1) && proposer.refuse_at(1, "no"));
    assert_eq!(in_flight(&store), (1, Some(2)));
    assert_eq!(store.version(), Version::new(1));
    assert!(proposer.accept_at(0));
    assert_eq!(in_flight(&store), (0, None));
    let outcomes = submissions.map(|submission| submission.wait().is_ok());
    assert_eq!(outcomes, [true, true, false]);
}

/// What others reached is applied, not proposed; it waits for what is in its way.
/// What is refused has a version, and no event.
#[test]
fn a_fork_does_not_wait_for_what_was_refused() {
    let (proposer, store) = proposed();
    put(&store, [task(1)]);
    let mut fork = Fork::new(&store).unwrap();
    let refuse = || {
        proposer.refuse_next("as the test wants it");
        store.update(|tx| tx.create(task(2))).unwrap_err();
        store.version()
    };
    assert_eq!(fork.poll().unwrap(), store.version());
    refuse();
    assert_eq!(fork.poll().unwrap(), store.version());
    // More than one run of the log.
    for _ in 0..300 {
        refuse();
    }
    assert_eq!(fork.follow_until(store.version()).unwrap(), store.version());
    std::thread::scope(|scope| {
        let end = store.version().next();
        let follower = &mut fork;
        let follower = scope.spawn(move || follower.follow_until(end));
        assert_eq!(refuse(), end);
        assert_eq!(follower.join().unwrap().unwrap(), end);
    });
    put(&store, [task(3)]);
    assert_eq!(fork.poll().unwrap(), store.version());
    assert_eq!(count(fork.store()), 2);
}

/// How far a watcher is with a mailbox: a number, at which the store can be asked, and no more.
#[test]
fn a_marker_of_how_far_it_is_may_be_of_what_was_refused() {
    let (proposer, store) = proposed();
    put(&store, [task(1)]);
    let accepted = store.version();
    let of_one = || Filter::of::<Task>().key(&1);
    let mut delivered = store.watch(of_one().events_max(9).every_commit());
    let mut reading = store.watch(of_one().every_commit());
    proposer.refuse_next("as the test wants it");
    store.update(|tx| tx.create(task(2))).unwrap_err();
    let refused = store.version();
    assert_eq!(refused, accepted.next());
    let marker = |event: Option<Event>| match event? {
        Event::Commit(version) => Some(version),
        Event::Change(change) => panic!("{change:?}"),
    };
    assert_eq!(marker(delivered.try_recv().unwrap()), Some(refused));
    assert_eq!(marker(reading.try_recv().unwrap()), None);
    let proposed = |version| store.proposed_version(version);
    assert_eq!(proposed(refused), proposed(accepted));
    let mut later = store
        .watch_from(refused, Filter::all().every_commit())
        .unwrap();
    assert_eq!(marker(later.try_recv().unwrap()), None);
}

#[test]
fn applied_changes_are_not_proposed() {
    let (proposer, store) = proposed();
    store.update(|tx| tx.create(task(1))).unwrap();
    proposer.hold();
    let pending = submit(&store, task(2));
    std::thread::scope(|scope| {
        let applied = scope.spawn(|| store.apply(&[Action::create(task(3))]));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert_eq!((proposer.waiting(), count(&store)), (1, 1));
        assert!(proposer.accept_at(0));
        let version = applied.join().unwrap().unwrap();
        assert_eq!(version, Version::new(3));
    });
    assert_eq!(pending.wait(), Ok(Version::new(2)));
    assert_eq!((proposer.proposals(), count(&store)), (2, 3));
    // What is known of accepted ones stays known; of the applied one nothing is.
    assert_eq!(store.proposed_version(store.version()), None);
    let proposed = store.proposed_version(Version::new(2));
    assert_eq!(proposed, Some(Version::new(6)));
    assert_eq!(store.version_of(Version::new(6)), Some(Version::new(2)));
    assert_eq!(store.version_of(Version::new(7)), None);
    proposer.release();
    store.update(|tx| tx.create(task(4))).unwrap();
    assert_eq!(
        store.proposed_version(store.version()),
        Some(Version::new(9))
    );
}

/// An object that commits when it goes.
struct Last(Store);

impl Drop for Last {
    fn drop(&mut self) {
        put(&self.0, [task(2)]);
    }
}

#[derive(Clone)]
struct Bequest {
    id: u64,
    _last: Arc<Last>,
}

impl Object for Bequest {
    type Key = u64;
    const TABLE: &'static str = "bequest";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

/// What the tests' proposer lets go of may do anything with the store, and with the proposer.
#[test]
fn a_drop_may_commit_when_the_history_goes() {
    let proposer = TestProposer::new();
    let other = Store::builder().table::<Task>();
    let other = other.proposer(Arc::clone(&proposer) as _).build();
    let store = Store::builder().table::<Bequest>();
    let store = store.proposer(Arc::clone(&proposer) as _).build();
    let bequest = Bequest {
        id: 1,
        _last: Arc::new(Last(other.clone())),
    };
    store
        .update(|tx| tx.create(bequest.clone()))
        .expect("nothing is in the way");
    drop(bequest);
    store
        .update(|tx| tx.delete::<Bequest>(&1))
        .expect("it is there");
    store.reclaim();
    let newest = proposer.version().expect("it has accepted");
    assert!(
        other.read().get::<Task>(&2).is_none(),
        "the history keeps it"
    );
    proposer.compact(newest);
    drop(store);
    assert!(other.read().get::<Task>(&2).is_some());
}

#[test]
fn a_proposal_takes_until_it_is_answered() {
    let proposer = TestProposer::new();
    let store = Store::builder().table::<Account>().latencies(1);
    let store = store.proposer(Arc::clone(&proposer) as _).build();
    proposer.hold();
    let mut tx = store.begin();
    tx.create(account(1, 1)).expect("there is none");
    let submission = tx.submit().expect("nobody is in the way");
    let told = || store.latencies().expect("it was asked for");
    assert_eq!(told().proposals.count(), 0, "it is not answered");
    let waited = std::time::Duration::from_millis(5);
    std::thread::sleep(waited);
    proposer.release();
    submission.wait().expect("it is accepted");
    let latencies = told();
    assert_eq!(
        (latencies.proposals.count(), latencies.commits.count()),
        (1, 1)
    );
    assert!(latencies.proposals.sum() >= waited, "{latencies:?}");
    // An update's time is with the wait for the answer.
    let updates = told().updates.count();
    store
        .update(|tx| tx.create(account(2, 1)))
        .expect("it is accepted at once");
    assert_eq!(
        (told().updates.count(), told().proposals.count()),
        (updates + 1, 2)
    );
}
