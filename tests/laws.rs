//! Laws that hold in every version, whatever threads do: money is moved and not made, a ring stays
//! one ring, and a value certifies itself.

mod common;

use common::{Account, Random, account, builder, put};
use skep::{Error, Index, Indexes, Object, Transaction, View, keys};

const ACCOUNTS: u32 = 16;
const START: i64 = 100;
const TURNS: u32 = 3_000;

/// A place in a ring, with a sum over what it holds.
#[derive(Clone, Debug)]
struct Place {
    id: u64,
    next: u64,
    turn: u64,
    sum: u64,
}

impl Place {
    const BY_NEXT: Index<Self, u64> =
        Index::new("by_next", |place: &Self, keys| keys.add(place.next));

    fn new(id: u64, next: u64, turn: u64) -> Self {
        let sum = Self::sum_of(id, next, turn);
        Self {
            id,
            next,
            turn,
            sum,
        }
    }

    fn sum_of(id: u64, next: u64, turn: u64) -> u64 {
        (id ^ next.rotate_left(21) ^ turn.rotate_left(42)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn certify(&self) {
        assert_eq!(
            self.sum,
            Self::sum_of(self.id, self.next, self.turn),
            "{self:?}"
        );
    }
}

impl Object for Place {
    type Key = u64;
    const TABLE: &'static str = "place";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_NEXT);
    }
}

fn move_money(tx: &mut Transaction<'_>, from: u32, to: u32) -> Result<(), Error> {
    if from == to
        || tx
            .get::<Account>(&from)
            .is_none_or(|account| account.balance == 0)
    {
        return Ok(());
    }
    tx.modify::<Account>(&from, |account| account.balance -= 1)?;
    tx.modify::<Account>(&to, |account| account.balance += 1)?;
    Ok(())
}

fn total(view: &View<'_>) -> i64 {
    view.find(keys::<Account>().all())
        .map(|account| account.balance)
        .sum()
}

#[test]
fn money_is_moved_and_not_made() {
    let store = builder().table::<Account>().attempts_max(u32::MAX).build();
    put(&store, (0..ACCOUNTS).map(|id| account(id, START)));
    let held = store.snapshot();
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random::new(thread);
                for _ in 0..TURNS {
                    let (from, to) = (random.below(16) as u32, random.below(16) as u32);
                    store
                        .update(|tx| move_money(tx, from, to))
                        .expect("attempts enough");
                }
            });
        }
        let store = &store;
        scope.spawn(move || {
            for _ in 0..TURNS {
                assert_eq!(store.view(total), i64::from(ACCOUNTS) * START);
            }
        });
    });
    assert_eq!(store.view(total), i64::from(ACCOUNTS) * START);
    let then = held.find(keys::<Account>().all());
    assert!(then.into_iter().all(|account| account.balance == START));
}

/// Takes the place after `at` out of the ring and puts it behind the place after `to`.
fn turn_ring(tx: &mut Transaction<'_>, at: u64, to: u64) -> Result<(), Error> {
    let next = |tx: &Transaction<'_>, id: u64| tx.get::<Place>(&id).map_or(id, |place| place.next);
    let taken = next(tx, at);
    let after = next(tx, taken);
    if taken == at || taken == to {
        return Ok(());
    }
    link(tx, at, after)?;
    let behind = next(tx, to);
    link(tx, to, taken)?;
    link(tx, taken, behind)
}

fn link(tx: &mut Transaction<'_>, id: u64, next: u64) -> Result<(), Error> {
    let turn = tx.get::<Place>(&id).map_or(0, |place| place.turn + 1);
    Ok(tx.update(Place::new(id, next, turn))?)
}

fn check_ring(view: &View<'_>, places: u64) {
    let mut at = 0;
    for step in 1..=places {
        let place = view.get::<Place>(&at).expect("a place of the ring");
        place.certify();
        assert_eq!(view.count(Place::BY_NEXT.eq(place.next)), 1);
        at = place.next;
        assert_eq!(
            at == 0,
            step == places,
            "the ring closes after {step} steps"
        );
    }
}

#[test]
fn a_ring_stays_one_ring() {
    const PLACES: u64 = 12;
    let store = builder().table::<Place>().attempts_max(u32::MAX).build();
    put(
        &store,
        (0..PLACES).map(|id| Place::new(id, (id + 1) % PLACES, 0)),
    );
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random::new(100 + thread);
                for turn in 0..TURNS / 2 {
                    let (at, to) = (random.below(PLACES), random.below(PLACES));
                    store
                        .update(|tx| turn_ring(tx, at, to))
                        .expect("attempts enough");
                    if turn % 16 == 0 {
                        store.view(|view| check_ring(view, PLACES));
                    }
                }
            });
        }
    });
    store.view(|view| check_ring(view, PLACES));
}
