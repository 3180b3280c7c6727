//! What a watcher and those who deliver to it share.

use std::sync::Arc;
use std::time::Duration;

use super::config::WatchConfig;
use super::filter::Filter;
use crate::kernel::Kernel;
use crate::kernel::mailbox::{Bounds, Mailbox, Policy};
use crate::kernel::post::Post;
use crate::kernel::seat::{Seat, Wait};
use crate::sync::{AtomicU32, AtomicU64, Ordering};
use crate::version::Moment;

/// What becomes of a watcher that does not keep up: that has more undelivered than its bounds of
/// events and bytes ([`Filter::events_max`], [`Filter::bytes_max`]).
///
/// ```
/// use skep::{Filter, Object, Overflow, Store};
///
/// #[derive(Clone, Debug, Object)]
/// struct Node {
///     #[object(key)]
///     number: u64,
///     load: u64,
/// }
///
/// let store = Store::builder().table::<Node>().build();
/// // A dashboard that need not see each step, but never less than how it stands.
/// let filter = Filter::of::<Node>().events_max(100).overflow(Overflow::Coalesce);
/// let mut watcher = store.watch(filter);
/// for load in 1..=10_000 {
///     store.update(|tx| tx.upsert(Node { number: load % 10, load }))?;
/// }
/// let own = store.watchers()[0];
/// assert!(own.waiting <= 100 && own.missed == 0);
///
/// let mut loads = [0; 10];
/// while let Some(commit) = watcher.try_recv_commit()? {
///     for change in commit.changes {
///         assert!(change.since() <= commit.version);
///         let node = change.new_object::<Node>().expect("nothing is deleted");
///         loads[node.number as usize] = node.load;
///     }
/// }
/// assert_eq!(loads.iter().sum::<u64>(), (9_991..=10_000).sum());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// What it has not taken goes, and it is told
    /// [`WatchError::Lagged`](crate::WatchError::Lagged); it goes on with what comes after.
    /// [`Watcher::resume`](crate::Watcher::resume) fetches what went, if the log still has it.
    #[default]
    Lag,
    /// Changes of an object that follow one another become one, from what was there before the
    /// first to what is there after the last: see [`AnyChange::since`](crate::AnyChange::since).
    /// What was deleted and what is created under its key later are two objects: what came between
    /// is left out, but the one going and the other coming are told apart. So are two visits of an
    /// object that ceased to meet the filter, was changed, and came back.
    ///
    /// What is given comes in the order of the last commits, and so between two of these need not
    /// be what ever was: an object may come with a name before the one that had it has let it go.
    /// A copy is as the store was once all is received that waited.
    ///
    /// When that does not leave a quarter of its bounds free, since too many objects were changed,
    /// it lags: a bound is to be well above the number of the objects that it is about.
    ///
    /// A change made of several is asked of the filter as a whole. What came to meet its values and
    /// conditions and ceased to meanwhile, is left out like what came and went. A filter with a
    /// clause that could lose the newest state of an object by that is not coalesced at all, and
    /// lags at once. These are
    /// - clauses that ask closures of whole changes
    ///   ([`TableFilter::when`](crate::TableFilter::when));
    /// - those that ask values, conditions or closures of one image alone
    ///   ([`Images::Last`](crate::Images::Last), [`Images::Before`](crate::Images::Before)), or, of
    ///   the one before, nothing but that there was one;
    /// - those that ask for some of the kinds, and for values, conditions or closures as well, or
    ///   are joined by or with another one about the same table.
    ///
    /// All others are coalesced: keys; values, conditions and closures of either image, also joined
    /// by or; some kinds by themselves, or with keys.
    Coalesce,
    /// It is given the commits that lie in its mailbox whole, then
    /// [`WatchError::Overflowed`](crate::WatchError::Overflowed), and nothing more. Where others
    /// commit more than its bound while it is being made, it ends where it begins.
    Close,
}

