//! What the operations are on.

use std::convert::Infallible;

use skep::{Builder, Object, Store};

/// Items in the store.
pub const ITEMS: u64 = 10_000;
/// Groups that they are in: 100 in each.
pub const GROUPS: u64 = 100;

/// A small object with a unique and a plain index.
#[derive(Clone, Debug, Object)]
pub struct Item {
    /// The key.
    #[object(key)]
    pub id: u64,
    /// Its name.
    #[object(index(unique))]
    pub name: String,
    /// Its group.
    #[object(index)]
    pub group: u64,
    /// What updates change.
    pub count: u64,
}

impl Item {
    /// Item `id`.
    pub fn new(id: u64) -> Self {
        Self {
            id,
            name: name(id),
            group: id % GROUPS,
            count: 0,
        }
    }
}

/// The name of an item.
pub fn name(id: u64) -> String {
    format!("item.{id:08}")
}

/// An item that is there, each time another.
pub fn some(time: u64) -> u64 {
    time.wrapping_mul(7_919) % ITEMS
}

/// A store of items, with settings.
pub fn filled(settings: impl FnOnce(Builder) -> Builder) -> Store {
    let builder = Store::builder().table::<Item>().attempts_max(u32::MAX);
    let store = settings(builder).build();
    let created = store.update(|tx| (0..ITEMS).try_for_each(|id| tx.create(Item::new(id))));
    created.expect("a new store");
    store.reclaim();
    store
}

/// Changes an item in a transaction of its own.
pub fn count_up(store: &Store, id: u64) {
    let updated = store.update(|tx| {
        let modified = tx.modify::<Item>(&id, |item| item.count += 1);
        modified.expect("it is there");
        Ok::<_, Infallible>(())
    });
    updated.expect("attempts are not limited");
}
