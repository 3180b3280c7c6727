//! A record: the one place where a key's versions hang, and the word that decides whether it may
//! go.
//!
//! # States
//! ```text
//! state = { sequence: 32 | dead: 1 | claims: 31 }
//! live --claim--> live, claims + 1, sequence + 1 --unclaim--> live
//!      --reap (no claims, nothing to see)--> dead, for ever
//! ```
//!
//! # Invariants
//! - K1: the head only moves to a newer version, never back and never to null; only `install`
//!   moves it.
//! - K2: a dead record is never claimed, linked or written again; its head is a tombstone at or
//!   below the horizon, or null.
//! - K3: who links a record into an index, writes a key that is absent at its snapshot, or owns an
//!   index entry, holds a claim.
//! - K4: a record that is present at a live snapshot's version is not reaped: its tombstone would
//!   be above the horizon.
//!
//! - K5: a record is reaped only when every commit on it has been claimed for cutting: its chain
//!   is cut at a tombstone only by that commit's cutter, or by a sweep that stays below the cut
//!   position. So a cutter that was pinned before its claim may look at the records of its
//!   commits.
//!
//! # Orderings
//! - [ordered]: who says that a record stands in the key order has put it there, or found it there
//!   (Release); who goes on since it is said (Acquire) shows a commit only behind that place.
//!
//! # Why a sequence
//! The reaper reads the state (no claims), looks at the head (an old tombstone), then swings the
//! state to dead. A creator that claims, installs and unclaims in between leaves the claims as
//! they were; the sequence has moved, and the reaper's CAS fails.

use std::cmp::Ordering as Order;

use super::barrier::prefetch;
use super::collect::Work;
use super::key_set::Keys;
use super::node::VersionHeader;
use super::ordered::{Ordered, Probe, Shared};
use super::point::Point;
use super::reclaim::{Garbage, at};
use super::release::Contained;
use crate::sync::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};

const CLAIM: u64 = 1;
const CLAIMS: u64 = (1 << 31) - 1;
const DEAD: u64 = 1 << 31;
const SEQUENCE: u64 = 1 << 32;

/// Of a record's place in the key order, in its [`Unlinking`]: it stands there.
const STANDS: u32 = 1;
/// Another than its maker has put it there.
const PUT: u32 = 2;
/// And another one, to whom an `Ord` that lies did not show it there.
const PUT_AGAIN: u32 = 4;

/// What every record has, whatever its key.
#[derive(Debug)]
pub(crate) struct RecordHeader {
    /// The newest version, installed or null.
    pub(super) head: AtomicPtr<VersionHeader>,
    state: AtomicU64,
    /// A guess of the newest version's key set: nothing is read through it, it is only fetched.
    keys: AtomicPtr<Keys>,
    pub(crate) hash: u64,
    /// Whether who made it has put it in the primary order: a plain store, where others need a
    /// read-modify-write.
    put_by_maker: AtomicBool,
    /// Who has taken the dead record out of the order so far; and what others than its maker say of
    /// its place there.
    pub(super) unlinking: Unlinking,
    /// Whether the record waits for a snapshot to end, to be cut then.
    pub(super) residual: AtomicBool,
    pub(crate) table: u16,
}

/// Of a dead node, its killer and who replaced it in an ordered index: the later of the two
/// retires it.
///
/// A killer that removes the node itself needs no second. One that does not find it must not
/// retire it on its own word: it was replaced, or an `Ord` that lies hides it where a reader may
/// still come by, and then it is never freed, nor what it shows.
///
/// Two bits of a word, whose others are the node's own business.
#[derive(Debug)]
pub(crate) struct Unlinking(pub(super) AtomicU32);

impl Unlinking {
    const KILLED: u32 = 1 << 29;
    const REPLACED: u32 = 1 << 30;

    /// Nobody has yet; the other bits of the word are `rest`.
    pub(super) fn new(rest: u32) -> Self {
        Self(AtomicU32::new(rest))
    }

