//! What was refused stands in the log until it is trimmed. It is in nobody's way, and is not looked
//! at: what it was to replace may be gone by then.

use std::cell::Cell;
use std::cmp::Ordering;

use skep::testing::TestProposer;
use skep::{Indexes, Object, Store, UpdateError, keys};

/// The key that is refused.
const REFUSED: u64 = 77;

thread_local! {
    static COMPARED: Cell<u32> = const { Cell::new(0) };
}

/// A key that counts how often the refused one is compared with another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Counted(u64);

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        if [self.0, other.0].contains(&REFUSED) {
            COMPARED.set(COMPARED.get() + 1);
        }
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Debug)]
struct Thing {
    key: Counted,
    count: u64,
}

impl Object for Thing {
    type Key = Counted;
    const TABLE: &'static str = "thing";

    fn key(&self) -> Counted {
        self.key.clone()
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

fn thing(key: u64) -> Thing {
    let key = Counted(key);
    Thing { key, count: 0 }
}

/// Whether one commits who has read a range of keys, and how often the refused one was compared for
/// that.
fn compared_beside(is_refused: bool) -> (bool, u32) {
    let proposer = TestProposer::new();
    let builder = Store::builder().table::<Thing>();
    let store = builder.proposer(proposer.clone()).build();
    let made = store.update(|tx| tx.create(thing(1)));
    made.expect("nothing is in the way");
    let mut tx = store.begin();
    assert_eq!(tx.find(keys::<Thing>().range(Counted(0)..)).count(), 1);
    tx.modify::<Thing>(&Counted(1), |thing| thing.count += 1)
        .expect("it is there");
    if is_refused {
        proposer.refuse_next("as the test wants it");
    }
    let made = store.update(|tx| tx.create(thing(REFUSED)));
    let refused = matches!(made, Err(UpdateError::Refused { .. }));
    assert_eq!(refused, is_refused, "{made:?}");
    COMPARED.set(0);
    let committed = tx.commit().is_ok();
    (committed, COMPARED.get())
}

#[test]
fn who_validates_does_not_look_at_what_was_refused() {
    assert_eq!(compared_beside(true), (true, 0));
    let (committed, compared) = compared_beside(false);
    assert!(
        !committed && compared > 0,
        "what was accepted is in its way"
    );
}
