//! Scans between two places show exactly what is between them.

use std::collections::BTreeSet;
use std::ops::{Bound, ControlFlow, RangeBounds};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::super::{Course, Ends};
use super::{Domain, Index, Key, Random, insert, teardown};

const KEYS: u64 = if cfg!(miri) { 100 } else { 3_000 };
const SCANS: usize = if cfg!(miri) { 20 } else { 3_000 };

/// A bound of a scan from below, and the same for a BTreeSet; or of one from above.
fn bound(random: &mut Random, key: u64) -> (Option<Key>, Bound<u64>, Bound<u64>) {
    match random.below(5) {
        0 => (None, Bound::Unbounded, Bound::Unbounded),
        1 | 2 => (
            Some(Key::Before(key)),
            Bound::Included(key),
            Bound::Excluded(key),
        ),
        _ => (
            Some(Key::After(key)),
            Bound::Excluded(key),
            Bound::Included(key),
        ),
    }
}

fn between<const SHIFT: u32>(seed: u64) {
    let (domain, index) = (Domain::new(), Index::<SHIFT>::new());
    let alive = Arc::new(AtomicU64::new(0));
    let mut random = Random(seed);
    let mut expected = BTreeSet::new();
    for _ in 0..KEYS {
        let key = random.below(KEYS) * 2;
        insert(&domain, &index, key, &alive);
        expected.insert(key);
    }
    let (mut empty, mut some) = (0, 0);
    for _ in 0..SCANS {
        let low = random.below(2 * KEYS);
        let width = [2, 8, 200, 2 * KEYS][random.below(4) as usize];
        let high = low + random.below(width);
        let (lower, from_low, _) = bound(&mut random, low);
        let (upper, _, to_high) = bound(&mut random, high);
        let inside: Vec<u64> = expected
            .iter()
            .copied()
            .filter(|key| (from_low, to_high).contains(key))
            .collect();
        for reversed in [false, true] {
            let wanted = [1, 5, usize::MAX][random.below(3) as usize];
            let (from, until) = if reversed {
                (upper, lower)
            } else {
                (lower, upper)
            };
            let ends = Ends {
                from: from.as_ref(),
                until: until.as_ref(),
            };
            let mut seen = Vec::new();
            let guard = domain.pin();
            index.scan_within(&guard, ends, Course { reversed, wanted }, |node| {
                seen.push(node.key);
                ControlFlow::Continue(())
            });
            if reversed {
                seen.reverse();
            }
            assert_eq!(
                seen, inside,
                "{from_low:?} {to_high:?} reversed: {reversed}"
            );
        }
        *(if inside.is_empty() {
            &mut empty
        } else {
            &mut some
        }) += 1;
    }
    assert!(empty > 0 && some > 0, "both kinds are tried");
    teardown(index);
}

#[test]
fn a_scan_between_two_places_shows_what_is_between_them() {
    between::<0>(1);
    between::<6>(2);
    between::<64>(3);
}
