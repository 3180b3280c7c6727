//! Bounds that a table sets itself by its rules: how many objects it has, how large they are, how
//! long their keys. They hold in every version, whoever commits at the same time.

mod common;

use std::sync::atomic::{AtomicU64, Ordering};

use skep::{
    CreateError, Indexes, Object, Proposed, Rejected, ReplaceError, Store, Transaction,
    UpdateError, keys,
};

const OBJECTS_MAX: usize = 10;
const KEY_BYTES_MAX: usize = 8;
const TEXT_BYTES_MAX: usize = 16;

#[derive(Clone, Debug)]
struct Page {
    name: String,
    text: String,
}

/// Which bound a change would break.
#[derive(Debug, PartialEq, Eq)]
enum Beyond {
    Objects,
    KeyBytes(usize),
    TextBytes(usize),
}

impl std::fmt::Display for Beyond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "beyond a bound: {self:?}")
    }
}

impl std::error::Error for Beyond {}

impl Object for Page {
    type Key = String;
    const TABLE: &'static str = "page";

    fn key(&self) -> String {
        self.name.clone()
    }

    fn indexes(_: &mut Indexes<Self>) {}

    fn check(change: Proposed<'_, Self>, tx: &Transaction<'_>) -> Result<(), Rejected> {
        let Some(page) = change.after() else {
            return Ok(());
        };
        if page.name.len() > KEY_BYTES_MAX {
            return Err(Rejected::new(Beyond::KeyBytes(page.name.len())));
        }
        if page.text.len() > TEXT_BYTES_MAX {
            return Err(Rejected::new(Beyond::TextBytes(page.text.len())));
        }
        if change.before().is_none() && tx.count(keys::<Self>().all()) >= OBJECTS_MAX {
            return Err(Rejected::new(Beyond::Objects));
        }
        Ok(())
    }
}

fn page(name: impl Into<String>, text: &str) -> Page {
    let (name, text) = (name.into(), text.into());
    Page { name, text }
}

fn create(store: &Store, page: &Page) -> Option<Beyond> {
    match store.update(|tx| tx.create(page.clone())) {
        Ok(()) => None,
        Err(UpdateError::Closure(CreateError::Rejected(rejected))) => {
            let reason = rejected.downcast_ref().expect("a bound of this table");
            Some(match reason {
                Beyond::Objects => Beyond::Objects,
                Beyond::KeyBytes(bytes) => Beyond::KeyBytes(*bytes),
                Beyond::TextBytes(bytes) => Beyond::TextBytes(*bytes),
            })
        }
        Err(other) => panic!("{other}"),
    }
}

fn pages() -> Store {
    common::builder()
        .table::<Page>()
        .attempts_max(1_000_000)
        .build()
}

#[test]
fn a_key_and_an_object_that_are_too_long_are_refused() {
    let store = pages();
    assert_eq!(create(&store, &page("x".repeat(8), &"y".repeat(16))), None);
    let long_key = create(&store, &page("x".repeat(9), ""));
    assert_eq!(long_key, Some(Beyond::KeyBytes(9)));
    let long_text = create(&store, &page("z", &"y".repeat(17)));
    assert_eq!(long_text, Some(Beyond::TextBytes(17)));
    let grown = store.update(|tx| {
        let refused = tx.modify::<Page>(&"x".repeat(8), |page| page.text.push('y'));
        match refused {
            Err(ReplaceError::Rejected(rejected)) => {
                assert_eq!(rejected.downcast_ref(), Some(&Beyond::TextBytes(17)));
            }
            other => panic!("{other:?}"),
        }
        // It may go on.
        tx.modify::<Page>(&"x".repeat(8), |page| page.text.clear())
    });
    assert_eq!(grown, Ok(()));
    assert_eq!(store.read().count(keys::<Page>().all()), 1);
}

/// The count is a read of the rule, so two creations at once do not both find the last place.
#[test]
fn a_table_never_has_more_objects_than_its_rule_says() {
    let store = pages();
    let refused = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, refused) = (&store, &refused);
            scope.spawn(move || {
                for turn in 0..300 {
                    let name = format!("{thread}-{turn}");
                    match create(store, &page(&name, "")) {
                        None if turn % 3 == 0 => {
                            let deleted = store.update(|tx| tx.delete::<Page>(&name));
                            assert_eq!(deleted, Ok(()));
                        }
                        None => {}
                        Some(beyond) => {
                            assert_eq!(beyond, Beyond::Objects);
                            refused.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    assert!(store.read().count(keys::<Page>().all()) <= OBJECTS_MAX);
                }
            });
        }
    });
    assert_eq!(store.read().count(keys::<Page>().all()), OBJECTS_MAX);
    assert!(refused.load(Ordering::Relaxed) > 0);
}