    /// True: the node has been replaced, and is the killer's to retire.
    #[must_use]
    pub(super) fn killed(&self) -> bool {
        // AcqRel: [unlinking]: the later sees all that the earlier did.
        self.0.fetch_or(Self::KILLED, Ordering::AcqRel) & Self::REPLACED != 0
    }

    /// True: the killer is done, and the node is the replacer's to retire.
    #[must_use]
    pub(super) fn replaced(&self) -> bool {
        // AcqRel: [unlinking].
        self.0.fetch_or(Self::REPLACED, Ordering::AcqRel) & Self::KILLED != 0
    }
}

/// A record of a table with keys `K`. On a line of its own: a lookup compares the key and then goes
/// on from the head.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Record<K> {
    pub(crate) header: RecordHeader,
    pub(crate) key: K,
}

/// Who puts a record in the key order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Putter {
    /// Who made it.
    Maker,
    /// Who found it, with its maker still on the way there.
    Other,
}

/// What giving a claim back leaves to do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unclaimed {
    /// Others hold claims, or the record is in use.
    Kept,
    /// It was the last claim: the record may be fit for reaping.
    Last,
}

impl RecordHeader {
    /// Has the processor fetch what a read of the newest version begins with.
    #[inline]
    pub(super) fn prefetch_head(&self) {
        // Relaxed: only a hint goes there.
        prefetch(self.head.load(Ordering::Relaxed));
    }

    /// Notes which key set the newest version has, for look-ups to come.
    #[inline]
    pub(super) fn forecast_keys(&self, keys: *mut Keys) {
        if cfg!(not(loom)) && !keys.is_null() {
            // Relaxed: a guess.
            self.keys.store(keys, Ordering::Relaxed);
        }
    }

    /// Has the processor fetch the key set that the newest version seems to have: who comes by an
    /// entry asks it, and would only learn of it from the version.
    #[inline]
    pub(super) fn prefetch_keys(&self) {
        if cfg!(not(loom)) {
            // Relaxed: only a hint goes there.
            prefetch(self.keys.load(Ordering::Relaxed));
        }
    }

    /// Claims the record; false when it is dead.
    pub(crate) fn claim(&self) -> bool {
        self.claim_times(1)
    }

