//! redb on its backend in memory: a copy-on-write B-tree of bytes with snapshots and one writer at
//! a time. Nothing is to outlive the process, so commits ask for no durability;
//! [`reclaim`](Peer::reclaim) makes one that does, which gives pages back. A
//! transaction left open would keep all others waiting, so there is none.

use ::redb::backends::InMemoryBackend;
use ::redb::{
    Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition,
    WriteTransaction,
};

use super::{Held, Peer, Scanned, TextKeys, numbers};
use crate::task::{Task, TextKey, count_in, count_up_in, id, text};

const TASKS: TableDefinition<'static, TextKey, &[u8]> = TableDefinition::new("task");

struct Redb {
    database: Database,
    keys: TextKeys,
}

type Reading = ReadOnlyTable<TextKey, &'static [u8]>;
type Writing<'tx> = Table<'tx, TextKey, &'static [u8]>;

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let database = Database::builder()
        .create_with_backend(InMemoryBackend::new())
        .expect("memory does not fail");
    let keys = TextKeys::of(records);
    let redb = Redb { database, keys };
    redb.change(|tasks| numbers(records).for_each(|number| insert(tasks, number)));
    redb.reclaim();
    Box::new(redb)
}

impl Redb {
    fn writing(&self) -> WriteTransaction {
        self.database.begin_write().expect("memory does not fail")
    }

    fn change<R>(&self, change: impl FnOnce(&mut Writing<'_>) -> R) -> R {
        let mut tx = self.writing();
        tx.set_durability(Durability::None)
            .expect("nothing was saved");
        let mut tasks = tx.open_table(TASKS).expect("memory does not fail");
        let changed = change(&mut tasks);
        drop(tasks);
        tx.commit().expect("memory does not fail");
        changed
    }

    fn reading(&self) -> Reading {
        let tx = self.database.begin_read().expect("memory does not fail");
        tx.open_table(TASKS).expect("it was made when loading")
    }
}

fn insert(tasks: &mut Writing<'_>, number: u64) {
    let bytes = Task::new(number).bytes();
    let inserted = tasks.insert(text(id(number)), bytes.as_slice());
    inserted.expect("memory does not fail");
}

fn count_up(tasks: &mut Writing<'_>, key: &TextKey) {
    let read = tasks.get(key).expect("memory does not fail");
    let mut bytes = read.expect("it is there").value().to_vec();
    count_up_in(&mut bytes);
    let inserted = tasks.insert(key, bytes.as_slice());
    inserted.expect("memory does not fail");
}

fn read(tasks: &Reading, key: &TextKey) -> u64 {
    let read = tasks.get(key).expect("memory does not fail");
    count_in(read.expect("it is there").value())
}

impl Peer for Redb {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.database.begin_read().expect("memory does not fail"));
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let tasks = self.reading();
        Some(
            picks
                .iter()
                .map(|&pick| read(&tasks, &self.keys[pick]))
                .sum(),
        )
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let each = |&pick: &u32| read(&self.reading(), &self.keys[pick]);
        Some(picks.iter().map(each).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let tasks = self.reading();
        let items = tasks.iter().expect("memory does not fail");
        let counts = items.map(|item| count_in(item.expect("memory does not fail").1.value()));
        Some(counts.collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let tasks = self.reading();
        let scan = |&pick: &u32| {
            let items = tasks
                .range(self.keys[pick]..)
                .expect("memory does not fail");
            let some = items.take(count);
            some.map(|item| count_in(item.expect("memory does not fail").1.value()))
                .sum::<u64>()
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
        let update = |tasks: &mut Writing<'_>| {
            picks
                .iter()
                .for_each(|&pick| count_up(tasks, &self.keys[pick]));
        };
        self.change(update);
        Some(1)
    }

    fn insert(&self, number: u64) -> Option<()> {
        self.change(|tasks| insert(tasks, number));
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        let key = text(id(number));
        self.change(|tasks| {
            let removed = tasks.remove(key).expect("memory does not fail");
            removed.map(drop)
        })
    }

    fn reclaim(&self) {
        // Pages freed by one durable commit are free for use after the next.
        for _ in 0..2 {
            self.writing().commit().expect("memory does not fail");
        }
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(Reading, &'p Redb);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                read(&self.0, &self.1.keys[pick])
            }
        }

        Some(Box::new(Holding(self.reading(), self)))
    }
}
