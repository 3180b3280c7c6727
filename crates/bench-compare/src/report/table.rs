//! Tables: all stores of a workload, in the form of Markdown, which a terminal shows as well.

use comfy_table::{CellAlignment, Table, presets};
use skep_measure::clock::Clock;

use super::finding::{Finding, answers, checked, joined, ratios};
use super::short;
use crate::asked::Answer;
use crate::outcome::Outcome;
use crate::peers::SKEP;
use crate::samples::Samples;
use crate::special::{Figures, Special, summary};
use crate::workload::Rated;

fn table(header: &[String]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cell(figure: Option<f64>, show: impl Fn(f64) -> String) -> String {
    figure.map_or_else(String::new, show)
}

/// A workload's tables: what each store did, and whether the targets are met.
pub fn tables(outcome: &Outcome, clock: Clock) -> String {
    match outcome {
        Outcome::Rates(workload, all) => rates(workload, all, clock).to_string(),
        Outcome::Figures(workload, all) => figures(workload, all),
    }
}

fn rates(workload: &Rated, all: &[Samples], clock: Clock) -> Table {
    let own = all.iter().find(|samples| samples.store == SKEP);
    let counts: Vec<usize> = own
        .map_or(&[][..], |own| &own.by_threads)
        .iter()
        .map(|it| it.0)
        .collect();
    let mut header = vec!["store".to_owned()];
    for &threads in &counts {
        let plural = if threads == 1 { "" } else { "s" };
        header.push(format!("{threads} thread{plural}"));
        header.extend(["spread", "CPU ns", "skep is"].map(str::to_owned));
    }
    header.extend(["attempts", "asked", "asked finally"].map(str::to_owned));
    let mut lines = table(&header);
    for samples in all.iter().filter(|samples| samples.is_some()) {
        let ratios = own.map_or_else(Vec::new, |own| ratios(own, samples, clock));
        let mut row = vec![samples.store.to_owned()];
        for (&threads, ratio) in counts.iter().zip(ratios) {
            let rate = samples.rate(threads, Clock::Wall);
            row.push(cell(rate.map(|rate| rate.median), short));
            row.push(cell(rate.map(|rate| rate.spread()), |it| {
                format!("{it:.0}%")
            }));
            row.push(cell(samples.nanos(threads), |it| format!("{it:.0}")));
            row.push(cell(ratio, |ratio| format!("{ratio:.2} x")));
        }
        row.push(samples.attempts().to_string());
        if let Some(own) = own {
            row.extend(answers(workload, own, samples, clock).map(|them| joined(&them)));
        }
        lines.add_row(row);
    }
    lines
}

/// All stores' figures, medians of the rounds, and what is asked of skep's.
fn figures(workload: &Special, all: &[(&'static str, Vec<Figures>)]) -> String {
    let Some(first) = all.iter().find_map(|(_, rounds)| rounds.first()) else {
        return String::new();
    };
    let names: Vec<&str> = first.iter().map(|(name, _)| *name).collect();
    let header = std::iter::once("store").chain(names.iter().copied());
    let mut lines = table(&header.map(str::to_owned).collect::<Vec<_>>());
    let median = |rounds, name| Some(summary(rounds, name)?.median);
    for (store, rounds) in all.iter().filter(|(_, rounds)| !rounds.is_empty()) {
        let cells = names.iter().map(|name| cell(median(rounds, name), short));
        lines.add_row(std::iter::once((*store).to_owned()).chain(cells));
    }
    let mut asked = table(&["of skep", "measured", "asked", "asked finally"].map(str::to_owned));
    let own = all.iter().find(|(store, _)| *store == SKEP);
    for check in workload.checks {
        let measured = own.and_then(|(_, rounds)| median(rounds, check.figure));
        let [first, finally] = checked(check, all);
        let told = |answer: Option<Answer>| answer.map_or_else(String::new, |it| it.to_string());
        asked.add_row([
            check.figure.to_owned(),
            cell(measured, short),
            told(first),
            told(finally),
        ]);
    }
    format!("{lines}\n\n{asked}")
}

/// What was found, a line each.
pub fn findings<'f>(findings: impl IntoIterator<Item = &'f Finding>, threads: &str) -> String {
    let header = [
        "workload".to_owned(),
        format!("skep, {threads} threads (spread)"),
        "against".to_owned(),
        format!("ratio, {threads}"),
        "asked".to_owned(),
        "asked finally".to_owned(),
    ];
    let mut lines = table(&header);
    for finding in findings {
        let store = if finding.store == SKEP {
            "itself"
        } else {
            &finding.store
        };
        let [first, finally] = [&finding.first, &finding.finally].map(|it| joined(it));
        lines.add_row([
            &finding.workload,
            &finding.own,
            store,
            &finding.ratios,
            &first,
            &finally,
        ]);
    }
    lines.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asked::Ask::{Rate, Times};
    use crate::samples::one_round;
    use crate::workload::RATED;

    fn line(text: &str, store: &str) -> String {
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with(&format!("| {store} ")));
        line.expect("each has a line").to_owned()
    }

    #[test]
    fn an_ask_is_answered_in_the_line_of_whom_it_names() {
        let workload = Rated {
            first: &[Times("peer", 1.5)],
            finally: &[Times("peer", 2.5), Rate(1e6)],
            ..RATED[0]
        };
        let all = [one_round(SKEP, [4e6, 8e6]), one_round("peer", [2e6, 4e6])];
        let text = rates(&workload, &all, Clock::Wall).to_string();
        let (peer, own) = (line(&text, "peer"), line(&text, SKEP));
        assert!(peer.contains(">= 1.5 x: met"), "{text}");
        assert!(peer.contains(">= 2.5 x: MISSED"), "{text}");
        assert!(own.contains(">= 1.0 M/s: met"), "{text}");
        assert!(!own.contains(">= 1.5 x"), "{text}");
    }

    #[test]
    fn both_clocks_are_in_the_table_and_each_count_of_threads() {
        let all = [one_round(SKEP, [4e6, 8e6]), one_round("peer", [2e6, 4e6])];
        let text = rates(&RATED[0], &all, Clock::Wall).to_string();
        assert!(
            text.contains("1 thread ") && text.contains("2 threads "),
            "{text}"
        );
        let peer = line(&text, "peer");
        let cells: Vec<&str> = peer.split('|').map(str::trim).collect();
        assert_eq!(cells[2..6], ["2.00 M", "0%", "500", "2.00 x"], "{text}");
    }

    #[test]
    fn a_store_that_cannot_is_left_out() {
        let all = [one_round(SKEP, [4e6, 8e6]), Samples::none("peer", &[1, 2])];
        let text = rates(&RATED[0], &all, Clock::Wall).to_string();
        assert!(!text.contains("peer"), "{text}");
    }
}
