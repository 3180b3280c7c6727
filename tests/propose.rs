//! What a proposer is promised, and what a store with one promises.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use common::{Task, count, counted, events, named, proposed, submit, task};
use skep::testing::TestProposer;
use skep::{
    AnswerError, BatchError, ChangesError, CommitError, CreateError, Event, Filter, Proposal,
    ProposedChange, Proposer, Store, Submission, Transaction, UpdateError, Verdict, Version, keys,
};

fn refused(reason: &str) -> CommitError {
    let reason = reason.into();
    CommitError::Refused { reason }
}

/// Waits until a number of proposals wait for their answers.
fn wait_for(proposer: &TestProposer, waiting: usize) {
    while proposer.waiting() < waiting {
        thread::yield_now();
    }
}

#[test]
fn nothing_is_visible_before_the_proposal_commits() {
    let (proposer, store) = proposed();
    let mut watcher = store.watch(Filter::all());
    proposer.hold();
    let submission = submit(&store, task(1));
    assert_eq!(submission.version(), Version::new(1));
    assert_eq!(submission.outcome(), None);
    assert_eq!(submission.wait_timeout(Duration::from_millis(1)), None);
    assert_eq!((count(&store), store.version()), (0, Version::ZERO));
    assert!(
        store
            .read()
            .find(Task::BY_NAME.eq("task-1".to_owned()))
            .next()
            .is_none()
    );
    assert!(events(&mut watcher).is_empty());
    assert!(proposer.accept_at(0));
    assert_eq!(submission.outcome(), Some(Ok(Version::new(1))));
    assert_eq!(submission.wait(), Ok(Version::new(1)));
    assert_eq!(count(&store), 1);
    assert_eq!(events(&mut watcher).len(), 2);
}

#[test]
fn versions_step_as_the_proposer_does() {
    let (_, store) = proposed();
    assert_eq!(store.proposed_version(store.version()), Some(Version::ZERO));
    for id in 1..=5 {
        let (_, version) = store.update_versioned(|tx| tx.create(task(id))).unwrap();
        assert_eq!(version, Version::new(id));
        assert_eq!(store.proposed_version(version), Some(Version::new(3 * id)));
        assert_eq!(store.version_of(Version::new(3 * id)), Some(version));
        // The one before is known to end there; whether more comes of this one is not.
        let [before, after] = [3 * id - 1, 3 * id + 2].map(Version::new);
        assert_eq!(store.version_of(before), Some(Version::new(id - 1)));
        assert_eq!(store.version_of(after), None);
    }
    let none = Store::builder().table::<Task>().build();
    assert_eq!(none.proposed_version(Version::ZERO), None);
    assert_eq!(none.version_of(Version::ZERO), None);
    assert!(none.proposer().is_none() && store.proposer().is_some());
}

#[test]
fn a_transaction_without_writes_is_not_proposed() {
    let (proposer, store) = proposed();
    proposer.hold();
    let seen = store.update(|tx| Ok::<_, UpdateError<()>>(tx.count(keys::<Task>().all())));
    assert_eq!(seen, Ok(0));
    let nothing = store.update(|tx| {
        tx.create(task(1))?;
        tx.delete::<Task>(&1).expect("just created");
        Ok(())
    });
    assert_eq!(nothing, Ok::<_, UpdateError<CreateError>>(()));
    assert_eq!(proposer.proposals(), 0);
}

