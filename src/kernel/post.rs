//! A change as watchers are given it: made once, for whoever asks first, and shared by all.
//!
//! # Invariants
//! - A1: a place is empty, then it has a share of one thing, for good, until it is dropped.
//!
//! # Orderings
//! - [place]: the CAS that fills a place (Release), the loads that find it full (Acquire): whole.

use std::marker::PhantomData;
use std::mem::ManuallyDrop;

use super::Kernel;
use super::commit::{Commit, Write};
use super::reading::AnyHandle;
use super::reclaim::Guard;
use super::release::contain;
use super::table::AnyTable;
use crate::sync::{Arc, AtomicPtr, AtomicU64, Ordering};
use crate::version::{Moment, Version};

/// A change of an object: owned shares of what was before and what is after it.
#[derive(Debug)]
pub(crate) struct Post {
    /// The table's name.
    pub(crate) table: &'static str,
    /// The first commit that it covers.
    pub(crate) since: Version,
    /// When that was written.
    pub(crate) since_at: Moment,
    /// The commit that made it; of several, the last.
    pub(crate) version: Version,
    pub(crate) old: Option<AnyHandle>,
    pub(crate) new: Option<AnyHandle>,
    /// How much memory it keeps.
    bytes: AtomicU64,
    /// How much of that is what is after it, or [`UNMEASURED`].
    new_bytes: AtomicU64,
}

/// Nobody has asked what the objects point to.
const UNMEASURED: u64 = u64::MAX;

/// Bytes of a version that is kept.
fn size(image: Option<&AnyHandle>) -> u64 {
    image.map_or(0, |image| image.size() as u64)
}

impl Post {
    /// Of a write of a commit, that is pinned.
    fn of(guard: &Guard<'_>, kernel: &Kernel, commit: &Commit, write: &Write) -> Arc<Self> {
        let table = kernel.table(usize::from(write.table));
        let version = Version::new(commit.number());
        let (old, new) = table.images(guard, write);
        Arc::new(Self {
            table: table.name(),
            since: version,
            since_at: write.written_at(guard),
            version,
            bytes: AtomicU64::new(Self::OWN_BYTES + size(old.as_ref()) + size(new.as_ref())),
            new_bytes: AtomicU64::new(UNMEASURED),
            old,
            new,
        })
    }

    /// Finds out how much it keeps with what its images point to, unless that is known. Asks the
    /// user's code, whose panic is contained.
    #[cold]
    pub(crate) fn measure(&self, table: &dyn AnyTable) {
        // Relaxed: a figure: two who ask at once are told the same.
        if self.new_bytes.load(Ordering::Relaxed) != UNMEASURED {
            return;
        }
        let with = |image: &Option<AnyHandle>| {
            let image = image.as_ref();
            image.map_or(0, |image| table.bytes_with(image))
        };
        let (old, new) = (with(&self.old), with(&self.new));
        let bytes = Self::OWN_BYTES.saturating_add(old).saturating_add(new);
        // Relaxed: as above.
        self.bytes.store(bytes, Ordering::Relaxed);
        // Relaxed: as above.
        self.new_bytes.store(new, Ordering::Relaxed);
    }

    /// How much memory it keeps: once it is measured, with all that its images point to.
    pub(crate) fn bytes(&self) -> u64 {
        // Relaxed: a figure.
        self.bytes.load(Ordering::Relaxed)
    }

    fn new_bytes(&self) -> u64 {
        // Relaxed: a figure.
        match self.new_bytes.load(Ordering::Relaxed) {
            UNMEASURED => size(self.new.as_ref()),
            measured => measured,
        }
    }

    /// Bytes of it without its images, with its two counts.
    const OWN_BYTES: u64 = (size_of::<Self>() + 2 * size_of::<usize>()) as u64;

    /// Of images that lie in no log any more; `None`: of none.
    pub(crate) fn of_images(
        table: &'static str,
        version: Version,
        (old, new): (Option<AnyHandle>, Option<AnyHandle>),
    ) -> Option<Arc<Self>> {
        let written_at = new.as_ref().or(old.as_ref())?.meta().updated_at;
        let since_at = written_at.into();
        Some(Arc::new(Self {
            table,
            since: version,
            since_at,
            version,
            old,
            new,
            // It goes through no mailbox, which alone asks.
            bytes: AtomicU64::new(0),
            new_bytes: AtomicU64::new(0),
        }))
    }

