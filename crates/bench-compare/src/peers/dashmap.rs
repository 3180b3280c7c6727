//! dashmap: a hash map in locked shards. No snapshots, no transactions: an update holds its key's
//! shard.

use ::dashmap::DashMap;
use foldhash::fast::RandomState;

use super::{Peer, numbers};
use crate::task::{Task, TextKey, id, text};

struct Dash {
    map: DashMap<TextKey, Task, RandomState>,
    keys: Vec<TextKey>,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let map = DashMap::with_hasher(RandomState::default());
    for number in numbers(records) {
        map.insert(text(id(number)), Task::new(number));
    }
    let keys = numbers(records).map(|number| text(id(number))).collect();
    Box::new(Dash { map, keys })
}

impl Dash {
    fn key(&self, pick: u32) -> &TextKey {
        &self.keys[pick as usize]
    }
}

impl Peer for Dash {
    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        self.read_each(picks)
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| self.map.get(self.key(pick)).map_or(0, |task| task.count);
        Some(picks.iter().map(read).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        for &pick in picks {
            if let Some(mut task) = self.map.get_mut(self.key(pick)) {
                task.count += 1;
            }
        }
        Some(1)
    }

    fn insert(&self, number: u64) -> Option<()> {
        self.map.insert(text(id(number)), Task::new(number));
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        self.map.remove(&text(id(number))).map(|_| ())
    }
}