impl From<Overflow> for Policy {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::Lag => Self::Lag,
            Overflow::Coalesce => Self::Coalesce,
            Overflow::Close => Self::Close,
        }
    }
}

/// What a watcher asks beside which changes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wishes {
    pub(super) events_max: Option<u32>,
    pub(super) bytes_max: Option<u64>,
    pub(super) overflow: Option<Overflow>,
    /// Closed when it has taken nothing for so long.
    pub(super) timeout: Option<Duration>,
    /// How often it is told how far it is, at most.
    pub(super) progress: Option<Duration>,
    /// None: one after the changes of each commit.
    pub(super) markers: Option<Markers>,
}

/// What commits have markers for a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Markers {
    /// None has.
    None,
    /// Also those of which nothing matches.
    Every,
}

impl Wishes {
    pub(super) const NONE: Self = Self {
        events_max: None,
        bytes_max: None,
        overflow: None,
        timeout: None,
        progress: None,
        markers: None,
    };

    /// Whether it wants a mailbox, whatever its filter.
    pub(super) fn are_of_a_mailbox(&self) -> bool {
        self.events_max.is_some()
            || self.bytes_max.is_some()
            || self.overflow.is_some()
            || self.timeout.is_some()
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self {
            events_max: self.events_max.or(other.events_max),
            bytes_max: self.bytes_max.or(other.bytes_max),
            overflow: self.overflow.or(other.overflow),
            timeout: self.timeout.or(other.timeout),
            progress: self.progress.or(other.progress),
            markers: self.markers.max(other.markers),
        }
    }
}

/// A figure that one thread at a time writes, or any raises, and any reads.
#[derive(Debug, Default)]
pub(super) struct Figure(AtomicU64);

impl Figure {
    pub(super) fn get(&self) -> u64 {
        // Relaxed: a figure.
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, value: u64) {
        // Relaxed: a figure.
        self.0.store(value, Ordering::Relaxed);
    }

    /// As [`Figure::set`], unless it is more already: of those who set it late none sets it back.
    pub(super) fn raise(&self, value: u64) {
        // Relaxed: a figure, that who finds a letter finds by what orders the letter: [mail].
        self.0.fetch_max(value, Ordering::Relaxed);
    }

    pub(super) fn add(&self, more: u64) {
        // Relaxed: as above; the watcher alone counts.
        self.set(self.get() + more);
    }

    /// Takes back what was added.
    pub(super) fn take_back(&self, added: u64) {
        self.set(self.get() - added);
    }
}

/// What a watcher and those who deliver to it share.
#[derive(Debug)]
pub(crate) struct Member {
    pub(super) number: u64,
    /// Which shard has it.
    pub(super) shard: u8,
    /// Whether it has a mailbox; else it reads the log by a cursor.
    pub(super) has_mailbox: bool,
    /// Whether its routes say all that can be asked before it is delivered to.
    pub(super) is_exact: bool,
    pub(super) filter: Filter,
    /// The version after which it began, twice, and one; an even number: that is not known yet,
    /// but it was not before this version. Of one without a mailbox: up to where it has fetched;
    /// an even number: what it fetches does not lie in the log.
    begins: Figure,
    pub(super) mailbox: Mailbox<Arc<Post>>,
    pub(super) seat: Seat,
    /// Apart from the seat, where it takes no room.
    pub(super) wait: Wait,
    /// The version up to which it has read.
    pub(super) read: Figure,
    /// Events taken for it, or still to be read of the log before its mailbox, that it has not
    /// been given, when it last looked.
    taken: AtomicU32,
    /// When the oldest of these was written, as a word; 0: that is not known.
    taken_since: Figure,
    /// Events given to who receives.
    pub(super) delivered: Figure,
    /// Commits that lags have passed over.
    pub(super) missed: Figure,
    /// Since when something waits in its mailbox, in milliseconds of the store's: since it was put
    /// where nothing waited, or what was there before it was taken. Raised before either.
    pub(super) waits_since: Figure,
}

