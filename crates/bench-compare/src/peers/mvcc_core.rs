//! mvcc-core: typed and in memory, serializable by SSI or at snapshot level. Reads take its
//! snapshot level, which is enough for them. It finds nothing from a key on in key order without a
//! second index, so short scans are left out; what deleted records held it gives back only to who
//! owns it alone, so it is not asked to.

use std::cell::RefCell;
use std::hint::black_box;
use std::marker::PhantomData;

use mvcc::{
    Config, Database, IsolationLevel, Mvcc, Result, Serializable, Snapshot, Transaction, Versioned,
};

use super::{Held, Open, Peer, Scanned, numbers};
use crate::task::{Task, id, text};

#[derive(Clone, Debug, Mvcc)]
#[mvcc(table = "tasks")]
struct Stored {
    #[mvcc(primary_key)]
    key: String,
    task: Task,
}

#[derive(Clone, Debug, Mvcc)]
#[mvcc(table = "rows")]
struct StoredRow {
    #[mvcc(primary_key)]
    id: u64,
    value: u64,
}

fn key(number: u64) -> String {
    String::from_utf8_lossy(&text(id(number))).into_owned()
}

fn stored(number: u64) -> Stored {
    Stored {
        key: key(number),
        task: Task::new(number),
    }
}

/// A database with a value for each of `0..records`.
fn database<T: Versioned>(records: u32, value: impl Fn(u64) -> T) -> Database {
    let database = Database::open(Config::in_memory()).expect("memory does not fail");
    database.register::<T>().expect("once");
    for number in numbers(records) {
        let inserted = database.transaction(|tx| tx.insert(value(number)));
        inserted.expect("a new key");
    }
    database
}

/// Does something in a transaction until it commits; the attempts. The database retries by itself,
/// with its own back-off, up to its limit.
fn change<I: IsolationLevel>(
    database: &Database,
    change: impl Fn(&mut Transaction<'_, I>) -> Result<()>,
) -> u32 {
    let mut attempts = 0;
    loop {
        let changed = database.transaction_with::<I, _, _>(|tx| {
            attempts += 1;
            change(tx)
        });
        match changed {
            Ok(()) => return attempts,
            Err(error) => assert!(error.is_retriable(), "{error}"),
        }
    }
}

fn begin_each(database: &Database, count: usize) {
    for _ in 0..count {
        black_box(database.begin_with::<Snapshot>());
    }
}

struct Tasks {
    database: Database,
    keys: Vec<String>,
}

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let database = database(records, stored);
    let keys = numbers(records).map(key).collect();
    Box::new(Tasks { database, keys })
}

impl Tasks {
    fn key(&self, pick: u32) -> &String {
        &self.keys[pick as usize]
    }
}

fn count<I: IsolationLevel>(tx: &mut Transaction<'_, I>, key: &String) -> u64 {
    let read = tx.get::<Stored>(key).expect("it is open");
    read.map_or(u64::MAX, |stored| stored.task.count)
}

fn count_up<I: IsolationLevel>(tx: &mut Transaction<'_, I>, key: &String) -> Result<()> {
    let count = tx.get::<Stored>(key)?.map_or(0, |stored| stored.task.count);
    tx.update::<Stored>(key, |stored| stored.task.count = count + 1)?;
    Ok(())
}

/// The same for a task that the transaction has changed already: a read of its own change would
/// make it fail its validation at every attempt, and an update reads by itself.
fn count_up_again<I: IsolationLevel>(tx: &mut Transaction<'_, I>, key: &String) -> Result<()> {
    tx.update::<Stored>(key, |stored| stored.task.count += 1)?;
    Ok(())
}

impl Peer for Tasks {
    fn begin_each(&self, count: usize) -> Option<()> {
        begin_each(&self.database, count);
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let mut tx = self.database.begin_with::<Snapshot>();
        let counts = picks.iter().map(|&pick| count(&mut tx, self.key(pick)));
        Some(counts.sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let mut tx = self.database.begin_with::<Snapshot>();
            count(&mut tx, self.key(pick))
        };
        Some(picks.iter().map(read).sum())
    }

