//! Reads a file's records, with the memory of one block. Nothing that a record says is used before
//! its checksum holds, and no memory is taken for what has only been claimed.

use std::fmt;
use std::io::{self, Read};

use crc32fast::Hasher;

use super::buffer::Buffer;
use super::error::{Fault, ReadError};
use super::format::{
    BLOCK, CRC_BYTES, END, FORMAT_VERSION, HEAD_BYTES, Head, MAGIC, NAME_BYTES_MAX, TABLE,
    TABLES_MAX, part,
};
use super::frame::{self, SavedObject};
use super::limits::Limits;
use crate::version::Version;

/// Reads a file: table by table, in each object by object. Needs no catalogue.
///
/// A file is known to be sound when [`Reader::next_table`] has given `None`: until then what was
/// given may be all that there is of it.
///
/// `Debug` shows where it is in the file, and nothing of the source or of what it holds.
pub struct Reader<R> {
    source: R,
    limits: Limits,
    head: Head,
    whole: Hasher,
    /// Bytes read, and where the record at hand begins.
    offset: u64,
    begin: u64,
    /// The table at hand, and how many of its objects are still to come.
    table: Option<SavedTable>,
    left: u64,
    tables: u32,
    /// Objects and their bytes so far.
    objects: u64,
    bytes: u64,
    block: Buffer,
    /// Where the next object is in the block.
    next: usize,
    record: Buffer,
    ended: bool,
}

/// A table of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedTable {
    /// Its name.
    pub name: String,
    /// The number of its objects' form.
    pub schema: u32,
    /// How many objects it has.
    pub objects: u64,
}

impl<R> fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("head", &self.head)
            .field("limits", &self.limits)
            .field("offset", &self.offset)
            .field("table", &self.table)
            .field("left", &self.left)
            .field("ended", &self.ended)
            .field("block", &format_args!("{} bytes", self.block.len()))
            .finish_non_exhaustive()
    }
}

