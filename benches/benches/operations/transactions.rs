//! What is done in a transaction, and its end.

use skep::{Store, Transaction, keys};

use crate::Bench;
use crate::items::{GROUPS, ITEMS, Item, filled, name, some};

pub fn measure(bench: &mut Bench) {
    let store = &filled(|builder| builder);
    reads(bench, store);
    writes(bench, store);
    ends(bench, store);
}

/// A transaction, and an item that is there.
fn open<'s>(store: &'s Store) -> impl FnMut(u64) -> (Transaction<'s>, u64) {
    |time| (store.begin(), some(time))
}

fn reads(bench: &mut Bench, store: &Store) {
    bench.on("Transaction::get", open(store), |(tx, id)| {
        tx.get::<Item>(id).map(|item| item.count)
    });
    bench.on("Transaction::prefetch", open(store), |(tx, id)| {
        tx.prefetch::<Item>(&[*id, *id + 1, *id + 2, *id + 3]);
    });
    bench.on("Transaction::entry", open(store), |(tx, id)| {
        tx.entry::<Item>(id).map(|entry| entry.count)
    });
    bench.on("Transaction::object", open(store), |(tx, id)| {
        tx.object::<Item>(id).map(|object| object.count)
    });
    bench.on("Transaction::before", open(store), |(tx, id)| {
        tx.before::<Item>(id).is_some()
    });
    bench.on("Transaction::peek", open(store), |(tx, id)| {
        tx.peek::<Item>(id).map(|item| item.count)
    });
    bench.on("Transaction::find", open(store), |(tx, id)| {
        let found = tx.find(keys::<Item>().range(*id..*id + 10));
        found.map(|item| item.count).sum::<u64>()
    });
    bench.on("Transaction::peek_find", open(store), |(tx, id)| {
        let found = tx.peek_find(keys::<Item>().range(*id..*id + 10));
        found.map(|item| item.count).sum::<u64>()
    });
    bench.on("Transaction::get_by", open(store), |(tx, id)| {
        tx.get_by(Item::BY_NAME, name(*id)).map(|item| item.count)
    });
    bench.on("Transaction::count", open(store), |(tx, id)| {
        tx.count(Item::BY_GROUP.eq(*id % GROUPS))
    });
    bench.on("Transaction::exists", open(store), |(tx, id)| {
        tx.exists(Item::BY_GROUP.eq(*id % GROUPS))
    });
    bench.on("Transaction::first", open(store), |(tx, id)| {
        tx.first(Item::BY_GROUP.eq(*id % GROUPS))
            .map(|item| item.count)
    });
}

/// A transaction, and an item to be put.
fn with_item<'s>(
    store: &'s Store,
    first: u64,
) -> impl FnMut(u64) -> (Transaction<'s>, Option<Item>) {
    move |time| {
        let id = if first == 0 { some(time) } else { first + time };
        let item = Item {
            count: time,
            ..Item::new(id)
        };
        (store.begin(), Some(item))
    }
}

fn taken(item: &mut Option<Item>) -> Item {
    item.take().expect("each is put once")
}

fn writes(bench: &mut Bench, store: &Store) {
    bench.on(
        "Transaction::create",
        with_item(store, ITEMS),
        |(tx, item)| {
            tx.create(taken(item)).expect("a new key");
        },
    );
    bench.on("Transaction::update", with_item(store, 0), |(tx, item)| {
        tx.update(taken(item)).expect("it is there");
    });
    let version = store.version();
    bench.on(
        "Transaction::update_at",
        with_item(store, 0),
        |(tx, item)| {
            tx.update_at(version, taken(item))
                .expect("nobody changed it");
        },
    );
    bench.on("Transaction::upsert", with_item(store, 0), |(tx, item)| {
        tx.upsert(taken(item)).expect("no rule is against it");
    });
    bench.on("Transaction::modify", open(store), |(tx, id)| {
        let modified = tx.modify::<Item>(id, |item| item.count += 1);
        modified.expect("it is there");
    });
    bench.on("Transaction::delete", open(store), |(tx, id)| {
        tx.delete::<Item>(id).expect("it is there");
    });
    bench.on("Transaction::delete_at", open(store), |(tx, id)| {
        tx.delete_at::<Item>(version, id)
            .expect("nobody changed it");
    });
}

/// A transaction that has changed an item which no other does meanwhile.
fn changed<'s>(store: &'s Store) -> impl FnMut(u64) -> Transaction<'s> {
    |time| {
        let mut tx = store.begin();
        let modified = tx.modify::<Item>(&(time % ITEMS), |item| item.count += 1);
        modified.expect("it is there");
        tx
    }
}

fn ends(bench: &mut Bench, store: &Store) {
    bench.of("Transaction::commit", changed(store), |tx| {
        tx.commit().expect("nobody is in the way")
    });
    bench.of("Transaction::drop", changed(store), drop);
}
