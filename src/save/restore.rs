//! A stream to a store: what differs is planned while the file is read, and done when it has
//! proved sound.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Read;
use std::rc::Rc;

use super::catalogue::Catalogue;
use super::error::{Fault, RestoreError};
use super::plan::{AnyPlan, Section};
use super::read::Reader;
use super::saving::Progress;
use crate::error::{DeferredError, UpdateError};
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::txn::Transaction;
use crate::txn::accepted::update_restored;
use crate::txn::restore::update_whole;
use crate::version::Version;

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restored {
    /// The version of the commit; of the store, if nothing was to be changed.
    pub version: Version,
    /// The version that had been saved.
    pub saved_version: Version,
    /// What became of each table, in the catalogue's order.
    pub tables: Vec<RestoredTable>,
}

/// What became of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestoredTable {
    /// Its name.
    pub table: &'static str,
    /// Objects that were not there.
    pub created: u64,
    /// Objects that were there, and differed.
    pub updated: u64,
    /// Objects that the file does not have.
    pub deleted: u64,
    /// Objects that were there as they were saved.
    pub unchanged: u64,
}

impl RestoredTable {
    pub(super) fn new(table: &'static str) -> Self {
        Self {
            table,
            created: 0,
            updated: 0,
            deleted: 0,
            unchanged: 0,
        }
    }
}

type Plans = Vec<Box<dyn AnyPlan>>;

pub(super) fn restore(
    store: &Store,
    catalogue: &Catalogue,
    accepted: Option<Version>,
    mut source: impl Read,
    mut progress: impl FnMut(Progress),
) -> Result<Restored, RestoreError> {
    let shared = store.shared();
    let accepted = match accepted {
        None => None,
        Some(version) => {
            let line = shared.line.as_ref().ok_or(RestoreError::NoProposer)?;
            // Before the file is read, which may be long.
            line.is_newest(version).map_err(RestoreError::Version)?;
            Some((line, version))
        }
    };
    let base = store.snapshot();
    let reader = Reader::open(&mut source as &mut dyn Read, catalogue.limits)?;
    let saved_version = reader.version();
    let at = accepted.map(|(_, version)| version);
    let plans = read(&base, catalogue, at, reader, &mut progress)?;
    let mut tables = Vec::new();
    let run = &mut |tx: &mut Transaction<'_>| {
        tables = plans.iter().map(|plan| plan.write(&base, tx)).collect();
        tx.settle_placed().map_err(|unsettled| unsettled.error)
    };
    let restored = match accepted {
        None => update_whole(shared, run).map(Ok),
        Some((line, version)) => update_restored(shared, (line, version), run),
    };
    let version = restored.map_err(refused)?.map_err(RestoreError::Version)?;
    Ok(Restored {
        version,
        saved_version,
        tables,
    })
}

fn refused(error: UpdateError<DeferredError<Infallible>>) -> RestoreError {
    match error {
        UpdateError::Closure(DeferredError::Closure(never)) => match never {},
        UpdateError::Closure(DeferredError::Duplicate(duplicate))
        | UpdateError::Duplicate(duplicate) => RestoreError::Duplicate(duplicate),
        UpdateError::Closure(DeferredError::Rejected(rejected))
        | UpdateError::Rejected(rejected) => RestoreError::Rejected(rejected),
        UpdateError::TooOld { oldest, .. } => RestoreError::TooOld { oldest },
        UpdateError::Conflict { attempts } => RestoreError::Conflict { attempts },
        // Of batches, of transactions with a bound, and of proposers: this is none, and asks none.
        UpdateError::Stopped
        | UpdateError::TooLarge { .. }
        | UpdateError::TooManyBytes { .. }
        | UpdateError::TooManyReads { .. }
        | UpdateError::TooManyObjects { .. }
        | UpdateError::Refused { .. }
        | UpdateError::LostLeadership => RestoreError::Conflict { attempts: 0 },
    }
}

/// Reads a file to its end; gives each table's plan, in the catalogue's order.
fn read(
    base: &Snapshot,
    catalogue: &Catalogue,
    accepted: Option<Version>,
    mut reader: Reader<&mut dyn Read>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Plans, RestoreError> {
    let mut plans = HashMap::new();
    let mut section = Section {
        table: "",
        reader: &mut reader,
        present: true,
        progress,
        parts: Rc::default(),
        encoder: Rc::default(),
        accepted,
        told: 0,
    };
    while let Some(found) = section.reader.next_table()? {
        let Some(table) = catalogue.find(&found.name) else {
            return Err(section.reader.error(Fault::UnknownTable).into());
        };
        if found.schema != table.schema() {
            let schema = Fault::Schema {
                found: found.schema,
                known: table.schema(),
            };
            return Err(section.reader.error(schema).into());
        }
        if plans.contains_key(table.name()) {
            let twice = Fault::Malformed("the table comes twice");
            return Err(section.reader.error(twice).into());
        }
        section.table = table.name();
        section.told = 0;
        plans.insert(table.name(), table.plan(base, &mut section)?);
    }
    if !plans.is_empty() {
        section.tell();
    }
    section.present = false;
    let mut in_order = Plans::new();
    for table in &catalogue.tables {
        section.table = table.name();
        in_order.push(match plans.remove(table.name()) {
            Some(plan) => plan,
            None => table.plan(base, &mut section)?,
        });
    }
    Ok(in_order)
}