impl<R: Read> Reader<R> {
    /// Reads the head.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open(source: R, limits: Limits) -> Result<Self, ReadError> {
        let mut reader = Self {
            source,
            limits,
            head: Head {
                format: FORMAT_VERSION,
                tables: 0,
                version: 0,
            },
            whole: Hasher::new(),
            offset: 0,
            begin: 0,
            table: None,
            left: 0,
            tables: 0,
            objects: 0,
            bytes: 0,
            block: Buffer::default(),
            next: 0,
            record: Buffer::default(),
            ended: false,
        };
        reader.open_head().map_err(|fault| reader.error(fault))?;
        Ok(reader)
    }

    /// The store's version that was saved.
    pub fn version(&self) -> Version {
        Version::new(self.head.version)
    }

    /// The format of the file.
    pub fn format(&self) -> u16 {
        self.head.format
    }

    /// How many tables it has.
    pub fn tables(&self) -> u32 {
        self.head.tables
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many objects have been given, of all tables.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// The next table; what is left of the one before is read over. `None`: the file is at its end,
    /// and sound.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_table(&mut self) -> Result<Option<SavedTable>, ReadError> {
        while self.next_object()?.is_some() {}
        let table = self.open_table();
        table.map_err(|fault| self.error(fault))
    }

    /// The next object of the table; `None`: there is no more.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn next_object(&mut self) -> Result<Option<SavedObject<'_>>, ReadError> {
        if self.is_between_blocks() {
            if self.left == 0 {
                return Ok(None);
            }
            self.open_block().map_err(|fault| self.error(fault))?;
        }
        let at = self.next;
        let length = self.check_object().map_err(|fault| self.error(fault))?;
        self.next += length;
        let object = frame::parse(&self.block[at..], self.head.format);
        Ok(object.ok().map(|(object, _)| object))
    }

    /// Whether all objects of the blocks that were read have been given.
    pub(super) fn is_between_blocks(&self) -> bool {
        self.next == self.block.len()
    }

    /// An error of this place in the file.
    pub(super) fn error(&self, fault: Fault) -> ReadError {
        ReadError {
            offset: self.begin,
            table: self.table.as_ref().map(|table| table.name.clone()),
            fault,
        }
    }

    /// Looks at the next object, and counts it; gives the length of its frame.
    fn check_object(&mut self) -> Result<usize, Fault> {
        let (object, length) = frame::parse(&self.block[self.next..], self.head.format)?;
        let bytes = object.bytes.len() as u64;
        within(
            "bytes of an object",
            bytes,
            self.limits.object_bytes() as u64,
        )?;
        self.bytes = self.bytes.saturating_add(bytes);
        within("bytes of objects", self.bytes, self.limits.bytes_max)?;
        let left = self.left.checked_sub(1);
        self.left = left.ok_or(Fault::Malformed("a block has more objects than its table"))?;
        self.objects += 1;
        Ok(length)
    }

    /// Appends `length` bytes of the file to the record.
    fn take(&mut self, length: usize) -> Result<(), Fault> {
        let before = self.record.len();
        let taken = self.record.take(&mut self.source, length);
        taken.map_err(Fault::Io)?;
        self.offset += (self.record.len() - before) as u64;
        if self.record.len() - before < length {
            return Err(Fault::Truncated);
        }
        Ok(())
    }

    /// Begins a record with its first `length` bytes.
    fn begin(&mut self, length: usize) -> Result<(), Fault> {
        self.begin = self.offset;
        self.record.clear();
        self.take(length)
    }

    /// Takes the record's checksum, which must hold.
    fn check(&mut self) -> Result<(), Fault> {
        let length = self.record.len();
        self.take(CRC_BYTES)?;
        let told = u32::from_le_bytes(part(&self.record, length));
        if told != crc32fast::hash(&self.record[..length]) {
            return Err(Fault::Checksum);
        }
        self.whole.update(&self.record);
        Ok(())
    }

    fn open_head(&mut self) -> Result<(), Fault> {
        let taken = self.begin(HEAD_BYTES - CRC_BYTES);
        if !MAGIC.starts_with(&self.record[..self.record.len().min(MAGIC.len())]) {
            return Err(Fault::NotSaved);
        }
        taken?;
        let (head, reserved_are_zero) = Head::parse(&part(&self.record, 0));
        // Before the checksum: a later format may have another head.
        if head.format > FORMAT_VERSION {
            return Err(Fault::FutureFormat {
                found: head.format,
                known: FORMAT_VERSION,
            });
        }
        self.check()?;
        if head.format == 0 || !reserved_are_zero {
            return Err(Fault::Malformed("the head"));
        }
        within("tables", u64::from(head.tables), u64::from(TABLES_MAX))?;
        self.head = head;
        Ok(())
    }

    fn open_table(&mut self) -> Result<Option<SavedTable>, Fault> {
        if self.ended {
            return Ok(None);
        }
        self.table = None;
        self.begin(1)?;
        let kind = self.record[0];
        if self.tables == self.head.tables {
            return self.end(kind).map(|()| None);
        }
        if kind != TABLE {
            return Err(Fault::Malformed("a table is to come"));
        }
        self.take(2)?;
        let length = usize::from(u16::from_le_bytes(part(&self.record, 1)));
        within(
            "bytes of a table's name",
            length as u64,
            NAME_BYTES_MAX as u64,
        )?;
        self.take(length + 12)?;
        self.check()?;
        let rest = &self.record[3..];
        let Ok(name) = std::str::from_utf8(&rest[..length]) else {
            return Err(Fault::Malformed("a table's name"));
        };
        let table = SavedTable {
            name: name.to_owned(),
            schema: u32::from_le_bytes(part(rest, length)),
            objects: u64::from_le_bytes(part(rest, length + 4)),
        };
        let objects = self.objects.saturating_add(table.objects);
        within("objects", objects, self.limits.objects_max)?;
        self.tables += 1;
        self.left = table.objects;
        self.table = Some(table.clone());
        Ok(Some(table))
    }

    fn open_block(&mut self) -> Result<(), Fault> {
        self.begin(9)?;
        if self.record[0] != BLOCK {
            return Err(Fault::Malformed("a block is to come"));
        }
        let length = u32::from_le_bytes(part(&self.record, 1)) as usize;
        let stored = u32::from_le_bytes(part(&self.record, 5)) as usize;
        within(
            "bytes of a block",
            length as u64,
            self.limits.block_bytes() as u64,
        )?;
        if length == 0 || stored > length {
            return Err(Fault::Malformed("a block's length"));
        }
        self.take(stored)?;
        self.check()?;
        let bytes = &self.record[9..9 + stored];
        self.block.clear();
        self.next = 0;
        if stored == length {
            self.block.extend(bytes);
            return Ok(());
        }
        self.block.resize(length);
        let unpacked = lz4_flex::block::decompress_into(bytes, &mut self.block);
        if unpacked.ok() != Some(length) {
            self.block.clear();
            return Err(Fault::Malformed("a block's compression"));
        }
        Ok(())
    }

    /// Reads the end mark, after which there must be nothing.
    fn end(&mut self, kind: u8) -> Result<(), Fault> {
        if kind != END {
            return Err(Fault::Malformed("the end mark is to come"));
        }
        self.take(16)?;
        let length = self.record.len();
        self.whole.update(&self.record);
        self.take(CRC_BYTES)?;
        let told = u32::from_le_bytes(part(&self.record, length));
        if told != self.whole.clone().finalize() {
            return Err(Fault::Checksum);
        }
        let objects = u64::from_le_bytes(part(&self.record, 1));
        let bytes = u64::from_le_bytes(part(&self.record, 9));
        if (objects, bytes) != (self.objects, self.bytes) {
            return Err(Fault::Malformed("the end mark's counts"));
        }
        self.begin = self.offset;
        if self.has_more()? {
            return Err(Fault::Malformed("something comes after the end mark"));
        }
        self.ended = true;
        Ok(())
    }

    fn has_more(&mut self) -> Result<bool, Fault> {
        loop {
            match self.source.read(&mut [0]) {
                Ok(read) => return Ok(read > 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Io(error)),
            }
        }
    }
}

fn within(what: &'static str, found: u64, max: u64) -> Result<(), Fault> {
    if found > max {
        return Err(Fault::TooLarge { what, found, max });
    }
    Ok(())
}
