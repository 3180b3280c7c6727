//! The placements as a CSV file: what became of each task.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use skep::Id;
use tempfile::NamedTempFile;

use crate::books::history::{History, Life};
use crate::input::error::InputError;
use crate::objects::task::State;
use crate::replay::Run;

const HEADER: [&str; 8] = [
    "task",
    "node",
    "gpus",
    "state",
    "placed_at_version",
    "created_at",
    "placed_at",
    "ended_at",
];

/// Where the placements go. It is opened before the replay, so that a wrong name is known before
/// the work is done, and takes the place of an older file only when it is complete.
pub struct Target {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    /// A file beside the target, which is renamed to it.
    Beside(NamedTempFile),
    /// What cannot be renamed to: a pipe, a terminal, the null device.
    Direct(File),
}

impl Target {
    /// Opens a target, which must not be one of the `inputs`.
    pub fn open(path: &Path, inputs: &[&Path]) -> Result<Self, InputError> {
        let fault = |what: &str| InputError::file(path, format!("{what}; name another --csv-out"));
        // The kind alone: the error of a temporary file names that file, which nobody asked for.
        let cannot = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => fault("there is no such folder"),
            kind => fault(&format!("it cannot be written: {kind}")),
        };
        let there = fs::metadata(path).ok();
        if there.as_ref().is_some_and(fs::Metadata::is_dir) {
            return Err(fault("it is a folder"));
        }
        // A link is followed, so that what it leads to is replaced and not the link.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if inputs
            .iter()
            .any(|input| fs::canonicalize(input).is_ok_and(|input| input == real))
        {
            return Err(fault("it is the input"));
        }
        let kind = match there {
            Some(metadata) if !metadata.is_file() => {
                Kind::Direct(OpenOptions::new().write(true).open(path).map_err(cannot)?)
            }
            there => {
                if there.is_some() {
                    // A file that may not be written is not replaced, though its folder may be.
                    OpenOptions::new()
                        .append(true)
                        .open(&real)
                        .map_err(cannot)?;
                }
                let folder = match real.parent() {
                    Some(folder) if folder != Path::new("") => folder,
                    _ => Path::new("."),
                };
                Kind::Beside(beside(folder).map_err(cannot)?)
            }
        };
        Ok(Self { path: real, kind })
    }

    /// Writes the placements and puts them in their place.
    pub fn write(self, run: &Run, history: &History) -> Result<(), InputError> {
        let Self { path, kind } = self;
        let result = match kind {
            Kind::Direct(mut file) => rows(run, history, &mut file),
            Kind::Beside(mut file) => rows(run, history, file.as_file_mut())
                .and_then(|()| file.as_file().sync_all())
                .and_then(|()| file.persist(&path).map(drop).map_err(|error| error.error)),
        };
        result.map_err(|error| InputError::file(&path, format!("it cannot be written: {error}")))
    }
}

/// A new file in the folder with the permissions that new files have.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skep-").suffix(".csv");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes from this what it takes from every new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

fn rows(run: &Run, history: &History, file: &mut File) -> io::Result<()> {
    let nodes: HashMap<Id, usize> = (0..run.cluster.nodes.len())
        .map(|index| (run.node_id(index), index))
        .collect();
    let placeable_classes = run.cluster.placeable_classes();
    let mut writer = csv::Writer::from_writer(io::BufWriter::new(file));
    writer.write_record(HEADER)?;
    for (sequence, life) in history.lives() {
        let spec = run.cluster.task(sequence);
        let placeable = placeable_classes[spec.class.index()];
        let Some(state) = state(life, placeable) else {
            continue;
        };
        let seconds = |at: Option<crate::cluster::amounts::Seconds>| {
            at.map(|at| at.0.to_string()).unwrap_or_default()
        };
        let placed = life.placed;
        let node = placed.and_then(|placed| nodes.get(&placed.node));
        writer.write_record([
            &*spec.name,
            node.map_or("", |&index| &run.cluster.nodes[index].name),
            &placed
                .map(|placed| placed.gpus.to_string())
                .unwrap_or_default(),
            state,
            &placed
                .map(|placed| placed.version.to_string())
                .unwrap_or_default(),
            &spec.created_at.0.to_string(),
            &seconds(placed.map(|placed| placed.at)),
            &seconds(life.ended_at),
        ])?;
    }
    writer.flush()
}

/// The last state of a task that was created.
fn state(life: &Life, placeable: bool) -> Option<&'static str> {
    Some(match life.state? {
        State::Pending => "pending",
        State::Waiting if placeable => "no_room",
        State::Waiting => "unplaceable",
        State::Assigned => "assigned",
        State::Running => "running",
        State::Finished => "finished",
        State::Failed => "failed",
    })
}
