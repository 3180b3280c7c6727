//! Staging: everything that a write needs is put in place, seen by nobody: the record, the
//! version, its index entries. What user code can break off in the middle is undone by dropping.

use smallvec::SmallVec;

pub(crate) mod bulk;
pub(super) mod keys;

pub(super) use self::keys::INDEXES_INLINE;

use super::chain::{LISTED_INLINE, List};
use super::commit::Write;
use super::depth::Depth;
use super::draft::Draft;
use super::key_set::KeySet;
use super::node::{self, VersionHeader};
use super::older::Older;
use super::ordered::Choice;
use super::prepared::Prepared;
use super::reading::{Reading, Stored};
use super::reclaim::{Garbage, Guard, allocate, at, free};
use super::record::{KeyProbe, Putter, Record, RecordHeader};
use super::step::{Step, step};
use super::table::{GarbageBin, KeyBounds, Table, WRITE_AHEAD_MAX};
use super::{Active, Kernel};
use crate::sync::Ordering;
use crate::version::Moment;

/// Chains with more single links below the head than this are compacted when a snapshot holds the
/// horizon back.
const LINKS_MAX: u16 = if cfg!(any(loom, shuttle)) { 2 } else { 4 };
/// The same when nothing holds it back for long: collection will cut soon.
const LINKS_HOT_MAX: u16 = if cfg!(any(loom, shuttle)) { 2 } else { 64 };

/// What a transaction makes of one object.
#[derive(Debug)]
pub(crate) enum Put<T> {
    /// The object, and when it was created.
    Object(Draft<T>, Moment),
    Tombstone,
}

/// Where a key's record was found to show an object at a reading's version.
///
/// As long as any reading at that version stands, the record is not reaped (K4): a live hold at a
/// version keeps the horizon at or below it, for the horizon never falls (H3).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    record: *const RecordHeader,
    /// What was found, which the reading's word keeps (V4).
    found: *const VersionHeader,
    version: u64,
}

/// A record that shows an object at a reading's version, and what it shows: in two registers.
struct Present<'s, T> {
    record: &'s RecordHeader,
    stored: Stored<'s, T>,
}

/// What a write is about to replace, for as long as its reading.
struct Replaced<'s, K> {
    record: &'s Record<K>,
    old: Option<&'s VersionHeader>,
}

/// A record's claim, given back unless it is kept.
struct Claimed<'k> {
    kernel: &'k Kernel,
    record: &'k RecordHeader,
    /// Who the claimer is to the record, should it not stand in the key order yet.
    putter: Putter,
}

