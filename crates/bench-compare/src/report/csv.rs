//! A CSV file with a line a figure of a sample.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::outcome::Outcome;

/// The columns.
const HEADER: [&str; 6] = ["workload", "store", "threads", "round", "figure", "value"];

/// The file, open.
pub struct Csv {
    lines: csv::Writer<File>,
    /// Whether what was there before is gone, and the header is there.
    is_begun: bool,
}

impl Csv {
    /// One at this place, which can be written: what is there stays until there are figures.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        Ok(Self {
            lines: csv::Writer::from_writer(file),
            is_begun: false,
        })
    }

    fn begin(&mut self) -> io::Result<()> {
        let file = self.lines.get_ref();
        // A pipe has no length.
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        self.lines.write_record(HEADER)?;
        self.is_begun = true;
        Ok(())
    }

    /// A workload's samples, by both clocks.
    pub fn add(&mut self, outcome: &Outcome) -> io::Result<()> {
        if !self.is_begun {
            self.begin()?;
        }
        for line in lines(outcome) {
            self.lines.write_record(line)?;
        }
        self.lines.flush()
    }
}

fn lines(outcome: &Outcome) -> Vec<[String; 6]> {
    let mut lines = Vec::new();
    let mut line = |store: &str, threads: usize, round: usize, figure: &str, value: f64| {
        lines.push([
            outcome.letter().to_string(),
            store.to_owned(),
            threads.to_string(),
            round.to_string(),
            figure.to_owned(),
            value.to_string(),
        ]);
    };
    match outcome {
        Outcome::Rates(_, all) => {
            for samples in all {
                for (threads, rounds) in &samples.by_threads {
                    for (round, sample) in (1..).zip(rounds) {
                        let store = samples.store;
                        line(store, *threads, round, "operations/s", sample.rate);
                        line(store, *threads, round, "CPU ns an operation", sample.nanos);
                        let attempts = f64::from(sample.attempts);
                        line(store, *threads, round, "most attempts", attempts);
                    }
                }
            }
        }
        Outcome::Figures(_, all) => {
            for (store, rounds) in all {
                for (round, figures) in (1..).zip(rounds) {
                    for (figure, value) in figures {
                        line(store, 1, round, figure, *value);
                    }
                }
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Sample, Samples};
    use crate::special::SPECIAL;
    use crate::workload::RATED;

    #[test]
    fn a_sample_is_there_by_both_clocks() {
        let mut samples = Samples::none("store", &[1, 2]);
        let sample = Sample {
            rate: 10.0,
            nanos: 7.5,
            attempts: 3,
            updates: 0,
        };
        samples.note(2, sample);
        let lines = lines(&Outcome::Rates(&RATED[0], vec![samples]));
        let ends: Vec<String> = lines.iter().map(|line| line[2..].join(",")).collect();
        assert_eq!(
            ends,
            [
                "2,1,operations/s,10",
                "2,1,CPU ns an operation,7.5",
                "2,1,most attempts,3"
            ]
        );
    }

    #[test]
    fn each_figure_of_each_round_is_a_line() {
        let rounds = vec![vec![("a", 1.0), ("b", 2.0)], vec![("a", 3.0), ("b", 4.0)]];
        let lines = lines(&Outcome::Figures(&SPECIAL[0], vec![("store", rounds)]));
        let ends: Vec<String> = lines.iter().map(|line| line[1..].join(",")).collect();
        assert_eq!(
            ends,
            [
                "store,1,1,a,1",
                "store,1,1,b,2",
                "store,1,2,a,3",
                "store,1,2,b,4"
            ]
        );
    }
}
