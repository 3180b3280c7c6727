//! A bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::aside;

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Where progress is shown.
enum Target {
    Nowhere,
    Bar(ProgressBar),
    Lines { next: Instant },
}

/// Shows on stderr how much of something has passed.
pub struct Meter {
    target: Target,
    began: Instant,
    total: u64,
}

impl Meter {
    /// Nothing of `total` has passed.
    pub fn new(total: u64, quiet: bool) -> Self {
        let now = Instant::now();
        let lines = Target::Lines {
            next: now + LINE_EVERY,
        };
        let target = if quiet {
            Target::Nowhere
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
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
            total,
        }
    }

    /// Shows how much has passed: on a terminal each time, elsewhere when it is time to.
    pub fn show(&mut self, passed: u64, message: &str) {
        match &mut self.target {
            Target::Nowhere => {}
            Target::Bar(bar) => {
                bar.set_position(passed);
                bar.set_message(message.to_owned());
            }
            Target::Lines { next } => {
                if Instant::now() >= *next {
                    *next = Instant::now() + LINE_EVERY;
                    let percent = passed.saturating_mul(100) / self.total.max(1);
                    let seconds = self.began.elapsed().as_secs();
                    aside::tell(format_args!("{seconds:>4} s  {percent:>3}%  {message}"));
                }
            }
        }
    }

    /// Shows a text beside the bar, asked for or not.
    pub fn tell(&self, text: &str) {
        match &self.target {
            Target::Bar(bar) => bar.println(text),
            Target::Nowhere | Target::Lines { .. } => aside::tell(text),
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        if let Target::Bar(bar) = self.target {
            bar.finish_and_clear();
        }
    }
}
