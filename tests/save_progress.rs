//! How far a saving or restoring is: what its caller is told, block by block, to the end.

#[path = "common/cluster.rs"]
mod cluster_objects;
mod common;

use cluster_objects::{builder, create, filled};
use skep::cluster::{Node, catalogue};
use skep::save::{BLOCK_BYTES, Catalogue, Progress};
use skep::{Id, Store};

/// Saves a store, and gives the file and what was told.
fn saved(store: &Store) -> (Vec<u8>, Vec<Progress>) {
    let (mut file, mut told) = (Vec::new(), Vec::new());
    let snapshot = store.snapshot();
    let saved = snapshot.save(&catalogue(), &mut file, |progress| told.push(progress));
    assert_eq!(saved.expect("memory takes it").bytes, file.len() as u64);
    (file, told)
}

fn restored(store: &Store, file: &[u8]) -> Vec<Progress> {
    let mut told = Vec::new();
    let restored = store.restore_with(&catalogue(), file, |progress| told.push(progress));
    restored.expect("a sound file");
    told
}

/// Asserts that neither number falls, and that the last ones are of the whole.
#[track_caller]
fn assert_told_to_the_end(told: &[Progress], objects: u64, file: &[u8]) {
    assert!(told.is_sorted_by_key(|progress| progress.objects));
    assert!(told.is_sorted_by(|one, next| one.bytes < next.bytes));
    let last = told.last().expect("the end is told");
    let whole = ("volume", objects, file.len() as u64);
    assert_eq!((last.table, last.objects, last.bytes), whole);
}

/// Of all tables, of which each is smaller than a block; and of those without an object.
#[test]
fn it_ends_with_the_whole() {
    for (store, objects) in [(filled(), 40), (builder().build(), 0)] {
        let (file, told) = saved(&store);
        assert_told_to_the_end(&told, objects, &file);
        for target in [&store, &builder().build()] {
            let told = restored(target, &file);
            assert_told_to_the_end(&told, objects, &file);
            let tables = told.iter().map(|progress| progress.table);
            let tables: std::collections::BTreeSet<&str> = tables.collect();
            assert_eq!(tables.len(), 10);
        }
    }
}

/// What a block has is counted when it is written, or all of it has been read.
#[test]
fn it_is_told_block_by_block() {
    let store = builder().build();
    let node = |number: u64| {
        let mut random = common::Random::new(number);
        let name = std::iter::repeat_with(|| format!("{:x}", random.next()));
        let name: String = name.take(BLOCK_BYTES / 100).collect();
        Node::named(Id::from_u128(number.into()), name)
    };
    create(&store, (1..=50).map(node).collect());
    let (file, told) = saved(&store);
    assert_told_to_the_end(&told, 50, &file);
    let blocks = |told: &[Progress]| -> Vec<u64> {
        let nodes = told.iter().filter(|progress| progress.table == "node");
        let mut objects: Vec<u64> = nodes.map(|progress| progress.objects).collect();
        objects.retain(|objects| *objects > 0);
        objects.dedup();
        objects
    };
    let written = blocks(&told);
    assert!(written.len() > 3, "{written:?}");
    assert_eq!(written.last(), Some(&50));
    let told = restored(&builder().build(), &file);
    assert_told_to_the_end(&told, 50, &file);
    assert_eq!(blocks(&told), written);
}

/// Of what there is nothing of there is nothing to tell.
#[test]
fn of_no_table_nothing_is_told() {
    let (store, none) = (builder().build(), Catalogue::new());
    let mut file = Vec::new();
    let told = |progress: Progress| panic!("{progress:?}");
    let saved = store.snapshot().save(&none, &mut file, told);
    assert_eq!(saved.expect("memory takes it").objects, 0);
    let restored = store.restore_with(&none, &file[..], told);
    assert_eq!(restored.expect("a sound file").tables, []);
}
