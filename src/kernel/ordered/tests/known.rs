//! What a probe shares with a leaf is known from the way there: no node is asked.

use std::cell::Cell;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::super::{Choice, Course, Ordered, OrderedIndex, Probe, Shared};
use super::Random;
use crate::kernel::reclaim::{Domain, Garbage, allocate, free};

/// Nodes: more than fit below one inner node.
const NODES: u64 = if cfg!(miri) { 300 } else { 20_000 };

thread_local! {
    /// How often a node was asked what all of its leaf share.
    static ASKED: Cell<u64> = const { Cell::new(0) };
}

/// A value that many nodes have, and a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    value: u64,
    key: u64,
}

fn shared(first: &Pair, last: &Pair) -> Shared {
    match first.value == last.value {
        true => Shared::ALL,
        false => Shared::NOTHING,
    }
}

fn hint_after(pair: &Pair, shared: Shared) -> u64 {
    match shared {
        Shared::ALL => pair.key,
        _ => pair.value,
    }
}

impl Ordered for Pair {
    type Separator = Pair;

    fn hint(&self) -> u64 {
        self.value
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }

    fn shared(first: &Self, last: &Self) -> Shared {
        shared(first, last)
    }

    fn hint_after(&self, shared: Shared) -> u64 {
        hint_after(self, shared)
    }

    fn compare_shared(&self, one: &Self, _: Shared) -> Ordering {
        ASKED.set(ASKED.get() + 1);
        self.value.cmp(&one.value)
    }

    fn separators_shared(first: &Pair, last: &Pair) -> Shared {
        shared(first, last)
    }

    fn separator_hint(separator: &Pair, shared: Shared) -> u64 {
        hint_after(separator, shared)
    }

    fn compare_shared_separator(&self, one: &Pair, _: Shared) -> Ordering {
        self.value.cmp(&one.value)
    }

    fn separator(&self) -> Pair {
        *self
    }

    fn compare_separator(&self, separator: &Pair) -> Ordering {
        self.cmp(separator)
    }
}

/// A pair to look for.
struct Sought(Pair);

impl Probe<Pair> for Sought {
    fn hint(&self) -> Option<u64> {
        Some(self.0.value)
    }

    fn compare(&self, node: &Pair) -> Ordering {
        self.0.cmp(node)
    }

    fn compare_separator(&self, separator: &Pair) -> Ordering {
        self.0.cmp(separator)
    }

    fn hint_after(&self, shared: Shared) -> Option<u64> {
        Some(hint_after(&self.0, shared))
    }

    fn compare_shared(&self, one: &Pair, shared: Shared) -> Ordering {
        Ordered::compare_shared(&self.0, one, shared)
    }

    fn compare_shared_separator(&self, one: &Pair, shared: Shared) -> Ordering {
        Ordered::compare_shared_separator(&self.0, one, shared)
    }
}

fn put(domain: &Domain, index: &OrderedIndex<Pair>, pair: Pair) {
    let mut garbage = Garbage::new();
    let guard = domain.pin();
    index.insert(&guard, &mut garbage, &Sought(pair), |standing| {
        assert_eq!(standing, None);
        Choice::Put(allocate(pair))
    });
    drop(guard);
    domain.give(garbage);
}

/// O6, O9: what stands between separators of one value has that value.
#[test]
fn a_leaf_amid_one_value_is_changed_without_a_look_at_its_nodes() {
    let (domain, mut index) = (Domain::new(), OrderedIndex::<Pair>::new());
    let (mut random, mut expected) = (Random(7), BTreeSet::new());
    let mut puts = |values: u64, count: u64| {
        ASKED.set(0);
        for _ in 0..count {
            let (value, key) = (random.below(values), random.below(u64::MAX));
            if expected.insert(Pair { value, key }) {
                put(&domain, &index, Pair { value, key });
            }
        }
        ASKED.get()
    };
    puts(2, NODES);
    let asked = puts(2, NODES / 4);
    // But for leaves at either end of a value or of an inner node; it would be two looks each.
    assert!(cfg!(miri) || asked < NODES / 10, "{asked}");
    let asked = puts(NODES / 4, NODES);
    assert!(asked > 0, "of many values most leaves have several");
    let mut seen = BTreeSet::new();
    let none: Option<&Sought> = None;
    index.scan(&domain.pin(), none, Course::UP, |pair| {
        assert!(seen.last() < Some(pair), "in order");
        seen.insert(*pair);
        ControlFlow::Continue(())
    });
    assert_eq!(seen, expected);
    // SAFETY: the tree is emptied, and nobody else is left.
    index.drain(|node| unsafe { free(node) });
}
