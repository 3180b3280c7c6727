//! What a chart shows: a bar for each store and each count of threads, and how far rounds lay
//! apart.

use skep_measure::clock::Clock;
use skep_measure::figures::Summary;

use crate::outcome::Outcome;
use crate::samples::Samples;
use crate::special::{Figures, Special, summary};
use crate::workload::Rated;

/// A bar chart.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// What is shown.
    pub title: String,
    /// What the axis counts.
    pub unit: String,
    /// What the bars of a store are, in their order.
    pub series: Vec<String>,
    /// Stores with their bars, the longest first bar first.
    pub stores: Vec<(String, Vec<Option<Summary>>)>,
}

impl Chart {
    /// A workload's; `None`: it is not for bars, or there is nothing to show.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        let chart = match outcome {
            Outcome::Rates(workload, all) => rates(workload, all),
            Outcome::Figures(workload, all) => figures(workload, all),
        };
        chart.has_bars().then_some(chart)
    }

    fn has_bars(&self) -> bool {
        let mut bars = self.stores.iter().flat_map(|(_, bars)| bars);
        bars.any(|bar| bar.is_some_and(is_shown))
    }

    /// The least and the most that is shown.
    pub fn extremes(&self) -> (f64, f64) {
        let bars = self.stores.iter().flat_map(|(_, bars)| bars).flatten();
        let shown = bars.filter(|bar| is_shown(**bar));
        shown.fold((f64::INFINITY, 0.0), |(least, most), bar| {
            (least.min(bar.least), f64::max(most, bar.most))
        })
    }
}

/// A logarithmic axis has no zero.
pub fn is_shown(bar: Summary) -> bool {
    bar.least > 0.0 && bar.most.is_finite()
}

fn sorted(mut stores: Vec<(String, Vec<Option<Summary>>)>) -> Vec<(String, Vec<Option<Summary>>)> {
    let first = |bars: &[Option<Summary>]| bars.iter().flatten().next().map_or(0.0, |it| it.median);
    stores.retain(|(_, bars)| bars.iter().any(Option::is_some));
    stores.sort_by(|(_, one), (_, other)| first(other).total_cmp(&first(one)));
    stores
}

fn rates(workload: &Rated, all: &[Samples]) -> Chart {
    let (title, unit) = workload
        .title
        .rsplit_once(", ")
        .unwrap_or((workload.title, ""));
    let counts: Vec<usize> = all
        .first()
        .map_or(&[][..], |it| &it.by_threads)
        .iter()
        .map(|it| it.0)
        .collect();
    let bars = |samples: &Samples| {
        let rates = counts
            .iter()
            .map(|&threads| samples.rate(threads, Clock::Wall));
        (samples.store.to_owned(), rates.collect())
    };
    let plural = |threads: &usize| if *threads == 1 { "" } else { "s" };
    Chart {
        title: format!("{}: {title}", workload.letter),
        unit: unit.to_owned(),
        series: counts
            .iter()
            .map(|it| format!("{it} thread{}", plural(it)))
            .collect(),
        stores: sorted(all.iter().map(bars).collect()),
    }
}

fn figures(workload: &Special, all: &[(&'static str, Vec<Figures>)]) -> Chart {
    let bars = |(store, rounds): &(&'static str, Vec<Figures>)| {
        let bars = workload.charted.iter().map(|name| summary(rounds, name));
        ((*store).to_owned(), bars.collect())
    };
    let unit = match workload.charted {
        [only] => *only,
        _ => "updates/s",
    };
    Chart {
        title: format!("{}: {}", workload.letter, workload.title),
        unit: unit.to_owned(),
        series: workload
            .charted
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        stores: sorted(all.iter().map(bars).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::one_round;
    use crate::special::SPECIAL;
    use crate::workload::RATED;

    #[test]
    fn stores_are_sorted_and_who_cannot_is_left_out() {
        let all = vec![
            one_round("slow", [1.0, 9.0]),
            one_round("fast", [3.0, 4.0]),
            Samples::none("cannot", &[1, 2]),
        ];
        let chart = Chart::of(&Outcome::Rates(&RATED[0], all)).expect("there are rates");
        let names: Vec<&str> = chart.stores.iter().map(|it| it.0.as_str()).collect();
        assert_eq!(names, ["fast", "slow"]);
        assert_eq!(chart.series, ["1 thread", "2 threads"]);
        assert_eq!(chart.unit, "reads/s");
        assert_eq!(chart.extremes(), (1.0, 9.0));
    }

    #[test]
    fn what_is_not_for_bars_has_none() {
        let stops = SPECIAL
            .iter()
            .find(|it| it.letter == 'm')
            .expect("m is there");
        let rounds = vec![vec![("writers stopped", 1.0)]];
        assert_eq!(
            Chart::of(&Outcome::Figures(stops, vec![("store", rounds)])),
            None
        );
        assert_eq!(Chart::of(&Outcome::Rates(&RATED[0], vec![])), None);
    }

    #[test]
    fn a_special_workload_shows_its_figures_side_by_side() {
        let held = &SPECIAL[0];
        let rounds = vec![vec![
            (held.charted[0], 5.0),
            (held.charted[1], 4.0),
            ("x", 0.0),
        ]];
        let chart = Chart::of(&Outcome::Figures(held, vec![("store", rounds)]));
        let chart = chart.expect("two bars");
        assert_eq!(chart.series.len(), 2);
        assert_eq!(chart.extremes(), (4.0, 5.0));
    }
}