    /// This change and one that comes right after it of the same object; `None`: the object was not
    /// there before, and is not after it.
    pub(crate) fn then(&self, next: &Self) -> Option<Arc<Self>> {
        let (old, new) = (self.old.clone(), next.new.clone());
        let before = self.bytes().saturating_sub(self.new_bytes());
        let bytes = before.saturating_add(next.new_bytes());
        (old.is_some() || new.is_some()).then(|| {
            Arc::new(Self {
                table: self.table,
                since: self.since,
                since_at: self.since_at,
                version: next.version,
                old,
                new,
                bytes: AtomicU64::new(bytes),
                new_bytes: AtomicU64::new(next.new_bytes()),
            })
        })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        // The objects' Drop is the user's: where one panics the other goes all the same, and so
        // does what whoever drops us has beside us.
        for image in [self.old.take(), self.new.take()] {
            contain(|| drop(image));
        }
    }
}

/// A place's share, which is not given away: to have one is to clone it.
#[derive(Debug)]
pub(crate) struct Kept<'p, T> {
    share: ManuallyDrop<Arc<T>>,
    place: PhantomData<&'p T>,
}

impl<T> std::ops::Deref for Kept<'_, T> {
    type Target = Arc<T>;

    #[inline]
    fn deref(&self) -> &Arc<T> {
        &self.share
    }
}

/// A place for something that is made once, by whoever needs it first.
#[derive(Debug)]
pub(crate) struct Place<T>(AtomicPtr<T>);

impl<T> Place<T> {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()))
    }

    /// What is in the place; if it is empty, what `make` makes is put there first. Lock-free: of
    /// two who make at once, one has made for nothing.
    #[inline]
    pub(crate) fn get_or_put(&self, make: impl FnOnce() -> Arc<T>) -> &T {
        // SAFETY: A1.
        unsafe { &*self.pointer_or_put(make) }
    }

    /// As [`Place::get_or_put`]; the place's own share.
    #[inline]
    pub(crate) fn share_or_put(&self, make: impl FnOnce() -> Arc<T>) -> Kept<'_, T> {
        // SAFETY: A1: from `into_raw`, and the place's share stands as long.
        let share = unsafe { Arc::from_raw(self.pointer_or_put(make)) };
        Kept {
            share: ManuallyDrop::new(share),
            place: PhantomData,
        }
    }

    /// The pointer of `into_raw`, which leads to the counts as well: a reference to what is shared
    /// would not.
    #[inline]
    fn pointer_or_put(&self, make: impl FnOnce() -> Arc<T>) -> *const T {
        // Acquire: [place].
        let found = self.0.load(Ordering::Acquire);
        if found.is_null() {
            self.put(make())
        } else {
            found
        }
    }

    #[cold]
    fn put(&self, made: Arc<T>) -> *const T {
        let made = Arc::into_raw(made).cast_mut();
        // AcqRel: [place], either way.
        let put = self.0.compare_exchange(
            std::ptr::null_mut(),
            made,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match put {
            Ok(_) => made,
            Err(found) => {
                // SAFETY: never published: ours alone.
                drop(unsafe { Arc::from_raw(made.cast_const()) });
                found
            }
        }
    }
}

impl<T> Drop for Place<T> {
    fn drop(&mut self) {
        // Relaxed: nobody else is left.
        let own = self.0.load(Ordering::Relaxed);
        if !own.is_null() {
            // SAFETY: A1: the place's share, and its last use.
            drop(unsafe { Arc::from_raw(own.cast_const()) });
        }
    }
}

/// The changes of a commit's writes: nothing until somebody asks for one.
#[derive(Debug)]
pub(super) struct Posts {
    first: Place<Post>,
    others: Place<Vec<Place<Post>>>,
}

impl Posts {
    pub(super) fn new() -> Self {
        Self {
            first: Place::new(),
            others: Place::new(),
        }
    }
}

impl Commit {
    /// The change that its write `at` makes; the commit is pinned.
    #[inline]
    pub(crate) fn post(&self, guard: &Guard<'_>, kernel: &Kernel, at: usize) -> Kept<'_, Post> {
        let posts = self.posts();
        let place = match at.checked_sub(1) {
            None => &posts.first,
            Some(other) => {
                let places = || (1..self.writes().len()).map(|_| Place::new()).collect();
                &posts.others.get_or_put(|| Arc::new(places()))[other]
            }
        };
        place.share_or_put(|| Post::of(guard, kernel, self, &self.writes()[at]))
    }
}
