//! `skep inspect`: what a file has, without a store.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use skep::save::{SavedObject, SavedTable};

use super::overview::Overview;
use super::tables::Secrets;
use super::{End, STANDARD_OUTPUT, args, dump, print, read, tables};
use crate::failure::Failure;
use crate::input::error::{InputError, one_line};
use crate::meter::Meter;
use crate::report::table::grouped;

/// Tells what the command line asks for.
pub fn inspect(args: &args::Inspect) -> Result<ExitCode, Failure> {
    let (reader, length) = read(&args.file)?;
    let mut meter = Meter::new(length, args.quiet);
    let mut out = BufWriter::new(io::stdout().lock());
    let mut found = false;
    let overview = Overview::read(reader, |table, object, offset| {
        meter.show(offset, "read");
        found |= show(args, table, object, &mut out)?;
        Ok(())
    });
    meter.finish();
    let flushed = |overview| out.flush().map(|()| overview).map_err(End::Output);
    let overview = overview.and_then(flushed);
    let overview = overview.map_err(|end| {
        let place = Path::new(STANDARD_OUTPUT);
        end.of(&args.file).failure(place)
    })?;
    drop(out);
    if let Some(name) = &args.table
        && !overview.tables.iter().any(|table| table.table == *name)
    {
        // Whoever made the file chose the names.
        let names = overview.tables.iter().map(|of| one_line(&of.table, 60));
        let names: Vec<_> = names.collect();
        let shown = one_line(name, 60);
        let what = format!("no table \"{shown}\"; there are {}", names.join(", "));
        return Err(InputError::file(&args.file, what).into());
    }
    if let Some(id) = args.object
        && !found
    {
        let elsewhere = match args.table {
            None => unread(&overview),
            Some(_) => String::new(),
        };
        let what = format!("no object {id}{elsewhere}");
        return Err(InputError::file(&args.file, what).into());
    }
    if args.table.is_none() && args.object.is_none() {
        let text = if args.json {
            serde_json::to_string(&overview).expect("it has only names and numbers")
        } else {
            overview.table()
        };
        print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The tables in which an object was not looked for.
fn unread(overview: &Overview) -> String {
    let tables = overview.tables.iter();
    let unknown = tables.filter(|of| tables::known(&of.table, of.schema).is_none());
    let names: Vec<_> = unknown.map(|of| one_line(&of.table, 60)).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(
            "; not looked for in {}: this program does not know their form",
            names.join(", ")
        ),
    }
}

/// JSON for people, in which no character is a control of a terminal: JSON itself asks that of
/// those below a space alone.
fn for_terminals(json: &str) -> Cow<'_, str> {
    let is_control = |character: char| character.is_control() && character != '\n';
    if !json.contains(is_control) {
        return json.into();
    }
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        match is_control(character) {
            // None is beyond 16 bits.
            true => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            false => shown.push(character),
        }
    }
    shown.into()
}

/// Shows an object, if it is asked for; whether it was.
fn show(
    args: &args::Inspect,
    table: &SavedTable,
    object: &SavedObject<'_>,
    out: &mut dyn Write,
) -> Result<bool, End> {
    let of_table = args.table.as_ref().is_none_or(|asked| *asked == table.name);
    if !of_table || (args.table.is_none() && args.object.is_none()) {
        return Ok(false);
    }
    let Some(known) = tables::known(&table.name, table.schema) else {
        if args.table.is_none() {
            return Ok(false);
        }
        let shown = one_line(&table.name, 60);
        return Err(End::Told(format!(
            "this program does not know the form of table {shown}"
        )));
    };
    let told = |error: &dyn std::fmt::Display| End::Told(format!("table {}: {error}", known.name));
    let id = (known.id)(object.bytes).map_err(|fault| told(&fault))?;
    if args.object.is_some_and(|asked| asked != id) {
        return Ok(false);
    }
    let secrets = Secrets::of(args.redact);
    let written = if args.json {
        let line = dump::line(known, object, secrets).map_err(|error| told(&error))?;
        out.write_all(&line)
    } else if args.object.is_some() {
        let json = (known.json)(object.bytes, secrets).map_err(|fault| told(&fault))?;
        writeln!(out, "{}", for_terminals(&format!("{json:#}")))
    } else {
        let proposed = object.proposed.map(|version| grouped(version.get()));
        let proposed = proposed.map(|version| format!("  proposer's {version:>9}"));
        writeln!(
            out,
            "{id}  version {:>9}{}  {:>9} bytes",
            grouped(object.version.get()),
            proposed.unwrap_or_default(),
            grouped(object.bytes.len() as u64)
        )
    };
    written.map(|()| true).map_err(End::Output)
}
