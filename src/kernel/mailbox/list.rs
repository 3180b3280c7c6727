//! The nodes of a mailbox, newest first: those that are published, those that are not yet, and
//! those that were cut off.

use super::full::Going;
use super::{Bounds, Depth, End, Letter, Missed, Since, Stamp, Taken};
use crate::kernel::reclaim::{Garbage, Guard, allocate, at, free};
use crate::kernel::release::contain;
use crate::version::Moment;

/// A line: there is one for each letter that waits.
#[derive(Debug)]
pub(super) struct Node<L> {
    /// Up to here, with this, everything was delivered: to this write of this version.
    version: u64,
    write: u32,
    /// How many letters it and what is below it have, and their bytes.
    letters: u32,
    bytes: u64,
    /// Where the oldest letter begins that it and what is below it have, or have let go.
    since: Since,
    pub(super) below: *mut Node<L>,
    pub(super) content: Content<L>,
}

const _: () = assert!(size_of::<Node<std::sync::Arc<u8>>>() == 64);

/// Where nothing begins.
const NEVER: Since = Since {
    version: u64::MAX,
    at: Moment::UNKNOWN,
};

#[derive(Debug)]
pub(super) enum Content<L> {
    /// Boxed: it is rare, and the others need less room.
    Base(Option<Box<Missed>>),
    Letter(L),
    /// Boxed: as rare.
    Closed(Box<End>),
}

/// No node has an odd address.
const EMPTY: usize = 1;

/// The head of a mailbox where nothing waits, and everything was delivered up to a version.
pub(super) fn empty<L>(version: u64) -> *mut Node<L> {
    std::ptr::without_provenance_mut((version as usize) << 1 | EMPTY)
}

/// Whether it leads to a node.
pub(super) fn is_node<L>(pointer: *mut Node<L>) -> bool {
    !pointer.is_null() && pointer.addr() & EMPTY == 0
}

/// A list that was cut off the head: ours.
pub(super) struct Cut<L> {
    pub(super) first: *mut Node<L>,
}

impl<L: Letter> Cut<L> {
    /// Its nodes, the newest first. They stand while the guard does, that it was found under.
    pub(super) fn nodes<'g>(&self, guard: &'g Guard<'_>) -> impl Iterator<Item = &'g Node<L>> {
        self.found(guard).map(|(_, node)| node)
    }

    /// The same, with the pointers that they were made as.
    fn found<'g>(
        &self,
        _: &'g Guard<'_>,
    ) -> impl Iterator<Item = (*mut Node<L>, &'g Node<L>)> + use<'g, L> {
        let mut next = self.first;
        std::iter::from_fn(move || {
            if !is_node(next) {
                return None;
            }
            // SAFETY: M3: reached under the guard, so not freed before it ends.
            let node: &'g Node<L> = unsafe { at(next.cast_const()) };
            Some((std::mem::replace(&mut next, node.below), node))
        })
    }

    /// What is in it.
    pub(super) fn read(&self, guard: &Guard<'_>) -> Taken<L> {
        let mut taken = Taken {
            missed: None,
            letters: Vec::new(),
            through: 0,
            end: None,
        };
        for node in self.nodes(guard) {
            taken.through = taken.through.max(node.version);
            match &node.content {
                Content::Base(missed) => taken.missed = missed.as_deref().copied(),
                Content::Letter(letter) => taken.letters.push(letter.clone()),
                Content::Closed(end) => taken.end = Some(**end),
            }
        }
        taken.letters.reverse();
        taken
    }

    /// M3: the caller's CAS cut it off. However long it is, the caller is done at once.
    pub(super) fn retire_by_parts(self, garbage: &mut Garbage) {
        // SAFETY: R1: cut off by the caller alone, and nobody links it again; a list of such nodes
        // is what the function takes.
        unsafe { garbage.retire_by_parts(self.first.cast(), free_some::<L>) };
    }

    /// M3: the caller's CAS cut it off.
    pub(super) fn retire(self, guard: &Guard<'_>, garbage: &mut Garbage) {
        for (node, _) in self.found(guard) {
            // SAFETY: R1: cut off by the caller alone, and nobody links it again.
            unsafe { garbage.retire(node) };
        }
    }
}

/// Nodes that are not published yet.
pub(super) struct Fresh<L> {
    pub(super) top: *mut Node<L>,
}

impl<L: Letter> Fresh<L> {
    /// Nothing, with everything up to a version delivered.
    pub(super) fn nothing(version: u64) -> Self {
        Self {
            top: empty(version),
        }
    }

