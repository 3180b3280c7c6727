//! Reading at a version: the holds that keep it, and what is found there.

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Kernel;
#[cfg(feature = "save")]
use super::barrier::{prefetch_lines, prefetch_parts};
use super::draft::Draft;
use super::entry::EntryHeader;
use super::horizon::{Ending, Hold, Horizon, Kind};
use super::node::{self, VersionHeader, Words, release_hold};
use super::reclaim::Guard;
use super::session::Line;
use crate::version::{Meta, Moment};

/// How a reading pins its thread.
#[derive(Clone, Copy, Debug)]
enum Pin<'s> {
    /// It cannot leave the thread, whose pin its holder keeps for as long as it is lent.
    Held,
    /// It cannot leave the thread of this line.
    On(&'s Line),
    /// By whoever reads.
    Anywhere,
}

/// The right to read at one version, borrowed from who holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading<'s> {
    pub(super) kernel: &'s Kernel,
    pin: Pin<'s>,
    version: u64,
    /// With a line in it, it must stay on its thread.
    stays: PhantomData<*const ()>,
}

impl<'s> Reading<'s> {
    #[inline]
    pub(crate) fn version(self) -> u64 {
        self.version
    }

    #[inline]
    pub(crate) fn pin(self) -> Guard<'s> {
        match self.pin {
            // R4: a `PinnedHold` keeps its pin while it lends readings.
            Pin::Held => Guard::held(),
            Pin::On(line) => self.kernel.domain.pin_on(line),
            Pin::Anywhere => self.pin_here(),
        }
    }

    /// Out of the way of readings that are pinned.
    #[inline(never)]
    fn pin_here(self) -> Guard<'s> {
        self.kernel.domain.pin()
    }
}

/// The newest version, for short reads of this thread, which is pinned meanwhile: they are loads
/// only.
#[derive(Debug)]
pub(crate) struct PinnedHold<'k> {
    kernel: &'k Kernel,
    version: u64,
    /// Before the word: once that is free, another thread may take the line.
    _pin: Guard<'k>,
    /// Where another hold's pin keeps what that one reads.
    _word: Option<Ending>,
    stays: PhantomData<*const ()>,
}

impl<'k> PinnedHold<'k> {
    #[inline]
    pub(crate) fn begin(kernel: &'k Kernel) -> Self {
        let line = kernel.domain.registry().line();
        let (pin, version, word) = match kernel.horizon.begin_pinned(&kernel.domain, line) {
            Some((pin, version)) => (pin, version, None),
            None => {
                let (pin, hold) = kernel.begin_beside(line);
                (pin, hold.version, Some(Ending(hold)))
            }
        };
        Self {
            kernel,
            version,
            _pin: pin,
            _word: word,
            stays: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading {
            kernel: self.kernel,
            pin: Pin::Held,
            version: self.version,
            stays: PhantomData,
        }
    }
}

/// A version held for this thread, as long as it borrows the kernel.
#[derive(Debug)]
pub(crate) struct LocalHold<'k> {
    kernel: &'k Kernel,
    line: &'k Line,
    hold: Hold,
    stays: PhantomData<*const ()>,
}

impl<'k> LocalHold<'k> {
    #[inline]
    pub(crate) fn begin(kernel: &'k Kernel, kind: Kind) -> Self {
        let line = kernel.domain.registry().line();
        // The line of its own word, which nobody else can take while the word stands (L2).
        let (line, hold) = match kernel.horizon.begin(line, kind) {
            Some(hold) => (line, hold),
            None => kernel.begin_elsewhere(kind),
        };
        Self {
            kernel,
            line,
            hold,
            stays: PhantomData,
        }
    }

    /// Notes that a transaction has begun now, for who asks how long it has been open.
    #[cold]
    pub(crate) fn note_begin(&self) {
        Horizon::note_begin(self.line, &self.hold);
    }

    /// The line of the word, which is this thread's as long as the word stands (L2).
    #[inline]
    pub(crate) fn line(&self) -> &'k Line {
        self.line
    }

    #[inline]
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading {
            kernel: self.kernel,
            pin: Pin::On(self.line),
            version: self.hold.version,
            stays: PhantomData,
        }
    }
}

impl Drop for LocalHold<'_> {
    #[inline]
    fn drop(&mut self) {
        Horizon::end(self.hold);
    }
}

/// A version held for any thread, with the kernel.
#[derive(Debug)]
pub(crate) struct SharedHold {
    kernel: Arc<Kernel>,
    hold: Hold,
}

impl SharedHold {
    pub(crate) fn begin(kernel: &Arc<Kernel>, kind: Kind) -> Self {
        let line = kernel.domain.registry().line();
        let hold = kernel.horizon.begin(line, kind);
        Self {
            kernel: Arc::clone(kernel),
            hold: hold.unwrap_or_else(|| kernel.begin_elsewhere(kind).1),
        }
    }

    /// At an older version; `Err`: the oldest that there is.
    pub(crate) fn begin_at(kernel: &Arc<Kernel>, version: u64) -> Result<Self, u64> {
        let line = kernel.domain.registry().line();
        let begun = match kernel.horizon.begin_at(line, version) {
            Some(begun) => begun,
            None => {
                let spare = kernel.with_spare_line(|line| kernel.horizon.begin_at(line, version));
                spare.1
            }
        };
        Ok(Self {
            kernel: Arc::clone(kernel),
            hold: begun?,
        })
    }

    #[inline]
    pub(crate) fn reading(&self) -> Reading<'_> {
        Reading {
            kernel: &self.kernel,
            pin: Pin::Anywhere,
            version: self.hold.version,
            stays: PhantomData,
        }
    }
}

impl Drop for SharedHold {
    fn drop(&mut self) {
        Horizon::end(self.hold);
    }
}

