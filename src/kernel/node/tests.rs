//! A version's counts at their bounds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// V5: what is refused is not counted, however often it is asked for.
#[test]
fn handles_that_are_refused_do_not_add_up() {
    let node = VersionNode::make(Words::Number, || 7_u64);
    let version = node.cast::<VersionHeader>().cast_const();
    // SAFETY: the test's own, until its last hold is given back.
    let header = unsafe { at(version) };
    let holds = &header.tail().holds;
    // Relaxed: nobody else is there, here and below.
    holds.store(HOLDS_MAX - 1, Ordering::Relaxed);
    header.add_hold();
    for _ in 0..3 {
        let refused = catch_unwind(AssertUnwindSafe(|| header.add_hold()));
        assert!(refused.is_err(), "one more than there may be");
    }
    // Relaxed: as above.
    assert_eq!(holds.load(Ordering::Relaxed), HOLDS_MAX);
    // Relaxed: as above.
    holds.store(1, Ordering::Relaxed);
    // SAFETY: the only hold, and the test's.
    unsafe { release_hold(version) };
}
