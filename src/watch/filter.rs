//! What a watcher is asked for: an or-combination of clauses, each about one table.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::clause::TableFilter;
use super::coalescing::{Coalescing, may_coalesce};
use super::event::AnyChange;
use super::member::{Markers, Overflow, Wishes};
use crate::kernel::commit::{Write, table_bit};
use crate::kernel::reclaim::Guard;
use crate::kernel::routes::Route;
use crate::table::object::Object;
use crate::table::schema::Schema;

/// Which changes a watcher gives, and how far it may fall behind.
///
/// Begin with [`Filter::all`], every change, or [`Filter::of`], the changes of one table, which
/// [`TableFilter`]'s methods narrow. Filters are joined by [`Filter::or`]. The other methods say
/// which markers come ([`every_commit`](Filter::every_commit),
/// [`changes_only`](Filter::changes_only), [`progress`](Filter::progress)) and what may wait
/// ([`events_max`](Filter::events_max), [`bytes_max`](Filter::bytes_max),
/// [`overflow`](Filter::overflow), [`timeout`](Filter::timeout)).
#[derive(Clone, Debug)]
pub struct Filter {
    clauses: Clauses,
    /// Most have none.
    wishes: Option<Box<Wishes>>,
}

#[derive(Clone)]
enum Clauses {
    /// Most have one.
    One(Arc<dyn AnyClause>),
    /// `None`: every change is asked for.
    Any(Option<Arc<Several>>),
}

/// By a pointer of one word, where one to a slice has two.
type Several = Vec<Arc<dyn AnyClause>>;

// Each watcher has them.
const _: () = assert!(size_of::<Clauses>() == 2 * size_of::<usize>());

impl Clauses {
    fn of(mut clauses: Several) -> Self {
        match clauses.pop() {
            Some(one) if clauses.is_empty() => Self::One(one),
            last => Self::Any(Some(Arc::new({
                clauses.extend(last);
                clauses
            }))),
        }
    }

    /// One of them is to be met; `None`: none need be.
    #[inline]
    fn any(&self) -> Option<&[Arc<dyn AnyClause>]> {
        match self {
            Self::One(clause) => Some(std::slice::from_ref(clause)),
            Self::Any(clauses) => clauses.as_deref().map(Vec::as_slice),
        }
    }
}

impl fmt::Debug for Clauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.any() {
            None => f.write_str("All"),
            Some(clauses) => {
                let tables = clauses.iter().map(|clause| clause.table_name());
                f.debug_list().entries(tables).finish()
            }
        }
    }
}

impl Filter {
    /// Every change of every table.
    #[must_use]
    pub fn all() -> Self {
        Self {
            clauses: Clauses::Any(None),
            wishes: None,
        }
    }

    /// Changes of objects `T`: all of them, until narrowed. In a store without a table of `T`
    /// nothing ever matches.
    pub fn of<T: Object>() -> TableFilter<T> {
        TableFilter::new()
    }

    /// What this filter or `other` gives, each change once.
    ///
    /// Bounds, overflow and times hold of the joined filter: where both ask for something, what
    /// this one asks. Every commit has a marker if either asks for that
    /// ([`every_commit`](Filter::every_commit)); else none has, if either asks for that
    /// ([`changes_only`](Filter::changes_only)).
    #[must_use]
    pub fn or(self, other: impl Into<Self>) -> Self {
        let other = other.into();
        let clauses = match (self.clauses.any(), other.clauses.any()) {
            (Some(own), Some(more)) => Clauses::of(own.iter().chain(more).cloned().collect()),
            _ => Clauses::Any(None),
        };
        let wishes = match (self.wishes, other.wishes) {
            (Some(own), Some(more)) => Some(Box::new(own.or(*more))),
            (own, more) => own.or(more),
        };
        Self { clauses, wishes }
    }

    fn wish(mut self, wish: impl FnOnce(&mut Wishes)) -> Self {
        wish(self.wishes.get_or_insert_default());
        self
    }

    /// Also gives the markers of commits of which no change matches: so that whoever receives knows
    /// to be current up to that version. Takes the place of an earlier [`Filter::changes_only`].
    ///
    /// Each commit wakes the watcher then, which has a mailbox only if it asks for bounds
    /// ([`Filter::events_max`]). Of several such commits in a row one with a mailbox is told of the
    /// newest: of how far it is. With a [proposer](crate::Builder::proposer) that may be the number
    /// of a proposal that was refused, at which the store is as it was at the commit before it; one
    /// that reads the log is told of commits alone.
    #[must_use]
    pub fn every_commit(self) -> Self {
        self.wish(|wishes| wishes.markers = Some(Markers::Every))
    }

