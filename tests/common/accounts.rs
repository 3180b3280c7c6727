//! Accounts whose sum stays the same, and threads that go on whatever became of another: for the
//! tests that stop or kill a thread in the middle of the store's code.

use std::sync::LazyLock;
use std::task::{Context, Waker};

use skep::{
    Error, Filter, Index, Indexes, Object, Snapshot, Store, Transaction, UpdateError, Watcher, keys,
};

/// Accounts that are always there.
pub const ACCOUNTS: u64 = 8;
/// What is on each at first.
pub const START: u64 = 1_000;
/// Commits that the log keeps for who still reads it: for a transaction that has stopped, and, of
/// these, for a watcher that has.
pub const LOG_COMMITS_MAX: u64 = 4_096;
const WATCH_COMMITS_MAX: u64 = 1_024;
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

/// Updates, again if it was held up for so long that the log has left it behind.
fn surely(store: &Store, mut run: impl FnMut(&mut Transaction<'_>) -> Result<(), Error>) {
    loop {
        match store.update(&mut run) {
            Err(UpdateError::TooOld { .. }) => {}
            done => return done.expect("attempts enough, and keys of one's own"),
        }
    }
}

pub fn transfer(store: &Store, from: u64, to: u64) {
    surely(store, |tx| {
        let account = tx.get::<Account>(&from);
        if account.is_some_and(|account| account.amount > 0) {
            tx.modify::<Account>(&from, |account| account.amount -= 1)?;
            tx.modify::<Account>(&to, |account| account.amount += 1)?;
        }
        Ok(())
    });
}

pub fn come_and_go(store: &Store, number: u64) {
    let account = Account { number, amount: 0 };
    surely(store, |tx| Ok(tx.create(account.clone())?));
    surely(store, |tx| Ok(tx.delete::<Account>(&number)?));
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
        if turn.is_multiple_of(16) {
            sum(store);
            // It may be too late for that one.
            drop(store.snapshot_at(store.version()));
        }
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
        surely(store, |tx| {
            for number in part..part + SWELL_AT_ONCE {
                let amount = number % 7;
                tx.create(Account { number, amount })?;
            }
            Ok(())
        });
    }
    for part in parts {
        surely(store, |tx| {
            for number in part..part + SWELL_AT_ONCE {
                tx.delete::<Account>(&number)?;
            }
            Ok(())
        });
    }
}

pub fn new_store() -> Store {
    let store = Store::builder()
        .table::<Account>()
        .attempts_max(1_000_000)
        .log_commits_max(LOG_COMMITS_MAX)
        .watch_commits_max(WATCH_COMMITS_MAX)
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

/// Two threads commit on the same keys, insert, read, take snapshots, watch, and begin to watch:
/// two commits a turn, and one of everything else.
pub fn others_go_on(store: &Store) {
    std::thread::scope(|scope| {
        for thread in 0..2 {
            scope.spawn(move || go_on(store, thread));
        }
    });
}

fn go_on(store: &Store, thread: u64) {
    let mut watcher = store.watch(Filter::of::<Account>().key(&0));
    for turn in 0..turns() {
        let (from, to) = (turn % ACCOUNTS, (turn + 1 + thread) % ACCOUNTS);
        transfer(store, from, to);
        let number = 10_000_000 * (thread + 1) + turn;
        surely(store, |tx| {
            let amount = 0;
            Ok(tx.create(Account { number, amount })?)
        });
        let snapshot = store.snapshot();
        assert!(snapshot.get::<Account>(&number).is_some());
        assert!(store.read().get::<Account>(&from).is_some());
        drop(store.watch(Filter::of::<Account>().key(&number)));
        let version = store.version();
        while watcher.try_recv().expect("no lag").is_some() {}
        // Whoever stopped while delivering, it is current.
        assert!(watcher.position() >= version);
        if turn.is_multiple_of(64) {
            drop(store.watch(Filter::all()));
            assert_eq!(sum(store), ACCOUNTS * START);
        }
    }
}
