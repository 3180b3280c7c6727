//! The one door to atomics, fences and threads.
//!
//! Everything else in the crate names `crate::sync`, never `std::sync::atomic`, `loom` or
//! `shuttle`: a normal build passes std's types through, a build with `--cfg loom` gets loom's,
//! each with a *turn*, and one with `--cfg shuttle` shuttle's, which switch threads at each access.
//!
//! # Turns
//! loom remembers one access an atomic, the last one. A thread that loads an atomic and then stores
//! to it hides the other threads' loads from its store, and loom never tries the other order. So
//! under loom every atomic carries a shadow atomic, its turn, to which each operation first stores
//! with `Relaxed`. Those stores race with one another, loom explores their orders, and being
//! relaxed they synchronize nothing.

#![forbid(unsafe_code)]

pub(crate) use self::door::*;

#[cfg(all(skep_counted, not(loom)))]
#[path = "sync/counted.rs"]
pub mod counted;

/// A value alone on its cache lines (128 bytes: two lines, since neighbouring lines are fetched in
/// pairs), so that writing it slows no reader of what lies beside it.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A number that no other call of the process got; never 0. Not modelled under loom: only its being
/// unique matters.
#[cfg(not(shuttle))]
pub(crate) fn unique() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    // Relaxed: it orders nothing.
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

/// How many threads the system runs at a time, about; 1 if it does not say. It may take tens of
/// microseconds.
pub(crate) fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// A number that one thread at a time writes and that decides nothing between threads: also under
/// loom the plain one, so that models do not grow by what they cannot tell.
#[cfg(any(not(skep_counted), loom))]
pub(crate) use std::sync::atomic::AtomicU64 as Tally;

/// A number that says only what is worth fetching ahead: the plain one as well.
#[cfg(any(not(skep_counted), loom))]
pub(crate) use std::sync::atomic::AtomicU32 as Guess;

/// A pointer that stands, and above its address a number that decides nothing between threads: the
/// plain one, too.
#[cfg(any(not(skep_counted), loom))]
pub(crate) use std::sync::atomic::AtomicPtr as Standing;

/// The same, counted.
#[cfg(all(skep_counted, not(loom)))]
pub(crate) use self::counted::{AtomicPtr as Standing, AtomicU32 as Guess, AtomicU64 as Tally};

#[cfg(not(any(loom, shuttle)))]
mod door {
    #[cfg(skep_counted)]
    pub(crate) use crate::sync::counted::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, fence,
    };
    pub(crate) use std::sync::Arc;
    pub(crate) use std::sync::atomic::Ordering;
    #[cfg(not(skep_counted))]
    pub(crate) use std::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, fence,
    };
    pub(crate) use std::thread;

    /// A thread's own static, made without a check on each use.
    macro_rules! local {
        ($name:ident: $kind:ty = $value:expr) => {
            std::thread_local! { static $name: $kind = const { $value }; }
        };
    }
    pub(crate) use local;

    /// One pause of a bounded wait.
    #[inline]
    pub(crate) fn pause() {
        std::hint::spin_loop();
    }
}

#[cfg(loom)]
mod door {
    pub(crate) use loom::sync::atomic::{Ordering, fence};
    pub(crate) use loom::thread;

    /// A thread's own static, one a thread of the model.
    macro_rules! local {
        ($name:ident: $kind:ty = $value:expr) => {
            loom::thread_local! { static $name: $kind = $value; }
        };
    }
    pub(crate) use local;

    // Lifetimes only: no protocol of ours synchronizes through a reference count of Arc's.
    pub(crate) use std::sync::Arc;

    /// One pause of a bounded wait: under loom, another thread's turn.
    pub(crate) fn pause() {
        loom::thread::yield_now();
    }

    /// What stands for plain memory: loom fails when a write of it and another access are not
    /// ordered.
    #[derive(Debug)]
    pub(crate) struct Witness(loom::cell::UnsafeCell<()>);