    /// Gives no markers of commits, which halves the events where each commit has one change. Each
    /// change has its version, but nothing tells when the last one of a version has come. Whole
    /// commits ([`Watcher::recv_commit`](crate::Watcher::recv_commit)) are given as ever, and so
    /// are the markers of [`Filter::progress`]. Takes the place of an earlier
    /// [`Filter::every_commit`].
    ///
    /// ```
    /// # use skep::{Event, Filter, Indexes, Object, Store};
    /// # #[derive(Clone)]
    /// # struct Node(u32);
    /// # impl Object for Node {
    /// #     type Key = u32;
    /// #     const TABLE: &'static str = "node";
    /// #     fn key(&self) -> u32 { self.0 }
    /// #     fn indexes(_: &mut Indexes<Self>) {}
    /// # }
    /// let store = Store::builder().table::<Node>().build();
    /// let mut watcher = store.watch(Filter::of::<Node>().changes_only());
    /// store.update(|tx| tx.create(Node(1)))?;
    /// assert!(matches!(watcher.try_recv()?, Some(Event::Change(_))));
    /// assert!(watcher.try_recv()?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn changes_only(self) -> Self {
        self.wish(|wishes| wishes.markers = Some(Markers::None))
    }

    /// How many changes may wait in the watcher's mailbox; at least 1. [`Filter::overflow`] says
    /// what happens beyond it. Default:
    /// [`Builder::watch_events_max`](crate::Builder::watch_events_max), 65,536 if that is not set.
    ///
    /// A commit with more changes for the watcher than this is always too much for it. What the
    /// watcher has taken out of its mailbox and not yet given is not counted: up to as much again.
    ///
    /// With this bound a watcher has a mailbox, whatever its filter. Which others have one is said
    /// at [`Watcher`](crate::Watcher); the rest read the commit log themselves, and are bounded by
    /// [`Builder::watch_commits_max`](crate::Builder::watch_commits_max) and
    /// [`Builder::watch_log_bytes_max`](crate::Builder::watch_log_bytes_max).
    #[must_use]
    pub fn events_max(self, events: u32) -> Self {
        self.wish(|wishes| wishes.events_max = Some(events))
    }

    /// How many bytes of changes may wait in the watcher's mailbox. Default:
    /// [`Builder::watch_bytes_max`](crate::Builder::watch_bytes_max), 64 MiB if that is not set.
    /// Else as [`Filter::events_max`].
    ///
    /// Of a change the objects before and after it count, with all that they say they point to
    /// ([`Object::bytes`](crate::Object::bytes)), and the change itself. What several watchers or
    /// changes share counts for each. One change may always wait, however large. With a bound of
    /// 64 MiB or more the first 64 changes that wait count without what their objects point to.
    #[must_use]
    pub fn bytes_max(self, bytes: u64) -> Self {
        self.wish(|wishes| wishes.bytes_max = Some(bytes))
    }

    /// What happens when more would wait for the watcher than its bounds allow. Default:
    /// [`Overflow::Lag`]. Gives it a mailbox, as [`Filter::events_max`] does.
    #[must_use]
    pub fn overflow(self, overflow: Overflow) -> Self {
        self.wish(|wishes| wishes.overflow = Some(overflow))
    }

    /// Closes the watcher, as [`Overflow::Close`] does, if it receives nothing for so long while
    /// changes wait for it: looked at, to the millisecond, when the next change comes for it. Gives
    /// it a mailbox, as [`Filter::events_max`] does. Default: never.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.wish(|wishes| wishes.timeout = Some(timeout))
    }

    /// Tells whoever receives how far the watcher is, when nothing has matched for so long: it
    /// gives the marker of the newest commit that it is current up to, if that is newer than the
    /// last marker. Default: never. With a proposer it may be the number of what was refused, as
    /// for [`Filter::every_commit`].
    ///
    /// A thread that waits is told when the time comes, and of what is committed only then as long
    /// after it at most, or 100 ms; a task when it is polled. Costs nothing until then. A thread
    /// that waits looks once a millisecond at most, however short the interval.
    #[must_use]
    pub fn progress(self, interval: Duration) -> Self {
        self.wish(|wishes| wishes.progress = Some(interval))
    }

    pub(super) fn wishes(&self) -> &Wishes {
        self.wishes.as_deref().unwrap_or(&Wishes::NONE)
    }

    /// Whether its watcher is to be delivered to: it asks for few writes of a table, or for bounds.
    pub(super) fn asks_for_delivery(&self, schema: &Schema) -> bool {
        if self.wishes().are_of_a_mailbox() {
            return true;
        }
        let Some(clauses) = self.clauses.any() else {
            return false;
        };
        let mut routes = Vec::new();
        !self.wants_every_commit()
            && clauses
                .iter()
                .all(|clause| clause.routes(schema, &mut routes))
    }

    /// Whether what is found by its routes is what may match, but for hashes that are the same: so
    /// that nothing more need be asked before it is delivered.
    pub(super) fn is_exact(&self, schema: &Schema) -> bool {
        let mut routes = Vec::new();
        match self.clauses.any() {
            None => true,
            Some(clauses) => clauses
                .iter()
                .all(|clause| clause.is_exact() && clause.routes(schema, &mut routes)),
        }
    }

    /// What each write that matches is found by, one of them at least; each once. Of a filter that
    /// nothing matches, since it is about no table of the store, a route that nothing takes: its
    /// watcher is listed, and is called when the store is closed.
    pub(super) fn routes(&self, schema: &Schema) -> Vec<Route> {
        let Some(clauses) = self.clauses.any() else {
            return vec![Route::ALL];
        };
        let mut routes = Vec::new();
        for clause in clauses {
            let before = routes.len();
            if !clause.routes(schema, &mut routes) {
                routes.truncate(before);
                clause.broad_routes(schema, &mut routes);
            }
        }
        if routes.is_empty() {
            routes.push(Route::NONE);
        }
        routes.sort_unstable();
        routes.dedup();
        routes
    }

    #[inline]
    pub(super) fn wants_every_commit(&self) -> bool {
        self.markers() == Some(Markers::Every)
    }

    /// Whether a commit of which changes may match has a marker.
    #[inline]
    pub(super) fn wants_markers(&self) -> bool {
        self.markers() != Some(Markers::None)
    }

    #[inline]
    fn markers(&self) -> Option<Markers> {
        self.wishes.as_ref()?.markers
    }

    /// The tables that it is about, as a commit's mask.
    pub(super) fn tables(&self, schema: &Schema) -> u64 {
        match self.clauses.any() {
            None => u64::MAX,
            Some(clauses) => {
                let tables = clauses.iter().filter_map(|clause| clause.position(schema));
                tables.fold(0, |bits, table| bits | table_bit(table))
            }
        }
    }

    /// Whether a write may match, as far as can be said without running user code but comparisons.
    /// Called under a pin.
    #[inline]
    pub(super) fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool {
        match self.clauses.any() {
            None => true,
            Some(clauses) => {
                let mut clauses = clauses.iter();
                clauses.any(|clause| clause.may_match(guard, schema, write))
            }
        }
    }

    /// What is asked before a change is given; and the whole filter, if it calls closures of the
    /// user's then: those are the watcher's alone, and go with it. Who shares the rest lets it go
    /// some time later, and a closure may have a handle of the store. Either is without coalescing,
    /// if that would lose what it asks for.
    pub(super) fn apart(mut self) -> (Self, Option<Self>) {
        let clauses = self.clauses.any().unwrap_or_default();
        if let Some(wishes) = &mut self.wishes
            && wishes.overflow == Some(Overflow::Coalesce)
            && !may_coalesce(clauses)
        {
            wishes.overflow = Some(Overflow::Lag);
        }
        // Most have one clause.
        let asked = clauses.iter().map(|clause| clause.without_calls());
        let asked: SmallVec<[_; 1]> = asked.collect();
        if asked.iter().all(Option::is_none) {
            return (self, None);
        }
        let asked = asked.into_iter().zip(clauses);
        let asked = asked.map(|(asked, own)| asked.unwrap_or_else(|| Arc::clone(own)));
        let asked = Self {
            clauses: Clauses::of(asked.collect()),
            wishes: self.wishes.clone(),
        };
        (asked, Some(self))
    }

    /// Whether a change matches. Runs the users' matchers.
    #[inline]
    pub(super) fn matches(&self, change: &AnyChange) -> bool {
        match self.clauses.any() {
            None => true,
            Some(clauses) => clauses.iter().any(|clause| clause.matches(change)),
        }
    }
}

