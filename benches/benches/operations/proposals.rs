//! Commits that a proposer decides: one that accepts at once, so that it is the seam's cost.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use skep::{Action, Proposal, Proposer, Store, Submission, UpdateError, Version};

use crate::Bench;
use crate::items::{ITEMS, Item, count_up, filled, some};

/// Accepts everything at once, under the store's own numbers.
struct Agreeable;

impl Proposer for Agreeable {
    fn propose(&self, proposal: Proposal) {
        let accepted = proposal.ticket().accept(proposal.number());
        accepted.expect("the first answer");
    }
}

/// A commit of one item, submitted.
fn submitted(store: &Store, time: u64) -> Submission {
    let mut tx = store.begin();
    let modified = tx.modify::<Item>(&(time % ITEMS), |item| item.count += 1);
    modified.expect("it is there");
    tx.submit().expect("nobody is in the way")
}

pub fn measure(bench: &mut Bench) {
    let store = &filled(|builder| builder.proposer(Arc::new(Agreeable)));
    bench.time("Ticket::accept", |time| count_up(store, some(time)));
    bench.time("Transaction::submit", |time| submitted(store, time).wait());
    bench.time("Store::update_async", |time| {
        let updated =
            store.update_async(move |tx| tx.modify::<Item>(&some(time), |item| item.count += 1));
        let mut updated = std::pin::pin!(updated);
        let mut context = Context::from_waker(Waker::noop());
        // What is accepted at once may take a second look to be seen.
        loop {
            if let Poll::Ready(updated) = updated.as_mut().poll(&mut context) {
                return updated.map_err(|error: UpdateError<_>| error.to_string());
            }
        }
    });
    bench.on(
        "Submission::version",
        |time| submitted(store, time),
        |it| it.version(),
    );
    bench.on(
        "Submission::outcome",
        |time| submitted(store, time),
        |it| it.outcome(),
    );
    bench.of(
        "Submission::wait",
        |time| submitted(store, time),
        Submission::wait,
    );
    let long = Duration::from_secs(10);
    bench.on(
        "Submission::wait_timeout",
        |time| submitted(store, time),
        |it| it.wait_timeout(long),
    );
    bench.time("Store::proposer", |_| store.proposer().is_some());
    let version = store.version();
    let proposed = store.proposed_version(version).expect("it was proposed");
    bench.time("Store::proposed_version", |_| {
        store.proposed_version(version)
    });
    bench.time("Store::version_of", |_| store.version_of(proposed));
    bench.time("Transaction::update_at_proposed", |time| {
        let mut tx = store.begin();
        let item = tx.entry::<Item>(&some(time)).expect("it is there");
        let (version, item) = (item.meta().proposed.expect("accepted"), item.get().clone());
        tx.update_at_proposed(version, item)
    });
    bench.on(
        "Store::apply_accepted",
        |time| [Action::update(Item::new(some(time)))],
        |entry| {
            // The proposer's versions are the store's own numbers.
            let next = Version::new(store.version().get() + 1);
            store.apply_accepted(next, entry).expect("the next")
        },
    );
}
