//! Laws that hold under threads while the proposer refuses some, loses its leadership, answers
//! late, out of order and twice.

mod common;

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use common::{Account, Random, Task, account, events, scaled, task};
use skep::testing::{Rough, TestProposer};
use skep::{
    Action, CommitError, Error, Event, Filter, Store, Submission, Transaction, UpdateError,
    Version, keys,
};

const ACCOUNTS: u32 = 16;
const START: i64 = 100;
const TURNS: usize = scaled(400, 2_000);

/// A store whose proposer refuses, but for what is put in first.
fn store(seed: u64) -> Store {
    let proposer = TestProposer::rough(Rough::refusing(seed));
    let builder = Store::builder().table::<Account>().table::<Task>();
    let store = builder.attempts_max(u32::MAX).proposer(proposer).build();
    for id in 0..ACCOUNTS {
        persist(&store, |tx| Ok(tx.create(account(id, START))?));
    }
    store
}

/// Runs an update again until it is accepted; gives how often it was not.
fn persist(store: &Store, mut run: impl FnMut(&mut Transaction<'_>) -> Result<(), Error>) -> usize {
    for refusals in 0.. {
        match store.update(&mut run) {
            Ok(()) => return refusals,
            Err(UpdateError::Refused { .. } | UpdateError::LostLeadership) => {}
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!()
}

fn move_money(tx: &mut Transaction<'_>, from: u32, to: u32) -> Result<bool, Error> {
    let poor = tx.get::<Account>(&from).is_none_or(|it| it.balance == 0);
    if from == to || poor {
        return Ok(false);
    }
    tx.modify::<Account>(&from, |account| account.balance -= 1)?;
    tx.modify::<Account>(&to, |account| account.balance += 1)?;
    Ok(true)
}

fn balances(store: &Store) -> Vec<i64> {
    let view = store.read();
    let accounts = view.find(keys::<Account>().all());
    accounts.map(|account| account.balance).collect()
}

/// Moves money, and tells what the accepted moves came to, and how many were not accepted.
fn mover(store: &Store, seed: u64) -> (Vec<i64>, usize) {
    let mut random = Random::new(seed);
    let (mut moved, mut refused) = (vec![0; ACCOUNTS as usize], 0);
    for _ in 0..TURNS {
        let (from, to) = (random.below(16) as u32, random.below(16) as u32);
        match store.update(|tx| move_money(tx, from, to)) {
            Ok(true) => {
                moved[from as usize] -= 1;
                moved[to as usize] += 1;
            }
            Ok(false) => {}
            Err(UpdateError::Refused { .. } | UpdateError::LostLeadership) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (moved, refused)
}

#[test]
fn what_is_moved_is_exactly_what_was_accepted() {
    let store = store(5);
    let mut watcher = store.watch(Filter::of::<Account>());
    let mut expected = vec![START; ACCOUNTS as usize];
    let mut refusals = 0;
    thread::scope(|scope| {
        let movers: Vec<_> = (0..3)
            .map(|seed| {
                let store = &store;
                scope.spawn(move || mover(store, seed))
            })
            .collect();
        let store = &store;
        scope.spawn(move || {
            for _ in 0..TURNS {
                let total: i64 = balances(store).iter().sum();
                assert_eq!(total, i64::from(ACCOUNTS) * START);
                thread::yield_now();
            }
        });
        for mover in movers {
            let (moved, refused) = mover.join().expect("no panic");
            refusals += refused;
            for (balance, moved) in expected.iter_mut().zip(moved) {
                *balance += moved;
            }
        }
    });
    assert!(refusals > 0, "nothing was refused");
    assert_eq!(balances(&store), expected);
    follow(&store, &mut watcher);
}

/// The events alone tell what is in the store: each old object is the one before, versions rise.
fn follow(store: &Store, watcher: &mut skep::Watcher) {
    let mut seen: BTreeMap<u32, i64> = (0..ACCOUNTS).map(|id| (id, START)).collect();
    let mut last = skep::Version::ZERO;
    for event in events(watcher) {
        match event {
            Event::Commit(version) => {
                assert!(version > last);
                assert!(store.proposed_version(version) > store.proposed_version(last));
                last = version;
            }
            Event::Change(change) => {
                let change = change.of::<Account>().expect("an account's");
                let (old, new) = (change.old().expect("one"), change.new().expect("one"));
                assert_eq!(seen.insert(new.id, new.balance), Some(old.balance));
            }
        }
    }
    let seen: Vec<i64> = seen.into_values().collect();
    assert_eq!(seen, balances(store));
}

/// Many in flight at once, from several threads; each is there if and only if it was accepted.
#[test]
fn many_in_flight() {
    const EACH: u64 = 60;
    let store = store(6);
    let accepted: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|thread| {
                let store = &store;
                scope.spawn(move || {
                    let ids = thread * EACH..(thread + 1) * EACH;
                    let submit = |id| {
                        let mut tx = store.begin();
                        tx.create(task(id)).expect("a new one");
                        (id, tx.submit().expect("strangers"))
                    };
                    let flying: Vec<(u64, Submission)> = ids.map(submit).collect();
                    let landed =
                        flying
                            .into_iter()
                            .filter_map(|(id, flight)| match flight.wait() {
                                Ok(version) => {
                                    let view = store.read();
                                    let entry = view.entry::<Task>(&id).expect("visible");
                                    assert_eq!(entry.meta().version, version);
                                    Some(id)
                                }
                                Err(CommitError::Refused { .. } | CommitError::LostLeadership) => {
                                    None
                                }
                                Err(error) => panic!("{error}"),
                            });
                    landed.collect::<Vec<_>>()
                })
            })
            .collect();
        let joined = threads
            .into_iter()
            .flat_map(|it| it.join().expect("no panic"));
        joined.collect()
    });
    let found: Vec<u64> = store
        .read()
        .find(keys::<Task>().all())
        .map(|it| it.id)
        .collect();
    assert_eq!(found, accepted);
    assert!(found.len() < 3 * EACH as usize, "nothing was refused");
    store.reclaim();
    let versions = store.stats().versions;
    assert_eq!(versions, found.len() as u64 + u64::from(ACCOUNTS));
}

/// A bound of the log that the proposals in flight reach: they wait, and all get through. One that
/// was descheduled while four others committed is too old for a log this short, and begins again.
#[test]
fn a_full_log_waits_for_the_proposer() {
    let proposer = TestProposer::rough(Rough::new(9));
    let builder = Store::builder().table::<Task>().attempts_max(u32::MAX);
    let store = builder.log_commits_max(4).proposer(proposer).build();
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for turn in 0..100 {
                    let put = || store.update(|tx| tx.create(task(thread * 100 + turn)));
                    while let Err(error) = put() {
                        assert!(matches!(error, UpdateError::TooOld { .. }), "{error}");
                    }
                }
            });
        }
    });
    assert_eq!(store.read().count(keys::<Task>().all()), 400);
}

