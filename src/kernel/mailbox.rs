//! A mailbox: what was delivered to one watcher and not taken yet, bounded.
//!
//! # States
//! ```text
//! head -> letter(9, 0) -> letter(7, 1) -> letter(7, 0)                      newest first
//! put(11, 0):  head -> letter(11, 0) -> letter(9, 0) -> ...                 one CAS
//! take:        head = empty(11)                     the taker has the old list, oldest first
//!              head -> base(11, 0)                  if 11 may not be delivered whole yet
//! put beyond the bound, by the watcher's choice:
//!   lag:       head -> letter(11, 0) -> base(9, 0; missed 7 to 9)
//!   coalesce:  head -> letter(11, 0) -> letter(9, 0) -> base     one letter an object
//!   close:     head -> closed(11) -> letter(9, 0) -> ...         for good; of 11 a part is missing
//! ```
//!
//! # Invariants
//! - M1: the stamp at the head only grows, and a letter is put above a lower stamp only. So a
//!   delivery that is repeated, by whoever goes on for somebody who stopped, changes nothing.
//! - M2: a node is written before it is published; what is published is only read.
//! - M3: a list of nodes that is not reachable from the head any more is retired by whose CAS cut
//!   it off, once.
//! - M4: an empty head is a version in the place of a pointer: all writes up to it have been
//!   delivered. It never comes again once something was put above it (M1): so a CAS that finds it
//!   finds what was looked at.
//!
//! # Orderings
//! - [mail]: the CAS of the head (Release) and its loads (Acquire): who finds a node sees it, and
//!   all below it, whole.

mod full;
#[cfg(all(test, not(loom)))]
mod tests;

use std::marker::PhantomData;

use self::full::{Going, coalesce, lag};
use super::reclaim::{Garbage, Guard, allocate, at, free};
use super::release::contain;
use super::step::{Step, step};
use crate::sync::{AtomicPtr, Ordering};

/// Which write of which commit; ordered as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) version: u64,
    pub(crate) write: u32,
}

/// What is delivered. Cloning it shares it.
pub(crate) trait Letter: Clone + Send + Sync + 'static {
    /// Bytes that it keeps.
    fn bytes(&self) -> u64;

    /// The version that it is of.
    fn version(&self) -> u64;

    /// Makes one of the letters about one object, oldest first; the others keep their order.
    fn coalesce(letters: &mut Vec<Self>);
}

/// What becomes of a mailbox that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    Lag,
    Coalesce,
    Close,
}

/// How much a mailbox holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) letters: u32,
    pub(crate) bytes: u64,
    pub(crate) policy: Policy,
    /// Letters up to this version are not wanted, and not made one with later ones: what they found
    /// is not what the watcher began with. None: that is not known yet, and nothing is coalesced.
    pub(crate) after: Option<u64>,
}

/// What a full mailbox let go: the versions of the oldest and the newest letter that went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) from: u64,
    pub(crate) through: u64,
}

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// The letter is there now, and nothing else.
    First,
    /// The letter is there now, above others.
    Done,
    /// It was there already, or has been taken; or the mailbox is closed.
    Before,
    /// It is there, or gone with others, and the mailbox was full.
    Full,
}

/// What a taker gets.
#[derive(Debug)]
pub(crate) struct Taken<L> {
    /// What went before the letters.
    pub(crate) missed: Option<Missed>,
    /// The oldest first.
    pub(crate) letters: Vec<L>,
    /// The mailbox takes no more; what is of this version and later may not be all there.
    pub(crate) closed_at: Option<u64>,
}

/// What waits in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) letters: u32,
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Node<L> {
    /// Up to here, with this, everything was delivered.
    through: Stamp,
    depth: Depth,
    /// The version of the oldest letter that it and what is below it have, or have let go.
    from: u64,
    below: *mut Node<L>,
    content: Content<L>,
}

#[derive(Debug)]
enum Content<L> {
    /// Boxed: it is rare, and the others need less room.
    Base(Option<Box<Missed>>),
    Letter(L),
    /// What is of this version and later may not be all there.
    Closed(u64),
}

