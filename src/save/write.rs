//! Writes a file's records, with the memory of one block.

use std::io::Write;
use std::rc::Rc;

use crc32fast::Hasher;
use serde::Serialize;

use super::buffer::Buffer;
use super::error::SaveError;
use super::format::{BLOCK, BLOCK_BYTES, END, FORMAT_PLAIN, Head, TABLE};
use super::frame;
use super::limits::Limits;
use super::shared::Encoder;
use crate::table::object::Object;
use crate::table::value::Value;
use crate::version::Meta;

/// Writes a file's records.
pub(super) struct Writer<'w> {
    target: &'w mut dyn Write,
    limits: Limits,
    whole: Hasher,
    format: u16,
    /// Bytes written.
    pub(super) written: u64,
    /// Objects of all tables, and their bytes, in blocks written or begun.
    pub(super) objects: u64,
    pub(super) bytes: u64,
    /// The block at hand.
    block: Buffer,
    /// A record about to be written.
    record: Buffer,
    encoder: Rc<Encoder>,
}

impl<'w> Writer<'w> {
    pub(super) fn new(target: &'w mut dyn Write, limits: Limits) -> Self {
        // Room for a block that is closed late, so that few buffers grow.
        let room = BLOCK_BYTES + (BLOCK_BYTES >> 1);
        Self {
            target,
            limits,
            whole: Hasher::new(),
            format: FORMAT_PLAIN,
            written: 0,
            objects: 0,
            bytes: 0,
            block: Buffer::with_room(room),
            record: Buffer::with_room(room),
            encoder: Rc::default(),
        }
    }

    /// Writes the record, with its checksum.
    fn put(&mut self) -> Result<(), SaveError> {
        let crc = crc32fast::hash(&self.record);
        self.record.extend(&crc.to_le_bytes());
        self.put_bare()
    }

    fn put_bare(&mut self) -> Result<(), SaveError> {
        self.whole.update(&self.record);
        self.target.write_all(&self.record)?;
        self.written += self.record.len() as u64;
        self.record.clear();
        Ok(())
    }

    pub(super) fn head(&mut self, head: Head) -> Result<(), SaveError> {
        self.format = head.format;
        self.record.extend(&head.bytes());
        self.put()
    }

    pub(super) fn table(&mut self, name: &str, schema: u32, objects: u64) -> Result<(), SaveError> {
        let length = u16::try_from(name.len()).expect("the catalogue bounds names");
        self.record.push(TABLE);
        self.record.extend(&length.to_le_bytes());
        self.record.extend(name.as_bytes());
        self.record.extend(&schema.to_le_bytes());
        self.record.extend(&objects.to_le_bytes());
        self.put()
    }

    /// Adds an object to the block at hand; true: the block is full.
    pub(super) fn object<T: Object + Serialize>(
        &mut self,
        object: &T,
        meta: &Meta,
    ) -> Result<bool, SaveError> {
        let appended = frame::append(object, (meta, self.format), &self.encoder, &mut self.block);
        let length = appended.map_err(|reason| SaveError::Unencodable {
            table: T::TABLE,
            key: Value::new(object.key()),
            reason,
        })?;
        self.objects += 1;
        self.bytes += length as u64;
        let limits = [
            (
                "bytes of an object",
                length as u64,
                self.limits.object_bytes() as u64,
            ),
            ("objects", self.objects, self.limits.objects_max),
            ("bytes of objects", self.bytes, self.limits.bytes_max),
        ];
        for (what, found, max) in limits {
            if found > max {
                return Err(SaveError::TooLarge {
                    table: T::TABLE,
                    key: Value::new(object.key()),
                    what,
                    found,
                    max,
                });
            }
        }
        Ok(self.block.len() >= BLOCK_BYTES)
    }

    /// Writes the block at hand, if it has anything: compressed, if that makes it shorter.
    pub(super) fn close_block(&mut self) -> Result<(), SaveError> {
        if self.block.is_empty() {
            return Ok(());
        }
        const HEAD: usize = 9;
        let length = self.block.len();
        let room = HEAD + lz4_flex::block::get_maximum_output_size(length);
        self.record.resize(room);
        let packed = lz4_flex::block::compress_into(&self.block, &mut self.record[HEAD..]);
        let stored = match packed {
            Ok(packed) if packed < length => packed,
            _ => {
                self.record[HEAD..HEAD + length].copy_from_slice(&self.block);
                length
            }
        };
        self.record.resize(HEAD + stored);
        self.record[0] = BLOCK;
        let told = |length: usize| u32::try_from(length).expect("limits bound blocks");
        self.record[1..5].copy_from_slice(&told(length).to_le_bytes());
        self.record[5..HEAD].copy_from_slice(&told(stored).to_le_bytes());
        self.block.clear();
        self.put()
    }

    /// Writes the end mark.
    pub(super) fn end(&mut self) -> Result<(), SaveError> {
        self.record.push(END);
        let (objects, bytes) = (self.objects, self.bytes);
        self.record.extend(&objects.to_le_bytes());
        self.record.extend(&bytes.to_le_bytes());
        self.put_bare()?;
        let crc = self.whole.clone().finalize();
        self.record.extend(&crc.to_le_bytes());
        self.put_bare()?;
        self.target.flush()?;
        Ok(())
    }
}
