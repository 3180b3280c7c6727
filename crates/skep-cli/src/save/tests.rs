//! The made-up cluster and the tables.

use skep::cluster::{Task, builder, catalogue};
use skep::keys;

use super::{sample, tables};

fn saved(seed: u64, tasks: u32) -> Vec<u8> {
    let store = builder().build();
    let size = sample::Size { tasks, nodes: 4 };
    sample::fill(&store, seed, size, |_| ());
    assert_eq!(store.read().count(keys::<Task>().all()), tasks as usize);
    let mut file = Vec::new();
    store
        .save(&catalogue(), &mut file)
        .expect("memory takes it");
    file
}

#[test]
fn the_same_arguments_make_the_same_file() {
    assert_eq!(saved(1, 250), saved(1, 250));
    assert_ne!(saved(1, 250), saved(2, 250));
    assert_ne!(saved(1, 250), saved(1, 251));
    saved(1, 0);
}

#[test]
fn the_tables_are_those_of_the_catalogue() {
    let names: Vec<_> = catalogue().names().collect();
    assert_eq!(tables::names(), names.join(", "));
    assert!(names.iter().all(|name| tables::find(name).is_some()));
    assert!(tables::find("nothing").is_none());
}
