//! skipdb: an MVCC store on skip lists. Serializable transactions; a conflict is retried at once.

use ::skipdb::serializable::{SerializableDb, SerializableTransaction};

use super::{Held, Open, Peer, Scanned, TextKeys, keyed, numbers};
use crate::task::{Task, TextKey, id, text};

type Database = SerializableDb<TextKey, Task>;
type Writing = SerializableTransaction<TextKey, Task>;

struct Skip {
    database: Database,
    keys: TextKeys,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let database = Database::new();
    for number in numbers(records) {
        let mut tx = database.serializable_write();
        let (key, task) = keyed(number);
        tx.insert(key, task).expect("it is open");
        tx.commit().expect("nobody is in the way");
    }
    let keys = TextKeys::of(records);
    Box::new(Skip { database, keys })
}

impl Skip {
    /// Does something in a transaction until it commits; the attempts.
    fn change(&self, change: impl Fn(&mut Writing)) -> u32 {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut tx = self.database.serializable_write();
            change(&mut tx);
            if tx.commit().is_ok() {
                return attempts;
            }
        }
    }
}

fn count_up(tx: &mut Writing, key: &TextKey) {
    let read = tx.get(key).expect("it is open");
    let mut task = Task::clone(&read.expect("it is there").value());
    task.count += 1;
    tx.insert(*key, task).expect("it is open");
}

impl Peer for Skip {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.database.read());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let tx = self.database.read();
        let tasks = picks.iter().filter_map(|&pick| tx.get(&self.keys[pick]));
        Some(tasks.map(|task| task.value().count).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let tx = self.database.read();
            tx.get(&self.keys[pick])
                .map_or(0, |task| task.value().count)
        };
        Some(picks.iter().map(read).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let tx = self.database.read();
        Some(tx.iter().map(|task| task.value().count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let tx = self.database.read();
        let scan = |&pick: &u32| {
            let from = tx.range(self.keys[pick]..).take(count);
            from.map(|task| task.value().count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| self.change(|tx| count_up(tx, &self.keys[pick]));
        picks.iter().map(update).max()
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        Some(self.change(|tx| {
            picks
                .iter()
                .for_each(|&pick| count_up(tx, &self.keys[pick]))
        }))
    }

    fn insert(&self, number: u64) -> Option<()> {
        self.change(|tx| {
            let (key, task) = keyed(number);
            tx.insert(key, task).expect("it is open");
        });
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        let key = text(id(number));
        self.change(|tx| tx.remove(key).expect("it is open"));
        Some(())
    }

    fn reclaim(&self) {
        self.database.compact();
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<R>(R);

        impl<R: Fn(u32) -> u64> Held for Holding<R> {
            fn count(&self, pick: u32) -> u64 {
                (self.0)(pick)
            }
        }

        let tx = self.database.read();
        // What it lost, it shows as no count at all.
        let count = move |pick| {
            tx.get(&self.keys[pick])
                .map_or(u64::MAX, |task| task.value().count)
        };
        Some(Box::new(Holding(count)))
    }

    fn open(&self, pick: u32) -> Option<Box<dyn Open + '_>> {
        struct Opened(Writing);

        impl Open for Opened {
            fn commit(mut self: Box<Self>) -> bool {
                self.0.commit().is_ok()
            }
        }

        let mut tx = self.database.serializable_write();
        count_up(&mut tx, &self.keys[pick]);
        Some(Box::new(Opened(tx)))
    }
}
