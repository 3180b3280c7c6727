//! Shows how far the replay is: a bar on a terminal, a line now and then elsewhere. A terminal of
//! 80 columns has room for all of the bar's line; on a narrower one its end is cut.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::replay::Run;
use crate::replay::measure::Counters;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Where progress is shown.
enum Target {
    Nowhere,
    Bar(ProgressBar),
    Lines { next: Instant },
}

/// Shows progress.
pub struct Progress {
    target: Target,
    began: Instant,
    entries: u64,
    /// When the rates were last computed, from which counts, and what they were.
    rates_at: Instant,
    counts: (u64, u64),
    rates: (f64, f64),
}

impl Progress {
    /// Progress along a timeline with so many entries.
    pub fn new(entries: u64, quiet: bool) -> Self {
        let now = Instant::now();
        let lines = Target::Lines {
            next: now + LINE_EVERY,
        };
        let target = if quiet {
            Target::Nowhere
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(entries), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:14} {percent:>3}%  {wide_msg}");
            bar.set_style(style.expect("the template is sound"));
            // A terminal that cannot draw hides the bar.
            if bar.is_hidden() {
                lines
            } else {
                Target::Bar(bar)
            }
        } else {
            lines
        };
        Self {
            target,
            began: now,
            entries,
            rates_at: now,
            counts: (0, 0),
            rates: (0.0, 0.0),
        }
    }

    /// Shows how far the replay is: on a terminal each time, elsewhere when it is time to.
    pub fn show(&mut self, run: &Run) {
        let (_, passed) = run.progress();
        let message = self.message(run);
        match &mut self.target {
            Target::Nowhere => {}
            Target::Bar(bar) => {
                bar.set_position(passed);
                bar.set_message(message);
            }
            Target::Lines { next } => {
                if Instant::now() >= *next {
                    *next = Instant::now() + LINE_EVERY;
                    let percent = 100 * passed / self.entries.max(1);
                    let seconds = self.began.elapsed().as_secs();
                    eprintln!("{seconds:>4} s  {percent:>3}%  {message}");
                }
            }
        }
    }

    /// Takes the bar away, so that the table stands alone.
    pub fn finish(self) {
        if let Target::Bar(bar) = self.target {
            bar.finish_and_clear();
        }
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
