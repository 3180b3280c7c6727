//! A member that follows: what the proposer accepted elsewhere is applied under its version.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use common::{Task, delete, events, put, task};
use skep::testing::TestProposer;
use skep::{
    Action, AnswerError, ApplyError, ChangesError, DivergenceCause, Event, Filter, Index, Indexes,
    Object, Proposal, ProposedChange, ProposedWrite, Proposer, Store, UpdateError, Version,
    WatchFromError,
};

fn at(version: u64) -> Version {
    Version::new(version)
}

/// The proposer of a member that does not lead: it has what the leader's has, and refuses.
struct Following(Arc<TestProposer>);

impl Proposer for Following {
    fn propose(&self, proposal: Proposal) {
        proposal.ticket().refuse("not the leader").expect("open");
    }

    fn version(&self) -> Option<Version> {
        self.0.version()
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        self.0.changes_between(from, to)
    }
}

fn store(proposer: Arc<dyn Proposer>) -> Store {
    let builder = Store::builder().table::<Task>().history_commits(3);
    builder.proposer(proposer).build()
}

/// A leader, and a member that follows it: the proposer's versions rise by 3.
fn two_members() -> (Arc<TestProposer>, Store, Store) {
    let proposer = TestProposer::new();
    let leader = store(Arc::clone(&proposer) as _);
    let follower = store(Arc::new(Following(Arc::clone(&proposer))));
    (proposer, leader, follower)
}

/// Applies all that was accepted after a version; the newest then.
fn follow(proposer: &TestProposer, follower: &Store, after: Version) -> Version {
    let newest = proposer.version().expect("it has accepted some");
    for change in proposer.changes_between(after, newest).expect("kept") {
        let actions: Vec<Action> = change
            .writes
            .writes()
            .iter()
            .map(|write| Action::of_write::<Task>(write).expect("a task"))
            .collect();
        let applied = follower.apply_accepted(change.version, &actions);
        let applied = applied.expect("it fits");
        assert_eq!(follower.proposed_version(applied), Some(change.version));
    }
    newest
}

fn tasks(store: &Store) -> Vec<Task> {
    let tasks = tasks_and_times(store).into_iter();
    tasks.map(|(task, ..)| task).collect()
}

/// With when they were created and written last.
fn tasks_and_times(store: &Store) -> Vec<(Task, SystemTime, SystemTime)> {
    let view = store.read();
    let entries = view.find(skep::keys::<Task>().all()).entries();
    let tasks = entries.map(|entry| {
        let meta = entry.meta();
        (entry.get().clone(), meta.created_at, meta.updated_at)
    });
    tasks.collect()
}

#[test]
fn what_is_applied_has_the_same_versions_as_everywhere() {
    let (proposer, leader, follower) = two_members();
    put(&leader, [task(1)]);
    proposer.refuse_next("so that the members count differently");
    leader.update(|tx| tx.create(task(9))).unwrap_err();
    put(&leader, [task(2), task(3)]);
    delete::<Task>(&leader, &1);
    thread::sleep(Duration::from_millis(2));
    put(&leader, [task(2)]);
    follow(&proposer, &follower, Version::ZERO);
    assert_eq!(tasks_and_times(&follower), tasks_and_times(&leader));
    assert_eq!((leader.version(), follower.version()), (at(5), at(4)));
    for (here, there) in [(0, 0), (1, 1), (2, 3), (3, 4), (4, 5)] {
        let proposed = follower.proposed_version(at(here)).expect("known");
        assert_eq!(leader.version_of(proposed), Some(at(there)));
        assert_eq!(follower.version_of(proposed), Some(at(here)));
    }
}

