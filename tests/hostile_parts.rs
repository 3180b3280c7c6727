//! Objects, keys and values of which each panics when it is dropped: several go at once, or one
//! goes because something else has panicked. All of them go, nothing ends the process, and who
//! commits is told what he would be told without.

#[path = "common/brittle.rs"]
mod brittle;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brittle::{BREAKS, Brittle, alive};
use skep::{
    Builder, CommitError, Index, Indexes, Object, Proposal, Proposer, Store, Transaction, keys,
};

thread_local! {
    /// Whether the index function does, of the last object.
    static MISSES: Cell<bool> = const { Cell::new(false) };
}

/// Held by each test: they count in common.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs it while each Drop panics.
fn breaking<R>(run: impl FnOnce() -> R) -> std::thread::Result<R> {
    BREAKS.set(true);
    let ran = catch_unwind(AssertUnwindSafe(run));
    BREAKS.set(false);
    ran
}

/// Found by keys and values that are brittle.
#[derive(Clone, Debug)]
struct Named {
    id: u64,
    first: u64,
}

impl Named {
    /// Three for each object.
    const BY_NAME: Index<Self, Brittle> = Index::new("by_name", |named: &Self, keys| {
        (0..3).for_each(|name| keys.add(Brittle::new(named.first + name)));
    });
}

impl Object for Named {
    type Key = Brittle;
    const TABLE: &'static str = "named";

    fn key(&self) -> Brittle {
        Brittle::new(self.id)
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_NAME);
    }
}

/// Brittle itself.
#[derive(Clone, Debug)]
struct Thing {
    id: u64,
    part: Brittle,
}

const LAST: u64 = 99;

impl Thing {
    const BY_PART: Index<Self, u64> = Index::new("by_part", |thing: &Self, keys| {
        if MISSES.get() && thing.id == LAST {
            // Without the message of a panic.
            resume_unwind(Box::new("it misses"));
        }
        keys.add(thing.part.0);
    });
}

impl Object for Thing {
    type Key = u64;
    const TABLE: &'static str = "thing";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_PART);
    }
}

fn builder() -> Builder {
    Store::builder().table::<Named>().table::<Thing>()
}

/// Without a proposer, whose threads would drop some of it as well.
fn store() -> Store {
    builder().build()
}

fn thing(id: u64) -> Thing {
    let part = Brittle::new(id);
    Thing { id, part }
}

/// So many of the last things: few are put in place one by one, many all at once.
const SORTS: [u64; 2] = [10, 90];

fn create_last<'s>(store: &'s Store, count: u64) -> Transaction<'s> {
    let mut tx = store.begin();
    let mut last = LAST + 1 - count..=LAST;
    last.try_for_each(|id| tx.create(thing(id))).expect("new");
    tx
}

/// More than fit in a leaf, so that the indexes have copies of keys and values between leaves.
const MANY: u64 = 5_000;

fn create_many(store: &Store) {
    for some in 0..MANY / 50 {
        let mut ids = some * 50..(some + 1) * 50;
        let created = store.update(|tx| ids.try_for_each(|id| tx.create(Named { id, first: id })));
        created.expect("new keys");
    }
}

/// What indexes have between their leaves goes with the store.
#[test]
fn copies_of_keys_and_values_go_with_their_store() {
    let _alone = alone();
    let store = store();
    create_many(&store);
    breaking(|| drop(store)).expect("it is nobody's trouble");
    assert_eq!(alive(), 0);
}

/// And before, when leaves are split and merged.
#[test]
fn copies_of_keys_and_values_go_with_what_is_rebuilt() {
    let _alone = alone();
    let store = store();
    create_many(&store);
    breaking(|| store.reclaim()).expect("it is nobody's trouble");
    for id in 0..MANY {
        let deleted = store.update(|tx| tx.delete::<Named>(&Brittle::new(id)));
        deleted.expect("it is there");
    }
    breaking(|| store.reclaim()).expect("it is nobody's trouble");
    assert_eq!(store.read().count(keys::<Named>().all()), 0);
    drop(store);
    assert_eq!(alive(), 0);
}

/// The values that an object had and has, as they are compared.
#[test]
fn values_go_when_they_were_compared() {
    let _alone = alone();
    let store = store();
    let created = store.update(|tx| tx.create(Named { id: 1, first: 1 }));
    created.expect("a new key");
    let key = Brittle::new(1);
    let mut tx = store.begin();
    let modified = tx.modify::<Named>(&key, |named| named.first = 2);
    modified.expect("it is there");
    let committed = breaking(|| tx.commit()).expect("it is nobody's trouble");
    committed.expect("nobody is in the way");
    assert_eq!(store.read().count(Named::BY_NAME.eq(Brittle::new(4))), 1);
    drop((store, key));
    assert_eq!(alive(), 0);
}

/// Objects that were put in place, and are not to be.
#[test]
fn a_conflict_is_told_whatever_goes_with_it() {
    let _alone = alone();
    for count in SORTS {
        let store = store();
        let tx = create_last(&store, count);
        let others = store.update(|tx| tx.create(thing(LAST)));
        others.expect("a new key");
        let lost = breaking(|| tx.commit()).expect("it is nobody's trouble");
        assert!(
            matches!(lost, Err(CommitError::Conflict { .. })),
            "{lost:?}"
        );
        store.reclaim();
        assert_eq!(alive(), 1, "{count}");
        drop(store);
        assert_eq!(alive(), 0, "{count}");
    }
}

/// Objects that are being put in place when an index function panics.
#[test]
fn a_panic_amid_a_commit_is_told_whatever_goes_with_it() {
    let _alone = alone();
    for count in SORTS {
        let store = store();
        let tx = create_last(&store, count);
        MISSES.set(true);
        let missed = breaking(|| tx.commit()).expect_err("the index function panics");
        MISSES.set(false);
        assert_eq!(missed.downcast_ref(), Some(&"it misses"), "{count}");
        store.reclaim();
        assert_eq!(alive(), 0, "{count}");
        assert_eq!(store.read().count(Thing::BY_PART.all()), 0);
    }
}

/// Accepts what it is proposed, or refuses it; at once.
struct Decides {
    accepts: bool,
}

impl Proposer for Decides {
    fn propose(&self, proposal: Proposal) {
        let answered = match self.accepts {
            true => proposal.ticket().accept(proposal.number()),
            false => proposal.ticket().refuse("as the test wants it"),
        };
        answered.expect("the first answer");
    }
}

/// Keys that a proposal has read, and ranges between keys.
#[test]
fn what_a_proposal_has_read_goes() {
    let _alone = alone();
    for (accepts, ends) in [(true, false), (true, true), (false, false), (false, true)] {
        let store = builder().proposer(Arc::new(Decides { accepts })).build();
        let committed = store.update(|tx| {
            for id in 0..4 {
                assert!(tx.get::<Named>(&Brittle::new(id)).is_none());
                let range = Brittle::new(id)..Brittle::new(id + 1);
                assert_eq!(tx.count(keys::<Named>().range(range)), 0);
            }
            tx.create(thing(1))
        });
        assert_eq!(committed.is_ok(), accepts);
        let left = i64::from(accepts);
        if !ends {
            breaking(|| store.reclaim()).expect("it is nobody's trouble");
            assert_eq!(alive(), left);
        }
        breaking(|| drop(store)).expect("it is nobody's trouble");
        assert_eq!(alive(), 0);
    }
}