/// No node has an odd address.
const EMPTY: usize = 1;

/// The head of a mailbox where nothing waits, and everything was delivered up to a version.
fn empty<L>(version: u64) -> *mut Node<L> {
    std::ptr::without_provenance_mut((version as usize) << 1 | EMPTY)
}

/// Whether it leads to a node.
fn is_node<L>(pointer: *mut Node<L>) -> bool {
    !pointer.is_null() && pointer.addr() & EMPTY == 0
}

/// A mailbox; see the module's documentation.
#[derive(Debug)]
pub(crate) struct Mailbox<L: Letter> {
    /// The newest node, or [`empty`].
    head: AtomicPtr<Node<L>>,
    letters: PhantomData<L>,
}

/// A list that was cut off the head: ours.
struct Cut<L> {
    first: *mut Node<L>,
}

impl<L: Letter> Cut<L> {
    /// Its nodes, the newest first. They stand while the guard does, that it was found under.
    fn nodes<'g>(&self, _: &'g Guard<'_>) -> impl Iterator<Item = &'g Node<L>> {
        let mut next = self.first;
        std::iter::from_fn(move || {
            if !is_node(next) {
                return None;
            }
            // SAFETY: M3: reached under the guard, so not freed before it ends.
            let node: &'g Node<L> = unsafe { at(next.cast_const()) };
            next = node.below;
            Some(node)
        })
    }

    /// What is in it.
    fn read(&self, guard: &Guard<'_>) -> Taken<L> {
        let mut taken = Taken {
            missed: None,
            letters: Vec::new(),
            closed_at: None,
        };
        for node in self.nodes(guard) {
            match &node.content {
                Content::Base(missed) => taken.missed = missed.as_deref().copied(),
                Content::Letter(letter) => taken.letters.push(letter.clone()),
                Content::Closed(version) => taken.closed_at = Some(*version),
            }
        }
        taken.letters.reverse();
        taken
    }

    /// M3: the caller's CAS cut it off. However long it is, the caller is done at once.
    fn retire_by_parts(self, garbage: &mut Garbage) {
        // SAFETY: R1: cut off by the caller alone, and nobody links it again; a list of such nodes
        // is what the function takes.
        unsafe { garbage.retire_by_parts(self.first.cast(), free_some::<L>) };
    }

    /// M3: the caller's CAS cut it off.
    fn retire(self, guard: &Guard<'_>, garbage: &mut Garbage) {
        for node in self.nodes(guard) {
            // SAFETY: R1: cut off by the caller alone, and nobody links it again.
            unsafe { garbage.retire(std::ptr::from_ref(node).cast_mut()) };
        }
    }
}

/// Nodes that are not published yet.
struct Fresh<L> {
    top: *mut Node<L>,
}

impl<L: Letter> Fresh<L> {
    /// Nothing, with everything up to a version delivered.
    fn nothing(version: u64) -> Self {
        Self {
            top: empty(version),
        }
    }

    fn base(through: Stamp, missed: Option<Missed>) -> Self {
        Self::new(Node {
            through,
            depth: Depth::default(),
            from: missed.map_or(u64::MAX, |missed| missed.from),
            below: std::ptr::null_mut(),
            content: Content::Base(missed.map(Box::new)),
        })
    }

    /// Above what is there, which stays.
    fn closed(version: u64, below: *mut Node<L>, seen: Option<&Node<L>>) -> Self {
        Self::new(Node {
            through: seen.map_or(Stamp::default(), |seen| seen.through),
            depth: seen.map_or(Depth::default(), |seen| seen.depth),
            from: seen.map_or(u64::MAX, |seen| seen.from),
            below,
            content: Content::Closed(version),
        })
    }

    fn new(node: Node<L>) -> Self {
        Self {
            top: allocate(node),
        }
    }

    /// Puts a letter on top.
    fn add(&mut self, through: Stamp, letter: L) {
        // SAFETY: not published: ours.
        let below = unsafe { at(self.top.cast_const()) };
        self.top = allocate(Node::on(Some(below), self.top, through, letter));
    }
}