    pub(super) fn base(through: Stamp, missed: Option<Missed>) -> Self {
        let since = missed.map_or(NEVER, |missed| Since {
            version: missed.from,
            at: missed.from_at,
        });
        let content = Content::Base(missed.map(Box::new));
        let below = std::ptr::null_mut();
        Self::new(Node::of(through, (0, 0), since, (below, content)))
    }

    /// Above what is there, which stays.
    pub(super) fn closed(end: End, below: *mut Node<L>, seen: Option<&Node<L>>) -> Self {
        let through = seen.map_or(Stamp::default(), Node::through);
        let depth = seen.map_or((0, 0), |seen| (seen.letters, seen.bytes));
        // Where nothing waits, what is lost begins.
        let since = seen.and_then(Node::since).unwrap_or(Since {
            version: end.version,
            at: Moment::UNKNOWN,
        });
        let content = Content::Closed(Box::new(end));
        Self::new(Node::of(through, depth, since, (below, content)))
    }

    fn new(node: Node<L>) -> Self {
        Self {
            top: allocate(node),
        }
    }

    /// Puts a letter on top.
    pub(super) fn add(&mut self, through: Stamp, letter: L) {
        // SAFETY: not published: ours.
        let below = unsafe { at(self.top.cast_const()) };
        self.top = allocate(Node::on(Some(below), self.top, through, letter));
    }
}

impl<L: Letter> Node<L> {
    /// A letter above `below`, which the pointer leads to, if there is anything.
    pub(super) fn on(below: Option<&Self>, pointer: *mut Self, through: Stamp, letter: L) -> Self {
        let (letters, bytes) = below.map_or((0, 0), |below| (below.letters, below.bytes));
        let depth = (letters + 1, bytes.saturating_add(letter.bytes()));
        let before = below.map_or(NEVER, |below| below.since);
        let own = letter.since();
        let since = if own.version < before.version {
            own
        } else {
            before
        };
        Self::of(through, depth, since, (pointer, Content::Letter(letter)))
    }

    fn of(
        through: Stamp,
        (letters, bytes): (u32, u64),
        since: Since,
        (below, content): (*mut Self, Content<L>),
    ) -> Self {
        let Stamp { version, write } = through;
        Self {
            version,
            write,
            letters,
            bytes,
            since,
            below,
            content,
        }
    }

    /// Up to here, with this, everything was delivered.
    pub(super) fn through(&self) -> Stamp {
        Stamp {
            version: self.version,
            write: self.write,
        }
    }

    /// What waits in it and what is below it.
    pub(super) fn depth(&self) -> Depth {
        Depth {
            letters: self.letters,
            bytes: self.bytes,
        }
    }

    /// Where the oldest letter begins that it and what is below it have, or have let go.
    pub(super) fn since(&self) -> Option<Since> {
        (self.since != NEVER).then_some(self.since)
    }

    /// It and all below it, as what goes.
    pub(super) fn all(&self) -> Going {
        Going {
            since: self.since,
            through: self.through(),
        }
    }

    /// Whether nothing in it is wanted; or some is not, and there is no more room.
    pub(super) fn is_to_clear(&self, after: u64, is_full: impl FnOnce() -> bool) -> bool {
        self.since.version <= after && (self.version <= after || is_full())
    }

    pub(super) fn is_full(&self, letter: &L, bounds: Bounds) -> bool {
        let (letters, bytes) = (self.letters, self.bytes);
        letters > 0
            && (letters >= bounds.letters || bytes.saturating_add(letter.bytes()) > bounds.bytes)
    }
}

/// Frees nodes down to one that is not to be freed, or the end.
///
/// # Safety
/// They are the caller's, and from `allocate`.
pub(super) unsafe fn free_down_to<L>(mut first: *mut Node<L>, end: *mut Node<L>) {
    while is_node(first) && first != end {
        // SAFETY: the caller's promise.
        let below = unsafe { at(first.cast_const()) }.below;
        // A letter's Drop may be the user's: the rest goes all the same. SAFETY: as above.
        contain(|| unsafe { free(first) });
        first = below;
    }
}

/// Frees so many of a list's first nodes; what is left of it.
///
/// # Safety
/// The list is the caller's, and from `allocate`.
unsafe fn free_some<L>(list: *mut (), count: usize) -> *mut () {
    let (mut first, mut left) = (list.cast::<Node<L>>(), count);
    while is_node(first) && left > 0 {
        // SAFETY: the caller's promise.
        let below = unsafe { at(first.cast_const()) }.below;
        // A letter's Drop may be the user's. SAFETY: as above.
        contain(|| unsafe { free(first) });
        (first, left) = (below, left - 1);
    }
    match is_node(first) {
        true => first.cast(),
        false => std::ptr::null_mut(),
    }
}
