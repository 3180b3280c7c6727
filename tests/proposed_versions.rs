//! The proposer's version of each object: the same on all members of a cluster, from one to the
//! next, and through saving and restoring.

mod common;

use std::sync::Arc;

use common::{delete, events, put};
use skep::save::{Catalogue, Fault, Reader, RestoreError, SavedObject};
use skep::testing::TestProposer;
use skep::{
    Action, AnswerError, ApplyError, DeleteError, Filter, Indexes, Meta, Object, OutOfSequence,
    ProposedChange, Proposer, Store, UpdateError, Version, keys,
};

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct Task {
    id: u64,
    name: String,
}

impl Object for Task {
    type Key = u64;
    const TABLE: &'static str = "task";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

fn task(id: u64) -> Task {
    named(id, "task")
}

fn named(id: u64, name: &str) -> Task {
    let name = name.to_owned();
    Task { id, name }
}

fn at(version: u64) -> Version {
    Version::new(version)
}

fn catalogue() -> Catalogue {
    Catalogue::new().table::<Task>()
}

/// A member: its proposer's versions rise by 3.
fn member() -> (Arc<TestProposer>, Store) {
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Task>();
    let store = builder.proposer(Arc::clone(&proposer) as _).build();
    (proposer, store)
}

fn actions(change: &ProposedChange) -> Vec<Action> {
    let writes = change.writes.writes().iter();
    let actions = writes.map(|write| Action::of_write::<Task>(write).expect("a task's"));
    actions.collect()
}

/// Applies what was accepted after a version.
fn follow(proposer: &TestProposer, follower: &Store, after: Version) {
    let newest = proposer.version().expect("it has accepted some");
    for change in proposer.changes_between(after, newest).expect("kept") {
        let applied = follower.apply_accepted(change.version, &actions(&change));
        applied.expect("it fits");
    }
}

fn meta(store: &Store, id: u64) -> Meta {
    let view = store.read();
    view.entry::<Task>(&id).expect("it is there").meta()
}

/// All tasks with their times and the proposer's versions; but not the store's own.
fn all(store: &Store) -> Vec<(Task, Meta)> {
    let view = store.read();
    let entries = view.find(keys::<Task>().all()).entries();
    let all = entries.map(|entry| {
        let mut meta = entry.meta();
        meta.version = Version::ZERO;
        (entry.get().clone(), meta)
    });
    all.collect()
}

fn proposed(store: &Store) -> Vec<(u64, Option<u64>)> {
    let of = |(task, meta): (Task, Meta)| (task.id, meta.proposed.map(Version::get));
    all(store).into_iter().map(of).collect()
}

fn saved(store: &Store) -> Vec<u8> {
    let mut file = Vec::new();
    store.save(&catalogue(), &mut file).expect("a vector");
    file
}

/// A leader that has refused something, so that members count differently: task 1 at version 6,
/// task 2 at 9, task 3 at 12.
fn leader() -> (Arc<TestProposer>, Store) {
    let (proposer, leader) = member();
    proposer.refuse_next("as the test wants it");
    leader.update(|tx| tx.create(task(1))).unwrap_err();
    put(&leader, [task(1), task(2)]);
    put(&leader, [named(2, "new")]);
    put(&leader, [task(3)]);
    (proposer, leader)
}

#[test]
fn objects_have_the_same_versions_on_all_members() {
    let (proposer, leader) = leader();
    let [(_, follower), (_, late)] = [member(), member()];
    follow(&proposer, &follower, Version::ZERO);
    let expected = [(1, Some(6)), (2, Some(9)), (3, Some(12))];
    assert_eq!(proposed(&leader), expected);
    assert_eq!(all(&follower), all(&leader));
    assert_ne!(meta(&follower, 1).version, meta(&leader, 1).version);
    // One that begins from a file, of whichever member.
    let restored = late.restore_accepted(at(12), &catalogue(), &saved(&follower)[..]);
    let restored = restored.expect("a new store");
    assert_eq!(all(&late), all(&leader));
    assert_eq!(late.proposed_version(restored.version), Some(at(12)));
    // They go on together.
    delete::<Task>(&leader, &1);
    put(&leader, [task(2)]);
    for member in [&follower, &late] {
        follow(&proposer, member, at(12));
        assert_eq!(all(member), all(&leader));
    }
    assert_eq!(proposed(&late), [(2, Some(18)), (3, Some(12))]);
    // Watchers are told them as well.
    let mut watcher = leader.watch(Filter::all());
    put(&leader, [task(9)]);
    let change = events(&mut watcher)[0].change().cloned();
    let told = change.and_then(|change| change.meta());
    assert_eq!(told.and_then(|meta| meta.proposed), Some(at(21)));
}

/// By the store's own versions this passes: task 1 is at version 2 on the leader, and task 2 on
/// the follower is at the same.
#[test]
fn a_version_read_on_one_member_guards_on_another() {
    let (proposer, leader) = leader();
    let (taken_over, follower) = member();
    follow(&proposer, &follower, Version::ZERO);
    for _ in 0..4 {
        taken_over.refuse_next("its versions are to be above those accepted");
        follower.update(|tx| tx.create(task(9))).unwrap_err();
    }
    let read = meta(&leader, 2);
    assert_eq!(read.version, meta(&follower, 2).version.next());
    let version = read.proposed.expect("the leader accepted it");
    let changed = |version| follower.update(|tx| tx.update_at_proposed(version, task(2)));
    let stale = changed(at(6));
    let expected = OutOfSequence::new::<Task>(2, at(6), version);
    assert_eq!(stale, Err(UpdateError::Closure(expected.into())));
    assert_eq!(changed(version), Ok(()));
    assert!(changed(version).is_err(), "it has moved on");
    let now = meta(&follower, 2).proposed.expect("accepted");
    let deleted = |version| follower.update(|tx| tx.delete_at_proposed::<Task>(version, &2));
    let expected = OutOfSequence::new::<Task>(2, version, now);
    assert_eq!(deleted(version), Err(UpdateError::Closure(expected.into())));
    assert_eq!(deleted(now), Ok(()));
    let gone = deleted(now);
    assert!(matches!(
        gone,
        Err(UpdateError::Closure(DeleteError::NotFound(_)))
    ));
    // What the transaction has written itself has no version yet.
    let mut tx = follower.begin();
    tx.modify::<Task>(&1, |_| ()).expect("it is there");
    let version = meta(&follower, 1).proposed.expect("accepted");
    assert!(tx.update_at_proposed(version, task(1)).is_err());
}

#[test]
fn what_came_without_a_version_has_none_and_fits_none() {
    let (_, store) = leader();
    store.apply(&[Action::create(task(4))]).expect("it fits");
    assert_eq!(meta(&store, 4).proposed, None);
    for version in [Version::ZERO, at(12), meta(&store, 4).version] {
        let updated = store.update(|tx| tx.update_at_proposed(version, task(4)));
        let expected = OutOfSequence::new::<Task>(4, version, Version::ZERO);
        assert_eq!(updated, Err(UpdateError::Closure(expected.into())));
    }
    let alone = Store::builder().table::<Task>().build();
    put(&alone, [task(1)]);
    assert_eq!(meta(&alone, 1).proposed, None);
    assert!(
        alone
            .update(|tx| tx.update_at_proposed(at(1), task(1)))
            .is_err()
    );
    assert_eq!(alone.begin().proposed_version(), None);
    let (_, store) = leader();
    assert_eq!(store.begin().proposed_version(), Some(at(12)));
}

#[test]
fn a_restored_version_must_be_newer_and_has_nothing_newer() {
    let (_, leader) = leader();
    let file = saved(&leader);
    let (_, store) = member();
    store
        .apply_accepted(at(5), &[Action::create(task(7))])
        .expect("the first");
    let before = all(&store);
    let restore = |version| store.restore_accepted(at(version), &catalogue(), &file[..]);
    for version in [0, 4, 5] {
        let refused = restore(version);
        let newest = at(5);
        let expected = AnswerError::NotNewer { newest };
        assert!(matches!(refused, Err(RestoreError::Version(error)) if error == expected));
    }
    let refused = restore(11);
    let Err(RestoreError::Read(error)) = refused else {
        panic!("{refused:?}");
    };
    assert!(matches!(error.fault, Fault::Malformed(_)), "{error}");
    assert_eq!((all(&store), store.version()), (before, at(1)));
    assert!(restore(12).is_ok());
    let alone = Store::builder().table::<Task>().build();
    let refused = alone.restore_accepted(at(12), &catalogue(), &file[..]);
    assert!(
        matches!(refused, Err(RestoreError::NoProposer)),
        "{refused:?}"
    );
}

/// What is accepted when its store is gone is in nobody's state, and so in no log.
#[test]
fn a_test_proposer_keeps_no_change_that_no_store_took() {
    let (proposer, store) = member();
    put(&store, [task(1)]);
    proposer.hold();
    let mut tx = store.begin();
    tx.create(task(2)).expect("there is none");
    let submission = tx.submit().expect("nobody is in the way");
    drop((store, submission));
    assert_eq!(proposer.waiting(), 1);
    proposer.release();
    assert_eq!(proposer.version(), Some(at(3)));
    let kept = proposer.changes_between(Version::ZERO, at(3));
    assert_eq!(kept.expect("it has compacted nothing").len(), 1);
}

/// As a member that begins to lead after it was restored.
#[test]
fn a_test_proposer_begins_after_what_was_restored() {
    let (_, leader) = leader();
    let file = saved(&leader);
    let (proposer, store) = member();
    let restored = store.restore_accepted(at(20), &catalogue(), &file[..]);
    let restored = restored.expect("newer").version;
    proposer.begin_after(at(20));
    assert_eq!(proposer.version(), Some(at(20)));
    put(&store, [task(50)]);
    put(&store, [named(50, "later")]);
    assert_eq!(meta(&store, 50).proposed, Some(at(26)));
    assert_eq!(store.proposed_version(store.version()), Some(at(26)));
    let mut watcher = store.watch_from(restored, Filter::all()).expect("kept");
    assert_eq!(events(&mut watcher).len(), 4);
    let changes = proposer.changes_between(at(20), at(26)).expect("kept");
    assert_eq!(changes.len(), 2);
    let oldest = at(20);
    let error = proposer.changes_between(at(19), at(26)).unwrap_err();
    assert_eq!(error, skep::ChangesError::Compacted { oldest });
    // It goes back to none.
    proposer.begin_after(at(7));
    put(&store, [task(51)]);
    assert_eq!(meta(&store, 51).proposed, Some(at(29)));
    assert!(proposer.changes_between(at(7), at(29)).is_err());
}

/// A file says which state there is at a version, and not how it came to be.
#[test]
fn what_led_to_a_restored_version_is_not_known() {
    let (proposer, leader) = leader();
    let (_, store) = member();
    store
        .apply_accepted(at(6), &[Action::create(task(1))])
        .expect("the first");
    let restored = store.restore_accepted(at(13), &catalogue(), &saved(&leader)[..]);
    assert_eq!(restored.expect("newer").version, at(2));
    put(&leader, [task(4)]);
    follow(&proposer, &store, at(12));
    let known = |version| store.version_of(at(version)).map(Version::get);
    assert_eq!(
        [known(6), known(13), known(15)],
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!([known(7), known(9), known(12)], [None; 3]);
    assert_eq!([known(14), known(16)], [Some(2), None]);
}

#[test]
fn what_is_there_as_it_was_saved_is_left_alone() {
    let (_, leader) = leader();
    let file = saved(&leader);
    let mut watcher = leader.watch(Filter::all());
    let restored = leader
        .restore_accepted(at(20), &catalogue(), &file[..])
        .expect("newer");
    assert_eq!(
        (restored.tables[0].unchanged, events(&mut watcher).len()),
        (3, 0)
    );
    // It stands for the version all the same: what came before is not applied again.
    assert_eq!(leader.proposed_version(restored.version), Some(at(20)));
    let again = leader.apply_accepted(at(15), &[Action::create(task(9))]);
    assert!(matches!(again, Err(ApplyError::Version(_))), "{again:?}");
    // The same object at another version is another one.
    let (_, other) = member();
    let (object, at_time) = (task(1), meta(&leader, 1));
    let action = Action::create(object).at(at_time.created_at, at_time.updated_at);
    other.apply_accepted(at(3), &[action]).expect("the first");
    let restored = other
        .restore_accepted(at(20), &catalogue(), &file[..])
        .expect("newer");
    let table = &restored.tables[0];
    assert_eq!((table.created, table.updated, table.unchanged), (2, 1, 0));
    assert_eq!(all(&other), all(&leader));
}

fn in_file(file: &[u8]) -> (u16, Vec<Option<Version>>) {
    let mut reader = Reader::open(file, Default::default()).expect("a sound file");
    reader.next_table().expect("sound").expect("there is one");
    let mut found = Vec::new();
    while let Some(SavedObject { proposed, .. }) = reader.next_object().expect("sound") {
        found.push(proposed);
    }
    (reader.format(), found)
}

#[test]
fn files_of_stores_with_and_without_a_proposer_go_both_ways() {
    let (_, leader) = leader();
    let with = saved(&leader);
    assert_eq!(
        in_file(&with),
        (2, [6, 9, 12].map(|it| Some(at(it))).to_vec())
    );
    let alone = Store::builder().table::<Task>().build();
    alone.restore(&catalogue(), &with[..]).expect("any store");
    assert_eq!(proposed(&alone), [(1, None), (2, None), (3, None)]);
    let again = alone.restore(&catalogue(), &with[..]).expect("any store");
    assert_eq!(again.tables[0].unchanged, 3, "it has no room for versions");
    let without = saved(&alone);
    assert_eq!(in_file(&without), (1, vec![None; 3]));
    // Of which no version is known has that of the file.
    let (_, store) = member();
    store
        .restore_accepted(at(7), &catalogue(), &without[..])
        .expect("the first");
    assert_eq!(proposed(&store), [(1, Some(7)), (2, Some(7)), (3, Some(7))]);
    // And without a version of the whole, each keeps what it has.
    let (_, store) = member();
    store.restore(&catalogue(), &with[..]).expect("any store");
    assert_eq!(
        (all(&store), store.proposed_version(at(1))),
        (all(&leader), None)
    );
    let (_, store) = member();
    store
        .restore(&catalogue(), &without[..])
        .expect("any store");
    assert_eq!(proposed(&store), [(1, None), (2, None), (3, None)]);
    // What a file says nothing of fits whatever there is.
    let over = leader.restore(&catalogue(), &without[..]);
    assert_eq!(over.expect("any store").tables[0].unchanged, 3);
    assert_eq!(in_file(&saved(&leader)), in_file(&with));
}

/// Others commit while the file is read: what they did is undone, and what was there keeps its
/// version.
#[test]
fn what_is_undone_has_the_version_that_it_had() {
    let (_, store) = leader();
    let file = saved(&store);
    let mut once = true;
    let restored = store.restore_with(&catalogue(), &file[..], |_| {
        if std::mem::take(&mut once) {
            put(&store, [named(1, "other")]);
            delete::<Task>(&store, &3);
        }
    });
    assert!(restored.is_ok(), "{restored:?}");
    assert_eq!(
        proposed(&store),
        [(1, Some(6)), (2, Some(9)), (3, Some(12))]
    );
}

/// The whole state comes behind what is on its way, and waits for its outcome.
#[test]
fn a_restore_waits_for_the_proposals_in_flight() {
    let (_, leader) = leader();
    let file = saved(&leader);
    for accepted in [true, false] {
        let (proposer, store) = member();
        proposer.hold();
        let mut tx = store.begin();
        tx.create(task(7)).expect("it is new");
        let pending = tx.submit().expect("nobody is in the way");
        std::thread::scope(|scope| {
            let restored = scope.spawn(|| store.restore_accepted(at(12), &catalogue(), &file[..]));
            std::thread::sleep(std::time::Duration::from_millis(20));
            assert_eq!((all(&store), store.version()), (Vec::new(), Version::ZERO));
            match accepted {
                true => assert!(proposer.accept_at(0)),
                false => assert!(proposer.refuse_at(0, "as the test wants it")),
            }
            let restored = restored.join().expect("no panic");
            assert!(restored.is_ok(), "{restored:?}");
        });
        assert_eq!(pending.wait().is_ok(), accepted);
        assert_eq!(all(&store), all(&leader));
        assert_eq!(store.proposed_version(store.version()), Some(at(12)));
    }
}

/// Forks have no proposer, and its versions all the same, through a restore as well.
#[test]
fn forks_of_forks_follow_through_a_restore() {
    let (_, source) = leader();
    let file = saved(&source);
    let mut fork = skep::Fork::new(&source).expect("a sound source");
    let mut second = skep::Fork::new(fork.store()).expect("a sound source");
    put(&source, [named(1, "other"), task(8)]);
    let restored = source.restore_accepted(at(30), &catalogue(), &file[..]);
    assert!(restored.is_ok(), "{restored:?}");
    fork.poll().expect("it follows");
    second.poll().expect("it follows");
    let apart = |store: &Store| {
        let all = all(store).into_iter();
        let all = all.map(|(task, meta)| (task, meta.created_at, meta.updated_at));
        all.collect::<Vec<_>>()
    };
    assert_eq!(apart(fork.store()), apart(&source));
    assert_eq!(apart(second.store()), apart(&source));
    assert_eq!(proposed(fork.store()), proposed(&source));
    assert_eq!(proposed(second.store()), proposed(&source));
    // A file of a fork is as good as one of its source.
    let (_, member) = member();
    let file = saved(second.store());
    let restored = member.restore_accepted(at(30), &catalogue(), &file[..]);
    assert!(restored.is_ok(), "{restored:?}");
    assert_eq!(proposed(&member), proposed(&source));
}

/// Nor is a version known of the store's that is accepted already, and not shown: what comes before
/// it is still open.
#[test]
fn what_is_not_shown_yet_has_no_version() {
    let (proposer, store) = member();
    proposer.hold();
    let submissions = [1, 2].map(|id| {
        let mut tx = store.begin();
        tx.create(task(id)).expect("it is new");
        tx.submit().expect("nobody is in the way")
    });
    assert!(proposer.accept_at(1));
    assert_eq!(store.proposed_version(submissions[1].version()), None);
    assert!(proposer.accept_at(0));
    let shown = submissions.map(|submission| {
        let version = submission.wait().expect("it is accepted");
        store.proposed_version(version).expect("it is shown")
    });
    assert!(shown[0] < shown[1]);
}

/// Objects that nobody has a version of have the file's on each member that begins from it, also
/// where they were there already, or under another version.
#[test]
fn a_restored_version_is_that_of_what_has_none_on_every_member() {
    let (_, source) = member();
    source
        .apply(&[Action::create(task(1)), Action::create(task(2))])
        .expect("they fit");
    let file = saved(&source);
    let (_, fresh) = member();
    let (_, versioned) = member();
    let stamped = |id| {
        let meta = meta(&source, id);
        Action::create(task(id)).at(meta.created_at, meta.updated_at)
    };
    versioned
        .apply_accepted(at(5), &[stamped(1), stamped(2)])
        .expect("the first");
    for store in [&fresh, &versioned, &source] {
        let restored = store.restore_accepted(at(7), &catalogue(), &file[..]);
        restored.expect("newer");
        assert_eq!(proposed(store), [(1, Some(7)), (2, Some(7))]);
    }
}
