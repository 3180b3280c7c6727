//! Skep with integer keys and tiny rows.

use std::convert::Infallible;

use skep::{Indexes, Object, Store};

use super::{Peer, Row, numbers};

impl Object for Row {
    type Key = u64;
    const TABLE: &'static str = "row";

    fn key(&self) -> u64 {
        self.id
    }

    fn indexes(_: &mut Indexes<Self>) {}
}

struct Rows(Store);

pub(super) fn load(records: u32) -> Box<dyn Peer> {
    let store = Store::builder()
        .table::<Row>()
        .attempts_max(u32::MAX)
        .build();
    for id in numbers(records) {
        let created = store.update(|tx| tx.create(Row { id, value: 0 }));
        created.expect("a new key");
    }
    store.reclaim();
    Box::new(Rows(store))
}

impl Peer for Rows {
    fn begin_each(&self, count: usize) -> Option<()> {
        for _ in 0..count {
            std::hint::black_box(self.0.read());
        }
        Some(())
    }

    fn read_in_one(&self, picks: &[u32]) -> Option<u64> {
        let view = self.0.read();
        let rows = picks
            .iter()
            .filter_map(|&pick| view.get::<Row>(&u64::from(pick)));
        Some(rows.map(|row| row.value).sum())
    }

    fn read_each(&self, picks: &[u32]) -> Option<u64> {
        let read = |&pick: &u32| {
            let view = self.0.read();
            view.get::<Row>(&u64::from(pick)).map_or(0, |row| row.value)
        };
        Some(picks.iter().map(read).sum())
    }

    fn update_each(&self, picks: &[u32]) -> Option<u32> {
        let update = |&pick: &u32| {
            let mut attempts = 0;
            let updated = self.0.update(|tx| {
                attempts += 1;
                let modified = tx.modify::<Row>(&u64::from(pick), |row| row.value += 1);
                modified.expect("it is there");
                Ok::<_, Infallible>(())
            });
            updated.expect("attempts are not limited");
            attempts
        };
        picks.iter().map(update).max()
    }
}