#[test]
fn a_follower_is_watched_from_as_far_back_as_the_proposer_goes() {
    let (proposer, leader, follower) = two_members();
    for id in 1..=10 {
        put(&leader, [task(id)]);
    }
    follow(&proposer, &follower, Version::ZERO);
    follower.reclaim();
    let mut watcher = follower.watch_from(Version::ZERO, Filter::all()).unwrap();
    let commits: Vec<u64> = events(&mut watcher)
        .iter()
        .map(|it| it.version().get())
        .collect();
    let twice: Vec<u64> = (1..=10).flat_map(|version| [version, version]).collect();
    assert_eq!(commits, twice);
    // What was applied without a version ends it.
    follower
        .apply(&[Action::create(task(11))])
        .expect("it fits");
    let newest = proposer.version().expect("it has accepted some");
    for id in 12..=20 {
        put(&leader, [task(id)]);
    }
    follow(&proposer, &follower, newest);
    follower.reclaim();
    let from = follower.watch_from(Version::ZERO, Filter::all());
    assert!(
        matches!(from, Err(WatchFromError::Compacted { oldest }) if oldest > at(10)),
        "{from:?}"
    );
    assert_eq!(
        follower.proposed_version(follower.version()),
        proposer.version()
    );
}

/// The proposer of a member whose log has an entry without writes behind each other one, twice.
struct WithIdle(Arc<TestProposer>);

impl Proposer for WithIdle {
    fn propose(&self, proposal: Proposal) {
        proposal.ticket().refuse("not the leader").expect("open");
    }

    fn version(&self) -> Option<Version> {
        None
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        let newest = self.0.version().expect("it tells");
        let changes = self.0.changes_between(Version::ZERO, newest)?.into_iter();
        let idle = |version| ProposedChange {
            version: at(version),
            writes: std::iter::empty().collect(),
        };
        let all = changes.flat_map(|change| {
            let version = change.version.get();
            [change, idle(version + 1), idle(version + 2)]
        });
        let asked = |change: &ProposedChange| change.version > from && change.version <= to;
        Ok(all.filter(asked).collect())
    }
}

/// Those that were applied here are commits here, the others are none, and neither hides anything.
#[test]
fn a_watcher_from_before_entries_that_change_nothing_is_told_all_others() {
    let proposer = TestProposer::new();
    let leader = store(Arc::clone(&proposer) as _);
    let follower = store(Arc::new(WithIdle(Arc::clone(&proposer))));
    let mut after = Version::ZERO;
    for id in 1..=10 {
        put(&leader, [task(id)]);
        after = follow(&proposer, &follower, after);
        let idle = at(after.get() + 1);
        follower.apply_accepted(idle, &[]).expect("it fits");
    }
    follower.reclaim();
    let told = |filter: Filter| -> Vec<u64> {
        let mut watcher = follower.watch_from(Version::ZERO, filter).expect("kept");
        let events = events(&mut watcher);
        events.iter().map(|event| event.version().get()).collect()
    };
    let of = |each: &[u64]| -> Vec<u64> {
        let commits = (0..10).flat_map(|id| each.iter().map(move |more| 2 * id + more));
        commits.collect()
    };
    assert_eq!(told(Filter::of::<Task>().changes_only()), of(&[1]));
    assert_eq!(told(Filter::all().every_commit()), of(&[1, 1, 2]));
}

#[test]
fn versions_rise_and_what_does_not_fit_leaves_nothing() {
    let (_, _, follower) = two_members();
    follower
        .apply_accepted(at(6), &[Action::create(task(1))])
        .unwrap();
    for version in [0, 3, 6] {
        let refused = follower.apply_accepted(at(version), &[Action::create(task(2))]);
        let newest = at(6);
        assert!(
            matches!(&refused, Err(ApplyError::Version(AnswerError::NotNewer { newest: found }))
                if *found == newest),
            "{refused:?}"
        );
        assert_eq!(refused.unwrap_err().to_string(), "not newer than version 6");
    }
    assert_eq!(tasks(&follower), [task(1)]);
    let mut watcher = follower.watch(Filter::all());
    let applied = follower
        .apply_accepted(at(7), &[Action::create(task(2))])
        .unwrap();
    assert_eq!(follower.proposed_version(applied), Some(at(7)));
    let told: Vec<_> = events(&mut watcher).iter().map(|it| it.version()).collect();
    assert_eq!(told, [applied, applied]);
}

