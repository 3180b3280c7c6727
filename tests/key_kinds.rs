//! Keys and index values of any type that is ordered, hashed and cloned.

mod common;

use std::fmt::Debug;
use std::sync::Arc;

use skep::{Filter, Index, Indexes, Key, Object, keys};

/// An object with a key of type `K`, found by its second as well.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Keyed<K>(K, K);

impl<K: Key + Debug> Keyed<K> {
    const BY_SECOND: Index<Self, K> = Index::new("by_second", |it: &Self, keys| {
        keys.add(it.1.clone());
    });
}

impl<K: Key + Debug> Object for Keyed<K> {
    type Key = K;
    const TABLE: &'static str = "keyed";

    fn key(&self) -> K {
        self.0.clone()
    }

    fn indexes(indexes: &mut Indexes<Self>) {
        indexes.add(Self::BY_SECOND);
    }
}

/// Stores an object a key and finds each in every way. `sorted` are in their order.
#[track_caller]
fn check<K: Key + Debug>(sorted: &[K]) {
    let store = common::builder().table::<Keyed<K>>().build();
    let mut watcher = store.watch(Filter::of::<Keyed<K>>().key(&sorted[0]));
    // The second values are in the opposite order.
    let objects = sorted.iter().zip(sorted.iter().rev());
    for (key, second) in objects.clone().rev() {
        let object = Keyed(key.clone(), second.clone());
        store
            .update(|tx| tx.create(object.clone()))
            .expect("each key is there once");
    }
    let read = store.read();
    let found = read.find(keys::<Keyed<K>>().all()).map(|it| &it.0);
    assert!(found.eq(sorted));
    let found = read.find(Keyed::<K>::BY_SECOND.all()).map(|it| &it.0);
    assert!(found.eq(sorted.iter().rev()));
    for (key, second) in objects {
        let object = Keyed(key.clone(), second.clone());
        assert_eq!(read.get::<Keyed<K>>(key), Some(&object));
        assert_eq!(
            read.first(Keyed::<K>::BY_SECOND.eq(second.clone())),
            Some(&object)
        );
    }
    let below = read.count(keys::<Keyed<K>>().range(..sorted[1].clone()));
    assert_eq!(below, 1);
    let events = std::iter::from_fn(|| watcher.try_recv().expect("it does not lag"));
    assert_eq!(events.filter(|event| event.change().is_some()).count(), 1);
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Address {
    Local,
    Named(String),
    Numbered { host: [u8; 4], port: u16 },
}

#[test]
fn keys_are_of_any_ordered_type() {
    check(&[
        (1u8, "a".to_owned()),
        (1, "b".to_owned()),
        (2, "".to_owned()),
    ]);
    check(&[i128::MIN, -1, 0, i128::MAX]);
    check::<Arc<str>>(&["".into(), "a".into(), "ab".into(), "b".into()]);
    check(&[false, true]);
    check(&[None, Some('a'), Some('z')]);
    check(&[vec![], vec![0u8], vec![0, 0], vec![1]]);
    check(&[
        Address::Local,
        Address::Named("a".into()),
        Address::Named("b".into()),
        Address::Numbered {
            host: [10, 0, 0, 1],
            port: 80,
        },
    ]);
}
