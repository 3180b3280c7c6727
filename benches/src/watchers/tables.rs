//! The figures of watchers as the tables of docs/numbers.md: a line a bus, a column a number of
//! watchers.

use super::bus::Asked;

/// Medians of one bus, in nanoseconds, with so many watchers that ask for something.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Publishing while every watcher sleeps.
    pub alone: f64,
    /// Of it what the publisher's thread ran.
    pub alone_cpu: f64,
    /// Publishing one event of a row.
    pub in_batches: f64,
    /// Delivery, an event and watcher; NaN: nothing was delivered.
    pub delivery: f64,
    /// From before the publication to the receipt, the median; NaN: nothing was received.
    pub p50: f64,
    /// The same of all but a hundredth.
    pub p99: f64,
}

/// What was measured, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// What was asked for.
    pub asked: Asked,
    /// By how many watchers.
    pub watchers: usize,
    /// Of which bus.
    pub bus: &'static str,
    /// The figures.
    pub of: Measured,
}

/// A time in few characters.
fn short(nanos: f64) -> String {
    match nanos {
        // Figures that are written with the same number of digits.
        ..999.5 => format!("{nanos:.0} ns"),
        ..9_950.0 => format!("{:.1} µs", nanos / 1e3),
        ..999_500.0 => format!("{:.0} µs", nanos / 1e3),
        _ => format!("{:.1} ms", nanos / 1e6),
    }
}

fn published(of: &Measured) -> Option<String> {
    Some(format!("{} / {}", short(of.alone), short(of.in_batches)))
}

fn received(of: &Measured) -> Option<String> {
    let delivery = (!of.delivery.is_nan()).then(|| short(of.delivery))?;
    if of.p50.is_nan() {
        return Some(delivery);
    }
    Some(format!("{delivery}; {} / {}", short(of.p50), short(of.p99)))
}

/// What a table shows of a measurement, and how that is called.
type Shown = (&'static str, fn(&Measured) -> Option<String>);

const SHOWN: [Shown; 2] = [
    ("publishing, all asleep / in a row", published),
    ("delivery; p50 / p99", received),
];

/// The tables of all lines.
#[must_use]
pub fn tables(lines: &[Line]) -> String {
    let mut text = String::new();
    for asked in Asked::EACH {
        let here: Vec<&Line> = lines.iter().filter(|line| line.asked == asked).collect();
        for (name, show) in SHOWN {
            if !here.is_empty() {
                text += &format!("\n{asked}: {name}\n\n{}", table(&here, show));
            }
        }
    }
    text
}

fn table(lines: &[&Line], show: fn(&Measured) -> Option<String>) -> String {
    let (mut counts, mut buses) = (Vec::new(), Vec::new());
    for line in lines {
        if !counts.contains(&line.watchers) {
            counts.push(line.watchers);
        }
        if !buses.contains(&line.bus) {
            buses.push(line.bus);
        }
    }
    let counted: String = counts.iter().map(|count| format!(" {count} |")).collect();
    let mut text = format!(
        "| watchers |{counted}\n{}|\n",
        "|---".repeat(counts.len() + 1)
    );
    for bus in buses {
        let cell = |count: &usize| {
            let mut lines = lines.iter();
            let line = lines.find(|line| line.bus == bus && line.watchers == *count)?;
            show(&line.of)
        };
        let cells: Vec<Option<String>> = counts.iter().map(cell).collect();
        if cells.iter().any(Option::is_some) {
            let cells = cells.into_iter().map(Option::unwrap_or_default);
            let cells: String = cells.map(|cell| format!(" {cell} |")).collect();
            text += &format!("| {bus} |{cells}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Measured = Measured {
        alone: 1_234.0,
        alone_cpu: 0.0,
        in_batches: 86.4,
        delivery: f64::NAN,
        p50: f64::NAN,
        p99: f64::NAN,
    };

    fn line(bus: &'static str, watchers: usize, of: Measured) -> Line {
        let asked = Asked::All;
        Line {
            asked,
            watchers,
            bus,
            of,
        }
    }

    #[test]
    fn times_have_two_digits_at_least() {
        let shown = [1.4, 999.4, 1_000.0, 9_960.0, 16_400.0, 1_234_567.0].map(short);
        assert_eq!(
            shown,
            ["1 ns", "999 ns", "1.0 µs", "10 µs", "16 µs", "1.2 ms"]
        );
    }

    #[test]
    fn a_bus_has_a_line_and_a_number_of_watchers_a_column() {
        let received = Measured {
            delivery: 20.0,
            p50: 11e3,
            p99: 5e6,
            ..OF
        };
        let lines = [
            line("one", 1, OF),
            line("other", 1, received),
            line("other", 10, OF),
        ];
        let text = tables(&lines);
        for part in [
            "| watchers | 1 | 10 |\n|---|---|---|\n",
            "| one | 1.2 µs / 86 ns |  |\n",
            "| other | 1.2 µs / 86 ns | 1.2 µs / 86 ns |\n",
            "| other | 20 ns; 11 µs / 5.0 ms |  |\n",
        ] {
            assert!(text.contains(part), "no {part} in {text}");
        }
        // To whom nothing was delivered has no line of deliveries.
        assert_eq!(text.matches("| one |").count(), 1, "{text}");
    }
}