impl Claimed<'_> {
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        let mut garbage = GarbageBin::new(self.kernel);
        self.kernel.unclaim(self.record, &mut garbage.0);
    }
}

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    /// The object with a key, and the place where it was found.
    #[inline(always)]
    pub(crate) fn find_place<'s>(
        &self,
        reading: Reading<'s>,
        key: &K,
        hash: u64,
    ) -> Option<(Stored<'s, T>, Place)> {
        let Present { record, stored } = self.find_present(reading, key, hash)?;
        let place = Place {
            record,
            found: stored.version(),
            version: reading.version(),
        };
        Some((stored, place))
    }

    #[inline(never)]
    fn find_present<'s>(&self, reading: Reading<'s>, key: &K, hash: u64) -> Option<Present<'s, T>> {
        let guard = reading.pin();
        // Who writes an object reads all of it.
        let reach = node::bytes::<T>().min(WRITE_AHEAD_MAX);
        let is_it = |record: &Record<K>| record.is_of(hash, key);
        let record = self.points.get(&guard, hash, reach, is_it)?;
        let stored = self.read(reading, record)?;
        // Staging begins with them.
        KeySet::prefetch(stored.version().keys());
        Some(Present {
            // SAFETY: K4: it shows an object at the reading's version.
            record: unsafe { at(&raw const record.header) },
            stored,
        })
    }

    /// Puts everything that a write needs in place: the record, the version, its index entries.
    /// Nothing of it shows before the commit is appended. `place`: where the key was found, if it
    /// was. `Err`: the record has moved on since the snapshot, to the version given.
    pub(crate) fn stage(
        &self,
        prepared: &mut Prepared<'_>,
        reading: Reading<'_>,
        (key, hash): (&K, u64),
        place: Option<Place>,
        put: Put<T>,
        now: Moment,
    ) -> Result<(), u64> {
        let Replaced { record, old } = match place {
            Some(place) => self.at_place(reading, place)?,
            None => self.claim(prepared.kernel(), reading, key, hash)?,
        };
        // From here on dropping undoes.
        prepared.add(Write {
            record: &raw const record.header,
            new: std::ptr::null(),
            old: std::ptr::null(),
            hash,
            table: self.position,
            claimed: place.is_none(),
        });
        self.stage_version(prepared, record, old, put, now);
        Ok(())
    }

    /// What is to be replaced at a place. Not pinned: the record and what was found there stand as
    /// long as the reading, and if anything else is the head now, it need not be looked at to know
    /// that the record has moved on.
    fn at_place<'s>(&self, reading: Reading<'s>, place: Place) -> Result<Replaced<'s, K>, u64> {
        let record = self.record_at(reading, place);
        // Relaxed: only compared with what was found, which the reading's word keeps: no ABA.
        let head = record.header.head.load(Ordering::Relaxed);
        if !std::ptr::eq(head, place.found) {
            return Err(self.newest(reading, record));
        }
        // SAFETY: V4: the reading's word keeps it.
        let old = Some(unsafe { at(place.found) });
        Ok(Replaced { record, old })
    }

    /// The number of a record's newest version.
    #[cold]
    fn newest(&self, reading: Reading<'_>, record: &Record<K>) -> u64 {
        let _guard = reading.pin();
        // Acquire: [head].
        let head = record.header.head.load(Ordering::Acquire);
        // SAFETY: V3, K1: reached under the guard, and never null again.
        unsafe { at(head.cast_const()) }.number()
    }

    /// The record of a key that shows nothing at the reading's version, claimed and put in order.
    fn claim<'s>(
        &self,
        kernel: &Kernel,
        reading: Reading<'s>,
        key: &K,
        hash: u64,
    ) -> Result<Replaced<'s, K>, u64> {
        let mut garbage = GarbageBin::new(kernel);
        let guard = reading.pin();
        let (record, claimed) = self.claim_record(kernel, &guard, &mut garbage.0, key, hash);
        self.order_record(&guard, &mut garbage.0, record, claimed.putter);
        // Acquire: [head].
        let head = record.header.head.load(Ordering::Acquire);
        // SAFETY: V3: reached under the guard.
        let old = (!head.is_null()).then(|| unsafe { at(head.cast_const()) });
        if let Some(old) = old
            && old.number() > reading.version()
        {
            return Err(old.number());
        }
        claimed.keep();
        // SAFETY: K3: claimed: it stays without the pin, which user code must not run under.
        let record = unsafe { at(std::ptr::from_ref(record)) };
        // SAFETY: V4: newest at the reading's version, which its word keeps.
        let old = old.map(|old| unsafe { at(std::ptr::from_ref(old)) });
        Ok(Replaced { record, old })
    }

    /// The record of a place, which stands as long as the reading.
    fn record_at<'s>(&self, reading: Reading<'s>, place: Place) -> &'s Record<K> {
        assert_eq!(
            place.version,
            reading.version(),
            "K4: a place of another reading"
        );
        // SAFETY: K4: it shows an object at the reading's version.
        let record: &RecordHeader = unsafe { at(place.record) };
        assert_eq!(record.table, self.position, "T1: a place in another table");
        // SAFETY: T1, and the header is the record's first field (repr C).
        unsafe { &*std::ptr::from_ref(record).cast::<Record<K>>() }
    }

    /// The one live record of a key, claimed: it stands as long as the claim.
    fn claim_record<'k>(
        &self,
        kernel: &'k Kernel,
        guard: &Guard<'_>,
        garbage: &mut Garbage,
        key: &K,
        hash: u64,
    ) -> (&'k Record<K>, Claimed<'k>) {
        let mut fresh = Fresh(std::ptr::null_mut());
        let inserted = self.points.insert(
            guard,
            garbage,
            hash,
            |record| record.is_of(hash, key),
            |found| {
                if found.is_some_and(|record| record.header.claim()) {
                    return Choice::Keep;
                }
                if fresh.0.is_null() {
                    fresh.0 = allocate(Record::new(self.position, hash, key.clone()));
                }
                Choice::Put(fresh.0)
            },
        );
        let putter = match std::ptr::eq(inserted.node(), fresh.0) {
            true => Putter::Maker,
            false => Putter::Other,
        };
        if putter == Putter::Maker {
            // It stands in the table now.
            fresh.0 = std::ptr::null_mut();
        }
        // SAFETY: K3: claimed.
        let record: &'k Record<K> = unsafe { at(std::ptr::from_ref(inserted.node())) };
        let claimed = Claimed {
            kernel,
            record: &record.header,
            putter,
        };
        self.points.tend(guard, garbage, inserted);
        step(Step::Claimed);
        (record, claimed)
    }

    /// Sees to it that a claimed record stands in the key order: its creator may have stopped
    /// before.
    fn order_record<'g>(
        &self,
        guard: &'g Guard<'_>,
        garbage: &mut Garbage,
        record: &'g Record<K>,
        putter: Putter,
    ) {
        if record.header.is_ordered() {
            return;
        }
        let probe = KeyProbe::at(&record.key);
        let (mut put, mut replaced) = (false, None);
        self.order.insert(guard, garbage, &probe, |found| {
            replaced = found.filter(|found| !std::ptr::eq(*found, record));
            put = found.is_none() || replaced.is_some();
            match put {
                false => Choice::Keep,
                // Nothing, or a dead record with the same key: the hash has one live record a key.
                true => Choice::Put(std::ptr::from_ref(record).cast_mut()),
            }
        });
        if let Some(dead) = replaced
            && dead.header.unlinking.replaced()
        {
            // SAFETY: R1: out of the hash by its killer, out of the order by us, and we are the
            // later.
            unsafe { Record::retire(std::ptr::from_ref(dead).cast_mut(), garbage) };
        }
        record.header.set_ordered(put.then_some(putter));
    }

    /// Puts the version of the write that was added last in place.
    fn stage_version(
        &self,
        prepared: &mut Prepared<'_>,
        record: &Record<K>,
        old: Option<&VersionHeader>,
        put: Put<T>,
        now: Moment,
    ) {
        let (new, created) = match put {
            Put::Tombstone => (node::tombstone(), now),
            Put::Object(draft, created) => {
                // The draft frees it if user code panics here.
                let object = old.filter(|old| !old.is_tombstone());
                // SAFETY: of this table (T1), and it stands as long as the reading.
                let object = object.map(|old| unsafe { Stored::new(old) });
                let keys = self.stage_keys(prepared.kernel(), record, &draft, object);
                let new = draft.into_node();
                // SAFETY: ours alone until the commit is appended.
                unsafe { (*new).set_keys(keys) };
                (new, created)
            }
        };
        prepared.last().new = new;
        // SAFETY: as above.
        unsafe { (*new).set_times(created, now) };
        let Some(old) = old else { return };
        let kernel = prepared.kernel();
        let (older, depth) = self.compact(kernel, old, |it| prepared.shorten(it));
        // SAFETY: as above.
        unsafe { (*new).link(older, depth) };
        if !old.is_tombstone() {
            // The image for the log, with the link that waits for it (V6).
            prepared.last().old = old;
        }
    }

    /// What the new version's `older` is to be: the old head, or, when a snapshot holds the
    /// horizon back and links have piled up, a list of exactly what is needed.
    fn compact(
        &self,
        kernel: &Kernel,
        old: &VersionHeader,
        shorten: impl FnOnce(Compacted),
    ) -> (Older, Depth) {
        let one = Older::One(std::ptr::from_ref(old).cast_mut());
        let depth = old.depth().next();
        let within = |links_max: u16| !depth.exceeds(links_max);
        // The watermark's line, which commits write, is asked for only if it matters.
        if within(LINKS_MAX) || within(LINKS_HOT_MAX) && !kernel.horizon.is_held_back() {
            return (one, depth);
        }
        let active = kernel.scan();
        let guard = kernel.domain.pin();
        match needed(&guard, old, &active) {
            // Looked at again when the chain is longer by far: a walk a write would be quadratic.
            Kept::Whole(links) => (one, Depth::whole(links)),
            Kept::List(versions) => {
                let mut shortened = SmallVec::new();
                for (place, &version) in versions.iter().enumerate() {
                    // SAFETY: V3: reached under the guard, so its link stays till the guard ends.
                    let version = unsafe { at(version.cast_const()) };
                    if place > 0 {
                        // The list's; for the head the list takes over the record's.
                        version.add_link();
                    }
                    if !matches!(version.older(), Older::End) {
                        version.add_link();
                        shortened.push(std::ptr::from_ref(version));
                    }
                }
                let depth = Depth::listed(versions.len());
                let list = List::new(versions);
                let versions = shortened;
                shorten(Compacted { versions, list });
                (Older::List(list), depth)
            }
        }
    }
}

