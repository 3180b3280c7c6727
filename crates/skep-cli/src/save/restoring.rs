//! `skep restore`: a file into a fresh store, held against the file again.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use serde::Serialize;
use skep::Store;
use skep::cluster::catalogue;
use skep::save::{ReadError, Restored};

use super::again::Saved;
use super::overview::Overview;
use super::tables::Secrets;
use super::{End, args, at, dump, fresh, hint, print, tables};
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
    let saved = Saved::open(&args.file)?;
    let store = fresh(args.names_in_kind);
    let began = Instant::now();
    let restored = load(&saved, &store, args.quiet)?;
    let seconds = began.elapsed().as_secs_f64();
    check(&saved, &store, &restored)?;
    let writes = target.is_some();
    let overview = match target {
        None => look(&saved)?,
        Some(target) => target.write(|out| write(&saved, Secrets::of(args.redact), out))?,
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
fn load(saved: &Saved<'_>, store: &Store, quiet: bool) -> Result<Restored, InputError> {
    let mut meter = Meter::new(saved.length(), quiet);
    let restored = store.restore_with(&catalogue(), saved.bytes()?, |progress| {
        let objects = counted(progress.objects, "object");
        meter.show(progress.bytes, &format!("{}: {objects}", progress.table));
    });
    meter.finish();
    restored.map_err(|error| InputError::file(saved.path(), format!("{error}{}", hint(&error))))
}

/// Holds the store against the file again: nothing must differ.
fn check(saved: &Saved<'_>, store: &Store, restored: &Restored) -> Result<(), InputError> {
    let again = store.restore(&catalogue(), saved.bytes()?);
    let again = again.map_err(|error| at(saved.path(), &error))?;
    let created = restored.tables.iter().map(|table| table.created);
    let unchanged = again.tables.iter().map(|table| table.unchanged);
    if again.version != restored.version || !created.eq(unchanged) {
        return Err(InputError::file(
            saved.path(),
            "restored, the store differs from it: did the file change meanwhile?",
        ));
    }
    Ok(())
}

fn look(saved: &Saved<'_>) -> Result<Overview, InputError> {
    let overview = Overview::read(saved.reader()?, |_, _, _| Ok::<(), ReadError>(()));
    overview.map_err(|error| at(saved.path(), &error))
}

/// Writes the objects as lines of JSON.
fn write(saved: &Saved<'_>, secrets: Secrets, out: &mut dyn Write) -> Result<Overview, Unwritten> {
    let reader = saved.reader().map_err(Unwritten::Source)?;
    let overview = Overview::read(reader, |table, object, _| {
        let table = tables::find(&table.name);
        let table = table.ok_or_else(|| End::Told("its tables have changed".to_owned()))?;
        let line = dump::line(table, object, secrets).map_err(End::Told)?;
        out.write_all(&line).map_err(End::Output)
    });
    overview.map_err(|end| end.of(saved.path()))
}