    /// Takes so many claims at once; false, and none, when the record is dead.
    pub(super) fn claim_times(&self, count: u32) -> bool {
        let claims = u64::from(count) * CLAIM;
        // Relaxed: the CAS decides.
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            if state & DEAD != 0 {
                return false;
            }
            // Beyond it is the mark of the dead.
            let room = CLAIMS - (state & CLAIMS);
            assert!(claims <= room, "too many claims of one record");
            let claimed = state.wrapping_add(claims + SEQUENCE);
            // Relaxed: a claim publishes nothing: the reaper sees what we do under it as a changed
            // sequence. As a read-modify-write it hands on what those before it released ([claim]).
            // A failure is another thread's success.
            match self
                .state
                .compare_exchange(state, claimed, Ordering::Relaxed, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(found) => state = found,
            }
        }
    }

    /// Whether it is known to stand in the key order.
    #[inline]
    pub(super) fn is_ordered(&self) -> bool {
        // Acquire: [ordered]: set after the insertion.
        self.put_by_maker.load(Ordering::Acquire)
            // Acquire: [ordered]: as above.
            || self.unlinking.0.load(Ordering::Acquire) & STANDS != 0
    }

    /// Says that it stands there, and who has put it there, if the caller has. Under a claim.
    #[inline]
    pub(super) fn set_ordered(&self, put: Option<Putter>) {
        if put == Some(Putter::Maker) {
            // Release: [ordered].
            return self.put_by_maker.store(true, Ordering::Release);
        }
        let said = if put.is_some() { STANDS | PUT } else { STANDS };
        // Release: [ordered].
        let before = self.unlinking.0.fetch_or(said, Ordering::Release);
        if put.is_some() && before & PUT != 0 {
            // Relaxed: who asks does so when all claims are given back ([claim]).
            self.unlinking.0.fetch_or(PUT_AGAIN, Ordering::Relaxed);
        }
    }

    /// Whether it was ever put in order, of a dead record; and whether it was twice.
    pub(super) fn was_ordered(&self) -> (bool, bool) {
        // Relaxed: who puts it in order has a claim (K3), and all claims were given back before the
        // death ([claim]).
        let by_maker = self.put_by_maker.load(Ordering::Relaxed);
        // Relaxed: as above.
        let by_others = self.unlinking.0.load(Ordering::Relaxed);
        let twice = by_others & PUT_AGAIN != 0 || by_maker && by_others & PUT != 0;
        (by_maker || by_others & STANDS != 0, twice)
    }

    /// Whether it is dead, of a record that nobody else has.
    pub(super) fn is_dead(&self) -> bool {
        // Relaxed: nobody else is left.
        self.state.load(Ordering::Relaxed) & DEAD != 0
    }

    /// Gives a claim back.
    #[cfg(loom)]
    pub(crate) fn unclaim(&self) -> Unclaimed {
        self.unclaim_times(1)
    }

    /// Gives so many claims back, one at least.
    pub(super) fn unclaim_times(&self, count: u32) -> Unclaimed {
        let claims = u64::from(count) * CLAIM;
        // AcqRel: [claim]: what we did under the claim is seen by who finds the claims gone.
        let before = self.state.fetch_sub(claims, Ordering::AcqRel);
        assert!(before & CLAIMS >= claims, "K3: a claim given back twice");
        if before & CLAIMS == claims {
            Unclaimed::Last
        } else {
            Unclaimed::Kept
        }
    }

    /// Makes a cut of the chain known to who drops the last claim: of two read-modify-writes of
    /// one word the later sees the earlier.
    pub(super) fn touch(&self) {
        // AcqRel: [claim].
        self.state.fetch_add(SEQUENCE, Ordering::AcqRel);
    }

    /// Makes the record dead if nobody claims it and `nothing_to_see` says so of its head. True:
    /// the caller must unlink and retire it.
    #[must_use]
    pub(super) fn kill(&self, nothing_to_see: impl FnOnce(*mut VersionHeader) -> bool) -> bool {
        // Acquire: [claim].
        let state = self.state.load(Ordering::Acquire);
        if state & (CLAIMS | DEAD) != 0 {
            return false;
        }
        // Acquire: [head], as every reader.
        if !nothing_to_see(self.head.load(Ordering::Acquire)) {
            return false;
        }
        // Relaxed: it finds what the load has acquired: no claim was taken since, or the sequence
        // would differ. Death publishes nothing.
        let dead =
            self.state
                .compare_exchange(state, state | DEAD, Ordering::Relaxed, Ordering::Relaxed);
        dead.is_ok()
    }
}

impl<K> Record<K> {
    /// A record with one claim, its creator's.
    pub(crate) fn new(table: u16, hash: u64, key: K) -> Self {
        let header = RecordHeader {
            head: AtomicPtr::new(std::ptr::null_mut()),
            state: AtomicU64::new(CLAIM),
            keys: AtomicPtr::new(std::ptr::null_mut()),
            hash,
            put_by_maker: AtomicBool::new(false),
            unlinking: Unlinking::new(0),
            residual: AtomicBool::new(false),
            table,
        };
        Self { header, key }
    }

    /// Retires a dead record, and with it what it shows: who still comes by it looks at that.
    ///
    /// # Safety
    /// R1: it is out of the hash and out of the order, by its killer or by who replaced it there,
    /// of whom the caller is the later.
    pub(super) unsafe fn retire(record: *mut Self, garbage: &mut Garbage) {
        // SAFETY: not retired before this function does it.
        let dead = unsafe { at(record.cast_const()) };
        // Relaxed: it stands since before the death (K2), which [unlinking] hands on.
        let tombstone = dead.header.head.load(Ordering::Relaxed);
        if !tombstone.is_null() {
            garbage.defer(tombstone, Work::Link);
        }
        // SAFETY: the caller's promise.
        unsafe { garbage.retire(record) };
    }
}

