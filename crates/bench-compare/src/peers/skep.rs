//! Skep.

use std::convert::Infallible;

use skep::{Id, Indexes, Object, Snapshot, Store, Transaction, keys};

use super::{Held, Open, Peer, Scanned, numbers};
use crate::task::{Task, id};

impl Object for Task {
    type Key = Id;
    const TABLE: &'static str = "task";

    fn key(&self) -> Id {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

struct Skep {
    store: Store,
    ids: Vec<Id>,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let store = Store::builder()
        .table::<Task>()
        .attempts_max(u32::MAX)
        .build();
    for number in numbers(records) {
        let created = store.update(|tx| tx.create(Task::new(number)));
        created.expect("a new key");
    }
    store.reclaim();
    let ids = numbers(records).map(id).collect();
    Box::new(Skep { store, ids })
}

impl Skep {
    fn id(&self, pick: u32) -> &Id {
        &self.ids[pick as usize]
    }
}

fn count_up(tx: &mut Transaction<'_>, id: &Id) {
    let modified = tx.modify::<Task>(id, |task| task.count += 1);
    modified.expect("it is there");
}

impl Peer for Skep {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.store.read());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let view = self.store.read();
        let counts = picks
            .iter()
            .filter_map(|&pick| view.get::<Task>(self.id(pick)));
        Some(counts.map(|task| task.count).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let view = self.store.read();
            view.get::<Task>(self.id(pick)).map_or(0, |task| task.count)
        };
        Some(picks.iter().map(read).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let view = self.store.read();
        let tasks = view.find(keys::<Task>().all());
        Some(tasks.map(|task| task.count).collect())
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let view = self.store.read();
        let scan = |&pick: &u32| {
            let from = keys::<Task>().range(*self.id(pick)..).limit(count);
            view.find(from).map(|task| task.count).sum::<u64>()
        };
        Some(picks.iter().map(scan).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| {
            let mut attempts = 0;
            let updated = self.store.update(|tx| {
                attempts += 1;
                count_up(tx, self.id(pick));
                Ok::<_, Infallible>(())
            });
            updated.expect("attempts are not limited");
            attempts
        };
        picks.iter().map(update).max()
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        let mut attempts = 0;
        let updated = self.store.update(|tx| {
            attempts += 1;
            // Its keys are known ahead.
            tx.prefetch::<Task>(picks.iter().map(|&pick| self.id(pick)));
            picks.iter().for_each(|&pick| count_up(tx, self.id(pick)));
            Ok::<_, Infallible>(())
        });
        updated.expect("attempts are not limited");
        Some(attempts)
    }

    fn insert(&self, number: u64) -> Option<()> {
        self.store.update(|tx| tx.create(Task::new(number))).ok()
    }

    fn remove(&self, number: u64) -> Option<()> {
        self.store.update(|tx| tx.delete::<Task>(&id(number))).ok()
    }

    fn reclaim(&self) {
        self.store.reclaim();
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(Snapshot, &'p Skep);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                let task = self.0.get::<Task>(self.1.id(pick));
                task.expect("it is there").count
            }
        }

        Some(Box::new(Holding(self.store.snapshot(), self)))
    }

    fn open(&self, pick: u32) -> Option<Box<dyn Open + '_>> {
        struct Opened<'p>(Transaction<'p>);

        impl Open for Opened<'_> {
            fn commit(self: Box<Self>) -> bool {
                self.0.commit().is_ok()
            }
        }

        let mut tx = self.store.begin();
        count_up(&mut tx, self.id(pick));
        Some(Box::new(Opened(tx)))
    }
}
