//! Reading a version: for a short while, or for as long as you like.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::Arc;

use crate::kernel::reading::{LocalHold, SharedHold};
use crate::shared::Shared;
use crate::table::found::Found;
use crate::table::handle::{Entry, Obj};
use crate::table::object::Object;
use crate::table::query::{Condition, Query};
use crate::table::schema::Reader;
use crate::version::Version;

/// One version of the store, to be read while it lives: for short reads on one thread. While it
/// lives, nothing that the store takes out is freed: to read for long, or around long work, take a
/// [`Snapshot`]. Made by
/// [`Store::read`](crate::Store::read) and [`Store::view`](crate::Store::view).
///
/// What it gives borrows from it:
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
    hold: LocalHold<'s>,
}

/// One version of the store, owned: may be sent, shared, cloned and held for hours, and outlive
/// the store. Made by [`Store::snapshot`](crate::Store::snapshot).
#[derive(Clone)]
pub struct Snapshot(Arc<Held>);

struct Held {
    hold: SharedHold,
    shared: Arc<Shared>,
}

impl<'s> View<'s> {
    pub(crate) fn new(shared: &'s Shared) -> Self {
        Self {
            shared,
            hold: LocalHold::begin_pinned(shared.kernel()),
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

            /// The object with a key, borrowed: no copy, no reference counted. Wait-free, O(1).
            #[inline]
            #[must_use]
            pub fn get<T: Object>(&self, key: &T::Key) -> Option<&T> {
                self.reader().get::<T>(key).map(|stored| stored.object())
            }

            /// The same with the object's meta.
            #[must_use]
            pub fn entry<T: Object>(&self, key: &T::Key) -> Option<Entry<'_, T>> {
                self.reader().entry(key)
            }

            /// An owned share of the object, which may outlive this and the store.
            #[must_use]
            pub fn object<T: Object>(&self, key: &T::Key) -> Option<Obj<T>> {
                let stored = self.reader().get::<T>(key)?;
                Some(Obj::new(stored.handle()))
            }

            /// What a query finds, lazily, in the query's order.
            #[inline]
            pub fn find<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> Found<'_, T, C> {
                Found::new(self.reader(), query)
            }

            /// How many objects a query finds; it walks them.
            pub fn count<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> usize {
                self.find(query).count()
            }

            /// Whether a query finds anything.
            pub fn exists<T: Object, C: Condition<T>>(&self, query: Query<T, C>) -> bool {
                self.first(query).is_some()
            }

            /// The first object that a query finds.
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
