//! The workloads that are not one rate: a held snapshot (j), churn (k), memory (l), a transaction
//! left open (n).

use std::time::{Duration, Instant};

use crate::memory;
use crate::peers::{Held, Kind};

/// Updates beside the held snapshot.
const HELD_UPDATES: u32 = 1_000_000;
/// Keys that they go to.
const HELD_KEYS: u32 = 1000;
/// Tasks put in and taken out.
const CHURN: u64 = 1_000_000;
/// Tasks that are in at one time during churn.
const CHURN_ALIVE: u64 = 1000;
/// Commits beside the open transaction.
const OPEN_COMMITS: u32 = 70_000;
/// How long memory must stay the same to have settled.
const SETTLE_STEP: Duration = Duration::from_millis(300);
/// Steps waited for that at most.
const SETTLE_STEPS_MAX: u32 = 20;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// One store's figures: what each is, and the figure.
pub type Figures = Vec<(&'static str, f64)>;

/// Waits, not for ever, until the store before is gone: some give back in the background.
fn settle() {
    for _ in 0..SETTLE_STEPS_MAX {
        let before = memory::bytes();
        std::thread::sleep(SETTLE_STEP);
        if memory::bytes() == before {
            return;
        }
    }
}

fn mebibytes(bytes: i64) -> f64 {
    bytes as f64 / MEBIBYTE
}

fn updates(peer: &dyn crate::peers::Peer, count: u32) -> Option<f64> {
    let picks: Vec<u32> = (0..HELD_KEYS).collect();
    let start = Instant::now();
    for _ in 0..count / HELD_KEYS {
        peer.update_each(&picks)?;
    }
    Some(f64::from(count) / start.elapsed().as_secs_f64())
}

/// j: updates of 1,000 keys without and with one snapshot held; what that takes of memory; whether
/// the old snapshot stays right.
pub fn held(kind: &Kind, records: u32) -> Option<Figures> {
    let peer = (kind.load)(records.max(HELD_KEYS));
    let held = peer.hold()?;
    drop(held);
    let without = updates(&*peer, HELD_UPDATES)?;
    peer.reclaim();
    let before = memory::bytes();
    let held = peer.hold()?;
    let counts = |held: &dyn Held| {
        (0..HELD_KEYS)
            .map(|pick| held.count(pick))
            .collect::<Vec<_>>()
    };
    let shown = counts(&*held);
    let beside = updates(&*peer, HELD_UPDATES)?;
    let grown = memory::bytes() - before;
    let right = counts(&*held) == shown;
    drop(held);
    Some(vec![
        ("updates/s, none held", without),
        ("updates/s, one held", beside),
        ("ratio", beside / without),
        ("MiB more", mebibytes(grown)),
        ("snapshot right", f64::from(u8::from(right))),
    ])
}

/// k: a million tasks put in and taken out, at most a thousand at a time; whether memory comes
/// back.
pub fn churn(kind: &Kind, records: u32) -> Option<Figures> {
    let peer = (kind.load)(records);
    let first = u64::from(records);
    let round = |from: u64, to: u64| {
        for number in from..to + CHURN_ALIVE {
            if number < to {
                peer.insert(number)?;
            }
            if number >= from + CHURN_ALIVE {
                peer.remove(number - CHURN_ALIVE)?;
            }
        }
        Some(())
    };
    // Once in small, so that what grows once has grown.
    round(first, first + CHURN / 10)?;
    peer.reclaim();
    let before = memory::bytes();
    let from = first + CHURN / 10;
    let start = Instant::now();
    round(from, from + CHURN)?;
    let rate = CHURN as f64 * 2.0 / start.elapsed().as_secs_f64();
    let unreclaimed = memory::bytes();
    peer.reclaim();
    let share = |after: i64| 100.0 * (after - before) as f64 / before as f64;
    Some(vec![
        ("inserts and deletes/s", rate),
        ("% memory more", share(unreclaimed)),
        ("% after reclaiming", share(memory::bytes())),
    ])
}

/// l: bytes a record beyond the task itself.
pub fn memory(kind: &Kind, records: u32) -> Option<Figures> {
    settle();
    let before = memory::bytes();
    let peer = (kind.load)(records);
    peer.reclaim();
    // The harness's own list of keys is not the store's.
    let keys = i64::from(records) * i64::try_from(kind.key_bytes).unwrap_or(0);
    let bytes = (memory::bytes() - before - keys) as f64 / f64::from(records);
    Some(vec![(
        "bytes a record beyond the task",
        bytes - crate::task::TASK_BYTES as f64,
    )])
}

/// n: a transaction left open while 70,000 others commit other keys; whether it then commits.
pub fn open(kind: &Kind, records: u32) -> Option<Figures> {
    let peer = (kind.load)(records.max(HELD_KEYS));
    let open = peer.open(0)?;
    let picks: Vec<u32> = (1..HELD_KEYS).collect();
    let mut left = OPEN_COMMITS as usize;
    while left > 0 {
        let some = left.min(picks.len());
        peer.update_each(&picks[..some])?;
        left -= some;
    }
    Some(vec![(
        "commits at the first attempt",
        f64::from(u8::from(open.commit())),
    )])
}
