//! What is told of the figures: a table, in Markdown.

use comfy_table::{CellAlignment, Table, presets};
use skep_measure::figures::Summary;

use crate::stand_in::Figures;
use crate::workload::Workload;

/// What was measured of a workload, in the order of rounds.
pub struct Row {
    /// Which.
    pub workload: &'static Workload,
    /// How often ours was done.
    pub times: u64,
    /// Ours, in nanoseconds.
    pub own: Vec<f64>,
    /// The stand-in's.
    pub other: Vec<Figures>,
}

impl Row {
    /// Nothing yet.
    pub fn of(workload: &'static Workload) -> Self {
        Self {
            workload,
            times: 0,
            own: Vec::new(),
            other: Vec::new(),
        }
    }

    fn cells(&self) -> [String; 9] {
        let other = self.other.iter().map(|it| it.nanoseconds);
        let between = self.other.iter().map(|it| it.between);
        let bytes = Summary::of(self.other.iter().map(|it| it.bytes));
        // Of what was measured one right after the other.
        let ratios = other.clone().zip(&self.own).map(|(other, own)| other / own);
        let ratios_between = between.clone().zip(&self.own);
        let ratios_between = ratios_between.map(|(other, own)| other / own);
        let asked = self.workload.asked;
        [
            self.workload.what.to_owned(),
            spread(other, &TIMES),
            spread(between, &TIMES),
            bytes.map_or_else(String::new, |it| told_in(&BYTES, it.median)),
            spread(self.own.iter().copied(), &TIMES),
            spread(ratios, &TIMES_AS_FAST),
            spread(ratios_between, &TIMES_AS_FAST),
            asked.map_or_else(String::new, |it| format!("{it:.0}")),
            self.workload.swarmkit.to_owned(),
        ]
    }
}

/// All of them.
pub fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "workload",
        "stand-in",
        "between collections",
        "it allocates",
        "skep",
        "ratio",
        "ratio between",
        "asked",
        "SwarmKit's own",
    ]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    for row in rows {
        table.add_row(row.cells());
    }
    table
}

/// Units, the largest first: from where on each is used, and its name.
type Units = [(f64, &'static str)];

const TIMES: [(f64, &str); 4] = [(1e9, " s"), (1e6, " ms"), (1e3, " us"), (1.0, " ns")];
const BYTES: [(f64, &str); 3] = [(1e6, " MB"), (1e3, " KB"), (1.0, " B")];
const TIMES_AS_FAST: [(f64, &str); 1] = [(1.0, "")];

fn unit_of(units: &Units, figure: f64) -> (f64, &'static str) {
    let found = units.iter().find(|unit| figure >= unit.0);
    *found.or(units.last()).unwrap_or(&(1.0, ""))
}

/// A median, with the least and the most, in the unit of the first.
fn spread(figures: impl IntoIterator<Item = f64>, units: &Units) -> String {
    Summary::of(figures).map_or_else(String::new, |it| {
        let (scale, unit) = unit_of(units, it.median);
        let [median, least, most] = [it.median, it.least, it.most].map(|of| digits(of / scale));
        format!("{median}{unit} ({least} to {most})")
    })
}

fn told_in(units: &Units, figure: f64) -> String {
    let (scale, unit) = unit_of(units, figure);
    format!("{}{unit}", digits(figure / scale))
}

/// A time in few characters.
pub fn told(nanoseconds: f64) -> String {
    told_in(&TIMES, nanoseconds)
}

/// Three digits, or all before the point.
fn digits(figure: f64) -> String {
    match figure {
        100.0.. => format!("{figure:.0}"),
        10.0.. => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::WORKLOADS;

    #[test]
    fn figures_are_short() {
        assert_eq!(told(63.4), "63.4 ns");
        assert_eq!(told(1_449.0), "1.45 us");
        assert_eq!(told(1.88e9), "1.88 s");
        assert_eq!(told_in(&BYTES, 243e6), "243 MB");
        assert_eq!(digits(0.456), "0.46");
    }

    #[test]
    fn a_ratio_is_of_figures_of_one_round() {
        let mut row = Row::of(&WORKLOADS[0]);
        row.own = vec![100.0, 200.0, 100.0];
        row.other = [5_000.0, 12_000.0, 7_000.0]
            .map(|nanoseconds| Figures {
                nanoseconds,
                bytes: 2_752.0,
                between: nanoseconds / 2.0,
            })
            .to_vec();
        let cells = row.cells();
        assert_eq!(cells[1], "7.00 us (5.00 to 12.0)");
        assert_eq!(cells[3], "2.75 KB");
        assert_eq!(cells[5], "60.0 (50.0 to 70.0)");
        assert_eq!(cells[6], "30.0 (25.0 to 35.0)");
        assert_eq!(table(&[row]).lines().count(), 3);
    }
}
