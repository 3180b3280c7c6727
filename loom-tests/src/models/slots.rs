//! Slots that are taken and left (N1 to N3). A chunk has two of them here.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::check::{outcomes, spawn, with_world};
use crate::kernel::slots::{Slot, Slots};
use crate::sync::Ordering;

fn with_slots<T>(run: impl FnOnce(&Arc<Slots>) -> T) -> T {
    with_world(Slots::new(), run)
}

/// Takes a slot, whose word its last holder has left as it must.
fn take(slots: &Slots) -> Slot {
    let slot = slots.take();
    // Relaxed: the taking orders it.
    assert_eq!(slot.word().load(Ordering::Relaxed), 0, "N3: left as it was");
    slot
}

/// Uses the slot and leaves it.
fn leave(slots: &Slots, slot: &Slot) {
    // Relaxed: the leaving orders them.
    slot.word().store(1, Ordering::Relaxed);
    // Relaxed: as above.
    slot.word().store(0, Ordering::Relaxed);
    slots.leave(slot);
}

/// Slots, two of a chunk.
fn filled(slots: &Slots, count: usize) -> Vec<Slot> {
    (0..count).map(|_| take(slots)).collect()
}

/// N2, N3: two take, use and leave slots of one chunk: they have one each, as it was left.
#[test]
fn two_holders_of_a_slot() {
    let seen = outcomes(2, || {
        with_slots(|slots| {
            let kept = take(slots);
            let other = spawn(slots, |slots| leave(slots, &take(slots)));
            leave(slots, &take(slots));
            other.join().expect("no panic");
            slots.leave(&kept);
            let mut words = 0;
            slots.each_word(|_| words += 1);
            words
        })
    });
    assert_eq!(seen, BTreeSet::from([0]));
}

/// N1: who walks reaches a chunk that another adds meanwhile whole, and those below.
#[test]
fn a_walk_while_chunks_are_added() {
    let seen = outcomes(2, || {
        with_slots(|slots| {
            let other = spawn(slots, |slots| filled(slots, 3));
            let mut words = 0;
            slots.each_word(|_| words += 1);
            let all = other.join().expect("no panic");
            assert_eq!(all.len(), 3);
            words
        })
    });
    assert_eq!(seen, BTreeSet::from([0, 1, 2, 3]));
}

/// N1: two add a chunk each; who takes from one that the other added reaches it whole.
#[test]
fn two_who_add_chunks() {
    let seen = outcomes(2, || {
        with_slots(|slots| {
            let other = spawn(slots, |slots| filled(slots, 2).len());
            let mine = filled(slots, 2).len();
            let all = mine + other.join().expect("no panic");
            let mut words = 0;
            slots.each_word(|_| words += 1);
            (all, words)
        })
    });
    assert_eq!(seen, BTreeSet::from([(4, 4)]));
}

/// N1: who leaves a slot tells where; who takes there reaches the chunk whole.
#[test]
fn a_slot_left_in_a_chunk_just_added() {
    let seen = outcomes(2, || {
        with_slots(|slots| {
            let other = spawn(slots, |slots| leave(slots, &take(slots)));
            leave(slots, &take(slots));
            other.join().expect("no panic");
            slots.taken()
        })
    });
    assert_eq!(seen, BTreeSet::from([0]));
}

/// N1: who has searched tells where it found a slot, and where to search on; who takes in the one
/// place or in the other reaches the chunk whole.
#[test]
fn a_search_on_from_anothers() {
    let seen = outcomes(1, || {
        with_slots(|slots| {
            let other = spawn(slots, |slots| {
                // Two chunks, full; then one slot of each is left, and taken again: the second by
                // a search.
                let held = filled(slots, 4);
                slots.leave(&held[2]);
                slots.leave(&held[0]);
                filled(slots, 2).len()
            });
            let mine = take(slots);
            let again = other.join().expect("no panic");
            slots.leave(&mine);
            (again, slots.taken())
        })
    });
    assert_eq!(seen, BTreeSet::from([(2, 4)]));
}
