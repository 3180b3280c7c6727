//! `skep save`: a dump, or a made-up cluster, to a file.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::process::ExitCode;

use skep::Store;
use skep::cluster::catalogue;
use skep::save::{SaveError, Saved};

use super::{args, at, fresh, loading, open, print, sample};
use crate::failure::Failure;
use crate::input::error::{InputError, one_line};
use crate::interrupt::Interrupt;
use crate::meter::Meter;
use crate::report::table::{counted, grouped};
use crate::target::{Readers, Target, Unwritten, Wanted};

/// Writes what the command line says.
pub fn save(args: &args::Save) -> Result<ExitCode, Failure> {
    let inputs: Vec<&Path> = args.from.iter().map(AsRef::as_ref).collect();
    let wanted = Wanted {
        path: &args.file,
        named: "FILE",
        inputs: &inputs,
        readers: Readers::Owner,
    };
    let target = Target::open(&wanted, &Interrupt::listen_to_end())?;
    let store = fresh(args.names_in_kind);
    fill(args, &store)?;
    refuse_nothing(args, &store)?;
    let saved = write(args, &store, target)?;
    let objects = counted(saved.objects, "object");
    let (bytes, object_bytes) = (grouped(saved.bytes), grouped(saved.object_bytes));
    let file = one_line(&args.file.to_string_lossy(), usize::MAX);
    if !args.quiet {
        print(&format!(
            "{file}: {objects} of {object_bytes} bytes in {bytes} bytes"
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What messages call it.
const STANDARD_INPUT: &str = "standard input";

/// Refuses input without an object, unless it was asked for: it is what comes from a program that
/// failed, from a file that could not be written, and from where nothing is open. An older file is
/// not to be replaced by that.
fn refuse_nothing(args: &args::Save, store: &Store) -> Result<(), InputError> {
    if args.synthetic || args.allow_empty || store.stats().objects > 0 {
        return Ok(());
    }
    let input = args.from.as_deref().unwrap_or(Path::new(STANDARD_INPUT));
    let what = "no object comes from it; if there is to be none, say --allow-empty";
    Err(InputError::file(input, what.to_owned()))
}

fn fill(args: &args::Save, store: &Store) -> Result<(), InputError> {
    if args.synthetic {
        let size = sample::Size {
            tasks: args.tasks,
            nodes: args.nodes,
        };
        let mut meter = Meter::new(u64::from(args.tasks), args.quiet);
        sample::fill(store, args.seed, size, |made| meter.show(made, "made up"));
        meter.finish();
        return Ok(());
    }
    let Some(path) = &args.from else {
        let path = Path::new(STANDARD_INPUT);
        let mut meter = Meter::new(0, args.quiet);
        let source = io::stdin().lock();
        let told = |read| meter.show(0, &format!("{} bytes read", grouped(read)));
        let loaded = loading::load(path, source, store, told);
        meter.finish();
        return loaded;
    };
    let (file, length): (BufReader<File>, u64) = open(path)?;
    let mut meter = Meter::new(length, args.quiet);
    let loaded = loading::load(path, file, store, |read| meter.show(read, "read"));
    meter.finish();
    loaded
}

fn write(args: &args::Save, store: &Store, target: Target) -> Result<Saved, Failure> {
    let snapshot = store.snapshot();
    let total = store.stats().versions;
    let mut meter = Meter::new(total, args.quiet);
    let saved = target.write(|out| {
        let saved = snapshot.save(&catalogue(), out, |progress| {
            let objects = counted(progress.objects, "object");
            meter.show(progress.objects, &format!("{objects} saved"));
        });
        saved.map_err(|error| match error {
            SaveError::Io(error) => Unwritten::Target(error),
            error => Unwritten::Source(at(&args.file, &error)),
        })
    });
    meter.finish();
    saved
}
