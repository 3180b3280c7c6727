//! What the program makes of CSV files, lines of JSON and command lines that come from anywhere: it
//! reads them, or ends with one line that says why not.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use arbitrary::Arbitrary;
use skep_cli::reading;

use crate::lines::{self, Line};

/// Columns that files have.
const COLUMNS: [&str; 15] = [
    "sn",
    "name",
    "cpu_milli",
    "memory_mib",
    "gpu",
    "model",
    "num_gpu",
    "gpu_milli",
    "gpu_spec",
    "qos",
    "pod_phase",
    "creation_time",
    "deletion_time",
    "scheduled_time",
    "another",
];
/// Columns of nodes.
const NODE_COLUMNS: &str = "sn,cpu_milli,memory_mib,gpu,model";
/// Columns of pods that stay.
const POD_COLUMNS: &str = "name,cpu_milli,memory_mib,num_gpu,gpu_milli";
/// What pods that come and go have beside these.
const LIFE_COLUMNS: &str = ",gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time";
/// Qualities of service, and one that there is not.
const QUALITIES: [&str; 5] = ["LS", "BE", "Burstable", "Guaranteed", "Best"];
/// Phases, and one that there is not.
const PHASES: [&str; 5] = ["Running", "Succeeded", "Failed", "Pending", "Gone"];
/// Words of command lines: commands, all options, and values of each kind.
const WORDS: [&str; 45] = [
    "replay",
    "save",
    "restore",
    "inspect",
    "help",
    "--nodes",
    "--pods",
    "--seed",
    "--synthetic-nodes",
    "--synthetic-tasks",
    "--synthetic-load",
    "--schedulers",
    "--submitters",
    "--agents",
    "--speed",
    "--duration-max",
    "--soak",
    "--json",
    "--csv-out",
    "--watchers",
    "--quiet",
    "-q",
    "--from",
    "--synthetic",
    "--tasks",
    "--to",
    "--table",
    "--object",
    "--help",
    "-h",
    "--version",
    "-V",
    "--",
    "-",
    "file",
    "4f00000000000000000000000",
    "20s",
    "10m 5s",
    "584942417355y",
    "0",
    "1e308",
    "-1",
    "nan",
    "256",
    "18446744073709551615",
];

/// A cell, or a word.
#[derive(Arbitrary, Clone, Debug)]
pub enum Cell {
    /// A number.
    Number(u32),
    /// A name of few.
    Name(u8),
    /// Several models of a GPU.
    Models(u8, u8),
    /// Anything.
    Text(String),
    /// What is no text.
    Bytes(Vec<u8>),
    /// Nothing.
    Empty,
}

impl Cell {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => number.to_string().into_bytes(),
            Self::Name(name) => format!("n{}", name % 8).into_bytes(),
            Self::Models(one, other) => format!("G{}|G{}", one % 3, other % 3).into_bytes(),
            Self::Text(text) => text.clone().into_bytes(),
            Self::Bytes(bytes) => bytes.clone(),
            Self::Empty => Vec::new(),
        }
    }
}

/// A file.
#[derive(Arbitrary, Clone, Debug)]
pub enum File {
    /// Bytes.
    Raw(Vec<u8>),
    /// Rows of cells below a header: the columns that it names, or those that are needed.
    Rows(Option<Vec<u8>>, Vec<Vec<Cell>>),
    /// Rows below the header that is needed: names of their own, and four numbers.
    Sound(Vec<[u16; 4]>),
    /// Rows of pods that come and go: what they ask for, and their lives.
    Lives(Vec<([u16; 4], Life)>),
}

/// When a pod comes and goes, and how it ends.
#[derive(Arbitrary, Clone, Debug)]
pub struct Life {
    models: Option<(u8, u8)>,
    quality: u8,
    phase: u8,
    created: u32,
    /// Seconds after that.
    stays: u16,
    /// A number, nothing, or anything.
    scheduled: Option<Cell>,
}

impl Life {
    /// The cells of a row, a comma before each.
    fn cells(&self) -> Vec<u8> {
        let models = match self.models {
            Some((one, other)) => format!("{}|{}", one % 9, other % 9),
            None => String::new(),
        };
        let quality = QUALITIES[usize::from(self.quality) % QUALITIES.len()];
        let phase = PHASES[usize::from(self.phase) % PHASES.len()];
        let (created, deleted) = (self.created, self.created.saturating_add(self.stays.into()));
        let mut cells = format!(",{models},{quality},{phase},{created},{deleted},").into_bytes();
        cells.extend(self.scheduled.iter().flat_map(Cell::bytes));
        cells
    }
}

