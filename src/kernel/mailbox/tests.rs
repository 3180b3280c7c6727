//! What a mailbox remembers of what was taken out of it.

use super::*;
use crate::kernel::reclaim::Domain;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Note(u64);

impl Letter for Note {
    fn bytes(&self) -> u64 {
        1
    }

    fn version(&self) -> u64 {
        self.0
    }

    fn coalesce(_: &mut Vec<Self>) {}
}

struct World {
    domain: Domain,
    mailbox: Mailbox<Note>,
}

impl World {
    fn put(&self, version: u64, write: u32) -> Put {
        let mut garbage = Garbage::new();
        let bounds = Bounds {
            letters: 8,
            bytes: 8,
            policy: Policy::Lag,
            after: None,
        };
        let letter = (Stamp { version, write }, &Note(version));
        let guard = self.domain.pin();
        let put = self.mailbox.put(&guard, &mut garbage, letter, bounds);
        self.domain.give(garbage);
        put
    }

    fn take(&self, whole: u64) -> Option<usize> {
        let mut garbage = Garbage::new();
        let guard = self.domain.pin();
        let taken = self.mailbox.take(&guard, &mut garbage, whole);
        self.domain.give(garbage);
        taken.map(|taken| taken.letters.len())
    }
}

/// M1, M4.
#[test]
fn what_was_taken_is_not_delivered_again_and_what_was_not_is() {
    let world = World {
        domain: Domain::new(),
        mailbox: Mailbox::new(),
    };
    assert_eq!(world.take(0), None);
    assert_eq!(world.put(7, 0), Put::First);
    assert_eq!(world.put(7, 0), Put::Before);
    // Commit 7 is still being delivered.
    assert_eq!(world.take(6), Some(1));
    assert_eq!(world.put(7, 0), Put::Before);
    assert_eq!(world.put(7, 1), Put::First);
    assert_eq!(world.put(7, 2), Put::Done);
    // Now it is not.
    assert_eq!(world.take(7), Some(2));
    assert_eq!(world.take(7), None);
    for late in [(1, 0), (6, 3), (7, 0), (7, 3)] {
        assert_eq!(world.put(late.0, late.1), Put::Before, "{late:?}");
    }
    assert_eq!(world.put(8, 0), Put::First);
    let guard = world.domain.pin();
    assert!(world.mailbox.has_mail(&guard));
    assert_eq!(world.mailbox.depth(&guard).0.letters, 1);
    assert_eq!(world.take(9), Some(1));
    assert!(!world.mailbox.has_mail(&guard));
    world.mailbox.close(&guard, 9);
    assert_eq!(world.put(9, 0), Put::Before);
    assert_eq!(world.take(9), Some(0), "closed");
}