#[test]
fn a_divergence_uses_no_version_up() {
    let (_, _, follower) = two_members();
    let entry = [Action::create(task(1)), Action::delete::<Task>(&5)];
    let diverged = follower.apply_accepted(at(3), &entry);
    let Err(ApplyError::Update(UpdateError::Closure(divergence))) = diverged else {
        panic!("{diverged:?}");
    };
    assert_eq!(divergence.position, 1);
    assert!(matches!(divergence.cause, DivergenceCause::NotFound(_)));
    assert_eq!(tasks(&follower), []);
    follower
        .apply_accepted(at(3), &entry[..1])
        .expect("the version is free");
}

#[test]
fn without_a_proposer_there_is_no_version_to_have() {
    let alone = Store::builder().table::<Task>().build();
    let refused = alone.apply_accepted(at(1), &[Action::create(task(1))]);
    assert!(
        matches!(refused, Err(ApplyError::NoProposer)),
        "{refused:?}"
    );
    assert_eq!(tasks(&alone), []);
}

/// A member that led: its proposal is still open when another leader's entry comes.
#[test]
fn an_entry_behind_an_open_proposal_shows_when_that_is_answered() {
    let proposer = TestProposer::new();
    let member = store(Arc::clone(&proposer) as _);
    proposer.hold();
    let submitted = {
        let mut tx = member.begin();
        tx.create(task(1)).expect("a new key");
        tx.submit().expect("nobody is in its way")
    };
    let applied = AtomicBool::new(false);
    thread::scope(|scope| {
        let applying = scope.spawn(|| {
            let version = member.apply_accepted(at(50), &[Action::create(task(2))]);
            applied.store(true, Ordering::SeqCst);
            version.expect("it fits")
        });
        // The proposal's attempt and the entry's.
        common::wait_for(common::PATIENCE, || member.stats().attempts == 2);
        thread::sleep(Duration::from_millis(20));
        assert!(!applied.load(Ordering::SeqCst), "what is before it is open");
        assert_eq!(tasks(&member), []);
        let ticket = proposer.take(0).expect("one waits");
        ticket.lose_leadership().expect("open");
        let version = applying.join().expect("no panic");
        assert_eq!(member.proposed_version(version), Some(at(50)));
    });
    submitted.wait().unwrap_err();
    assert_eq!(tasks(&member), [task(2)]);
    // It is not proposed.
    assert_eq!(proposer.proposals(), 1);
}

/// A member that only applies is the one that collects there.
#[test]
fn what_entries_replace_goes() {
    let (_, _, follower) = two_members();
    put_applied(&follower, 1, Action::create(task(1)));
    for version in 2..=5_000 {
        put_applied(&follower, version, Action::update(common::counted(1, 1)));
    }
    let versions = follower.stats().versions;
    assert!(versions < 1_000, "{versions} versions of one task");
}

fn put_applied(follower: &Store, version: u64, action: Action) {
    let applied = follower.apply_accepted(at(version), &[action]);
    applied.expect("it fits");
}

/// Its index function panics for some.
#[derive(Clone, Debug)]
struct Fragile(u64);

impl Object for Fragile {
    type Key = u64;
    const TABLE: &'static str = "fragile";

    fn key(&self) -> u64 {
        self.0
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        const BY_HALF: Index<Fragile, u64> = Index::new("by_half", |fragile: &Fragile, keys| {
            assert!(fragile.0 != 13, "an index function panics");
            keys.add(fragile.0 / 2);
        });
        indexes.add(BY_HALF);
    }
}

#[test]
fn a_panic_of_user_code_leaves_no_commit_open() {
    let following = Following(TestProposer::new());
    let builder = Store::builder().table::<Fragile>();
    let follower = builder.proposer(Arc::new(following)).build();
    let entry = [Action::create(Fragile(1)), Action::create(Fragile(13))];
    catch_unwind(AssertUnwindSafe(|| follower.apply_accepted(at(3), &entry)))
        .expect_err("the index function panics");
    let applied = follower
        .apply_accepted(at(3), &entry[..1])
        .expect("it goes on");
    assert_eq!(follower.proposed_version(applied), Some(at(3)));
    assert_eq!(follower.read().count(skep::keys::<Fragile>().all()), 1);
}

