//! dashmap: a hash map in locked shards. No snapshots, no transactions: an update holds its key's
//! shard.

use ::dashmap::DashMap;
use foldhash::fast::RandomState;

use super::{Key, Keys, Peer, key, keyed, numbers};
use crate::task::Task;

struct Dash<K: Key> {
    map: DashMap<K, Task, RandomState>,
    keys: Keys<K>,
}

pub(super) fn load<K: Key>(records: u32) -> Box<dyn Peer> {
    let map = DashMap::with_hasher(RandomState::default());
    for number in numbers(records) {
        let (key, task) = keyed::<K>(number);
        map.insert(key, task);
    }
    let keys = Keys::of(records);
    Box::new(Dash { map, keys })
}

impl<K: Key> Peer for Dash<K> {
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
        self.map.remove(&key::<K>(number)).map(|_| ())
    }
}
