//! The summary as a table for people.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, Row, Table};

use super::summary::{End, Quantiles, Summary};

/// The summary as lines of text.
pub fn table(summary: &Summary) -> String {
    let tables = [
        tasks(summary),
        commits(summary),
        latencies(summary),
        store(summary),
    ];
    let mut text = tables.map(|table| table.to_string()).join("\n");
    text.push('\n');
    text.push_str(&verdict(summary));
    text
}

/// A table with a title and columns, all but the first of which hold numbers.
pub fn titled<const N: usize>(title: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(title);
    for column in 1..N {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Adds a row of a name and what it is.
pub fn add(table: &mut Table, name: &str, value: impl Into<String>) {
    let mut row = Row::new();
    row.add_cell(Cell::new(name))
        .add_cell(Cell::new(value.into()));
    table.add_row(row);
}

fn tasks(summary: &Summary) -> Table {
    let tasks = &summary.tasks;
    let mut table = titled([
        "tasks",
        &format!("of {}", grouped(summary.input.tasks as u64)),
    ]);
    add(&mut table, "submitted", grouped(tasks.submitted));
    add(&mut table, "placed", grouped(tasks.placed));
    add(
        &mut table,
        "  of these after waiting for room",
        grouped(tasks.placed_after_wait),
    );
    add(&mut table, "finished", grouped(tasks.finished));
    add(&mut table, "failed", grouped(tasks.failed));
    add(&mut table, "still running", grouped(tasks.still_running));
    add(
        &mut table,
        "pending for want of room",
        grouped(tasks.pending_no_room),
    );
    add(
        &mut table,
        "unplaceable on any node, even empty",
        grouped(tasks.pending_unplaceable),
    );
    if tasks.pending_untried > 0 {
        add(
            &mut table,
            "not looked at before the end",
            grouped(tasks.pending_untried),
        );
    }
    let peak = &summary.peak_percent;
    let nodes = counted(summary.input.nodes as u64, "node");
    add(
        &mut table,
        &format!("fullest: CPU of {nodes}"),
        format!("{:.1} %", peak.cpu),
    );
    add(
        &mut table,
        "fullest: memory",
        format!("{:.1} %", peak.memory),
    );
    add(&mut table, "fullest: GPUs", format!("{:.1} %", peak.gpu));
    table
}

fn commits(summary: &Summary) -> Table {
    let (commits, time) = (&summary.commits, &summary.time);
    let mut table = titled(["commits", &grouped(commits.count)]);
    add(&mut table, "commits/s", grouped(commits.per_second as u64));
    add(
        &mut table,
        "placements/s",
        grouped(time.placed_per_second as u64),
    );
    add(
        &mut table,
        "transactions with a conflict",
        grouped(commits.conflicts),
    );
    add(
        &mut table,
        "runs again after a conflict",
        grouped(commits.retries),
    );
    add(
        &mut table,
        "races lost: task already taken",
        grouped(commits.tasks_lost),
    );
    add(
        &mut table,
        "races lost: room already taken",
        grouped(commits.room_lost),
    );
    add(
        &mut table,
        "wall time",
        format!("{:.2} s", time.wall_seconds),
    );
    add(
        &mut table,
        "wall time with checks",
        format!("{:.2} s", time.wall_seconds_with_checks),
    );
    add(
        &mut table,
        "simulated time",
        format!("{} s", grouped(time.simulated_seconds)),
    );
    table
}

fn latencies(summary: &Summary) -> Table {
    let latency = &summary.latency_us;
    let mut table = titled(["latency", "p50", "p99", "p99.9", "count"]);
    let mut add = |name: &str, quantiles: &Quantiles| {
        let Quantiles {
            count,
            p50,
            p99,
            p999,
            ..
        } = *quantiles;
        table.add_row([
            name.to_owned(),
            of_so_many(count, p50),
            of_so_many(count, p99),
            of_so_many(count, p999),
            grouped(count),
        ]);
    };
    add("read of one object", &latency.read);
    add("snapshot and choice of a node", &latency.choose);
    add("commit, conflicts included", &latency.commit);
    add("delivery, write to agent", &latency.delivery);
    table
}

fn store(summary: &Summary) -> Table {
    let store = &summary.store;
    let mut table = titled(["store", "at the end", "at most seen"]);
    let (versions, bytes) = (store.versions_alive, store.bytes_alive);
    let (versions_peak, bytes_peak) = (store.versions_alive_peak, store.bytes_alive_peak);
    table.add_row([
        "versions alive".to_owned(),
        grouped(versions),
        grouped(versions_peak),
    ]);
    table.add_row([
        "bytes alive".to_owned(),
        grouped(bytes),
        grouped(bytes_peak),
    ]);
    table
}

/// What the checks came to, in a line or two.
fn verdict(summary: &Summary) -> String {
    let books = &summary.books;
    let what = [
        counted(books.versions_checked, "version"),
        counted(books.events_checked, "event"),
        counted(books.whole_comparisons, "comparison"),
    ];
    let what = format!(
        "{} and {} walked, {} of the whole store",
        what[0], what[1], what[2]
    );
    let until = match summary.end {
        End::Interrupted => "ended early; up to there ",
        End::Complete | End::Broken => "",
    };
    let lagged = match books.watchers_lagged {
        0 => String::new(),
        count => {
            let agents = counted(count, "agent");
            format!("\n{agents} lagged and began anew from a snapshot")
        }
    };
    if books.balanced {
        format!("{until}the books balance: {what}{lagged}")
    } else {
        let faults = counted(books.faults_count, "fault");
        format!("{until}the books do not balance: {faults} in {what}{lagged}")
    }
}

/// A number of things.
pub fn counted(number: u64, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {thing}{plural}", grouped(number))
}

/// A number with its digits in groups of three.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A quantile in microseconds; of nothing there is none.
fn of_so_many(count: u64, quantile: f64) -> String {
    match count {
        0 => "-".to_owned(),
        _ => micros(quantile),
    }
}

/// Microseconds with a unit that leaves few digits.
fn micros(micros: f64) -> String {
    match micros {
        _ if micros < 1_000.0 => format!("{micros:.1} µs"),
        _ if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1_000.0),
        _ => format!("{:.1} s", micros / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_000), "1 000");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(counted(1, "fault"), "1 fault");
        assert_eq!(counted(2_000, "fault"), "2 000 faults");
        assert_eq!(of_so_many(0, 0.0), "-");
        assert_eq!(of_so_many(1, 0.0), "0.0 µs");
        assert_eq!(micros(12.34), "12.3 µs");
        assert_eq!(micros(12_340.0), "12.3 ms");
        assert_eq!(micros(2_500_000.0), "2.5 s");
    }
}
