//! A snapshot to a stream.

use std::io::Write;

use super::catalogue::Catalogue;
use super::error::SaveError;
use super::format::{FORMAT_PLAIN, FORMAT_VERSION, Head};
use super::write::Writer;
use crate::snapshot::Snapshot;
use crate::version::Version;

/// How far a saving or restoring is. Neither number ever falls, and what is told last is the whole:
/// all objects, and all bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The table at hand; at the end the last one.
    pub table: &'static str,
    /// Objects written or read so far, of all tables.
    pub objects: u64,
    /// Bytes written or read so far.
    pub bytes: u64,
}

/// What was saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Saved {
    /// The version.
    pub version: Version,
    /// Objects of all tables.
    pub objects: u64,
    /// Bytes of these, encoded, before compression.
    pub object_bytes: u64,
    /// Bytes written.
    pub bytes: u64,
}

pub(super) fn save(
    snapshot: &Snapshot,
    catalogue: &Catalogue,
    mut target: impl Write,
    mut progress: impl FnMut(Progress),
) -> Result<Saved, SaveError> {
    let mut writer = Writer::new(&mut target, catalogue.limits);
    let version = snapshot.version();
    let tables = u32::try_from(catalogue.tables.len()).expect("the catalogue bounds its tables");
    let format = match snapshot.knows_proposed() {
        false => FORMAT_PLAIN,
        true => FORMAT_VERSION,
    };
    writer.head(Head {
        format,
        tables,
        version: version.get(),
    })?;
    for table in &catalogue.tables {
        let objects = table.count(snapshot);
        writer.table(table.name(), table.schema(), objects)?;
        table.save(snapshot, &mut writer, &mut |writer| {
            progress(Progress {
                table: table.name(),
                objects: writer.objects,
                bytes: writer.written,
            });
        })?;
    }
    writer.end()?;
    if let Some(last) = catalogue.tables.last() {
        progress(Progress {
            table: last.name(),
            objects: writer.objects,
            bytes: writer.written,
        });
    }
    Ok(Saved {
        version,
        objects: writer.objects,
        object_bytes: writer.bytes,
        bytes: writer.written,
    })
}
