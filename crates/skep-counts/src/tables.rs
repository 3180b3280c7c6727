//! The tables that the program prints: as Markdown, to be put into the documents.

use skep::counted::Kind;
use skep_counts::model::MACHINES;
use skep_counts::operations::{Watching, all, commit_beside};
use skep_counts::replay::replay;
use skep_counts::tally::{KINDS, Tally};
use skep_counts::trace::{LOADS, trace};

/// Commits that are counted beside watchers.
const TIMES_WATCHED: u64 = 2_000;

/// Read-modify-writes, fences, stores and loads of each operation: the mean, and the least and the
/// most where that differs.
pub fn counts() {
    println!("| operation | read-modify-writes | full fences | stores | loads |");
    println!("|---|---|---|---|---|");
    for (name, tally) in all() {
        row(name, &tally);
    }
    row(
        "commit of 1 update, nobody watching",
        &beside(0, Watching::Everything),
    );
    for (watching, who) in [
        (Watching::Everything, "that read the log"),
        (Watching::OtherTasks, "of other keys"),
    ] {
        for watchers in [1, 1_000] {
            let name = format!("commit of 1 update, watchers {who}: {watchers}");
            row(&name, &beside(watchers, watching));
        }
    }
}

fn beside(watchers: u64, watching: Watching) -> Tally {
    commit_beside(watchers, watching, TIMES_WATCHED)
}

fn row(name: &str, tally: &Tally) {
    let cell = |kind| {
        let (least, most) = tally.range(kind);
        if least == most {
            return least.to_string();
        }
        format!("{:.2} ({least} to {most})", tally.mean(kind))
    };
    let kinds = [Kind::Modify, Kind::Fence, Kind::Store, Kind::Load];
    let cells: Vec<_> = kinds.into_iter().map(cell).collect();
    println!("| {name} | {} |", cells.join(" | "));
}

/// Where an operation does what it does; false: there is none of that name.
pub fn places(name: &str) -> bool {
    let Some((_, tally)) = all().into_iter().find(|(own, _)| *own == name) else {
        return false;
    };
    for kind in KINDS {
        println!("{kind:?}: {:.3}", tally.mean(kind));
        for (place, times) in tally.places(kind) {
            println!("    {times:9.4}  {place}");
        }
    }
    true
}

/// What each load moves between cores, and its rate by the model.
pub fn lines(cores: &[usize]) {
    let machines = MACHINES.map(|machine| format!("{}, M/s", machine.name));
    println!(
        "| load | cores | lines read | lines written | {} |",
        machines.join(" | ")
    );
    println!("|---|---|---|---|---|---|");
    for load in LOADS {
        for &cores in [1, 2].iter().chain(cores) {
            let trace = trace(load, cores);
            let replayed = MACHINES.map(|machine| replay(&trace, machine));
            let moved = replayed[0].moved();
            let rates = replayed.map(|it| format!("{:.2}", it.rate / 1e6));
            let (read, written) = (moved.read, moved.written);
            println!(
                "| {} | {cores} | {read:.2} | {written:.2} | {} |",
                load.name,
                rates.join(" | ")
            );
        }
    }
}

/// Where a load moves lines; false: there is none of that name, or no such number of cores.
pub fn moving(name: &str, cores: &str) -> bool {
    let load = LOADS.into_iter().find(|load| load.name == name);
    let (Some(load), Ok(cores)) = (load, cores.parse()) else {
        return false;
    };
    let trace = trace(load, cores);
    for machine in MACHINES {
        println!(
            "{}, for each operation\n    read   written        ns",
            machine.name
        );
        for (place, moved) in replay(&trace, machine).places {
            let (read, written, nanos) = (moved.read, moved.written, moved.nanos);
            println!("{read:8.3}  {written:8.3}  {nanos:8.1}  {place}");
        }
    }
    true
}
