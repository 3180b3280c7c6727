//! Fetching ahead: the cache misses of many keys, waited for together.
//!
//! A look-up of a cold key waits for its word, and then for its record and version. A processor
//! overlaps the look-ups of different keys only as far as its window of some hundred instructions
//! reaches, and a write is longer than that. So who knows which keys come next has them fetched in
//! groups: of all keys of a group the words, then the records and versions, then what these lead
//! to. (Group prefetching: Chen, Ailamaki, Gibbons and Mowry, "Improving Hash Join Performance
//! through Prefetching", ICDE 2004.)

use smallvec::SmallVec;

use super::barrier::{prefetch, prefetch_parts};
use super::key_set::KeySet;
use super::node;
use super::reading::Reading;
use super::record::Record;
use super::table::{KeyBounds, READ_AHEAD, Table, WRITE_AHEAD_MAX};

/// Keys whose misses are waited for together: of each a write asks for about as many lines as a
/// core fetches at once, and a read for fewer.
pub(crate) const GROUP: usize = 16;

/// What the keys are fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A look at their objects, perhaps at one field.
    Read,
    /// Copies of their objects, and what is found by them.
    Write,
}

impl<K: KeyBounds, T: Send + Sync + 'static> Table<K, T> {
    /// Has the processor fetch what the reading's look-ups of these hashes go to, or writes that
    /// begin with them. A hint; wait-free.
    pub(crate) fn prefetch(&self, reading: Reading<'_>, hashes: &[u64], purpose: Purpose) {
        let guard = reading.pin();
        for &hash in hashes {
            self.points.fetch_home(&guard, hash);
        }
        let reach = match purpose {
            Purpose::Read => READ_AHEAD,
            Purpose::Write => node::bytes::<T>().min(WRITE_AHEAD_MAX),
        };
        // The first one with the hash's tag, which is nearly always the key's: none is read yet.
        let records = hashes.iter();
        let records = records.filter_map(|&hash| self.points.get(&guard, hash, reach, |_| true));
        let records: SmallVec<[&Record<K>; GROUP]> = records.inspect(|&it| prefetch(it)).collect();
        if purpose == Purpose::Write {
            let seen = records.iter();
            for stored in seen.filter_map(|record| self.read(reading, record)) {
                KeySet::prefetch(stored.version().keys());
                prefetch_parts(stored.object());
            }
        }
    }
}
