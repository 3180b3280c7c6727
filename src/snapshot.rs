//! Reading a version: for a short while, or for as long as you like.

#![forbid(unsafe_code)]

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use crate::kernel::ahead::Purpose;
#[cfg(feature = "save")]
use crate::kernel::node::Words;
use crate::kernel::reading::{PinnedHold, SharedHold};
use crate::shared::Shared;
use crate::table::found::Found;
use crate::table::handle::{Entry, Obj};
use crate::table::object::Object;
use crate::table::query::{Condition, Query};
use crate::table::schema::Reader;
use crate::version::Version;

/// One version of the store, for short reads on one thread. Made by
/// [`Store::read`](crate::Store::read) and [`Store::view`](crate::Store::view).
///
/// While any view lives, nothing that the store replaces, deletes or trims is freed, and memory
/// grows with each commit: to read for long, or around other work, take a [`Snapshot`]. Reads in a
/// view cost less than those of a snapshot, since the view pins what it reads once for all.
///
/// What a view gives borrows from it; this does not compile:
///
/// ```compile_fail,E0505
/// # use skep::{Id, Indexes, Object, Store};
/// # #[derive(Clone)] struct Task { id: Id }
/// # impl Object for Task {
/// #     type Key = Id;
/// #     const TABLE: &'static str = "task";
/// #     fn key(&self) -> Id { self.id }
/// #     fn indexes(_: &mut Indexes<Self>) {}
/// # }
/// let store = Store::builder().table::<Task>().build();
/// let view = store.read();
/// let task = view.get::<Task>(&Id::from_u128(1));
/// drop(view);
/// task.is_some();
/// ```
pub struct View<'s> {
    shared: &'s Shared,
    hold: PinnedHold<'s>,
}

/// One version of the store, owned: it may be sent, shared between threads, cloned, held for hours,
/// and may outlive the store. Made by [`Store::snapshot`](crate::Store::snapshot),
/// [`Store::snapshot_at`](crate::Store::snapshot_at) and
/// [`Store::snapshot_and_watch`](crate::Store::snapshot_and_watch).
///
/// A snapshot keeps, of each object, the version that it shows, and so the memory of what has been
/// replaced or deleted since. A clone shares all of it. What a snapshot gives by reference borrows
/// from it; [`Snapshot::object`] gives an object that may outlive it.
#[derive(Clone)]
pub struct Snapshot(Arc<Held>);

// It shows the same whatever panics.
impl UnwindSafe for Snapshot {}
impl RefUnwindSafe for Snapshot {}

struct Held {
    hold: SharedHold,
    shared: Arc<Shared>,
}

impl<'s> View<'s> {
    pub(crate) fn new(shared: &'s Shared) -> Self {
        Self {
            shared,
            hold: PinnedHold::begin(shared.kernel()),
        }
    }

    #[inline]
    fn reader(&self) -> Reader<'_> {
        Reader {
            schema: &self.shared.schema,
            reading: self.hold.reading(),
        }
    }
}

impl Snapshot {
    pub(crate) fn new(shared: Arc<Shared>, hold: SharedHold) -> Self {
        Self(Arc::new(Held { hold, shared }))
    }

    /// Which versions of their commit the objects know.
    #[cfg(feature = "save")]
    pub(crate) fn words(&self) -> Words {
        self.0.shared.words()
    }

    /// Whether they know the proposer's.
    #[cfg(feature = "save")]
    pub(crate) fn knows_proposed(&self) -> bool {
        self.words() == Words::Proposed
    }

    #[inline]
    fn reader(&self) -> Reader<'_> {
        Reader {
            schema: &self.0.shared.schema,
            reading: self.0.hold.reading(),
        }
    }
}

macro_rules! reads {
    ($kind:ty) => {
        impl $kind {
            /// The version that it shows.
            #[must_use]
            pub fn version(&self) -> Version {
                Version::new(self.reader().reading.version())
            }

            /// The object with a key, borrowed, or `None` if there is none in this version. Copies
            /// nothing and counts no reference. Wait-free, O(1).
            ///
            /// # Panics
            /// If the store has no table of `T`; so do all reads here.
            #[inline]
            #[must_use]
            pub fn get<T: Object>(&self, key: &T::Key) -> Option<&T> {
                self.reader().get::<T>(key).map(|stored| stored.object())
            }

            /// Has the processor fetch what reads of these keys go to, so that their cache misses
            /// are waited for together, where most objects are in no cache. A hint, without any
            /// other effect. Some hundred keys at once, or else the first ones are gone again when
            /// they are read. O(keys); wait-free.
            ///
            /// ```
            /// # use skep::{Id, Indexes, Object, Store};
            /// # #[derive(Clone)] struct Task { id: Id, state: u8 }
            /// # impl Object for Task {
            /// #     type Key = Id;
            /// #     const TABLE: &'static str = "task";
            /// #     fn key(&self) -> Id { self.id }
            /// #     fn indexes(_: &mut Indexes<Self>) {}
            /// # }
            /// # let store = Store::builder().table::<Task>().build();
            /// # let ids: Vec<Id> = (0..1000).map(Id::from_u128).collect();
            /// let view = store.read();
            /// let mut states = Vec::new();
            /// for some in ids.chunks(100) {
            ///     view.prefetch::<Task>(some);
            ///     let tasks = some.iter().filter_map(|id| view.get::<Task>(id));
            ///     states.extend(tasks.map(|task| task.state));
            /// }
            /// ```
            pub fn prefetch<'k, T: Object>(&self, keys: impl IntoIterator<Item = &'k T::Key>) {
                self.reader().prefetch::<T>(keys, Purpose::Read);
            }

            /// The same, with what the store knows of the object: its version and times.
            #[must_use]
            pub fn entry<T: Object>(&self, key: &T::Key) -> Option<Entry<'_, T>> {
                self.reader().entry(key)
            }

            /// The object with a key, owned: a counted reference to the stored object, not a copy.
            /// It may outlive the reader that it comes from, and the store.
            #[must_use]
            pub fn object<T: Object>(&self, key: &T::Key) -> Option<Obj<T>> {
                let stored = self.reader().get::<T>(key)?;
                Some(Obj::new(stored.handle()))
            }

            /// What a query finds, as an iterator, in the query's order. Lazy: it begins in
            /// O(log n), then walks on as far as it is asked, and allocates nothing.
            ///
            /// # Panics
            /// If the store has no table of `T`; and when it begins to walk, if
            /// [`Object::indexes`] does not name the query's index.
            #[inline]
            pub fn find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Found<'_, T, C> {
                Found::new(self.reader(), query)
            }

            /// How many objects a query finds. It walks them all: O(what it finds).
            pub fn count<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> usize {
                self.find(query).count()
            }

            /// Whether a query finds anything; it looks no further than the first object.
            pub fn exists<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> bool {
                self.first(query).is_some()
            }

            /// The first object that a query finds, in the query's order.
            pub fn first<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Option<&T> {
                self.find(query.limit(1)).next()
            }
        }

        impl fmt::Debug for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($kind))
                    .field("version", &self.version())
                    .finish_non_exhaustive()
            }
        }
    };
}

reads!(View<'_>);
reads!(Snapshot);
