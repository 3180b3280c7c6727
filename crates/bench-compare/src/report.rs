//! What was measured, as tables and as CSV.

use std::io;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};

use crate::asked::{Ask, Bound, Measured};
use crate::peers::SKEP;
use crate::rates::Sample;
use crate::special::{Figures, Special};
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
        // Not measured.
        _ if figure.is_nan() => "-".to_owned(),
        _ => format!("{figure:.2}"),
    }
}

fn cell(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(String::new, show)
}

/// What is asked beside one store, skep's own line being beside nobody.
fn answers(asks: &[Ask], store: &str, measured: &Measured) -> String {
    let is_here = |ask: &&Ask| ask.peer().unwrap_or(SKEP) == store;
    let answers = asks.iter().filter(is_here);
    let answers: Vec<String> = answers.filter_map(|ask| ask.answer(measured)).collect();
    answers.join("; ")
}

/// The table of a workload that is a rate, and whether the targets are met.
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
        "asked finally",
    ]);
    let own = all.iter().find(|samples| samples.peer == SKEP);
    for samples in all.iter().filter(|samples| samples.median(1).is_some()) {
        let ratios = [1, 2].map(|threads| Some(own?.median(threads)? / samples.median(threads)?));
        let measured = Measured {
            ratios,
            rates: [1, 2].map(|threads| own?.median(threads)),
            attempts: own.map_or(0, Samples::attempts),
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
        for asks in [workload.first, workload.finally] {
            row.push(answers(asks, samples.peer, &measured));
        }
        lines.add_row(row);
    }
    format!("{}: {}\n{lines}\n", workload.letter, workload.title)
}

/// The tables of a workload that is several figures: all stores' figures, and what is asked of
/// skep's.
pub fn figures(workload: &Special, all: &[(&'static str, Figures)]) -> String {
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
    let asked = asked(workload, all);
    let (letter, title) = (workload.letter, workload.title);
    format!("{letter}: {title}\n{lines}\n\n{asked}\n")
}

fn asked(workload: &Special, all: &[(&'static str, Figures)]) -> Table {
    let figure = |store: &str, name: &str| {
        let (_, figures) = all.iter().find(|(peer, _)| *peer == store)?;
        let (_, figure) = figures.iter().find(|(figure, _)| *figure == name)?;
        Some(*figure)
    };
    let mut lines = table(&["of skep", "measured", "asked", "asked finally"]);
    for check in workload.checks {
        let own = figure(SKEP, check.figure);
        let answer = |bound: Bound| bound.answer(own?, |peer| figure(peer, check.figure));
        lines.add_row([
            check.figure.to_owned(),
            cell(own, short),
            check.first.and_then(answer).unwrap_or_default(),
            answer(check.finally).unwrap_or_default(),
        ]);
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::Ask::{Rate, Times};

    fn samples(peer: &'static str, rates: [f64; 2]) -> Samples {
        let sample = |rate| vec![Sample { rate, attempts: 1 }];
        Samples {
            peer,
            by_threads: rates.map(sample),
        }
    }

    #[test]
    fn an_ask_is_answered_in_the_line_of_whom_it_names() {
        let workload = Rated {
            first: &[Times("peer", 1.5)],
            finally: &[Times("peer", 2.5), Rate(1e6)],
            ..crate::workload::RATED[0]
        };
        let all = [samples(SKEP, [4e6, 8e6]), samples("peer", [2e6, 4e6])];
        let text = rated(&workload, &all);
        let line = |store: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("| {store} ")));
            line.expect("each has a line").to_owned()
        };
        assert!(line("peer").contains(">= 1.5 x: met"), "{text}");
        assert!(line("peer").contains(">= 2.5 x: MISSED"), "{text}");
        assert!(line(SKEP).contains(">= 1.0 M/s: met"), "{text}");
        assert!(!line(SKEP).contains(">= 1.5 x"), "{text}");
    }

    #[test]
    fn a_check_is_answered_by_the_figure_that_it_names() {
        let workload = crate::special::SPECIAL
            .iter()
            .find(|special| special.letter == 'l');
        let workload = workload.expect("l is there");
        let name = workload.checks[0].figure;
        let text = figures(workload, &[(SKEP, vec![("other", 1.0), (name, 200.0)])]);
        assert!(text.contains("<= 240: met"), "{text}");
        assert!(text.contains("<= 160: MISSED"), "{text}");
    }
}
