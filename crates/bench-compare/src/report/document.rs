//! The figures as a document in the form of `docs/numbers.md`: what misses first.

use std::io;
use std::path::{Path, PathBuf};

use skep_measure::clock::Clock;
use skep_measure::origin::Origin;

use super::finding::{Finding, Rank, findings};
use super::{svg, table, whole};
use crate::outcome::Outcome;

/// Sections, the worst first, and what each is about.
const SECTIONS: &[(Rank, &str, &str)] = &[
    (
        Rank::MissesFirst,
        "Behind first",
        "These miss the first targets that the project set itself.",
    ),
    (
        Rank::MissesFinally,
        "Behind what is asked finally",
        "These reach the first targets, and not those that are asked now.",
    ),
    (
        Rank::Behind,
        "Behind another store",
        "These stores are faster by some count of threads, though nothing that is asked is missed. \
         Most of them cannot do what skep does: no snapshots, or no transactions.",
    ),
    (
        Rank::Reached,
        "Reached",
        "These are as they are asked to be.",
    ),
];

/// In what stores differ that were given the same.
const KEYS: &str = "\
Skep's keys are identities of 16 bytes. Its peers' are the same ones as texts of 25 characters, \
held inline, but for mvcc-core, which takes a `String`; targets are set beside these. A store \
\"by Id\" has skep's own keys, which are shorter to hash and to compare. After each workload that \
is a rate, every store's counters are read back; where they do not come to the updates that the \
store said it made, this document says so first.";

/// What a document says besides figures.
pub struct Heading {
    /// Where the figures come from.
    pub origin: Origin,
    /// How much was measured how often.
    pub sizes: String,
    /// Which time ratios are of.
    pub clock: Clock,
    /// The counts of threads: `1 / 2`.
    pub threads: String,
    /// The workloads that were asked for: `a to i, o`.
    pub workloads: String,
}

impl Heading {
    /// It as sentences.
    fn text(&self) -> String {
        let Origin {
            machine,
            date,
            load,
            command,
        } = &self.origin;
        let clock = match self.clock {
            Clock::Wall => "of the wall clock",
            Clock::Cpu => "of the time that threads ran",
        };
        format!(
            "Measured on {machine}; begun {date}, with a load of {load} before it.\n\n\
             ```sh\n{command}\n```\n\n\
             {}. Rates are medians of interleaved rounds; a spread is the distance of the \
             extremes over the median, in percent; a ratio is one of two medians, {clock}; \
             \"CPU ns\" is the time that the measuring threads ran for an operation: waiting is \
             not counted, nor what a store does on threads of its own.\n\n{KEYS}",
            self.sizes
        )
    }
}

/// A document, written anew after each workload, so that it is there as far as the run has come.
pub struct Document {
    path: PathBuf,
    /// Where charts are, as the document's reader finds them.
    charts: Option<PathBuf>,
}

impl Document {
    /// One at this place, which can be written: what is there stays until there are figures.
    pub fn create(path: &Path, charts: Option<&Path>) -> io::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)?;
        let here = std::path::absolute(path)?;
        let charts = charts.map(std::path::absolute).transpose()?;
        let charts = charts.map(|charts| relative(&charts, here.parent()));
        let path = path.to_owned();
        Ok(Self { path, charts })
    }

    /// Writes it, with what stores did wrong.
    pub fn write(
        &self,
        heading: &Heading,
        outcomes: &[Outcome],
        wrongs: &[String],
    ) -> io::Result<()> {
        whole::replace(&self.path, &self.text(heading, outcomes, wrongs))
    }

    fn text(&self, heading: &Heading, outcomes: &[Outcome], wrongs: &[String]) -> String {
        let found = outcomes.iter().flat_map(|it| findings(it, heading.clock));
        let found: Vec<Finding> = found.collect();
        let allocator = skep_measure::memory::ALLOCATOR;
        let mut text = format!(
            "# Beside its peers, with {allocator}: workloads {}\n\n{}\n",
            heading.workloads,
            heading.text()
        );
        if !wrongs.is_empty() {
            text += "\n## Wrong\n\nThese stores did not do what they were asked to do; their ";
            text += "figures are worth nothing.\n\n";
            text.extend(wrongs.iter().map(|wrong| format!("- {wrong}\n")));
        }
        for (rank, title, about) in SECTIONS {
            let here: Vec<_> = found.iter().filter(|it| it.rank() == *rank).collect();
            if !here.is_empty() {
                let lines = table::findings(here, &heading.threads);
                text += &format!("\n## {title}\n\n{about}\n\n{lines}\n");
            }
        }
        text += "\n## Every store\n";
        for outcome in outcomes {
            let tables = table::tables(outcome, heading.clock);
            text += &format!(
                "\n### {}: {}\n\n{tables}\n",
                outcome.letter(),
                outcome.title()
            );
            if let Some(chart) = self.chart(outcome) {
                text += &chart;
            }
        }
        text
    }

    fn chart(&self, outcome: &Outcome) -> Option<String> {
        let folder = self.charts.as_ref()?;
        super::chart::Chart::of(outcome)?;
        let file = folder.join(svg::file_name(outcome.letter()));
        Some(format!("\n![{}]({})\n", outcome.title(), file.display()))
    }
}

