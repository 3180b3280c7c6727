//! What a file has, table by table.

use std::io::Read;

use comfy_table::{Cell, Row};
use serde::Serialize;
use skep::save::{ReadError, Reader, SavedObject, SavedTable};

use crate::report::table::{grouped, titled};

/// What a file has.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// The store's version.
    pub version: u64,
    /// The format of the file.
    pub format: u16,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Its tables.
    pub tables: Vec<TableOverview>,
}

/// What a table has.
#[derive(Clone, Debug, Serialize)]
pub struct TableOverview {
    /// Its name.
    pub table: String,
    /// The number of its objects' form.
    pub schema: u32,
    /// How many objects.
    pub objects: u64,
    /// Bytes of these.
    pub bytes: u64,
    /// Bytes that they take in the file.
    pub file_bytes: u64,
    /// The oldest version that wrote one of them, and the newest.
    pub oldest_version: Option<u64>,
    /// See above.
    pub newest_version: Option<u64>,
}

impl Overview {
    /// Reads a file to its end; `each` is given every object, with its table and the bytes read.
    pub fn read<R: Read, E: From<ReadError>>(
        mut reader: Reader<R>,
        mut each: impl FnMut(&SavedTable, &SavedObject<'_>, u64) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut overview = Self {
            version: reader.version().get(),
            format: reader.format(),
            file_bytes: 0,
            tables: Vec::new(),
        };
        let mut begin = reader.offset();
        while let Some(table) = reader.next_table()? {
            let mut row = TableOverview {
                table: table.name.clone(),
                schema: table.schema,
                objects: table.objects,
                bytes: 0,
                file_bytes: 0,
                oldest_version: None,
                newest_version: None,
            };
            loop {
                let offset = reader.offset();
                let Some(object) = reader.next_object()? else {
                    break;
                };
                let version = Some(object.version.get());
                row.bytes += object.bytes.len() as u64;
                row.oldest_version = row.oldest_version.min(version).or(version);
                row.newest_version = row.newest_version.max(version);
                each(&table, &object, offset)?;
            }
            row.file_bytes = reader.offset() - begin;
            begin = reader.offset();
            overview.tables.push(row);
        }
        overview.file_bytes = reader.offset();
        Ok(overview)
    }

    /// How many objects all tables have.
    pub fn objects(&self) -> u64 {
        self.tables.iter().map(|table| table.objects).sum()
    }

    /// The table for people.
    pub fn table(&self) -> String {
        let title = [
            "table",
            "objects",
            "bytes",
            "in the file",
            "versions",
            "schema",
        ];
        let mut table = titled(title);
        let mut add = |name: &str, cells: [String; 5]| {
            let mut row = Row::new();
            row.add_cell(Cell::new(name));
            for cell in cells {
                row.add_cell(Cell::new(cell));
            }
            table.add_row(row);
        };
        for of in &self.tables {
            let versions = match (of.oldest_version, of.newest_version) {
                (Some(oldest), Some(newest)) if oldest != newest => {
                    format!("{} to {}", grouped(oldest), grouped(newest))
                }
                (Some(version), _) => grouped(version),
                (None, _) => "none".to_owned(),
            };
            // Whoever made the file chose the name.
            let name = of.table.escape_debug().to_string();
            let counts = [of.objects, of.bytes, of.file_bytes].map(grouped);
            let [objects, bytes, file_bytes] = counts;
            let schema = of.schema.to_string();
            add(&name, [objects, bytes, file_bytes, versions, schema]);
        }
        let bytes = self.tables.iter().map(|table| table.bytes).sum();
        let sums = [self.objects(), bytes, self.file_bytes].map(grouped);
        let [objects, bytes, file_bytes] = sums;
        let version = format!("at {}", grouped(self.version));
        add("all", [objects, bytes, file_bytes, version, String::new()]);
        table.to_string()
    }
}
