//! Filling an empty index at once.

use super::*;

/// Nodes with these keys.
fn nodes<const SHIFT: u32>(
    keys: impl Iterator<Item = u64>,
    alive: &Arc<AtomicU64>,
) -> Vec<*mut Node<SHIFT>> {
    keys.map(|key| Node::allocate(key, alive)).collect()
}

fn fill<const SHIFT: u32>(
    domain: &Domain,
    index: &Index<SHIFT>,
    nodes: &[*mut Node<SHIFT>],
) -> bool {
    let mut garbage = Garbage::new();
    let filled = index.fill(&domain.pin(), &mut garbage, nodes);
    domain.give(garbage);
    filled
}

/// Frees nodes that no index has.
fn free_all<const SHIFT: u32>(nodes: Vec<*mut Node<SHIFT>>) {
    for node in nodes {
        // SAFETY: never put in, so nobody else knows it.
        unsafe { free(node) };
    }
}

fn drain<const SHIFT: u32>(index: &mut Index<SHIFT>) {
    index.drain(|node| {
        // SAFETY: nobody else is left, and each is met once.
        unsafe { free(node) };
    });
}

#[test]
fn a_filled_index_has_all_and_takes_more() {
    let alive = Arc::new(AtomicU64::new(0));
    for count in [0, 1, 2, 48, 49, 64, 65, 1_000, 3_200, 30_000] {
        let (domain, mut index) = (Domain::new(), Index::<3>::new());
        let filled = nodes((0..count).map(|key| 2 * key), &alive);
        assert!(fill(&domain, &index, &filled));
        let all: Vec<u64> = (0..count).map(|key| 2 * key).collect();
        assert_eq!(ascending(&domain.pin(), &index, None, usize::MAX), all);
        // Between, before and after; then every fourth goes.
        for key in (0..count).step_by(7) {
            assert!(insert(&domain, &index, 2 * key + 1, &alive));
            assert!(!insert(&domain, &index, 2 * key, &alive), "it is there");
        }
        let mut expected: BTreeMap<u64, u32> = all.iter().map(|&key| (key, 1)).collect();
        for key in (0..count).step_by(7) {
            expected.insert(2 * key + 1, 1);
            *expected.entry(2 * key).or_default() += 1;
        }
        for key in (0..count).step_by(4) {
            let claims = expected.get_mut(&(2 * key)).expect("put in");
            *claims -= 1;
            assert_eq!(remove(&domain, &index, 2 * key), *claims == 0);
        }
        expected.retain(|_, claims| *claims > 0);
        let left: Vec<u64> = expected.into_keys().collect();
        assert_eq!(ascending(&domain.pin(), &index, None, usize::MAX), left);
        drain(&mut index);
        (0..8).for_each(|_| collect(&domain));
    }
    assert_eq!(alive.load(SeqCst), 0);
}

#[test]
fn an_index_with_a_node_and_nodes_that_do_not_ascend_are_left_alone() {
    let alive = Arc::new(AtomicU64::new(0));
    let (domain, mut index) = (Domain::new(), Index::<64>::new());
    for keys in [[1, 3, 2], [1, 1, 2], [2, 1, 3]] {
        let unsorted = nodes(keys.into_iter(), &alive);
        assert!(!fill(&domain, &index, &unsorted));
        free_all(unsorted);
    }
    assert!(insert(&domain, &index, 5, &alive));
    let late = nodes(1..4, &alive);
    assert!(!fill(&domain, &index, &late));
    free_all(late);
    assert_eq!(ascending(&domain.pin(), &index, None, usize::MAX), [5]);
    drain(&mut index);
    assert_eq!(alive.load(SeqCst), 0);
}
