//! Routes: which watchers ask for something that a write may be found by. A route is a number of 64
//! bits that a subscription and a write agree on; who subscribed to a route may be asked for more.
//!
//! # Invariants
//! - U1: a subscription stands in the tree from [`Routes::add`] until [`Routes::remove`], once, and
//!   no two are equal: no two have the same route and member.
//!
//! What orders adding against reading is the caller's: see [`super::station`].

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Kernel;
use super::barrier::prefetch_lines;
use super::hint::Shared;
use super::ordered::{Choice, Course, Ends, Ordered, OrderedIndex, Probe};
use super::reclaim::{Guard, allocate, free};
use super::table::GarbageBin;
use crate::sync::{AtomicU32, Ordering as Order};

/// Subscriptions fetched ahead in a scan at most.
const WANTED: usize = 64;

/// What a write may be found by, as a number: table 16 | place 16 | hash 32. A place is the table
/// as a whole, its key, a kind of change, or one of its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route(u64);

/// No table has this position.
const NO_TABLE: u16 = u16::MAX;
/// The place of a table as a whole, that of its key, and those of the kinds of changes; indexes
/// follow.
const WHOLE: u16 = 0;
const KEY: u16 = 1;
const KINDS: u16 = 2;
const INDEXES: u16 = KINDS + 3;

impl Route {
    /// Every write of every table.
    pub(crate) const ALL: Self = Self::new(NO_TABLE, WHOLE, 0);
    /// Nothing that is written: of members that are only to be listed.
    pub(crate) const NONE: Self = Self(u64::MAX);

    const fn new(table: u16, place: u16, hash: u64) -> Self {
        Self((table as u64) << 48 | (place as u64) << 32 | hash >> 32)
    }

    /// Every write of a table.
    pub(crate) fn table(table: u16) -> Self {
        Self::new(table, WHOLE, 0)
    }

    /// Writes of a kind: the first, the second or the third.
    pub(crate) fn kind(table: u16, kind: u16) -> Self {
        debug_assert!(kind < INDEXES - KINDS, "there are three kinds");
        Self::new(table, KINDS + kind, 0)
    }

    /// Writes of the object whose key has this hash.
    pub(crate) fn key(table: u16, hash: u64) -> Self {
        Self::new(table, KEY, hash)
    }

    /// Writes of objects with an index value that has this hash.
    pub(crate) fn value(table: u16, index: u16, hash: u64) -> Self {
        // Indexes beyond so many share a place: their watchers are asked about each other's writes.
        Self::new(table, index.saturating_add(INDEXES), hash)
    }

    fn place(self) -> (u16, u16) {
        ((self.0 >> 48) as u16, (self.0 >> 32) as u16)
    }
}

/// A member's wish to be told what comes along a route.
#[derive(Debug)]
struct Subscription<M> {
    route: u64,
    number: u64,
    member: Arc<M>,
}

/// The subscriptions of one shard. Adding and removing cost O(log n), lock-free; looking up is
/// wait-free.
pub(crate) struct Routes<M: Send + Sync + 'static> {
    tree: OrderedIndex<Subscription<M>>,
    /// How many subscriptions a place of a table has: so that a write is not looked up where nobody
    /// asks.
    asked: Box<[Box<[AtomicU32]>]>,
    asked_all: AtomicU32,
}

/// Of which indexes of a table anybody may have subscribed to values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AskedIndexes<'r>(&'r [AtomicU32]);

impl AskedIndexes<'_> {
    /// Ordered as the tree is.
    #[inline]
    pub(crate) fn has(self, index: u16) -> bool {
        // Of a table of this store; the last place is that of all indexes beyond so many.
        let Some(last) = self.0.len().checked_sub(1) else {
            return false;
        };
        // Relaxed: counted before the subscriber's fence, asked after the deliverer's.
        self.0[usize::from(index).min(last)].load(Order::Relaxed) != 0
    }
}

impl<M: Send + Sync + 'static> Ordered for Subscription<M> {
    type Separator = (u64, u64);

    #[inline]
    fn hint(&self) -> u64 {
        self.route
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.separator().cmp(&other.separator())
    }

    fn separator_hint(&(route, _): &(u64, u64), _: Shared) -> u64 {
        route
    }

    /// The member.
    #[inline]
    fn prefetch(&self) {
        prefetch_lines(Arc::as_ptr(&self.member), 1);
    }

    fn separator(&self) -> (u64, u64) {
        (self.route, self.number)
    }

    fn compare_separator(&self, separator: &(u64, u64)) -> Ordering {
        self.separator().cmp(separator)
    }
}

/// A place in the tree; without a number, before all of a route.
#[derive(Clone, Copy, Debug)]
struct Place {
    route: u64,
    number: Option<u64>,
}

impl Place {
    fn before(route: u64) -> Self {
        Self {
            route,
            number: None,
        }
    }

