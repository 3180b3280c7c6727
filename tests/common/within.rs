//! For tests that use a store from within itself.

#![allow(dead_code, reason = "each test file uses a part")]

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use skep::{Builder, Error, Store, Transaction};

use super::common::{Task, builder, put, task};

/// How long a test may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs a test on a thread of its own, and fails if it does not end: if something waits for itself.
#[track_caller]
pub fn ends(run: impl FnOnce() + Send + 'static) {
    let (ended, waited) = channel::<()>();
    let running = thread::spawn(move || {
        // Dropped at the end, however it comes.
        let _ended: Sender<()> = ended;
        run();
    });
    let stuck = waited.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
    assert!(!stuck, "it waits for itself");
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Where an object, a rule or an index function finds the store that it calls.
static STORES: Mutex<Vec<Store>> = Mutex::new(Vec::new());

fn stores() -> MutexGuard<'static, Vec<Store>> {
    STORES.lock().expect("nobody panics under the lock")
}

/// Makes a store known to callbacks, by a number.
pub fn known(store: &Store) -> u64 {
    let mut stores = stores();
    stores.push(store.clone());
    stores.len() as u64 - 1
}

pub fn known_store(number: u64) -> Store {
    stores()[number as usize].clone()
}

pub fn count_of(store: &Store, id: u64) -> i64 {
    store.read().get::<Task>(&id).map_or(-1, |task| task.count)
}

/// Raises a task's count, in a transaction; gives what it is then.
pub fn raise(tx: &mut Transaction<'_>, id: u64) -> Result<i64, Error> {
    tx.modify::<Task>(&id, |task| task.count += 1)?;
    Ok(tx.get::<Task>(&id).map_or(-1, |task| task.count))
}

/// A store with the tasks 1 and 2.
pub fn two() -> Store {
    two_of(builder())
}

/// The same, of a builder.
pub fn two_of(builder: Builder) -> Store {
    let store = builder.table::<Task>().build();
    put(&store, [task(1), task(2)]);
    store
}
