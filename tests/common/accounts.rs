//! Accounts whose sum stays the same, and threads that go on whatever became of another: for the
//! tests that stop or kill a thread in the middle of the store's code.

use std::sync::LazyLock;
use std::task::{Context, Waker};

use skep::{Error, Filter, Index, Indexes, Object, Snapshot, Store, Watcher, keys};

/// Accounts that are always there.
pub const ACCOUNTS: u64 = 8;
/// What is on each at first.
pub const START: u64 = 1_000;
/// Turns of each of the two threads that go on, two commits a turn: what `PROGRESS_TURNS` says.
pub fn turns() -> u64 {
    static TURNS: LazyLock<u64> = LazyLock::new(|| match std::env::var("PROGRESS_TURNS") {
        Ok(turns) => turns.parse().expect("PROGRESS_TURNS is a number"),
        Err(_) if cfg!(debug_assertions) => 1_000,
        Err(_) => 10_000,
    });
    *TURNS
}

#[derive(Clone, Debug)]
pub struct Account {
    pub number: u64,
    pub amount: u64,
}

impl Account {
    pub const BY_AMOUNT: Index<Self, u64> =
        Index::new("by_amount", |account, keys| keys.add(account.amount));
}

impl Object for Account {
    type Key = u64;
    const TABLE: &'static str = "account";

    fn key(&self) -> u64 {
        self.number
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_AMOUNT);
    }
}

pub fn transfer(store: &Store, from: u64, to: u64) {
    let moved = store.update(|tx| {
        if tx
            .get::<Account>(&from)
            .is_some_and(|account| account.amount > 0)
        {
            tx.modify::<Account>(&from, |account| account.amount -= 1)?;
            tx.modify::<Account>(&to, |account| account.amount += 1)?;
        }
        Ok::<_, Error>(())
    });
    moved.expect("attempts enough");
}

pub fn come_and_go(store: &Store, number: u64) {
    let account = Account { number, amount: 0 };
    let created = store.update(|tx| tx.create(account.clone()));
    created.expect("the key is this thread's");
    let deleted = store.update(|tx| tx.delete::<Account>(&number));
    deleted.expect("as above");
}

/// Accounts that come together now and then, and go: more than a leaf of an index has room for.
pub const SWELL: u64 = 300;
/// Of these in a transaction.
pub const SWELL_AT_ONCE: u64 = 20;

/// A thread that comes to every step, if it takes enough turns.
pub struct Busy {
    delivered: Watcher,
    /// One that waits for the next commit whenever there is one.
    waiting: Watcher,
    held: Option<Snapshot>,
}

impl Busy {
    pub fn new(store: &Store) -> Self {
        Self {
            delivered: store.watch(Filter::of::<Account>().key(&0)),
            waiting: store.watch(Filter::all()),
            held: None,
        }
    }

    pub fn turn(&mut self, store: &Store, thread: u64, turn: u64) {
        transfer(store, turn % ACCOUNTS, (turn + 1 + thread) % ACCOUNTS);
        // A key of its own each time, so that dead records are met, not claimed again.
        let own = 1_000_000_000 * (thread + 100);
        come_and_go(store, own + turn);
        while self.delivered.try_recv().is_ok_and(|event| event.is_some()) {}
        let mut context = Context::from_waker(Waker::noop());
        while self.waiting.poll_recv(&mut context).is_ready() {}
        drop(store.watch(Filter::of::<Account>().key(&turn)));
        drop(store.watch(Filter::all()));
        if turn.is_multiple_of(64) {
            swell(store, own + 500_000_000);
        }
        if turn % 512 == 511 {
            // Held long enough for what is written beside it to be put off.
            self.held = match self.held.take() {
                Some(_) => None,
                None => Some(store.snapshot()),
            };
        }
    }
}

fn swell(store: &Store, from: u64) {
    let parts = (from..from + SWELL).step_by(SWELL_AT_ONCE as usize);
    for part in parts.clone() {
        let create = |tx: &mut skep::Transaction<'_>, number| {
            let amount = number % 7;
            tx.create(Account { number, amount })
        };
        let created = store
            .update(|tx| (part..part + SWELL_AT_ONCE).try_for_each(|number| create(tx, number)));
        created.expect("the keys are this thread's");
    }
    for part in parts {
        let deleted = store.update(|tx| {
            (part..part + SWELL_AT_ONCE).try_for_each(|number| tx.delete::<Account>(&number))
        });
        deleted.expect("as above");
    }
}

pub fn new_store() -> Store {
    let store = Store::builder()
        .table::<Account>()
        .attempts_max(1_000_000)
        .build();
    let opened = store.update(|tx| {
        for number in 0..ACCOUNTS {
            let amount = START;
            tx.create(Account { number, amount })?;
        }
        Ok::<_, Error>(())
    });
    opened.expect("an empty store");
    store
}

pub fn sum(store: &Store) -> u64 {
    let view = store.read();
    let all = view.find(keys::<Account>().range(..ACCOUNTS));
    all.map(|account| account.amount).sum()
}

/// Two threads commit on the same keys, insert, read, take snapshots and watch.
pub fn others_go_on(store: &Store) {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || {
                let mut watcher = store.watch(Filter::of::<Account>().key(&0));
                for turn in 0..turns() {
                    transfer(store, turn % ACCOUNTS, (turn + 1 + thread) % ACCOUNTS);
                    let number = 10_000_000 * (thread + 1) + turn;
                    let fresh = Account { number, amount: 0 };
                    let created = store.update(|tx| tx.create(fresh.clone()));
                    created.expect("a new key");
                    if turn.is_multiple_of(64) {
                        assert_eq!(sum(store), ACCOUNTS * START);
                        assert!(store.snapshot().get::<Account>(&0).is_some());
                        let version = store.version();
                        while watcher.try_recv().expect("no lag").is_some() {}
                        // Whoever stopped while delivering, it is current.
                        assert!(watcher.position() >= version);
                    }
                }
            });
        }
    });
}
