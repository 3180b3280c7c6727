//! What the door gives in a build with `--cfg skep_counted`: std's atomics and fences, of which
//! each use is noted, so that a test can say what an operation costs other threads.
//!
//! Only the calling thread's uses are noted, only while [`record`] runs, in memory of its own: who
//! counts disturbs nobody. The types are as large as std's and lie where they lay, so that what
//! shares a cache line in a normal build shares one here.
//!
//! Not noted: plain memory, which nobody else writes meanwhile; reference counts of `Arc`, which go
//! by no door; and what the allocator does.

use std::cell::RefCell;
use std::panic::Location;
use std::sync::atomic::{self as real, Ordering};

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A load.
    Load,
    /// A plain store: no ordering that stores have here (`Release` at most) costs more on x86-64.
    Store,
    /// An atomic read-modify-write, one that failed to exchange among them.
    Modify,
    /// A full fence.
    Fence,
    /// A fence that is the compiler's alone on x86-64.
    LightFence,
}

/// One use of an atomic, or a fence.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    /// What was done.
    pub kind: Kind,
    /// Where in memory; 0 for a fence.
    pub address: usize,
    /// Where in the sources.
    pub place: &'static Location<'static>,
}

std::thread_local! {
    static NOTES: RefCell<Option<Vec<Access>>> = const { RefCell::new(None) };
}

#[track_caller]
fn note(kind: Kind, address: usize) {
    let place = Location::caller();
    // A thread that is ending notes nothing any more.
    let _ = NOTES.try_with(|notes| {
        if let Some(notes) = notes.borrow_mut().as_mut() {
            notes.push(Access {
                kind,
                address,
                place,
            });
        }
    });
}

/// Runs something, and tells what it did through the door on this thread, in order. O(1) more for
/// each use. An inner recording ends the outer one.
pub fn record<R>(run: impl FnOnce() -> R) -> (R, Vec<Access>) {
    NOTES.set(Some(Vec::new()));
    let answer = run();
    (answer, NOTES.take().unwrap_or_default())
}

/// As [`std::sync::atomic::fence`].
#[track_caller]
pub(crate) fn fence(order: Ordering) {
    // Acquire: the compiler's alone on x86-64; every other fence here is a full one.
    let is_light = order == Ordering::Acquire;
    let kind = if is_light {
        Kind::LightFence
    } else {
        Kind::Fence
    };
    note(kind, 0);
    real::fence(order);
}

macro_rules! atomic {
    ($name:ident $(<$generic:ident>)?, $value:ty) => {
        /// An atomic of std's, whose uses are noted.
        #[repr(transparent)]
        pub(crate) struct $name $(<$generic>)? {
            inner: real::$name $(<$generic>)?,
        }

        #[allow(dead_code, reason = "each kind of atomic is used with some of the operations")]
        impl $(<$generic>)? $name $(<$generic>)? {
            pub(crate) const fn new(value: $value) -> Self {
                Self { inner: real::$name::new(value) }
            }

            #[track_caller]
            fn note(&self, kind: Kind) {
                note(kind, std::ptr::from_ref(self).addr());
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.note(Kind::Load);
                self.inner.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.note(Kind::Store);
                self.inner.store(value, order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.note(Kind::Modify);
                self.inner.swap(value, order)
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.note(Kind::Modify);
                self.inner.compare_exchange(current, new, success, failure)
            }

            pub(crate) fn get_mut(&mut self) -> &mut $value {
                self.inner.get_mut()
            }

            pub(crate) fn into_inner(self) -> $value {
                self.inner.into_inner()
            }
        }

        impl $(<$generic>)? std::fmt::Debug for $name $(<$generic>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.inner.fmt(f)
            }
        }
    };
}

macro_rules! arithmetic {
    ($name:ident, $value:ty, $($operation:ident)*) => {
        #[allow(dead_code, reason = "each kind of atomic is used with some of the operations")]
        impl $name {
            $(
                #[track_caller]
                pub(crate) fn $operation(&self, value: $value, order: Ordering) -> $value {
                    self.note(Kind::Modify);
                    self.inner.$operation(value, order)
                }
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(<$value>::default())
            }
        }
    };
}

atomic!(AtomicU64, u64);
atomic!(AtomicU32, u32);
atomic!(AtomicU8, u8);
atomic!(AtomicBool, bool);
atomic!(AtomicPtr<T>, *mut T);
arithmetic!(AtomicU64, u64, fetch_add fetch_sub fetch_or fetch_and fetch_max);
arithmetic!(AtomicU32, u32, fetch_add fetch_sub fetch_or fetch_and fetch_max);
arithmetic!(AtomicU8, u8, fetch_add fetch_sub fetch_or fetch_and fetch_max);