impl<L: Letter> Node<L> {
    /// A letter above `below`, which the pointer leads to, if there is anything.
    fn on(below: Option<&Self>, pointer: *mut Self, through: Stamp, letter: L) -> Self {
        let depth = below.map_or(Depth::default(), |below| below.depth);
        let from = below.map_or(u64::MAX, |below| below.from);
        Self {
            through,
            depth: Depth {
                letters: depth.letters + 1,
                bytes: depth.bytes + letter.bytes(),
            },
            from: from.min(letter.version()),
            below: pointer,
            content: Content::Letter(letter),
        }
    }
}

/// Frees nodes down to one that is not to be freed, or the end.
///
/// # Safety
/// They are the caller's, and from `allocate`.
unsafe fn free_down_to<L>(mut first: *mut Node<L>, end: *mut Node<L>) {
    while is_node(first) && first != end {
        // SAFETY: the caller's promise.
        let below = unsafe { at(first.cast_const()) }.below;
        // SAFETY: as above.
        unsafe { free(first) };
        first = below;
    }
}

/// Frees so many of a list's first nodes; what is left of it.
///
/// # Safety
/// The list is the caller's, and from `allocate`.
unsafe fn free_some<L>(list: *mut (), count: usize) -> *mut () {
    let mut first = list.cast::<Node<L>>();
    for _ in 0..count {
        if !is_node(first) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promise.
        let below = unsafe { at(first.cast_const()) }.below;
        // A letter's Drop may be the user's. SAFETY: as above.
        contain(|| unsafe { free(first) });
        first = below;
    }
    match is_node(first) {
        true => first.cast(),
        false => std::ptr::null_mut(),
    }
}

impl<L: Letter> Mailbox<L> {
    pub(crate) fn new() -> Self {
        Self {
            head: AtomicPtr::new(empty(0)),
            letters: PhantomData,
        }
    }