#[test]
fn a_refused_proposal_leaves_no_trace() {
    let (proposer, store) = proposed();
    store.update(|tx| tx.create(counted(1, 7))).unwrap();
    store.reclaim();
    let before = store.stats();
    let mut watcher = store.watch(Filter::all());
    for round in 0..200 {
        proposer.refuse_next("no");
        let error = store.update(|tx| {
            tx.create(common::tagged(2, &["a", "b"]))?;
            tx.create(named(3, "other"))?;
            tx.modify::<Task>(&1, |task| task.count = round).unwrap();
            Ok::<_, CreateError>(())
        });
        let reason = "no".into();
        assert_eq!(error, Err(UpdateError::Refused { reason }));
    }
    proposer.refuse_next("no");
    let error = store.update(|tx| tx.delete::<Task>(&1));
    assert!(
        matches!(error, Err(UpdateError::Refused { .. })),
        "{error:?}"
    );
    assert!(events(&mut watcher).is_empty(), "an event of nothing");
    drop(watcher);
    assert_eq!(count(&store), 1);
    let entry_version = store
        .read()
        .entry::<Task>(&1)
        .map(|entry| entry.meta().version);
    assert_eq!(entry_version, Some(Version::new(1)));
    assert_eq!(store.read().count(Task::BY_COUNT.eq(7)), 1);
    assert_eq!(store.read().count(Task::BY_TAG.eq("a".to_owned())), 0);
    store.reclaim();
    let after = store.stats();
    assert_eq!(
        (after.versions, after.version_bytes),
        (before.versions, before.version_bytes)
    );
    assert_eq!(after.log_commits, 0);
    assert!(after.structure_bytes <= before.structure_bytes + (64 << 10));
    // The names are free, the keys are free.
    store.update(|tx| tx.create(named(2, "other"))).unwrap();
    let meta = store
        .read()
        .entry::<Task>(&2)
        .map(|entry| entry.meta().version);
    assert_eq!(meta, Some(store.version()));
    assert_eq!(
        store.proposed_version(Version::new(150)),
        Some(Version::new(3))
    );
}

#[test]
fn strangers_are_proposed_behind_a_pending_one() {
    let (proposer, store) = proposed();
    proposer.hold();
    let submissions: Vec<_> = (1..=5).map(|id| submit(&store, task(id))).collect();
    assert_eq!(proposer.waiting(), 5, "pipelined");
    // The other way round: nothing shows before the first one is decided.
    for place in (1..5).rev() {
        if place == 2 {
            assert!(proposer.refuse_at(place, "no"));
        } else {
            assert!(proposer.accept_at(place));
        }
        assert_eq!(count(&store), 0);
    }
    assert_eq!(
        submissions[2].outcome(),
        Some(Err(refused("no"))),
        "known at once"
    );
    assert_eq!(submissions[4].outcome(), None, "not visible");
    assert!(proposer.accept_at(0));
    assert_eq!((count(&store), store.version()), (4, Version::new(5)));
    let versions = [1, 2, 4, 5].map(|number| store.proposed_version(Version::new(number)));
    assert_eq!(
        versions,
        [3, 6, 12, 15].map(|number| Some(Version::new(number)))
    );
    assert_eq!(
        store.proposed_version(Version::new(3)),
        Some(Version::new(6))
    );
    for (submission, id) in submissions.into_iter().zip(1..) {
        assert_eq!(submission.wait().is_ok(), id != 3);
    }
}

/// What is decided of a rival, and how often the closure of the other ran.
fn rival(accept: bool) -> (i64, u32) {
    let (proposer, store) = proposed();
    store.update(|tx| tx.create(counted(1, 0))).unwrap();
    proposer.hold();
    let add = |tx: &mut Transaction<'_>, more| tx.modify::<Task>(&1, |task| task.count += more);
    let mut tx = store.begin();
    add(&mut tx, 10).unwrap();
    let submission = tx.submit().unwrap();
    let runs = AtomicU32::new(0);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            store.update(|tx| {
                runs.fetch_add(1, SeqCst);
                add(tx, 1)
            })
        });
        while runs.load(SeqCst) == 0 {
            thread::yield_now();
        }
        // It waits for the pending one, and proposes nothing meanwhile.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(proposer.waiting(), 1);
        assert!(if accept {
            proposer.accept_at(0)
        } else {
            proposer.refuse_at(0, "no")
        });
        wait_for(&proposer, 1);
        assert!(proposer.accept_at(0));
        other.join().unwrap().unwrap();
        assert_eq!(submission.wait().is_ok(), accept);
        let count = store.read().get::<Task>(&1).unwrap().count;
        (count, runs.load(SeqCst))
    })
}

#[test]
fn a_rival_waits_for_a_pending_one_and_sees_what_became_of_it() {
    assert_eq!(rival(true), (11, 2));
    assert_eq!(rival(false), (1, 2));
}

