//! The standard library's maps behind its reader-writer lock. A transaction is the lock held; a
//! snapshot to be held would stop all writers,
//! so there is none.

use std::collections::{BTreeMap, HashMap};
use std::sync::RwLock;

use foldhash::fast::RandomState;

use super::{Key, Keys, Peer, Scanned, key, keyed, numbers};
use crate::task::Task;

struct Locked<K, M> {
    map: RwLock<M>,
    keys: Keys<K>,
}

type Tree<K> = BTreeMap<K, Task>;
type Hash<K> = HashMap<K, Task, RandomState>;

fn load<K: Key, M: Default + Extend<(K, Task)>>(records: u32) -> Locked<K, M> {
    let mut map = M::default();
    map.extend(numbers(records).map(keyed));
    Locked {
        map: RwLock::new(map),
        keys: Keys::of(records),
    }
}

pub(super) fn load_tree<K: Key>(records: u32) -> Box<dyn Peer> {
    Box::new(load::<K, Tree<K>>(records))
}

pub(super) fn load_hash<K: Key>(records: u32) -> Box<dyn Peer> {
    Box::new(load::<K, Hash<K>>(records))
}

/// What both maps do alike.
macro_rules! in_common {
    () => {
        fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
            let map = self.map.read().expect("nobody panics");
            let tasks = picks.iter().filter_map(|&pick| map.get(&self.keys[pick]));
            Some(tasks.map(|task| task.count).sum())
        }

        fn read_each(&self, picks: &[u32]) -> Option<u64> {
            let read = |&pick: &u32| {
                let map = self.map.read().expect("nobody panics");
                map.get(&self.keys[pick]).map_or(0, |task| task.count)
            };
            Some(picks.iter().map(read).sum())
        }

        fn update_each(&self, picks: &[u32]) -> Option<u32> {
            for &pick in picks {
                let mut map = self.map.write().expect("nobody panics");
                map.get_mut(&self.keys[pick]).expect("it is there").count += 1;
            }
            Some(1)
        }

        fn update_together(&self, picks: &[u32]) -> Option<u32> {
            let mut map = self.map.write().expect("nobody panics");
            for &pick in picks {
                map.get_mut(&self.keys[pick]).expect("it is there").count += 1;
            }
            Some(1)
        }

        fn insert(&self, number: u64) -> Option<()> {
            let (key, task) = keyed(number);
            self.map.write().expect("nobody panics").insert(key, task);
            Some(())
        }

        fn remove(&self, number: u64) -> Option<()> {
            let key = key::<K>(number);
            self.map
                .write()
                .expect("nobody panics")
                .remove(&key)
                .map(|_| ())
        }
    };
}

impl<K: Key> Peer for Locked<K, Tree<K>> {
    in_common!();

    fn scan_all(&self) -> Option<Scanned> {
        let map = self.map.read().expect("nobody panics");
        Some(map.values().map(|task| task.count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let map = self.map.read().expect("nobody panics");
        let scan = |&pick: &u32| {
            let from = map.range(self.keys[pick]..).take(count);
            from.map(|(_, task)| task.count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }
}

impl<K: Key> Peer for Locked<K, Hash<K>> {
    in_common!();
}