    fn head<'g>(&self, _: &'g Guard<'_>) -> (*mut Node<L>, Option<&'g Node<L>>) {
        // Acquire: [mail].
        let head = self.head.load(Ordering::Acquire);
        // SAFETY: M3: found at the head under the guard, so not freed before it ends.
        (
            head,
            is_node(head).then(|| unsafe { at(head.cast_const()) }),
        )
    }

    fn swing(&self, from: *mut Node<L>, to: *mut Node<L>) -> bool {
        // AcqRel: [mail].
        let swung = self
            .head
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed);
        swung.is_ok()
    }

    /// Delivers a letter, once, however often it is called. Lock-free: a retry follows another
    /// delivery, or a taking.
    pub(crate) fn put(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        (stamp, letter): (Stamp, &L),
        bounds: Bounds,
    ) -> Put {
        loop {
            let (pointer, head) = self.head(guard);
            let is_before = match head {
                None => pointer.addr() >= empty::<L>(stamp.version).addr(),
                Some(seen) => matches!(seen.content, Content::Closed(_)) || seen.through >= stamp,
            };
            if is_before {
                return Put::Before;
            }
            if let Some(seen) = head.filter(|seen| seen.is_full(letter, bounds)) {
                match self.put_beyond(guard, garbage, (pointer, seen), (stamp, letter), bounds) {
                    true => return Put::Full,
                    false => continue,
                }
            }
            let node = allocate(Node::on(head, pointer, stamp, letter.clone()));
            if self.swing(pointer, node) {
                return match head {
                    Some(seen) if !matches!(seen.content, Content::Base(_)) => Put::Done,
                    _ => Put::First,
                };
            }
            // SAFETY: never published; what is below it is not ours.
            unsafe { free_down_to(node, pointer) };
        }
    }

    /// Does as the watcher chose for a mailbox that is full. False: it has changed.
    fn put_beyond(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        (pointer, seen): (*mut Node<L>, &Node<L>),
        (stamp, letter): (Stamp, &L),
        bounds: Bounds,
    ) -> bool {
        let old = Cut { first: pointer };
        let fresh = match bounds.policy {
            Policy::Close => Fresh::closed(stamp.version, pointer, Some(seen)),
            Policy::Lag => lag(seen.all(), stamp, letter),
            Policy::Coalesce => coalesce(old.read(guard), seen.all(), (stamp, letter), bounds),
        };
        let closes = bounds.policy == Policy::Close;
        if !self.swing(pointer, fresh.top) {
            let end = if closes {
                pointer
            } else {
                std::ptr::null_mut()
            };
            // SAFETY: never published; what is below a closing node is not ours.
            unsafe { free_down_to(fresh.top, end) };
            return false;
        }
        if !closes {
            old.retire_by_parts(garbage);
        }
        true
    }

    /// Takes no more from now on, while a version is delivered, and keeps what it has. Lock-free.
    pub(crate) fn close(&self, guard: &Guard<'_>, version: u64) {
        loop {
            let (pointer, head) = self.head(guard);
            if head.is_some_and(|seen| matches!(seen.content, Content::Closed(_))) {
                return;
            }
            let fresh = Fresh::closed(version, pointer, head);
            if self.swing(pointer, fresh.top) {
                return;
            }
            // SAFETY: never published; what is below it is not ours.
            unsafe { free_down_to(fresh.top, pointer) };
        }
    }

    /// Takes all that there is; `None`: nothing. Up to `whole` everything was delivered before the
    /// call. Lock-free: a retry follows a delivery.
    pub(crate) fn take(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        whole: u64,
    ) -> Option<Taken<L>> {
        loop {
            let (pointer, head) = self.head(guard);
            let seen = head.filter(|seen| !matches!(seen.content, Content::Base(None)))?;
            let fresh = match seen.content {
                Content::Closed(version) if !is_node(seen.below) => {
                    return Some(Taken {
                        missed: None,
                        letters: Vec::new(),
                        closed_at: Some(version),
                    });
                }
                Content::Closed(version) => Fresh::closed(version, std::ptr::null_mut(), None),
                _ if seen.through.version <= whole => Fresh::nothing(seen.through.version),
                _ => Fresh::base(seen.through, None),
            };
            if self.swing(pointer, fresh.top) {
                step(Step::Fetched);
                let old = Cut { first: pointer };
                let taken = old.read(guard);
                old.retire(guard, garbage);
                return Some(taken);
            }
            // SAFETY: never published.
            unsafe { free_down_to(fresh.top, std::ptr::null_mut()) };
        }
    }

    /// Whether there is something to take.
    pub(crate) fn has_mail(&self, guard: &Guard<'_>) -> bool {
        let (_, head) = self.head(guard);
        head.is_some_and(|seen| !matches!(seen.content, Content::Base(None)))
    }

    /// How much waits in it, and the version of the oldest letter. O(what waits).
    pub(crate) fn depth(&self, guard: &Guard<'_>) -> (Depth, Option<L>) {
        let (pointer, head) = self.head(guard);
        let all = Cut { first: pointer };
        let oldest = all.nodes(guard).filter_map(|node| match &node.content {
            Content::Letter(letter) => Some(letter.clone()),
            _ => None,
        });
        (
            head.map_or(Depth::default(), |seen| seen.depth),
            oldest.last(),
        )
    }
}

impl<L: Letter> Node<L> {
    /// It and all below it, as what goes.
    fn all(&self) -> Going {
        Going {
            from: self.from,
            through: self.through,
        }
    }

    fn is_full(&self, letter: &L, bounds: Bounds) -> bool {
        let Depth { letters, bytes } = self.depth;
        letters > 0 && (letters >= bounds.letters || bytes + letter.bytes() > bounds.bytes)
    }
}

impl<L: Letter> Drop for Mailbox<L> {
    fn drop(&mut self) {
        // Relaxed: nobody else is left.
        let head = self.head.load(Ordering::Relaxed);
        // SAFETY: M3: what is at the head is the mailbox's.
        unsafe { free_down_to(head, std::ptr::null_mut()) };
    }
}

// SAFETY: M2: what the nodes lead to is shared, read, and dropped by any thread: letters are Send
// and Sync.
unsafe impl<L: Letter> Send for Mailbox<L> {}
// SAFETY: as above.
unsafe impl<L: Letter> Sync for Mailbox<L> {}
