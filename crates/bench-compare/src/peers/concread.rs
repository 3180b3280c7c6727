//! concread: a copy-on-write B+-tree with snapshots and one writer at a time. A writer copies the
//! leaves it changes, so tasks lie behind pointers; left open, it would keep all others waiting, so
//! there is none to be left open.

use std::sync::Arc;

use ::concread::bptree::{BptreeMap, BptreeMapReadTxn, BptreeMapWriteTxn};

use super::{Held, Peer, Scanned, TextKeys, numbers};
use crate::task::{Task, TextKey, id, text};

type Map = BptreeMap<TextKey, Arc<Task>>;
type Reading<'m> = BptreeMapReadTxn<'m, TextKey, Arc<Task>>;
type Writing<'m> = BptreeMapWriteTxn<'m, TextKey, Arc<Task>>;

struct Tree {
    map: Map,
    keys: TextKeys,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let map = Map::new();
    for number in numbers(records) {
        let mut tx = map.write();
        tx.insert(text(id(number)), Arc::new(Task::new(number)));
        tx.commit();
    }
    let keys = TextKeys::of(records);
    Box::new(Tree { map, keys })
}

fn count_up(tx: &mut Writing<'_>, key: &TextKey) {
    let task = tx.get_mut(key).expect("it is there");
    Arc::make_mut(task).count += 1;
}

impl Peer for Tree {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.map.read());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let tx = self.map.read();
        let tasks = picks.iter().filter_map(|&pick| tx.get(&self.keys[pick]));
        Some(tasks.map(|task| task.count).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let tx = self.map.read();
            tx.get(&self.keys[pick]).map_or(0, |task| task.count)
        };
        Some(picks.iter().map(read).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let tx = self.map.read();
        Some(tx.values().map(|task| task.count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let tx = self.map.read();
        let scan = |&pick: &u32| {
            let from = tx.range(self.keys[pick]..).take(count);
            from.map(|(_, task)| task.count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        for pick in picks {
            self.update_together(std::slice::from_ref(pick))?;
        }
        Some(1)
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        let mut tx = self.map.write();
        for &pick in picks {
            count_up(&mut tx, &self.keys[pick]);
        }
        tx.commit();
        Some(1)
    }

    fn insert(&self, number: u64) -> Option<()> {
        let (key, task) = (text(id(number)), Arc::new(Task::new(number)));
        let mut tx = self.map.write();
        tx.insert(key, task);
        tx.commit();
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        let mut tx = self.map.write();
        let removed = tx.remove(&text(id(number)));
        tx.commit();
        removed.map(drop)
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(Reading<'p>, &'p Tree);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                self.0.get(&self.1.keys[pick]).expect("it is there").count
            }
        }

        Some(Box::new(Holding(self.map.read(), self)))
    }
}