/// A path as it is written in a file of that folder: shorter where it is below it.
fn relative(path: &Path, folder: Option<&Path>) -> PathBuf {
    let below = folder.and_then(|folder| path.strip_prefix(folder).ok());
    below.unwrap_or(path).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::{PAPAYA, SKEP, SURREALMX};
    use crate::samples::one_round;
    use crate::workload::RATED;

    fn text(wrongs: &[String]) -> String {
        let heading = Heading {
            origin: Origin {
                machine: "Some Processor, 2 cores".to_owned(),
                date: "2020-01-01T00:00:00Z".to_owned(),
                load: "0.01".to_owned(),
                command: "bench-compare --workloads a".to_owned(),
            },
            sizes: "1,000 tasks".to_owned(),
            clock: Clock::Wall,
            threads: "1 / 2".to_owned(),
            workloads: "a".to_owned(),
        };
        let document = Document {
            path: PathBuf::new(),
            charts: Some(PathBuf::from("plots")),
        };
        // Behind papaya, ahead of surrealmx; and an upper bound of which nothing is asked.
        let all = vec![
            one_round(SKEP, [1e6, 2e6]),
            one_round(PAPAYA, [2e6, 4e6]),
            one_round(SURREALMX, [1e5, 1e5]),
            one_round("upper", [9e6, 9e6]),
        ];
        document.text(&heading, &[Outcome::Rates(&RATED[0], all)], wrongs)
    }

    #[test]
    fn what_misses_comes_first_and_then_what_is_behind() {
        let text = text(&[]);
        let at = |part: &str| {
            text.find(part)
                .unwrap_or_else(|| panic!("no {part} in {text}"))
        };
        let order = [
            "## Behind first",
            "papaya",
            "## Behind another",
            "upper",
            "## Reached",
        ];
        assert!(order.map(at).is_sorted(), "{text}");
        assert!(!text.contains("## Behind what is asked finally"), "{text}");
    }

    #[test]
    fn it_says_where_its_figures_come_from_and_shows_the_charts() {
        let text = text(&[]);
        for part in [
            "Some Processor",
            "2020-01-01",
            "--workloads a\n",
            "load of 0.01",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        assert!(text.contains("](plots/a.svg)"), "{text}");
    }

    #[test]
    fn what_is_wrong_comes_before_everything() {
        let text = text(&["a: peer: it lost updates".to_owned()]);
        let wrong = text.find("- a: peer: it lost updates").expect("it is told");
        assert!(Some(wrong) < text.find("## Behind first"), "{text}");
        assert!(text.starts_with("# Beside its peers, with "), "{text}");
        assert!(text.contains(": workloads a\n"), "{text}");
    }

    #[test]
    fn charts_below_the_document_are_named_from_there() {
        let from = |path: &str| relative(Path::new(path), Some(Path::new("/docs")));
        assert_eq!(from("/docs/plots"), Path::new("plots"));
        assert_eq!(from("/elsewhere"), Path::new("/elsewhere"));
    }
}
