//! surrealmx: an MVCC key-value store of bytes. Serializable (its default level); a conflict is
//! retried at once. A read of what is newest goes by no transaction: it offers that.

use ::surrealmx::{Database, Transaction};

use super::{Held, Open, Peer, Scanned, TextKeys, numbers};
use crate::task::{Task, TextKey, count_in, count_up_in, id, text};

struct Surreal {
    database: Database,
    keys: TextKeys,
}

/// Above every key.
const END: &[u8] = b"~";

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let database = Database::new();
    for number in numbers(records) {
        let mut tx = database.transaction(true);
        let key = text(id(number));
        tx.set(key, Task::new(number).bytes()).expect("it is open");
        tx.commit().expect("nobody is in the way");
    }
    let keys = TextKeys::of(records);
    Box::new(Surreal { database, keys })
}

fn read(tx: &Transaction, key: &TextKey) -> u64 {
    let read = tx.with_value(key, count_in).expect("it is open");
    read.expect("it is there")
}

fn count_up(tx: &mut Transaction, key: &TextKey) -> Result<(), ::surrealmx::Error> {
    let bytes = tx.with_value(key, <[u8]>::to_vec)?;
    let mut bytes = bytes.expect("it is there");
    count_up_in(&mut bytes);
    tx.set(key, bytes)
}

impl Peer for Surreal {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            let mut tx = std::hint::black_box(self.database.transaction(false));
            tx.cancel().expect("it is open");
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let mut tx = self.database.transaction(false);
        let counts = picks.iter().map(|&pick| read(&tx, &self.keys[pick]));
        let sum = counts.sum();
        tx.cancel().expect("it is open");
        Some(sum)
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let each = |&pick: &u32| {
            let mut tx = self.database.transaction(false);
            let count = read(&tx, &self.keys[pick]);
            tx.cancel().expect("it is open");
            count
        };
        Some(picks.iter().map(each).sum())
    }

    fn read_newest(&self, picks: &[u32]) -> Option<u64> {
        let each = |&pick: &u32| {
            let read = self.database.with_value(self.keys[pick], count_in);
            read.expect("it is open").expect("it is there")
        };
        Some(picks.iter().map(each).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let mut tx = self.database.transaction(false);
        let mut seen = Scanned::default();
        let start: &[u8] = b"";
        let scanned = tx.scan_with(start..END, None, None, |_, task| {
            seen.extend([count_in(task)]);
            true
        });
        scanned.expect("it is open");
        tx.cancel().expect("it is open");
        Some(seen)
    }

    fn scan_each(&self, picks: &[u32], count: usize) -> Option<u64> {
        let mut tx = self.database.transaction(false);
        let mut sum = 0;
        for &pick in picks {
            let start: &[u8] = &self.keys[pick];
            let scanned = tx.scan_with(start..END, None, Some(count), |_, task| {
                sum += count_in(task);
                true
            });
            scanned.expect("it is open");
        }
        tx.cancel().expect("it is open");
        Some(sum)
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        picks
            .iter()
            .filter_map(|pick| self.update_together(std::slice::from_ref(pick)))
            .max()
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let mut tx = self.database.transaction(true);
            let mut picks = picks.iter();
            let counted = picks.try_for_each(|&pick| count_up(&mut tx, &self.keys[pick]));
            if counted.is_ok() && tx.commit().is_ok() {
                return Some(attempts);
            }
        }
    }

    fn insert(&self, number: u64) -> Option<()> {
        let (key, bytes) = (text(id(number)), Task::new(number).bytes());
        loop {
            let mut tx = self.database.transaction(true);
            if tx.put(key, bytes.as_slice()).is_ok() && tx.commit().is_ok() {
                return Some(());
            }
        }
    }

    fn remove(&self, number: u64) -> Option<()> {
        let key = text(id(number));
        loop {
            let mut tx = self.database.transaction(true);
            if tx.del(key).is_ok() && tx.commit().is_ok() {
                return Some(());
            }
        }
    }

    fn reclaim(&self) {
        self.database.run_cleanup();
        self.database.run_gc();
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(Transaction, &'p Surreal);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                read(&self.0, &self.1.keys[pick])
            }
        }

        impl Drop for Holding<'_> {
            fn drop(&mut self) {
                // A transaction that is closed already says so, which is no matter here.
                let _ = self.0.cancel();
            }
        }

        Some(Box::new(Holding(self.database.transaction(false), self)))
    }

    fn open(&self, pick: u32) -> Option<Box<dyn Open + '_>> {
        struct Opened(Transaction);

        impl Open for Opened {
            fn commit(mut self: Box<Self>) -> bool {
                self.0.commit().is_ok()
            }
        }

        let mut tx = self.database.transaction(true);
        count_up(&mut tx, &self.keys[pick]).ok()?;
        Some(Box::new(Opened(tx)))
    }
}