impl<K: Eq> Record<K> {
    /// Whether it is the record of a key with this hash. Asked by who writes: whatever `Eq` says,
    /// all writes of a record have its hash, by which transactions are validated.
    #[inline]
    pub(super) fn is_of(&self, hash: u64, key: &K) -> bool {
        self.header.hash == hash && self.key == *key
    }
}

impl<K> Point for Record<K> {
    #[inline]
    fn hash(&self) -> u64 {
        self.header.hash
    }

    fn claim(&self) -> bool {
        self.header.claim()
    }

    fn unclaim(&self, garbage: &mut Garbage) {
        // Not given back here but by the collector, which can reap: the claim travels with the
        // garbage.
        let header = std::ptr::from_ref(&self.header).cast_mut();
        garbage.defer(header, Work::Unclaim);
    }

    #[inline]
    fn onward(&self) -> *const () {
        // Relaxed: only fetched ahead.
        self.header.head.load(Ordering::Relaxed).cast_const().cast()
    }
}

impl<K: Ord + Clone + Send + Sync + 'static> Ordered for Record<K> {
    type Separator = Contained<K>;

    #[inline]
    fn hint(&self) -> u64 {
        super::hint::hint(&self.key)
    }

    fn compare(&self, other: &Self) -> Order {
        self.key.cmp(&other.key)
    }

    #[inline]
    fn prefetch(&self) {
        self.header.prefetch_head();
    }

    fn separator(&self) -> Contained<K> {
        Contained::new(self.key.clone())
    }

    fn separator_hint(separator: &Contained<K>, _: Shared) -> u64 {
        super::hint::hint(&**separator)
    }

    fn compare_separator(&self, separator: &Contained<K>) -> Order {
        self.key.cmp(separator)
    }
}

/// A place in the primary order: at, just before or just after a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyProbe<'k, K> {
    key: &'k K,
    /// How the place compares with a record that has the key.
    tie: Order,
}

impl<'k, K> KeyProbe<'k, K> {
    pub(crate) fn at(key: &'k K) -> Self {
        Self {
            key,
            tie: Order::Equal,
        }
    }

    pub(crate) fn before(key: &'k K) -> Self {
        Self {
            key,
            tie: Order::Less,
        }
    }

    pub(crate) fn after(key: &'k K) -> Self {
        Self {
            key,
            tie: Order::Greater,
        }
    }
}

impl<K: Ord + Clone + Send + Sync + 'static> Probe<Record<K>> for KeyProbe<'_, K> {
    fn hint(&self) -> Option<u64> {
        Some(super::hint::hint(self.key))
    }

    fn compare(&self, node: &Record<K>) -> Order {
        self.key.cmp(&node.key).then(self.tie)
    }

    fn compare_separator(&self, separator: &Contained<K>) -> Order {
        self.key.cmp(separator).then(self.tie)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// K2: no number of claims makes a record dead.
    #[test]
    fn claims_that_there_is_no_room_for_are_refused() {
        let record = Record::new(0, 0, ());
        // One is its creator's.
        assert!(record.header.claim_times(CLAIMS as u32 - 2));
        let claim = |count| catch_unwind(AssertUnwindSafe(|| record.header.claim_times(count)));
        assert!(claim(2).is_err());
        assert!(matches!(claim(1), Ok(true)));
        assert!(claim(1).is_err());
        assert!(claim(u32::MAX).is_err());
        let all = record.header.unclaim_times(CLAIMS as u32);
        assert_eq!(all, Unclaimed::Last);
        assert!(record.header.claim(), "it is not dead");
    }
}
