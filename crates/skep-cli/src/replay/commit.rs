//! Commits transactions and counts what that took.

use skep::{Store, Transaction, UpdateError};

use super::Run;
use super::measure::{Counters, Latencies};
use crate::books::fault::Fault;

/// How often a transaction that gave up is begun anew. It gives up only after the store's own
/// attempts, each time because another commit came first.
const ROUNDS_MAX: u32 = 10_000;

/// Commits for one thread.
pub struct Committer<'r> {
    store: &'r Store,
    counters: &'r Counters,
    /// What the thread has measured.
    pub latencies: Latencies,
}

impl<'r> Committer<'r> {
    /// A thread's committer.
    pub fn new(run: &'r Run) -> Self {
        Self {
            store: &run.store,
            counters: &run.counters,
            latencies: Latencies::default(),
        }
    }

    /// Commits a transaction. It is run again after conflicts, and the last run counts.
    pub fn commit<R>(
        &mut self,
        mut transaction: impl FnMut(&mut Transaction<'_>) -> Result<R, skep::Error>,
    ) -> Result<R, Fault> {
        let mut runs = 0;
        let counters = self.counters;
        let committed = self.latencies.commit.time(|| {
            for _ in 0..ROUNDS_MAX {
                let result = self.store.update(|tx| {
                    runs += 1;
                    transaction(tx)
                });
                match result {
                    Ok(result) => return Ok(result),
                    Err(UpdateError::Conflict { .. }) => Counters::add(&counters.gave_up, 1),
                    Err(error) => return Err(Fault::Refused(error.to_string())),
                }
            }
            Err(Fault::Refused(format!(
                "no success in {runs} runs of one transaction"
            )))
        });
        Counters::add(&counters.transactions, 1);
        if runs > 1 {
            Counters::add(&counters.conflicted, 1);
            Counters::add(&counters.retries, runs - 1);
        }
        committed
    }
}
