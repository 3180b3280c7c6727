//! What was measured, as tables and as CSV.

use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};

use crate::peers::SKEP;
use crate::rates::Sample;
use crate::special::Figures;
use crate::workload::Rated;

/// One store's samples of one workload, by one thread and by two.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The store.
    pub peer: &'static str,
    /// By threads less one, then by round.
    pub by_threads: [Vec<Sample>; 2],
}

/// The middle one of some figures.
pub fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied()
}

impl Samples {
    fn rates(&self, threads: usize) -> Vec<f64> {
        self.by_threads[threads - 1]
            .iter()
            .map(|sample| sample.rate)
            .collect()
    }

    fn median(&self, threads: usize) -> Option<f64> {
        median(self.rates(threads))
    }

    /// The distance of the extremes over the median, in percent.
    fn spread(&self, threads: usize) -> Option<f64> {
        let rates = self.rates(threads);
        let least = rates.iter().copied().min_by(f64::total_cmp)?;
        let most = rates.iter().copied().max_by(f64::total_cmp)?;
        Some(100.0 * (most - least) / self.median(threads)?)
    }

    fn attempts(&self) -> u32 {
        let all = self.by_threads.iter().flatten();
        all.map(|sample| sample.attempts).max().unwrap_or(0)
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A figure in few characters.
fn short(figure: f64) -> String {
    match figure.abs() {
        1e6.. => format!("{:.2} M", figure / 1e6),
        1e3.. => format!("{:.1} k", figure / 1e3),
        _ => format!("{figure:.2}"),
    }
}

fn cell(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(String::new, show)
}

/// The table of a workload that is a rate, and whether the target is met.
pub fn rated(workload: &Rated, all: &[Samples]) -> String {
    let mut lines = table(&[
        "store",
        "1 thread",
        "spread",
        "skep is",
        "2 threads",
        "spread",
        "skep is",
        "attempts",
        "asked",
    ]);
    let own = all.iter().find(|samples| samples.peer == SKEP);
    for samples in all.iter().filter(|samples| samples.median(1).is_some()) {
        let ratios = [1, 2].map(|threads| Some(own?.median(threads)? / samples.median(threads)?));
        let target = (samples.peer == workload.target.peer).then_some(workload.target.ratio);
        let met = |target: f64| {
            let least = ratios
                .iter()
                .flatten()
                .copied()
                .fold(f64::INFINITY, f64::min);
            if least >= target { "met" } else { "MISSED" }
        };
        let mut row = vec![samples.peer.to_owned()];
        for threads in [1, 2] {
            row.push(cell(samples.median(threads), short));
            row.push(cell(samples.spread(threads), |spread| {
                format!("{spread:.0}%")
            }));
            row.push(cell(ratios[threads - 1], |ratio| format!("{ratio:.2} x")));
        }
        row.push(samples.attempts().to_string());
        row.push(cell(target, |target| {
            format!(">= {target} x: {}", met(target))
        }));
        lines.add_row(row);
    }
    format!("{}: {}\n{lines}\n", workload.letter, workload.title)
}

/// The table of a workload that is several figures.
pub fn figures(letter: char, title: &str, asked: &str, all: &[(&'static str, Figures)]) -> String {
    let Some((_, first)) = all.first() else {
        return String::new();
    };
    let names = first.iter().map(|(name, _)| *name);
    let header: Vec<&str> = std::iter::once("store").chain(names).collect();
    let mut lines = table(&header);
    for (peer, figures) in all {
        let cells = figures.iter().map(|(_, figure)| short(*figure));
        lines.add_row(std::iter::once((*peer).to_owned()).chain(cells));
    }
    format!("{letter}: {title}; asked: {asked}\n{lines}\n")
}

/// A CSV file with a line a sample.
pub struct Csv(csv::Writer<std::fs::File>);

impl Csv {
    /// A new file, with its header.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut csv = csv::Writer::from_path(path)?;
        csv.write_record(["workload", "store", "threads", "round", "figure", "value"])?;
        Ok(Self(csv))
    }

    /// One workload's samples.
    pub fn rated(&mut self, letter: char, all: &[Samples]) -> io::Result<()> {
        for samples in all {
            for (threads, rounds) in (1..).zip(&samples.by_threads) {
                for (round, sample) in (1..).zip(rounds) {
                    self.line(letter, samples.peer, threads, round, ("rate", sample.rate))?;
                }
            }
        }
        self.0.flush()
    }

    /// One line.
    pub fn line(
        &mut self,
        letter: char,
        peer: &str,
        threads: u32,
        round: usize,
        (figure, value): (&str, f64),
    ) -> io::Result<()> {
        let line = [
            letter.to_string(),
            peer.to_owned(),
            threads.to_string(),
            round.to_string(),
            figure.to_owned(),
            value.to_string(),
        ];
        Ok(self.0.write_record(line)?)
    }
}
