//! Changes that are made once (A1).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn};
use crate::kernel::post::Place;
use crate::sync::Witness;

struct Made {
    by: u64,
    content: Witness,
}

/// Who made what the caller gets, which it sees whole.
fn get(place: &Place<Made>, own: u64) -> u64 {
    let made = place.share_or_put(|| {
        Arc::new(Made {
            by: own,
            content: Witness::new(),
        })
    });
    made.content.read();
    made.by
}

/// A1: two ask for what nobody has made yet: both get the same.
#[test]
fn two_who_ask_first() {
    let seen = outcomes(3, || {
        let place = Arc::new(Place::new());
        let other = spawn(&place, |place| get(place, 1));
        let by = get(&place, 2);
        assert_eq!(other.join().expect("no panic"), by, "two are one");
        assert_eq!(get(&place, 3), by, "for good");
        by
    });
    assert_eq!(seen, BTreeSet::from([1, 2]));
}
