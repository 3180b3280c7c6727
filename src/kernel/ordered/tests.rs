//! What one thread can show, compared with a BTreeMap.

mod ends;
mod fill;
mod known;
mod stress;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use super::node::Inner;
use super::word::{Child, Word};
use super::{Choice, Course, Edge, INNER, Ordered, OrderedIndex, Probe, Shared, WIDE};
use crate::kernel::reclaim::{Action, Domain, Garbage, Guard, allocate, free};

const DEAD: u64 = 1 << 32;

/// A node whose hint leaves out the last `SHIFT` bits of its key.
struct Node<const SHIFT: u32> {
    key: u64,
    /// Claims, and DEAD for good.
    state: AtomicU64,
    /// How many nodes are not freed yet.
    alive: Arc<AtomicU64>,
}

impl<const SHIFT: u32> Node<SHIFT> {
    fn allocate(key: u64, alive: &Arc<AtomicU64>) -> *mut Self {
        alive.fetch_add(1, SeqCst);
        let alive = Arc::clone(alive);
        let state = AtomicU64::new(1);
        allocate(Self { key, state, alive })
    }

    fn claim(&self) -> bool {
        let claim = |state| (state & DEAD == 0).then_some(state + 1);
        self.state.fetch_update(SeqCst, SeqCst, claim).is_ok()
    }

    /// Gives a claim back; true when the node is dead now.
    fn unclaim(&self) -> bool {
        self.state.fetch_sub(1, SeqCst) == 1
            && self.state.compare_exchange(0, DEAD, SeqCst, SeqCst).is_ok()
    }
}

impl<const SHIFT: u32> Drop for Node<SHIFT> {
    fn drop(&mut self) {
        self.key = u64::MAX;
        self.alive.fetch_sub(1, SeqCst);
    }
}

impl<const SHIFT: u32> Ordered for Node<SHIFT> {
    type Separator = Box<u64>;

    fn hint(&self) -> u64 {
        self.key.checked_shr(SHIFT).unwrap_or(0)
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }

    fn separator(&self) -> Box<u64> {
        Box::new(self.key)
    }

    fn separator_hint(separator: &Box<u64>, _: Shared) -> u64 {
        separator.checked_shr(SHIFT).unwrap_or(0)
    }

    fn compare_separator(&self, separator: &Box<u64>) -> Ordering {
        self.key.cmp(separator)
    }
}

/// A key, or the place just before or after it, or all keys that share all but the last bits.
#[derive(Clone, Copy)]
enum Key {
    At(u64),
    Before(u64),
    After(u64),
    Sharing(u64, u32),
}

impl Key {
    fn compare_key(self, key: u64) -> Ordering {
        match self {
            Key::At(own) => own.cmp(&key),
            Key::Before(own) => own.cmp(&key).then(Ordering::Less),
            Key::After(own) => own.cmp(&key).then(Ordering::Greater),
            Key::Sharing(own, bits) => (own >> bits).cmp(&(key >> bits)),
        }
    }
}

impl<const SHIFT: u32> Probe<Node<SHIFT>> for Key {
    fn hint(&self) -> Option<u64> {
        match *self {
            Key::At(key) | Key::Before(key) | Key::After(key) => {
                Some(key.checked_shr(SHIFT).unwrap_or(0))
            }
            Key::Sharing(..) => None,
        }
    }

    fn compare(&self, node: &Node<SHIFT>) -> Ordering {
        self.compare_key(node.key)
    }

    fn compare_separator(&self, separator: &Box<u64>) -> Ordering {
        self.compare_key(**separator)
    }
}

type Index<const SHIFT: u32> = OrderedIndex<Node<SHIFT>>;

/// Puts a key in, or claims the node that has it; true when it was put in.
fn insert<const SHIFT: u32>(
    domain: &Domain,
    index: &Index<SHIFT>,
    key: u64,
    alive: &Arc<AtomicU64>,
) -> bool {
    let guard = domain.pin();
    let mut garbage = Garbage::new();
    let mut made = None;
    let mut replaced = None;
    let mut put = false;
    let stands = index.insert(&guard, &mut garbage, &Key::At(key), |standing| {
        put = !standing.is_some_and(Node::claim);
        if !put {
            return Choice::Keep;
        }
        replaced = standing;
        Choice::Put(*made.get_or_insert_with(|| Node::allocate(key, alive)))
    });
    assert_eq!(stands.key, key);
    if let (false, Some(made)) = (put, made) {
        // SAFETY: never put in, so nobody else knows it.
        unsafe { free(made) };
    } else if let (true, Some(replaced)) = (put, replaced) {
        // SAFETY: O5: our insert has taken it out.
        unsafe { garbage.retire(std::ptr::from_ref(replaced).cast_mut()) };
    }
    domain.give(garbage);
    put
}

