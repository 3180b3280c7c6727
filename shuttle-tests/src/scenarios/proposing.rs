//! Commits that a proposer decides: late, out of order, and not all of them.

use std::collections::VecDeque;

use shuttle::rand::{RngCore, thread_rng};
use shuttle::sync::{Arc, Condvar, Mutex};
use shuttle::thread;
use skep::{Fork, Proposal, Proposer, Store, Ticket, UpdateError, Version};

use crate::explore::explore;
use crate::items::{Item, Living, builder, shown, sum};

/// Answers from a thread of its own, that waits for proposals through shuttle.
#[derive(Debug, Default)]
pub(super) struct Panel {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Ticket, Version)>,
    given: u64,
    is_over: bool,
}

impl Proposer for Panel {
    fn propose(&self, proposal: Proposal) {
        let mut state = self.state.lock().expect("nobody panics with it");
        state.given += 1;
        let version = Version::new(state.given);
        state
            .waiting
            .push_back((proposal.ticket().clone(), version));
        self.changed.notify_one();
    }
}

impl Panel {
    /// One of those that wait, whichever; `None`: it is over.
    fn take(&self) -> Option<(Ticket, Version)> {
        let mut state = self.state.lock().expect("nobody panics with it");
        while state.waiting.is_empty() {
            if state.is_over {
                return None;
            }
            state = self.changed.wait(state).expect("nobody panics with it");
        }
        let place = thread_rng().next_u64() as usize % state.waiting.len();
        state.waiting.remove(place)
    }

    /// Answers all, outside of its lock.
    pub(super) fn answer(&self) {
        while let Some((ticket, version)) = self.take() {
            let answered = match thread_rng().next_u64() % 4 {
                0 => ticket.refuse("as the scenario wants it"),
                _ => ticket.accept(version),
            };
            answered.expect("the first answer");
            assert!(ticket.refuse("too late").is_err(), "an answer counts twice");
        }
    }

    pub(super) fn end(&self) {
        self.state.lock().expect("nobody panics with it").is_over = true;
        self.changed.notify_one();
    }
}

/// Adds objects of its own, and as much to one that is everybody's; how often that was accepted.
fn add_some(living: &Living, store: &Store, writer: u64) -> i64 {
    let mut accepted = 0;
    for turn in 0..2 {
        let own = living.item(writer * 10 + turn, 0);
        let added: Result<(), UpdateError<skep::Error>> = store.update(|tx| {
            tx.create(own.clone())?;
            tx.modify::<Item>(&0, |item| item.amount += 1)?;
            Ok(())
        });
        accepted += i64::from(added.is_ok());
        let snapshot = store.snapshot();
        let others = shown(&snapshot).len() as i64 - 1;
        assert_eq!(sum(&snapshot), others, "half of a commit is seen");
    }
    accepted
}

/// What was accepted is there, once; what was refused is nowhere, and nobody saw it.
#[test]
fn what_is_accepted_is_there() {
    explore("what_is_accepted_is_there", || {
        let living = Living::default();
        let panel = Arc::new(Panel::default());
        let store = builder().proposer(panel.clone()).build();
        let answering = {
            let panel = Arc::clone(&panel);
            thread::spawn(move || panel.answer())
        };
        while store.snapshot().get::<Item>(&0).is_none() {
            let _ = store.update(|tx| tx.create(living.item(0, 0)));
        }
        let writers: Vec<_> = (1..=3)
            .map(|writer| {
                let (store, living) = (store.clone(), living.clone());
                thread::spawn(move || add_some(&living, &store, writer))
            })
            .collect();
        let joined = writers.into_iter().map(|it| it.join().expect("it held"));
        let accepted: i64 = joined.sum();
        assert_eq!(sum(&store.snapshot()), accepted);
        panel.end();
        answering.join().expect("it held");
        drop(store);
        living.assert_none();
    });
}

/// Refuses all.
#[derive(Debug)]
struct Refusing;

impl Proposer for Refusing {
    fn propose(&self, proposal: Proposal) {
        let refused = proposal.ticket().refuse("as the scenario wants it");
        refused.expect("the first answer");
    }
}

/// It makes no event; a fork that waits for its version is called all the same.
#[test]
fn what_was_refused_calls_a_fork() {
    explore("what_was_refused_calls_a_fork", || {
        let living = Living::default();
        let store = builder().proposer(Arc::new(Refusing)).build();
        let mut fork = Fork::new(&store).expect("there is nothing yet");
        let follower = thread::spawn(move || {
            let followed = fork.follow_until(Version::new(3));
            assert_eq!(followed.expect("the source is open"), Version::new(3));
        });
        let writers = [1, 2, 3].map(|key| {
            let (store, living) = (store.clone(), living.clone());
            thread::spawn(move || {
                let created = store.update(|tx| tx.create(living.item(key, 0)));
                assert!(matches!(created, Err(UpdateError::Refused { .. })));
            })
        });
        writers
            .into_iter()
            .for_each(|it| it.join().expect("it held"));
        follower.join().expect("it held");
        drop(store);
        living.assert_none();
    });
}
