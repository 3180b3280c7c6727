//! Entries that change nothing, on a member that follows and on one that leads: their versions.

mod common;

use std::sync::Arc;

use common::{Task, events, task};
use skep::testing::TestProposer;
use skep::{Action, ApplyError, Filter, Proposal, Proposer, Store, Version};

fn at(version: u64) -> Version {
    Version::new(version)
}

/// The proposer of a member that does not lead.
struct Following;

impl Proposer for Following {
    fn propose(&self, proposal: Proposal) {
        proposal.ticket().refuse("not the leader").expect("open");
    }
}

fn store(proposer: Arc<dyn Proposer>) -> Store {
    let builder = Store::builder().table::<Task>().history_commits(3);
    builder.proposer(proposer).build()
}

fn tasks(store: &Store) -> Vec<Task> {
    let view = store.read();
    let all = view.find(skep::keys::<Task>().all());
    all.cloned().collect()
}

/// As an entry that a new leader begins with, or one that takes back what it does: so who waits for
/// what was accepted up to such an entry does not wait for the next one.
#[test]
fn an_entry_that_changes_nothing_has_its_version() {
    let follower = store(Arc::new(Following));
    let mut all = follower.watch(Filter::all().every_commit());
    let mut tasks_alone = follower.watch(Filter::of::<Task>());
    let nothing = [Action::create(task(2)), Action::delete::<Task>(&2)];
    let entries = [&[][..], &[Action::create(task(1))], &nothing, &[]];
    for (entry, version) in entries.into_iter().zip([3, 6, 9, 10]) {
        let applied = follower.apply_accepted(at(version), entry);
        let applied = applied.expect("it fits");
        assert_eq!(applied, follower.version());
        assert_eq!(follower.proposed_version(applied), Some(at(version)));
        assert_eq!(follower.version_of(at(version)), Some(applied));
        let again = follower.apply_accepted(at(version), entry);
        assert!(matches!(again, Err(ApplyError::Version(_))), "{again:?}");
    }
    assert_eq!(follower.version_of(at(8)), Some(at(2)));
    let told = |events: Vec<skep::Event>| -> Vec<u64> {
        events.iter().map(|event| event.version().get()).collect()
    };
    assert_eq!(told(events(&mut all)), [1, 2, 2, 3, 4]);
    assert_eq!(told(events(&mut tasks_alone)), [2, 2]);
    let object = follower
        .read()
        .entry::<Task>(&1)
        .map(|it| it.meta().proposed);
    assert_eq!(object, Some(Some(at(6))));
}

/// As a change of membership, on a leader: what is in flight has its place before it in the store's
/// log, and newer versions. It neither waits for that nor is in its way.
#[test]
fn an_entry_that_changes_nothing_passes_open_proposals_by() {
    let proposer = TestProposer::new();
    let leader = store(Arc::clone(&proposer) as _);
    proposer.hold();
    let submitted = [1, 2].map(|id| common::submit(&leader, task(id)));
    let version = leader.apply_accepted(at(2), &[]).expect("it fits");
    assert_eq!((version, leader.version()), (Version::ZERO, Version::ZERO));
    assert_eq!(leader.proposed_version(version), Some(Version::ZERO));
    assert!(proposer.accept_at(0));
    let version = leader.apply_accepted(at(4), &[]).expect("it fits");
    assert_eq!(leader.proposed_version(version), Some(at(3)));
    assert!(proposer.accept_at(0));
    for submission in submitted {
        submission.wait().expect("it is accepted");
    }
    assert_eq!(leader.proposed_version(leader.version()), Some(at(6)));
    assert_eq!(leader.version_of(at(4)), leader.version_of(at(3)));
    let applied = leader.apply_accepted(at(7), &[]).expect("it fits");
    assert_eq!(leader.proposed_version(applied), Some(at(7)));
    assert_eq!(tasks(&leader), [task(1), task(2)]);
}

/// As on a member that follows, where somebody tries to write just then: who waits for the entry's
/// version does not wait for the next one.
#[test]
fn an_entry_that_changes_nothing_has_its_version_when_what_is_before_it_is_refused() {
    let proposer = TestProposer::new();
    let member = store(Arc::clone(&proposer) as _);
    proposer.hold();
    member
        .apply_accepted(at(4), &[Action::create(task(7))])
        .expect("it fits");
    let submitted = [1, 2].map(|id| common::submit(&member, task(id)));
    let version = member.apply_accepted(at(5), &[]).expect("it fits");
    assert_eq!(member.proposed_version(version), Some(at(4)));
    assert_eq!(member.version_of(at(5)), None, "one before it may be");
    assert!(proposer.refuse_at(1, "it follows"));
    assert_eq!(member.proposed_version(member.version()), Some(at(4)));
    assert!(proposer.refuse_at(0, "it follows"));
    assert_eq!(member.proposed_version(member.version()), Some(at(5)));
    assert_eq!(member.begin().proposed_version(), Some(at(5)));
    assert_eq!(member.version_of(at(5)), member.version_of(at(4)));
    assert_eq!(member.version_of(at(6)), None);
    for submission in submitted {
        submission.wait().expect_err("it is refused");
    }
    // What comes next comes after it, and is told to who goes on from it.
    let mut watcher = member
        .watch_from(member.version_of(at(5)).expect("just now"), Filter::all())
        .expect("kept");
    let applied = member.apply_accepted(at(6), &[Action::create(task(8))]);
    let applied = applied.expect("it fits");
    assert_eq!(member.proposed_version(applied), Some(at(6)));
    assert_eq!(events(&mut watcher).len(), 2);
    assert_eq!(tasks(&member), [task(7), task(8)]);
}
