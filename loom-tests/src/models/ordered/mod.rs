//! The ordered index: inserts, removals, lookups and scans against splits and merges.
//!
//! Leaves hold four nodes and inner nodes are full with four children. Threads share one guard, so
//! that loom explores the tree and not the epochs; the models that free memory pin for themselves.

mod removals;
mod splits;
mod ways;

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Mutex;

use super::check;
use crate::kernel::ordered::{Choice, Course, Edge, Ordered, OrderedIndex, Probe, Shared, Way};
use crate::kernel::reclaim::{Domain, Garbage, Guard, allocate, free};
use crate::sync::{AtomicU64, Ordering::Relaxed, thread};

struct Node {
    key: u64,
    /// Who made it; written after the node was made, so that who comes to it unsynchronized reads
    /// 0.
    maker: AtomicU64,
}

impl Node {
    fn allocate(key: u64, maker: u64) -> *mut Self {
        let node = Self {
            key,
            maker: AtomicU64::new(0),
        };
        // Relaxed: on purpose: the index is to publish it.
        node.maker.store(maker, Relaxed);
        allocate(node)
    }

    fn maker(&self) -> u64 {
        // Relaxed: on purpose, as above.
        let maker = self.maker.load(Relaxed);
        assert!(maker != 0, "seen before it was filled");
        maker
    }
}

impl Ordered for Node {
    type Separator = u64;

    fn hint(&self) -> u64 {
        self.key / 100
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }

    fn separator(&self) -> u64 {
        self.maker();
        self.key
    }

    fn separator_hint(separator: &u64, _: Shared) -> u64 {
        separator / 100
    }

    fn compare_separator(&self, separator: &u64) -> Ordering {
        self.key.cmp(separator)
    }
}

struct Key(u64);

impl Probe<Node> for Key {
    fn hint(&self) -> Option<u64> {
        Some(self.0 / 100)
    }

    fn compare(&self, node: &Node) -> Ordering {
        self.0.cmp(&node.key)
    }

    fn compare_separator(&self, separator: &u64) -> Ordering {
        self.0.cmp(separator)
    }
}

/// Who made what the setup put in.
const SETUP: u64 = 1;
/// Who made what the model's threads put in.
const THREAD: u64 = 2;

struct Model {
    domain: Domain,
    index: OrderedIndex<Node>,
    /// What the threads under the common guard retire.
    garbage: Mutex<Vec<Garbage>>,
}

impl Model {
    /// With these keys put in and then, of those, some taken out again.
    fn with(keys: impl IntoIterator<Item = u64>, gone: &[u64]) -> Self {
        let model = Self {
            index: OrderedIndex::new(),
            domain: Domain::new(),
            garbage: Mutex::new(Vec::new()),
        };
        let guard = model.domain.pin();
        for key in keys {
            assert_eq!(model.insert(&guard, key, SETUP), SETUP);
        }
        gone.iter().for_each(|&key| model.remove(&guard, key));
        drop(guard);
        model
    }

    /// Keeps garbage until the common guard is gone.
    fn later(&self, garbage: Garbage) {
        self.garbage.lock().expect("no panic").push(garbage);
    }

    /// Puts a key in unless it is there; who made the one that stands there now.
    fn insert(&self, guard: &Guard<'_>, key: u64, maker: u64) -> u64 {
        self.put(guard, None, key, maker)
    }

