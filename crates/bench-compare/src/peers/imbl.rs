//! A persistent map behind an atomic pointer: snapshots are free, and a writer copies a path and
//! swings the pointer, again if another did.

use std::sync::Arc;

use ::imbl::OrdMap;
use arc_swap::ArcSwap;

use super::{Held, Peer, Scanned, TextKeys, numbers};
use crate::task::{Task, TextKey, id, text};

type Map = OrdMap<TextKey, Arc<Task>>;

struct Swapped {
    map: ArcSwap<Map>,
    keys: TextKeys,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let mut map = Map::new();
    for number in numbers(records) {
        map.insert(text(id(number)), Arc::new(Task::new(number)));
    }
    let keys = TextKeys::of(records);
    let map = ArcSwap::from_pointee(map);
    Box::new(Swapped { map, keys })
}

impl Swapped {
    /// Swings the pointer to what `change` makes of the map; the attempts.
    fn change(&self, change: impl Fn(&mut Map)) -> u32 {
        let mut attempts = 0;
        self.map.rcu(|map| {
            attempts += 1;
            let mut map = Map::clone(map);
            change(&mut map);
            map
        });
        attempts
    }
}

fn count_up(map: &mut Map, key: &TextKey) {
    let task = map.get_mut(key).expect("it is there");
    Arc::make_mut(task).count += 1;
}

impl Peer for Swapped {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.map.load());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let map = self.map.load();
        let tasks = picks.iter().filter_map(|&pick| map.get(&self.keys[pick]));
        Some(tasks.map(|task| task.count).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let map = self.map.load();
            map.get(&self.keys[pick]).map_or(0, |task| task.count)
        };
        Some(picks.iter().map(read).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let map = self.map.load();
        Some(map.values().map(|task| task.count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let map = self.map.load();
        let scan = |&pick: &u32| {
            let from = map.range(self.keys[pick]..).take(count);
            from.map(|(_, task)| task.count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| self.change(|map| count_up(map, &self.keys[pick]));
        picks.iter().map(update).max()
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        Some(self.change(|map| {
            picks
                .iter()
                .for_each(|&pick| count_up(map, &self.keys[pick]))
        }))
    }

    fn insert(&self, number: u64) -> Option<()> {
        let (key, task) = (text(id(number)), Arc::new(Task::new(number)));
        self.change(|map| drop(map.insert(key, Arc::clone(&task))));
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        let key = text(id(number));
        self.change(|map| drop(map.remove(&key)));
        Some(())
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(Arc<Map>, &'p Swapped);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                self.0.get(&self.1.keys[pick]).expect("it is there").count
            }
        }

        Some(Box::new(Holding(self.map.load_full(), self)))
    }
}
