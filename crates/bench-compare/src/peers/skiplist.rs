//! crossbeam-skiplist: an ordered map without locks. No snapshots, no transactions, and no update
//! of a value in place. Each of its calls pins the epoch; where others read many times in one
//! snapshot, one pin around the calls makes theirs cheap.

use crossbeam_skiplist::SkipMap;

use super::{Peer, Scanned, TextKeys, keyed, numbers};
use crate::task::{Task, TextKey, id, text};

struct Skiplist {
    map: SkipMap<TextKey, Task>,
    keys: TextKeys,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let map = SkipMap::new();
    for number in numbers(records) {
        let (key, task) = keyed(number);
        map.insert(key, task);
    }
    let keys = TextKeys::of(records);
    Box::new(Skiplist { map, keys })
}

impl Peer for Skiplist {
    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let _pinned = crossbeam_epoch::pin();
        self.read_each(picks)
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let entries = picks
            .iter()
            .filter_map(|&pick| self.map.get(&self.keys[pick]));
        Some(entries.map(|entry| entry.value().count).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let _pinned = crossbeam_epoch::pin();
        let entries = self.map.iter();
        Some(entries.map(|entry| entry.value().count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let _pinned = crossbeam_epoch::pin();
        let scan = |&pick: &u32| {
            let from = self.map.range(self.keys[pick]..).take(count);
            from.map(|entry| entry.value().count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }

    fn insert(&self, number: u64) -> Option<()> {
        let (key, task) = keyed(number);
        self.map.insert(key, task);
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        self.map.remove(&text(id(number))).map(|_| ())
    }
}
