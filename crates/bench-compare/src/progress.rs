//! How far the run is, on the standard error: a bar on a terminal, else a line a workload.

use std::io::{self, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar's clock ticks while a sample runs.
const TICK: Duration = Duration::from_millis(250);
const STYLE: &str = "{elapsed_precise} {wide_bar} {pos} of {len}  {msg}";

/// The progress of a run.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Of so many steps.
    pub fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(steps as u64);
        let style = ProgressStyle::with_template(STYLE);
        bar.set_style(style.expect("the template is right"));
        if !bar.is_hidden() {
            bar.enable_steady_tick(TICK);
        }
        Self { bar }
    }

    /// A workload begins.
    pub fn workload(&self, letter: char, title: &str) {
        if self.bar.is_hidden() {
            let (at, of) = (self.bar.position(), self.bar.length().unwrap_or(0));
            eprintln!("step {at} of {of}: {letter}, {title}");
        }
    }

    /// A store is filled.
    pub fn loads(&self, store: &'static str) {
        self.bar.set_message(format!("loads {store}"));
    }

    /// A store begins a workload.
    pub fn store(&self, letter: char, store: &'static str) {
        self.bar.set_message(format!("{letter}: {store}"));
    }

    /// A step is done.
    pub fn step(&self) {
        self.bar.inc(1);
    }

    /// Prints a result, the bar out of the way.
    pub fn print(&self, text: &str) -> io::Result<()> {
        self.bar.suspend(|| writeln!(io::stdout(), "{text}"))
    }

    /// Takes the bar away.
    pub fn end(&self) {
        self.bar.finish_and_clear();
    }
}
