//! papaya: a concurrent hash map without locks. It has no snapshots and no transactions: an update
//! is atomic for its one key.

use std::cell::Cell;

use ::papaya::HashMap;
use foldhash::fast::RandomState;

use super::{Key, Keys, Peer, key, keyed, numbers};
use crate::task::Task;

struct Papaya<K> {
    map: HashMap<K, Task, RandomState>,
    keys: Keys<K>,
}

pub(super) fn load<K: Key>(records: u32) -> Box<dyn Peer> {
    let map = HashMap::builder().hasher(RandomState::default()).build();
    for number in numbers(records) {
        let (key, task) = keyed::<K>(number);
        map.pin().insert(key, task);
    }
    let keys = Keys::of(records);
    Box::new(Papaya { map, keys })
}

impl<K: Key> Peer for Papaya<K> {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.map.pin());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let map = self.map.pin();
        let tasks = picks.iter().filter_map(|&pick| map.get(&self.keys[pick]));
        Some(tasks.map(|task| task.count).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let map = self.map.pin();
            map.get(&self.keys[pick]).map_or(0, |task| task.count)
        };
        Some(picks.iter().map(read).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| {
            let attempts = Cell::new(0);
            self.map.pin().update(self.keys[pick], |task| {
                attempts.set(attempts.get() + 1);
                Task {
                    count: task.count + 1,
                    ..task.clone()
                }
            });
            attempts.get()
        };
        picks.iter().map(update).max()
    }

    fn insert(&self, number: u64) -> Option<()> {
        let (key, task) = keyed(number);
        self.map.pin().insert(key, task);
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        self.map.pin().remove(&key::<K>(number)).map(|_| ())
    }
}