impl Member {
    pub(super) fn new(
        (number, shard): (u64, u8),
        (has_mailbox, is_exact): (bool, bool),
        filter: Filter,
    ) -> Self {
        Self {
            number,
            shard,
            has_mailbox,
            is_exact,
            filter,
            begins: Figure::default(),
            mailbox: Mailbox::new(),
            seat: Seat::new(),
            wait: Wait::new(),
            read: Figure::default(),
            taken: AtomicU32::new(0),
            taken_since: Figure::default(),
            delivered: Figure::default(),
            missed: Figure::default(),
            waits_since: Figure::default(),
        }
    }

    /// Says that it does not want what is delivered up to a version, and perhaps more.
    pub(super) fn begin_later_than(&self, version: u64) {
        self.begins.set(version << 1);
    }

    /// Says after which version it wants what is delivered.
    pub(super) fn begin_after(&self, version: u64) {
        self.begins.set(version << 1 | 1);
    }

    /// The same of one that has read nothing, and gives nothing of that version or before.
    pub(super) fn stand_at(&self, version: u64) {
        self.begin_after(version);
        self.read.set(version);
    }

    /// After which version that is, if it is known.
    fn begun(&self) -> Option<u64> {
        let begins = self.begins.get();
        (begins & 1 == 1).then_some(begins >> 1)
    }

    /// Whether it may want what is of a version.
    pub(super) fn may_want(&self, version: u64) -> bool {
        version > self.begins.get() >> 1
    }

    pub(super) fn taken(&self) -> u64 {
        // Relaxed: a figure.
        self.taken.load(Ordering::Relaxed).into()
    }

    /// When the oldest event that was taken for it was written.
    pub(super) fn taken_since(&self) -> Moment {
        Moment::of_word(self.taken_since.get())
    }

    pub(super) fn set_taken(&self, taken: u64, since: Moment) {
        // Relaxed: a figure.
        self.taken
            .store(u32::try_from(taken).unwrap_or(u32::MAX), Ordering::Relaxed);
        self.taken_since.set(since.word());
    }

    /// Up to where it has fetched what lies in the log, without a mailbox.
    pub(super) fn fetched(&self) -> Option<u64> {
        self.begun().filter(|_| !self.has_mailbox)
    }

    pub(super) fn set_fetched(&self, position: Option<u64>) {
        if !self.has_mailbox {
            self.begins
                .set(position.map_or(0, |position| position << 1 | 1));
        }
    }

    /// What its mailbox holds, where a store's watchers have `config` if they ask for nothing else,
    /// and those of its shard have lost all up to a version: no change from before that and one
    /// from after it are made one.
    pub(super) fn bounds(&self, config: &WatchConfig, lost: u64) -> Bounds {
        let wishes = self.filter.wishes();
        Bounds {
            letters: wishes.events_max.unwrap_or(config.events_max).max(1),
            bytes: wishes.bytes_max.unwrap_or(config.bytes_max),
            policy: wishes.overflow.map_or(Policy::Lag, Policy::from),
            after: self.begun().map(|begun| begun.max(lost)),
        }
    }

    /// Its watcher goes, and is off its routes. What waits for it goes with it, unless somebody is
    /// pinned: it may be much, and nobody may commit any more.
    pub(super) fn leave(&self, kernel: &Kernel) {
        self.seat.leave(kernel);
        let has_mail = self.mailbox.has_mail(&kernel.domain.pin());
        if has_mail {
            // What is on the routes no more shares it.
            kernel.free();
        }
    }

    /// Whether several of its changes may be made one.
    pub(super) fn coalesces(&self) -> bool {
        self.filter.wishes().overflow == Some(Overflow::Coalesce)
    }

    /// Whether it ends where its mailbox is full.
    pub(super) fn closes(&self) -> bool {
        self.filter.wishes().overflow == Some(Overflow::Close)
    }

    /// In milliseconds.
    pub(super) fn timeout(&self) -> Option<u64> {
        let timeout = self.filter.wishes().timeout?;
        Some(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
    }
}