/// The first cells of a sound row: of a node the model is the number of its GPUs.
fn sound(at: usize, [cpu, memory, gpu, share]: &[u16; 4]) -> String {
    format!("\nx{at},{cpu},{memory},{},{}", gpu % 9, share % 1_001)
}

impl File {
    fn bytes(&self, needed: &str) -> Vec<u8> {
        let mut bytes = needed.as_bytes().to_vec();
        match self {
            Self::Raw(raw) => bytes.clone_from(raw),
            Self::Rows(columns, rows) => {
                if let Some(columns) = columns {
                    let named = columns.iter().map(|at| usize::from(*at) % COLUMNS.len());
                    let named: Vec<&str> = named.map(|at| COLUMNS[at]).collect();
                    bytes = named.join(",").into_bytes();
                }
                for row in rows {
                    bytes.push(b'\n');
                    let cells: Vec<Vec<u8>> = row.iter().map(Cell::bytes).collect();
                    bytes.extend(cells.join(&b','));
                }
            }
            Self::Sound(rows) => {
                for (at, row) in rows.iter().enumerate() {
                    bytes.extend(sound(at, row).into_bytes());
                }
            }
            Self::Lives(rows) => {
                bytes.extend(LIFE_COLUMNS.as_bytes());
                for (at, (row, life)) in rows.iter().enumerate() {
                    bytes.extend(sound(at, row).into_bytes());
                    bytes.extend(life.cells());
                }
            }
        }
        bytes
    }
}

/// What the program is given.
#[derive(Arbitrary, Clone, Debug)]
pub enum Run {
    /// Two files: of nodes and of pods.
    Files(File, File),
    /// Two files that may well be sound: four numbers a row.
    Sound(Vec<[u16; 4]>, Vec<[u16; 4]>),
    /// The same, of pods that come and go.
    Lives(Vec<[u16; 4]>, Vec<([u16; 4], Life)>),
    /// A file of objects, as lines of JSON.
    Lines(Vec<Line>),
    /// A command line: words that it knows, and others.
    CommandLine(Vec<(u8, Option<Cell>)>),
}

/// A new file for bytes.
fn written(name: &str, bytes: &[u8]) -> PathBuf {
    static FILES: AtomicU64 = AtomicU64::new(0);
    // Relaxed: a number of its own for each.
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let file = format!("skep-fuzz-{}-{number}-{name}.csv", std::process::id());
    let path = std::env::temp_dir().join(file);
    std::fs::write(&path, bytes).expect("a folder for files that are soon gone");
    path
}

impl Run {
    /// Has it read; tells whether it was accepted.
    ///
    /// # Panics
    /// If it is read as more than it is, or refused without a word, or with more than a line.
    pub fn play(&self) -> bool {
        match self {
            Self::Files(nodes, pods) => read(nodes, pods),
            Self::Sound(nodes, pods) => {
                read(&File::Sound(nodes.clone()), &File::Sound(pods.clone()))
            }
            Self::Lives(nodes, pods) => {
                read(&File::Sound(nodes.clone()), &File::Lives(pods.clone()))
            }
            Self::Lines(lines) => lines::play(lines),
            Self::CommandLine(words) => parse(words),
        }
    }
}

fn read(nodes: &File, pods: &File) -> bool {
    let nodes = nodes.bytes(NODE_COLUMNS);
    let pods = pods.bytes(POD_COLUMNS);
    let lines = |bytes: &[u8]| bytes.split(|byte| matches!(byte, b'\n' | b'\r')).count();
    let paths = [written("nodes", &nodes), written("pods", &pods)];
    let told = reading::trace(&paths[0], &paths[1]);
    for path in &paths {
        std::fs::remove_file(path).expect("it was written above");
    }
    match told {
        Ok((node_count, task_count)) => {
            assert!(node_count < lines(&nodes), "{node_count} nodes");
            assert!(task_count < lines(&pods), "{task_count} tasks");
            true
        }
        Err(error) => {
            assert!(!error.is_empty() && !error.contains('\n'), "{error:?}");
            false
        }
    }
}

fn parse(words: &[(u8, Option<Cell>)]) -> bool {
    let words = words.iter().map(|(at, cell)| match cell {
        None => OsString::from(WORDS[usize::from(*at) % WORDS.len()]),
        Some(cell) => String::from_utf8_lossy(&cell.bytes()).into_owned().into(),
    });
    match reading::command_line([OsString::from("skep")].into_iter().chain(words)) {
        Ok(()) => true,
        Err((code, told)) => {
            assert!(matches!(code, 0 | 2) && !told.is_empty(), "{code}: {told}");
            false
        }
    }
}
