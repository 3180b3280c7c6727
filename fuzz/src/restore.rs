//! Files restored into a store: any bytes; records put together from any parts; and sound files
//! with changed bytes, their checksums made to hold again or not. Whatever comes of it, the store
//! is as the file says or as it was.

use arbitrary::{Arbitrary, Unstructured};
use skep::save::{Catalogue, Limits, Reader, decode};
use skep::{Store, keys};

use crate::item::Item;

/// Bytes of a file's head.
const HEAD_BYTES: usize = 28;
/// Bytes of an object at most.
const OBJECT_BYTES_MAX: usize = 1 << 12;

/// A store and a file.
#[derive(Arbitrary, Clone, Debug)]
pub struct Run {
    /// What the store has before.
    pub there: Vec<Item>,
    /// What is restored into it.
    pub file: File,
}

/// A file.
#[derive(Arbitrary, Clone, Debug)]
pub enum File {
    /// Any bytes.
    Bytes(Vec<u8>),
    /// Records with sound checksums.
    Records {
        /// What the head tells of tables.
        tables: u8,
        /// The records after it.
        records: Vec<Record>,
    },
    /// A sound file, changed.
    Changed {
        /// What it had.
        items: Vec<Item>,
        /// Where, and by which bits.
        #[arbitrary(with = few_changes)]
        changes: Vec<(u16, u8)>,
        /// How many bytes of its end are missing.
        #[arbitrary(with = seldom)]
        cut: u8,
        /// Whether its checksums are made to hold.
        sealed: bool,
    },
}

/// A record.
#[derive(Arbitrary, Clone, Debug)]
pub enum Record {
    /// The beginning of a table.
    Table {
        /// Whether it is the one that there is.
        known: bool,
        /// The number of its form.
        schema: bool,
        /// How many objects it tells of.
        objects: u8,
    },
    /// A block, stored as it is, of whole objects.
    Objects(Vec<(u8, Vec<u8>)>),
    /// A block with a length told, compressed.
    Block {
        /// The length.
        length: u16,
        /// The bytes.
        stored: Vec<u8>,
    },
    /// The end mark.
    End {
        /// How many objects it tells of, and bytes.
        counts: (u8, u16),
    },
}

fn few_changes(u: &mut Unstructured<'_>) -> arbitrary::Result<Vec<(u16, u8)>> {
    let count = u.int_in_range(0..=3)?;
    (0..count).map(|_| u.arbitrary()).collect()
}

/// Mostly nothing.
fn seldom(u: &mut Unstructured<'_>) -> arbitrary::Result<u8> {
    if u.ratio(1, 8)? { u.arbitrary() } else { Ok(0) }
}

fn catalogue() -> Catalogue {
    let mut limits = Limits::default();
    limits.object_bytes_max = OBJECT_BYTES_MAX;
    Catalogue::new().table::<Item>().limits(limits)
}

/// A store of items; what the unique index refuses is left out.
fn store(items: &[Item]) -> Store {
    let store = Store::builder().table::<Item>().build();
    let put = store.update(|tx| {
        for item in items {
            let _ = tx.upsert(item.clone());
        }
        Ok::<_, skep::Error>(())
    });
    put.expect("nobody else writes");
    store
}

fn items(store: &Store) -> Vec<Item> {
    store.read().find(keys::<Item>().all()).cloned().collect()
}

