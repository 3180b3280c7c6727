//! Shows how far the replay is: a bar on a terminal, a line now and then elsewhere. A terminal of
//! 80 columns has room for all of the bar's line; on a narrower one its end is cut.

use std::time::Instant;

use crate::meter::Meter;
use crate::replay::Run;
use crate::replay::measure::Counters;

/// Shows progress.
pub struct Progress {
    meter: Meter,
    /// When the rates were last computed, from which counts, and what they were.
    rates_at: Instant,
    counts: (u64, u64),
    rates: (f64, f64),
}

impl Progress {
    /// Progress along a timeline with so many entries.
    pub fn new(entries: u64, quiet: bool) -> Self {
        Self {
            meter: Meter::new(entries, quiet),
            rates_at: Instant::now(),
            counts: (0, 0),
            rates: (0.0, 0.0),
        }
    }

    /// Shows how far the replay is: on a terminal each time, elsewhere when it is time to.
    pub fn show(&mut self, run: &Run) {
        let (_, passed) = run.progress();
        let message = self.message(run);
        self.meter.show(passed, &message);
    }

    /// Shows a text above the bar.
    pub fn tell(&self, text: &str) {
        self.meter.tell(text);
    }

    /// Takes the bar away, so that the table stands alone.
    pub fn finish(self) {
        self.meter.finish();
    }

    fn message(&mut self, run: &Run) -> String {
        let placed = Counters::read(&run.counters.placed);
        let counts = (placed, run.store.version().get());
        let elapsed = self.rates_at.elapsed().as_secs_f64();
        // The first rates come soon, the later ones are steadier.
        if elapsed >= 0.5 || (self.rates == (0.0, 0.0) && elapsed >= 0.1) {
            let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / elapsed;
            self.rates = (rate(counts.0, self.counts.0), rate(counts.1, self.counts.1));
            self.counts = counts;
            self.rates_at = Instant::now();
        }
        let (now, _) = run.progress();
        let (placing, committing) = self.rates;
        format!(
            "{placed} placed, {placing:.0}/s; {} commits, {committing:.0}/s; {now}",
            counts.1
        )
    }
}