    /// The same, at the end of the key's way.
    fn insert_at<'g>(&'g self, guard: &'g Guard<'_>, way: &Way<'g>, key: u64, maker: u64) -> u64 {
        self.put(guard, Some(way), key, maker)
    }

    fn put<'g>(&'g self, guard: &'g Guard<'_>, way: Option<&Way<'g>>, key: u64, maker: u64) -> u64 {
        let mut garbage = Garbage::new();
        let mut made = None;
        let choose = |standing: Option<&'g Node>| match standing {
            Some(_) => Choice::Keep,
            None => Choice::Put(*made.get_or_insert_with(|| Node::allocate(key, maker))),
        };
        let (index, probe) = (&self.index, Key(key));
        let node = match way {
            // SAFETY: begun in this index.
            Some(way) => unsafe { index.insert_at(guard, &mut garbage, way, &probe, choose) },
            None => index.insert(guard, &mut garbage, &probe, choose),
        };
        if let Some(made) = made.filter(|&made| !std::ptr::eq(made, node)) {
            // SAFETY: not put in.
            unsafe { free(made) };
        }
        let stands = node.maker();
        self.later(garbage);
        stands
    }

    /// Puts all of these keys in at once if nothing is there yet; else one by one. Tells which.
    fn fill(&self, guard: &Guard<'_>, keys: &[u64], maker: u64) -> bool {
        let nodes: Vec<_> = keys.iter().map(|&key| Node::allocate(key, maker)).collect();
        let mut garbage = Garbage::new();
        let filled = self.index.fill(guard, &mut garbage, &nodes);
        self.later(garbage);
        if !filled {
            for node in nodes {
                // SAFETY: not put in.
                unsafe { free(node) };
            }
            for &key in keys {
                assert_eq!(self.insert(guard, key, maker), maker);
            }
        }
        filled
    }

    /// Takes a key out.
    fn remove(&self, guard: &Guard<'_>, key: u64) {
        self.take(guard, None, key);
    }

    /// The same, at the end of the key's way.
    fn remove_at<'g>(&'g self, guard: &'g Guard<'_>, way: &Way<'g>, key: u64) {
        self.take(guard, Some(way), key);
    }

    fn take<'g>(&'g self, guard: &'g Guard<'_>, way: Option<&Way<'g>>, key: u64) {
        let mut garbage = Garbage::new();
        let node = self.index.get(guard, &Key(key)).expect("it stands");
        let taken = match way {
            // SAFETY: begun in this index.
            Some(way) => unsafe { self.index.remove_at(guard, &mut garbage, way, node) },
            None => self.index.remove(guard, &mut garbage, node),
        };
        assert!(taken, "nobody else takes it out");
        // SAFETY: O5: we took it out.
        unsafe { garbage.retire(std::ptr::from_ref(node).cast_mut()) };
        self.later(garbage);
    }

    fn has(&self, guard: &Guard<'_>, key: u64) -> bool {
        let node = self.index.get(guard, &Key(key));
        node.is_some_and(|node| node.maker() != 0 && node.key == key)
    }

    fn keys(&self, guard: &Guard<'_>) -> Vec<u64> {
        let mut keys = Vec::new();
        self.index.scan(guard, None::<&Edge>, Course::UP, |node| {
            node.maker();
            keys.push(node.key);
            ControlFlow::Continue(())
        });
        keys
    }

    fn keys_downwards(&self, guard: &Guard<'_>) -> Vec<u64> {
        let mut keys = Vec::new();
        self.index.scan(guard, None::<&Edge>, Course::DOWN, |node| {
            node.maker();
            keys.push(node.key);
            ControlFlow::Continue(())
        });
        keys.reverse();
        keys
    }

    /// The keys left when all threads are through; gives everything back.
    fn finish(self) -> Vec<u64> {
        let guard = self.domain.pin();
        let keys = self.keys(&guard);
        assert!(keys.is_sorted_by(|one, other| one < other), "out of order");
        drop(guard);
        let Self {
            domain,
            mut index,
            garbage,
        } = self;
        for garbage in garbage.into_inner().expect("no panic") {
            domain.give(garbage);
        }
        // SAFETY: nobody is left, and the tree is emptied.
        index.drain(|node| unsafe { free(node) });
        // The domain goes last: it empties the quarantine.
        drop(index);
        drop(domain);
        keys
    }
}

type Thread<R> = Box<dyn FnOnce(&Model, &Guard<'_>) -> R + Send>;

/// Runs the threads under one guard; what they return, and the keys left at the end.
fn race<R: Send + 'static>(model: Model, threads: Vec<Thread<R>>) -> (Vec<R>, Vec<u64>) {
    let model: &'static Model = Box::leak(Box::new(model));
    let guard: &'static Guard<'static> = Box::leak(Box::new(model.domain.pin()));
    let threads: Vec<_> = threads
        .into_iter()
        .map(|run| thread::spawn(move || run(model, guard)))
        .collect();
    let joined = threads
        .into_iter()
        .map(|thread| thread.join().expect("no panic"));
    let results = joined.collect();
    // SAFETY: leaked above, and the threads that knew it are joined.
    drop(unsafe { Box::from_raw(std::ptr::from_ref(guard).cast_mut()) });
    // SAFETY: as above, and the guard is gone.
    let model = unsafe { Box::from_raw(std::ptr::from_ref(model).cast_mut()) };
    (results, model.finish())
}

/// The outcomes of a small model, with up to four preemptions.
fn outcomes<T: Ord + Send + 'static>(model: impl Fn() -> T + Send + Sync + 'static) -> BTreeSet<T> {
    check::outcomes(4, model)
}

/// The outcomes of a large model, with at most two preemptions: more take too long.
fn outcomes_bounded<T: Ord + Send + 'static>(
    model: impl Fn() -> T + Send + Sync + 'static,
) -> BTreeSet<T> {
    check::outcomes(2, model)
}

fn union(keys: &[u64], more: &[u64]) -> Vec<u64> {
    let all: BTreeSet<u64> = keys.iter().chain(more).copied().collect();
    all.into_iter().collect()
}

/// [10 20] <30> [30 40 50 60]: the second leaf is full.
const SPLITTING: [u64; 6] = [10, 20, 30, 40, 50, 60];

/// Every subset of two events.
fn all_four() -> BTreeSet<(bool, bool)> {
    BTreeSet::from([(false, false), (false, true), (true, false), (true, true)])
}