/// Gives a claim on a key back and takes its node out when that was the last one.
fn remove<const SHIFT: u32>(domain: &Domain, index: &Index<SHIFT>, key: u64) -> bool {
    let guard = domain.pin();
    let mut garbage = Garbage::new();
    let node = index
        .get(&guard, &Key::At(key))
        .expect("claimed, so it stands");
    let removed = node.unclaim() && index.remove(&guard, &mut garbage, node);
    if removed {
        // SAFETY: O5: our remove has taken it out.
        unsafe { garbage.retire(std::ptr::from_ref(node).cast_mut()) };
    }
    domain.give(garbage);
    removed
}

fn collect(domain: &Domain) {
    for retired in domain.ripe(1000).next::<1000>().iter() {
        if let Action::Free(free) = retired.action {
            // SAFETY: R3: nobody sees it any more.
            unsafe { free(retired.pointer) };
        }
    }
}

fn ascending<const SHIFT: u32>(
    guard: &Guard<'_>,
    index: &Index<SHIFT>,
    from: Option<Key>,
    max: usize,
) -> Vec<u64> {
    let mut seen = Vec::new();
    index.scan(guard, from.as_ref(), Course::UP, |node| {
        seen.push(node.key);
        if seen.len() >= max {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    seen
}

fn descending<const SHIFT: u32>(
    guard: &Guard<'_>,
    index: &Index<SHIFT>,
    from: Option<Key>,
    max: usize,
) -> Vec<u64> {
    let mut seen = Vec::new();
    index.scan(guard, from.as_ref(), Course::DOWN, |node| {
        seen.push(node.key);
        if seen.len() >= max {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    seen
}

/// Checks O6 to O8 and that nothing is left frozen; the height.
fn audit<const SHIFT: u32>(guard: &Guard<'_>, index: &Index<SHIFT>) -> usize {
    fn below<const SHIFT: u32>(
        guard: &Guard<'_>,
        word: Word<Node<SHIFT>>,
        low: Option<u64>,
        high: Option<u64>,
    ) -> usize {
        assert!(!word.is_frozen(), "left frozen");
        let inner: &Inner<_> = match word.child(guard) {
            Child::Leaf(leaf) => {
                assert!(leaf.len() > 0, "O8");
                for node in (0..leaf.len()).map(|at| leaf.node(guard, at)) {
                    assert!(low.is_none_or(|low| low <= node.key), "O6");
                    assert!(high.is_none_or(|high| node.key < high), "O6");
                }
                return 0;
            }
            Child::Inner(inner) => inner,
        };
        assert!((1..=WIDE).contains(&inner.len()), "O7");
        let bound = |at| inner.low(at).map(|bound| *bound.0);
        let heights: Vec<usize> = (0..inner.len())
            .map(|at| {
                let low = bound(at).or(low);
                let high = if at + 1 < inner.len() {
                    bound(at + 1)
                } else {
                    high
                };
                below(guard, inner.cell(at).load(), low, high)
            })
            .collect();
        assert!(
            heights.iter().all(|&height| height == heights[0]),
            "the tree leans"
        );
        heights[0] + 1
    }
    let root = index.root.load();
    match root.child(guard) {
        Child::Leaf(leaf) if leaf.len() == 0 => 0,
        Child::Inner(inner) => {
            assert!(inner.len() < INNER, "O7");
            below(guard, root, None, None)
        }
        Child::Leaf(_) => below(guard, root, None, None),
    }
}

/// Random numbers (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn random_operations<const SHIFT: u32>(seed: u64, keys: u64) {
    let domain = Domain::new();
    let mut index = Index::<SHIFT>::new();
    let alive = Arc::new(AtomicU64::new(0));
    let mut expected = BTreeMap::new();
    let mut random = Random(seed);
    let mut tallest = 0;
    for phase in 0..6_u64 {
        let inserts = [90, 20, 60, 5, 99, 1][phase as usize];
        for step in 0..2 * keys {
            let key = random.below(keys) * 3;
            if random.below(100) < inserts {
                let put = insert(&domain, &index, key, &alive);
                let claims = expected.entry(key).or_insert(0_u64);
                assert_eq!(put, *claims == 0);
                *claims += 1;
            } else if let Some((&key, claims)) = expected.range_mut(key..).next() {
                *claims -= 1;
                let last = *claims == 0;
                assert_eq!(remove(&domain, &index, key), last);
                if last {
                    expected.remove(&key);
                }
            }
            if step % 64 == 0 {
                let key = random.below(3 * keys + 2);
                compare(&domain.pin(), &index, &expected, key);
                collect(&domain);
            }
        }
        let guard = domain.pin();
        tallest = tallest.max(audit(&guard, &index));
        let all: Vec<u64> = expected.keys().copied().collect();
        let up = ascending(&guard, &index, None, usize::MAX);
        assert_eq!(up, all);
        let mut down = descending(&guard, &index, None, usize::MAX);
        down.reverse();
        assert_eq!(down, all);
        assert!(index.bytes(&guard) > all.len() * 16);
    }
    while let Some((key, claims)) = expected.pop_first() {
        (0..claims).for_each(|_| _ = remove(&domain, &index, key));
    }
    assert_eq!(
        audit(&domain.pin(), &index),
        0,
        "an emptied tree is one leaf"
    );
    assert!(ascending(&domain.pin(), &index, None, 1).is_empty());
    assert!(tallest >= 2, "the test is too small");
    index.drain(|_| unreachable!("it is empty"));
    drop(domain);
    assert_eq!(alive.load(SeqCst), 0);
}

fn compare<const SHIFT: u32>(
    guard: &Guard<'_>,
    index: &Index<SHIFT>,
    expected: &BTreeMap<u64, u64>,
    key: u64,
) {
    let up = |from: Bound<u64>| -> Vec<u64> {
        expected
            .range((from, Bound::Unbounded))
            .map(|(&key, _)| key)
            .take(150)
            .collect()
    };
    let down = |to: Bound<u64>| -> Vec<u64> {
        expected
            .range((Bound::Unbounded, to))
            .map(|(&key, _)| key)
            .rev()
            .take(150)
            .collect()
    };
    let found = index.get(guard, &Key::At(key)).map(|node| node.key);
    assert_eq!(found, expected.contains_key(&key).then_some(key));
    let (first, last) = (key & !63, key | 63);
    for (probe, upward, downward) in [
        (Key::At(key), Bound::Included(key), Bound::Included(key)),
        (Key::Before(key), Bound::Included(key), Bound::Excluded(key)),
        (Key::After(key), Bound::Excluded(key), Bound::Included(key)),
        (
            Key::Sharing(key, 6),
            Bound::Included(first),
            Bound::Included(last),
        ),
    ] {
        assert_eq!(ascending(guard, index, Some(probe), 150), up(upward));
        assert_eq!(descending(guard, index, Some(probe), 150), down(downward));
    }
}

/// O6, O7, O8, O9: with keys of which hints tell all, little and nothing.
#[test]
fn random_operations_agree_with_a_btree_map() {
    random_operations::<0>(11, 12_000);
    random_operations::<7>(12, 12_000);
    random_operations::<64>(13, 12_000);
}

#[test]
fn ascending_and_descending_inserts_stand() {
    let alive = Arc::new(AtomicU64::new(0));
    let domain = Domain::new();
    let index = Index::<0>::new();
    for key in 0..20_000 {
        assert!(insert(&domain, &index, 40_000 + key, &alive));
        assert!(insert(&domain, &index, 39_999 - key, &alive));
    }
    let guard = domain.pin();
    audit(&guard, &index);
    let all: Vec<u64> = (20_000..60_000).collect();
    assert_eq!(ascending(&guard, &index, None, usize::MAX), all);
    teardown(index);
}

fn teardown<const SHIFT: u32>(mut index: Index<SHIFT>) {
    // SAFETY: the tree is emptied, and nobody else is left.
    index.drain(|node| unsafe { free(node) });
    let domain = Domain::new();
    index.scan(&domain.pin(), None::<&Edge>, Course::UP, |_| {
        unreachable!("it is empty")
    });
}

#[test]
fn a_panicking_probe_leaves_the_tree_as_it_was() {
    struct Faulty(u64);
    impl Probe<Node<64>> for Faulty {
        fn hint(&self) -> Option<u64> {
            None
        }
        fn compare(&self, node: &Node<64>) -> Ordering {
            assert!(node.key != self.0, "met");
            self.0.cmp(&node.key)
        }
        fn compare_separator(&self, separator: &Box<u64>) -> Ordering {
            assert!(**separator != self.0, "met");
            self.0.cmp(separator)
        }
    }
    let alive = Arc::new(AtomicU64::new(0));
    let domain = Domain::new();
    let index = Index::<64>::new();
    for key in 0..1000 {
        insert(&domain, &index, key, &alive);
    }
    for key in 0..1000 {
        let insert = std::panic::AssertUnwindSafe(|| {
            let guard = domain.pin();
            let mut garbage = Garbage::new();
            index.insert(&guard, &mut garbage, &Faulty(key), |_| {
                unreachable!("never found")
            });
        });
        std::panic::catch_unwind(insert).expect_err("the comparison panics");
    }
    let all: Vec<u64> = (0..1000).collect();
    assert_eq!(ascending(&domain.pin(), &index, None, usize::MAX), all);
    teardown(index);
    drop(domain);
    assert_eq!(alive.load(SeqCst), 0);
}