    fn compare_with(&self, other: &(u64, u64)) -> Ordering {
        match self.number {
            Some(number) => (self.route, number).cmp(other),
            None => self.route.cmp(&other.0).then(Ordering::Less),
        }
    }
}

impl<M: Send + Sync + 'static> Probe<Subscription<M>> for Place {
    fn hint(&self) -> Option<u64> {
        Some(self.route)
    }

    fn compare(&self, node: &Subscription<M>) -> Ordering {
        self.compare_with(&node.separator())
    }

    fn compare_separator(&self, separator: &(u64, u64)) -> Ordering {
        self.compare_with(separator)
    }
}

impl<M: Send + Sync + 'static> Routes<M> {
    /// Of a store whose tables have so many indexes each.
    pub(crate) fn new(indexes: impl Iterator<Item = usize>) -> Self {
        let places = indexes.map(|indexes| {
            let places = indexes + usize::from(INDEXES);
            (0..places).map(|_| AtomicU32::new(0)).collect()
        });
        Self {
            tree: OrderedIndex::new(),
            asked: places.collect(),
            asked_all: AtomicU32::new(0),
        }
    }

    fn asked(&self, route: Route) -> Option<&AtomicU32> {
        let (table, place) = route.place();
        if table == NO_TABLE {
            // Those who are only listed ask for nothing.
            return (route == Route::ALL).then_some(&self.asked_all);
        }
        let places = self.asked.get(usize::from(table))?;
        places.get(usize::from(place)).or(places.last())
    }

    /// Whether anybody may have subscribed to the route or one like it. Ordered as the tree is.
    #[inline]
    pub(crate) fn is_asked(&self, route: Route) -> bool {
        // Relaxed: counted before the subscriber's fence, asked after the deliverer's.
        self.asked(route)
            .is_some_and(|asked| asked.load(Order::Relaxed) != 0)
    }

    /// Which indexes of a table are asked about, for who looks at many of its values.
    #[inline]
    pub(crate) fn asked_indexes(&self, table: u16) -> AskedIndexes<'_> {
        let places = self.asked.get(usize::from(table));
        let indexes = places.and_then(|places| places.get(usize::from(INDEXES)..));
        AskedIndexes(indexes.unwrap_or_default())
    }

    /// Adds a member, by a number of its own, to a route that it has not been added to.
    pub(crate) fn add(&self, kernel: &Kernel, route: Route, number: u64, member: &Arc<M>) {
        if let Some(asked) = self.asked(route) {
            // Relaxed: ordered by the subscriber's fence.
            asked.fetch_add(1, Order::Relaxed);
        }
        let route = route.0;
        let mut garbage = GarbageBin::new(kernel);
        let guard = kernel.domain.pin();
        let node = allocate(Subscription {
            route,
            number,
            member: Arc::clone(member),
        });
        let probe = Place {
            route,
            number: Some(number),
        };
        self.tree.insert(&guard, &mut garbage.0, &probe, |found| {
            assert!(found.is_none(), "U1: added twice");
            Choice::Put(node)
        });
    }

    /// Removes what was added; false: it is not there.
    pub(crate) fn remove(&self, kernel: &Kernel, route: Route, number: u64) -> bool {
        let mut garbage = GarbageBin::new(kernel);
        let guard = kernel.domain.pin();
        let probe = Place {
            route: route.0,
            number: Some(number),
        };
        let Some((pointer, node)) = self.tree.find(&guard, &probe) else {
            return false;
        };
        let removed = self.tree.remove(&guard, &mut garbage.0, node);
        if removed {
            // SAFETY: R1, U1: out of the tree by us.
            unsafe { garbage.0.retire(pointer) };
            if let Some(asked) = self.asked(route) {
                // Relaxed: a hint from here on: nobody needs what comes.
                asked.fetch_sub(1, Order::Relaxed);
            }
        }
        removed
    }

    /// Removes a member from wherever it stands: for one of which nobody can tell any more where
    /// that is. O(all subscriptions).
    #[cold]
    pub(crate) fn remove_everywhere(&self, kernel: &Kernel, number: u64) {
        let mut routes = Vec::new();
        let none: Option<&Place> = None;
        self.tree
            .scan(&kernel.domain.pin(), none, Self::COURSE, |node| {
                routes.extend((node.number == number).then_some(Route(node.route)));
                ControlFlow::Continue(())
            });
        for route in routes {
            self.remove(kernel, route, number);
        }
    }

    /// Shows the members of a route until `each` breaks.
    #[inline]
    pub(crate) fn each<'g>(
        &self,
        guard: &'g Guard<'_>,
        Route(route): Route,
        mut each: impl FnMut(&'g M) -> ControlFlow<()>,
    ) {
        let ends = (
            &Place::before(route),
            &Place::before(route.saturating_add(1)),
        );
        self.tree.scan_hint(guard, ends, |node| each(&node.member));
    }

    /// Shows the members of all routes that differ from one in their hash alone.
    pub(crate) fn each_like<'g>(
        &self,
        guard: &'g Guard<'_>,
        route: Route,
        mut each: impl FnMut(&'g M) -> ControlFlow<()>,
    ) {
        let (table, place) = route.place();
        let Route(first) = Route::new(table, place, 0);
        let ends = Ends {
            from: Some(&Place::before(first)),
            until: Some(&Place::before(first.saturating_add(1 << 32))),
        };
        self.tree
            .scan_within(guard, ends, Self::COURSE, |node| each(&node.member));
    }

    /// Shows every subscription.
    pub(crate) fn all<'g>(&self, guard: &'g Guard<'_>, mut each: impl FnMut(&'g Arc<M>)) {
        let none: Option<&Place> = None;
        self.tree.scan(guard, none, Self::COURSE, |node| {
            each(&node.member);
            ControlFlow::Continue(())
        });
    }

    const COURSE: Course = Course {
        reversed: false,
        wanted: WANTED,
    };

    /// Bytes of the tree, about.
    pub(crate) fn bytes(&self, guard: &Guard<'_>) -> usize {
        self.tree.bytes(guard)
    }
}

