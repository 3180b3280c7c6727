//! Threads that deliver to watchers: one a shard, if the store was built so.

use std::sync::Arc;

use super::config::Delivery;
use super::shard::Carrier;
use crate::kernel::wake::{LOOK_AGAIN, Waiter};
use crate::shared::Shared;
use crate::sync::{pause, thread};

/// Pauses before it sleeps, in which commits that follow one another need not wake it.
const PATIENCE: u32 = if cfg!(shuttle) { 1 } else { 256 };

/// Starts the threads of a new store, if it is to have any. They end when it is closed, after what
/// was committed before.
///
/// # Panics
/// If the system has no thread to give.
pub(crate) fn start(shared: &Arc<Shared>) {
    if shared.shards.delivery() != Delivery::Threads {
        return;
    }
    for shard in 0..shared.shards.count() {
        let shared = Arc::clone(shared);
        let named = thread::Builder::new().name(format!("skep-watch-{shard}"));
        let started = named.spawn(move || carry_on(&shared, shard));
        started.expect("a thread for the delivery to watchers");
    }
}

fn carry_on(shared: &Shared, shard: usize) {
    let kernel = shared.schema.kernel();
    let station = kernel.station(shard);
    let (seat, doze) = shared.shards.thread(shard);
    seat.take(kernel, &Waiter::thread());
    let mut woken_for = 0;
    let mut patience = PATIENCE;
    loop {
        let closed = shared.is_closed();
        let before = station.position();
        shared
            .shards
            .carry_on(&shared.schema, shard, Carrier::Watcher);
        let visible = kernel.horizon.visible();
        if visible > woken_for {
            woken_for = visible;
            // All of them, whom a committer can wake a few of only.
            shared.waiters.wake();
            shared.waiters.pass_on();
        }
        if station.position() > before {
            patience = PATIENCE;
            continue;
        }
        if closed {
            seat.leave(kernel);
            return;
        }
        let has_more =
            || shared.is_closed() || kernel.horizon.visible() > station.position().min(woken_for);
        while patience > 0 && !has_more() {
            pause();
            patience -= 1;
        }
        doze.begin();
        if !has_more() {
            thread::park_timeout(LOOK_AGAIN);
        }
        doze.end();
    }
}
