//! A node that is only its state word, for the stress tests and the models.

use super::{Choice, Point, PointIndex};
use crate::kernel::reclaim::{Action, Domain, Garbage, Guard, allocate, at, free};
use crate::sync::{AtomicU64, Ordering};

const DEAD: u64 = 1 << 63;

/// A node: a key, the thread that made it, and a state word of claims and DEAD.
pub(crate) struct Node {
    pub(crate) key: u64,
    pub(crate) maker: u64,
    state: AtomicU64,
    /// The key once more, written as late as may be: who sees the node sees it ([node]).
    seal: AtomicU64,
    hash: fn(u64) -> u64,
}

impl Point for Node {
    fn hash(&self) -> u64 {
        (self.hash)(self.key)
    }

    fn claim(&self) -> bool {
        // Relaxed: a hint.
        let mut state = self.state.load(Ordering::Relaxed);
        while state & DEAD == 0 {
            // AcqRel: [claim].
            let claimed =
                self.state
                    .compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Acquire);
            match claimed {
                Ok(_) => return true,
                Err(found) => state = found,
            }
        }
        false
    }

    fn unclaim(&self, _garbage: &mut Garbage) {
        // Release: [claim].
        self.state.fetch_sub(1, Ordering::Release);
    }

    fn onward(&self) -> *const () {
        // Nowhere: it is not read.
        std::ptr::from_ref(self).wrapping_add(4).cast()
    }
}

impl Node {
    fn make(key: u64, maker: u64, hash: fn(u64) -> u64) -> *mut Node {
        let pointer = allocate(Node {
            key,
            maker,
            state: AtomicU64::new(1),
            seal: AtomicU64::new(u64::MAX),
            hash,
        });
        // SAFETY: just allocated, and put nowhere yet.
        let node = unsafe { at(pointer) };
        // Relaxed: [node] publishes it.
        node.seal.store(key, Ordering::Relaxed);
        pointer
    }

    fn is(&self, key: u64) -> bool {
        // Relaxed: [node].
        let sealed = self.seal.load(Ordering::Relaxed);
        assert_eq!(
            sealed, self.key,
            "a node was seen before it was whole, or after it was freed"
        );
        self.key == key
    }

    #[cfg(loom)]
    pub(crate) fn is_dead(&self) -> bool {
        // Relaxed: DEAD is final.
        self.state.load(Ordering::Relaxed) & DEAD != 0
    }

    /// From no claims to DEAD; false: somebody has a claim, or was first.
    pub(crate) fn kill(&self) -> bool {
        self.state
            // AcqRel: [claim].
            .compare_exchange(0, DEAD, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.key = u64::MAX;
    }
}

/// Inserts or claims the node of `key`; the caller owns a claim on it.
pub(crate) fn enter<'g>(
    index: &PointIndex<Node>,
    guard: &'g Guard<'_>,
    garbage: &mut Garbage,
    key: u64,
    maker: u64,
    hash: fn(u64) -> u64,
) -> &'g Node {
    let mut made: Option<*mut Node> = None;
    let inserted = index.insert(
        guard,
        garbage,
        hash(key),
        |node| node.is(key),
        |existing| match existing {
            Some(node) if node.claim() => Choice::Keep,
            _ => Choice::Put(*made.get_or_insert_with(|| Node::make(key, maker, hash))),
        },
    );
    let node = inserted.node();
    index.tend(guard, garbage, inserted);
    if let Some(made) = made.filter(|made| !std::ptr::eq(*made, node)) {
        // SAFETY: P7: it was never put.
        unsafe { free(made) };
    }
    node
}

/// Gives the claim back and takes the node out if nobody else has one.
pub(crate) fn leave(
    index: &PointIndex<Node>,
    guard: &Guard<'_>,
    garbage: &mut Garbage,
    node: &Node,
) {
    node.unclaim(garbage);
    if node.kill() {
        index.remove(guard, garbage, node);
        // SAFETY: R1: removed, and only one thread's `kill` succeeds.
        unsafe { garbage.retire(std::ptr::from_ref(node).cast_mut()) };
    }
}

/// The node of `key`, DEAD or not.
pub(crate) fn get<'g>(
    index: &PointIndex<Node>,
    guard: &'g Guard<'_>,
    key: u64,
    hash: fn(u64) -> u64,
) -> Option<&'g Node> {
    index.get(guard, hash(key), 0, |node| node.is(key))
}

/// Frees what nobody can see any more.
pub(crate) fn collect(domain: &Domain) {
    for retired in domain.ripe(256).next::<256>().iter() {
        let Action::Free(free) = retired.action else {
            unreachable!("only plain memory is retired here");
        };
        // SAFETY: R3: `ripe` gives what nobody can see any more.
        unsafe { free(retired.pointer) };
    }
}

/// Frees the index and its nodes; gives their keys, sorted.
pub(crate) fn empty(mut index: PointIndex<Node>) -> Vec<u64> {
    let mut keys = Vec::new();
    index.drain(|node| {
        // SAFETY: P6: it stood in the index, and nobody else has it.
        keys.push(unsafe { at(node) }.key);
        // SAFETY: the index gives each node once.
        unsafe { free(node) };
    });
    keys.sort_unstable();
    keys
}