impl Record {
    fn append(&self, file: &mut Vec<u8>) {
        let begin = file.len();
        match self {
            Self::Table {
                known,
                schema,
                objects,
            } => {
                file.extend_from_slice(b"T\x04\x00");
                file.extend_from_slice(if *known { b"item" } else { b"i\xfftm" });
                file.extend_from_slice(&(u32::from(*schema) + 1).to_le_bytes());
                file.extend_from_slice(&u64::from(*objects).to_le_bytes());
            }
            Self::Objects(objects) => {
                let mut block = Vec::new();
                for (version, bytes) in objects {
                    block.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                    block.extend_from_slice(&[*version; 24]);
                    block.extend_from_slice(bytes);
                }
                let length = (block.len() as u32).to_le_bytes();
                file.push(b'B');
                file.extend_from_slice(&length);
                file.extend_from_slice(&length);
                file.extend_from_slice(&block);
            }
            Self::Block { length, stored } => {
                file.push(b'B');
                file.extend_from_slice(&u32::from(*length).to_le_bytes());
                file.extend_from_slice(&(stored.len() as u32).to_le_bytes());
                file.extend_from_slice(stored);
            }
            Self::End { counts } => {
                file.push(b'E');
                file.extend_from_slice(&u64::from(counts.0).to_le_bytes());
                file.extend_from_slice(&u64::from(counts.1).to_le_bytes());
            }
        }
        let crc = if file[begin] == b'E' {
            crc32fast::hash(file)
        } else {
            crc32fast::hash(&file[begin..])
        };
        file.extend_from_slice(&crc.to_le_bytes());
    }
}

/// Makes the checksums hold, as far as there are records.
fn seal(file: &mut [u8]) {
    let mut put = |from: usize, to: usize| {
        let sealed = to + 4 <= file.len();
        if sealed {
            let crc = crc32fast::hash(&file[from..to]);
            file[to..to + 4].copy_from_slice(&crc.to_le_bytes());
        }
        sealed.then(|| {
            let next = &file[to + 4..];
            let length = |at: usize, bytes: usize| {
                let bytes = next.get(at..at + bytes)?;
                Some(
                    bytes
                        .iter()
                        .rev()
                        .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
                )
            };
            match next.first()? {
                b'T' => Some((to + 4, 15 + length(1, 2)?)),
                b'B' => Some((to + 4, 9 + length(5, 4)?)),
                b'E' => Some((0, to + 4 + 17)),
                _ => None,
            }
        })?
    };
    let mut record = put(0, HEAD_BYTES - 4);
    while let Some((from, length)) = record {
        record = put(from, from + length);
        if from == 0 {
            return;
        }
    }
}

impl File {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Records { tables, records } => {
                let mut file = b"\x89SKEP\r\n\x1a\x01\x00\x00\x00".to_vec();
                file.extend_from_slice(&u32::from(*tables).to_le_bytes());
                file.extend_from_slice(&7u64.to_le_bytes());
                let crc = crc32fast::hash(&file);
                file.extend_from_slice(&crc.to_le_bytes());
                records.iter().for_each(|record| record.append(&mut file));
                file
            }
            Self::Changed {
                items,
                changes,
                cut,
                sealed,
            } => {
                let mut file = Vec::new();
                let saved = store(items).save(&catalogue(), &mut file);
                saved.expect("memory takes it");
                for (at, bits) in changes {
                    let at = usize::from(*at) % file.len();
                    file[at] ^= bits;
                }
                file.truncate(file.len() - usize::from(*cut).min(file.len()));
                if *sealed {
                    seal(&mut file);
                }
                file
            }
        }
    }
}

impl Run {
    /// Restores the file; says whether it was sound.
    ///
    /// # Panics
    /// If the store is then neither as the file says nor as it was.
    #[must_use]
    pub fn play(&self) -> bool {
        let (catalogue, file) = (catalogue(), self.file.bytes());
        let store = store(&self.there);
        let (before, version) = (items(&store), store.version());
        let Ok(restored) = store.restore(&catalogue, &file[..]) else {
            assert_eq!(items(&store), before);
            assert_eq!(store.version(), version);
            return false;
        };
        let mut told = Vec::new();
        let mut reader = Reader::open(&file[..], Limits::default()).expect("it was read before");
        while reader.next_table().expect("it was read before").is_some() {
            while let Some(object) = reader.next_object().expect("it was read before") {
                told.push(decode::<Item>(object.bytes).expect("it was decoded before"));
            }
        }
        assert_eq!(items(&store), told);
        let mut names: Vec<u8> = told.iter().map(|item| item.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        assert_eq!(store.version(), restored.version);
        let again = store.restore(&catalogue, &file[..]);
        let again = again.expect("it was restored before");
        assert_eq!(again.version, restored.version, "nothing differs any more");
        true
    }
}
