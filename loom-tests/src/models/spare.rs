//! Objects that nobody has, kept to be used again (B14). There is one place.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn, with_world};
use crate::kernel::reclaim::{allocate, at};
use crate::kernel::spare::Spares;
use crate::sync::Witness;

/// Takes what is kept, uses it, and keeps it; whether there was something.
fn use_spare(spares: &Spares<Witness>) -> bool {
    let Some(object) = spares.take() else {
        return false;
    };
    // SAFETY: B14.
    unsafe { at(object.cast_const()) }.write();
    // SAFETY: as above, and not used again.
    assert!(unsafe { spares.keep(object) }, "nobody else keeps one");
    true
}

/// B14: of two who use what is kept, each has it alone, after the other or not at all.
#[test]
fn two_who_use_what_is_kept() {
    let seen = outcomes(3, || {
        with_world(Spares::new(), |spares: &Arc<Spares<Witness>>| {
            let object = allocate(Witness::new());
            // SAFETY: ours alone, and not used again.
            assert!(unsafe { spares.keep(object) }, "there is room");
            let other = spawn(spares, |spares| use_spare(spares));
            let mine = use_spare(spares);
            (mine, other.join().expect("no panic"))
        })
    });
    let expected = [(true, true), (true, false), (false, true)];
    assert_eq!(seen, BTreeSet::from(expected));
}
