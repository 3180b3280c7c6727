//! Identities and versions: their text for people, their bytes for machines.

use serde::Serialize;
use serde::de::DeserializeOwned;
use skep::cluster::{Config, builder};
use skep::{Id, Meta, Version};

/// The shortest, the longest, and some between.
fn ids() -> Vec<Id> {
    let mut ids = vec![
        Id::from_u128(0),
        Id::from_u128(35),
        Id::from_u128(u128::MAX),
    ];
    ids.extend((0..100).map(|_| Id::random()));
    ids
}

fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it has a JSON");
    serde_json::from_str(&text).expect("its own JSON")
}

#[test]
fn an_id_is_its_text_where_people_read_it() {
    for id in ids() {
        assert_eq!(
            serde_json::to_string(&id).expect("a text"),
            format!("\"{id}\"")
        );
        assert_eq!(through_json(&id), id);
        assert_eq!(through_json(&Some(id)), Some(id));
    }
}

#[test]
fn an_id_is_sixteen_bytes_in_its_order_where_machines_do() {
    let mut ids = ids();
    ids.sort();
    let bytes = ids.iter().map(|id| postcard::to_stdvec(id).expect("bytes"));
    let bytes: Vec<_> = bytes.collect();
    assert!(bytes.is_sorted());
    for (id, bytes) in ids.iter().zip(&bytes) {
        assert_eq!(bytes.len(), 16);
        assert_eq!(postcard::from_bytes::<Id>(bytes), Ok(*id));
    }
}

#[test]
fn what_is_no_id_is_refused() {
    for text in [
        "\"\"",
        "\"0000000000000000000000000A\"",
        "12",
        "\"zzzzzzzzzzzzzzzzzzzzzzzzz\"",
    ] {
        assert!(serde_json::from_str::<Id>(text).is_err(), "{text}");
    }
    let large = serde_json::from_str::<Id>("\"zzzzzzzzzzzzzzzzzzzzzzzzz\"");
    let message = large.expect_err("more than 128 bits").to_string();
    assert!(message.contains("larger than"), "{message}");
}

#[test]
fn a_version_is_its_number() {
    let version = Version::new(7);
    assert_eq!(serde_json::to_string(&version).expect("a number"), "7");
    assert_eq!(through_json(&version), version);
}

#[test]
fn meta_keeps_version_and_times() {
    let store = builder().build();
    let config = Config::named(Id::from_u128(1), "name", "data");
    store
        .update(|tx| tx.create(config.clone()))
        .expect("a new key");
    let view = store.read();
    let meta = view
        .entry::<Config>(&config.id)
        .expect("it is there")
        .meta();
    let again: Meta = through_json(&meta);
    assert_eq!(again, meta);
    assert_eq!(again.version, Version::new(1));
}