    fn scan_all(&self) -> Option<Scanned> {
        let mut tx = self.database.begin_with::<Snapshot>();
        let tasks = tx.scan::<Stored>().expect("it is open");
        Some(tasks.iter().map(|stored| stored.task.count).collect())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| {
            let update = |tx: &mut Transaction<'_, Serializable>| count_up(tx, self.key(pick));
            change(&self.database, update)
        };
        picks.iter().map(update).max()
    }

    fn update_together(&self, picks: &[u32]) -> Option<u32> {
        let update = |tx: &mut Transaction<'_, Serializable>| {
            for (at, &pick) in picks.iter().enumerate() {
                if picks[..at].contains(&pick) {
                    count_up_again(tx, self.key(pick))?;
                } else {
                    count_up(tx, self.key(pick))?;
                }
            }
            Ok(())
        };
        Some(change(&self.database, update))
    }

    fn insert(&self, number: u64) -> Option<()> {
        change(&self.database, |tx: &mut Transaction<'_, Serializable>| {
            tx.insert(stored(number))
        });
        Some(())
    }

    fn remove(&self, number: u64) -> Option<()> {
        let key = key(number);
        change(&self.database, |tx: &mut Transaction<'_, Serializable>| {
            tx.delete::<Stored>(&key).map(drop)
        });
        Some(())
    }

    fn hold(&self) -> Option<Box<dyn Held + '_>> {
        struct Holding<'p>(RefCell<Transaction<'p, Snapshot>>, &'p Tasks);

        impl Held for Holding<'_> {
            fn count(&self, pick: u32) -> u64 {
                count(&mut self.0.borrow_mut(), self.1.key(pick))
            }
        }

        let tx = self.database.begin_with::<Snapshot>();
        Some(Box::new(Holding(RefCell::new(tx), self)))
    }

    fn open(&self, pick: u32) -> Option<Box<dyn Open + '_>> {
        struct Opened<'p>(Transaction<'p, Serializable>);

        impl Open for Opened<'_> {
            fn commit(self: Box<Self>) -> bool {
                self.0.commit().is_ok()
            }
        }

        let mut tx = self.database.begin_with::<Serializable>();
        count_up(&mut tx, self.key(pick)).ok()?;
        Some(Box::new(Opened(tx)))
    }
}

/// Tiny rows under integer keys, written at level `I`.
struct Rows<I> {
    database: Database,
    level: PhantomData<fn() -> I>,
}

fn load_rows<I: IsolationLevel>(records: u32) -> Box<dyn Peer> {
    let database = database(records, |id| StoredRow { id, value: 0 });
    let level = PhantomData;
    Box::new(Rows::<I> { database, level })
}

pub(super) fn load_rows_serializable(records: u32) -> Box<dyn Peer> {
    load_rows::<Serializable>(records)
}

pub(super) fn load_rows_snapshot(records: u32) -> Box<dyn Peer> {
    load_rows::<Snapshot>(records)
}

fn value<I: IsolationLevel>(tx: &mut Transaction<'_, I>, pick: u32) -> u64 {
    let read = tx.get::<StoredRow>(&u64::from(pick)).expect("it is open");
    read.map_or(0, |row| row.value)
}

impl<I: IsolationLevel> Peer for Rows<I> {
    fn begin_each(&self, count: usize) -> Option<()> {
        begin_each(&self.database, count);
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let mut tx = self.database.begin_with::<Snapshot>();
        Some(picks.iter().map(|&pick| value(&mut tx, pick)).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| value(&mut self.database.begin_with::<Snapshot>(), pick);
        Some(picks.iter().map(read).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| {
            // At snapshot level the update's own read is enough, as in its own bench.
            let read = |tx: &mut Transaction<'_, I>| I::VALIDATES_READS.then(|| value(tx, pick));
            change(&self.database, |tx: &mut Transaction<'_, I>| {
                let read = read(tx);
                let set = |row: &mut StoredRow| row.value = read.unwrap_or(row.value) + 1;
                tx.update::<StoredRow>(&u64::from(pick), set).map(drop)
            })
        };
        picks.iter().map(update).max()
    }
}
