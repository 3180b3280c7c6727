//! A result's file: written beside its place, and put there when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::input::error::InputError;

/// Where a result goes. It is opened before the work is done, so that a wrong name is known then,
/// and takes the place of an older file only when it is complete.
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
    /// Opens a target, which must not be one of the `inputs`. `named` is how the command line names
    /// it.
    pub fn open(path: &Path, named: &str, inputs: &[&Path]) -> Result<Self, InputError> {
        let fault = |what: &str| InputError::file(path, format!("{what}; name another {named}"));
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

    /// Writes by `run` and puts what it wrote in its place; nothing, if it fails.
    pub fn write<R>(
        self,
        run: impl FnOnce(&mut dyn Write) -> Result<R, String>,
    ) -> Result<R, InputError> {
        let Self { path, kind } = self;
        let failed = |error: String| InputError::file(&path, error);
        let cannot = |error: io::Error| failed(format!("it cannot be written: {error}"));
        match kind {
            Kind::Direct(file) => {
                let mut file = BufWriter::new(file);
                let written = run(&mut file).map_err(failed)?;
                file.flush().map_err(cannot)?;
                Ok(written)
            }
            Kind::Beside(file) => {
                let mut file = BufWriter::new(file);
                let written = run(&mut file).map_err(failed)?;
                let file = file
                    .into_inner()
                    .map_err(|error| cannot(error.into_error()))?;
                file.as_file().sync_all().map_err(cannot)?;
                file.persist(&path).map_err(|error| cannot(error.error))?;
                Ok(written)
            }
        }
    }
}

/// A new file in the folder with the permissions that new files have.
fn beside(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skep-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes from this what it takes from every new file.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}
