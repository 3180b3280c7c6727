//! A result's file: written beside its place, and put there when it is complete.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::descriptor::Descriptor;
use crate::failure::Failure;
use crate::input::error::InputError;
use crate::interrupt::Interrupt;
use crate::unfinished::Unfinished;

/// Where a result goes. It is opened before the work is done, so that a wrong name is known then,
/// and takes the place of an older file only when it is complete.
pub struct Target {
    path: PathBuf,
    file: File,
    /// Whether the file is to be put at the path, and not there already: a pipe, a terminal and the
    /// null device cannot be renamed to.
    beside: bool,
    unfinished: Unfinished,
}

/// What a target is to be.
pub struct Wanted<'a> {
    /// Its path.
    pub path: &'a Path,
    /// How the command line names it.
    pub named: &'a str,
    /// What it must not be.
    pub inputs: &'a [&'a Path],
    /// Who may read it.
    pub readers: Readers,
}

/// Who may read a file.
#[derive(Clone, Copy, Debug)]
pub enum Readers {
    /// Whoever may read new files of this process.
    Usual,
    /// Its owner alone: it has secrets.
    Owner,
}

/// Why a target was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// It takes no more.
    Target(io::Error),
    /// What is to be written cannot be had.
    Source(InputError),
}

impl Target {
    /// Opens a target, which is not left incomplete if the program is interrupted.
    pub fn open(wanted: &Wanted<'_>, interrupt: &Interrupt) -> Result<Self, InputError> {
        let path = wanted.path;
        let named = wanted.named;
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
        if there.is_none() && path.as_os_str().as_encoded_bytes().ends_with(b"/") {
            return Err(fault("there is no such folder"));
        }
        // A link is followed, so that what it leads to is replaced and not the link.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut inputs = wanted.inputs.iter();
        if inputs.any(|input| fs::canonicalize(input).is_ok_and(|input| input == real)) {
            return Err(fault("it is the input"));
        }
        let is_link = || fs::symlink_metadata(path).is_ok_and(|link| link.is_symlink());
        if there.is_none() && is_link() {
            return Err(fault("it is a link to nothing"));
        }
        let unfinished = interrupt.unfinished().clone();
        let descriptor = Descriptor::of(path);
        if let Some(file) = descriptor.and_then(standard) {
            return Ok(Self {
                path: path.to_owned(),
                file: file.map_err(cannot)?,
                beside: false,
                unfinished,
            });
        }
        match (descriptor, &there) {
            (Some(_), None) => return Err(fault("there is no such descriptor")),
            (Some(_), Some(there)) if there.is_file() => {
                return Err(fault(
                    "it is the descriptor of a file, that is not to be replaced; \
                     redirect standard output there, and name /dev/stdout, or name the file",
                ));
            }
            _ => {}
        }
        let beside = there.as_ref().is_none_or(fs::Metadata::is_file);
        let file = if beside {
            if there.is_some() {
                // A file that may not be written is not replaced, though its folder may be.
                OpenOptions::new()
                    .append(true)
                    .open(&real)
                    .map_err(cannot)?;
            }
            let folder = folder_of(&real);
            let file = unfinished.begin_beside(|| make(folder, wanted.readers));
            file.map_err(cannot)?
        } else {
            OpenOptions::new().write(true).open(path).map_err(cannot)?
        };
        Ok(Self {
            path: real,
            file,
            beside,
            unfinished,
        })
    }

    /// Writes by `run` and puts what it wrote in its place; nothing, if it fails.
    pub fn write<R>(
        self,
        run: impl FnOnce(&mut dyn Write) -> Result<R, Unwritten>,
    ) -> Result<R, Failure> {
        let cannot = |error: io::Error| Failure::output(&self.path, &error);
        if !self.beside {
            self.unfinished.begin_in_place();
        }
        let mut file = BufWriter::new(&self.file);
        let written = run(&mut file).map_err(|why| why.failure(&self.path))?;
        file.flush().map_err(cannot)?;
        if self.beside {
            self.file.sync_all().map_err(cannot)?;
        }
        self.unfinished.complete(&self.path).map_err(cannot)?;
        Ok(written)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.unfinished.abandon();
    }
}

impl Unwritten {
    /// What it means for the program, of a target with this name.
    pub fn failure(self, target: &Path) -> Failure {
        match self {
            Self::Target(error) => Failure::output(target, &error),
            Self::Source(error) => error.into(),
        }
    }
}

/// Another handle of a descriptor that the program has by name. What is written by it goes behind
/// what others wrote by theirs.
fn standard(descriptor: Descriptor) -> Option<io::Result<File>> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let handle = match descriptor {
            Descriptor::Output => io::stdout().as_fd().try_clone_to_owned(),
            Descriptor::Error => io::stderr().as_fd().try_clone_to_owned(),
            Descriptor::Other => return None,
        };
        Some(handle.map(File::from))
    }
    #[cfg(not(unix))]
    {
        let _ = descriptor;
        None
    }
}

/// The folder that a file is in.
fn folder_of(place: &Path) -> &Path {
    match place.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A new file in the folder. Never, not even for a moment, may others read what is its owner's.
fn make(folder: &Path, readers: Readers) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".skep-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes from this what it takes from every new file.
        let mode = match readers {
            Readers::Usual => 0o666,
            Readers::Owner => 0o600,
        };
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = readers;
    builder.tempfile_in(folder)
}
