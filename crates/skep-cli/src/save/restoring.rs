//! `skep restore`: a file into a fresh store, held against the file again.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use skep::Store;
use skep::cluster::{self, catalogue};
use skep::save::{ReadError, Restored};

use super::overview::Overview;
use super::{End, args, at, dump, open, print, read, tables};
use crate::failure::Failure;
use crate::input::error::InputError;
use crate::interrupt::Interrupt;
use crate::meter::Meter;
use crate::report::table::counted;
use crate::target::{Readers, Target, Unwritten, Wanted};

/// What a restore came to, for programs.
#[derive(Serialize)]
struct Outcome {
    restored: bool,
    seconds: f64,
    #[serde(flatten)]
    overview: Overview,
}

/// Restores what the command line says.
pub fn restore(args: &args::Restore) -> Result<ExitCode, Failure> {
    let target = target(args, &Interrupt::listen_to_end())?;
    let store = cluster::builder().build();
    let began = Instant::now();
    let restored = load(args, &store)?;
    let seconds = began.elapsed().as_secs_f64();
    check(args, &store, &restored)?;
    let writes = target.is_some();
    let overview = match target {
        None => look(&args.file)?,
        Some(target) => target.write(|out| write(&args.file, out))?,
    };
    if args.json {
        let outcome = Outcome {
            restored: true,
            seconds,
            overview,
        };
        let text = serde_json::to_string(&outcome);
        print(&text.expect("the outcome has only names and numbers"))?;
    } else if !(args.quiet && writes) {
        let objects = counted(overview.objects(), "object");
        let table = overview.table();
        print(&format!(
            "{table}\nrestored in {seconds:.2} s and checked: {objects}, every name unique"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Where the lines go, if they are asked for.
fn target(args: &args::Restore, interrupt: &Interrupt) -> Result<Option<Target>, InputError> {
    let open = |path| {
        let wanted = Wanted {
            path,
            named: "--to",
            inputs: &[&args.file],
            readers: Readers::Owner,
        };
        Target::open(&wanted, interrupt)
    };
    args.to.as_deref().map(open).transpose()
}

/// Reads the file into the store.
fn load(args: &args::Restore, store: &Store) -> Result<Restored, InputError> {
    let (file, length) = open(&args.file)?;
    let mut meter = Meter::new(length, args.quiet);
    let restored = store.restore_with(&catalogue(), file, |progress| {
        let objects = counted(progress.objects, "object");
        meter.show(progress.bytes, &format!("{}: {objects}", progress.table));
    });
    meter.finish();
    restored.map_err(|error| at(&args.file, &error))
}

/// Holds the store against the file again: nothing must differ.
fn check(args: &args::Restore, store: &Store, restored: &Restored) -> Result<(), InputError> {
    let (file, _) = open(&args.file)?;
    let again = store.restore(&catalogue(), file);
    let again = again.map_err(|error| at(&args.file, &error))?;
    let created = restored.tables.iter().map(|table| table.created);
    let unchanged = again.tables.iter().map(|table| table.unchanged);
    if again.version != restored.version || !created.eq(unchanged) {
        return Err(InputError::file(
            &args.file,
            "restored, the store differs from it: did the file change meanwhile?",
        ));
    }
    Ok(())
}

fn look(path: &Path) -> Result<Overview, InputError> {
    let (reader, _) = read(path)?;
    let overview = Overview::read(reader, |_, _, _| Ok::<(), ReadError>(()));
    overview.map_err(|error| at(path, &error))
}

/// Writes the objects as lines of JSON.
fn write(path: &Path, out: &mut dyn Write) -> Result<Overview, Unwritten> {
    let (reader, _) = read(path).map_err(Unwritten::Source)?;
    let overview = Overview::read(reader, |table, object, _| {
        let table = tables::find(&table.name);
        let table = table.ok_or_else(|| End::Told("its tables have changed".to_owned()))?;
        let line = dump::line(table, object).map_err(End::Told)?;
        out.write_all(&line).map_err(End::Output)
    });
    overview.map_err(|end| end.of(path))
}
