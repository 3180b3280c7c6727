//! dashmap: a hash map in locked shards. No snapshots, no transactions: an update holds its key's
//! shard.

use ::dashmap::DashMap;
use foldhash::fast::RandomState;

use super::{Peer, TextKeys, keyed, numbers};
use crate::task::{Task, TextKey, id, text};

struct Dash {
    map: DashMap<TextKey, Task, RandomState>,
    keys: TextKeys,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let map = DashMap::with_hasher(RandomState::default());
    for number in numbers(records) {
        let (key, task) = keyed(number);
        map.insert(key, task);
    }
    let keys = TextKeys::of(records);
    Box::new(Dash { map, keys })
}

impl Peer for Dash {
    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        self.read_each(picks)
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| self.map.get(&self.keys[pick]).map_or(0, |task| task.count);
        Some(picks.iter().map(read).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        for &pick in picks {
            if let Some(mut task) = self.map.get_mut(&self.keys[pick]) {
                task.count += 1;
            }
        }
        Some(1)
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