/// An object as a reading found it.
#[derive(Debug)]
pub(crate) struct Stored<'s, T> {
    version: &'s VersionHeader,
    object: PhantomData<&'s T>,
}

impl<T> Clone for Stored<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Stored<'_, T> {}

impl<'s, T> Stored<'s, T> {
    /// # Safety
    /// The version is a `VersionNode<T>`'s, no tombstone, and valid for `'s`.
    #[inline]
    pub(super) unsafe fn new(version: &'s VersionHeader) -> Self {
        Self {
            version,
            object: PhantomData,
        }
    }

    pub(super) fn version(self) -> &'s VersionHeader {
        self.version
    }

    #[inline]
    pub(crate) fn object(self) -> &'s T {
        // SAFETY: the promise made to `new`.
        unsafe { node::object(self.version) }
    }

    /// The index entries that it is found by.
    pub(super) fn entries(self) -> impl Iterator<Item = &'s EntryHeader> {
        // SAFETY: E4: the version stands in its chain for 's, and with it its key set.
        unsafe { self.version.entries() }
    }

    /// Has the processor fetch all of the object, but for what lies elsewhere
    /// ([`Stored::prefetch_parts`]): for who is about to read all of it. A hint.
    #[cfg(feature = "save")]
    pub(crate) fn prefetch(self) {
        prefetch_lines(
            std::ptr::from_ref(self.version).cast::<u8>(),
            node::bytes::<T>(),
        );
    }

    /// Has the processor fetch what lies elsewhere, once the object is there. A hint.
    #[cfg(feature = "save")]
    pub(crate) fn prefetch_parts(self) {
        prefetch_parts(self.object());
    }

    pub(crate) fn number(self) -> u64 {
        self.version.number()
    }

    pub(crate) fn meta(self) -> Meta {
        self.version.meta()
    }

    pub(crate) fn created(self) -> Moment {
        self.version.created()
    }

    pub(crate) fn handle(self) -> Handle<T> {
        self.version.add_hold();
        Handle {
            version: self.version,
            object: PhantomData,
        }
    }
}

/// An owned share of a version: keeps the object, not the snapshot, nor the store.
#[derive(Debug)]
pub(crate) struct Handle<T> {
    version: *const VersionHeader,
    object: PhantomData<T>,
}

// SAFETY: a handle gives `&T`, and may be the last to drop the T.
unsafe impl<T: Send + Sync> Send for Handle<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Handle<T> {}

impl<T> Handle<T> {
    /// # Safety
    /// The version is valid, no tombstone, and its object is a `T`, which does not change any more.
    #[cfg(feature = "save")]
    pub(super) unsafe fn of(version: *const VersionHeader) -> Self {
        // SAFETY: the caller's promise.
        unsafe { super::reclaim::at(version) }.add_hold();
        Self {
            version,
            object: PhantomData,
        }
    }

    #[inline]
    fn header(&self) -> &VersionHeader {
        // SAFETY: V5: our hold keeps it.
        unsafe { super::reclaim::at(self.version) }
    }

    #[inline]
    pub(crate) fn object(&self) -> &T {
        // SAFETY: a handle is made from a Stored<T>, or with the same promise.
        unsafe { node::object(self.header()) }
    }

    pub(crate) fn meta(&self) -> Meta {
        self.header().meta()
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        self.header().add_hold();
        Self {
            version: self.version,
            object: PhantomData,
        }
    }
}

impl<T> Drop for Handle<T> {
    fn drop(&mut self) {
        // SAFETY: the hold is ours.
        unsafe { release_hold(self.version) };
    }
}

/// A handle whose type is known at run time only.
#[derive(Debug)]
pub(crate) struct AnyHandle {
    handle: Handle<()>,
    object: TypeId,
}

impl AnyHandle {
    /// # Safety
    /// The version is valid, no tombstone, and its object is of the type.
    pub(super) unsafe fn new(version: *const VersionHeader, object: TypeId) -> Self {
        // SAFETY: the caller's promise.
        unsafe { super::reclaim::at(version) }.add_hold();
        let handle = Handle {
            version,
            object: PhantomData,
        };
        Self { handle, object }
    }

    /// Of an object that is in no store. Its version is 0.
    pub(crate) fn apart<T: Send + Sync + 'static>(
        object: T,
        created: Moment,
        updated: Moment,
    ) -> Self {
        let handle = Handle {
            version: Draft::new(Words::Number, || object).into_version(created, updated),
            object: PhantomData,
        };
        let object = TypeId::of::<T>();
        Self { handle, object }
    }

    /// Whether the object is a `T`.
    pub(crate) fn is<T: 'static>(&self) -> bool {
        self.object == TypeId::of::<T>()
    }

    pub(crate) fn object<T: 'static>(&self) -> Option<&T> {
        // SAFETY: the type was given to `new` for this version.
        self.is::<T>()
            .then(|| unsafe { node::object(self.handle.header()) })
    }

    pub(crate) fn typed<T: 'static>(&self) -> Option<Handle<T>> {
        self.is::<T>().then(|| {
            self.handle.header().add_hold();
            Handle {
                version: self.handle.version,
                object: PhantomData,
            }
        })
    }

    /// Tells the version from every other one that is alive.
    pub(crate) fn address(&self) -> usize {
        self.handle.version.addr()
    }

    pub(crate) fn meta(&self) -> Meta {
        self.handle.meta()
    }

    /// Bytes of the version, without what the object points to.
    pub(super) fn size(&self) -> usize {
        self.handle.header().size()
    }
}

impl Clone for AnyHandle {
    fn clone(&self) -> Self {
        Self {
            handle: self.handle.clone(),
            object: self.object,
        }
    }
}