impl<T: Object> From<TableFilter<T>> for Filter {
    fn from(clause: TableFilter<T>) -> Self {
        Self {
            clauses: Clauses::One(clause.into_clause()),
            wishes: None,
        }
    }
}

/// A clause whose table's types the caller does not know.
pub(super) trait AnyClause: Send + Sync {
    fn table_name(&self) -> &'static str;
    fn position(&self, schema: &Schema) -> Option<u16>;
    /// As [`crate::table::query::Condition`] does.
    fn routes(&self, schema: &Schema, routes: &mut Vec<Route>) -> bool;
    /// What every write that may match is found by, where [`AnyClause::routes`] has nothing: all of
    /// the table, or of those kinds.
    fn broad_routes(&self, schema: &Schema, routes: &mut Vec<Route>) {
        routes.extend(self.position(schema).map(Route::table));
    }
    fn is_exact(&self) -> bool;
    /// Whether changes for it may be made one. One of a single condition asks either image.
    fn coalescing(&self) -> Coalescing {
        Coalescing::Always
    }
    /// The clause as it is before a change is given, if it calls closures of the user's then.
    fn without_calls(&self) -> Option<Arc<dyn AnyClause>> {
        None
    }
    fn may_match(&self, guard: &Guard<'_>, schema: &Schema, write: &Write) -> bool;
    fn matches(&self, change: &AnyChange) -> bool;
}