enum Kept {
    /// Nothing can go; the chain is this deep.
    Whole(u32),
    /// What is needed, the head first; at least one version can go.
    List(SmallVec<[*mut VersionHeader; LISTED_INLINE]>),
}

/// Walks a chain and keeps the head and what `active` needs.
fn needed(_: &Guard<'_>, head: &VersionHeader, active: &Active) -> Kept {
    let mut kept = SmallVec::new();
    let (mut superseded_at, mut seen, mut depth) = (u64::MAX, 0, 0u32);
    let mut consider = |version: &VersionHeader| {
        let number = version.number();
        if seen == 0 || active.needs(number, superseded_at) {
            kept.push(std::ptr::from_ref(version).cast_mut());
        }
        seen += 1;
        superseded_at = number;
    };
    let mut version = head;
    loop {
        consider(version);
        match version.older() {
            Older::End => break,
            Older::One(older) => {
                // SAFETY: V3: reached under the caller's guard.
                version = unsafe { at(older) };
                depth = depth.saturating_add(1);
            }
            Older::List(list) => {
                // SAFETY: V3: as above.
                for &listed in unsafe { at(list) }.versions() {
                    // SAFETY: V5: the list's link.
                    consider(unsafe { at(listed) });
                }
                break;
            }
        }
    }
    if kept.len() == seen {
        Kept::Whole(depth)
    } else {
        Kept::List(kept)
    }
}

/// A record that is not linked yet; freed if user code panics before it is.
struct Fresh<K>(*mut Record<K>);

impl<K> Drop for Fresh<K> {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: allocated by us, never linked.
            unsafe { free(self.0) };
        }
    }
}

/// What a write leaves to do that puts a list below its version.
#[derive(Debug)]
pub(crate) struct Compacted {
    /// The versions whose tails are cut off once the list is in place; each with a link for that.
    pub(super) versions: SmallVec<[*const VersionHeader; LISTED_INLINE]>,
    pub(super) list: *mut List,
}

/// Of the writes that shorten their chains, by their places.
pub(crate) type Shortened = SmallVec<[(usize, Compacted); 1]>;
