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
//!   but first, if 7 is not wanted:  head -> letter(9, 0) -> base     which may leave room
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
mod list;
#[cfg(all(test, not(loom)))]
mod tests;

use std::marker::PhantomData;

use self::full::{coalesce, lag, wanted};
use self::list::{Content, Cut, Fresh, Node, empty, free_down_to, is_node};
use super::reclaim::{Garbage, Guard, allocate, at};
use super::step::{Step, step};
use crate::sync::{AtomicPtr, Ordering};
use crate::version::Moment;

/// Which write of which commit; ordered as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp {
    pub(crate) version: u64,
    pub(crate) write: u32,
}

/// Where something begins: a version, and when that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) version: u64,
    pub(crate) at: Moment,
}

/// What is delivered. Cloning it shares it.
pub(crate) trait Letter: Clone + Send + Sync + 'static {
    /// Bytes that it keeps in a mailbox.
    fn bytes(&self) -> u64;

    /// The version that it is of.
    fn version(&self) -> u64;

    /// Where what it covers begins. Of one that was not made of several, with its version.
    fn since(&self) -> Since {
        Since {
            version: self.version(),
            at: Moment::UNKNOWN,
        }
    }

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
    /// Letters up to this version are not wanted, and count for nothing. None: that is not known
    /// yet, and what is full lags, whatever its policy.
    pub(crate) after: Option<u64>,
}

/// What a full mailbox let go: from where the oldest letter that went begins to the version of the
/// newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) from: u64,
    /// When the version `from` was written.
    pub(crate) from_at: Moment,
    pub(crate) through: u64,
}

impl Missed {
    /// How many commits that is, of those after a version.
    pub(crate) fn commits_after(&self, version: u64) -> u64 {
        self.through.saturating_sub(version.max(self.from - 1))
    }
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
    /// Up to this version everything was in it that had been delivered, or came and went.
    pub(crate) through: u64,
    /// The mailbox takes no more.
    pub(crate) end: Option<End>,
}

/// Where a mailbox was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What is of this version and later may not be all there.
    pub(crate) version: u64,
    /// Up to here something was lost before that, or is not wanted. What is lost later would not
    /// have come.
    pub(crate) lost: u64,
}

impl End {
    pub(crate) fn at(version: u64, lost: u64) -> Self {
        let lost = lost.min(version - 1);
        Self { version, lost }
    }
}

/// What waits in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Depth {
    pub(crate) letters: u32,
    pub(crate) bytes: u64,
}

/// A mailbox; see the module's documentation.
#[derive(Debug)]
pub(crate) struct Mailbox<L: Letter> {
    /// The newest node, or [`empty`].
    head: AtomicPtr<Node<L>>,
    letters: PhantomData<L>,
}

impl<L: Letter> Mailbox<L> {
    /// Bytes that the mailbox itself takes for each letter.
    pub(crate) const BYTES_A_LETTER: u64 = size_of::<Node<L>>() as u64;

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
                Some(seen) => matches!(seen.content, Content::Closed(_)) || seen.through() >= stamp,
            };
            if is_before {
                return Put::Before;
            }
            if let Some((seen, after)) = head.zip(bounds.after)
                && seen.is_to_clear(after, || seen.is_full(letter, bounds))
            {
                self.clear(guard, garbage, (pointer, seen), after);
                continue;
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

    /// Lets go what is not wanted, unless it has changed.
    #[cold]
    fn clear(
        &self,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        (pointer, seen): (*mut Node<L>, &Node<L>),
        after: u64,
    ) {
        let old = Cut { first: pointer };
        let fresh = wanted(old.read(guard), seen.through(), after);
        if self.swing(pointer, fresh.top) {
            old.retire_by_parts(garbage);
        } else {
            // SAFETY: never published.
            unsafe { free_down_to(fresh.top, std::ptr::null_mut()) };
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
        let policy = bounds.after.map_or(Policy::Lag, |_| bounds.policy);
        let fresh = match policy {
            Policy::Close => {
                let end = End::at(stamp.version, bounds.after.unwrap_or_default());
                Fresh::closed(end, pointer, Some(seen))
            }
            Policy::Lag => lag(seen.all(), stamp, letter),
            Policy::Coalesce => coalesce(old.read(guard), seen.all(), (stamp, letter), bounds),
        };
        let closes = policy == Policy::Close;
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
    pub(crate) fn close(&self, guard: &Guard<'_>, end: End) {
        loop {
            let (pointer, head) = self.head(guard);
            if head.is_some_and(|seen| matches!(seen.content, Content::Closed(_))) {
                return;
            }
            let fresh = Fresh::closed(end, pointer, head);
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
            let fresh = match &seen.content {
                Content::Closed(end) if !is_node(seen.below) => {
                    return Some(Taken {
                        missed: None,
                        letters: Vec::new(),
                        through: seen.through().version,
                        end: Some(**end),
                    });
                }
                Content::Closed(end) => Fresh::closed(**end, std::ptr::null_mut(), None),
                _ if seen.through().version <= whole => Fresh::nothing(seen.through().version),
                _ => Fresh::base(seen.through(), None),
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

    /// How many letters wait in it.
    pub(crate) fn letters(&self, guard: &Guard<'_>) -> u32 {
        self.head(guard).1.map_or(0, |seen| seen.depth().letters)
    }

    /// Whether there is something to take.
    pub(crate) fn has_mail(&self, guard: &Guard<'_>) -> bool {
        let (_, head) = self.head(guard);
        head.is_some_and(|seen| !matches!(seen.content, Content::Base(None)))
    }

    /// Where it was closed, if it takes no more.
    pub(crate) fn end(&self, guard: &Guard<'_>) -> Option<End> {
        match &self.head(guard).1?.content {
            Content::Closed(end) => Some(**end),
            Content::Base(_) | Content::Letter(_) => None,
        }
    }

    /// How much waits in it, where that begins, or what went before it, and what went. O(what
    /// waits).
    pub(crate) fn depth(&self, guard: &Guard<'_>) -> (Depth, Option<Since>, Option<Missed>) {
        let (pointer, head) = self.head(guard);
        let Some(seen) = head else {
            return (Depth::default(), None, None);
        };
        let all = Cut { first: pointer };
        let missed = all
            .nodes(guard)
            .last()
            .and_then(|node| match &node.content {
                Content::Base(missed) => missed.as_deref().copied(),
                _ => None,
            });
        (seen.depth(), seen.since(), missed)
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