/// The commits that watchers from a version were given: that version, and then version and key of
/// each task created.
type Heard = (Version, Vec<(Version, u64)>);

/// Joins at random versions, and listens for a while, until all is done; then to all of it.
fn listen(store: &Store, seed: u64, done: &AtomicBool) -> Vec<Heard> {
    let mut random = Random::new(seed);
    let mut all = Vec::new();
    loop {
        let is_last = done.load(Ordering::Relaxed);
        let start = match is_last {
            true => Version::ZERO,
            false => Version::new(random.below(store.version().get() + 1)),
        };
        let watcher = store.watch_from(start, Filter::of::<Task>().created());
        let mut watcher = watcher.expect("all is kept");
        let mut heard = Vec::new();
        for _ in 0..1 + random.below(4) {
            for event in events(&mut watcher) {
                let created = event.change().and_then(|change| change.of::<Task>());
                let created = created.and_then(|change| change.new().map(|task| task.id));
                heard.extend(created.map(|id| (event.version(), id)));
            }
            thread::yield_now();
        }
        all.push((start, heard));
        if is_last {
            return all;
        }
    }
}

/// A member that proposes, some of it in vain, and applies what others proposed: whoever watches
/// from whichever version is given each commit once, in order, and none that was refused.
#[test]
fn watchers_are_given_each_commit_once_whoever_proposed_it() {
    let proposer = TestProposer::rough(Rough::refusing(7));
    let builder = Store::builder().table::<Task>().history_commits(1 << 20);
    let store = builder.proposer(proposer).build();
    let done = AtomicBool::new(false);
    let heard: Vec<Heard> = thread::scope(|scope| {
        let (store, done) = (&store, &done);
        let pair = |turn: usize, of: u64| [0, 1].map(|it| task(turn as u64 * 6 + of * 2 + it));
        let proposing = (0..2).map(|of| {
            scope.spawn(move || {
                for turn in 0..TURNS {
                    // Refused ones do not come again.
                    let pair = pair(turn, of);
                    let _ = store.update(|tx| pair.iter().try_for_each(|it| tx.create(it.clone())));
                }
            })
        });
        let mut writing: Vec<_> = proposing.collect();
        writing.push(scope.spawn(move || {
            for turn in 0..TURNS {
                let applied = store.apply(&pair(turn, 2).map(Action::create));
                applied.expect("nobody else has its keys");
            }
        }));
        let listeners = (0..2).map(|seed| scope.spawn(move || listen(store, seed, done)));
        let listeners: Vec<_> = listeners.collect();
        writing
            .into_iter()
            .for_each(|it| it.join().expect("no panic"));
        done.store(true, Ordering::Relaxed);
        let heard = listeners.into_iter().map(|it| it.join().expect("no panic"));
        heard.flatten().collect()
    });
    let view = store.read();
    let entries = view.find(keys::<Task>().all()).entries();
    let mut commits: Vec<_> = entries.map(|it| (it.meta().version, it.id)).collect();
    commits.sort_unstable();
    assert!(commits.len() < TURNS * 6, "something is refused");
    for (start, heard) in &heard {
        let from = commits.partition_point(|(version, _)| version <= start);
        assert!(
            commits[from..].starts_with(heard),
            "from {start}: {heard:?}"
        );
    }
    let whole = heard
        .iter()
        .filter(|(_, heard)| heard.ends_with(&commits[commits.len() - 1..]));
    assert!(whole.count() >= 2 && heard.len() > 10, "{}", heard.len());
}

