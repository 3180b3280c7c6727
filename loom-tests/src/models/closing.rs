//! A mailbox that is closed in the midst of a commit (M1).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::mailbox::{Bounds, Mailbox, Policy, Stamp};
use crate::kernel::reclaim::{Domain, Garbage};

struct World {
    domain: Domain,
    mailbox: Mailbox<u64>,
}

impl World {
    /// Delivers a write of the first commit, where there is room for one.
    fn put(&self, write: u32) {
        let bounds = Bounds {
            letters: 1,
            bytes: 8,
            policy: Policy::Close,
            after: Some(0),
        };
        let mut garbage = Garbage::new();
        let letter = (Stamp { version: 1, write }, &1);
        let guard = self.domain.pin();
        self.mailbox.put(&guard, &mut garbage, letter, bounds);
        self.domain.give(garbage);
    }

    /// How many letters there were, and from which commit on some are missing.
    fn take(&self) -> (usize, Option<u64>) {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let taken = self.mailbox.take(&guard, &mut garbage, 0);
        self.domain.give(garbage);
        taken.map_or((0, None), |taken| {
            let torn = taken.end.map(|end| end.version);
            (taken.letters.len(), torn)
        })
    }
}

/// It is delivered a commit of two, while it is taken from: both are there, or it is said that not
/// all of that commit is.
#[test]
fn a_commit_is_there_or_said_to_be_torn() {
    let seen = outcomes(3, || {
        let world = Arc::new(World {
            domain: Domain::new(),
            mailbox: Mailbox::new(),
        });
        let other = spawn(&world, |world| (0..2).for_each(|write| world.put(write)));
        let (first, early) = world.take();
        other.join().expect("no panic");
        let (second, late) = world.take();
        (first + second, early.or(late))
    });
    assert_eq!(seen, BTreeSet::from([(2, None), (1, Some(1))]));
}