#[test]
fn a_conflict_names_the_pending_one() {
    let (proposer, store) = proposed();
    proposer.hold();
    let submission = submit(&store, named(1, "web"));
    let mut tx = store.begin();
    tx.create(named(2, "web")).unwrap();
    // It may be refused yet: no duplicate.
    let with = submission.version();
    assert_eq!(tx.submit().err(), Some(CommitError::Conflict { with }));
    let tx = store.begin();
    assert!(!tx.exists(Task::BY_TAG.eq("a".to_owned())));
    assert_eq!(tx.count(keys::<Task>().all()), 0, "a phantom to be");
    let mut tx = tx;
    tx.create(task(3)).unwrap();
    assert_eq!(tx.submit().err(), Some(CommitError::Conflict { with }));
    proposer.release();
    assert_eq!(submission.wait(), Ok(with));
    let mut tx = store.begin();
    assert!(matches!(
        tx.create(named(2, "web")),
        Err(CreateError::Duplicate(_))
    ));
}

#[test]
fn the_first_answer_counts_and_later_ones_are_told() {
    let (proposer, store) = proposed();
    proposer.hold();
    let submissions = [1, 2, 3].map(|id| submit(&store, task(id)));
    let tickets = [0, 0, 0].map(|place| proposer.take(place).unwrap());
    let version = Version::new;
    assert_eq!(tickets[0].accept(version(10)), Ok(()));
    assert_eq!(tickets[1].refuse("no"), Ok(()));
    assert_eq!(tickets[2].lose_leadership(), Ok(()));
    let firsts = [
        Verdict::Accepted,
        Verdict::Refused {
            reason: "no".into(),
        },
        Verdict::LostLeadership,
    ];
    for (ticket, first) in tickets.iter().zip(firsts) {
        assert_eq!(ticket.verdict(), Some(first.clone()));
        let first = Some(first);
        let again = AnswerError::Answered { first };
        assert_eq!(ticket.refuse("again"), Err(again.clone()));
        // Whether the version would fit or not.
        for other in [10, 99] {
            assert_eq!(ticket.accept(version(other)), Err(again.clone()));
        }
        assert_eq!(ticket.clone().lose_leadership(), Err(again));
    }
    let outcomes = submissions.map(Submission::wait);
    let lost = Err(CommitError::LostLeadership);
    assert_eq!(outcomes, [Ok(version(1)), Err(refused("no")), lost]);
    assert_eq!(count(&store), 1);
}

#[test]
fn a_late_success_is_not_lost() {
    let (proposer, store) = proposed();
    let mut watcher = store.watch(Filter::all());
    proposer.hold();
    let submission = submit(&store, task(1));
    assert_eq!(submission.wait_timeout(Duration::from_millis(1)), None);
    // The asker gives up; a future is dropped half way.
    drop(submission);
    {
        let mut future = pin!(store.update_async(|tx| tx.create(task(2))));
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
    }
    assert_eq!((proposer.waiting(), count(&store)), (2, 0));
    assert!(proposer.accept_at(1) && proposer.accept_at(0));
    assert_eq!(count(&store), 2);
    let markers = events(&mut watcher)
        .into_iter()
        .filter(|event| matches!(event, Event::Commit(_)));
    assert_eq!(markers.count(), 2);
}

#[test]
fn leadership_lost_in_flight() {
    let (proposer, store) = proposed();
    proposer.hold();
    thread::scope(|scope| {
        let askers: Vec<_> = (1..=4)
            .map(|id| {
                scope.spawn({
                    let store = &store;
                    move || store.update(|tx| tx.create(task(id)))
                })
            })
            .collect();
        wait_for(&proposer, 4);
        proposer.lose_leadership();
        for asker in askers {
            assert_eq!(asker.join().unwrap(), Err(UpdateError::LostLeadership));
        }
    });
    assert_eq!(count(&store), 0);
    // The next leader's turn.
    proposer.release();
    store.update(|tx| tx.create(task(1))).unwrap();
    assert_eq!(count(&store), 1);
}

/// A batch whose commit failed must not propose the same change again.
#[test]
fn a_failed_commit_of_a_batch_is_not_proposed_again() {
    let proposer = TestProposer::new();
    let store = Store::builder().table::<Task>().batch_changes_max(2);
    let store = store.proposer(Arc::clone(&proposer) as _).build();
    proposer.refuse_next("no");
    let ran = store.batch(|batch| {
        for id in 1..=6 {
            // As most callers do.
            let _ = batch.step(move |tx| tx.create(task(id)));
        }
        Ok(())
    });
    let Err(BatchError { report, error, .. }) = ran else {
        panic!("{ran:?}");
    };
    assert!(
        matches!(error, UpdateError::Refused { .. } | UpdateError::Stopped),
        "{error:?}"
    );
    assert_eq!(
        (report.applied, proposer.proposals(), count(&store)),
        (0, 1, 0)
    );
}