    impl Witness {
        /// Written by its maker.
        pub(crate) fn new() -> Self {
            Self(loom::cell::UnsafeCell::new(()))
        }

        pub(crate) fn read(&self) {
            self.0.with(|_| ());
        }

        pub(crate) fn write(&self) {
            self.0.with_mut(|_| ());
        }
    }

    /// The shadow of an atomic; see the module's documentation.
    #[derive(Debug, Default)]
    struct Turn(loom::sync::atomic::AtomicU8);

    impl Turn {
        fn take(&self) {
            // Relaxed: it races on purpose and must synchronize nothing.
            self.0.store(0, Ordering::Relaxed);
        }
    }

    macro_rules! atomic {
        ($name:ident $(<$generic:ident>)?, $inner:ty, $value:ty) => {
            /// An atomic of loom's with its turn.
            pub(crate) struct $name $(<$generic>)? {
                inner: $inner,
                turn: Turn,
            }

            #[allow(dead_code, reason = "each kind of atomic is used with some of the operations")]
            impl $(<$generic>)? $name $(<$generic>)? {
                pub(crate) fn new(value: $value) -> Self {
                    Self { inner: <$inner>::new(value), turn: Turn::default() }
                }

                pub(crate) fn load(&self, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.load(order)
                }

                pub(crate) fn store(&self, value: $value, order: Ordering) {
                    self.turn.take();
                    self.inner.store(value, order);
                }

                pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.swap(value, order)
                }

                pub(crate) fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.turn.take();
                    self.inner.compare_exchange(current, new, success, failure)
                }
            }

            impl $(<$generic>)? std::fmt::Debug for $name $(<$generic>)? {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(stringify!($name))
                }
            }
        };
    }

    macro_rules! arithmetic {
        ($name:ident, $value:ty) => {
            #[allow(
                dead_code,
                reason = "each kind of atomic is used with some of the operations"
            )]
            impl $name {
                pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.fetch_add(value, order)
                }

                pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.fetch_sub(value, order)
                }

                pub(crate) fn fetch_or(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.fetch_or(value, order)
                }

                pub(crate) fn fetch_and(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.fetch_and(value, order)
                }

                pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                    self.turn.take();
                    self.inner.fetch_max(value, order)
                }
            }
        };
    }

    atomic!(AtomicU64, loom::sync::atomic::AtomicU64, u64);
    atomic!(AtomicU32, loom::sync::atomic::AtomicU32, u32);
    atomic!(AtomicU8, loom::sync::atomic::AtomicU8, u8);
    atomic!(AtomicBool, loom::sync::atomic::AtomicBool, bool);
    atomic!(AtomicPtr<T>, loom::sync::atomic::AtomicPtr<T>, *mut T);
    arithmetic!(AtomicU64, u64);
    arithmetic!(AtomicU32, u32);
    arithmetic!(AtomicU8, u8);
}

#[cfg(shuttle)]
pub(crate) use self::door::unique;

#[cfg(shuttle)]
mod door {
    pub(crate) use shuttle::sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, fence,
    };
    pub(crate) use shuttle::thread;

    // Its counts are not what scenarios are about: no protocol of ours synchronizes through them.
    pub(crate) use std::sync::Arc;

    /// A thread's own static, one a thread of the scenario, dropped when that ends.
    macro_rules! local {
        ($name:ident: $kind:ty = $value:expr) => {
            shuttle::thread_local! { static $name: $kind = $value; }
        };
    }
    pub(crate) use local;

    /// One pause of a bounded wait: another thread's turn.
    pub(crate) fn pause() {
        thread::yield_now();
    }

    /// A number that no other call of the execution got; never 0. Counted for each execution, so
    /// that running a schedule again gives the same.
    pub(crate) fn unique() -> u64 {
        shuttle::lazy_static! {
            static ref NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        }
        // Relaxed: it orders nothing.
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
}