/// All who lost to a commit wake when that is decided: not the same ones lose each time.
#[test]
fn of_many_writers_of_one_object_hardly_any_loses_all_its_attempts() {
    const WRITERS: i64 = 8;
    // One of 800 loses now and then, on a machine that is busy with much else; where those who lost
    // wait longer each time, four to thirteen do.
    const ONE_LOSES_OF: i64 = 400;
    let rough = Rough {
        delay: Duration::from_micros(500),
        ..Rough::new(17)
    };
    let proposer = TestProposer::rough(rough);
    // With as many attempts as a store has if nothing else was said.
    let store = Store::builder().table::<Task>().proposer(proposer).build();
    store
        .update(|tx| tx.create(task(1)))
        .expect("nothing is in the way");
    let lost = AtomicI64::new(0);
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| {
                for _ in 0..TURNS / 4 {
                    let raised = store.update(|tx| tx.modify::<Task>(&1, |task| task.count += 1));
                    if let Err(error) = raised {
                        assert!(matches!(error, UpdateError::Conflict { .. }), "{error}");
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (lost, all) = (lost.into_inner(), WRITERS * (TURNS / 4) as i64);
    let count = store.read().get::<Task>(&1).expect("created").count;
    assert_eq!(count, all - lost);
    assert!(
        lost * ONE_LOSES_OF <= all,
        "{lost} of {all} lost all their attempts"
    );
}

/// Whatever several threads answer at the same moment: what is accepted rises with the proposals,
/// who gave what does not is told, and what was told can be answered anew.
#[test]
fn versions_that_fall_at_the_same_moment_are_told() {
    const ANSWERERS: usize = 3;
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Task>();
    let store = builder.proposer(proposer.clone()).build();
    proposer.hold();
    let mut random = Random::new(7);
    let (mut newest, mut told) = (Version::ZERO, 0);
    for round in 0..scaled(300, 3_000) as u64 {
        let ids = (0..ANSWERERS as u64).map(|place| round * ANSWERERS as u64 + place);
        let submitted: Vec<Submission> = ids.map(|id| common::submit(&store, task(id))).collect();
        let begin = Barrier::new(ANSWERERS);
        let answers: Vec<(Version, bool)> = thread::scope(|scope| {
            let answerers: Vec<_> = submitted
                .iter()
                .map(|_| {
                    let ticket = proposer.take(0).expect("it waits");
                    let version = Version::new(newest.get() + 10 + random.below(10));
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        let accepted = ticket.accept(version).is_ok();
                        assert_eq!(ticket.verdict().is_some(), accepted, "what is told is open");
                        (version, accepted)
                    })
                })
                .collect();
            let answers = answerers.into_iter();
            answers.map(|it| it.join().expect("no panic")).collect()
        });
        for ((version, accepted), submission) in answers.into_iter().zip(submitted) {
            // Of what was told the ticket is gone.
            assert_eq!(submission.wait().is_ok(), accepted);
            told += usize::from(!accepted);
            if accepted {
                assert!(version > newest, "{version} after {newest}");
                newest = version;
            }
        }
        assert_eq!(store.proposed_version(store.version()), Some(newest));
    }
    assert!(told > 0, "none fell");
}