/// What an executor of several threads asks for.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

#[test]
fn futures_need_no_runtime() {
    let (proposer, store) = proposed();
    proposer.hold();
    let (store, mut context) = (&store, Context::from_waker(Waker::noop()));
    let mut futures: Vec<_> = (0..3)
        .map(|_| {
            Box::pin(sent(store.update_async(|tx| {
                let count = tx.count(keys::<Task>().all()) as u64;
                tx.create(task(count)).map(|()| count)
            })))
        })
        .collect();
    let mut done = Vec::new();
    for turn in 0.. {
        assert!(turn < 200, "they do not end");
        futures.retain_mut(|future| match future.as_mut().poll(&mut context) {
            Poll::Ready(outcome) => {
                done.push(outcome.expect("accepted").0);
                false
            }
            Poll::Pending => true,
        });
        if futures.is_empty() {
            break;
        }
        // Who lost lets others go first, some times.
        assert!(proposer.waiting() <= 1, "they conflict");
        proposer.accept_at(0);
    }
    assert_eq!(done, [0, 1, 2]);
    assert_eq!(count(store), 3);
}

/// Nor when it loses.
#[test]
fn without_a_proposer_a_future_never_waits() {
    let store = Store::builder().table::<Task>().build();
    let mut runs = 0;
    let update = store.update_async(|tx| {
        runs += 1;
        let count = tx.count(keys::<Task>().all()) as u64;
        if runs < 5 {
            store
                .update(|tx| tx.create(task(100 + runs)))
                .expect("a nested one");
        }
        tx.create(task(count)).map(|()| count)
    });
    let mut context = Context::from_waker(Waker::noop());
    let polled = pin!(update).poll(&mut context);
    assert!(matches!(polled, Poll::Ready(Ok((4, _)))), "{polled:?}");
}

/// A closure may do anything with the store, and the proposer's thread may stop in `propose`.
#[test]
fn closures_run_under_no_lock() {
    let (proposer, store) = proposed();
    store
        .update(|tx| {
            store.update(|tx| tx.upsert(task(2))).expect("a nested one");
            assert_eq!(count(&store), 1);
            tx.create(task(1))
        })
        .expect("nothing is in the way");
    assert_eq!((count(&store), proposer.proposals()), (2, 2));
}

/// Stops in `propose` until it is let go.
struct Stopping {
    entered: mpsc::Sender<()>,
    go: Mutex<mpsc::Receiver<()>>,
    inner: Arc<TestProposer>,
}

impl Proposer for Stopping {
    fn propose(&self, proposal: Proposal) {
        self.entered.send(()).expect("the test listens");
        let go = self.go.lock().expect("no panic");
        go.recv().expect("the test lets it go");
        self.inner.propose(proposal);
    }

    fn version(&self) -> Option<Version> {
        self.inner.version()
    }

    fn changes_between(
        &self,
        from: Version,
        to: Version,
    ) -> Result<Vec<ProposedChange>, ChangesError> {
        self.inner.changes_between(from, to)
    }
}

/// Who cannot propose yet, since another one's call has not ended, is held up in nothing else.
#[test]
fn a_thread_that_stops_in_propose_stops_no_other() {
    let ((entered, enters), (go, lets_go)) = (mpsc::channel(), mpsc::channel());
    let proposer = Arc::new(Stopping {
        entered,
        go: Mutex::new(lets_go),
        inner: TestProposer::new(),
    });
    let store = Store::builder().table::<Task>().proposer(proposer).build();
    thread::scope(|scope| {
        let stopped = scope.spawn(|| store.update(|tx| tx.create(task(1))));
        enters.recv().expect("it proposes");
        let behind = submit(&store, task(2));
        assert_eq!((behind.outcome(), count(&store)), (None, 0));
        let seen = store.update(|tx| Ok::<_, UpdateError<()>>(tx.count(keys::<Task>().all())));
        assert_eq!(seen, Ok(0));
        for _ in 0..2 {
            go.send(()).expect("it waits");
        }
        assert_eq!(behind.wait(), Ok(Version::new(2)));
        assert_eq!(stopped.join().expect("no panic"), Ok(()));
    });
    assert_eq!(count(&store), 2);
}
