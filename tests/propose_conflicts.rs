//! Who is in whose way where a proposer decides.

mod common;

use common::{Task, named, proposed, submit, task};
use skep::{Error, Store, Transaction, UpdateError, Version, keys};

/// A commit that is refused, of a task 1 called "web".
fn refuse_one(store: &Store) {
    let refused = store.update(|tx| tx.create(named(1, "web")));
    assert!(
        matches!(refused, Err(UpdateError::Refused { .. })),
        "{refused:?}"
    );
}

/// Neither in that of who was about to write the same key, nor of who took the same name, or read
/// the range that it was to come into.
#[test]
fn what_was_refused_is_in_nobodys_way() {
    type Write = fn(&mut Transaction<'_>) -> Result<(), Error>;
    let writes: [Write; 4] = [
        |tx| Ok(tx.create(task(1))?),
        |tx| Ok(tx.create(named(2, "web"))?),
        |tx| {
            assert_eq!(tx.count(keys::<Task>().all()), 0);
            Ok(tx.create(task(3))?)
        },
        |tx| {
            assert!(tx.get_by(Task::BY_NAME, "web").is_none());
            Ok(tx.create(task(4))?)
        },
    ];
    for write in writes {
        let (proposer, store) = proposed();
        let mut tx = store.begin();
        write(&mut tx).expect("nothing is there");
        proposer.refuse_next("as the test wants it");
        refuse_one(&store);
        assert_eq!(tx.commit(), Ok(Version::new(2)));
        assert_eq!(store.stats().conflicts, 0);
    }
}

/// One that is open alone has its place before it as well, and a newer version.
#[test]
fn an_entry_that_changes_nothing_passes_one_open_proposal_by() {
    let (proposer, store) = proposed();
    proposer.hold();
    let submission = submit(&store, task(1));
    let applied = store.apply_accepted(Version::new(2), &[]);
    assert_eq!(applied.expect("it fits"), Version::ZERO);
    assert!(proposer.accept_at(0));
    let version = submission.wait().expect("it is accepted");
    assert_eq!(store.proposed_version(version), Some(Version::new(3)));
}