impl<M: Send + Sync + 'static> Drop for Routes<M> {
    fn drop(&mut self) {
        self.tree.drain(|node| {
            // SAFETY: U1: nobody is left, and each stands once.
            unsafe { free(node) };
        });
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::kernel::{HistoryLimits, Limits};

    fn kernel() -> Arc<Kernel> {
        let limits = Limits {
            retention: 0,
            log_commits: 1 << 20,
            watch_commits: 1 << 20,
            history: HistoryLimits::NONE,
        };
        Kernel::new(limits, Vec::new())
    }

    /// So that those who read the log cost no delivery a look for who asks for everything.
    #[test]
    fn who_is_only_listed_asks_for_nothing() {
        let kernel = kernel();
        let routes = Routes::<u64>::new([1].into_iter());
        for (route, asks) in [(Route::NONE, false), (Route::ALL, true)] {
            routes.add(&kernel, route, 1, &Arc::new(1));
            assert_eq!(routes.is_asked(Route::ALL), asks);
        }
        routes.remove(&kernel, Route::ALL, 1);
        assert!(!routes.is_asked(Route::ALL));
    }

    #[test]
    fn a_member_is_removed_from_wherever_it_stands() {
        let kernel = kernel();
        let routes = Routes::<u64>::new([1].into_iter());
        let stands = [Route::table(0), Route::key(0, 7 << 32), Route::NONE];
        for number in 0..3 {
            for route in stands {
                routes.add(&kernel, route, number, &Arc::new(number));
            }
        }
        routes.remove_everywhere(&kernel, 1);
        let mut left = Vec::new();
        routes.all(&kernel.domain.pin(), |member| left.push(**member));
        left.sort_unstable();
        assert_eq!(left, [0, 0, 0, 2, 2, 2]);
        assert!(!routes.remove(&kernel, stands[0], 1));
        assert!(routes.remove(&kernel, stands[0], 2));
    }

    /// U1, and that a route is shown whole, alone and in order, wherever leaves end.
    #[test]
    fn a_route_shows_its_members_and_no_others() {
        let kernel = kernel();
        let routes = Routes::<u64>::new([1].into_iter());
        let route = |hash: u64| Route::value(0, 0, hash << 32);
        // Of route n there are 1, 2, 4, ... members.
        let members = |number: u64| (0..9).filter(move |&hash| number.is_multiple_of(1 << hash));
        for number in (0..512).rev() {
            for hash in members(number) {
                routes.add(&kernel, route(hash), number, &Arc::new(number));
            }
        }
        let shown = |route| {
            let guard = kernel.domain.pin();
            let mut shown = Vec::new();
            routes.each(&guard, route, |&member| {
                shown.push(member);
                ControlFlow::Continue(())
            });
            shown
        };
        let expected =
            |hash: u64| (0..512_u64).filter(move |&number| number.is_multiple_of(1 << hash));
        for hash in 0..9 {
            assert!(shown(route(hash)).into_iter().eq(expected(hash)), "{hash}");
        }
        assert_eq!(shown(route(9)), []);
        let mut alike = 0;
        routes.each_like(&kernel.domain.pin(), route(3), |_| {
            alike += 1;
            match alike {
                700 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        });
        assert_eq!(alike, 700);
        for number in (0..512_u64).filter(|&number| number % 3 != 0) {
            assert!(members(number).all(|hash| routes.remove(&kernel, route(hash), number)));
        }
        for hash in 0..9 {
            let left = expected(hash).filter(|&number| number % 3 == 0);
            assert!(shown(route(hash)).into_iter().eq(left), "{hash}");
        }
    }
}
