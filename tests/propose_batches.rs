//! Batches with a proposer: what is left of one whose proposals are refused, lose their leader or
//! are answered twice, and what watchers are told of it.

mod common;

use std::ops::Range;
use std::sync::Arc;
use std::thread;

use common::{Task, count, events, task};
use skep::testing::{Rough, TestProposer};
use skep::{
    AnswerError, BatchError, BatchReport, CreateError, Event, Filter, Proposer, Store, UpdateError,
    Verdict, Version, Watcher, keys,
};

type Ran = Result<BatchReport, BatchError<CreateError>>;

/// A batch that creates some tasks, two a transaction.
fn run(store: &Store, mut ids: Range<u64>) -> Ran {
    store.batch(|batch| ids.try_for_each(|id| batch.step(move |tx| tx.create(task(id)))))
}

fn store(proposer: &Arc<TestProposer>) -> Store {
    let builder = Store::builder().table::<Task>().batch_changes_max(2);
    builder.proposer(Arc::clone(proposer) as _).build()
}

/// Runs a batch of six steps, of whose three proposals the second is answered otherwise.
fn with_the_second(answer: impl Fn(&TestProposer)) -> (Arc<TestProposer>, Store, Watcher, Ran) {
    let proposer = TestProposer::new();
    let store = store(&proposer);
    let watcher = store.watch(Filter::all());
    proposer.hold();
    let ran = thread::scope(|scope| {
        let batch = scope.spawn(|| run(&store, 1..7));
        let mut answered = 0;
        while !batch.is_finished() {
            if proposer.waiting() == 0 {
                thread::yield_now();
                continue;
            }
            // Nothing shows before it is answered, and no second one is proposed meanwhile.
            assert_eq!((proposer.waiting(), count(&store)), (1, 2 * answered));
            answered += 1;
            match answered {
                2 => answer(&proposer),
                _ => assert!(proposer.accept_at(0)),
            }
        }
        batch.join().expect("it does not panic")
    });
    (proposer, store, watcher, ran)
}

/// Versions of the markers; each is of two changes.
fn told(watcher: &mut Watcher) -> Vec<Version> {
    let events = events(watcher);
    assert_eq!(
        events.iter().filter_map(Event::change).count() * 3,
        events.len() * 2
    );
    let markers = events.iter().filter_map(|event| match event {
        Event::Commit(version) => Some(*version),
        Event::Change(_) => None,
    });
    markers.collect()
}

/// The proposals before it stay, it and those after it are not tried again.
#[track_caller]
fn ends_after_the_first(
    (proposer, store, mut watcher, ran): (Arc<TestProposer>, Store, Watcher, Ran),
    expected: &UpdateError<CreateError>,
) {
    let Err(BatchError { report, error, .. }) = ran else {
        panic!("{ran:?}");
    };
    assert_eq!(error, *expected);
    assert_eq!((report.applied, report.transactions), (2, 1));
    assert_eq!(report.version, Version::new(1));
    assert_eq!((proposer.proposals(), count(&store)), (2, 2));
    assert_eq!(told(&mut watcher), [Version::new(1)]);
    // What is in nobody's way is not left behind: the same keys and names are free.
    proposer.release();
    let created = store.update(|tx| (3..=6).try_for_each(|id| tx.create(task(id))));
    assert_eq!((created, count(&store)), (Ok(()), 6));
}

#[test]
fn a_batch_whose_proposal_is_refused_ends_there() {
    let reason = "no";
    let ran = with_the_second(|proposer| assert!(proposer.refuse_at(0, reason)));
    let reason = reason.into();
    ends_after_the_first(ran, &UpdateError::Refused { reason });
}

#[test]
fn a_batch_that_loses_its_leader_ends_there() {
    let ran = with_the_second(TestProposer::lose_leadership);
    ends_after_the_first(ran, &UpdateError::LostLeadership);
}

/// The first answer counts, for a batch as for others.
#[test]
fn a_batch_that_is_answered_twice_goes_by_the_first_answer() {
    let ran = with_the_second(|proposer| {
        let ticket = proposer.take(0).expect("it waits");
        assert_eq!(ticket.clone().lose_leadership(), Ok(()));
        let first = Some(Verdict::LostLeadership);
        let again = ticket.accept(Version::new(1_000));
        assert_eq!(again, Err(AnswerError::Answered { first }));
    });
    ends_after_the_first(ran, &UpdateError::LostLeadership);
}

/// Several at a time, beside a proposer that delays, reorders, refuses, loses leaders and answers
/// twice: of each batch what its report counts is there, in whole transactions, and watchers are
/// told that and no more.
#[test]
fn of_batches_beside_a_rough_proposer_there_is_what_their_reports_count() {
    const STEPS: u64 = 12;
    for seed in 0..common::scaled(6, 60) as u64 {
        let proposer = TestProposer::rough(Rough::refusing(seed));
        let store = store(&proposer);
        let mut watcher = store.watch(Filter::all());
        let reports = thread::scope(|scope| {
            let store = &store;
            let run = |from: u64| scope.spawn(move || run(store, from..from + STEPS));
            let batches = [0, 100, 200].map(run);
            batches.map(|batch| match batch.join().expect("it does not panic") {
                Ok(report) => {
                    assert_eq!(report.applied, STEPS as usize);
                    report
                }
                Err(BatchError { report, error, .. }) => {
                    let expected = matches!(
                        error,
                        UpdateError::Refused { .. } | UpdateError::LostLeadership
                    );
                    assert!(expected, "{error:?}");
                    report
                }
            })
        });
        let view = store.read();
        let ids: Vec<u64> = view
            .find(keys::<Task>().all())
            .map(|task| task.id)
            .collect();
        let counted = (0..).step_by(100).zip(&reports);
        let expected = counted.flat_map(|(from, report)| from..from + report.applied as u64);
        assert_eq!(ids, expected.collect::<Vec<_>>(), "seed {seed}");
        let markers = told(&mut watcher);
        let transactions: usize = reports.iter().map(|report| report.transactions).sum();
        assert_eq!(markers.len(), transactions);
        assert!(markers.is_sorted());
        let history = proposer.changes_between(Version::ZERO, proposer.version().expect("some"));
        assert_eq!(history.expect("kept").len(), transactions);
    }
}
