//! Whether a store did what it was asked to do: after each workload its counters are read in every
//! way that it has, and are to come to the updates that it said it made. A rate of lost updates
//! would be worth nothing.

use crate::peers::Peer;

/// What is wrong with a store of tasks `0..records` whose counters were counted up so often.
pub fn wrong(peer: &dyn Peer, records: u32, updates: u64) -> Option<String> {
    let picks: Vec<u32> = (0..records).collect();
    let scanned = peer.scan_all();
    let counted = [
        ("reads in one snapshot", peer.read_in_one(&picks)),
        ("reads in a snapshot each", peer.read_each(&picks)),
        ("reads of what is newest", peer.read_newest(&picks)),
        ("a full scan", scanned.as_ref().map(|it| it.count)),
    ];
    let mut wrongs: Vec<String> = counted
        .into_iter()
        .filter_map(|(way, count)| Some((way, count.filter(|count| *count != updates)?)))
        .map(|(way, count)| format!("{way} count {count} updates, and {updates} were made"))
        .collect();
    let tasks = scanned.map_or(u64::from(records), |it| it.tasks);
    if tasks != u64::from(records) {
        wrongs.push(format!("a full scan finds {tasks} of {records} tasks"));
    }
    (!wrongs.is_empty()).then(|| wrongs.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{KINDS, ROW_KINDS, Scanned};

    const RECORDS: u32 = 1000;

    #[test]
    fn every_store_makes_each_update_once() {
        for kind in KINDS.iter().chain(ROW_KINDS) {
            let peer = (kind.load)(RECORDS);
            assert_eq!(wrong(&*peer, RECORDS, 0), None, "{}", kind.name);
            let each = peer.update_each(&[3, 4, 3]).map_or(0, |_| 3);
            let together = peer.update_together(&[5, 3, 5]).map_or(0, |_| 3);
            let found = wrong(&*peer, RECORDS, each + together);
            assert_eq!(found, None, "{}", kind.name);
            // The comparison is able to fail.
            assert!(wrong(&*peer, RECORDS, 7).is_some(), "{}", kind.name);
        }
    }

    #[test]
    fn a_scan_that_leaves_tasks_out_is_told() {
        struct Short;
        impl Peer for Short {
            fn scan_all(&self) -> Option<Scanned> {
                Some((0..RECORDS - 1).map(|_| 0).collect())
            }
        }
        let told = wrong(&Short, RECORDS, 0).expect("one is not found");
        assert!(told.contains("999 of 1000 tasks"), "{told}");
    }
}