/// As that of an entry that is applied twice, whatever its actions are: none of them fits any more.
#[test]
fn an_entry_that_was_applied_is_not_a_divergence() {
    let (_, _, follower) = two_members();
    let [create, delete] = [Action::create(task(1)), Action::delete::<Task>(&1)];
    for (version, entry) in [(6, &[create][..]), (9, &[delete]), (12, &[])] {
        assert!(follower.apply_accepted(at(version), entry).is_ok());
        let before = follower.version();
        let again = follower.apply_accepted(at(version), entry);
        assert!(matches!(again, Err(ApplyError::Version(_))), "{again:?}");
        assert_eq!(follower.version(), before);
    }
}

/// Nor where it was applied while it waited: by the member's own proposal, at that version.
#[test]
fn an_entry_that_the_own_proposal_made_is_not_a_divergence() {
    let proposer = TestProposer::new();
    let member = store(Arc::clone(&proposer) as _);
    proposer.hold();
    let submitted = common::submit(&member, task(1));
    thread::scope(|scope| {
        let entry = [Action::create(task(1))];
        let follower = &member;
        let applying = scope.spawn(move || follower.apply_accepted(at(3), &entry));
        // The proposal's attempt and the entry's, which waits for what is in its way.
        common::wait_for(common::PATIENCE, || member.stats().attempts == 2);
        assert!(proposer.accept_at(0));
        let newest = at(3);
        match applying.join().expect("no panic") {
            Err(ApplyError::Version(told)) => assert_eq!(told, AnswerError::NotNewer { newest }),
            other => panic!("{other:?}"),
        }
    });
    submitted.wait().expect("it is accepted");
    assert_eq!(tasks(&member), [task(1)]);
}

/// Without a version a list of actions that writes nothing is no commit, and says nothing of that
/// of others.
#[test]
fn what_wrote_nothing_leaves_the_versions_of_others() {
    let (_, _, follower) = two_members();
    assert!(
        follower
            .apply_accepted(at(6), &[Action::create(task(1))])
            .is_ok()
    );
    let nothing = [Action::create(task(2)), Action::delete::<Task>(&2)];
    let version = follower.apply(&nothing).expect("it fits");
    assert_eq!(
        (version, follower.proposed_version(version)),
        (at(1), Some(at(6)))
    );
}

/// What a change of one store did has, in another, the version of that one's proposer, or none.
#[test]
fn an_action_of_a_change_takes_no_version_along() {
    let (_, leader, _) = two_members();
    let mut watcher = leader.watch(Filter::all());
    put(&leader, [task(1)]);
    put(&leader, [task(1)]);
    let events = events(&mut watcher);
    let changes = events.iter().filter_map(Event::change);
    let actions: Vec<Action> = changes.filter_map(Action::of::<Task>).collect();
    let [created, updated] = &actions[..] else {
        panic!("{actions:?}");
    };
    let proposed = |store: &Store| {
        let read = store.read();
        read.entry::<Task>(&1).expect("applied").meta().proposed
    };
    assert_eq!(proposed(&leader), Some(at(6)));
    let (_, _, other) = two_members();
    let applied = other.apply_accepted(at(50), std::slice::from_ref(created));
    assert!(applied.is_ok(), "{applied:?}");
    assert_eq!(proposed(&other), Some(at(50)));
    let applied = other.apply(std::slice::from_ref(updated));
    assert!(applied.is_ok(), "{applied:?}");
    assert_eq!(proposed(&other), None, "nobody told it");
}

/// A deletion of nothing does nothing, and what is created was not there before, whatever is said.
#[test]
fn a_write_tells_what_it_does() {
    let create = Action::create(task(1));
    let Action::Create(object) = &create else {
        panic!("{create:?}");
    };
    let written = ProposedWrite::of_action(&create, Some(object));
    assert!(written.old.is_none() && !written.replaces);
    let mut deleted = ProposedWrite::of_action(&Action::delete::<Task>(&1), Some(object));
    assert!(deleted.old.is_some());
    let action = Action::of_write::<Task>(&deleted);
    assert!(matches!(action, Some(Action::Delete(_))), "{action:?}");
    deleted.replaces = false;
    assert!(Action::of_write::<Task>(&deleted).is_none());
}
